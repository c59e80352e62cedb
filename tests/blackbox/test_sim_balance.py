"""The simulated balance speaks MT-SICS as the manuals have it, and fails on command.

Expected bytes: MT-SICS reference manual, Excellence series (reply "ID SP STATUS SP WEIGHT10 SP UNIT CR LF")."""
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

import serial
from instruments import PROGRAMS, SOON, Simulator


class Balance(unittest.TestCase):
    def start(self, *options, way=None):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        way = way or ("--pty", f"{folder.name}/balance")
        self.sim = Simulator("labferry-sim-balance", folder.name, way, "--settle", 0, *options)
        self.addCleanup(self.sim.close)
        return self.sim

    def open(self):
        port = serial.Serial(self.sim.place, 9600, timeout=SOON)
        self.addCleanup(port.close)
        return port

    def ask(self, port, command, lines=1):
        port.write(command)
        return b"".join(port.read_until(b"\n") for _ in range(lines))

    def quiet(self, port, seconds=0.2):
        port.timeout = seconds
        got = port.read(1000)
        port.timeout = SOON
        return got


class Dialogue(Balance):
    def test_weights_have_the_bytes_of_the_manual(self):
        self.start("--weight", 100)
        port = self.open()
        self.assertEqual(self.ask(port, b"S\r\n"), b"S S     100.00 g\r\n")
        self.assertEqual(self.ask(port, b"SI\r\n"), b"S S     100.00 g\r\n")
        self.assertEqual(self.ask(port, b"T\r\n"), b"T S     100.00 g\r\n")
        self.sim.tell("weight 0")
        self.assertEqual(self.ask(port, b"S\r\n"), b"S S    -100.00 g\r\n")

    def test_a_swinging_weight_is_dynamic_and_s_waits_for_the_stable_one(self):
        self.start("--decimals", 3)
        port = self.open()
        self.sim.tell("settle 1500")
        self.sim.tell("weight 50")
        self.assertRegex(self.ask(port, b"SI\r\n"), rb"^S D [ 0-9.]{10} g\r\n$")
        began = time.monotonic()
        self.assertEqual(self.ask(port, b"S\r\n"), b"S S     50.000 g\r\n")
        self.assertGreater(time.monotonic() - began, 0.2)

    def test_a_weight_that_never_settles_ends_in_i(self):
        self.start("--restless", "on", "--patience", 100)
        port = self.open()
        self.assertEqual(self.ask(port, b"S\r\n"), b"S I\r\n")
        self.assertEqual(self.ask(port, b"T\r\n"), b"T I\r\n")
        self.assertEqual(self.ask(port, b"Z\r\n"), b"Z I\r\n")
        self.assertEqual(self.sim.state()["moved"]["tare"], 0)

    def test_range_errors_have_their_signs(self):
        self.start("--weight", 500)
        port = self.open()
        self.assertEqual(self.ask(port, b"S\r\n"), b"S +\r\n")
        self.assertEqual(self.ask(port, b"T\r\n"), b"T +\r\n")
        self.sim.tell("weight -50")
        self.assertEqual(self.ask(port, b"SI\r\n"), b"S -\r\n")
        self.sim.tell("weight 100")
        self.assertEqual(self.ask(port, b"Z\r\n"), b"Z +\r\n")

    def test_reset_and_identity_answer_with_the_serial_number(self):
        self.start("--serial", "B114455667", "--model", "XPR205")
        port = self.open()
        self.assertEqual(self.ask(port, b"@\r\n"), b'I4 A "B114455667"\r\n')
        self.assertEqual(self.ask(port, b"I4\r\n"), b'I4 A "B114455667"\r\n')
        self.assertRegex(self.ask(port, b"I2\r\n"), rb'^I2 A "XPR205 220\.00 g"\r\n$')
        self.assertRegex(self.ask(port, b"I1\r\n"), rb'^I1 A "01"( "[^"]*"){4}\r\n$')
        self.assertRegex(self.ask(port, b"I3\r\n"), rb'^I3 A "[^"]+"\r\n$')

    def test_the_list_of_commands_ends_in_a(self):
        self.start()
        port = self.open()
        port.write(b"I0\r\n")
        lines = []
        while not lines or lines[-1].startswith(b"I0 B "):
            lines.append(port.read_until(b"\n"))
        for line in lines[:-1]:
            self.assertRegex(line, rb'^I0 B [01] "[A-Z0-9@]+"\r\n$')
        self.assertRegex(lines[-1], rb'^I0 A [01] "[A-Z0-9@]+"\r\n$')
        names = {line.split(b'"')[1].decode() for line in lines}
        self.assertLessEqual(set("@ I0 I1 I2 I3 I4 S SI SIR SR SNR Z ZI T TI TA TAC D DW C".split()), names)

    def test_the_rest_of_the_command_set_answers(self):
        self.start("--weight", 1)
        port = self.open()
        for command, reply in ((b"Z\r\n", b"Z A\r\n"), (b"ZI\r\n", b"ZI S\r\n"),
                               (b"TA\r\n", b"TA A       0.00 g\r\n"), (b"TA 10.00 g\r\n", b"TA A      10.00 g\r\n"),
                               (b"SI\r\n", b"S S     -10.00 g\r\n"), (b"TAC\r\n", b"TAC A\r\n"),
                               (b"TI\r\n", b"TI S       0.00 g\r\n"), (b'D "READY"\r\n', b"D A\r\n"), (b"DW\r\n", b"DW A\r\n"),
                               (b"TA 10 kg\r\n", b"TA L\r\n"), (b"D READY\r\n", b"D L\r\n")):
            self.assertEqual(self.ask(port, command), reply, command)
        self.assertEqual(self.ask(port, b"C\r\n", 2), b"C B\r\nC A\r\n")

    def test_what_is_no_command_gets_es(self):
        self.start()
        port = self.open()
        for command in (b"s\r\n", b"S\n", b"HELLO\r\n", b"\r\n", b"S\0\r\n", b" S\r\n"):
            self.assertEqual(self.ask(port, command), b"ES\r\n", command)
        port.write(b"x" * 5000)
        self.assertEqual(port.read_until(b"\n"), b"ES\r\n")

    def test_reset_and_cancel_end_a_command_that_waits(self):
        self.start("--restless", "on")
        port = self.open()
        port.write(b"S\r\n")
        self.assertEqual(self.ask(port, b"@\r\n"), b'I4 A "B021002593"\r\n')
        port.write(b"T\r\n")
        self.assertEqual(self.ask(port, b"C\r\n", 2), b"C B\r\nC A\r\n")
        self.assertEqual(self.quiet(port), b"")

    def test_a_stream_of_weights_ends_with_s_si_at_and_c(self):
        self.start("--weight", 5, "--interval", 20)
        port = self.open()
        for end, reply in ((b"S\r\n", b"S S       5.00 g\r\n"), (b"SI\r\n", b"S S       5.00 g\r\n"),
                           (b"@\r\n", b'I4 A "B021002593"\r\n'), (b"C\r\n", b"C A\r\n")):
            self.assertEqual(self.ask(port, b"SIR\r\n", 3), b"S S       5.00 g\r\n" * 3)
            port.write(end)
            while port.read_until(b"\n") != reply:
                pass
            self.quiet(port, 0.1)
            self.assertEqual(self.quiet(port, 0.15), b"", end)

    def test_changes_are_told_unasked_after_sr_and_snr(self):
        self.start("--weight", 10, "--interval", 20)
        port = self.open()
        self.assertEqual(self.ask(port, b"SNR\r\n"), b"S S      10.00 g\r\n")
        self.assertEqual(self.quiet(port), b"")
        self.sim.tell("weight 20")
        self.assertEqual(port.read_until(b"\n"), b"S S      20.00 g\r\n")
        self.assertEqual(self.ask(port, b"SR\r\n"), b"S S      20.00 g\r\n")
        self.sim.tell("settle 300")
        self.sim.tell("weight 60")
        self.assertRegex(port.read_until(b"\n"), rb"^S D [ 0-9.]{10} g\r\n$")
        self.assertEqual(port.read_until(b"\n"), b"S S      60.00 g\r\n")

    def test_the_emulators_way_of_answering_si_can_be_chosen(self):
        self.start("--weight", 1, "--si-style", "emulator")
        self.assertEqual(self.ask(self.open(), b"SI\r\n"), b"SI S       1.00 g\r\n")

    def test_the_print_key_sends_a_line_unasked(self):
        self.start("--weight", 7.5)
        port = self.open()
        self.assertEqual(self.sim.tell("print"), "ok")
        self.assertEqual(port.read_until(b"\n"), b"S S       7.50 g\r\n")

    def test_it_is_reached_over_tcp_and_unix_too(self):
        self.start("--weight", 3, way=("--tcp", "127.0.0.1:0"))
        for _ in range(2):  # one after the other
            with self.sim.connect() as port, port.makefile("rb") as replies:
                port.sendall(b"S\r\n")
                self.assertEqual(replies.readline(), b"S S       3.00 g\r\n")
        self.assertEqual(self.sim.state()["clients"], 2)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.start("--weight", 3, way=("--unix", f"{folder.name}/s"))
        with socket.socket(socket.AF_UNIX) as port:
            port.connect(self.sim.place)
            port.sendall(b"S\r\n")
            self.assertEqual(port.makefile("rb").readline(), b"S S       3.00 g\r\n")


class Faults(Balance):
    def strike(self, fault, command, *options):
        """Starts with this fault, sends the command; returns the open port."""
        self.start("--weight", 100, "--fault", fault, *options)
        port = self.open()
        port.write(command)
        return port

    def test_silence_hides_the_reply_but_not_the_action(self):
        port = self.strike("silence times=1 on=T", b"T\r\n")
        self.assertEqual(self.quiet(port), b"")
        self.assertEqual(self.sim.state()["moved"]["tare"], 1)
        self.assertEqual(self.ask(port, b"S\r\n"), b"S S       0.00 g\r\n")

    def test_deaf_does_nothing_at_all(self):
        port = self.strike("deaf times=1 on=T", b"T\r\n")
        self.assertEqual(self.quiet(port), b"")
        self.assertEqual(self.sim.state()["moved"]["tare"], 0)

    def test_a_late_reply_comes_late_and_in_order(self):
        port = self.strike("delay=400 times=1", b"SI\r\n")
        self.assertEqual(self.quiet(port, 0.1), b"")
        self.assertEqual(self.ask(port, b"I4\r\n", 2), b'S S     100.00 g\r\nI4 A "B021002593"\r\n')

    def test_a_reply_can_be_cut_at_every_byte(self):
        whole = b"S S     100.00 g\r\n"
        self.start("--weight", 100)
        port = self.open()
        for length in range(len(whole)):
            self.assertEqual(self.sim.tell(f"fault cut={length} times=1"), "ok")
            port.write(b"SI\r\n")
            self.assertEqual(port.read(length), whole[:length])
            self.assertEqual(self.ask(port, b"SI\r\n"), whole)  # nothing of the cut reply follows

    def test_a_slow_reply_comes_whole(self):
        port = self.strike("slow=5 times=1", b"SI\r\n")
        self.assertEqual(port.read_until(b"\n"), b"S S     100.00 g\r\n")

    def test_garbage_twice_and_chatter(self):
        port = self.strike("garbage=40 times=1", b"SI\r\n")
        garbage = port.read(40)
        self.assertTrue(all(byte >= 128 for byte in garbage))
        self.sim.tell("fault twice times=1")
        self.assertEqual(self.ask(port, b"SI\r\n", 2), b"S S     100.00 g\r\n" * 2)
        self.sim.tell("fault chatter=1")
        self.assertEqual(port.read(18 * 50), b"S S     100.00 g\r\n" * 50)
        self.sim.tell("clear")
        self.quiet(port)
        self.assertEqual(self.quiet(port), b"")

    def test_the_errors_of_the_protocol_come_when_asked_for(self):
        self.start("--weight", 100)
        port = self.open()
        for fault, command, reply in (("overload", b"SI\r\n", b"S +\r\n"), ("underload", b"T\r\n", b"T -\r\n"),
                                      ("busy", b"S\r\n", b"S I\r\n"), ("es", b"S\r\n", b"ES\r\n"),
                                      ("et", b"T\r\n", b"ET\r\n"), ("el", b"Z\r\n", b"EL\r\n")):
            self.sim.tell(f"fault {fault} times=1")
            self.assertEqual(self.ask(port, command), reply)
        moved = self.sim.state()["moved"]
        self.assertEqual((moved["tare"], moved["zero"]), (0, 0))

    def test_a_fault_waits_for_its_turn_and_its_command(self):
        self.start("--weight", 100, "--fault", "es after=1 times=1 on=SI")
        port = self.open()
        replies = [self.ask(port, command) for command in (b"SI\r\n", b"I4\r\n", b"SI\r\n", b"SI\r\n")]
        weight = b"S S     100.00 g\r\n"
        self.assertEqual(replies, [weight, b'I4 A "B021002593"\r\n', b"ES\r\n", weight])

    def test_unplugged_in_mid_reply_it_comes_back_under_its_name(self):
        port = self.strike("unplug=6 times=1", b"SI\r\n", "--replug", "100")
        self.assertEqual(port.read(6), b"S S   ")
        with self.assertRaises(serial.SerialException):
            port.read(1)
        port.close()
        self.sim.wait_for(lambda state: state["unplugs"] == 1 and state["plugged"])
        self.assertEqual(self.ask(self.open(), b"SI\r\n"), b"S S     100.00 g\r\n")

    def test_unplugged_its_name_is_gone_until_it_is_plugged_in_again(self):
        for way in (None, ("--tcp", "127.0.0.1:0")):
            self.start("--replug", 0, way=way)
            self.assertEqual(self.sim.tell("unplug"), "ok")
            if way:
                self.assertRaises(ConnectionRefusedError, self.sim.connect)
            else:
                self.assertFalse(os.path.lexists(self.sim.place))
            self.assertFalse(self.sim.state()["plugged"])
            self.assertEqual(self.sim.tell("serial OTHER"), "ok")
            self.assertEqual(self.sim.tell("plug"), "ok")
            if way:
                with self.sim.connect() as port:
                    port.sendall(b"@\r\n")
                    self.assertEqual(port.makefile("rb").readline(), b'I4 A "OTHER"\r\n')
            else:
                self.assertEqual(self.ask(self.open(), b"@\r\n"), b'I4 A "OTHER"\r\n')

    def test_every_movement_is_counted_and_in_the_state_before_its_reply(self):
        self.start()
        port = self.open()
        for count in range(1, 6):
            self.ask(port, b"T\r\n")
            self.assertEqual(self.sim.state()["moved"]["tare"], count)
            self.ask(port, b"ZI\r\n")
            self.assertEqual(self.sim.state()["moved"]["zero"], count)
        said = [(entry["from"], entry["text"]) for entry in self.sim.state()["transcript"]]
        self.assertIn(("host", "T\\r\\n"), said)
        self.assertIn(("event", "tared"), said)


class Program(unittest.TestCase):
    def run_it(self, *options):
        return subprocess.run([PROGRAMS / "labferry-sim-balance", *options], capture_output=True, text=True,
                              timeout=SOON)

    def test_help_tells_of_every_option_and_fault(self):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--pty", "--tcp", "--weight", "--fault", "cut", "overload", "--tell"):
            self.assertIn(word, done.stdout)

    def test_wrong_options_are_refused_with_the_reason(self):
        for options, reason in (((), "say where"), (("--pty", "/tmp/x", "--tcp", "127.0.0.1:0"), "not two"),
                                (("--weight", "heavy"), "not a number"),
                                (("--replug", "soon"), "not a whole number"), (("--unix", "/x", "y"), "too much"), (("--fault", "explode"), "is none of"),
                                (("--fault", "cut=x"), "not a whole number"), (("--fault", "cut times=0"), "times=N"),
                                (("--tcp", "nowhere"), "HOST:PORT"), (("--si-style", "x"), "neither"),
                                (("--pty", "/dev/null"), "not a link"), (("--bogus",), "--help")):
            done = self.run_it(*options)
            self.assertEqual(done.returncode, 2, options)
            self.assertIn(reason, done.stderr, options)

    def test_ended_by_sigterm_it_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            sim = Simulator("labferry-sim-balance", folder, ("--pty", f"{folder}/balance"))
            self.assertIn("error: 'bogus' is not a command", sim.tell("bogus"))
            told = self.run_it("--tell", str(sim.control_path), "state")
            self.assertEqual(told.returncode, 0)
            self.assertIn('"serial":"B021002593"', told.stdout)
            self.assertEqual(sim.close(), 0)
            self.assertEqual([path.name for path in pathlib.Path(folder).iterdir()], ["state.json"])


if __name__ == "__main__":
    unittest.main()

"""The simulated SCPI instrument follows IEEE 488.2 and SCPI-1999: headers, error queue, blocks, -410."""
import tempfile
import time
import unittest

from instruments import Simulator


class Scpi(unittest.TestCase):
    def start(self, *options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.sim = Simulator("labferry-sim-scpi", folder.name, ("--tcp", "127.0.0.1:0"), *options)
        self.addCleanup(self.sim.close)
        self.socket = self.sim.connect()
        self.addCleanup(self.socket.close)
        self.replies = self.socket.makefile("rb")
        self.addCleanup(self.replies.close)

    def send(self, text):
        self.socket.sendall(text)

    def ask(self, text):
        self.send(text)
        return self.replies.readline()

    def errors(self):
        found = []
        while not found or found[-1] != b'0,"No error"\n':
            found.append(self.ask(b"SYST:ERR?\n"))
        return found[:-1]

    def test_identity_has_four_fields(self):
        self.start()
        self.assertEqual(len(self.ask(b"*IDN?\n").strip().split(b",")), 4)
        self.assertEqual(self.ask(b"*idn?\r\n"), b"LABFERRY,SIM-DMM,SN0001,1.0\n")

    def test_headers_have_a_long_and_a_short_form(self):
        self.start("--volts", 2.5)
        for header in (b"MEAS:VOLT:DC?", b"meas:volt?", b":MEASure:VOLTage:DC?", b"MEASURE:VOLT?", b"READ?"):
            self.assertEqual(self.ask(header + b"\n"), b"+2.50000000E+00\n", header)
        for header in (b"MEASU:VOLT?", b"MEAS:VOLT", b"MEAS?", b"MEAS:VOLT:AC?", b"MEAS:VOLT:?", b"MEAS::VOLT?", b"?"):
            self.send(header + b"\n")
            self.assertEqual(self.errors(), [b'-113,"Undefined header"\n'], header)

    def test_errors_queue_up_in_order_and_overflow_as_the_standard_says(self):
        self.start()
        self.send(b"SOUR:VOLT\n")
        self.send(b"SOUR:VOLT abc\n")
        self.send(b"SOUR:VOLT 1000\n")
        self.send(b"*RST 1\n")
        self.send(b"OUTP MAYBE\n")
        self.assertEqual(self.errors(), [b'-109,"Missing parameter"\n', b'-104,"Data type error"\n',
                                         b'-222,"Data out of range"\n', b'-108,"Parameter not allowed"\n',
                                         b'-224,"Illegal parameter value"\n'])
        self.send(b"FOO\n" * 30)
        found = self.errors()
        self.assertEqual(found[-1], b'-350,"Queue overflow"\n')
        self.send(b"FOO\n")
        self.assertEqual(self.ask(b"*CLS;SYST:ERR?\n"), b'0,"No error"\n')

    def test_settings_are_kept_and_read_back(self):
        self.start()
        self.send(b"SOUR:VOLT 12.5;OUTP ON\n")
        self.assertEqual(self.ask(b"SOUR:VOLT?;OUTP?\n"), b"+1.25000000E+01;1\n")
        self.send(b"SOUR:VOLT 99\n")
        self.assertEqual(self.errors(), [b'-222,"Data out of range"\n'])
        self.assertEqual(self.ask(b"SOUR:VOLT?\n"), b"+1.25000000E+01\n")
        self.send(b"*RST\n")
        self.assertEqual(self.ask(b"OUTP:STAT?\n"), b"0\n")
        self.send(b"DISP:TEXT \"a;b\"\n")
        self.assertEqual(self.ask(b"*OPC?\n"), b"1\n")
        self.assertEqual(self.sim.state()["display"], "a;b")

    def test_a_block_says_its_length_and_holds_any_byte(self):
        self.start()
        for points in (0, 1, 1000, 300000):
            self.sim.tell(f"points {points}")
            self.send(b"CURV?\n")
            self.assertEqual(self.replies.read(1), b"#")
            digits = int(self.replies.read(1))
            length = int(self.replies.read(digits))
            self.assertEqual(length, points)
            self.assertEqual(self.replies.read(length), bytes(i * 7 & 255 for i in range(length)))
            self.assertEqual(self.replies.read(1), b"\n")

    def test_opc_answers_when_the_work_is_done(self):
        self.start("--acquire", 400)
        began = time.monotonic()
        self.assertEqual(self.ask(b"INIT;*OPC?\n"), b"1\n")
        self.assertGreaterEqual(time.monotonic() - began, 0.39)
        self.assertEqual(self.ask(b"FETC?\n"), b"+1.50000000E+00\n")
        self.send(b"INIT\n")
        self.send(b"INIT\n")
        self.assertEqual(self.errors(), [b'-213,"Init ignored"\n'])
        self.send(b"ABOR\n")
        self.send(b"FETC?\n")
        self.assertEqual(self.errors(), [b'-230,"Data corrupt or stale"\n'])

    def test_a_command_before_the_reply_interrupts_the_query(self):
        self.start("--measure", 300)
        self.send(b"MEAS:VOLT?\n*IDN?\n")
        self.assertEqual(self.replies.readline(), b"LABFERRY,SIM-DMM,SN0001,1.0\n")
        self.assertEqual(self.errors(), [b'-410,"Query INTERRUPTED"\n'])
        self.send(b"MEAS:VOLT?\n")
        time.sleep(0.05)
        self.assertEqual(self.ask(b"*ESR?\n"), b"4\n")
        self.assertEqual(self.errors(), [b'-410,"Query INTERRUPTED"\n'])
        self.sim.tell("interrupt off")
        self.send(b"MEAS:VOLT?\n*IDN?\n")
        self.assertEqual(self.replies.readline(), b"+1.50000000E+00\n")
        self.assertEqual(self.replies.readline(), b"LABFERRY,SIM-DMM,SN0001,1.0\n")

    def test_faults_strike_as_asked_and_actions_are_counted(self):
        self.start("--fault", "error=240 times=1 on=OUTP")
        self.send(b"OUTP ON\n")
        self.assertEqual(self.errors(), [b'-240,"Hardware error"\n'])
        self.assertEqual(self.sim.state()["moved"]["switched"], 0)
        self.send(b"SYST:BEEP\n")
        self.assertEqual(self.ask(b"*OPC?\n"), b"1\n")
        self.assertEqual(self.sim.state()["moved"]["beeped"], 1)
        self.sim.tell("fault cut=4 times=1")
        self.send(b"*IDN?\n")
        self.assertEqual(self.replies.read(4), b"LABF")
        self.sim.tell("fault unplug=4 times=1")
        self.send(b"*IDN?\n")
        self.assertEqual(self.replies.read(), b"LABF")

    def test_garbage_from_the_host_is_an_error_and_no_more(self):
        self.start()
        for junk in (b"\x00\xff\n", b"A" * 1000 + b"\n", b";;;\n", b"*\n", b":\n", b"\"\n", b"*IDN? x\n"):
            self.send(junk)
            for error in self.errors():
                self.assertRegex(error, rb"^-1\d\d,")
        self.assertTrue(self.ask(b"*IDN?\n").startswith(b"LABFERRY"))


if __name__ == "__main__":
    unittest.main()

"""The disk is full, at every stage: nothing is lost or half-written, a person sees it, and with room the agent continues by itself."""
import json
import signal
import subprocess
import unittest

from small_disk import KB, MB, OnSmallDisks, prepare
from whole import BASE, BY_NAME, Refused, config


SIDE_BY_SIDE = 4
FULL = "Free some space"  # whatever it was that could not be written


def setUpModule():
    prepare()


class BeforeAnEvent(OnSmallDisks):
    def test_before_an_event(self):
        """with a full disk events stay at the broker, status says so, and with room they are taken in"""
        lab = self.lab
        self.begin(hamilton=None)
        self.disk.fill()
        files, tasks = [lab.generate()], [lab.new_task()]
        self.status_says(FULL)
        self.stands_still()
        self.assertEqual(lab.events(), [])
        self.assertEqual(lab.worklists(), {})
        self.disk.make_room()
        self.once(files, tasks)
        self.status_is_clear()

    def test_restart_on_a_full_disk(self):
        """an agent killed on a full disk starts again or says why not, and loses nothing"""
        lab = self.lab
        self.begin(hamilton=None)
        files = [lab.generate(name="a.csv")]
        self.once(files)
        self.disk.fill()
        files.append(lab.generate(name="b.csv", content="Sample\nb\n"))
        self.status_says(FULL)
        lab.stop("agent", signal.SIGKILL)
        lab.start_agent(wait=False)
        lab.until("it is up or has given up", lambda: lab.parts["agent"].poll() is not None or self.needs())
        if lab.parts["agent"].poll() is not None:  # no room even for its first lines
            self.assertEqual(lab.parts.pop("agent").returncode, 1)
            self.assertIn("no room on the disk", lab.log("agent").splitlines()[-1])
            self.disk.make_room()
            lab.start_agent()
        self.disk.make_room()
        self.once(files)

    def test_reserve(self):
        """below the reserve nothing new is accepted, while the agent still reports over MQTT what is wrong"""
        lab = self.lab
        self.begin(config().replace('disk_reserve = "1MB"', 'disk_reserve = "6MB"'), hamilton=None)
        self.disk.fill(leave=5 * MB)
        self.status_says("6 MB are kept in reserve (agent.disk_reserve)")
        lab.ask("pause", instrument="balance-1")  # something that the status message has to report
        lab.until("the status message says it", lambda: "agent.disk_reserve" in (self.status_message().get("trouble") or ""))
        task = lab.new_task()
        self.stands_still()
        self.assertEqual((lab.jobs(), lab.events()), ([], []))
        self.disk.make_room()
        lab.until("it is connected", lab.online)
        lab.ask("resume", instrument="balance-1")
        self.once(tasks=[task])
        lab.until("and that it is over", lambda: self.status_message().get("trouble", "none") in (None, "none"))

    def status_message(self):
        done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.lab.broker_port), "-t", f"{BASE}/status", "-C", "1",
                               "-W", "5"], capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout else {}


class HeldBack(OnSmallDisks):
    """The cloud holds an answer back until clear_faults."""

    def hold_back(self, path, method="*"):
        self.lab.fault("latency", ms=60_000, method=method, path=path)

    def held_back(self):
        return self.lab.ask_cloud("/sim/faults")["faults"][0]["hits"]


class Delivering(HeldBack):
    def test_between_event_and_fetch(self):
        """a disk that fills between event and fetch: the file is fetched when there is room"""
        lab = self.lab
        self.begin(hamilton=None)
        self.hold_back("/automation-input-generators/*")
        files = [lab.generate()]
        lab.until("it asks for the file", self.held_back)
        self.disk.fill()
        lab.clear_faults()
        self.status_says(FULL)
        self.stands_still()
        self.assertEqual(lab.worklists(), {})
        self.disk.make_room()
        self.once(files)

    def test_in_a_fetch(self):
        """a disk that fills in the middle of a fetch keeps no half file, and the whole one is fetched later"""
        lab = self.lab
        self.begin(size=4 * MB, bench=20 * MB, hamilton=None)
        files = [lab.generate(rows=250_000)]  # some 6 MB
        job = lab.until("the job waits for room", lambda: next((j for j in lab.jobs(state="waiting") if j["step"] == "fetch"), None))
        self.assertIn("No space left", job["note"])
        self.assertEqual(list((lab.home / "state/spool").iterdir()), [])
        self.assertEqual(lab.worklists(), {})
        self.disk.remount(size=32 * MB)
        self.retry_waiting()
        self.once(files)

    def test_in_mid_deliver(self):
        """an instrument's full disk: nothing half-written is visible there, and the file is delivered when there is room"""
        lab = self.lab
        self.begin(hamilton=None)
        (lab.home / "hamilton/worklists").mkdir(exist_ok=True)
        self.bench.fill(leave=64 * KB)
        files = [lab.generate(rows=20_000)]  # some 500 kB
        job = lab.until("the job waits for room", lambda: next((j for j in lab.jobs(state="waiting") if j["step"] == "deliver"), None))
        self.assertIn("make room", job["note"])
        self.assertEqual(lab.worklists(), {})
        self.bench.make_room()
        self.retry_waiting()
        self.once(files)

    def test_before_deliver(self):
        """with a full disk an action that cannot be recorded is not begun"""
        lab = self.lab
        self.begin(hamilton=None)
        lab.ask("pause", instrument="hamilton-1")
        files = [lab.generate()]
        lab.until("it is fetched", lambda: [j for j in lab.jobs() if j["step"] == "turn"])
        self.disk.fill()
        try:
            lab.ask("resume", instrument="hamilton-1")
        except Refused as refusal:
            self.assertIn("no room", refusal.error["text"])
        self.stands_still()
        self.assertEqual(lab.worklists(), {})
        self.disk.make_room()
        lab.ask("resume", instrument="hamilton-1")
        self.once(files)


class Collecting(HeldBack):
    def test_before_collecting(self):
        """a result waits on the instrument while the disk is full, and is uploaded once"""
        lab = self.lab
        self.begin(config(match=BY_NAME))  # the run has a result already: only the name can say that the second is its own
        files = [lab.generate(name=f"{lab.run}.csv")]
        self.once(files, results=1)
        self.disk.fill()
        second = f"{lab.run}_second.csv"
        lab.result(second, "Well,Absorbance\nA1,0.5\n")
        self.status_says(FULL)
        self.stands_still()
        self.assertTrue((lab.home / "hamilton/results" / second).exists())
        self.disk.make_room()
        self.once(files, results=2)

    def test_before_the_attach_is_recorded(self):
        """an output processor that was created while the disk filled is found again, not created twice"""
        lab = self.lab
        self.begin()
        self.hold_back("/automation-output-processors", "POST")
        files = [lab.generate()]
        lab.until("it attaches", self.held_back)
        self.disk.fill()
        lab.clear_faults()
        lab.until("the cloud has it", lambda: len(lab.cloud_state()["processors"]) == 1)
        self.status_says(FULL)
        lab.stop("agent", signal.SIGKILL)  # what it knew is gone, too
        self.disk.make_room()
        lab.start_agent()
        self.once(files, results=1)


class Acting(OnSmallDisks):
    def test_about_to_act(self):
        """a `once` action is not performed while its start cannot be recorded"""
        lab = self.lab
        self.begin(self.tare_config(), hamilton=None, balance=("--weight", "4", "--replug", "0"))
        lab.balance("unplug")
        lab.until("it is noticed", lambda: lab.ask("instruments", instrument="balance-1")[0]["state"] == "offline")
        tasks = [lab.new_task()]
        lab.until("it is to be run", lambda: [j for j in lab.jobs() if j["step"] == "turn"])
        self.disk.fill()
        lab.balance("plug")
        self.status_says(FULL)
        self.stands_still(2)
        self.assertEqual(self.tared(), 0)
        self.disk.make_room()
        self.once(tasks=tasks)
        self.assertEqual(self.tared(), 1)

    def acting_while_it_fills(self):
        lab = self.lab
        self.begin(self.tare_config(), hamilton=None, balance=("--weight", "4"))
        lab.until("the balance is known", lambda: lab.ask("instruments", instrument="balance-1")[0]["state"] == "idle")
        lab.parts["balance"].send_signal(signal.SIGSTOP)
        task = lab.new_task()
        lab.until("it acts", lambda: lab.ask("audit", what="acting"))
        self.disk.fill()
        lab.parts["balance"].send_signal(signal.SIGCONT)
        lab.until("it has tared", lambda: self.tared() == 1)
        self.status_says(FULL)
        return task

    def test_acted(self):
        """an action performed while the disk was full is recorded when there is room, and not repeated"""
        task = self.acting_while_it_fills()
        self.disk.make_room()
        self.once(tasks=[task])
        self.assertEqual(self.tared(), 1)

    def test_acted_and_killed(self):
        """killed before it could record an action, it asks a person and does not repeat it"""
        lab = self.lab
        task = self.acting_while_it_fills()
        lab.stop("agent", signal.SIGKILL)
        self.disk.make_room()
        lab.start_agent()
        held = lab.until("it is held", lambda: next(iter(lab.jobs(state="held")), None))
        self.assertEqual(held["class"], "unknown outcome")
        lab.ask("confirm", job=held["id"], values={"weight": "4", "unit": "g"})
        self.once(tasks=[task])
        self.assertEqual(self.tared(), 1)


if __name__ == "__main__":
    unittest.main()

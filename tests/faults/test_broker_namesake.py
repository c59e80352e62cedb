"""Two agents with the same name or client id, against a real broker that takes a session over silently."""
import subprocess
import time
import unittest

from whole import BASE, SOON, Lab, WithLab, config

SIDE_BY_SIDE = 4
WATCHED_S = 12
CLIENT_ID = "labferry-demo-lab-bench-1"


class Namesake(WithLab):
    def two(self, second="", name="bench-1", worked=False):
        """Two agents, each with its own journal and instruments, on one broker and one tenant.
        worked: the first has done something before the other comes."""
        first = self.lab
        first.start_all()
        if worked:
            first.new_task()
            first.wait_job("task")
            first.until("the broker keeps the head of its audit trail", self.head)
        self.other = Lab()
        self.addCleanup(self.other.__exit__)
        self.addCleanup(self.good_end, self.other)
        self.other.broker_port, self.other.tenant = first.broker_port, first.tenant
        for folder in ("worklists", "results"):
            (self.other.home / "hamilton" / folder).mkdir(parents=True)
        self.other.start_balance("--weight", "12.34")
        self.other.write_config(config(link=f'broker = "mqtt://127.0.0.1:%(broker_port)d"; {second}'), agent=name)
        self.other.start_agent(wait=False)
        self.labs = (first, self.other)
        first.until("the other agent answers", self.other.path.exists)

    def head(self):
        run = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.lab.broker_port), "-t", f"{BASE}/audit", "-C", "1",
                              "-W", "2"], capture_output=True, timeout=SOON)
        return run.stdout

    def takeovers(self):
        return self.lab.log("broker").count("already connected, closing old connection")

    def id_of(self, lab):
        return "another" if 'client_id = "another"' in (lab.home / "labferry.conf").read_text() else CLIENT_ID

    def need_of(self, lab):
        """What the operator of this agent reads about its name."""
        needs = [need for need in lab.ask("status")["needs"] if self.id_of(lab) in need["what"]]
        return needs[0] if needs else None

    def both_report(self):
        for lab in self.labs:
            need = lab.until("the doubled name is reported", lambda lab=lab: self.need_of(lab))
            self.assertIn("two agents have the same name", need["what"])
            self.assertIn("agent.name", need["do"])
            errors = [line for line in lab.log("agent").splitlines() if " error " in line and self.id_of(lab) in line]
            self.assertTrue(errors, "the log says so, as an error")

    def one_online(self):
        online = [lab for lab in self.labs if lab.ask("status")["link"]["state"] == "online"]
        return online[0] if len(online) == 1 else None

    def one_stays(self):
        """The one that is online, once the other has yielded to it."""
        stays = self.one_online()
        others = [lab.ask("status")["link"] for lab in self.labs if lab is not stays]
        return stays if stays and "It stays connected" in (others[0]["error"] or "") else None

    def test_same_name(self):
        """two agents with the same name do not keep disconnecting each other: one yields, both report it, no event is lost"""
        self.two()
        self.same_name()

    def test_newcomer(self):
        """an agent that comes to a name under which work was done yields to the agent that did it, which goes on"""
        self.two(worked=True)
        self.assertIs(self.same_name(), self.lab)

    def same_name(self):
        """Tasks come meanwhile. Returns the agent that stays, stopped; the other one does the work then."""
        tasks = []

        def task_and(ready):
            tasks.append(self.lab.new_task(Sample=f"S-{len(tasks)}"))
            time.sleep(0.3)
            return ready()
        self.lab.until("both report it", lambda: task_and(lambda: all(self.need_of(lab) for lab in self.labs)))
        stays = self.lab.until("one of them is online, the other yields", lambda: task_and(self.one_stays))
        taken, end = self.takeovers(), time.monotonic() + WATCHED_S
        self.assertGreater(taken, 0)
        while time.monotonic() < end:
            task_and(bool)
        self.assertEqual(self.takeovers(), taken, f"it stays so for {WATCHED_S} s")
        self.both_report()
        self.lab.until("the status topic says so", lambda: CLIENT_ID in self.lab.retained_status().get("duplicate", ""))
        self.lab.until("it is online there", lambda: self.lab.retained_status().get("state") == "online")
        goes = next(lab for lab in self.labs if lab is not stays)
        for task in tasks:
            self.lab.until("the task is done", lambda task=task: self.lab.task_status(task) == "COMPLETED")
            self.assertEqual(len(self.lab.outputs(task)), 1, "and done once")
        self.assertEqual(stays.stop("agent", seconds=SOON), 0)
        late = self.lab.new_task(Sample="late")
        goes.restart_agent()
        # What was done under its name it does not know: a person compares first.
        older = lambda: [need for need in goes.ask("status")["needs"] if "another agent with this name has worked" in need["what"]]  # noqa: E731
        self.assertIn("labferry resume", goes.until("a person is asked", older)[0]["do"])
        goes.ask("resume", instrument="all")
        goes.until("it does the work when the name is its own", lambda: self.lab.task_status(late) == "COMPLETED")
        self.assertEqual(len(self.lab.outputs(late)), 1)
        self.assertIsNone(self.need_of(goes))
        return stays

    def test_same_name_other_id(self):
        """the same name with two client ids: no session is taken over, yet both report it and only one goes on"""
        self.two('client_id = "another";')
        self.lab.until("one of them is online", self.one_online)
        self.both_report()
        self.assertEqual(self.takeovers(), 0)
        stays = self.one_online()
        task = self.lab.new_task()
        stays.wait_job("task")
        self.assertEqual(len(self.lab.outputs(task)), 1)

    def test_same_id_other_name(self):
        """the same client id with two names: the short sessions are reported with the id, and the agents take turns more and more slowly"""
        self.two(f'client_id = "{CLIENT_ID}";', "bench-2")
        for lab in self.labs:
            need = lab.until("it is reported", lambda lab=lab: self.need_of(lab))
            self.assertIn("another client may have the id", need["what"])
        self.assertLess(self.takeovers(), 20)


if __name__ == "__main__":
    unittest.main()

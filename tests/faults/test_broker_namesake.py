"""Two agents with the same name or client id, against a real broker that takes a session over silently."""
import time
import unittest

from whole import SOON, Lab, WithLab, config

SIDE_BY_SIDE = 3
WATCHED_S = 12
CLIENT_ID = "labferry-demo-lab-bench-1"


class Namesake(WithLab):
    def two(self, second="", name="bench-1"):
        """Two agents, each with its own journal and instruments, on one broker and one tenant."""
        first = self.lab
        first.start_all()
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

    def test_same_name(self):
        """two agents with the same name do not keep disconnecting each other: one yields, both report it, no event is lost"""
        self.two()
        tasks = []
        end = time.monotonic() + WATCHED_S
        while time.monotonic() < end:
            tasks.append(self.lab.new_task(Sample=f"S-{len(tasks)}"))
            time.sleep(0.3)
        taken = self.takeovers()
        print(f"{taken} takeovers in {WATCHED_S} s, {len(tasks)} tasks")
        self.assertIn(taken, range(1, 7))
        self.both_report()
        stays = self.lab.until("one of them is online", self.one_online)
        self.lab.until("the status topic says so", lambda: CLIENT_ID in self.lab.retained_status().get("duplicate", ""))
        self.lab.until("it is online there", lambda: self.lab.retained_status().get("state") == "online")
        goes = next(lab for lab in self.labs if lab is not stays)
        for task in tasks:
            self.lab.until("the task is done", lambda task=task: self.lab.task_status(task) == "COMPLETED")
            self.assertEqual(len(self.lab.outputs(task)), 1, "and done once")
        self.assertEqual(stays.stop("agent", seconds=SOON), 0)
        late = self.lab.new_task(Sample="late")
        goes.restart_agent()
        self.lab.until("the other one does the work when the name is its own", lambda: self.lab.task_status(late) == "COMPLETED")
        self.assertIsNone(self.need_of(goes))

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

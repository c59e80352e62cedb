"""Workflow tasks done on a balance by the whole agent: claimed, measured, reported, settled, and nothing moved twice."""
import datetime
import unittest

from whole import SITE, SOURCE, WithLab, config

SIDE_BY_SIDE = 3
MT_SICS = (SOURCE / "etc/profiles/mt-sics.profile").read_text()
IMPATIENT = MT_SICS.replace("first_byte = 60s", "first_byte = 1s")
BOTH = '[ "workflowTask.created", "workflowTask.updated.status" ]'


class Tasks(WithLab):
    def start(self, *balance, **more):
        self.lab.start_all(config(**more), hamilton=None, balance=balance or ("--weight", "12.34"))

    def held(self):
        return self.lab.until("it is held", lambda: next(iter(self.lab.jobs(state="held")), None))

    def begun(self, task):
        return any(self.lab.job(job["id"])["fields"].get("workflow_task") == task["id"] for job in self.lab.jobs())

    def settled(self, task, status, outputs):
        self.lab.until("all is over", lambda: self.begun(task) and self.lab.all_over())
        self.assertEqual((self.lab.task_status(task), self.lab.outputs(task)), (status, outputs), self.lab.story())


class Measuring(Tasks):
    def test_two_events(self):
        """a task that two kinds of events report is measured once"""
        self.start(on=BOTH)
        task = self.lab.new_task()
        self.lab.until("both events", lambda: len(self.lab.events()) >= 2)
        self.settled(task, "COMPLETED", [{"Mass": 12.34, "Unit": "g"}])
        self.assertEqual(sorted(job["state"] for job in self.lab.jobs()), ["cancelled", "done"])
        self.assertEqual(self.lab.balance_state()["commands"], 2, "identified once, weighed once")

    def test_many(self):
        """twenty tasks at once are measured one after the other, each once"""
        self.start()
        tasks = [self.lab.new_task(Sample=f"S-{n}") for n in range(20)]
        self.lab.wait_job("task", count=20)
        for task in tasks:
            self.settled(task, "COMPLETED", [{"Mass": 12.34, "Unit": "g"}])

    def test_inputs(self):
        """fields of the task are the inputs of the procedure"""
        (self.lab.home / "tare.profile").write_text(MT_SICS + "\n[procedure weigh-with-tare]\nhelp = 'Set the tare, then weigh'\n"
                           "input = target real 0 to 1000\ndo = set-tare value={target} unit=g\ndo = weigh\n"
                           "result = weigh.value as weight\nresult = weigh.unit as unit\n")
        self.lab.start_all(config(procedure="weigh-with-tare", weigh='inputs = { target = "Target mass"; };').replace(
            "%(profiles)s/mt-sics.profile", "%(home)s/tare.profile"), hamilton=None)
        task = self.lab.new_task(Sample="S-1", Target_mass=2.5)
        self.settled(task, "COMPLETED", [{"Mass": 9.84, "Unit": "g"}])

    def test_input_missing(self):
        """a task without the value that the procedure needs is held, and goes on when the value is there"""
        self.test_inputs()
        task = self.lab.new_task(Sample="S-2")
        job = self.held()
        self.assertIn("Target mass", job["note"])
        self.lab.ask_cloud(f"/api/v2/workflow-tasks/{task['id']}", {"fields": {"Target mass": {"value": 1.5}}}, "PATCH")
        self.lab.ask("retry", job=job["id"])
        self.settled(task, "COMPLETED", [{"Mass": 10.84, "Unit": "g"}])

    def test_moved_on(self):
        """a task whose status has moved on is left alone"""
        self.start()
        self.lab.ask_cloud("/sim/relay", {"paused": True})
        tasks = [self.lab.new_task() for _ in range(2)]
        self.lab.ask_cloud(f"/sim/tasks/{tasks[0]['id']}/status", {"status": "In progress"})
        self.lab.ask_cloud(f"/sim/tasks/{tasks[1]['id']}/status", {"status": "Completed", "force": True})
        self.lab.ask_cloud("/sim/relay", {"paused": False})
        self.lab.wait_job("task", "cancelled", count=2)
        self.settled(tasks[0], "IN_PROGRESS", [])
        self.settled(tasks[1], "COMPLETED", [])
        self.assertEqual(self.lab.balance_state()["commands"], 1, "only identified")

    def test_set_back(self):
        """a task that someone sets back to do is measured again"""
        self.start(on='"workflowTask.updated.status"')
        task = self.lab.new_task()
        self.settled_after(task, 1)
        self.lab.balance("weight 5.55")
        self.lab.ask_cloud(f"/sim/tasks/{task['id']}/status", {"status": "To do", "force": True})
        self.settled_after(task, 2)
        self.assertEqual([output["Mass"] for output in self.lab.outputs(task)], [12.34, 5.55])

    def settled_after(self, task, outputs):
        self.lab.until("measured", lambda: len(self.lab.outputs(task)) == outputs)
        self.lab.until("completed", lambda: self.lab.task_status(task) == "COMPLETED")


class Failing(Tasks):
    def test_overload(self):
        """overload holds the task for a person; after the pan is relieved a retry completes it"""
        self.start("--weight", "500")
        task = self.lab.new_task()
        job = self.held()
        self.assertIn("overload", job["note"])
        self.assertEqual(self.lab.task_status(task), "IN_PROGRESS")
        self.assertTrue(any("overload" in need["what"] for need in self.lab.ask("status")["needs"]))
        self.lab.balance("weight 1.25")
        self.lab.ask("retry", job=job["id"])
        self.settled(task, "COMPLETED", [{"Mass": 1.25, "Unit": "g"}])

    def test_overload_cancelled(self):
        """a held task that a person cancels is reported to Benchling as failed"""
        self.start("--weight", "500")
        task = self.lab.new_task()
        self.lab.ask("cancel", job=self.held()["id"], why="wrong sample")
        self.settled(task, "FAILED", [])
        job, = self.lab.jobs()
        self.assertEqual(job["state"], "cancelled")
        self.assertIn("wrong sample", job["note"])

    def test_permanent(self):
        """a permanent refusal by the balance fails the job and is reported to Benchling with the configured status"""
        self.start("--weight", "1", "--fault", "es on=S")
        task = self.lab.new_task()
        self.settled(task, "FAILED", [])
        job, = self.lab.jobs()
        self.assertEqual(job["state"], "failed")
        self.assertIn("does not know this command", job["note"])

    def test_busy(self):
        """a balance that is busy is asked again"""
        self.start("--weight", "1", "--fault", "busy times=2 on=S")
        task = self.lab.new_task()
        self.settled(task, "COMPLETED", [{"Mass": 1, "Unit": "g"}])

    def test_silence(self):
        """an answer that does not come is asked for again, since weighing moves nothing"""
        (self.lab.home / "quick.profile").write_text(IMPATIENT)
        self.lab.start_all(config().replace("%(profiles)s/mt-sics.profile", "%(home)s/quick.profile"), hamilton=None,
                           balance=("--weight", "2", "--fault", "silence times=1 on=S"))
        task = self.lab.new_task()
        self.settled(task, "COMPLETED", [{"Mass": 2, "Unit": "g"}])

    def test_wrong_identity(self):
        """no work is done with the wrong instrument"""
        self.start("--serial", "B999", "--weight", "2")
        self.lab.until("it is refused", lambda: any("B999" in str(i.get("note")) for i in self.lab.ask("instruments")))
        task = self.lab.new_task()
        self.lab.until("a job", self.lab.jobs)
        self.assertNotIn("S", [line.get("command") for line in self.lab.balance_state().get("transcript", [])
                               if isinstance(line, dict)])
        self.assertEqual(self.lab.outputs(task), [])

    def test_expired(self):
        """a task that could not start in time expires, is not done later, and was never claimed in Benchling"""
        self.start("--weight", "2", weigh='not_after = "1m";')
        self.lab.ask("pause", instrument="balance-1")
        task = self.task_of_before(30)
        before = self.lab.task_status(task)
        self.assertNotIn(before, ("IN_PROGRESS", "FAILED"))
        self.lab.until("it has expired", lambda: self.lab.jobs()[0]["state"] == "expired", 120)
        self.settled(task, before, [])
        self.assertEqual(self.lab.balance_state()["commands"], 1)

    def task_of_before(self, seconds):
        """A task that was created so many seconds ago: its event says so."""
        self.lab.ask_cloud("/sim/relay", {"paused": True})
        task = self.lab.new_task()
        event = self.lab.ask_cloud("/api/v2/events?eventTypes=v2.workflowTask.created")["events"][-1]
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
        self.lab.publish({**event, "createdAt": at.isoformat()}, f"labferry/{SITE}/events/v2.workflowTask.created")
        return task


class Interrupted(Tasks):
    """tare-and-weigh moves the balance: its class is once."""

    def interrupt(self):
        """The agent is killed after the balance has tared and before its answer is read."""
        self.start("--weight", "5", "--fault", "silence on=T times=1", procedure="tare-and-weigh")
        task = self.lab.new_task()
        self.lab.until("it is tared", lambda: self.lab.balance_state()["moved"]["tare"] == 1)
        self.lab.restart_agent()
        return task, self.held()

    def test_held(self):
        """an action with an unknown outcome is held after a restart, never repeated"""
        task, job = self.interrupt()
        self.assertEqual(job["class"], "unknown outcome")
        self.assertIn("confirm", job["note"])
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)
        self.assertEqual(self.lab.task_status(task), "IN_PROGRESS")
        self.lab.restart_agent()
        self.assertEqual(self.held()["id"], job["id"], "still held after another restart")
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)

    def test_confirmed(self):
        """a person confirms it with the balance's values; nothing is moved again"""
        task, job = self.interrupt()
        self.lab.ask("confirm", job=job["id"], values={"weight": "1.5", "unit": "g"})
        self.settled(task, "COMPLETED", [{"Mass": 1.5, "Unit": "g"}])
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)
        self.assertTrue(any("confirmed" in line["text"] and line["who"].startswith("cli:")
                            for line in self.lab.job(job["id"])["history"]), "who confirmed it is kept")

    def test_retried(self):
        """after a person's retry it is done again"""
        task, job = self.interrupt()
        self.lab.ask("retry", job=job["id"])
        self.lab.until("it is tared again", lambda: self.lab.balance_state()["moved"]["tare"] == 2)
        self.lab.balance("weight 8.5")
        self.settled(task, "COMPLETED", [{"Mass": 3.5, "Unit": "g"}])

    def test_cancelled(self):
        """after a person's cancel Benchling shows it as failed"""
        task, job = self.interrupt()
        self.lab.ask("cancel", job=job["id"])
        self.settled(task, "FAILED", [])
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)

    def test_no_answer(self):
        """an action whose answer never came is held too, without a restart"""
        (self.lab.home / "quick.profile").write_text(IMPATIENT)
        self.lab.start_all(config(procedure="tare-and-weigh").replace("%(profiles)s/mt-sics.profile",
                                                                     "%(home)s/quick.profile"), hamilton=None,
                           balance=("--weight", "5", "--fault", "silence on=T times=1"))
        self.lab.new_task()
        self.assertEqual(self.held()["class"], "unknown outcome")
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)


if __name__ == "__main__":
    unittest.main()

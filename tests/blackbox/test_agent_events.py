"""Events as they really come: forged, twice, on topics of an earlier configuration. Genuine work is done once, and no other."""
import json
import time
import unittest

from whole import BALANCE, BY_NAME, FAST, HAMILTON, PLATE, SITE, WEIGH, WORKLISTS, WithLab, config

SIDE_BY_SIDE = 3
GENERATED = "v2.automationInputGenerator.completed"

ACID = """\
    { name = "acid-1"; driver = "folder"; inbox = "%(home)s/acid"; }"""
TO_ACID = """\
    { name = "acid"; on = "automationInputGenerator.completed"; job = "deliver"; instrument = "{where}";
      where = { automationInputGenerator = { automationFileConfig = { name = [ "Acid dispenser" ]; }; }; }; }"""
TARE = """\
    { name = "tare"; on = "workflowTask.created"; job = "task"; only_agent = true; instrument = "balance-1";
      procedure = "tare-and-weigh";
      where = { workflowTask = { schema = { name = [ "Tare" ]; }; }; }; }"""
AGAIN = WEIGH.replace("{on}", '"workflowTask.updated.status"')


class Forged(WithLab):
    def open(self, **more):
        (self.lab.home / "acid").mkdir()
        self.lab.start_all(config(**more))
        self.lab.ask_cloud("/sim/relay", {"paused": True})

    def first(self, kind):
        return self.lab.until("the list has it", lambda: self.lab.ask_cloud(f"/api/v2/events?eventTypes={kind}")["events"])[0]

    def send(self, event, kind):
        self.lab.publish(event, f"labferry/{SITE}/events/{kind}")

    def done(self):
        return self.lab.until("the genuine one is done", lambda: [job for job in self.lab.jobs() if job["state"] == "done"])[0]

    def redirect(self, instrument):
        """A genuine generator and file, under the name of another file configuration."""
        lab = self.lab
        self.open(instruments=(HAMILTON, BALANCE, ACID), routes=(WORKLISTS, WEIGH, TO_ACID.replace("{where}", instrument)))
        lab.generate()
        event = self.first(GENERATED)
        forged = json.loads(json.dumps(event))
        forged["id"] = "evt_forged"
        forged["automationInputGenerator"]["automationFileConfig"]["name"] = "Acid dispenser"
        self.send(forged, GENERATED)
        lab.until("it was found out", lambda: [job for job in lab.jobs() if job["state"] == "cancelled"])
        lab.ask_cloud("/sim/relay", {"paused": False})
        job = self.done()
        self.assertEqual((job["instrument"], job["route"]), ("hamilton-1", "worklists"))
        lab.until("the genuine event was taken in", lambda: len(lab.events()) >= 2)
        self.assertEqual(list((lab.home / "acid").iterdir()), [])
        self.assertEqual(sorted(job["state"] for job in lab.jobs() if job["kind"] == "deliver"), ["cancelled", "done"])

    def test_other_instrument(self):
        """a forged event cannot send a genuine file to another instrument, or keep it from its own"""
        self.redirect("acid-1")

    def test_same_instrument(self):
        """a forged event that names another route of the same instrument does not keep the genuine file from it"""
        self.redirect("hamilton-1")

    def test_task(self):
        """a forged event cannot have another procedure run for a genuine task, or keep its own from being run"""
        lab = self.lab
        self.open(routes=(WEIGH, TARE))
        task = lab.new_task()
        event = self.first("v2.workflowTask.created")
        forged = json.loads(json.dumps(event))
        forged["workflowTask"]["schema"]["name"] = "Tare"
        self.send(forged, "v2.workflowTask.created")
        lab.until("it was found out", lambda: [job for job in lab.jobs() if job["state"] == "cancelled"])
        lab.ask_cloud("/sim/relay", {"paused": False})
        self.done()
        self.assertEqual((lab.task_status(task), len(lab.outputs(task))), ("COMPLETED", 1))
        self.assertEqual({job["route"]: job["state"] for job in lab.jobs()}, {"tare": "cancelled", "weigh": "done"})


class Repeated(WithLab):
    def test_same_status_within_seconds(self):
        """a task that a person sets back to the same status within seconds is done once more"""
        lab = self.lab
        lab.start_all(config(routes=(WORKLISTS, AGAIN)))
        task = lab.new_task()
        lab.wait_job("task")
        began = time.monotonic()
        lab.ask_cloud(f"/sim/tasks/{task['id']}/status", {"status": "To do", "force": True})
        lab.wait_job("task", count=2)
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(len(lab.outputs(task)), 2)


class Topics(WithLab):
    def test_former_topic(self):
        """a topic that the configuration no longer names is unsubscribed; what the broker had queued for it makes no job"""
        lab = self.lab
        broker = 'broker = "mqtt://127.0.0.1:%(broker_port)d"; topics = [ {more}"labferry/' + SITE + '/events/#" ];'
        lab.start_all(config(link=broker.replace("{more}", '"rehearsal/events/#", ')))
        lab.stop("agent")
        lab.ask_cloud("/sim/relay", {"paused": True})
        lab.generate()
        event = lab.until("the list has it", lambda: lab.ask_cloud(f"/api/v2/events?eventTypes={GENERATED}")["events"])[0]
        event["id"] = "evt_rehearsal"
        lab.publish(event, "rehearsal/events/x")
        lab.write_config(config(link=broker.replace("{more}", "")))
        lab.start_agent(env={"LF_ASK_JITTER_MS": "3600000"})
        lab.until("it was seen", lambda: "rehearsal/events/x was ignored" in lab.log("agent"))
        event["id"] = "evt_later"
        lab.publish(event, "rehearsal/events/x")
        task = lab.new_task()
        lab.ask_cloud("/sim/relay", {"paused": False})
        lab.wait_job("task")
        self.assertNotIn("evt_rehearsal", [event["id"] for event in lab.events()])
        self.assertEqual(lab.task_status(task), "COMPLETED")
        self.assertEqual(lab.log("agent").count("rehearsal/events/x was ignored"), 1, "the second was not even sent")


class FirstStart(WithLab):
    def begin(self, how):
        """An agent whose instrument has a result from before, and gets one more once it is connected."""
        lab = self.lab
        lab.start_broker()
        lab.start_cloud(*FAST)
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        self.result("old")
        lab.write_config(config(match=BY_NAME, instruments=(HAMILTON,), routes=(WORKLISTS,), first_start=how))
        lab.start_agent()
        lab.until("it has looked", lambda: lab.jobs() or any("left alone" in need["what"] for need in lab.ask("status")["needs"]))
        return self.result("new")

    def result(self, name):
        path = self.lab.home / "hamilton/results" / f"{self.lab.run}_{name}.csv"
        path.write_text(PLATE + "\n" * len(name))  # another content for each
        return path

    def ended(self, count):
        return self.lab.until("all are there", lambda: (lambda jobs: jobs if len(jobs) == count else None)(
            [job for job in self.lab.jobs() if job["state"] in ("done", "held", "failed")]))

    def test_ignored(self):
        """a result from before an instrument's first connection is left alone, one that comes while the agent is down is not"""
        self.begin(None)
        self.assertIn("_new.csv", self.ended(1)[0]["what"])
        self.lab.stop("agent")
        self.result("meanwhile")
        self.lab.start_agent()
        self.assertEqual(sorted(job["what"][37:] for job in self.ended(2)), ["meanwhile.csv", "new.csv"])

    def test_taken(self):
        """with first_start = "take" a result that lay there before is collected like any other"""
        self.begin("take")
        self.assertEqual({job["state"] for job in self.ended(2)}, {"done"})

    def test_asked(self):
        """with first_start = "ask" a result that lay there before makes a held job, which `retry` carries on"""
        self.begin("ask")
        held = [job for job in self.ended(2) if job["state"] == "held"]
        self.assertEqual(len(held), 1)
        self.assertIn("_old.csv", held[0]["what"])
        self.lab.ask("retry", job=held[0]["id"])
        self.lab.until("it is collected", lambda: all(job["state"] == "done" for job in self.lab.jobs()))


if __name__ == "__main__":
    unittest.main()

"""The main job of the whole agent: events become jobs, files go down, results come up. Built programs, a real broker,
simulated tenant and instruments."""
import unittest

from whole import BY_HAND, PLATE, WEIGH, WORKLISTS, FAST, WithLab, config, now, sha256, without_quarantine

SIDE_BY_SIDE = 3


class MainJob(WithLab):
    def test_thread(self):
        """a file goes down, its result comes up, a task is measured: each once, equal on both sides"""
        lab = self.lab
        lab.start_all()
        given = lab.generate()
        deliver = lab.wait_job("deliver")
        collect = lab.wait_job("collect")
        task = lab.new_task()
        lab.wait_job("task")
        state = lab.cloud_state()
        self.assertEqual([sha256(b) for copies in lab.worklists().values() for b in copies], [given["sha256"]])
        self.assertEqual(deliver["fields"]["sha256"], given["sha256"])
        self.assertEqual({k: lab.hamilton_state()[k] for k in ("started", "repeated", "broken")},
                         {"started": 1, "repeated": 0, "broken": 0})
        processor, = state["processors"]
        self.assertEqual((processor["status"], processor["progressStats"]["rowsSucceeded"]), ("SUCCEEDED", 8))
        archived, = (lab.home / "hamilton/results/archive").rglob("*.csv")
        blob = next(b for b in state["blobs"] if b["id"] == processor["file"]["id"])
        self.assertEqual(blob["sha256"], sha256(archived.read_bytes()))
        self.assertEqual(collect["fields"]["sha256"], blob["sha256"])
        self.assertEqual(lab.outputs(task), [{"Mass": 12.34, "Unit": "g"}])
        self.assertEqual(lab.task_status(task), "COMPLETED")
        self.assertEqual([p for p in (lab.home / "state/spool").rglob("*") if p.is_file()], [], "the spool is left empty")

    def test_poll_without_broker(self):
        """the whole job runs on GET /events alone, without any broker"""
        lab = self.lab
        lab.start_broker()
        lab.start_cloud(*FAST)
        lab.start_hamilton("--run-time", "0.1")
        lab.start_balance("--weight", "3.21")
        lab.write_config(config(link="", cloud='events = "poll"; poll_interval = "1s";'))
        lab.start_agent()
        lab.generate()
        lab.wait_job("deliver")
        lab.wait_job("collect")
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual(lab.outputs(task), [{"Mass": 3.21, "Unit": "g"}])


class Envelopes(WithLab):
    def deliver_and_weigh(self, *options):
        lab = self.lab
        lab.start_all(cloud=(*FAST, *options))
        given = lab.generate()
        job = lab.wait_job("deliver")
        self.assertEqual(job["fields"]["sha256"], given["sha256"])
        lab.wait_job("collect")
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual(lab.task_status(task), "COMPLETED")
        return job

    def test_bare(self):
        """events in the bare envelope of GET /events do the same work"""
        self.deliver_and_weigh("--envelope", "bare")

    def test_webhook(self):
        """events in webhook envelopes do the same work"""
        self.deliver_and_weigh("--envelope", "webhook")

    def test_twins(self):
        """v2 and v2-beta twins that report the same thing make one job"""
        self.deliver_and_weigh("--twins")
        lab = self.lab
        twin = lab.until("the twin is stored", lambda: lab.event(fate="twin"))
        self.assertEqual(twin["jobs"], [1])
        self.assertEqual(len([job for job in lab.jobs() if job["kind"] == "deliver"]), 1)
        self.assertEqual(lab.hamilton_state()["repeated"], 0)

    def test_resent(self):
        """events that are sent again and in another order make no second job"""
        lab = self.lab
        lab.start_all()
        lab.generate()
        lab.wait_job("collect")
        task = lab.new_task()
        lab.wait_job("task")
        jobs = len(lab.jobs())
        lab.ask_cloud("/sim/events/replay", {"last": 20, "times": 3, "order": "shuffle"})
        lab.until("all are counted", lambda: all(e["times"] >= 4 for e in lab.events() if e["fate"] in ("job", "woke")))
        self.assertEqual(len(lab.jobs()), jobs)
        self.assertEqual(len(lab.outputs(task)), 1)
        self.assertEqual(lab.hamilton_state()["started"], 1)


class LackingEvents(WithLab):
    def test_thin_webhook(self):
        """a thin webhook event is completed from the API before its route is looked for"""
        lab = self.lab
        lab.start_all()
        lab.ask_cloud("/sim/relay", {"paused": True})
        task = lab.new_task()
        lab.publish({"version": "0", "channel": "events", "baseURL": lab.tenant, "tenantId": "ten_1", "app": {"id": "app_1"},
                     "message": {"id": "evt_thin0001", "type": "v2.workflowTask.created", "resourceId": task["id"],
                                 "createdAt": now(), "deprecated": False, "excludedProperties": []}},
                    "labferry/demo-lab/events/v2.workflowTask.created")
        lab.wait_job("task")
        self.assertEqual((lab.task_status(task), len(lab.outputs(task))), ("COMPLETED", 1))
        lab.ask_cloud("/sim/relay", {"paused": False})
        lab.until("the full event comes late", lambda: len(lab.events()) >= 2)
        lab.wait_job("task", ("done", "cancelled"))
        self.assertEqual(len(lab.outputs(task)), 1, "the late full event does nothing")

    def test_excluded(self):
        """properties that were dropped for size are read from the API before the route is looked for"""
        lab = self.lab
        lab.start_all()
        lab.generate(emit=False)
        generator = lab.cloud_state()["generators"][0]["id"]
        lab.ask_cloud("/sim/events", {"type": "v2.automationInputGenerator.completed", "resourceId": generator,
                                      "exclude": ["file", "automationFileConfig"]})
        job = lab.wait_job("deliver")
        self.assertEqual(job["fields"]["generator"], generator)
        self.assertEqual(lab.event()["fate"], "job")

    def test_reread_later(self):
        """if the API cannot be reached at that moment, it is asked later"""
        lab = self.lab
        lab.start_all()
        lab.generate(emit=False)
        generator = lab.cloud_state()["generators"][0]["id"]
        lab.fault("status", status=503, path="/automation-input-generators/*", count=2)
        lab.ask_cloud("/sim/events", {"type": "v2.automationInputGenerator.completed", "resourceId": generator,
                                      "exclude": ["automationInputGenerator"]})
        lab.wait_job("deliver")

    def test_lost(self):
        """an event whose resource the API does not know is kept as lost, and the status says so"""
        lab = self.lab
        lab.start_all()
        lab.ask_cloud("/sim/events", {"type": "v2.workflowTask.created", "resource": {"id": "wftask_gone"},
                                      "exclude": ["fields"]})
        lab.until("the event is lost", lambda: lab.event(fate="lost"))
        self.assertTrue(any("its resource cannot be read" in need["what"] for need in lab.ask("status")["needs"]))


class Files(WithLab):
    def test_superseded(self):
        """an event whose file has been superseded delivers the newer file, once, and not the older"""
        lab = self.lab
        lab.start_all(hamilton=None)
        lab.generate(name="old.csv", content="Sample\nold\n")
        lab.wait_job("deliver")
        lab.ask_cloud("/sim/relay", {"paused": True})
        lab.generate(name="middle.csv", content="Sample\nmiddle\n")
        newest = lab.generate(name="newest.csv", content="Sample\nnewest\n")
        lab.ask_cloud("/sim/relay", {"paused": False})
        lab.until("both events", lambda: len([e for e in lab.events() if e["fate"] in ("job", "twin")]) == 3)
        lab.until("all is over", lab.all_over)
        jobs = {job["what"]: job for job in lab.jobs()}
        self.assertEqual(jobs["middle.csv"]["state"], "cancelled")
        self.assertIn("newer file", jobs["middle.csv"]["note"])
        self.assertEqual(len(lab.jobs()), 3)
        self.assertEqual([sha256(data) for data in lab.worklists()["newest.csv"]], [newest["sha256"]])
        self.assertEqual(sorted(lab.worklists()), ["newest.csv", "old.csv"])

    def test_superseded_event_lost(self):
        """a newer file is delivered before its own event comes, which then makes no second job"""
        lab = self.lab
        lab.start_all(hamilton=None)
        lab.ask_cloud("/sim/relay", {"paused": True})
        lab.generate(name="first.csv")
        lab.generate(name="second.csv", emit=False)
        lab.ask_cloud("/sim/relay", {"paused": False})
        lab.wait_job("deliver", ("done", "cancelled"), count=2)
        self.assertEqual(sorted(lab.worklists()), ["second.csv"])
        generator = lab.job(lab.jobs()[0]["id"])["fields"]["generator"]
        lab.ask_cloud("/sim/events", {"type": "v2.automationInputGenerator.completed", "resourceId": generator})
        late = lab.until("its event is stored", lambda: lab.event(fate="twin"))
        self.assertEqual([lab.job(job)["what"] for job in late["jobs"]], ["second.csv"])
        self.assertEqual(len(lab.jobs()), 2)

    def test_not_complete_yet(self):
        """a file that Benchling is still storing is waited for"""
        lab = self.lab
        lab.start_all(hamilton=None)
        given = lab.generate(completeAfterMs=1500)
        job = lab.until("it waits", lambda: next(iter(lab.jobs(state="waiting")), None))
        self.assertIn("storing", job["note"])
        self.assertEqual(lab.wait_job("deliver")["fields"]["sha256"], given["sha256"])

    def test_same_name(self):
        """another file of the same name is held for a person, never overwritten"""
        lab = self.lab
        lab.start_all(hamilton=None)
        lab.generate(name="plate.csv", content="Sample\none\n")
        lab.wait_job("deliver")
        lab.generate(name="plate.csv", content="Sample\ntwo\n")
        held = lab.until("it is held", lambda: next(iter(lab.jobs(state="held")), None))
        self.assertIn("plate.csv", held["note"])
        self.assertEqual(lab.worklists(), {"plate.csv": [b"Sample\none\n"]})
        (lab.home / "hamilton/worklists/plate.csv").unlink()
        lab.ask("retry", job=held["id"])
        lab.wait_job("deliver", count=2)
        self.assertEqual(lab.worklists(), {"plate.csv": [b"Sample\ntwo\n"]})

    def test_large(self):
        """a file of 30 MB comes down whole, and memory does not grow with it"""
        lab = self.lab
        without_quarantine(self)
        lab.start_all(hamilton=None)
        before = lab.memory()
        content = "Sample,Volume\n" + "S-1,50.000\n" * 2_800_000
        given = lab.generate(name="large.csv", content=content)
        job = lab.wait_job("deliver")
        self.assertEqual(job["fields"]["sha256_there"], given["sha256"])
        self.assertEqual(given["sha256"], sha256(content))
        self.assertLess(lab.memory() - before, len(content) / 2)


class ByHand(WithLab):
    routes = (WORKLISTS, WEIGH, BY_HAND)

    def test_uploaded_by_hand(self):
        """a result that someone uploaded by hand is processed and reported"""
        lab = self.lab
        lab.start_all(config(routes=self.routes))
        lab.ask_cloud(f"/sim/runs/{lab.run}/output", {"content": PLATE})
        job = lab.wait_job("collect")
        self.assertIn("2 rows succeeded", job["note"])
        processor, = lab.cloud_state()["processors"]
        self.assertEqual((processor["status"], processor["progressStats"]["rowsSucceeded"]), ("SUCCEEDED", 2))

    def test_own_echo(self):
        """the echo of our own upload starts no second processing"""
        lab = self.lab
        lab.start_all(config(routes=self.routes))
        lab.generate()
        lab.until("two collect jobs", lambda: len([j for j in lab.jobs() if j["kind"] == "collect"]) == 2)
        lab.until("all is over", lab.all_over)
        ours, echo = [job for job in lab.jobs() if job["kind"] == "collect"]
        self.assertEqual((ours["state"], echo["state"]), ("done", "cancelled"), lab.story())
        self.assertIn(f"job {ours['id']}", echo["note"])
        self.assertEqual(len(lab.cloud_state()["tasks"]), 1)

    def test_already_running(self):
        """someone who also presses Process by hand does not confuse the job"""
        lab = self.lab
        lab.start_all(config(routes=self.routes), cloud=(*FAST, "--process-ms", "700"))
        lab.ask_cloud("/sim/relay", {"paused": True})
        made = lab.ask_cloud(f"/sim/runs/{lab.run}/output", {"content": PLATE})
        processor = made.get("id") or lab.cloud_state()["processors"][0]["id"]
        lab.ask_cloud(f"/api/v2/automation-output-processors/{processor}:process-output", {})
        lab.ask_cloud("/sim/relay", {"paused": False})
        self.assertIn("2 rows succeeded", lab.wait_job("collect")["note"])
        self.assertEqual(len(lab.cloud_state()["tasks"]), 1)


if __name__ == "__main__":
    unittest.main()

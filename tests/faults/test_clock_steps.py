"""The wall clock is wrong, or is set while everything works. Timers must not notice; people must."""
import json
import os
import re
import signal
import time
import unittest

from wrong_clock import HOUR, WRONG, YEARS, WithLab
from whole import BALANCE, BASE, FAST, PLATE, SITE, WEIGH, config

SIDE_BY_SIDE = 4
CALM_S = 2  # so long it is watched that nothing happens
BY_NAME = config(match=r'"filename:^(?<run>[0-9a-f-]{36})_"')
PER_STEP = 6  # tokens; a new token for each request would be far more


class Clock(WithLab):
    def start(self, text=BY_NAME, cloud=(*FAST, "--token-seconds", "60"), shift=0, **more):
        self.lab.step(shift)
        self.lab.start_all(text, cloud=cloud, **more)

    def begin(self):
        """A worklist, whose result comes up, and a task. Returns what to look for."""
        run = self.lab.ask_cloud("/sim/runs", {})["id"]
        self.lab.generate(run, name=f"{run}.csv", content=f"Sample\n{run}\n")
        return run, self.lab.new_task()

    def start_without_time(self, shift, **more):
        """Starts with that clock while the tenant cannot be reached: the agent does not learn the right time before clear_faults."""
        self.start(hamilton=None, **more)
        self.lab.stop("agent")
        self.lab.step(shift)
        self.lab.fault("reset-before", path="*", count=0)
        self.lab.start_agent()

    def finish(self, run, task):
        """Everything of it is done, and once."""
        lab = self.lab
        lab.until("the task is done", lambda: lab.task_status(task) == "COMPLETED")
        self.assertEqual(len(lab.outputs(task)), 1)
        lab.until("its result is processed", lambda: "SUCCEEDED" in self.processed(run))
        self.assertEqual(self.processed(run), ["SUCCEEDED"])

    def processed(self, run):
        return [p["status"] for p in self.lab.cloud_state()["processors"] if p["assayRunId"] == run]

    def needs(self):
        return " ".join(need["what"] for need in self.lab.ask("status")["needs"])

    def audit(self, what):
        return [entry["text"] for entry in self.lab.ask("audit", what=what, limit=100)]


class Steps(Clock):
    def test_while_working(self):
        """the clock is set by an hour and by ten years, both ways and back, in the middle of work: everything is still done, once"""
        lab = self.lab
        self.start()
        for how, shift in WRONG.items():
            work = self.begin()
            lab.step(shift)
            more = self.begin()
            self.finish(*work)
            self.finish(*more)
            self.assertRegex(self.needs(), "ahead of the tenant's" if "ahead" in how else "behind the tenant's")
            work = self.begin()
            lab.step(0)
            self.finish(*work)
        lab.until("the last steps are done", lab.all_over)  # the tenant knows of a result before the job has filed it
        self.assertEqual({job["state"] for job in lab.jobs()}, {"done"})
        self.assertEqual(self.needs(), "")
        self.assertLess(sum(self.token_requests().values()), PER_STEP * 2 * len(WRONG))
        status, said = lab.labferry("audit", "verify")
        self.assertEqual(status, 0, said)

    def test_audit(self):
        """the audit trail records each step of the clock and its size, and stays in the order of its numbers"""
        lab = self.lab
        self.start(hamilton=None)
        for shift, words in ((HOUR, "set forward by (1 h|59.9 min)"), (-YEARS, "set back by 365"), (0, "set forward by 365")):
            before = len(self.audit("clock"))
            lab.step(shift)
            task = lab.new_task()
            lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")
            # What the tenant's clock shows afterwards is an entry of its own.
            lab.until("it is recorded", lambda: re.search(words, " | ".join(self.audit("clock")[before:])))
        status, said = lab.labferry("audit", "verify")
        self.assertEqual(status, 0, said)

    def token_requests(self):
        by = self.lab.ask_cloud("/sim/requests")["byOperation"]
        return next((by[name] for name in by if "token" in name.lower()), {})

    def test_waiting(self):
        """retries keep their pace, neither at once nor in ten years, whatever the clock is set to"""
        lab = self.lab
        self.start(hamilton=None)
        for shift in WRONG.values():
            lab.fault("status", status=503, path="/workflow-tasks/*", count=0)
            task = lab.new_task()
            job = lab.until("it waits", lambda: next(iter(lab.jobs(state="waiting")), None))
            lab.step(shift)
            time.sleep(CALM_S)
            self.assertLess(lab.job(job["id"])["attempt"] - job["attempt"], 8, lab.story())
            lab.clear_faults()
            lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")
            lab.step(0)

    def test_paused(self):
        """work that waits for its instrument does not expire because the clock is set forward, nor after a restart then"""
        lab = self.lab
        self.start(hamilton=None)
        lab.ask("pause", instrument="balance-1")
        task = lab.new_task()
        lab.until("it waits", lambda: any(job["step"] == "turn" for job in lab.jobs()))
        for shift in (*WRONG.values(), YEARS):
            lab.step(shift)
            time.sleep(0.5)
            lab.restart_agent(signal.SIGKILL)
            time.sleep(0.5)
            self.assertEqual(lab.jobs()[-1]["state"], "ready", lab.story())
        lab.ask("resume", instrument="balance-1")
        lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")


class Starts(Clock):
    """The agent has not learned the right time from anybody yet."""

    def old_event(self, days):
        """A task whose event is some days old. Its own event of today does not come."""
        lab = self.lab
        lab.ask_cloud("/sim/relay", {"paused": True})
        task = lab.new_task()
        lab.clear_faults()
        event = [event for event in lab.ask_cloud("/api/v2/events?createdAt.gte=2020-01-01T00:00:00Z")["events"]
                 if event["eventType"] == "v2.workflowTask.created"][-1]
        lab.fault("reset-before", path="*", count=0)
        event.update(id=f"evt_old{days}", createdAt=lab.iso(-days * 24 * HOUR))
        lab.publish(event, f"labferry/{SITE}/events/v2.workflowTask.created")
        return task

    def test_ahead(self):
        """an agent that starts with a clock ten years ahead does not take new work for expired"""
        self.start_without_time(YEARS)
        task = self.lab.new_task()
        self.lab.until("a job waits for the tenant", lambda: self.lab.jobs(state="waiting"))
        self.lab.clear_faults()
        self.lab.until("it is done", lambda: self.lab.task_status(task) == "COMPLETED")

    def test_behind(self):
        """an agent that starts with a clock ten years behind does not take last week's work for today's"""
        lab = self.lab
        self.start_without_time(-YEARS)
        task = self.old_event(7)
        lab.until("a job waits for the tenant", lambda: self.lab.jobs(state="waiting"))
        lab.clear_faults()
        lab.until("it is too late", lambda: [job["state"] for job in lab.jobs()] == ["expired"])
        self.assertIn("clock of this machine says 201", lab.jobs()[0]["note"])
        self.assertEqual((lab.outputs(task), lab.balance_state()["commands"]), ([], 2))  # identified at each start

    def test_without_rtc(self):
        """a board that starts in 1970 and gets the time a little later loses none of the events in between"""
        lab = self.lab
        lab.step_to_1970()
        lab.start_broker()
        lab.start_cloud(*FAST)
        lab.start_balance("--weight", "2")
        lab.write_config(config(link="", instruments=(BALANCE,), routes=(WEIGH,), cloud='events = "poll"; poll_interval = "1s";'))
        lab.fault("reset-before", path="*", count=0)
        lab.start_agent()
        lab.until("the cloud is missed", lambda: "Benchling" in self.needs())
        meanwhile = lab.new_task()
        lab.step(0)
        lab.clear_faults()
        after = lab.new_task()
        for task in (meanwhile, after):
            lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")
            self.assertEqual(len(lab.outputs(task)), 1)

    def test_poll_ahead(self):
        """an agent without a broker whose first start is ten years ahead finds all later events"""
        lab = self.lab
        lab.step(YEARS)
        lab.start_broker()
        lab.start_cloud(*FAST)
        lab.start_balance("--weight", "2")
        lab.write_config(config(link="", instruments=(BALANCE,), routes=(WEIGH,), cloud='events = "poll"; poll_interval = "1s";'))
        lab.start_agent()
        task = lab.new_task()
        lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")


class Memory(Clock):
    def test_forgets_nothing(self):
        """a clock ten years off does not make the agent forget what it has done: a repeated event does nothing"""
        lab = self.lab
        tasks = []
        text = config(agent='keep = "1d";')
        self.start(text, hamilton=None)
        for shift in (0, YEARS, -YEARS, 0):
            lab.stop("agent")
            lab.step(shift)
            lab.start_agent()
            tasks.append(lab.new_task())
            lab.until("it is done", lambda: lab.task_status(tasks[-1]) == "COMPLETED")
            lab.until("all jobs are over", lab.all_over)
        time.sleep(CALM_S)  # the agent has looked at what is old
        self.assertEqual(len(lab.jobs()), len(tasks))
        commands = lab.balance_state()["commands"]
        lab.ask_cloud("/sim/events/replay", {"times": 2})
        seen = lab.until("they came again", lambda: (lambda e: e if all(x["times"] >= 3 for x in e) else None)(
            [e for e in lab.events() if e["type"] == "v2.workflowTask.created"]))
        self.assertEqual(len(seen), len(tasks))
        self.assertEqual(len(lab.jobs()), len(tasks))
        self.assertEqual(lab.balance_state()["commands"], commands)

    def test_files(self):
        """results with times ten years ahead or behind are collected as soon as others"""
        lab = self.lab
        self.start(balance=None)
        run = lab.run
        for years in (YEARS, -YEARS):
            name = f"{run}_{years}.csv"
            path = lab.home / "hamilton/results" / name
            path.write_text(PLATE + f"A3,{years}\n")
            os.utime(path, (time.time() + years,) * 2)
        lab.until("both are processed", lambda: self.processed(run) == ["SUCCEEDED"] * 2)


class Commands(Clock):
    def command(self, name, expires):
        """Sends one, and returns its last answer."""
        lab = self.lab
        lab.publish({"id": name, "verb": "status", "expires": lab.iso(expires)}, f"{BASE}/command")
        answer = lab.until("its verdict", lambda: next((a for a in self.answers(name) if a["state"] in ("succeeded", "failed")), None))
        return answer["state"], answer.get("error", {}).get("text", "")

    def answers(self, name):
        return [json.loads(line) for line in self.heard() if line.startswith("{") and f'"{name}"' in line]

    def heard(self):
        return self.lab.log("hear").splitlines()

    def test_expires(self):
        """a command that looks expired to a wrong clock is refused, and the answer names the clock; once the tenant's time is known it is performed"""
        lab = self.lab
        self.start_without_time(YEARS)
        lab.start("hear", ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(lab.broker_port), "-V", "5", "-q", "1", "-t",
                           f"{BASE}/reply/#", "-t", "$SYS/broker/uptime"])
        lab.until("somebody listens", lambda: self.heard())  # the broker's own message, which it keeps
        state, text = self.command("early", HOUR)
        self.assertEqual(state, "failed")
        self.assertRegex(text, "expired on arrival, so it was not performed; the clock of this machine says 2036")
        lab.clear_faults()
        task = lab.new_task()
        lab.until("the tenant's time is known", lambda: lab.task_status(task) == "COMPLETED")
        self.assertEqual(self.command("in-time", HOUR)[0], "succeeded")
        lab.step(-YEARS)
        state, text = self.command("late", -HOUR)
        self.assertEqual(state, "failed")
        self.assertIn("behind the tenant's", text)


if __name__ == "__main__":
    unittest.main()

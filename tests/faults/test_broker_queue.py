"""Many events queue at the broker while the agent is offline."""
import os
import signal
import sqlite3
import time
import unittest

from whole import WithLab

COUNT = int(os.environ.get("LF_QUEUED", "20000"))
IN_FLIGHT = 200
SECONDS = 60 + COUNT / 200
GROWTH = 40 * 1024 * 1024  # they are more than this, as a whole, and the agent may not hold them all
SPARING = {"ASAN_OPTIONS": "quarantine_size_mb=1"}  # else the sanitizer keeps 256 MB of what was freed


class Queue(WithLab):
    def stored(self):
        """How many events are in the journal: its rows, each with an id of its own."""
        with sqlite3.connect(f"file:{self.lab.home}/state/journal.db?mode=ro", uri=True, timeout=30) as journal:
            return journal.execute("SELECT count(*) FROM event").fetchone()[0]

    def relay_empty(self, count=COUNT):
        relay = self.lab.cloud_state()["relay"]
        return relay["published"] >= count and relay["queued"] + relay["inFlight"] == 0

    def test_queue(self):
        """however many events queue at the broker, all reach the journal exactly once, and memory stays bounded"""
        lab = self.lab
        lab.start_all()
        lab.restart_agent()
        lab.stop("agent")
        began = time.monotonic()
        lab.ask_cloud("/sim/events/load", {"count": COUNT, "type": "v2.workflowTask.created", "bytes": 2000})
        lab.until("all are at the broker", self.relay_empty, SECONDS)
        print(f"{COUNT} events were published in {time.monotonic() - began:.1f} s")
        lab.start_agent(env=SPARING)
        before, began = lab.memory(), time.monotonic()
        lab.until("all are in the journal", lambda: self.stored() >= COUNT, SECONDS)
        took, grown = time.monotonic() - began, lab.memory() - before
        print(f"{COUNT} events taken in in {took:.1f} s, {COUNT / took:.0f} a second; the agent grew by {grown / 1e6:.1f} MB")
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual(lab.task_status(task), "COMPLETED")
        self.assertEqual(self.stored(), COUNT + 1)
        self.assertLess(grown, GROWTH)

    def test_overflow(self):
        """nothing is lost when a broker keeps the session but drops events that overflow its queue: the list of events is read too"""
        lab = self.lab
        lab.start_all(broker="max_queued_messages 3\n")
        lab.stop("agent")
        tasks = [lab.new_task() for _ in range(10)]
        lab.until("the relay has sent all", lambda: not any(lab.cloud_state()["relay"][k] for k in ("queued", "inFlight")))
        lab.start_agent()
        lab.wait_job("task", count=len(tasks))
        self.assertIn("session resumed", lab.log("agent"))
        self.assertEqual([(lab.task_status(task), len(lab.outputs(task))) for task in tasks], [("COMPLETED", 1)] * len(tasks))
        sources = [event["source"] for event in lab.events()]
        self.assertTrue("mqtt" in sources and "poll" in sources, sources)

    def test_connected(self):
        """what a broker drops for a client that stays connected is found in the list of events, and is in needs"""
        lab = self.lab
        lab.start_all(broker="max_queued_messages 3\n")
        lab.stop("agent")
        lab.start_agent(env={"LF_ASK_PACE_MS": "3000", "LF_PUSH_MS": "1000"})
        agent = lab.parts["agent"]
        agent.send_signal(signal.SIGSTOP)
        # They fill what the agent lets the broker have in flight (its receive maximum replaces max_inflight_messages).
        lab.ask_cloud("/sim/events/load", {"count": IN_FLIGHT, "type": "v2.workflowTask.created", "bytes": 100})
        lab.until("they are at the broker", lambda: self.relay_empty(IN_FLIGHT))
        tasks = [lab.new_task() for _ in range(10)]
        lab.until("the relay has sent all", lambda: self.relay_empty(IN_FLIGHT + len(tasks)))
        agent.send_signal(signal.SIGCONT)
        lab.wait_job("task", count=len(tasks))
        self.assertEqual([(lab.task_status(task), len(lab.outputs(task))) for task in tasks], [("COMPLETED", 1)] * len(tasks))
        self.assertEqual(lab.ask("status")["link"]["reconnects"], 0)
        lab.until("it is in needs", lambda: any("MQTT did not bring" in need["what"] for need in lab.ask("status")["needs"]))
        self.assertGreaterEqual(lab.ask("status")["poll"]["missed"], len(tasks) - 3)


if __name__ == "__main__":
    unittest.main()

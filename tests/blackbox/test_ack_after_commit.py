"""An event is acknowledged to the broker only when it is committed: killed around the commit, every event is there, once."""
import signal
import sqlite3
import unittest

from whole import FAST, Lab, config

TYPE = "v2.workflowTask.created"  # subscribed to, since a route names it; its pattern wants none of these
COUNT = 400


class AckAfterCommit(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.__exit__)
        self.lab.start_all(config(), cloud=FAST, hamilton=None, balance=None)
        self.lab.stop("agent")  # the broker has a session for it now, and keeps what comes
        self.lab.ask_cloud("/sim/events/load", {"count": COUNT, "type": TYPE, "bytes": 300})
        self.sent = self.ids_of_the_cloud()
        self.assertEqual(len(self.sent), COUNT)
        self.lab.fault("status", status=503, path="/events", count=0)  # the list is silent: only the broker sends them

    def ids_of_the_cloud(self):
        ids, token = set(), ""
        while True:
            page = self.lab.ask_cloud(f"/api/v2/events?pageSize=100&eventTypes={TYPE}" + (f"&nextToken={token}" if token else ""))
            ids |= {event["id"] for event in page["events"]}
            token = page.get("nextToken")
            if not token or not page["events"]:
                return ids

    def rows(self):
        """Id: how often it came, how it came. Only while the agent is down."""
        with sqlite3.connect(self.lab.home / "state" / "journal.db") as journal:
            return {row[0]: row[1:] for row in journal.execute("SELECT id, times, source FROM event WHERE type = ?", (TYPE,))}

    def die_at(self, points):
        """Starts the agent, which kills itself there."""
        self.lab.start_agent(wait=False, env={"LF_DIE_AT": points})
        process = self.lab.parts["agent"]
        self.assertEqual(process.wait(60), -signal.SIGKILL, f"{points} was not reached:\n" + self.lab.log("agent")[-3000:])
        self.lab.stop("agent")
        return self.rows()

    def finish(self):
        """Starts the agent as usual and waits until all has come."""
        self.lab.start_agent()
        self.lab.until("all events", lambda: sum(self.lab.ask("status")["intake"]["events"].values()) >= COUNT)
        # The broker keeps the order: when one more has come, so has everything that was to come again.
        self.lab.ask_cloud("/sim/events/load", {"count": 1, "type": TYPE})
        self.lab.until("one more", lambda: sum(self.lab.ask("status")["intake"]["events"].values()) > COUNT)
        self.lab.stop("agent")
        self.lab.clear_faults()
        rows = self.rows()
        self.assertEqual(set(rows), self.ids_of_the_cloud(), "every event is there")
        self.assertEqual({source for _, source in rows.values()}, {"mqtt"}, "and it was the broker that sent it again")
        return rows

    def test_between_receipt_and_commit(self):
        """Killed between receipt and commit: nothing of the batch is kept, and all of it is redelivered."""
        self.assertEqual(self.die_at("batch.received:1"), {})
        self.assertEqual(self.die_at("batch.stored:1"), {}, "what was written and not committed is not there")
        rows = self.finish()
        self.assertEqual({times for times, _ in rows.values()}, {1})

    def test_between_commit_and_acknowledgement(self):
        """Killed between commit and acknowledgement: the batch is redelivered and recognised."""
        kept = self.die_at("batch.committed:1")
        self.assertGreater(len(kept), 0)
        self.assertLess(len(kept), COUNT)
        rows = self.finish()
        for event in kept:
            self.assertGreaterEqual(rows[event][0], 2, "it was not acknowledged, so it came again")

    def test_again_and_again(self):
        """Killed around the commit again and again: every event is there, once."""
        for points in ("batch.committed:2", "batch.received:2", "batch.stored:3", "batch.committed:3", "batch.stored:2"):
            before = set(self.rows())
            self.assertLessEqual(before, set(self.die_at(points)), "what was committed stays")
        self.finish()


if __name__ == "__main__":
    unittest.main()

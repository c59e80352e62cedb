"""The audit trail of the whole agent: what it shows after the main job, and that tampering is found and named."""
import contextlib
import hashlib
import json
import os
import random
import re
import sqlite3
import subprocess
import time
import unittest

from whole import BASE, SOON, WithLab, config
from stage import wait_until

SIDE_BY_SIDE = 3


class AuditTrail(WithLab):
    def main_job(self):
        """A worklist goes down, its result comes up, a task is measured."""
        lab = self.lab
        # The worklist stays in the inbox, so that it can always be read back.
        lab.start_all(hamilton=("--take", "keep", "--run-time", "0.2", "--look", "50"))
        given = lab.generate()
        self.deliver = lab.wait_job("deliver")
        self.collect = lab.wait_job("collect")
        lab.new_task()
        self.task = lab.wait_job("task")
        return given

    @property
    def journal(self):
        return self.lab.home / "state/journal.db"

    def command(self, *words, status=0):
        """The labferry command as a person would use it; what it printed, both streams."""
        lab = self.lab
        done = subprocess.run([lab.program("labferry"), "--config", str(lab.home / "labferry.conf"), *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def show(self, **filters):
        words = [word for name, value in filters.items() for word in ("--" + name, str(value))]
        status, entries = self.lab.labferry("audit", "--limit", "1000", *words)
        self.assertEqual(status, 0, entries)
        return entries

    def trail(self, **filters):
        return [(entry["who"], entry["what"], entry["text"]) for entry in self.show(**filters)]

    def has(self, entries, who, what, *parts):
        for entry in entries:
            if entry[0].startswith(who) and entry[1] == what and all(part in entry[2] for part in parts):
                return
        self.fail(f"no {what} by {who} with {parts} in\n" + "\n".join(map(str, entries)))

    def tamper(self, *statements):
        """As somebody with the right to write the file would, past the triggers. The agent must not run."""
        with contextlib.closing(sqlite3.connect(self.journal)) as db:
            for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                db.execute(statement)
            db.commit()

    # ---- the story

    def test_story(self):
        """after the main job it shows what was received, done, measured and uploaded, with digests, who and when"""
        given = self.main_job()
        story = self.trail(job=self.deliver["id"])
        self.has(story, "agent", "event", "job")
        self.has(story, "agent", "job", "by route worklists")
        self.has(story, "agent", "file", given["sha256"])
        self.has(story, "agent", "acting", "deliver on hamilton-1")
        self.has(story, "agent", "job", "deliver: at ")
        self.has(story, "agent", "job", "read back, equal on both sides")
        self.has(story, "agent", "done")
        order = [what for _, what, _ in story]
        self.assertLess(order.index("file"), order.index("acting"))
        self.assertLess(order.index("acting"), order.index("done"))
        story = self.trail(job=self.collect["id"])
        self.has(story, "agent", "job", "seen on hamilton-1")
        self.has(story, "agent", "file", self.collect["fields"]["sha256"])
        self.has(story, "agent", "job", "uploaded as blob " + self.collect["fields"]["blob"])
        self.has(story, "agent", "done")
        story = self.trail(job=self.task["id"])
        self.has(story, "agent", "job", "run: ")
        self.has(self.trail(), "agent", "agent", "labferryd", "starts")
        self.has(self.trail(), "agent", "config", "first seen")
        for entry in self.show():
            self.assertRegex(entry["at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIn("complete and unchanged", self.command("audit", "verify"))

    def test_people(self):
        """decisions and commands are recorded with their author and outcome"""
        lab = self.lab
        lab.start_all()
        lab.ask("pause", instrument="hamilton-1", why="tips are changed")
        lab.generate()
        job = wait_until("a job", lambda: next(iter(lab.jobs()), None), SOON)
        wait_until("it waits for its instrument", lambda: lab.job(job["id"])["step"] == "turn", SOON)
        status, answer = lab.labferry("cancel", str(job["id"]), "--why", "plate was dropped")
        self.assertEqual(status, 0, answer)
        self.assertNotEqual(lab.labferry("retry", str(job["id"]))[0], 0)
        commands = self.trail(what="command")
        self.has(commands, "cli:", "command", "pause", "tips are changed", "succeeded")
        self.has(commands, "cli:", "command", "cancel", "plate was dropped", "succeeded")
        self.has(commands, "cli:", "command", "retry", "failed", "cannot be retried")
        story = self.trail(job=job["id"])
        self.has(story, "cli:", "cancelled", "plate was dropped")
        lab.publish({"id": "c-1", "verb": "resume", "args": {"instrument": "hamilton-1"}},
                    BASE + "/command")
        wait_until("the command by MQTT is done",
                   lambda: any("resume" in text and "succeeded" in text for _, _, text in self.trail(what="command")), SOON)
        self.has(self.trail(what="command"), "mqtt:c-1", "command", "resume", "accepted")
        self.assertEqual([text for _, _, text in self.trail(about="hamilton-1", what="command")],
                         [text for _, _, text in self.trail(what="command") if "pause" in text or "resume" in text])

    def test_starts(self):
        """starts, ends, crashes and changes of the configuration are in it"""
        lab = self.lab
        lab.start_all()
        lab.restart_agent()
        self.has(self.trail(what="agent"), "agent", "agent", "did not shut down cleanly")
        self.assertEqual(len(self.trail(what="config")), 1)
        lab.stop("agent")
        lab.write_config(config(agent='not_after = "7h";'))
        lab.start_agent()
        texts = [text for _, _, text in self.trail(what="agent")]
        self.assertIn("stops cleanly", texts[-2])
        self.assertNotIn("did not end", texts[-1])
        self.has(self.trail(what="config"), "agent", "config", "changed from")

    def test_killed(self):
        """kill -9 at any moment leaves an intact trail; before a second action it records the instrument's answer that the first was not done"""
        lab = self.lab
        lab.start_all()
        dice = random.Random(int(os.environ.get("LF_SEED", "20261122")))
        for number in range(8):
            lab.generate(name=f"list-{number}.csv", content=f"Sample,Volume\nS-{number},50\n")
            time.sleep(dice.uniform(0, 0.4))
            lab.restart_agent()
            self.command("audit", "verify")
        wait_until("all is delivered", lambda: len([job for job in lab.jobs() if job["kind"] == "deliver" and
                                                    job["state"] in ("done", "held")]) == 8, SOON)
        self.command("audit", "verify")
        acting = [entry["about"] for entry in self.show(what="acting")]
        self.assertGreaterEqual(len(set(acting)), 8)
        for about in set(acting):
            story = [text for _, _, text in self.trail(about=about)]
            said = [text for text in story if "about to act" in text or "not done before the interruption" in text]
            self.assertEqual(["about to act" in text for text in said], [i % 2 == 0 for i in range(len(said))], story)
        self.assertEqual(lab.hamilton_state()["repeated"], 0)
        self.assertEqual(len([text for _, _, text in self.trail(what="agent") if "did not shut down" in text]), 8)

    # ---- verifying

    def stopped_with_trail(self):
        lab = self.lab
        lab.start_all()
        for _ in range(4):
            lab.ask("pause", instrument="balance-1")
            lab.ask("resume", instrument="balance-1")
        lab.stop("agent")

    def expect_wrong(self, *parts):
        text = self.command("audit-verify", self.journal, status=1)
        for part in parts:
            self.assertIn(part, text)

    def test_tampered(self):
        """a row that was changed, removed or put in is found and named; also by the agent that starts on it"""
        self.stopped_with_trail()
        self.assertIn("complete and unchanged", self.command("audit-verify", self.journal))
        whole = self.journal.read_bytes()
        for statement, part in (
                ("UPDATE audit SET who = 'cli:mallory' WHERE seq = 5", "entry 5"),
                ("UPDATE audit SET at_ms = at_ms + 1000 WHERE seq = 3", "entry 3"),
                ("DELETE FROM audit WHERE seq BETWEEN 4 AND 6", "entries 4 to 6"),
                ("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "cut off at the end"),
                ("DELETE FROM audit WHERE seq = 1", "entry 1"),
                ("INSERT INTO audit SELECT seq + 1, at_ms, who, what, about, 'forged', hash, prev FROM audit "
                 "ORDER BY seq DESC LIMIT 1", "was changed")):
            with self.subTest(statement):
                self.journal.write_bytes(whole)
                self.tamper(statement)
                self.expect_wrong(part)
                self.assertIn(part, self.command("journal", "check", status=1))
        self.lab.start_agent()
        with self.assertRaises(Exception) as caught:
            self.lab.ask("audit-verify")
        self.assertIn("is broken", str(caught.exception))
        self.has(self.trail(what="audit"), "agent", "audit", "changed by another program")

    def test_triggers(self):
        """the database itself refuses to change or remove an entry"""
        self.stopped_with_trail()
        with contextlib.closing(sqlite3.connect(self.journal)) as db:
            for statement in ("UPDATE audit SET text = 'x' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2",
                              "INSERT OR REPLACE INTO audit SELECT seq, 1, who, what, about, text, prev, hash FROM audit "
                              "WHERE seq = 2"):
                with self.subTest(statement), self.assertRaisesRegex(sqlite3.DatabaseError, "append-only"):
                    db.execute(statement)

    def test_export(self):
        """an export verifies by itself; any change to it is found"""
        self.main_job()
        lab, out = self.lab, self.lab.home / "audit.jsonl"
        self.command("audit", "export", out)
        self.assertIn("overwrite", self.command("audit", "export", out, status=1))
        head, = re.findall(r"head: (\d+:[0-9a-f]{64})", self.command("audit", "verify", out))
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)
        lab.stop("agent")
        self.command("audit", "verify", out)  # without an agent
        self.command("audit-verify", self.journal, "--noted", head)
        lines = out.read_text().splitlines()
        forged = lines[6].replace('"who":"agent"', '"who":"me"', 1)
        self.assertNotEqual(forged, lines[6])
        for name, changed, part in (
                ("changed", lines[:6] + [forged] + lines[7:], "entry 7"),
                ("removed", lines[:6] + lines[7:], "entry 7"),
                ("moved", lines[:6] + [lines[7], lines[6]] + lines[8:], "entry 7"),
                ("doubled", lines[:7] + lines[6:], "entry 7"),
                ("cut", lines[:-4], "cut off"),
                ("cut before the end", lines[:-3] + lines[-1:], "cut off"),
                ("put in", lines[:6] + ['{"seq": 7}'] + lines[6:], "line 7"),
                ("more members", [lines[0][:-1] + ',"note":"x"}'] + lines[1:], "line 1")):
            with self.subTest(name):
                (lab.home / "changed.jsonl").write_text("\n".join(changed) + "\n")
                self.assertIn(part, self.command("audit", "verify", lab.home / "changed.jsonl", status=1))

    def test_independent(self):
        """anybody can verify an export from the description in audit.h alone"""
        self.stopped_with_trail()
        lines = [json.loads(line) for line in self.command("audit", "export", "--journal", self.journal).splitlines() if
                 line.startswith("{")]
        end, entries, last = lines.pop(), lines, "0" * 64
        for number, entry in enumerate(entries, 1):
            fields = [entry["prev"], str(entry["seq"]), *(entry[name] for name in ("at", "who", "what", "about", "text"))]
            coded = b"labferry-audit-1\n" + b"".join(b"%d:%s\n" % (len(f.encode()), f.encode()) for f in fields)
            self.assertEqual((entry["seq"], entry["prev"], entry["hash"]), (number, last, hashlib.sha256(coded).hexdigest()))
            last = entry["hash"]
        self.assertEqual(end, {"audit_end": {"seq": len(entries), "hash": last}})

    def test_broker_head(self):
        """the broker keeps the head: a recomputed trail does not contain it"""
        lab = self.lab
        lab.start_all()
        lab.generate()
        lab.wait_job("deliver")
        topic = BASE + "/audit"
        noted = json.loads(wait_until("the head at the broker", lambda: subprocess.run(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(lab.broker_port), "-t", topic, "-C", "1", "-W", "5"],
            capture_output=True, text=True).stdout, SOON))["head"]
        self.assertIn("unchanged", self.command("audit", "verify", "--noted", noted))
        number, digest = noted.split(":")
        self.assertIn(f"entry {number}", self.command("audit", "verify", "--noted", f"{number}:{digest[::-1]}", status=1))
        self.assertIn("missing", self.command("audit", "verify", "--noted", f"{int(number) + 10000}:{digest}", status=1))

    # ---- the journal as a file

    def test_journal_check_and_export(self):
        """an intact journal is found intact, running or not; everything in it can be written out"""
        self.main_job()
        self.assertIn("No problems found", self.command("journal", "check"))
        self.lab.stop("agent")
        self.assertIn("No problems found", self.command("journal", "check", self.journal))
        rows = [json.loads(line) for line in self.command("journal", "export").splitlines() if line.startswith("{")]
        kinds = {row["row"]["kind"] for row in rows if row["table"] == "job"}
        self.assertEqual(kinds, {"deliver", "collect", "task"})
        with contextlib.closing(sqlite3.connect(self.journal)) as db:
            for table in ("event", "job", "history", "audit", "finding", "small"):
                count, = db.execute(f"SELECT count(*) FROM {table}").fetchone()
                self.assertEqual(len([row for row in rows if row["table"] == table]), count, table)

    def test_damaged(self):
        """the agent refuses a damaged journal and says what to do; check names it, export reads what is left"""
        self.stopped_with_trail()
        with contextlib.closing(sqlite3.connect(self.journal)) as db:
            db.executemany("INSERT INTO event (id, created_ms, received_ms, fate, body) VALUES (?, 1, 1, 'unrouted', ?)",
                           [(f"evt_{i}", "x" * 3000) for i in range(300)])
            db.commit()
            size, = db.execute("PRAGMA page_size").fetchone()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, = db.execute("PRAGMA page_count").fetchone()
        data = bytearray(self.journal.read_bytes())
        at = (pages - 60) * size  # in the middle of the events
        data[at:at + size] = b"\xff" * size
        self.journal.write_bytes(data)
        lab = self.lab
        self.assertIn("problem", self.command("journal", "check", status=1))
        lines = [json.loads(line) for line in self.command("journal", "export", status=1).splitlines() if line.startswith("{")]
        events = [line for line in lines if line["table"] == "event" and "row" in line]
        self.assertGreater(len(events), 250)
        self.assertTrue([line for line in lines if line["table"] == "event" and "lost" in line])
        lab.start("agent", [lab.program("labferryd"), "--config", str(lab.home / "labferry.conf")])
        self.assertNotEqual(lab.parts["agent"].wait(SOON), 0)
        lab.parts.pop("agent")
        self.assertIn("labferry journal-check", lab.log("agent"))
        self.assertIn("labferry journal-export", lab.log("agent"))

    def test_no_journal(self):
        """a file that is not a journal is reported as such"""
        lab = self.lab
        lab.write_config(config())
        path = lab.home / "not.db"
        path.write_text("this is no database, but it is long enough to look like something" * 50)
        self.assertIn("not.db", self.command("journal", "check", path, status=1))
        self.assertIn("not.db", self.command("journal", "export", "--journal", path, status=1))
        self.assertIn("no.db", self.command("journal", "check", lab.home / "no.db", status=1))
        self.assertIn("line 1", self.command("audit", "verify", path, status=1))


if __name__ == "__main__":
    unittest.main()

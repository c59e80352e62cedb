"""Hosted brokers with limits: the agent keeps to them, loses no report, and says what it leaves out."""
import collections
import json
import unittest

from limited_broker import EventGrid, LimitedBroker, Limits
from whole import BASE, SOON, WithLab, config

SIDE_BY_SIDE = 3
RESULTS = 40
DEEP = "a/b/c/d/e/f/g/h/i"


class Slow(Limits):
    per_second = 15


class Limited(WithLab):
    def start(self, limits=Limits, forbid=(), wait=True):
        lab = self.lab
        self.broker = LimitedBroker(limits)
        self.addCleanup(self.broker.close)
        self.broker.forbidden.update(forbid)
        lab.start_broker()  # the tenant's events need one; the agent does not use it
        lab.start_cloud("--quiet")
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        lab.broker_port = self.broker.port
        lab.write_config(config(match='"filename:^(?<run>[0-9]+)_"'))
        lab.start_agent(wait=wait)

    def needs(self, words):
        return next((need for need in self.lab.ask("status")["needs"] if words in need["what"]), None)

    def command(self, name, verb, response_topic=None, **args):
        self.broker.publish(f"{BASE}/command", json.dumps({"id": name, "verb": verb, "args": args}), response_topic)

    def answered(self, name):
        self.lab.until(f"the answer to {name}", lambda: any('"succeeded"' in text for text in self.broker.payloads(f"{BASE}/reply/{name}")))

    def test_quota(self):
        """reports beyond the broker's quota are sent again, slower, in order, and none is missing"""
        self.start(Slow)
        lab = self.lab
        for number in range(RESULTS):
            lab.result(f"r{number}.csv", f"Well,Absorbance\nA1,{number}\n")
        lab.until("all are held", lambda: len(lab.jobs(state="held")) == RESULTS, 3 * SOON)
        lab.until("the outbox is empty", lambda: lab.ask("status")["storage"]["outbox"] == 0, 3 * SOON)
        self.assertGreater(self.broker.over_quota, 0)
        self.assertEqual(len(self.broker.ended_over), 0)
        steps = collections.defaultdict(list)
        for topic, payload in self.broker.taken:
            if "/jobs/" in topic:
                steps[topic].append(json.loads(payload)["state"])
        self.assertEqual(len(steps), RESULTS)
        self.assertEqual({said[-1] for said in steps.values()}, {"held"})
        self.assertNotIn("dropped", lab.log("agent"))

    def test_forbidden(self):
        """a forbidden topic costs one reconnect, also over restarts; it is given up alone, and `needs` names it"""
        self.start(forbid=[f"{BASE}/routes"])
        lab = self.lab
        lab.until("it is named", lambda: self.needs(f"{BASE}/routes"))
        for number in range(2):
            lab.until("the agent is online", lab.online)
            self.command(f"c{number}", "pause", instrument="balance-1")
            self.answered(f"c{number}")
            lab.restart_agent()
        self.assertTrue(self.needs(f"{BASE}/routes"))
        self.assertEqual(self.broker.ended_over, [f"{BASE}/routes"])

    def test_acknowledged(self):
        """once a person has acknowledged it, a topic that was given up is tried again"""
        topic = f"{BASE}/instruments/balance-1"
        self.start(forbid=[topic])
        lab = self.lab
        need = lab.until("it is named", lambda: self.needs(topic))
        lab.until("the agent is online", lab.online)
        self.broker.forbidden.clear()
        lab.ask("acknowledge", need=[need["id"]])
        self.command("c1", "pause", instrument="balance-1")
        lab.until("it is published", lambda: self.broker.payloads(topic))

    def test_response_topic(self):
        """a response topic that is too deep costs one reconnect, and the other answers go on"""
        self.start()
        for name in ("c1", "c2"):
            self.command(name, "jobs", response_topic=DEEP)
            self.lab.until("it is named", lambda: self.needs(DEEP))
            self.lab.until("the agent is online", self.lab.online)
        self.command("c3", "jobs")
        self.answered("c3")
        self.assertEqual(self.broker.ended_over, [DEEP])

    def test_no_retain(self):
        """at a broker without retained messages the agent works, and `needs` says what is missing"""
        self.start(EventGrid)
        self.assertIn("retained", self.lab.until("it is said", lambda: self.needs("keeps no retained messages"))["do"])
        self.command("c1", "jobs")
        self.answered("c1")
        self.assertEqual(self.broker.ended_over, [])


if __name__ == "__main__":
    unittest.main()

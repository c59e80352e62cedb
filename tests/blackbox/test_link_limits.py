"""The link at brokers with limits: quotas, forbidden topics, no retained messages, no MQTT 5."""
import socket
import threading
import time
import unittest

from limited_broker import EventGrid, LimitedBroker, Limits, QUOTA_EXCEEDED
from link_parts import PATIENCE_S, Probe, wait_until

SIDE_BY_SIDE = 3
ASIDE_S = 3 * 60  # after this, what was set aside is tried again
LOOKS_S = 0.3  # so long it is watched that nobody connects


class Silent(Limits):
    names_reasons = False


class NoQos(Limits):
    maximum_qos = 0


class Narrow(Limits):
    message_bytes = 100


class LimitsTest(unittest.TestCase):
    def at(self, limits=Limits, **options):
        broker = LimitedBroker(limits, **options)
        self.addCleanup(broker.close)
        return broker

    def probe(self, port, *options):
        probe = Probe("host=127.0.0.1", f"port={port}", "filter=lab/events/#", "base=lab/agent", "clock=1", *options)
        self.addCleanup(probe.end)
        return probe

    def online(self, broker, *options):
        probe = self.probe(broker.port, *options)
        probe.next("online")
        return probe

    def taken(self, probe, number, topic):
        probe.say(f"publish {number} 1 0 {topic} payload-{number}")
        probe.next("published", ticket=number, outcome="taken")

    def reconnect(self, probe):
        probe.next("offline")
        probe.next("online")


class Quota(LimitsTest):
    def test_quota(self):
        """a publication beyond the broker's quota is put off and not refused, and the next ones leave at half the pace"""
        broker = self.at()
        probe = self.online(broker)
        self.taken(probe, 1, "lab/a")
        broker.refused["lab/b"] = QUOTA_EXCEEDED
        probe.say("publish 2 1 0 lab/b x")
        probe.next("published", ticket=2, outcome="later")
        self.assertEqual(probe.health()["messages_a_second_max"], Limits.per_second // 2)
        del broker.refused["lab/b"]
        self.taken(probe, 3, "lab/b")
        self.assertEqual(len(broker.connects), 1)

    def test_order(self):
        """what waits behind a publication that is put off is put off too, so that the order stays"""
        broker = self.at()
        probe = self.online(broker)
        broker.refused["lab/b"] = QUOTA_EXCEEDED
        for number in (1, 2, 3):  # the first on a topic is sent alone: the others wait
            probe.say(f"publish {number} 1 0 lab/b x")
        answers = [probe.next("published", outcome="later")["ticket"] for _ in range(3)]
        self.assertEqual(sorted(answers), [1, 2, 3])
        self.assertEqual(broker.payloads("lab/b"), [])

    def test_unknown_reason(self):
        """a refusal without a reason that says more is tried again a few times, then dropped and named"""
        broker = self.at()
        broker.refused["lab/b"] = 0x80
        probe = self.online(broker)
        outcomes = []
        while "dropped" not in outcomes:
            probe.say("publish 1 1 0 lab/b x")
            probe.pass_time(120)
            outcomes.append(probe.next("published", ticket=1)["outcome"])
        self.assertEqual(outcomes, ["later"] * 5 + ["dropped"])


class Forbidden(LimitsTest):
    def blamed(self, limits, topic, forbid=True):
        broker = self.at(limits)
        if forbid:
            broker.forbidden.add(topic)
        probe = self.online(broker)
        self.taken(probe, 1, "lab/good")
        probe.say(f"publish 2 1 0 {topic} x")
        self.reconnect(probe)
        return broker, probe

    def test_topic(self):
        """a topic that ends the session costs one reconnect, is given up alone, and a concern names it with what to do"""
        broker, probe = self.blamed(Limits, "lab/bad")
        self.taken(probe, 3, "lab/good")
        concern = next(line for line in probe.told if line["what"] == "concern" and "lab/bad" in line["about"])
        self.assertFalse(concern["stands"])
        self.assertIn("lab/bad: Not authorized", concern["text"])
        self.assertIn("once this was acknowledged", concern["do"])
        self.assertEqual(broker.ended_over, ["lab/bad"])

    def test_later(self):
        """a topic that was taken before is tried alone once more before it is given up: the end may have had another cause"""
        broker = self.at()
        probe = self.online(broker)
        self.taken(probe, 1, "lab/a")
        broker.forbidden.add("lab/a")
        for number in (2, 3):
            probe.say(f"publish {number} 1 0 lab/a x")
            self.reconnect(probe)
            self.assertEqual(any(line["what"] == "concern" and line["about"] == "publish on lab/a" for line in probe.told), number == 3)

    def test_given_up(self):
        """a topic that was given up in an earlier run is not tried again"""
        broker = self.at()
        broker.forbidden.add("lab/bad")
        probe = self.online(broker, "given_up=publish on lab/bad")
        probe.say("publish 1 1 0 lab/bad x")
        probe.next("published", ticket=1, outcome="dropped")
        self.taken(probe, 2, "lab/good")
        self.assertEqual(len(broker.connects), 1)

    def test_too_deep(self):
        """a topic that is too deep for the broker costs one reconnect, and stands for all topics as deep"""
        deep = "a/b/c/d/e/f/g/h/i"
        _, probe = self.blamed(Limits, deep, forbid=False)
        about = next(line["about"] for line in probe.told if line["what"] == "concern" and deep in (line["text"] or ""))
        self.assertEqual(about, "publish on topics of more than 8 levels")
        self.taken(probe, 3, "lab/good")

    def test_silent(self):
        """over a topic at which the broker closes without a word, the link stays up after one reconnect; it is tried once more"""
        broker, probe = self.blamed(Silent, "lab/bad")
        probe.say("publish 3 1 0 lab/bad x")
        probe.next("published", ticket=3, outcome="aside")
        self.taken(probe, 4, "lab/good")
        self.assertEqual(broker.ended_over, ["lab/bad"])
        broker.forbidden.clear()
        probe.pass_time(ASIDE_S)
        self.taken(probe, 5, "lab/bad")
        self.assertTrue(any(line["what"] == "concern" and "lab/bad" in line["about"] and line.get("text") is None
                            for line in probe.told))

    def test_silent_again(self):
        """a topic at which the broker closes twice without a word is given up"""
        broker, probe = self.blamed(Silent, "lab/bad")
        probe.pass_time(ASIDE_S)
        probe.say("publish 3 1 0 lab/bad x")
        probe.next("concern", about="publish on lab/bad", stands=False)
        self.reconnect(probe)
        self.assertEqual(broker.ended_over, ["lab/bad"] * 2)

    def test_filter(self):
        """a subscription that ends the session costs one reconnect; the others stand, and the refusal is reported"""
        broker = self.at()
        broker.forbidden_filters.add("lab/events/#")
        probe = self.probe(broker.port, "filter=lab/more/#")
        probe.next("concern", about="subscribe to lab/events/#")
        # the probe remembers nothing: as after a restart, it reports
        second = self.probe(broker.port, "filter=lab/more/#", "given_up=subscribe to lab/events/#")
        second.next("online")
        second.error("refuses the subscription to lab/events/#: it ended the session over it")

    def test_silent_filter(self):
        """a subscription at which the broker closes twice in a row without a word is set aside, and the others stand"""
        broker = self.at(Silent)
        broker.forbidden_filters.add("lab/events/#")
        probe = self.probe(broker.port, "filter=lab/more/#")
        probe.next("online")
        self.assertTrue(any(line["what"] == "concern" and line["about"] == "subscribe to lab/events/#" and line["stands"]
                            for line in probe.told))
        self.assertEqual(broker.ended_over, ["lab/events/#"] * 2)
        broker.forbidden_filters.clear()
        probe.pass_time(ASIDE_S)
        probe.error("the broker now grants all subscriptions")

    def test_puback(self):
        """a topic that the broker refuses without ending the session loses its reports, and each is named"""
        broker = self.at()
        broker.refused["lab/bad"] = 0x87
        probe = self.online(broker)
        probe.say("publish 1 1 0 lab/bad x")
        concern = probe.next("concern", stands=False)
        self.assertIn("lab/bad: Not authorized", concern["text"])
        probe.next("published", ticket=1, outcome="dropped")
        self.taken(probe, 2, "lab/good")
        self.assertEqual(len(broker.connects), 1)

    def test_too_large(self):
        """a report that is too large for the broker is dropped alone, and named; its topic goes on"""
        broker = self.at(Narrow)
        probe = self.online(broker)
        probe.say("publish 1 1 0 lab/a " + "x" * 200)
        self.assertIn("lab/a", probe.next("concern", stands=False)["text"])
        probe.next("published", ticket=1, outcome="dropped")
        self.reconnect(probe)
        self.taken(probe, 2, "lab/a")


class Retain(LimitsTest):
    def test_none(self):
        """at a broker without retained messages the agent works without them, and says what is missing"""
        broker = self.at(EventGrid)
        probe = self.probe(broker.port, "will_topic=lab/status", "will_payload=lost")
        concern = probe.next("concern", about="retained messages")
        self.assertTrue(concern["stands"])
        probe.next("online")
        probe.say("publish 1 1 1 lab/status here")
        probe.next("published", ticket=1, outcome="taken")
        self.assertEqual([c["will_retained"] for c in broker.connects if c], [True, False])
        self.assertEqual(broker.ended_over, [])


class Version(LimitsTest):
    def old(self, answer):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        self.came = 0

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                    if client.recv(1000):
                        self.came += 1
                        client.sendall(answer)
                    client.close()
                except OSError:
                    return
        threading.Thread(target=serve, daemon=True).start()
        return self.probe(server.getsockname()[1])

    def test_refused(self):
        """a broker that answers as MQTT 3 does is reported in one sentence, and left alone for minutes"""
        probe = self.old(bytes([0x20, 2, 0, 1]))
        probe.error("does not speak MQTT 5, which this agent needs")
        probe.pass_time(200)
        time.sleep(LOOKS_S)
        self.assertEqual(self.came, 1)
        self.assertIn("RabbitMQ", probe.health()["error"])

    def test_closed(self):
        """a broker that closes on each CONNECT is suspected not to speak MQTT 5"""
        probe = self.old(b"")
        wait_until(lambda: self.came >= 3 or probe.pass_time(1), "it came three times", PATIENCE_S)
        probe.error("probably does not speak MQTT 5")
        came = self.came
        probe.pass_time(100)
        time.sleep(LOOKS_S)
        self.assertEqual(self.came, came)


class Qos(LimitsTest):
    def test_none(self):
        """a broker without QoS 1 is reported in one sentence"""
        self.probe(self.at(NoQos).port).error("offers no QoS 1, which this agent needs")


if __name__ == "__main__":
    unittest.main()

"""The link against a real mosquitto broker."""
import collections
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from link_parts import (CONNACK, DISCONNECT_SHUTTING_DOWN, DISCONNECT_TAKEN_OVER, PATIENCE_S, PINGRESP, Broker, Probe, Proxy,
                        ScriptedBroker, free_port, make_certificates, wait_until)

SIDE_BY_SIDE = 6
IDLE_S = 2
IDLE_WAKES = 10          # a second; less than any polling, and more than a keepalive needs
IDLE_CPU = 0.1           # of a processor: on a busy machine each wake costs more
STAYS_AWAY_S = 4 * 60    # after a takeover, at least
COMES_BACK_S = 11 * 60   # at the latest
CONNECT_DEADLINE_S = 30  # of the link
LOOKS_S = 0.3            # so long it is watched that nobody connects


class LinkTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def broker(self, *settings, port=None):
        broker = Broker(self.folder, settings or ("allow_anonymous true",), port)
        self.addCleanup(broker.stop)
        return broker

    def probe(self, port, *options):
        probe = Probe("host=127.0.0.1", f"port={port}", "filter=lab/events/#", *options)
        self.addCleanup(probe.end)
        return probe

    def online(self, port, *options):
        probe = self.probe(port, *options)
        probe.next("online")
        return probe

    def subscribed(self, broker, *options):
        """A session kept by the broker."""
        probe = self.online(broker.port, *options)
        wait_until(lambda: "Sending SUBACK" in broker.log(), "the subscription stands")
        return probe

    def journal(self):
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split("\t")[1] for line in lines]

    def rests(self, probe, wait):
        """Neither polls nor spins while wait() runs."""
        began, wakes, cpu = time.monotonic(), probe.wakes(), probe.cpu_s()
        wait()
        seconds = time.monotonic() - began
        self.assertLess((probe.wakes() - wakes) / seconds, IDLE_WAKES)
        self.assertLess((probe.cpu_s() - cpu) / seconds, IDLE_CPU)

    def leave_session(self, broker):
        self.assertEqual(self.subscribed(broker).close(), 0)


class AcknowledgeAfterCommit(LinkTest):
    COUNT = 500

    def journal_up_to(self, last):
        """What is in it before a message that is published now: whatever was to come again has come."""
        self.kept_by.publish("lab/events/a", last)
        wait_until(lambda: last in self.journal(), "the last message is in the journal")
        return self.journal()[:-1]

    def killed(self, moment):
        broker = self.kept_by = self.broker()
        self.leave_session(broker)
        wanted = [f"evt_{i}" for i in range(self.COUNT)]
        broker.publish("lab/events/a", *wanted)
        journal = f"journal={self.folder}/journal"
        victim = self.probe(broker.port, journal, f"die={moment}")
        victim.process.wait(PATIENCE_S)
        before = self.journal()
        self.online(broker.port, journal)
        wait_until(lambda: set(self.journal()) >= set(wanted), "every message is in the journal")
        return wanted, before

    def test_killed_before_commit(self):
        """killed between receipt and commit, every message is redelivered and stored exactly once"""
        wanted, before = self.killed("before")
        self.assertEqual(before, [])
        self.assertEqual(self.journal_up_to("last"), wanted)

    def test_killed_after_commit(self):
        """killed between commit and acknowledgement, nothing is lost, and the committed messages are redelivered"""
        wanted, before = self.killed("after")
        self.assertGreater(len(before), 0)
        counts = collections.Counter(self.journal_up_to("last"))
        self.assertEqual(set(counts), set(wanted))
        self.assertEqual({m for m, n in counts.items() if n > 1}, set(before))

    def test_refused(self):
        """messages whose commit fails are not acknowledged, and are redelivered in order"""
        broker = self.broker()
        self.leave_session(broker)
        wanted = [f"evt_{i}" for i in range(self.COUNT)]
        broker.publish("lab/events/a", *wanted)
        probe = self.probe(broker.port, f"journal={self.folder}/journal", "refuse=3")
        wait_until(lambda: set(self.journal()) >= set(wanted), "every message is in the journal")
        self.assertEqual(self.journal(), wanted)
        self.assertGreaterEqual(probe.health()["reconnects"], 3)

    def test_never_committed(self):
        """while commits fail, the link retries less and less often"""
        broker = self.broker()
        self.leave_session(broker)
        broker.publish("lab/events/a", "evt_1")
        probe = self.probe(broker.port, "refuse=-1", "clock=1")
        probe.next("batch")
        for _ in range(30):
            probe.pass_time(0.5)
            time.sleep(0.05)
        # waits of 0.5, 1, 2, 4, 8 s, each times a random number from 0 to 1: some 5 to 8 tries, not 30
        self.assertLess(probe.health()["reconnects"], 15)

    def test_many_in_few_batches(self):
        """queued messages are committed in batches"""
        broker = self.broker()
        self.leave_session(broker)
        count, at_once = 2000, 200
        broker.publish("lab/events/a", *[f"evt_{i}" for i in range(count)])
        held = self.folder / "go on"
        probe = self.probe(broker.port, f"journal={self.folder}/journal", f"wait={held}", f"receive_maximum={at_once}")
        arrived = probe.next("batch")["count"]
        wait_until(lambda: broker.log().count("Sending PUBLISH to probe") >= at_once, "the broker has sent all that it may")
        held.touch()
        batches = 1
        while arrived < at_once:
            arrived += probe.next("batch")["count"]
            batches += 1
        self.assertLess(batches, at_once / 10)
        wait_until(lambda: len(self.journal()) == count, "every message is in the journal")


class Session(LinkTest):
    def test_resumed(self):
        """messages sent while the agent is offline arrive later, and its log says whether the session was kept"""
        broker = self.broker()
        probe = self.probe(broker.port)
        probe.next("online")
        probe.error("new session")
        wait_until(lambda: "Sending SUBACK" in broker.log(), "the subscription stands")
        probe.close()
        broker.publish("lab/events/a", "one", "two")
        broker.publish("lab/other", "not for us")
        again = self.probe(broker.port)
        self.assertEqual([again.next("message")["payload"] for _ in range(2)], ["one", "two"])
        if {"what": "online"} not in again.told:
            again.next("online")
        again.error("session resumed")

    def test_broker_restarts(self):
        """the link reconnects by itself once the broker is back, and reports that it was offline in between"""
        broker = self.broker()
        probe = self.subscribed(broker)
        broker.stop()
        probe.next("offline")
        probe.say("publish 7 1 0 lab/out x")
        probe.next("not published", ticket=7, status="disconnected")
        broker.start()
        probe.next("online")
        probe.error("session resumed")
        broker.publish("lab/events/a", "after")
        probe.next("message", payload="after")
        self.assertGreaterEqual(probe.health()["reconnects"], 1)

    def test_no_broker_at_first(self):
        """the link waits for a broker that is not running yet"""
        port = free_port()
        probe = self.probe(port)
        probe.error("cannot reach the broker")
        self.broker(port=port)
        probe.next("online")

    def test_taken_over(self):
        """when another client takes the session over, the link reports it, stays disconnected for minutes, then tries again"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, "clock=1")
            broker.session()
            broker.send(DISCONNECT_TAKEN_OVER)
            probe.error("two agents have the same name")
            self.stays_away(broker, probe)
            self.assertEqual(probe.health()["takeovers"], 1)
            probe.pass_time(COMES_BACK_S)
            broker.session()

    def stays_away(self, broker, probe):
        wait_until(lambda: probe.health()["state"] == "offline", "the session has ended")
        probe.pass_time(STAYS_AWAY_S)
        self.assertFalse(broker.someone_came(LOOKS_S))

    def test_goodbye_arrives(self):
        """at the end the broker has certainly received the goodbye: the connection is not reset while data is in flight"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, "will_topic=lab/agents/a/status", "will_payload=died", "clock=1",
                               "goodbye_payload=ended well")
            broker.subscriptions(2)
            probe.next("online")
            probe.pass_time(-PATIENCE_S)  # it lingers for a second only, and this machine may be busy
            probe.say("close")
            self.assertEqual(broker.packet()[0], 3)
            self.assertEqual(broker.packet()[0], 14)
            for _ in range(3):  # a broken pipe here is a connection that was reset
                broker.publish("lab/events/a", "too late")
                time.sleep(0.1)
            self.assertEqual(broker.peer.recv(1), b"")
            broker.peer.close()
            self.assertEqual(probe.process.wait(PATIENCE_S), 0)

    TOPIC = "lab/agents/a/status"

    def marked(self, broker, probe):
        """The probe publishes on its status topic. Returns the tag that it added."""
        probe.say(f"publish 1 0 1 {self.TOPIC} up")
        kind, body = broker.packet()
        self.assertEqual(kind, 3)
        name = body.index(b"labferry-mark") + len("labferry-mark")
        return body[name + 2:name + 2 + int.from_bytes(body[name:name + 2], "big")].decode()

    def stands_back(self, broker, probe):
        """It leaves a notice, disconnects, stays disconnected, and says why."""
        kind, body = broker.packet()
        self.assertEqual(kind, 3)
        self.assertIn(b"labferry-stands-back", body)
        self.assertTrue(body.endswith(b"another one"), body)
        self.assertEqual(broker.packet()[0], 14)
        probe.error("two agents have the same name")
        self.assertIn("two agents have the same name", probe.health()["duplicate"])
        self.stays_away(broker, probe)

    def will(self):
        return f"will_topic={self.TOPIC}", "will_payload=died", "duplicate_payload=another one", "clock=1"

    def test_duplicate_told(self):
        """notified by the broker of a takeover, it reconnects once to notify the other, then stays disconnected"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, *self.will())
            broker.subscriptions(2)
            probe.next("online")
            mark = self.marked(broker, probe)
            broker.publish(self.TOPIC, "up", labferry_mark=mark)
            broker.send(DISCONNECT_TAKEN_OVER)
            broker.subscriptions(2)
            broker.publish(self.TOPIC, "up", labferry_mark="0123456789abcdef-7")
            self.stands_back(broker, probe)

    def test_duplicate_told_twice(self):
        """taken over again without a trace of the other agent, it stays disconnected"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, *self.will())
            for _ in range(2):
                broker.subscriptions(2)
                broker.send(DISCONNECT_TAKEN_OVER)
            wait_until(lambda: probe.health()["takeovers"] == 2, "both are counted")
            self.stays_away(broker, probe)
            self.assertIn("two agents have the same name", probe.health()["duplicate"])

    def test_duplicate_order(self):
        """of two agents with the same name exactly one yields: the one whose tag was overwritten last"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, *self.will())
            broker.subscriptions(2)
            strange = {"labferry_mark": "0123456789abcdef-7"}
            probe.next("online")
            broker.publish(self.TOPIC, "up", **strange)  # before our own: of an earlier life
            first = self.marked(broker, probe)
            broker.publish(self.TOPIC, "up", labferry_mark=first)
            second = self.marked(broker, probe)
            broker.publish(self.TOPIC, "up", **strange)  # ours is on its way: we are the later one
            broker.publish(self.TOPIC, "up", labferry_mark=second)
            broker.publish(self.TOPIC, "gone", labferry_stands_back="yes", **strange)
            probe.error("was connected and yields")
            wait_until(lambda: "two agents have the same name" in (probe.health()["duplicate"] or ""), "health reports it too")
            self.marked(broker, probe)  # still there, and this mark is lost on its way
            fourth = self.marked(broker, probe)
            broker.publish(self.TOPIC, "up", labferry_mark=fourth)
            broker.publish(self.TOPIC, "up", **strange)
            self.stands_back(broker, probe)

    def test_duplicate_cut_mark(self):
        """a tag that differs from ours in its id alone is foreign"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, *self.will())
            broker.subscriptions(2)
            probe.next("online")
            mark = self.marked(broker, probe)
            broker.publish(self.TOPIC, "up", labferry_mark=mark)
            broker.publish(self.TOPIC, "up", labferry_mark=mark.split("-")[0])
            self.stands_back(broker, probe)

    def test_will(self):
        """the last will is published when the agent crashes, the goodbye when it stops cleanly"""
        broker = self.broker()
        will = ("will_topic=lab/agents/a/status", "will_payload=died")
        probe = self.online(broker.port, *will)
        probe.say("publish 1 1 1 lab/agents/a/status up")
        probe.next("published", ticket=1)
        self.assertEqual(broker.read("lab/agents/a/status", 1), ["up"])
        probe.process.kill()
        wait_until(lambda: broker.read("lab/agents/a/status", 1) == ["died"], "the last will is retained")
        probe = self.online(broker.port, *will, "goodbye_payload=ended well")
        self.assertEqual(probe.close(), 0)
        wait_until(lambda: broker.read("lab/agents/a/status", 1) == ["ended well"], "the goodbye is retained")

    def test_will_without_goodbye(self):
        """a clean stop without a goodbye still publishes the last will"""
        broker = self.broker()
        probe = self.online(broker.port, "will_topic=lab/agents/a/status", "will_payload=died")
        probe.say("publish 1 1 1 lab/agents/a/status up")
        probe.next("published", ticket=1)
        self.assertEqual(probe.close(), 0)
        wait_until(lambda: broker.read("lab/agents/a/status", 1) == ["died"], "the last will is retained")

    def test_subscription_refused(self):
        """a refused subscription is reported, and the others work"""
        events = {"acltype": "subscribePattern", "topic": "lab/events/#", "priority": 0, "allow": True}
        rules = {"defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True,
                                      "subscribe": False, "unsubscribe": True},
                 "roles": [{"rolename": "reader", "acls": [events]}],
                 "groups": [{"groupname": "all", "roles": [{"rolename": "reader"}], "clients": []}],
                 "anonymousGroup": "all", "clients": []}
        (self.folder / "rules.json").write_text(json.dumps(rules))
        plugin = next(pathlib.Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
        broker = self.broker("allow_anonymous true", f"plugin {plugin}",
                             f"plugin_opt_config_file {self.folder}/rules.json")
        probe = self.subscribed(broker, "filter=lab/agents/a/command")
        probe.error("refuses")
        broker.publish("lab/events/a", "still works")
        probe.next("message", payload="still works")

    def test_subscription_granted_later(self):
        """a refused subscription is retried until it is granted; each time the link reports that events may have been missed"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port)
            broker.accept()
            broker.send(CONNACK)
            for reason, granted in ((0x87, False), (0x87, False), (1, True)):
                kind, body = broker.packet()
                self.assertEqual(kind, 8)
                broker.send(bytes([0x90, 4]) + body[:2] + bytes([0, reason]))
                probe.next("online")
                self.assertEqual("refuses" in (probe.health().get("error") or ""), not granted)
            probe.error("now grants all subscriptions")
            self.assertEqual("".join(probe.errors).count(" error "), 1, "logged as an error once")

    def test_retained_once(self):
        """a retained message is not sent again at every reconnect"""
        broker = self.broker()
        broker.publish("lab/events/a", "kept", options=("-r",))
        probe = self.online(broker.port)
        probe.next("message", payload="kept", retained=True)
        probe.close()
        again = self.online(broker.port)
        broker.publish("lab/events/b", "new")
        again.next("message", payload="new")
        self.assertEqual([line for line in again.told if line.get("payload") == "kept"], [])


class Messages(LinkTest):
    def test_properties(self):
        """response topic, correlation data, expiry and the sender's name are passed on with a message"""
        broker = self.broker()
        probe = self.subscribed(broker)
        properties = {"response-topic": "lab/reply", "correlation-data": "c-77",
                      "message-expiry-interval": "60"}
        options = [word for name, value in properties.items() for word in ("-D", "publish", name, value)]
        options += ["-D", "publish", "user-property", "desk", "3", "-D", "publish", "user-property", "user", "maria"]
        broker.publish("lab/events/a", "ask", options=options)
        message = probe.next("message", payload="ask")
        self.assertEqual((message["response_topic"], message["correlation"], message["too_large"]),
                         ("lab/reply", "c-77", False))
        self.assertEqual(message["user"], "maria")
        self.assertIn(message["expiry_s"], range(50, 61))
        broker.publish("lab/events/a", "plain")
        message = probe.next("message", payload="plain")
        self.assertEqual((message["response_topic"], message["correlation"], message["user"]), (None, "", None))
        self.assertEqual(message["expiry_s"], -1)

    def test_too_large(self):
        """a message over the size limit is reported with its size and without its content, and later messages arrive"""
        broker = self.broker()
        probe = self.subscribed(broker, "max_message=1000")
        broker.publish("lab/events/a", "x" * 5000, "y" * 1000)
        message = probe.next("message", too_large=True)
        self.assertEqual((message["payload"], message["too_large_size"]), ("", 5000))
        probe.next("message", payload="y" * 1000, too_large=False)

    def test_out(self):
        """publications are sent in order, with correlation data, and each is reported once the broker has it"""
        broker = self.broker()
        probe = self.online(broker.port)
        reader = subprocess.Popen(["mosquitto_sub", "-V", "5", "-p", str(broker.port), "-t", "lab/out",
                                   "-q", "1", "-C", "300", "-W", str(PATIENCE_S), "-F", "%p %D"], stdout=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.wait, 2 * PATIENCE_S)
        wait_until(lambda: broker.log().count("Sending SUBACK") >= 2, "the reader listens")
        for i in range(1, 301):
            probe.say(f"publish {i} 1 0 lab/out job {i}")
        tickets = [probe.next("published", outcome="taken")["ticket"] for _ in range(300)]
        self.assertEqual(sorted(tickets), list(range(1, 301)))
        lines = reader.stdout.read().decode().splitlines()
        self.assertEqual([line.split(" correlation")[0].removesuffix(" corr-1") for line in lines],
                         [f"job {i}" for i in range(1, 301)])
        self.assertTrue(all("corr-1" in line for line in lines))

    def test_out_while_committing(self):
        """while a commit takes long, publications queue up to a limit; a lost connection drops them without a report"""
        broker = self.broker()
        held = self.folder / "go on"
        probe = self.subscribed(broker, f"wait={held}", "refuse=1")
        broker.publish("lab/events/a", "slow")
        probe.next("batch")
        for i in range(1, 1003):
            probe.say(f"publish {i} 1 0 lab/out job {i}")
        self.assertEqual(probe.next("not published")["ticket"], 1001)
        self.assertEqual(probe.next("not published")["status"], "full")
        held.touch()
        probe.next("offline")
        probe.next("message", payload="slow")
        wait_until(lambda: probe.health()["state"] == "online", "the session is whole")
        probe.say("publish 2000 1 0 lab/out after")
        probe.next("published", ticket=2000, outcome="taken")
        self.assertEqual([line["ticket"] for line in probe.told if line["what"] == "published"], [2000])

    def test_out_too_large(self):
        """correlation data too long for MQTT is refused before it is sent; the session goes on"""
        broker = self.broker()
        probe = self.online(broker.port, "correlation=65536")
        probe.say("publish 1 1 0 lab/out x")
        self.assertEqual(probe.next("not published", ticket=1)["status"], "invalid")
        self.assertEqual(probe.health()["state"], "online")

    def test_out_only(self):
        """a link that subscribes to nothing comes up and publishes"""
        broker = self.broker()
        probe = Probe("host=127.0.0.1", f"port={broker.port}")
        self.addCleanup(probe.end)
        probe.next("online")
        probe.say("publish 1 1 1 lab/out x")
        probe.next("published", ticket=1, outcome="taken")
        self.assertEqual(broker.read("lab/out", 1), ["x"])

    def test_out_refused(self):
        """a publication refused by the broker's access rules is reported as dropped, and the session goes on"""
        (self.folder / "acl").write_text("topic readwrite lab/events/#\ntopic readwrite lab/out\n")
        broker = self.broker("allow_anonymous true", f"acl_file {self.folder}/acl")
        probe = self.online(broker.port)
        probe.say("publish 1 1 0 secret/topic x")
        probe.next("published", ticket=1, outcome="dropped")
        probe.say("publish 2 1 0 bad/+/topic x")
        probe.next("published", ticket=2, outcome="dropped")
        probe.say("publish 3 1 0 lab/out x")
        probe.next("published", ticket=3, outcome="taken")


class Access(LinkTest):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.certificates = pathlib.Path(temporary.name)
        make_certificates(cls.certificates)

    def certificate(self, name):
        return self.certificates / name

    def tls_broker(self, certificate="broker"):
        return self.broker("allow_anonymous true", f"cafile {self.certificate('ca.crt')}",
                           f"certfile {self.certificate(certificate + '.crt')}",
                           f"keyfile {self.certificate(certificate + '.key')}", "require_certificate true")

    def tls(self, port, *more, ca="ca", client="client", host="localhost"):
        options = [*more, "tls=1", f"host={host}", f"ca={self.certificate(ca + '.crt')}"]
        if client:
            options += [f"cert={self.certificate(client)}.crt", f"key={self.certificate(client)}.key"]
        return self.probe(port, *options)

    def tls_options(self):
        return ("--cafile", str(self.certificate("ca.crt")), "--cert", str(self.certificate("client.crt")),
                "--key", str(self.certificate("client.key")))

    def test_tls(self):
        """TLS with a client certificate works, also for large messages"""
        broker = self.tls_broker()
        probe = self.tls(broker.port)
        probe.next("online")
        wait_until(lambda: "Sending SUBACK" in broker.log(), "the subscription stands")
        broker.publish("lab/events/a", "z" * 200000, "end", options=self.tls_options())
        self.assertEqual(probe.next("message")["payload"], "z" * 200000)
        probe.next("message", payload="end")
        self.assertEqual(probe.close(), 0)

    def test_tls_refusals(self):
        """another CA, and a missing or foreign client certificate, are refused, and TLS is named as the cause"""
        broker = self.tls_broker()
        for options in ({"ca": "other"}, {"client": None}, {"client": "stranger"}):
            with self.subTest(**options):
                probe = self.tls(broker.port, **options)
                probe.error("link: ")
                wait_until(lambda: probe.health()["reconnects"], "it tries again")
                self.assertNotIn("online", [line["what"] for line in probe.told])
                self.assertRegex("".join(probe.errors), "(?i)TLS|certificate|alert")
                probe.end()

    def test_tls_host(self):
        """a certificate for another host is refused"""
        broker = self.tls_broker("elsewhere")
        probe = self.tls(broker.port)
        probe.error("TLS failed")
        self.assertEqual(probe.health()["state"] == "online", False)

    def test_tls_encrypted_key(self):
        """an encrypted key is reported as a failure; nobody is asked for a passphrase on a terminal"""
        broker = self.tls_broker()
        subprocess.run(["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", self.certificate("client.key"), "-out",
                        self.folder / "locked.key"], check=True, capture_output=True, timeout=60)
        probe = self.probe(broker.port, "tls=1", "host=localhost", f"ca={self.certificate('ca.crt')}",
                           f"cert={self.certificate('client.crt')}", f"key={self.folder}/locked.key")
        probe.error("TLS failed")
        self.assertNotEqual(probe.health()["state"], "online")

    def test_tls_many_at_once(self):
        """messages that share one TLS record are all read at once; none waits for the next record"""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate("broker.crt"), self.certificate("broker.key"))
        with ScriptedBroker(context) as broker:
            probe = self.tls(broker.port, "keepalive=600")  # nothing else wakes it
            broker.session()
            probe.next("online")
            broker.send(b"".join(broker.message("lab/events/a", f"evt_{i}") for i in range(20)))
            for i in range(20):
                probe.next("message", payload=f"evt_{i}")

    def test_password(self):
        """a wrong password is reported as something a person must fix; the file is read at every attempt"""
        users = self.folder / "users"
        subprocess.run(["mosquitto_passwd", "-b", "-c", users, "bench-3", "right"], check=True)
        broker = self.broker("allow_anonymous false", f"password_file {users}")
        secret = self.folder / "password"
        secret.write_text("wrong\n")
        secret.chmod(0o600)
        probe = self.probe(broker.port, "username=bench-3", f"password_file={secret}")
        probe.error("Check link.username")
        secret.write_text("right\n")
        probe.next("online")
        self.assertNotIn("right", "".join(probe.errors))

    def test_open_password_file(self):
        """a password file that others can read is refused, and named"""
        broker = self.broker()
        secret = self.folder / "password"
        secret.write_text("x\n")
        secret.chmod(0o644)
        probe = self.probe(broker.port, "username=bench-3", f"password_file={secret}")
        probe.error("chmod 600")

    def test_half_a_record(self):
        """half a TLS record does not make the link spin"""
        broker = self.tls_broker()
        proxy = Proxy(broker.port)
        self.addCleanup(proxy.close)
        probe = self.tls(proxy.port)
        probe.next("online")
        proxy.holding = 10
        broker.publish("lab/events/a", "late", options=self.tls_options())
        wait_until(lambda: proxy.held, "the proxy holds bytes back")
        self.rests(probe, lambda: time.sleep(IDLE_S))
        proxy.release()
        probe.next("message", payload="late")


class Quiet(LinkTest):
    def test_idle(self):
        """an idle link neither polls nor uses processor time, and keeps the connection alive"""
        broker = self.broker()
        probe = self.online(broker.port, "keepalive=5")
        self.rests(probe, lambda: wait_until(lambda: broker.log().count("Received PINGREQ") >= 2, "it has pinged twice"))
        self.assertEqual(probe.health()["reconnects"], 0)

    def stops_early(self, probe):
        """Long before it would give the broker up."""
        began = time.monotonic()
        self.assertEqual(probe.close(), 0)
        self.assertLess(time.monotonic() - began, CONNECT_DEADLINE_S / 2)

    def connected(self, server):
        """Waits for a client that has sent something; one that only looks whether someone listens is let go."""
        server.settimeout(PATIENCE_S)
        while True:
            peer = server.accept()[0]
            self.addCleanup(peer.close)
            peer.settimeout(PATIENCE_S)
            if peer.recv(1, socket.MSG_PEEK):
                return

    def test_silent_broker(self):
        """a broker that accepts the connection and stays silent does not delay the stop"""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            probe = self.probe(deaf.getsockname()[1])
            self.connected(deaf)
            self.stops_early(probe)

    def test_silent_tls(self):
        """a broker that does not answer the TLS handshake does not delay the stop"""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            probe = self.probe(deaf.getsockname()[1], "tls=1", "ca=/etc/ssl/certs/ca-certificates.crt")
            self.connected(deaf)
            self.stops_early(probe)

    def test_unreachable(self):
        """an address that does not answer (a listener whose queue is full) does not delay the stop"""
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            probe = self.probe(port)
            wait_until(lambda: probe.health()["state"] == "connecting", "it tries")
            self.stops_early(probe)

    def test_no_answer(self):
        """a broker that never answers CONNECT is dropped and reported"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, "keepalive=10")
            broker.accept()
            probe.error("does not answer")
            self.assertNotIn("silent", "".join(probe.errors))

    def test_no_subscription(self):
        """a broker that never answers the subscription is dropped after half a minute, although it answers pings"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port, "keepalive=5", "clock=1")
            broker.accept()
            broker.send(CONNACK)
            self.assertEqual(broker.packet()[0], 8)
            self.assertEqual(broker.packet()[0], 12)  # a ping
            broker.send(PINGRESP)
            self.assertEqual(probe.health()["state"], "connecting")
            probe.pass_time(CONNECT_DEADLINE_S)
            probe.error("does not answer")
            self.assertNotIn("online", [line["what"] for line in probe.told])

    def test_broker_goes(self):
        """a broker that ends the session with a reason is quoted"""
        with ScriptedBroker() as broker:
            probe = self.probe(broker.port)
            broker.session()
            probe.next("online")
            broker.send(DISCONNECT_SHUTTING_DOWN)
            self.assertRegex(probe.next("offline")["why"], "(?i)ended the session: server shutting down")

    def test_no_such_host(self):
        """a broker whose name cannot be resolved is reported with its name"""
        probe = Probe("host=no..name", "port=1883", "filter=lab/events/#")
        self.addCleanup(probe.end)
        probe.error("no..name")

    def test_last_will_refused(self):
        """an impossible last will is reported with its topic, and the link does not connect without it"""
        broker = self.broker()
        probe = self.probe(broker.port, "will_topic=lab/+/status", "will_payload=died")
        probe.error("the last will on lab/+/status is invalid")
        self.assertNotIn("New client connected", broker.log())

    def test_garbage(self):
        """a peer that does not speak MQTT is dropped, reported, and retried later"""
        with socket.create_server(("127.0.0.1", 0)) as server:
            probe = self.probe(server.getsockname()[1])
            for _ in range(2):  # the first may only have looked whether someone listens
                peer, _ = server.accept()
                try:
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + os.urandom(64))
                    peer.close()
                except OSError:
                    pass
            probe.error("link: ")
            self.assertEqual(probe.close(), 0)


if __name__ == "__main__":
    unittest.main()

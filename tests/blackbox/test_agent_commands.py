"""Commands to the whole agent: over MQTT as an ordinary client sends them, and by the command line. Built programs, a real broker and
simulated instruments."""
import collections
import json
import os
import random
import signal
import subprocess
import time
import unittest

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from whole import BASE, SOON, WithLab

SIDE_BY_SIDE = 3
FLOOD = 2000  # commands; twice what may wait, and more than are answered while a file is delivered
FINAL = ("succeeded", "failed")


class Commands(WithLab):
    """`said` collects every answer by id, as (state, class of the error, result)."""

    def setUp(self):
        super().setUp()
        self.said = collections.defaultdict(list)
        self.lab.start_all()
        self.client = mqtt.Client("commander", protocol=mqtt.MQTTv5)
        self.client.on_message = self.on_message
        self.client.on_connect = lambda client, *_: client.subscribe([("commander/answers", mqtt.SubscribeOptions(qos=1)),
                                                                      (f"{BASE}/reply/#", mqtt.SubscribeOptions(qos=1))])
        self.subscribed = 0  # how often the broker has confirmed it
        self.client.on_subscribe = self.on_subscribe
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", self.lab.broker_port, clean_start=False, properties=keep)
        self.client.loop_start()
        self.addCleanup(self.client.loop_stop)
        self.lab.until("the client listens", lambda: self.subscribed)

    def on_subscribe(self, *_):
        self.subscribed += 1

    def on_message(self, _client, _self, message):
        answer = json.loads(message.payload)
        if message.topic == "commander/answers":
            assert message.properties.CorrelationData.decode() == f"about {answer['id']}", message.properties
        self.said[answer["id"]].append((answer["state"], (answer.get("error") or {}).get("class"), answer.get("result")))

    def send(self, name, verb, args=None, **more):
        asked = Properties(PacketTypes.PUBLISH)
        asked.ResponseTopic = "commander/answers"
        asked.CorrelationData = f"about {name}".encode()
        self.client.publish(f"{BASE}/command", json.dumps({"id": name, "verb": verb, "args": args or {}, **more}), 1,
                            properties=asked)

    def verdict(self, name):
        return next((said for said in self.said[name] if said[0] in FINAL), None)

    def wait_verdict(self, name):
        return self.lab.until(f"a verdict on {name}", lambda: self.verdict(name))

    def test_run(self):
        """a command is accepted, runs and succeeds, in this order, and what it asked for is done once"""
        args = {"instrument": "balance-1", "procedure": "weigh"}
        self.send("r1", "run", args)
        job = self.wait_verdict("r1")[2]["id"]
        self.assertEqual([said[0] for said in self.said["r1"]], ["accepted", "running", "succeeded"])
        self.assertEqual(self.lab.wait_state(job, "done")["note"], "weight 12.34, unit g")
        self.send("r1", "run", args)
        self.lab.until("the stored answer", lambda: len(self.said["r1"]) == 4)
        self.assertEqual(self.said["r1"][3], self.said["r1"][2])
        self.assertEqual(len(self.lab.jobs()), 1)

    def test_no_response_topic(self):
        """without a response topic the answers go to reply/<id>"""
        self.client.publish(f"{BASE}/command", '{"id": "plain", "verb": "jobs"}', 1)
        self.assertEqual(self.wait_verdict("plain"), ("succeeded", None, []))

    def test_kill(self):
        """with the agent killed at any moment, each command gets one verdict, and what succeeded was done once"""
        dice = random.Random(int(os.environ.get("LF_SEED", "20261122")))
        kinds = [("run", {"instrument": "balance-1", "procedure": "weigh"}), ("jobs", {"limit": 2}),
                 ("ask", {"instrument": "balance-1", "command": "weigh-now"})]
        names = [f"k{number}" for number in range(36)]
        for number, name in enumerate(names):
            self.send(name, *kinds[number % 3])
            time.sleep(dice.uniform(0, 0.15))
            if number % 4 == 3:
                self.lab.stop("agent", signal.SIGKILL)
                self.lab.start_agent(wait=False)
                time.sleep(dice.uniform(0, 0.4))
        for name in names:
            self.wait_verdict(name)
        for number, name in enumerate(names[::5]):
            before = len(self.said[name])
            self.send(name, *kinds[number * 5 % 3])
            self.lab.until(f"the stored answer to {name}", lambda name=name, before=before: len(self.said[name]) > before)
        for name in names:
            self.assertEqual(len({said[:2] for said in self.said[name] if said[0] in FINAL}), 1, (name, self.said[name]))
        for name in names[0::3] + names[1::3]:  # all that they do is in the journal: nothing about them can be unknown
            self.assertEqual(self.verdict(name)[0], "succeeded", self.said[name])
        for name in names[2::3]:
            self.assertIn(self.verdict(name)[:2], [("succeeded", None), ("failed", "unknown outcome"), ("failed", "transient")])
        self.assertEqual(len(self.lab.jobs()), len(names[0::3]))

    def test_flood(self):
        """in a flood of commands each gets one verdict, few wait, and a worklist does not wait until all are answered"""
        lab, ended = self.lab, collections.Counter()
        self.client.message_callback_add(f"{BASE}/reply/#", lambda _client, _self, message: ended.update(
            [message.topic] if json.loads(message.payload)["state"] in FINAL else []))
        flood = subprocess.Popen(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(lab.broker_port), "-V", "5", "-q", "1", "-l", "-t",
                                  f"{BASE}/command"], stdin=subprocess.PIPE)
        self.addCleanup(flood.wait)
        flood.stdin.write(b"".join(b'{"id": "f%d", "verb": "instruments"}\n' % number for number in range(FLOOD)))
        flood.stdin.close()
        lab.until("the flood has come", lambda: ended)
        lab.generate(name="amid.csv")
        job = lab.until("the worklist is delivered", lambda: [j for j in lab.jobs() if j["what"] == "amid.csv" and j["state"] == "done"])
        answered = len(ended)
        self.assertLess(answered, FLOOD, job)
        storage = lab.ask("status")["storage"]
        self.assertLessEqual(storage["commands"], storage["commands_max"])
        lab.until("each has its verdict", lambda: len(ended) == FLOOD, 180)
        self.assertEqual(set(ended.values()), {1})
        self.send("after", "jobs")
        self.assertEqual(self.wait_verdict("after")[0], "succeeded")

    def test_replayed(self):
        """a command that comes again after each restart, with other arguments too, is done once, and so is a retained one"""
        lab, args = self.lab, {"instrument": "balance-1", "procedure": "weigh"}
        self.client.publish(f"{BASE}/command", json.dumps({"id": "kept", "verb": "run", "args": args}), 1, retain=True)
        self.send("r1", "run", args)
        job = self.wait_verdict("r1")[2]["id"]
        lab.wait_state(job, "done")
        done = len(lab.jobs())  # while we are connected, a message that will be retained comes as any other
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            lab.restart_agent(how)
            before = len(self.said["r1"])
            self.send("r1", "run", args)
            lab.until("the stored answer", lambda before=before: len(self.said["r1"]) > before)
            self.assertEqual(self.said["r1"][-1][2]["id"], job)
            before = len(self.said["r1"])
            self.send("r1", "run", {**args, "instrument": "hamilton-1"})
            lab.until("it is refused", lambda before=before: len(self.said["r1"]) > before)
            self.assertEqual(self.said["r1"][-1][:2], ("failed", "permanent"))
        self.assertEqual(len(lab.jobs()), done)

    def test_broker_outage(self):
        """answers that could not be sent while the broker was away come when it is back"""
        lab = self.lab
        balance, agent = lab.parts["balance"], lab.parts["agent"]
        lab.until("the balance is there", lambda: lab.ask("instruments", instrument="balance-1")[0]["state"] == "idle")
        balance.send_signal(signal.SIGSTOP)
        self.send("w1", "ask", {"instrument": "balance-1", "command": "weigh-now"})
        lab.until("the command runs", lambda: len(self.said["w1"]) == 2)
        lab.stop("broker", signal.SIGTERM)
        lab.until("the agent notices", lambda: not lab.online())
        balance.send_signal(signal.SIGCONT)
        lab.until("it is done", lambda: "w1 (ask) succeeded" in lab.log("agent"))
        agent.send_signal(signal.SIGSTOP)  # until somebody listens again: this broker has forgotten its sessions
        before = self.subscribed
        lab.start_broker()
        lab.until("the client listens again", lambda: self.subscribed > before)
        agent.send_signal(signal.SIGCONT)
        self.wait_verdict("w1")
        self.assertEqual([said[0] for said in self.said["w1"]][-1], "succeeded")


class ByHand(WithLab):
    """The command line beside a running agent."""

    def labferry(self, *words, code=0):
        done = subprocess.run([self.lab.program("labferry"), "--config", str(self.lab.home / "labferry.conf"), *map(str, words)],
                              capture_output=True, text=True, timeout=SOON, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def test_all(self):
        """a person can look, send, run, ask, pause and resume from the command line, and --wait reports how it ended"""
        self.lab.start_all()
        self.lab.until("the balance is there", lambda: self.lab.ask("instruments", instrument="balance-1")[0]["state"] == "idle")
        self.assertIn("Nothing needs attention", self.labferry("status"))
        self.assertIn("B021002593", self.labferry("instruments", "balance-1"))
        self.assertIn("12.34", self.labferry("run", "balance-1", "weigh", "--wait"))
        self.assertIn("12.34", self.labferry("ask", "balance-1", "weigh-now"))
        self.assertIn("--once", self.labferry("ask", "balance-1", "tare", code=1))
        self.assertIn('did you mean "weigh"', self.labferry("run", "balance-1", "wiegh", code=1))
        worklist = self.lab.home / "mine.csv"
        worklist.write_text("Sample,Source well,Target well,Volume\nS-1,A1,B1,50\n")
        worklist.chmod(0o600)
        self.labferry("send", "hamilton-1", worklist, "--name", "plate-1.csv", "--wait")
        self.assertIn("cannot", self.labferry("send", "balance-1", worklist, code=1))
        held = self.lab.until("its result is held", lambda: self.lab.jobs(state="held"))[0]["id"]
        self.assertIn("assign", self.labferry("status"))
        self.assertIn("assign", self.labferry("job", held))
        self.labferry("job", held, "--wait", code=6)
        self.labferry("cancel", held, "--why", "only a test", "--wait")
        self.labferry("job", held, "--wait", code=1)
        self.assertIn("only a test", self.labferry("job", held))
        self.labferry("pause", "balance-1", "--why", "cleaning")
        self.lab.restart_agent()
        self.assertRegex(self.labferry("status"), "balance-1 is paused by cli:[^ ]+: cleaning")
        self.assertIn("resume it first", self.labferry("ask", "balance-1", "tare", "--once", code=1))
        self.labferry("run", "balance-1", "weigh", "--wait", "--timeout", "1s", code=7)
        self.labferry("resume", "all")
        job = max(job["id"] for job in self.lab.jobs())
        self.labferry("job", job, "--wait")
        self.labferry("retry", job, code=1)
        self.labferry("job", 999, code=1)
        self.assertEqual(len(json.loads(self.labferry("jobs", "--json"))), 4)


if __name__ == "__main__":
    unittest.main()

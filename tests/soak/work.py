"""What the tenant, the people and the instruments want done, at a steady rate, and the ledger of it.

Each piece of work is an Item; judge.py closes it once everybody agrees that it was done, exactly once."""
import collections
import json
import random
import threading
import time

import bench
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ROWS, MEDIUM_ROWS, LARGE_ROWS = 8, 5000, 130_000  # the results of large ones have more than 10 MB: they go up in parts
MEDIUM_EVERY, LARGE_EVERY, LARGE_FIRST = 40, 300, 60
BACKLOG_MAX = 400  # open pieces of work: then nothing is added until the agent has caught up
AGAIN_S = 15  # a command without a verdict is sent again, with the same id, as a careful sender does
FINAL = ("succeeded", "failed")
MIX = {"worklist": 45, "weigh": 18, "measure": 14, "print": 5, "command": 8, "read": 10, "noise": 8}


class Item:
    def __init__(self, kind, name, **facts):
        self.kind, self.name, self.made = kind, name, time.monotonic()
        self.done, self.why = False, "not looked at"
        self.__dict__.update(facts)


class Commander:
    """Sends commands over MQTT and keeps every answer: {id: [(state, class of the error, result), ...]}."""

    def __init__(self, lab):
        self.said = collections.defaultdict(list)
        self.client = mqtt.Client("soak-commander", protocol=mqtt.MQTTv5)
        self.client.on_message = self.on_message
        self.client.on_connect = lambda client, *_: client.subscribe([("soak/answers", mqtt.SubscribeOptions(qos=1))])
        self.client.reconnect_delay_set(1, 2)
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600
        self.client.connect("127.0.0.1", lab.broker_port, clean_start=False, properties=keep)
        self.client.loop_start()

    def on_message(self, _client, _self, message):
        answer = json.loads(message.payload)
        self.said[answer["id"]].append((answer["state"], (answer.get("error") or {}).get("class"), answer.get("result")))

    def send(self, name, verb, args):
        asked = Properties(PacketTypes.PUBLISH)
        asked.ResponseTopic = "soak/answers"
        self.client.publish(f"{bench.whole.BASE}/command", json.dumps({"id": name, "verb": verb, "args": args}), 1, properties=asked)

    def verdicts(self, name):
        return [said for said in list(self.said[name]) if said[0] in FINAL]

    def end(self):
        self.client.loop_stop()
        self.client.disconnect()


class Work:
    def __init__(self, lab, seed, rate, broken=None):
        self.lab, self.dice, self.rate, self.broken = lab, random.Random(f"work-{seed}"), rate, broken
        self.commander = Commander(lab)
        self.lock, self.items, self.made = threading.Lock(), [], collections.Counter()
        self.waited = 0

    def open(self):
        with self.lock:
            return [item for item in self.items if not item.done]

    def add(self, kind, name, **facts):
        with self.lock:
            self.items.append(Item(kind, name, **facts))

    def step(self):
        """One piece of work, then a pause. Called again and again."""
        if len(self.open()) >= BACKLOG_MAX:
            self.waited += 1
            return 1
        kind = self.dice.choices(list(MIX), MIX.values())[0]
        self.made[kind] += 1
        try:
            getattr(self, "make_" + kind)(self.made[kind])
        except bench.AWAY:
            # Nothing was promised if the tenant or the desk did not take it; the control API of the tenant has no faults.
            self.made[kind] -= 1
        return min(self.dice.expovariate(self.rate), 5 / self.rate)

    # ---- the kinds

    def make_worklist(self, number):
        rows = LARGE_ROWS if number % LARGE_EVERY == LARGE_FIRST else MEDIUM_ROWS if number % MEDIUM_EVERY == 0 else ROWS
        run = self.lab.ask_cloud("/sim/runs", {})["id"]
        # What is in it makes each one different, so that the liquid handler can tell if one comes twice.
        header, line = "Sample,Source well,Target well,Volume\n", "{},A1,B1,50\n"
        content = header + "".join(line.format(f"W{number}-{row}") for row in range(rows))
        told = not (self.broken == "lost" and number == 1)
        made = self.lab.ask_cloud(f"/sim/runs/{run}/input", {"name": f"{run}_{number}.csv", "content": content, "emit": told})
        self.add("worklist", run, sha256=made["sha256"], rows=rows)

    def task(self, kind, schema, number):
        sample = f"{kind[0].upper()}-{number}"
        made = self.lab.ask_cloud("/sim/tasks", {"schema": schema, "fields": {"Sample": {"value": sample}}})
        self.add(kind, sample, task=made["id"])

    def make_weigh(self, number):
        self.task("weigh", "Weigh sample", number)

    def make_measure(self, number):
        self.task("measure", "Measure voltage", number)

    def make_print(self, number):
        """Somebody presses the Print key of the other balance; each time with another weight on it."""
        weight = f"{number // 100 + 1}.{number % 100:02}"
        ready = self.lab.ask("instruments", instrument="balance-2")[0]["state"] == "idle"
        self.lab.tell("printer", f"weight {weight}")
        self.lab.tell("printer", "print")
        self.add("print", weight, heard=ready)

    def make_command(self, number):
        if number % 2:
            item = Item("command", f"run-{number}", verb="run", args={"instrument": "balance-1", "procedure": "weigh"})
        else:
            item = Item("command", f"look-{number}", verb="jobs", args={"limit": 3})
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.commander.send(item.name, item.verb, item.args)
        item.sent = time.monotonic()
        with self.lock:
            self.items.append(item)

    def make_read(self, _number):
        verb, args = self.dice.choice((("status", {}), ("events", {"limit": 50}), ("audit", {"limit": 50}), ("instruments", {}),
                                       ("jobs", {"limit": 100})))
        self.lab.ask(verb, **args)

    def make_noise(self, number):
        """What a relay and others send besides: resent, out of order, not ours, nonsense."""
        topic = f"labferry/{bench.whole.SITE}/events/v2.workflowTask.created"
        what = number % 4
        if what == 0:
            self.lab.ask_cloud("/sim/events/replay", {"last": self.dice.randint(1, 20), "times": self.dice.randint(1, 3),
                                                      "order": self.dice.choice(("same", "reverse", "shuffle"))})
        elif what == 1:  # a task that no route wants
            self.lab.ask_cloud("/sim/events", {"type": "v2.workflowTask.created", "key": "workflowTask", "resource": {
                "id": f"wftask_none{number}", "schema": {"id": "ts_none", "name": "Nobody does this"}}})
        elif what == 2:
            self.lab.ask_cloud("/sim/publish", {"topic": topic, "payload": "{\"version\": \"0\", \"detail\": "})
        else:
            self.lab.ask_cloud("/sim/publish", {"topic": topic, "payload": json.dumps({"id": number, "hello": ["world"]})})

    def remind(self):
        """Commands that have no verdict are sent again: the sender cannot know how far they got."""
        for item in self.open():
            if item.kind == "command" and time.monotonic() - item.sent > AGAIN_S:
                self.commander.send(item.name, item.verb, item.args)
                item.sent = time.monotonic()
                self.made["command sent again"] += 1
        return 1

"""The network between the agent and everything else fails: some or all packets are lost silently."""
import time
import unittest

from lossy import NEAR_ADDRESS, Lossy
from whole import BY_NAME, FAST, Exactly, config

SIDE_BY_SIDE = 2
LOSS = 0.2
KEEPALIVE_S = 10
ROUNDS = 3
CLOUD_PORT = 8080  # in namespaces of its own, every port is free
MANY_S = 120


class Network(Exactly):
    def setUp(self):
        self.line = Lossy()
        self.addCleanup(self.line.close)
        super().setUp()
        lab = self.lab
        lab.far = self.line.far
        lab.start_broker(f"listener 1883 {NEAR_ADDRESS}\n")
        lab.start_cloud(*FAST, "--port", str(CLOUD_PORT), "--listen", "0.0.0.0", "--public-url",
                        f"http://127.0.0.1:{CLOUD_PORT}")
        lab.start_hamilton("--run-time", "0.05", "--look", "20")
        lab.start_balance("--weight", "12.34")
        # The tenant is spoken to without TLS on this machine only: its port is brought there, through the line.
        self.start_far("tenant-line", ["socat", f"TCP-LISTEN:{CLOUD_PORT},bind=127.0.0.1,fork,reuseaddr",
                                       f"TCP:{NEAR_ADDRESS}:{CLOUD_PORT}"])
        lab.write_config(config(match=BY_NAME, link=f'broker = "mqtt://{NEAR_ADDRESS}"; keepalive = "{KEEPALIVE_S}s";',
                                cloud='request_timeout = "10s"; connect_timeout = "5s";'),
                         tenant=f"http://127.0.0.1:{CLOUD_PORT}")
        self.start_far("agent", [lab.program("labferryd"), "--config", str(lab.home / "labferry.conf")])
        lab.until("the agent is online", lambda: lab.alive("agent") and lab.online())

    def start_far(self, name, command):
        return self.lab.start(name, [*self.line.far, *command])

    def work(self, number):
        """One of each: a worklist (with its result) and a task."""
        run = self.lab.ask_cloud("/sim/runs", {})["id"]
        name = f"{run}_list.csv"
        return self.lab.generate(run, name=name, content=f"Sample,Volume\nS-{number},50\n"), self.lab.new_task(Sample=f"S-{number}")

    def test_loss(self):
        """a fifth of all packets is lost both ways, then all of them for a while: in the end everything exists exactly once"""
        line, began = self.line, time.monotonic()
        line.loss = LOSS
        done = [self.work(number) for number in range(ROUNDS)]
        self.finished(ROUNDS, ROUNDS, MANY_S)
        print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s; packets passed {line.passed}, lost {line.lost}")
        self.assertGreater(line.lost, line.passed * LOSS / 3)
        lines = len(self.lab.log("agent"))
        done.append(self.work(ROUNDS))
        self.lab.until("work is under way", lambda: len(self.lab.log("agent")) > lines and len(self.lab.jobs()) > 2 * ROUNDS + ROUNDS)
        line.cut = True
        done.append(self.work(ROUNDS + 1))
        time.sleep(5)
        line.cut = False
        self.finished(ROUNDS + 2, ROUNDS + 2, MANY_S)
        print(f"all done after {time.monotonic() - began:.0f} s; packets passed {line.passed}, lost {line.lost}")
        line.loss = 0
        self.exactly_one([file for file, _ in done], [task for _, task in done])

    def test_half_open(self):
        """a broker that vanishes silently is noticed by the keepalive, reported, and reconnected to"""
        lab, line = self.lab, self.line
        line.cut = True
        began = time.monotonic()
        files, tasks = zip(*[self.work(0)])
        lab.until("it is noticed", lambda: not lab.online())
        took = time.monotonic() - began
        print(f"noticed after {took:.1f} s, with a keepalive of {KEEPALIVE_S} s")
        self.assertLess(took, 3 * KEEPALIVE_S)  # 1.5 on an idle machine; TCP by itself takes minutes
        self.assertIn("has been silent", lab.ask("status")["link"]["error"])
        lab.until("readers at the broker see it too", lambda: lab.retained_status().get("state") == "offline")
        need = lab.until("the operator sees it", lambda: next((n for n in lab.ask("status")["needs"]
                                                               if "no connection to the broker" in n["what"]), None))
        self.assertIn("has been silent", need["what"])
        line.cut = False
        lab.until("it is connected again", lab.online)
        self.finished(1, 1)
        self.exactly_one(files, tasks)
        lab.until("readers at the broker see it", lambda: lab.retained_status().get("state") == "online")


if __name__ == "__main__":
    unittest.main()

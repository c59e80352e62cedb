"""Two agents of one site that take the same tasks: Benchling cannot reserve a task, so a person must hear of it."""
import json
import subprocess
import unittest

from whole import BASE, SITE, SOON, WithLab, config

OTHER = f"labferry/{SITE}/agents/bench-9/routes"


class Neighbours(WithLab):
    def needs(self):
        return [need for need in self.lab.ask("status")["needs"] if "bench-9" in need["what"]]

    def own_list(self):
        run = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.lab.broker_port), "-t", f"{BASE}/routes", "-C", "1", "-W", "10"],
                             capture_output=True, timeout=SOON, check=False)
        return json.loads(run.stdout or b"{}")

    def retain(self, payload):
        content = ["-m", json.dumps(payload)] if payload else ["-n"]
        subprocess.run(["mosquitto_pub", "-V", "5", "-p", str(self.lab.broker_port), "-q", "1", "-r", "-t", OTHER, *content], check=True,
                       timeout=SOON)

    def test_same_route(self):
        """the same task route on two agents is in needs, with the other's name, until one of them has it no more"""
        lab = self.lab
        lab.start_all(config(), hamilton=None)
        tasks = lab.until("its list", lambda: self.own_list().get("tasks"))
        self.assertEqual([entry["route"] for entry in tasks], ["weigh"])
        self.retain({"tasks": [{"route": "their-own", "digest": "0" * 64}]})
        self.retain({"tasks": [{"route": "weigh-too", "digest": tasks[0]["digest"]}]})
        need = lab.until("it is in needs", self.needs)[0]
        self.assertIn('by the route "weigh" (there "weigh-too")', need["what"])
        self.assertIn("select its own tasks", need["do"])
        lab.stop("agent", seconds=60)
        lab.start_agent()
        lab.until("it is in needs again after a restart", self.needs)
        self.retain(None)
        lab.until("it is over", lambda: not self.needs())
        self.retain("no list")
        lab.until("all is well", lambda: lab.ask("status")["link"]["state"] == "online" and not self.needs())


if __name__ == "__main__":
    unittest.main()

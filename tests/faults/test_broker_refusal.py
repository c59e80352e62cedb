"""The broker refuses the agent or one of its subscriptions: this is reported, and ends by itself once the cause is fixed."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from whole import SOON, WithLab, config

SIDE_BY_SIDE = 3
EVENTS = "labferry/demo-lab/events/#"


class Refused(WithLab):
    def needs(self, words):
        """What the operator reads, if it contains these words."""
        try:
            return next((n for n in self.lab.ask("status")["needs"] if words in n["what"]), None)
        except OSError:
            return None

    def secret(self, text):
        path = self.lab.home / "broker_password"
        path.write_text(text + "\n")
        path.chmod(0o600)

    def users(self, password):
        path = self.lab.home / "users"
        subprocess.run(["mosquitto_passwd", "-b", "-c", path, "bench-1", password], check=True, timeout=SOON)
        os.chmod(path, 0o644)
        return path

    def start(self, wait=True):
        self.lab.start_all(config(link='broker = "mqtt://127.0.0.1:%(broker_port)d"; username = "bench-1"; '
                                  'password_file = "%(home)s/broker_password";'),
                           broker=f"password_file {self.users('opensesame')}\n", wait=wait)

    def test_password(self):
        """a wrong password is reported with what to fix; once the file is right, the agent connects and does the queued work"""
        lab = self.lab
        self.secret("wrong")
        self.start(wait=False)
        need = lab.until("it is reported", lambda: self.needs("refuses this agent"))
        self.assertIn("link.username", need["what"])
        self.assertEqual(lab.ask("status")["link"]["state"], "offline")
        task = lab.new_task()
        self.secret("opensesame")
        lab.wait_job("task")
        self.assertEqual(len(lab.outputs(task)), 1)
        self.assertIsNone(self.needs("refuses"))
        self.assertNotIn("opensesame", lab.log("agent"))

    def test_account(self):
        """an account that was removed at the broker is reported; once it is restored, the agent reconnects and has all events"""
        lab = self.lab
        self.secret("opensesame")
        self.start()
        (lab.home / "users").write_text("")
        lab.stop("broker")
        lab.start_broker(f"password_file {lab.home}/users\n")
        lab.until("it is reported", lambda: self.needs("refuses this agent"))
        task = lab.new_task()
        self.users("opensesame")
        lab.stop("broker")
        lab.start_broker(f"password_file {lab.home}/users\n")
        lab.wait_job("task")
        self.assertEqual(len(lab.outputs(task)), 1)

    def rules(self, *roles):
        """Access rules: everybody may do everything except subscribe to events; the agent may do what its roles say."""
        def acl(kind, topic, allow=True):
            return {"acltype": kind, "topic": topic, "priority": 0, "allow": allow}
        return {"defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": True,
                                     "unsubscribe": True},
                "roles": [{"rolename": "deaf", "acls": [acl("subscribePattern", EVENTS, False)]},
                          {"rolename": "hearing", "acls": [acl("subscribePattern", EVENTS)]}],
                "groups": [{"groupname": "all", "roles": [{"rolename": role} for role in roles], "clients": []}],
                "anonymousGroup": "all", "clients": []}

    def access(self, *roles):
        (self.lab.home / "rules.json").write_text(json.dumps(self.rules(*roles)))
        plugin = next(pathlib.Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
        os.chmod(self.lab.home / "rules.json", 0o666)
        return f"plugin {plugin}\nplugin_opt_config_file {self.lab.home}/rules.json\n"

    def test_subscription(self):
        """a refused subscription to events is reported; missed events arrive once it is granted, or earlier"""
        lab = self.lab
        lab.start_all(broker=self.access("deaf"))
        need = lab.until("it is reported", lambda: self.needs("refuses the subscription"))
        self.assertIn("events/", need["what"])
        self.assertIn("access rules", need["do"])
        first = lab.new_task(Sample="first")
        lab.until("it was asked of the tenant", lambda: lab.task_status(first) == "COMPLETED")
        lab.ask_cloud("/sim/relay", {"paused": True})
        lab.stop("broker")
        second = lab.new_task(Sample="second")
        lab.stop("agent", signal.SIGKILL)
        lab.start_agent(wait=False)
        lab.start_broker(self.access("hearing"))
        lab.until("it hears again", lambda: lab.online() and not self.needs("refuses"))
        self.assertIn("session resumed", lab.log("agent"), "the broker has kept the session, and says nothing of a gap")
        lab.until("nothing is missed", lambda: lab.task_status(second) == "COMPLETED")
        lab.ask_cloud("/sim/relay", {"paused": False})
        third = lab.new_task(Sample="third")
        lab.until("events come by MQTT again", lambda: lab.task_status(third) == "COMPLETED")
        self.assertEqual([len(lab.outputs(task)) for task in (first, second, third)], [1, 1, 1])


if __name__ == "__main__":
    unittest.main()

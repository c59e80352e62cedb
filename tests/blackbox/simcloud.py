"""Starts the cloud simulator and talks to it. For black-box tests."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time
import unittest

PROGRAM = pathlib.Path(os.environ["LF_BUILD"]) / "tests/sim/cloud/labferry-sim-cloud"
WAIT_S = 60
FAST = ("--quiet", "--generate-ms", "50", "--process-ms", "50")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(ask, what, seconds=WAIT_S):
    """Asks until the answer is true; returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()

    @property
    def json(self):
        return json.loads(self.bytes)

    @property
    def error(self):
        return self.json["error"]


class Cloud:
    """A running simulator; end it with close(), which checks that it ends cleanly."""

    def __init__(self, *options):
        self.process = subprocess.Popen([PROGRAM, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening http"):
            raise AssertionError(f"the simulator did not start: {line!r}")
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.token = None

    def close(self):
        self.process.terminate()
        status = self.process.wait(WAIT_S)
        self.process.stdout.close()
        if status != 0:
            raise AssertionError(f"the simulator ended with status {status}")

    def ask(self, method, path, body=None, headers=None, port=None):
        """One request as it is, without authentication."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def log_in(self, client="labferry-sim", secret="sim-secret", form="grant_type=client_credentials", port=None,
               path="/api/v2/token"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if client:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()
        return self.ask("POST", path, form, headers, port)

    def bearer(self):
        if not self.token:
            self.token = self.log_in().json["access_token"]
        return {"Authorization": "Bearer " + self.token}

    def api(self, method, path, body=None, want=None):
        """One request of the API, authenticated; checks the status when `want` is given and returns its JSON."""
        answer = self.ask(method, "/api/v2" + path, body, self.bearer())
        if want is None:
            return answer
        if answer.status != want:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.bytes[:500]!r}, wanted {want}")
        return answer.json

    def sim(self, method, path, body=None):
        """One request of the control API."""
        answer = self.ask(method, "/sim" + path, body)
        if answer.status >= 300:
            raise AssertionError(f"{method} /sim{path}: {answer.status} {answer.bytes[:500]!r}")
        return answer.json

    @property
    def state(self):
        return self.sim("GET", "/state")

    @property
    def run(self):
        return self.state["runs"][0]["id"]

    def upload(self, content, name="r.csv", want=200):
        return self.api("POST", "/blobs", {
            "name": name, "type": "RAW_FILE", "mimeType": "text/csv", "data64": base64.b64encode(content).decode(),
            "md5": hashlib.md5(content).hexdigest()}, want)

    def part(self, blob, number, content, want=200):
        return self.api("POST", f"/blobs/{blob}/parts", {
            "partNumber": number, "data64": base64.b64encode(content).decode(),
            "md5": hashlib.md5(content).hexdigest()}, want)

    def finished(self, task):
        """Waits for a long-running task and returns it."""
        return until(lambda: next((t for t in [self.api("GET", f"/tasks/{task}", want=200)]
                                   if t["status"] != "RUNNING"), None), "the task to end")


class Broker:
    """A mosquitto on a port of its own, with a subscriber that writes topics and payloads to a file."""

    def __init__(self, folder, port=None):
        self.folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.seen = self.folder / "seen"
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
                          "message_size_limit 0\n")
        self.broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", config], stderr=subprocess.DEVNULL)
        until(self._answers, "the broker")
        self.out = open(self.seen, "ab")
        self.subscriber = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-q", "1", "-v", "-t", "#", "-t",
             "$SYS/broker/uptime"], stdout=self.out)
        until(lambda: b"$SYS" in self.seen.read_bytes(), "the subscriber")

    def _answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def messages(self):
        """[(topic, payload bytes)] so far."""
        lines = self.seen.read_bytes().split(b"\n")
        pairs = (line.split(b" ", 1) for line in lines[:-1] if not line.startswith(b"$SYS"))
        return [(p[0].decode(), p[1] if len(p) > 1 else b"") for p in pairs]

    def wait_for(self, count):
        return until(lambda: (lambda m: m if len(m) >= count else None)(self.messages()), f"{count} messages")

    def close(self):
        for process in (self.subscriber, self.broker):
            process.terminate()
            process.wait(WAIT_S)
        self.out.close()


class WithCloud(unittest.TestCase):
    options = FAST

    def setUp(self):
        self.cloud = Cloud(*self.options)
        self.addCleanup(self.cloud.close)

    def events(self, *types):
        query = "&eventTypes=" + ",".join(types) if types else ""
        return self.cloud.api("GET", f"/events?pageSize=100{query}", want=200)["events"]

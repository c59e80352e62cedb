"""The whole agent against the vendor's own OpenAPI document: Prism stands between it and the simulated tenant and checks every
request and every answer.

    agent -> gate (takes /api/v2 off, lets the file store's own addresses pass) -> Prism -> simulated tenant

Prism itself follows the redirect of a download, so the tenant names its file store by another host (--download-host), at which
Prism drops the credentials as the signed URL demands.
"""
import hashlib
import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
import unittest

from whole import FAST, PLATE, SOON, SOURCE, WithLab, config

SIDE_BY_SIDE = 2
DOCUMENT = os.environ.get("LF_OPENAPI") or SOURCE.resolve().parent / "shared/benchling/openapi-subset.json"


class Gate(http.server.ThreadingHTTPServer):
    """What the agent takes for its tenant. `spoil` may change what passes."""
    daemon_threads = True

    def __init__(self, prism_port):
        super().__init__(("127.0.0.1", 0), Passing)
        self.prism_port, self.violations, self.passed, self.spoil = prism_port, [], [], None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/api/v2")
        if self.server.spoil:
            path, body = self.server.spoil(self.command, path, body)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}
        prism = http.client.HTTPConnection("127.0.0.1", self.server.prism_port, timeout=SOON)
        prism.request(self.command, path, body or None, headers)
        answer = prism.getresponse()
        data = answer.read()
        self.note(path, answer, data)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        prism.close()

    def note(self, path, answer, data):
        self.server.passed.append((self.command, path.partition("?")[0], answer.status))
        told = answer.headers.get("sl-violations")
        if told or "problem+json" in (answer.headers.get("Content-Type") or ""):
            self.server.violations.append((self.command, path, answer.status, told or data.decode(errors="replace")[:2000]))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do

    def log_message(self, *_):
        pass


class Contract(WithLab):
    def setUp(self):
        if not os.path.exists(DOCUMENT):
            self.skipTest(f"NOT TESTED: there is no OpenAPI document at {DOCUMENT}; name one in LF_OPENAPI")
        self.assertIn("LF_PRISM", os.environ, "Prism is needed for this test; see tests/README.md")
        super().setUp()

    def start(self, *options, text=None):
        """Everything, with the gate and Prism where the agent looks for its tenant."""
        lab = self.lab
        lab.start_broker()
        lab.start_cloud(*FAST, "--download-host", "localhost", *options)
        lab.start_hamilton("--run-time", "0.1", "--look", "50")
        lab.start_balance("--weight", "12.34")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        prism = subprocess.Popen([os.environ["LF_PRISM"], "proxy", str(DOCUMENT), lab.tenant + "/api/v2", "-p", str(port),
                                  "--errors"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        lab.parts["prism"] = prism
        lab.until("Prism listens", lambda: lab.listens(port))
        self.gate = Gate(port)
        self.addCleanup(self.gate.shutdown)
        lab.write_config(text or config(match=r'"filename:^(?<run>[0-9a-f-]{36})_", "last-job"'),
                         tenant=f"http://127.0.0.1:{self.gate.server_port}")
        lab.start_agent()

    def no_violation(self, *asked):
        self.assertEqual(self.gate.violations, [], json.dumps(self.gate.violations, indent=1))
        for method, path in asked:
            self.assertTrue(any(m == method and p.startswith(path) for m, p, _ in self.gate.passed),
                            f"{method} {path} was not asked: {sorted({(m, p) for m, p, _ in self.gate.passed})}")

    def test_main_job(self):
        """the main job holds the vendor's contract in both directions"""
        lab = self.lab
        self.start()
        given = lab.generate()
        self.assertEqual(lab.wait_job("deliver")["fields"]["sha256"], given["sha256"])
        lab.wait_job("collect")
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual((lab.task_status(task), lab.outputs(task)), ("COMPLETED", [{"Mass": 12.34, "Unit": "g"}]))
        self.no_violation(("POST", "/token"), ("GET", "/automation-input-generators/"), ("GET", "/blobs/"), ("POST", "/blobs"),
                          ("GET", "/assay-runs/"), ("GET", "/automation-output-processors"),
                          ("POST", "/automation-output-processors"), ("GET", "/workflow-tasks/"), ("PATCH", "/workflow-tasks/"),
                          ("POST", "/workflow-outputs"), ("GET", "/workflow-task-schemas"))

    def test_parts(self):
        """so does an upload in parts"""
        lab = self.lab
        self.start()
        content = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(12_000_000 // 32))
        lab.result(f"{lab.run}_big.bin", content)
        lab.until("it is attached", lambda: lab.cloud_state()["processors"])
        blob, = lab.cloud_state()["blobs"]
        self.assertEqual(blob["sha256"], hashlib.sha256(content).hexdigest())
        lab.until("all is over", lab.all_over)
        self.no_violation(("POST", "/blobs:start-multipart-upload"), ("POST", f"/blobs/{blob['id']}/parts"),
                          ("POST", f"/blobs/{blob['id']}:complete-upload"))

    def test_poll(self):
        """so does asking for events, and waiting for tasks without events"""
        lab = self.lab
        self.start("--process-ms", "500", text=config(link="", cloud='events = "poll"; poll_interval = "1s";'))
        lab.generate()
        lab.wait_job("deliver")
        lab.wait_job("collect")
        self.no_violation(("GET", "/events"), ("GET", "/tasks/"))

    def test_refusals(self):
        """so do bad rows, unknown runs, and the report of a failed task"""
        lab = self.lab
        self.start()
        lab.balance("fault es on=S")
        task = lab.new_task()
        lab.result(f"{lab.run}_bad.csv", PLATE + "A9,none\n")
        lab.result("00000000-0000-4000-8000-000000000000_unknown.csv", PLATE + "A3,1\n")
        lab.until("both are held", lambda: len(lab.jobs(state="held")) == 2)
        lab.until("the task has failed", lambda: lab.task_status(task) == "FAILED")
        self.no_violation(("GET", "/assay-runs/00000000"))

    def test_can_fail(self):
        """the check can fail: a request and an answer that break the contract are found"""
        lab = self.lab
        self.start()

        def spoil(method, path, body):
            if method == "POST" and path == "/automation-output-processors":
                body = json.dumps({"assayRunId": json.loads(body)["assayRunId"]}).encode()
            return path, body
        self.gate.spoil = spoil
        lab.result(f"{lab.run}_plate.csv", PLATE)
        lab.until("the request is found",
                  lambda: any(seen[:3] == ("POST", "/automation-output-processors", 422) for seen in self.gate.violations))
        lab.fault("wrong-schema", path="/automation-input-generators/*")
        lab.generate()
        lab.until("the answer is found",
                  lambda: any(path.startswith("/automation-input-generators") for _, path, _, _ in self.gate.violations))


if __name__ == "__main__":
    unittest.main()

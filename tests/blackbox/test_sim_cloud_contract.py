"""The cloud simulator against the vendor's own OpenAPI document."""
import base64
import hashlib
import os
import pathlib
import socket
import subprocess
import unittest

from simcloud import FAST, WAIT_S, Cloud, free_port, until


class Contract(unittest.TestCase):
    """The vendor's own OpenAPI document, checked by Prism between client and simulator, in both directions."""

    def setUp(self):
        here = pathlib.Path(os.environ.get("LF_SOURCE", "."))
        document = os.environ.get("LF_OPENAPI") or here.resolve().parent / "shared/benchling/openapi-subset.json"
        if not os.path.exists(document):
            self.skipTest(f"no OpenAPI document at {document}; name one in LF_OPENAPI")
        self.assertIn("LF_PRISM", os.environ, "Prism is needed for this test; see tests/README.md")
        self.cloud = Cloud(*FAST, "--min-part", "1000", "--download-host", "localhost")
        self.addCleanup(self.cloud.close)
        self.port = free_port()
        self.prism = subprocess.Popen([os.environ["LF_PRISM"], "proxy", document, self.cloud.url + "/api/v2", "-p",
                                       str(self.port), "--errors"], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.STDOUT)
        self.addCleanup(self.stop_prism)
        until(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, "Prism")
        self.bearer = {"Authorization": "Bearer " + self.cloud.log_in(port=self.port, path="/token").
                       json["access_token"]}

    def stop_prism(self):
        self.prism.terminate()
        self.prism.wait(WAIT_S)

    def api(self, method, path, body=None, want=200):
        answer = self.cloud.ask(method, path, body, self.bearer, self.port)
        self.assertIsNone(answer.headers.get("sl-violations"), f"{method} {path}")
        self.assertEqual(answer.status, want, f"{method} {path}: {answer.bytes[:500]}")
        return answer.json if answer.headers["Content-Type"].startswith("application/json") else answer.bytes

    def finished(self, task):
        return until(lambda: next((t for t in [self.api("GET", f"/tasks/{task}")] if t["status"] != "RUNNING"), None),
                     "the task")

    def blob(self, content):
        return self.api("POST", "/blobs", {"name": "r.csv", "type": "RAW_FILE", "mimeType": "text/csv",
                                           "data64": base64.b64encode(content).decode(),
                                           "md5": hashlib.md5(content).hexdigest()})["id"]

    def test_runs(self):
        """what the simulator says about runs, files and processors is what the vendor's specification allows"""
        state = self.cloud.state
        run, schema = state["runs"][0]["id"], state["runSchemas"][0]["id"]
        for path in ("/assay-run-schemas", f"/assay-run-schemas/{schema}", f"/assay-runs?schemaId={schema}",
                     f"/assay-runs/{run}"):
            self.api("GET", path)
        self.api("PATCH", f"/assay-runs/{run}", {"fields": {"plate": {"value": "P-2"}}})
        generator = self.api("GET", f"/assay-runs/{run}/automation-input-generators")["automationInputGenerators"][0]
        path = f"/automation-input-generators/{generator['id']}"
        self.finished(self.api("POST", path + ":generate-input", want=202)["taskId"])
        file = self.api("GET", path)["file"]["id"]
        self.api("GET", f"/blobs:bulk-get?blobIds={file}")
        self.api("GET", f"/blobs/{file}/download-url")
        self.assertTrue(self.api("GET", f"/blobs/{file}/download").startswith(b"Sample,"))
        self.api("PATCH", path, {"fileId": None})
        self.api("PATCH", path, {"fileId": file})
        for content, tolerant in ((b"Well,Absorbance\nA1,0.5\n", False), (b"Well,Absorbance\nA1,no\n", True),
                                  (b"Well,Absorbance\nA1,no\n", False)):
            body = {"assayRunId": run, "automationFileConfigName": "Plate reader", "fileId": self.blob(content),
                    "completeWithErrors": tolerant}
            processor = self.api("POST", "/automation-output-processors", body, 201)["id"]
            path = f"/automation-output-processors/{processor}"
            self.api("PATCH", path, {"fileId": body["fileId"]})
            self.finished(self.api("POST", path + ":process-output", want=202)["taskId"])
            self.api("GET", path)
            self.api("GET", f"/assay-results?automationOutputProcessorId={processor}")
        self.api("GET", f"/automation-output-processors?assayRunId={run}")
        ids = {"automationOutputProcessorIds": [processor]}
        self.api("POST", "/automation-output-processors:archive", {**ids, "reason": "Other"})
        self.api("POST", "/automation-output-processors:unarchive", ids)
        self.events()

    def events(self):
        page = self.api("GET", "/events?pageSize=100&poll=true")
        self.assertGreater(len(page["events"]), 3)

    def test_multipart(self):
        """so is what it says about uploads in parts"""
        start = {"name": "b", "type": "RAW_FILE"}
        blob = self.api("POST", "/blobs:start-multipart-upload", start)["id"]
        parts = [self.api("POST", f"/blobs/{blob}/parts", {
            "partNumber": n, "data64": base64.b64encode(b"x" * 1000).decode(),
            "md5": hashlib.md5(b"x" * 1000).hexdigest()}) for n in (1, 2)]
        self.api("POST", f"/blobs/{blob}:complete-upload", {"parts": parts})
        self.api("GET", f"/blobs/{blob}")
        blob = self.api("POST", "/blobs:start-multipart-upload", start)["id"]
        self.api("POST", f"/blobs/{blob}:abort-upload")

    def test_workflows(self):
        """so is what it says about workflow tasks, outputs and groups"""
        task = self.cloud.sim("POST", "/tasks", {"fields": {"Sample": {"value": "S-1"}}})
        schema = self.api("GET", f"/workflow-task-schemas/{task['schema']['id']}")
        status = {s["displayName"]: s["id"] for s in schema["statusLifecycle"]["statuses"]}
        path = f"/workflow-tasks/{task['id']}"
        self.api("PATCH", path, {"statusId": status["Completed"]}, 400)
        self.api("PATCH", path, {"statusId": status["In progress"], "assigneeId": "ent_1",
                                 "scheduledOn": "2026-12-01", "fields": {"Target mass": {"value": 3.5}}})
        output = self.api("POST", "/workflow-outputs", {"workflowTaskId": task["id"], "fields": {
            "Mass": {"value": 2.5}, "Unit": {"value": "g"}, "Stable": {"value": True}}}, 201)["id"]
        self.api("PATCH", f"/workflow-outputs/{output}", {"fields": {"Mass": {"value": 2.6}}})
        group = self.api("POST", "/workflow-task-groups", {"schemaId": task["schema"]["id"], "folderId": "lib_1"}, 201)
        self.api("PATCH", f"/workflow-task-groups/{group['id']}", {"watcherIds": ["ent_1"]})
        other = self.api("POST", "/workflow-tasks", {"workflowTaskGroupId": group["id"]}, 201)
        bulk = {"workflowTasks": [{"workflowTaskId": other["id"], "statusId": status["In progress"]}]}
        self.finished(self.api("POST", "/workflow-tasks:bulk-update", bulk, 202)["taskId"])
        for listing in (path, "/workflow-tasks", "/workflow-outputs", f"/workflow-outputs/{output}",
                        "/workflow-task-groups", f"/workflow-task-groups/{group['id']}", "/workflow-task-schemas"):
            self.api("GET", listing)
        self.events()

    def test_errors(self):
        """so are its refusals"""
        self.api("GET", "/tasks/none", want=404)
        self.api("GET", "/blobs/none", want=404)
        self.api("GET", "/automation-input-generators/none", want=400)
        self.api("GET", "/workflow-tasks/none", want=404)


if __name__ == "__main__":
    unittest.main()

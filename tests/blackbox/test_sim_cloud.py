"""The cloud simulator keeps the vendor's contract (facts: Benchling API v2), and breaks it only when asked to."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from simcloud import PROGRAM, WAIT_S, Broker, Cloud, free_port, until

SIDE_BY_SIDE = 3
FAST = ("--quiet", "--generate-ms", "50", "--process-ms", "50")


class WithCloud(unittest.TestCase):
    options = FAST

    def setUp(self):
        self.cloud = Cloud(*self.options)
        self.addCleanup(self.cloud.close)

    def events(self, *types):
        query = "&eventTypes=" + ",".join(types) if types else ""
        return self.cloud.api("GET", f"/events?pageSize=100{query}", want=200)["events"]


class Authentication(WithCloud):
    def test_token(self):
        """client credentials give a bearer token, in the header or in the form"""
        answer = self.cloud.log_in()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["token_type"], "Bearer")
        self.assertEqual(answer.json["expires_in"], 900)
        form = "grant_type=client_credentials&client_id=labferry-sim&client_secret=sim%2Dsecret"
        self.assertEqual(self.cloud.log_in(client=None, form=form).status, 200)

    def test_token_refused(self):
        """a refused token request answers with the vendor's error object and type"""
        for answer, status, kind in [
                (self.cloud.log_in(secret="wrong"), 401, "invalid_client"),
                (self.cloud.log_in(client=None), 401, "invalid_client"),
                (self.cloud.log_in(form="grant_type=password"), 400, "unsupported_grant_type"),
                (self.cloud.log_in(form="x=y"), 400, "invalid_request")]:
            self.assertEqual((answer.status, answer.error["type"]), (status, kind))
            self.assertIn("userMessage", answer.error)

    def test_no_token_no_entry(self):
        """without a valid token or key every operation answers 401 authentication_error"""
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic ????"},
                        {"Authorization": "Basic " + base64.b64encode(b"sk_simulated:password").decode()}):
            answer = self.cloud.ask("GET", "/api/v2/events", headers=headers)
            self.assertEqual((answer.status, answer.error["type"]), (401, "authentication_error"))

    def test_api_key(self):
        """an API key works as user name with an empty password, with its own smaller budget"""
        headers = {"Authorization": "Basic " + base64.b64encode(b"sk_simulated:").decode()}
        answer = self.cloud.ask("GET", "/api/v2/events", headers=headers)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["x-rate-limit-limit"], "60")

    def test_revoked(self):
        """a revoked token is refused from then on"""
        self.cloud.api("GET", "/events", want=200)
        self.assertEqual(self.cloud.sim("POST", "/tokens/revoke")["revoked"], 1)
        self.assertEqual(self.cloud.api("GET", "/events").status, 401)

    def test_base_path(self):
        """the API answers with and without its base path, as behind a proxy"""
        for path in ("/api/v2/events", "/events"):
            self.assertEqual(self.cloud.ask("GET", path, headers=self.cloud.bearer()).status, 200)


class RateLimit(WithCloud):
    options = (*FAST, "--rate-limit", "5", "--rate-window", "5")

    def test_rate_limit(self):
        """above the limit come 429s that say so, until the window has passed"""
        left = []
        for _ in range(5):
            answer = self.cloud.api("GET", "/events")
            left.append(int(answer.headers["x-rate-limit-remaining"]))
            self.assertEqual(answer.headers["x-rate-limit-limit"], "5")
        self.assertEqual(left, [4, 3, 2, 1, 0])
        answer = self.cloud.api("GET", "/events")
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.error, {"message": "Rate limit exceeded.", "type": "invalid_request_error",
                                        "userMessage": "Rate limit exceeded."})
        began = time.monotonic()
        until(lambda: self.cloud.api("GET", "/events").status == 200, "the end of the window")
        self.assertGreater(time.monotonic() - began, int(answer.headers["x-rate-limit-reset"]) - 2)


class Limits(WithCloud):
    options = (*FAST, "--token-seconds", "6", "--max-body", "20000", "--task-seconds", "3")

    def test_token_expires(self):
        """a token is worth nothing after expires_in seconds"""
        self.cloud.api("GET", "/events", want=200)
        until(lambda: self.cloud.api("GET", "/events").status == 401, "the end of the token")

    def test_too_large(self):
        """a request body above the limit is answered 413"""
        answer = self.cloud.api("POST", "/blobs", {"name": "x" * 30000})
        self.assertEqual(answer.status, 413)

    def test_task_forgotten(self):
        """a finished task is gone after its time, as the vendor's are after 30 minutes"""
        generator = self.cloud.state["generators"][0]["id"]
        task = self.cloud.api("POST", f"/automation-input-generators/{generator}:generate-input", want=202)["taskId"]
        until(lambda: self.cloud.state["generators"][0]["status"] == "SUCCEEDED", "the file")
        self.assertEqual(self.cloud.api("GET", f"/tasks/{task}", want=200)["status"], "SUCCEEDED")
        until(lambda: self.cloud.api("GET", f"/tasks/{task}").status == 404, "the end of its time")


class Requests(WithCloud):
    def test_mistakes_show(self):
        """unknown properties, wrong types, missing properties and unknown query words are refused with 400"""
        processors = "/automation-output-processors"
        good = {"assayRunId": "r", "automationFileConfigName": "c", "fileId": "f"}
        for method, path, body, word in [
                ("POST", processors, {**good, "extra": 1}, "extra"),
                ("POST", processors, {**good, "fileId": 3}, "fileId"),
                ("POST", processors, {"assayRunId": "r"}, "required"),
                ("POST", processors, {**good, "completeWithErrors": "yes"}, "completeWithErrors"),
                ("PATCH", "/workflow-tasks/x", {"fields": {"Mass": 3}}, "fields"),
                ("PATCH", "/workflow-tasks/x", {"scheduledOn": "tomorrow"}, "scheduledOn"),
                ("POST", "/blobs", {"name": "n", "type": "FILE", "data64": "", "md5": ""}, "type"),
                ("POST", "/blobs/x/parts", {"partNumber": 0, "data64": "", "md5": ""}, "partNumber"),
                ("GET", "/events?pageSize=101", None, "pageSize"),
                ("GET", "/events?since=1", None, "since"),
                ("GET", "/assay-runs", None, "schemaId")]:
            answer = self.cloud.api(method, path, body)
            self.assertEqual((answer.status, answer.error["type"]), (400, "invalid_request_error"), path)
            self.assertIn(word, answer.error["message"])

    def test_not_json(self):
        """a body that is not JSON, or is not labelled as JSON, is refused with 400"""
        headers = self.cloud.bearer()
        self.assertEqual(self.cloud.ask("POST", "/api/v2/blobs", "{", {**headers, "Content-Type": "application/json"}).
                         status, 400)
        self.assertEqual(self.cloud.ask("POST", "/api/v2/blobs", "{}", {**headers, "Content-Type": "text/plain"}).
                         status, 400)

    def test_unknown_path(self):
        """an operation it does not have is a 404, another method a 405"""
        self.assertEqual(self.cloud.api("GET", "/dna-sequences").status, 404)
        self.assertEqual(self.cloud.api("DELETE", "/events").status, 405)

    def test_counts(self):
        """tests can look at what was requested: counts of each operation by status, and the requests in order"""
        self.cloud.api("GET", "/blobs/nope")
        self.cloud.api("GET", "/events")
        told = self.cloud.sim("GET", "/requests")
        self.assertEqual(told["byOperation"]["getBlob"], {"404": 1})
        self.assertEqual([r["operation"] for r in told["requests"]], ["generateToken", "getBlob", "listEvents"])


class Files(WithCloud):
    options = (*FAST, "--min-part", "1000", "--max-single", "5000", "--url-seconds", "5")

    def multipart(self, *parts):
        blob = self.cloud.api("POST", "/blobs:start-multipart-upload", {"name": "b", "type": "RAW_FILE"}, 200)["id"]
        return blob, [self.cloud.part(blob, number, content) for number, content in parts]

    def complete(self, blob, parts, want=200):
        return self.cloud.api("POST", f"/blobs/{blob}:complete-upload", {"parts": parts}, want)

    def kept(self, blob):
        return next(b for b in self.cloud.state["blobs"] if b["id"] == blob)

    def test_vector(self):
        """the vendor's example (hello, its base64 and its hex MD5) is accepted; another MD5 is refused"""
        body = {"name": "h.txt", "type": "RAW_FILE", "data64": "aGVsbG8=", "md5": "5d41402abc4b2a76b9719d911017c592"}
        blob = self.cloud.api("POST", "/blobs", body, 200)
        self.assertEqual(blob["uploadStatus"], "COMPLETE")
        self.assertEqual(self.kept(blob["id"])["size"], 5)
        body["md5"] = hashlib.md5(b"other").hexdigest()
        self.assertEqual(self.cloud.api("POST", "/blobs", body).status, 400)

    def test_single_limit(self):
        """a file above the single-upload limit must come in parts"""
        self.cloud.upload(b"x" * 5000)
        self.cloud.upload(b"x" * 5001, want=400)

    def test_multipart(self):
        """parts make the file in the order of their numbers, which may have gaps and come in any order"""
        blob, parts = self.multipart((7, b"c" * 10), (1, b"a" * 1000), (3, b"b" * 1500))
        self.assertRegex(parts[0]["eTag"], r'^"[0-9a-f]{32}"$')
        self.assertEqual(self.complete(blob, parts)["uploadStatus"], "COMPLETE")
        whole = b"a" * 1000 + b"b" * 1500 + b"c" * 10
        self.assertEqual(self.kept(blob)["sha256"], hashlib.sha256(whole).hexdigest())
        self.assertEqual(self.cloud.ask("GET", f"/sim/blobs/{blob}").bytes, whole)

    def test_part_again(self):
        """a part sent twice counts once, with its last content"""
        blob, parts = self.multipart((1, b"a" * 1000), (1, b"b" * 1000))
        self.complete(blob, parts[1:])
        self.assertEqual(self.kept(blob)["sha256"], hashlib.sha256(b"b" * 1000).hexdigest())

    def test_multipart_refused(self):
        """a small middle part, a wrong eTag, a part named twice or never sent: 400, and the upload stays open"""
        blob, parts = self.multipart((1, b"a" * 999), (2, b"b"))
        self.complete(blob, parts, 400)
        self.complete(blob, [{**parts[1], "eTag": parts[1]["eTag"].strip('"')}], 400)
        self.complete(blob, [parts[1], parts[1]], 400)
        self.complete(blob, [{"partNumber": 9, "eTag": parts[1]["eTag"]}], 400)
        self.complete(blob, [], 400)
        self.complete(blob, parts[1:])
        self.complete(blob, parts[1:], 400)

    def test_abort(self):
        """an aborted upload takes no more parts and cannot be attached"""
        blob, _ = self.multipart((1, b"a" * 1000))
        self.assertEqual(self.cloud.api("POST", f"/blobs/{blob}:abort-upload", {}, 200), {})
        self.cloud.part(blob, 2, b"b", 400)
        self.assertEqual(self.cloud.api("GET", f"/blobs/{blob}", want=200)["uploadStatus"], "ABORTED")
        self.cloud.api("POST", "/automation-output-processors",
                       {"assayRunId": self.cloud.run, "automationFileConfigName": "Plate reader", "fileId": blob}, 400)

    def location(self, blob):
        answer = self.cloud.api("GET", f"/blobs/{blob}/download")
        self.assertEqual(answer.status, 302)
        return answer.headers["Location"].removeprefix(self.cloud.url)

    def test_download(self):
        """a download is a redirect to a signed URL that serves the bytes, whole or a range"""
        blob = self.cloud.upload(b"0123456789")["id"]
        url = self.location(blob)
        answer = self.cloud.ask("GET", url)
        self.assertEqual((answer.status, answer.bytes), (200, b"0123456789"))
        answer = self.cloud.ask("GET", url, headers={"Range": "bytes=4-"})
        self.assertEqual((answer.status, answer.bytes), (206, b"456789"))
        self.assertEqual(answer.headers["Content-Range"], "bytes 4-9/10")
        self.assertEqual(self.cloud.ask("GET", url, headers={"Range": "bytes=10-"}).status, 416)
        told = self.cloud.api("GET", f"/blobs/{blob}/download-url", want=200)
        self.assertEqual(self.cloud.ask("GET", told["downloadURL"].removeprefix(self.cloud.url)).bytes, b"0123456789")

    def test_signed_url(self):
        """a signed URL refuses a second authentication, a wrong signature, and use after its time"""
        url = self.location(self.cloud.upload(b"x")["id"])
        self.assertEqual(self.cloud.ask("GET", url, headers=self.cloud.bearer()).status, 400)
        self.assertEqual(self.cloud.ask("GET", url[:-1] + ("0" if url[-1] != "0" else "1")).status, 403)
        self.assertEqual(self.cloud.ask("GET", url).status, 200)
        until(lambda: self.cloud.ask("GET", url).status == 403, "the end of its time")


class LargeFiles(WithCloud):
    def test_large(self):
        """a large file passes through without being held in memory"""
        chunk = os.urandom(10_000_000)
        blob = self.cloud.api("POST", "/blobs:start-multipart-upload", {"name": "b", "type": "RAW_FILE"}, 200)["id"]
        digest = hashlib.sha256()
        parts = []
        for number in range(1, 16):
            parts.append(self.cloud.part(blob, number, chunk))
            digest.update(chunk)
        self.cloud.api("POST", f"/blobs/{blob}:complete-upload", {"parts": parts}, 200)
        kept = next(b for b in self.cloud.state["blobs"] if b["id"] == blob)
        self.assertEqual((kept["size"], kept["sha256"]), (150_000_000, digest.hexdigest()))


class Runs(WithCloud):
    options = (*FAST, "--twins")

    def processor(self, content, tolerant=False):
        blob = self.cloud.upload(content)["id"]
        return self.cloud.api("POST", "/automation-output-processors", {
            "assayRunId": self.cloud.run, "automationFileConfigName": "Plate reader", "fileId": blob,
            "completeWithErrors": tolerant}, 201)

    def process(self, processor):
        task = self.cloud.api("POST", f"/automation-output-processors/{processor['id']}:process-output", want=202)
        return self.cloud.finished(task["taskId"])

    def shown(self, processor):
        return self.cloud.api("GET", f"/automation-output-processors/{processor['id']}", want=200)

    def results(self, processor):
        return self.cloud.api("GET", f"/assay-results?automationOutputProcessorId={processor['id']}",
                              want=200)["assayResults"]

    def test_generate(self):
        """generating an input file takes a while, then task, generator and event name the same file"""
        path = f"/assay-runs/{self.cloud.run}/automation-input-generators"
        generator = self.cloud.api("GET", path, want=200)["automationInputGenerators"][0]
        self.assertEqual((generator["status"], generator["file"]), ("NOT_STARTED", None))
        task = self.cloud.api("POST", f"/automation-input-generators/{generator['id']}:generate-input", want=202)
        response = self.cloud.finished(task["taskId"])["response"]
        self.assertEqual((response["id"], response["status"]), (generator["id"], "SUCCEEDED"))
        event = self.events("v2.automationInputGenerator.completed")[-1]
        self.assertEqual(event["automationInputGenerator"]["file"], response["file"])
        self.assertNotIn("apiURL", event["automationInputGenerator"])

    def test_twins(self):
        """with twins, an automation event comes a second time as v2-beta, with an id of its own"""
        self.cloud.sim("POST", f"/runs/{self.cloud.run}/input", {"content": "a,b\n"})
        one, two = self.events("v2.automationInputGenerator.completed", "v2-beta.automationInputGenerator.completed")
        self.assertNotEqual(one["id"], two["id"])
        self.assertEqual(one["automationInputGenerator"], two["automationInputGenerator"])

    def test_slow_file(self):
        """a file can be announced before its upload is complete"""
        told = self.cloud.sim("POST", f"/runs/{self.cloud.run}/input", {"content": "x", "completeAfterMs": 500})
        self.assertEqual(told["file"]["uploadStatus"], "IN_PROGRESS")
        until(lambda: self.cloud.api("GET", f"/blobs/{told['file']['id']}", want=200)["uploadStatus"] == "COMPLETE",
              "the file to be complete")

    def test_processed(self):
        """a good file is processed: all rows counted, one result each, one event"""
        processor = self.processor(b"Well,Absorbance\r\nA1,0.5\r\nB1,0.7\r\n")
        self.assertEqual(processor["status"], "NOT_STARTED")
        task = self.process(processor)
        self.assertEqual((task["status"], task["response"]["id"]), ("SUCCEEDED", processor["id"]))
        shown = self.shown(processor)
        self.assertEqual(shown["progressStats"], {"rowsSucceeded": 2, "rowsFailed": 0, "rowsUnprocessed": 0})
        self.assertEqual([r["fields"]["Absorbance"]["value"] for r in self.results(processor)], [0.5, 0.7])
        self.assertEqual(len(self.events("v2.automationOutputProcessor.uploaded")), 1)
        self.assertEqual(len(self.events("v2.automationOutputProcessor.completed")), 1)

    def test_all_or_nothing(self):
        """without completeWithErrors one bad row means that nothing is committed"""
        processor = self.processor(b"Well,Absorbance\nA1,0.5\nB1,none\n")
        task = self.process(processor)
        self.assertEqual((task["status"], task["errors"][0]["index"]), ("FAILED", 1))
        self.assertEqual((self.shown(processor)["status"], self.results(processor)), ("FAILED", []))

    def test_with_errors(self):
        """with completeWithErrors good rows are committed and bad ones are in the error file"""
        processor = self.processor(b"Well,Absorbance\nA1,0.5\nB1,none\n", True)
        self.assertEqual(self.process(processor)["status"], "SUCCEEDED")
        shown = self.shown(processor)
        self.assertEqual(shown["progressStats"], {"rowsSucceeded": 1, "rowsFailed": 1, "rowsUnprocessed": 0})
        errors = self.cloud.ask("GET", f"/sim/blobs/{shown['errorFile']['id']}").bytes.decode()
        self.assertEqual(errors.splitlines()[0], "Well,Absorbance,Error")
        self.assertTrue(errors.splitlines()[1].startswith("B1,none,"))

    def test_not_a_table(self):
        """an empty file, or one without a required column, fails with the reason"""
        self.assertIn("empty", self.process(self.processor(b""))["message"])
        self.assertIn("Absorbance", self.process(self.processor(b"Well\nA1\n"))["message"])

    def test_unknown_things(self):
        """a processor needs a known run, one of its output configs, and a complete file"""
        blob, run = self.cloud.upload(b"x")["id"], self.cloud.run
        for change in ({"assayRunId": "no"}, {"automationFileConfigName": "no"}, {"fileId": "file_65Cevxgm"}):
            body = {"assayRunId": run, "automationFileConfigName": "Plate reader", "fileId": blob, **change}
            self.cloud.api("POST", "/automation-output-processors", body, 400)

    def test_archive(self):
        """archiving a processor archives its results; lists leave both out unless asked"""
        processor = self.processor(b"Well,Absorbance\nA1,0.5\n")
        self.process(processor)
        body = {"automationOutputProcessorIds": [processor["id"]], "reason": "Made in error"}
        change = self.cloud.api("POST", "/automation-output-processors:archive", body, 200)
        self.assertEqual(len(change["resultIds"]), 1)
        self.assertEqual(self.results(processor), [])
        listing = f"/automation-output-processors?assayRunId={self.cloud.run}"
        self.assertEqual(self.cloud.api("GET", listing, want=200)["automationOutputProcessors"], [])
        found = self.cloud.api("GET", listing + "&archiveReason=ANY_ARCHIVED", want=200)["automationOutputProcessors"]
        self.assertEqual(found[0]["archiveRecord"], {"reason": "Made in error"})

    def test_transform(self):
        """a custom transform holds processing until it is given a blob"""
        self.cloud.sim("POST", "/scenario", {
            "runSchemas": [{"name": "T", "outputFileConfigs": [{"name": "raw", "transform": True}]}],
            "runs": [{"schema": "T", "id": "11111111-2222-4333-8444-555555555555"}]})
        blob = self.cloud.upload(b"not a table")["id"]
        processor = self.cloud.api("POST", "/automation-output-processors", {
            "assayRunId": "11111111-2222-4333-8444-555555555555", "automationFileConfigName": "raw", "fileId": blob},
            201)
        task = self.cloud.api("POST", f"/automation-output-processors/{processor['id']}:process-output", want=202)
        transform = until(lambda: self.shown(processor)["transforms"], "the transform")[0]
        self.assertEqual(transform["status"], "RUNNING")
        self.assertEqual(self.shown(processor)["status"], "RUNNING")
        better = self.cloud.upload(b"a,b\n1,2\n")["id"]
        self.cloud.api("PATCH", f"/automation-file-transforms/{transform['id']}", {"blobId": better}, 200)
        self.assertEqual(self.cloud.finished(task["taskId"])["status"], "SUCCEEDED")
        self.assertEqual(self.shown(processor)["progressStats"]["rowsSucceeded"], 1)
        states = [e["eventType"].rsplit(".", 1)[1] for e in self.events() if "Transform" in e["eventType"]]
        self.assertEqual(states, ["pending", "running", "succeeded"])

    def test_by_hand(self):
        """a file uploaded by hand makes a processor and an .uploaded event"""
        told = self.cloud.sim("POST", f"/runs/{self.cloud.run}/output", {"content": "Well,Absorbance\nA1,1\n"})
        event = self.events("v2.automationOutputProcessor.uploaded")[-1]
        self.assertEqual(event["automationOutputProcessor"]["id"], told["id"])


class Workflows(WithCloud):
    def setUp(self):
        super().setUp()
        self.task = self.cloud.sim("POST", "/tasks", {"fields": {"Sample": {"value": "S-1"}}})
        schema = self.cloud.api("GET", f"/workflow-task-schemas/{self.task['schema']['id']}", want=200)
        self.status = {s["displayName"]: s["id"] for s in schema["statusLifecycle"]["statuses"]}

    def move(self, status, want=200):
        return self.cloud.api("PATCH", f"/workflow-tasks/{self.task['id']}", {"statusId": status}, want)

    def test_lifecycle(self):
        """a task moves along its lifecycle's transitions and no other way"""
        self.assertEqual(self.task["status"]["statusType"], "PENDING")
        self.move(self.status["Completed"], 400)
        self.assertEqual(self.move(self.status["In progress"])["status"]["statusType"], "IN_PROGRESS")
        self.assertEqual(self.move(self.status["Completed"])["status"]["displayName"], "Completed")
        self.move(self.status["To do"], 400)
        self.move("In progress", 400)

    def test_events(self):
        """a new task, and each change of its status, is an event that names what changed"""
        self.move(self.status["In progress"])
        self.assertEqual(len(self.events("v2.workflowTask.created")), 1)
        changes = self.events("v2.workflowTask.updated.status")
        self.assertEqual([c["workflowTask"]["status"]["statusType"] for c in changes], ["PENDING", "IN_PROGRESS"])
        self.assertEqual(changes[-1]["updates"], ["status"])

    def test_output(self):
        """an output takes the schema's fields, with their types, and appears with its task"""
        path, task = "/workflow-outputs", self.task["id"]
        self.cloud.api("POST", path, {"workflowTaskId": task, "fields": {"Weight": {"value": 1}}}, 400)
        self.cloud.api("POST", path, {"workflowTaskId": task, "fields": {"Mass": {"value": "1"}}}, 400)
        output = self.cloud.api("POST", path, {"workflowTaskId": task, "fields": {
            "Mass": {"value": 1.5}, "Unit": {"value": "g"}, "Stable": {"value": True}}}, 201)
        shown = self.cloud.api("GET", f"/workflow-tasks/{task}", want=200)
        self.assertEqual(shown["outputs"], [{"id": output["id"], "displayId": output["displayId"]}])
        found = self.cloud.api("GET", f"{path}?workflowTaskIds={task}", want=200)["workflowOutputs"]
        self.assertEqual(found[0]["fields"]["Mass"]["value"], 1.5)

    def test_bulk(self):
        """a bulk update is all or nothing"""
        path = "/workflow-tasks:bulk-update"
        good = {"workflowTaskId": self.task["id"], "statusId": self.status["In progress"]}
        task = self.cloud.api("POST", path, {"workflowTasks": [good, {"workflowTaskId": "no"}]}, 202)["taskId"]
        told = self.cloud.finished(task)
        self.assertEqual((told["status"], told["errors"]["index"]), ("FAILED", 1))
        task = self.cloud.api("POST", path, {"workflowTasks": [good]}, 202)["taskId"]
        self.assertEqual(self.cloud.finished(task)["response"]["workflowTasks"][0]["status"]["id"],
                         self.status["In progress"])

    def test_hand(self):
        """somebody can change a status by hand, against the lifecycle only by force"""
        path = f"/sim/tasks/{self.task['id']}/status"
        self.assertEqual(self.cloud.ask("POST", path, {"status": "Failed"}).status, 400)
        self.assertEqual(self.cloud.ask("POST", path, {"status": "Failed", "force": True}).status, 200)


class Events(WithCloud):
    options = (*FAST, "--rate-limit", "10000")

    def page(self, query):
        return self.cloud.api("GET", f"/events?{query}", want=200)

    def test_pages(self):
        """pages follow each other without gap or repetition, in the order of processing"""
        self.cloud.sim("POST", "/events/load", {"count": 250})
        seen, token = [], ""
        while True:
            page = self.page(f"pageSize=100&eventTypes=v2.entity.registered&nextToken={token}")
            seen += [e["entity"]["number"] for e in page["events"]]
            token = page["nextToken"]
            if not token:
                break
        self.assertEqual(seen, list(range(250)))

    def test_poll(self):
        """with poll there is always a nextToken, and it finds what came later"""
        token = self.page("poll=true&pageSize=100")["nextToken"]
        page = self.page(f"poll=true&nextToken={token}")
        self.assertEqual(page["events"], [])
        self.cloud.sim("POST", "/events", {"type": "v2.entity.registered", "resource": {"id": "bfi_1"}})
        page = self.page(f"poll=true&nextToken={page['nextToken']}")
        self.assertEqual([e["entity"]["id"] for e in page["events"]], ["bfi_1"])

    def test_starting_after(self):
        """startingAfter gives what came after that event; an unknown event is refused"""
        told = self.cloud.sim("POST", "/events/load", {"count": 3})
        self.assertEqual(len(self.page(f"startingAfter={told['first']}")["events"]), 2)
        self.assertEqual(self.cloud.api("GET", "/events?startingAfter=evt_none").status, 400)

    def test_created_at(self):
        """createdAt.gte leaves out what is older"""
        self.assertEqual(len(self.page("createdAt.gte=2020-05-23")["events"]), 1)
        self.assertEqual(self.page("createdAt.gte=2099-01-01T00:00:00Z")["events"], [])

    def test_oversize(self):
        """an event above 256 KB drops its largest members and names them in excludedProperties"""
        self.cloud.sim("POST", "/events", {"type": "v2.entity.registered",
                                           "resource": {"id": "bfi_1", "name": "n", "fields": {"a": "x" * 300000}}})
        event = self.page("eventTypes=v2.entity.registered")["events"][0]
        self.assertEqual(event["excludedProperties"], ["fields"])
        self.assertEqual(event["entity"], {"id": "bfi_1", "name": "n"})

    def test_excluded(self):
        """members can be left out of an event on purpose"""
        run = self.cloud.run
        told = self.cloud.sim("POST", "/events", {"type": "v2.assayRun.updated.fields", "resourceId": run,
                                                  "updates": ["fields.plate"], "exclude": ["fields"]})
        self.assertEqual(told["detail"]["excludedProperties"], ["fields"])
        self.assertNotIn("fields", told["detail"]["assayRun"])


class Relay(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *options, broker=True):
        self.port = free_port()
        if broker:
            self.broker = Broker(self.folder, self.port)
        self.cloud = Cloud(*FAST, "--broker", f"mqtt://127.0.0.1:{self.port}", "--site", "boston", *options)
        self.addCleanup(self.cloud.close)

    def tearDown(self):
        self.broker.close()

    def numbers(self, messages):
        return [json.loads(p)["detail"]["entity"]["number"] for t, p in messages if "entity" in t]

    def test_eventbridge(self):
        """each event is published in an EventBridge envelope under the site's topic"""
        self.start()
        topic, payload = self.broker.wait_for(1)[0]
        self.assertEqual(topic, "labferry/boston/events/v2.assayRun.created")
        envelope = json.loads(payload)
        self.assertEqual((envelope["version"], envelope["detail-type"], envelope["resources"]),
                         ("0", "v2.assayRun.created", []))
        self.assertTrue(envelope["source"].startswith("aws.partner"))
        self.assertEqual(envelope["detail"]["assayRun"]["id"], self.cloud.run)

    def test_other_envelopes(self):
        """an event can travel bare, or thin as a webhook"""
        self.start("--envelope", "bare")
        self.assertEqual(json.loads(self.broker.wait_for(1)[0][1])["eventType"], "v2.assayRun.created")
        self.cloud.close()
        self.start_again("--envelope", "webhook")
        message = json.loads(self.broker.wait_for(2)[1][1])["message"]
        self.assertEqual((message["type"], message["resourceId"]), ("v2.assayRun.created", self.cloud.run))

    def start_again(self, *options):
        self.doCleanups_of_cloud()
        self.cloud = Cloud(*FAST, "--broker", f"mqtt://127.0.0.1:{self.port}", *options)
        self.addCleanup(self.cloud.close)

    def doCleanups_of_cloud(self):
        self._cleanups = [c for c in self._cleanups if c[0] != self.cloud.close]

    def test_broker_away(self):
        """events wait, in order, while the broker is away"""
        self.start(broker=False)
        self.cloud.sim("POST", "/events/load", {"count": 300})
        self.assertFalse(self.cloud.state["relay"]["connected"])
        self.broker = Broker(self.folder, self.port)
        messages = self.broker.wait_for(301)
        self.assertEqual(self.numbers(messages), list(range(300)))

    def test_broker_restarts(self):
        """a broker that restarts in the middle gets every event, none out of order"""
        self.start()
        until(lambda: self.cloud.state["relay"]["connected"], "the relay")
        self.cloud.sim("POST", "/events/load", {"count": 200})
        self.broker.close()
        self.cloud.sim("POST", "/events/load", {"count": 200})
        self.broker = Broker(self.folder, self.port)
        until(lambda: self.cloud.state["relay"]["queued"] == 0, "the queue to empty")
        until(lambda: self.numbers(self.broker.messages())[-1:] == [199], "the last event")
        self.assertEqual(self.numbers(self.broker.messages())[-200:], list(range(200)))
        self.assertEqual(self.cloud.state["relay"]["published"], 401)

    def test_again(self):
        """events can be sent again, reversed and repeated"""
        self.start()
        self.cloud.sim("POST", "/events/load", {"count": 3})
        self.broker.wait_for(4)
        self.cloud.sim("POST", "/events/replay", {"types": "v2.entity.registered", "order": "reverse", "times": 2})
        messages = self.broker.wait_for(10)
        self.assertEqual(self.numbers(messages)[3:], [2, 1, 0, 2, 1, 0])
        ids = [json.loads(p)["id"] for _, p in messages[1:]]
        self.assertEqual(len(set(ids)), 3)

    def test_pause_and_raw(self):
        """the relay can hold everything back, and send any bytes on any topic"""
        self.start()
        self.broker.wait_for(1)
        self.cloud.sim("POST", "/relay", {"paused": True})
        self.cloud.sim("POST", "/publish", {"topic": "labferry/boston/events/x", "payload": "{no json"})
        time.sleep(0.5)
        self.assertEqual(len(self.broker.messages()), 1)
        self.cloud.sim("POST", "/relay", {"paused": False})
        self.assertEqual(self.broker.wait_for(2)[1], ("labferry/boston/events/x", b"{no json"))


class Faults(WithCloud):
    options = (*FAST, "--rate-limit", "10000")

    def setUp(self):
        super().setUp()
        self.cloud.bearer()  # before any fault could strike it

    def fault(self, kind, **rest):
        return self.cloud.sim("POST", "/faults", {"kind": kind, **rest})

    def events_answer(self):
        return self.cloud.api("GET", "/events")

    def raises(self, error, call):
        with self.assertRaises(error):
            call()

    def test_status(self):
        """an error status comes in the vendor's shape, and the operation does not happen"""
        for status in (401, 403, 404, 409, 413, 429, 500, 502, 503, 504):
            self.fault("status", status=status, path="/blobs")
            answer = self.cloud.api("POST", "/blobs", {"name": "x"})
            self.assertEqual(answer.status, status)
            self.assertIn("message", answer.error)
        self.assertEqual(self.cloud.state["blobs"], [])

    def test_429_headers(self):
        """a 429 shows an exhausted budget, or no headers at all"""
        self.fault("status", status=429, reset=7, retryAfter=3)
        answer = self.events_answer()
        self.assertEqual((answer.headers["x-rate-limit-remaining"], answer.headers["x-rate-limit-reset"],
                          answer.headers["Retry-After"]), ("0", "7", "3"))
        self.fault("status", status=429, headers=False)
        self.assertIsNone(self.events_answer().headers["x-rate-limit-reset"])

    def test_after_and_count(self):
        """a fault strikes after so many requests, so many times, and only where it is meant to"""
        self.fault("status", status=503, method="GET", path="/ev*", after=1, count=2)
        self.assertEqual(self.cloud.api("GET", "/assay-run-schemas").status, 200)
        self.assertEqual([self.events_answer().status for _ in range(4)], [200, 503, 503, 200])
        self.assertEqual(self.cloud.sim("GET", "/faults")["faults"][0]["hits"], 2)
        self.cloud.sim("DELETE", "/faults")
        self.assertEqual(self.cloud.sim("GET", "/faults")["faults"], [])

    def test_resets(self):
        """a connection can be reset before acting, after acting, in the middle of either body"""
        broken = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected, http.client.IncompleteRead)
        upload = lambda: self.cloud.upload(b"x" * 100000)
        for kind, made in (("reset-before", 0), ("reset-request", 0), ("reset-after", 1), ("reset-mid", 2)):
            self.fault(kind, path="/blobs", bytes=1 if kind == "reset-request" else 0)
            self.raises(broken, upload)
            self.assertEqual(len(self.cloud.state["blobs"]), made, kind)
        self.assertEqual(self.cloud.sim("GET", "/requests")["byOperation"]["createBlob"]["reset"], 3)

    def test_acts_then_fails(self):
        """an operation can take effect and yet be answered with an error"""
        self.fault("status", status=504, path="/blobs", act=True)
        self.cloud.upload(b"x", want=504)
        self.assertEqual(len(self.cloud.state["blobs"]), 1)

    def test_spoilt_bodies(self):
        """a body can be HTML, not JSON, of the wrong shape, too short, cut off, or off by a byte"""
        whole = self.cloud.api("GET", "/assay-run-schemas").bytes
        get = lambda: self.cloud.api("GET", "/assay-run-schemas")
        self.fault("html")
        self.assertIn(b"<html", get().bytes)
        self.fault("not-json")
        self.raises(json.JSONDecodeError, lambda: get().json)
        self.fault("wrong-schema")
        self.assertNotIn("assayRunSchemas", get().json)
        self.fault("wrong-length")
        self.assertEqual(get().bytes, whole[:-1])
        self.fault("truncated", bytes=10)
        self.raises(http.client.IncompleteRead, get)
        self.fault("wrong-digest")
        spoilt = get().bytes
        self.assertEqual([len(spoilt), sum(a != b for a, b in zip(spoilt, whole))], [len(whole), 1])

    def test_slow(self):
        """an answer can come late, or trickle in"""
        began = time.monotonic()
        self.fault("latency", ms=700)
        self.events_answer()
        self.assertGreater(time.monotonic() - began, 0.7)
        began = time.monotonic()
        size = len(self.events_answer().bytes)
        self.fault("slow", bytesPerSecond=size)
        self.assertEqual(len(self.events_answer().bytes), size)
        self.assertGreater(time.monotonic() - began, 0.8)

    def test_endless(self):
        """an answer never ends"""
        self.fault("endless")
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.port, timeout=WAIT_S)
        connection.request("GET", "/api/v2/events", headers=self.cloud.bearer())
        self.assertEqual(len(connection.getresponse().read(20_000_000)), 20_000_000)
        connection.close()

    def test_download_faults(self):
        """the bytes of a download can be corrupted as well"""
        blob = self.cloud.upload(b"0123456789")["id"]
        url = self.cloud.api("GET", f"/blobs/{blob}/download").headers["Location"].removeprefix(self.cloud.url)
        self.fault("wrong-digest", path="/presigned/*")
        spoilt = self.cloud.ask("GET", url).bytes
        self.assertEqual((len(spoilt), spoilt == b"0123456789"), (10, False))

    def test_bad_rule(self):
        """a rule that makes no sense is refused with the possible values"""
        answer = self.cloud.ask("POST", "/sim/faults", {"kind": "explode"})
        self.assertEqual(answer.status, 400)
        self.assertIn("reset-after", answer.error["message"])
        self.assertEqual(self.cloud.ask("POST", "/sim/faults", {"kind": "latency"}).status, 400)


class Program(unittest.TestCase):
    def fails(self, *options):
        done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=WAIT_S)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_help(self):
        """--help names every option with its default"""
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, 0)
        for word in ("--port", "--broker", "--scenario", "[900]", "[/api/v2]"):
            self.assertIn(word, done.stdout)

    def test_mistakes(self):
        """a mistake on the command line or in a scenario is named"""
        self.assertIn("--prot", self.fails("--prot", "1"))
        self.assertIn("65535", self.fails("--port", "70000"))
        self.assertIn("value", self.fails("--port"))
        self.assertIn("belong together", self.fails("--cert", "x"))
        self.assertIn("mqtt://", self.fails("--port", "0", "--broker", "localhost"))
        self.assertIn("/no/such", self.fails("--port", "0", "--scenario", "/no/such"))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"runs": [{"schema": "Nothing"}]}')
            file.flush()
            self.assertIn("Nothing", self.fails("--port", "0", "--scenario", file.name))

    def test_port_taken(self):
        """a port in use is reported"""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            self.assertIn("cannot listen", self.fails("--port", str(s.getsockname()[1])))

    def test_port_file_and_data(self):
        """the port is written to a file, and blobs lie in the folder that was named"""
        with tempfile.TemporaryDirectory() as folder:
            cloud = Cloud(*FAST, "--port-file", f"{folder}/port", "--data", f"{folder}/blobs")
            self.addCleanup(cloud.close)
            until(lambda: os.path.exists(f"{folder}/port"), "the port file")
            self.assertEqual(int(pathlib.Path(f"{folder}/port").read_text()), cloud.port)
            blob = cloud.upload(b"hello")["id"]
            self.assertEqual(pathlib.Path(f"{folder}/blobs/{blob}").read_bytes(), b"hello")

    def test_garbage(self):
        """garbage on the wire does not stop it"""
        cloud = Cloud(*FAST)
        self.addCleanup(cloud.close)
        for garbage in (b"\0" * 1000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000, b"POST /blobs HTTP/1.1\r\n"
                        b"Content-Length: 99999999999999999999\r\n\r\n", os.urandom(5000)):
            with socket.create_connection(("127.0.0.1", cloud.port), WAIT_S) as s:
                try:
                    s.sendall(garbage)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:
                    pass
        self.assertEqual(cloud.log_in().status, 200)


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

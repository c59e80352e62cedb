"""The cloud simulator keeps the vendor's contract (facts: Benchling API v2)."""
import base64
import hashlib
import os
import time
import unittest

from simcloud import FAST, WithCloud, until

SIDE_BY_SIDE = 3


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

    def test_task_event(self):
        """an event of a workflow task has the members that a real tenant sends: no date of the task among them"""
        self.cloud.sim("POST", "/tasks", {"fields": {"Sample": {"value": "S-1"}}})
        event = self.page("eventTypes=v2.workflowTask.updated.status")["events"][0]
        self.assertEqual(sorted(event["workflowTask"]), sorted((
            "id", "fields", "schema", "status", "creator", "assignee", "displayId", "clonedFrom", "scheduledOn", "archiveRecord",
            "executionType", "creationOrigin", "executionOrigin", "workflowOutputs", "workflowTaskGroup")))
        self.assertRegex(event["createdAt"], r"T\d\d:\d\d:\d\d\.\d{6}\+00:00$")

    def test_excluded(self):
        """members can be left out of an event on purpose"""
        run = self.cloud.run
        told = self.cloud.sim("POST", "/events", {"type": "v2.assayRun.updated.fields", "resourceId": run,
                                                  "updates": ["fields.plate"], "exclude": ["fields"]})
        self.assertEqual(told["detail"]["excludedProperties"], ["fields"])
        self.assertNotIn("fields", told["detail"]["assayRun"])


if __name__ == "__main__":
    unittest.main()

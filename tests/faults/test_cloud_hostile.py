"""Hostile answers of the tenant, each to a job of its own: bounded, refused and named; and once the tenant is honest, all is done."""
import base64
import gzip
import http.client
import http.server
import json
import re
import threading
import unittest
import urllib.parse

from carrying import Carrying
from whole import FAST, SOON, config, without_quarantine

SECRETS = ("sim-secret", base64.b64encode(b"labferry-sim:sim-secret").decode())
HARMLESS = "Sample,Volume\nS-1,50\n"
LONG = 10_000_000  # bytes; more than any answer about a resource has
TOO_LARGE = 300 * 1024  # bytes; a message may have 256 KB
REFUSED = "the redirect to .* is refused"

# file name: (where its download redirects to, what the job says)
REDIRECTS = {
    "file": ("file:///etc/passwd", REFUSED),
    "gopher": ("gopher://127.0.0.1:25/x", REFUSED),
    "plain": ("http://169.254.169.254/latest", REFUSED),
    "user": ("http://a:b@127.0.0.1/x", REFUSED),
    "disguise": ("https://tenant@evil.example/x", REFUSED),
    "terminal": ("http://127.0.0.1/\x1b]0;pwn\x07", REFUSED),
    "long": ("http://127.0.0.1/" + "a" * 200_000, "header of more than 100 kB"),
}

# file name: (bytes of the answer about its generator, what the job says)
BODIES = {
    "deep": (b"[" * 100_000, "nested more than"),
    "zero": (rb'{"id":"a\u0000b","file":{"id":"f\u0000","name":"n\u0000.csv","uploadStatus":"COMPLETE"}}', "the answer's field"),
    "half": (rb'{"id":"a","file":{"id":"\ud800","name":"\udc00\ud800.csv"}}', "not JSON"),
    "number": (b'{"id":1e999,"file":{"id":-1e999999,"name":3}}', "not a text"),
    "twice": (b'{"id":"a","id":{},"file":null,"file":{"id":"x","id":[],"name":"a.csv"}}', "the answer's field"),
    "list": (b"[]", "is a list, not an object"),
    "null": (b"null", "is null, not an object"),
    "nothing": (b"", "cannot parse the answer"),
    "utf16": ('{"id":"a"}'.encode("utf-16"), "NUL bytes"),
}

# file name: (status, headers, what the job says)
PAUSES = {
    "reset": (429, {"x-rate-limit-limit": str(2**63 - 1), "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(2**63 - 1)},
              "makes no sense"),
    "later": (429, {"x-rate-limit-reset": "99999999"}, "makes no sense"),
    "after": (503, {"Retry-After": "9" * 20}, "not available"),
}

TOKENS = {
    "negative": b'{"access_token":"x","token_type":"Bearer","expires_in":-1}',
    "huge": b'{"access_token":"x","token_type":"Bearer","expires_in":1e300}',
    "line": b'{"access_token":"x\\r\\nX-Evil: 1","token_type":"Bearer","expires_in":900}',
    "list": b'{"access_token":["x"],"expires_in":"900"}',
    "long": b'{"access_token":"' + b"a" * 60_000 + b'","token_type":"Bearer","expires_in":900}',
}


class Tenant(http.server.ThreadingHTTPServer):
    """Passes requests on to the real one; `evil(handler)` may answer instead, and then returns True; `alter(path, body)` gives the body
    of an answer that is passed on."""
    daemon_threads = True

    def __init__(self, real, evil, alter=None):
        self.real, self.evil, self.alter = urllib.parse.urlparse(real), evil, alter or (lambda _path, body: body)
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """The agent hangs up on answers without end."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, headers, body):
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def go(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.evil(self):
            return
        real = http.client.HTTPConnection(self.server.real.hostname, self.server.real.port, timeout=SOON)
        real.request(self.command, self.path, asked or None,
                     {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")})
        answer = real.getresponse()
        body = self.server.alter(self.path, answer.read())
        self.give(answer.status, {name: value for name, value in answer.getheaders()
                                  if name.lower() not in ("connection", "transfer-encoding", "content-length")}, body)
        real.close()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = go


class Hostile(Carrying):
    def begin(self, evil, alter=None, **more):
        lab, self.names = self.lab, {}
        lab.start_broker()
        lab.start_cloud(*FAST, "--rate-limit", "1000000")
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        self.tenant = Tenant(lab.tenant, evil, alter)
        self.addCleanup(self.tenant.server_close)
        self.addCleanup(self.tenant.shutdown)
        lab.write_config(config(**more).replace("%(tenant)s", self.tenant.url))
        lab.start_agent()

    def story_of(self, name):
        job = self.job_of("deliver", f"{name}.csv") or {}
        return " ".join([job.get("note") or "", *(line["text"] for line in job.get("history", []))])

    def each_is_refused(self, wanted):
        """Each job says what is wrong, nothing is on the instrument, and all is done when the tenant is honest."""
        for name in wanted:
            self.send_down(f"{name}.csv", f"{HARMLESS}{name},1\n")
        for name, words in wanted.items():
            self.lab.until(f"{name} says {words!r}", lambda name=name, words=words: re.search(words, self.story_of(name)))
        self.assertEqual(self.lab.worklists(), {})
        self.assertEqual(self.lab.labferry("jobs")[0], 0)
        self.harmless_to_look_at()

    def all_is_done(self, names):
        def done():
            self.retry_all()
            self.hurry()
            return len([job for job in self.lab.jobs() if job["kind"] == "deliver" and job["state"] == "done"]) == len(names)
        self.lab.until("all is done", done)
        self.assertEqual(self.lab.worklists(), {f"{name}.csv": [f"{HARMLESS}{name},1\n".encode()] for name in names})

    def harmless_to_look_at(self):
        seen = self.lab.log("agent") + json.dumps([self.lab.ask("status"), [self.lab.job(j["id"]) for j in self.lab.jobs()]],
                                                  ensure_ascii=False)
        for secret in SECRETS:
            self.assertNotIn(secret, seen)
        self.assertEqual([c for c in seen if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or ord(c) == 0x202e], [])

    def subject(self, path):
        """(kind of resource, worklist without .csv) that a request is about; the name is None for any other request."""
        found = re.search(r"/(automation-input-generators|blobs)/([^/?]+)", path)
        if not found:
            return None, None
        if found[2] not in self.names:
            for generator in self.lab.cloud_state()["generators"]:
                if generator.get("file"):
                    name = generator["file"]["name"].rsplit(".", 1)[0]
                    self.names[generator["id"]] = self.names[generator["file"]["id"]] = name
        return found[1], self.names.get(found[2])

    def test_redirects(self):
        """a download that is redirected to a file, another scheme, a plain or disguised host is refused with the reason"""
        evil = [True]

        def redirect(handler):
            kind, name = self.subject(handler.path)
            if evil and kind == "blobs" and name in REDIRECTS:
                handler.give(302, {"Location": REDIRECTS[name][0]}, b"")
                return True
            return False
        self.begin(redirect)
        self.each_is_refused({name: words for name, (_, words) in REDIRECTS.items()})
        evil.clear()
        self.all_is_done(REDIRECTS)

    def test_answers(self):
        """answers of the wrong shape, without end or with absurd pauses are refused with the reason, in bounded memory"""
        evil = [True]
        wanted = {**{name: words for name, (_, words) in BODIES.items()}, **{name: words for name, (*_, words) in PAUSES.items()},
                  "packed": "coding \"gzip\"", "headers": "header of more than|connection broke", "endless": "larger than the limit",
                  "minus": "Content-Length"}

        def answer(handler):
            kind, name = self.subject(handler.path)
            if not evil or name not in wanted:
                return False
            if kind == "blobs":
                if name == "packed":
                    handler.give(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50_000_000)))
                elif name == "minus":
                    handler.give(200, {"Content-Length": "-5"}, b"x" * 5)
                return name in ("packed", "minus")
            if name in BODIES:
                handler.give(200, {"Content-Type": "application/json"}, BODIES[name][0])
            elif name in PAUSES:
                handler.give(PAUSES[name][0], PAUSES[name][1], b"{}")
            elif name == "headers":
                handler.send_response_only(200)
                for number in range(LONG // 900):
                    handler.wfile.write(b"X-%d: %s\r\n" % (number, b"a" * 900))
            elif name == "endless":
                handler.send_response_only(200)
                handler.end_headers()
                for _ in range(2 * LONG // 4096):
                    handler.wfile.write(b" " * 4096)
                handler.close_connection = True
            return name not in ("packed", "minus")
        without_quarantine(self)
        self.begin(answer)
        self.lab.until("the tenant is known", self.lab.online)
        before = self.lab.memory()
        self.each_is_refused(wanted)
        self.assertLess(self.lab.memory() - before, 64_000_000)
        evil.clear()
        self.all_is_done(wanted)

    def test_tokens(self):
        """a token of the wrong shape, for another host, or in an answer that repeats our secret: no token, no secret elsewhere"""
        evil, stolen = list(TOKENS), []

        def token(handler):
            if handler.path.startswith("/stolen"):
                stolen.append(dict(handler.headers))
            if not evil or not handler.path.endswith("/token"):
                return False
            if evil[0] == "elsewhere":
                handler.give(302, {"Location": f"http://127.0.0.2:{self.tenant.server_port}/stolen"}, b"")
            elif evil[0] == "echo":
                basic = handler.headers["Authorization"]
                plain = base64.b64decode(basic.split()[1]).decode()
                handler.give(401, {}, json.dumps({"error": {"message": f"bad {basic} {plain}"}}).encode())
            else:
                handler.give(200, {"Content-Type": "application/json"}, TOKENS[evil[0]])
            return True
        self.begin(token)
        self.send_down("a.csv", f"{HARMLESS}a,1\n")
        for name in [*TOKENS, "elsewhere", "echo"]:
            words = {"elsewhere": "redirects elsewhere", "echo": "rejected our credentials"}.get(name, "no usable bearer token")
            evil[:] = [name]
            said = self.story_of("a").count(words)

            def again(words=words, said=said):
                self.hurry()
                return self.story_of("a").count(words) > said
            self.lab.until(f"{name} is refused with {words!r}", again)
        self.assertEqual((stolen, self.lab.worklists()), ([], {}))
        self.harmless_to_look_at()
        evil.clear()
        self.all_is_done(["a"])

    def test_large_event(self):
        """an event in the list that is larger than any message may be is processed, and so are those beside it"""
        lab, large = self.lab, []

        def add_field(path, body):
            if "/events?" not in path:
                return body
            answer = json.loads(body)
            for event in answer["events"]:
                fields = event.get("workflowTask", {}).get("fields", {})
                if fields.get("Sample", {}).get("value") == "S-1":
                    fields["Note"] = {"value": "z" * TOO_LARGE}
                    large.append(event["id"])
            return json.dumps(answer).encode()
        lab.start_balance("--weight", "12.34")
        self.begin(lambda _: False, add_field, cloud='events = "poll"; poll_interval = "1s";')
        lab.ask_cloud("/sim/relay", {"paused": True})
        tasks = [lab.new_task(Sample=f"S-{number}") for number in range(3)]
        lab.wait_job("task", count=3)
        for task in tasks:
            self.assertEqual((lab.task_status(task), len(lab.outputs(task))), ("COMPLETED", 1))
        created = [event for event in lab.events() if event["type"].endswith("workflowTask.created")]
        self.assertEqual({event["fate"] for event in created}, {"job"})
        self.assertEqual(len([event for event in created if event["id"] in large]), 1)


if __name__ == "__main__":
    unittest.main()

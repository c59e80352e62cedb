"""The cloud simulator as a program: what it sends to a broker, how it fails on demand, and wrong use."""
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

from simcloud import FAST, PROGRAM, WAIT_S, Broker, Cloud, WithCloud, free_port, until

SIDE_BY_SIDE = 3


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
        self.cloud.sim("POST", "/relay", {"paused": True})  # until the subscriber is there, too
        self.broker = Broker(self.folder, self.port)
        self.cloud.sim("POST", "/relay", {"paused": False})
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
        until(lambda: self.numbers(self.broker.messages())[-200:] == list(range(200)), "all events, in order, to the last")
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


if __name__ == "__main__":
    unittest.main()

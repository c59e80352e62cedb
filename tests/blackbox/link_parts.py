"""Parts for the tests of the link: a real broker, a scripted one, certificates, the probe, and a proxy."""
import json
import os
import pathlib
import queue
import signal
import socket
import ssl
import subprocess
import threading
import time

PROBE = pathlib.Path(os.environ["LF_BUILD"], "tests/unit/link/link_probe")
PATIENCE_S = 60


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(true, what, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """mosquitto on a free port, with a log to look into; keeps its sessions in `folder` when stopped."""

    def __init__(self, folder, settings=("allow_anonymous true",), port=None):
        self.folder = pathlib.Path(folder)
        self.port = port or free_port()
        lines = [f"listener {self.port} 127.0.0.1", "user root", "max_queued_messages 100000",
                 "persistence true", f"persistence_location {self.folder}/", *settings]
        (self.folder / "broker.conf").write_text("\n".join(lines) + "\n")
        self.process = None
        self.start()

    def start(self):
        with open(self.folder / "broker.log", "ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-v", "-c", self.folder / "broker.conf"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: listens(self.port) or self.process.poll() is not None, "the broker listens")
        if self.process.poll() is not None:
            raise AssertionError(self.log())

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def log(self):
        return (self.folder / "broker.log").read_text(errors="replace")

    def publish(self, topic, *payloads, options=()):
        """QoS 1, in order, acknowledged when this returns."""
        lines = "".join(f"{p}\n" for p in payloads)
        subprocess.run(["mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic,
                        "-q", "1", "-l", *options], input=lines.encode(), check=True, timeout=PATIENCE_S)

    def read(self, topic, count, options=(), seconds=PATIENCE_S):
        """The next `count` messages on a topic (retained ones too) as text."""
        run = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.port), "-t", topic, "-q", "1",
                              "-C", str(count), "-W", str(seconds), *options],
                             capture_output=True, timeout=2 * PATIENCE_S)
        return run.stdout.decode().splitlines()


class Probe:
    def __init__(self, *options):
        self.process = subprocess.Popen([PROBE, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.told = []
        self.lines = queue.Queue()
        self.errors = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def pass_time(self, seconds):
        """Moves the clock of a probe that was started with clock=1."""
        self.say(f"pass {int(seconds * 1000)}")

    def say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def next(self, what, seconds=PATIENCE_S, **members):
        """The next line of this kind with these members; lines before it are put into `told`."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"not reported within {seconds} s: {what} {members}\n{self.told[-5:]}\n"
                                     + "".join(self.errors[-20:]))
            self.told.append(line)
            if line["what"] == what and all(line.get(k) == v for k, v in members.items()):
                return line

    def error(self, words, seconds=PATIENCE_S):
        """Waits for a line of the log with these words."""
        wait_until(lambda: words in "".join(self.errors), f"{words!r} in the log", seconds)

    def health(self):
        self.say("health")
        return self.next("health")["health"]

    def wakes(self):
        """How often its threads have been scheduled. What rests is not; what spins is interrupted by others, or uses a processor."""
        return sum(int(line.split()[1]) for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
                   for line in (task / "status").read_text().splitlines() if "ctxt_switches" in line)

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        """Shuts the link down cleanly. Returns the exit status."""
        self.say("close")
        return self.process.wait(PATIENCE_S)

    def end(self):
        """In good order if it still runs, and well: also what it had on its heap is looked at."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(PATIENCE_S)
        code = self.process.returncode
        self.kill()
        assert code in (0, -signal.SIGKILL), f"exit status {code}\n" + "".join(self.errors[-20:])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except OSError:
                pass


CONNACK = bytes([0x20, 3, 0, 0, 0])
PINGRESP = bytes([0xD0, 0])
DISCONNECT_TAKEN_OVER = bytes([0xE0, 2, 0x8E, 0])
DISCONNECT_SHUTTING_DOWN = bytes([0xE0, 2, 0x8B, 0])


class ScriptedBroker:
    """Says what a test wants said; for what mosquitto 2.0 never says."""

    def __init__(self, tls=None):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.peer = None
        self.tls = tls  # an ssl.SSLContext

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for sock in (self.peer, self.server):
            if sock:
                sock.close()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.peer.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def packet(self):
        """The type and the body of the next packet."""
        kind, length, shift = self._exactly(1)[0], 0, 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return kind >> 4, self._exactly(length)

    def accept(self):
        """A client that sends CONNECT; one that only looks whether someone listens is let go."""
        self.server.settimeout(PATIENCE_S)
        while True:
            self.peer = self.server.accept()[0]
            self.peer.settimeout(PATIENCE_S)
            try:
                if self.tls:
                    self.peer = self.tls.wrap_socket(self.peer, server_side=True)
                assert self.packet()[0] == 1
                return
            except (EOFError, ConnectionError, ssl.SSLError):
                self.peer.close()

    def session(self):
        """Accepts a client and its one subscription."""
        self.subscriptions(1)

    def subscriptions(self, count):
        """Accepts a client and so many subscriptions."""
        self.accept()
        self.send(CONNACK)
        for _ in range(count):
            kind, body = self.packet()
            assert kind == 8
            self.send(bytes([0x90, 4]) + body[:2] + bytes([0, 1]))

    def publish(self, topic, payload, **properties):
        """QoS 0, with user properties."""
        self.send(self.message(topic, payload, **properties))

    @staticmethod
    def message(topic, payload, **properties):
        def text(words):
            return len(words).to_bytes(2, "big") + words.encode()
        extra = b"".join(b"\x26" + text(name.replace("_", "-")) + text(value) for name, value in properties.items())
        body = text(topic) + bytes([len(extra)]) + extra + payload.encode()
        assert len(body) < 128
        return bytes([0x30, len(body)]) + body

    def send(self, data):
        self.peer.sendall(data)

    def someone_came(self, seconds):
        self.server.settimeout(seconds)
        try:
            self.server.accept()[0].close()
            return True
        except TimeoutError:
            return False


class Listener:
    """Listens from the end of __init__ on, and calls `serve` with each client, on a thread of its own."""

    def __init__(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def close(self):
        self.server.close()


class Proxy(Listener):
    """Passes bytes between a client and a port. With `holding` set to n, the last n of the next bytes to the
    client are held back."""

    def __init__(self, target):
        self.target = target
        self.holding = 0
        self.held = b""
        self.client = None
        super().__init__()

    def serve(self, client):
        self.client = client
        upstream = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=self._pass, args=(client, upstream, False), daemon=True).start()
        self._pass(upstream, client, True)

    def _pass(self, source, sink, to_client):
        try:
            while data := source.recv(65536):
                if to_client and self.holding:
                    keep, self.holding = self.holding, 0
                    self.held, data = data[-keep:], data[:-keep]
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.close()
            except OSError:
                pass

    def release(self):
        held, self.held = self.held, b""
        self.client.sendall(held)


def make_certificates(folder):
    """A CA, a broker certificate for localhost, a client certificate of that CA, and another CA."""
    folder = pathlib.Path(folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=PATIENCE_S)

    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.crt")
    for name, issuer, names in (("broker", "ca", "DNS:localhost,IP:127.0.0.1"), ("client", "ca", "DNS:probe"),
                                ("elsewhere", "ca", "DNS:example.org"), ("stranger", "other", "DNS:probe")):
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / "ext").write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key",
                "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", f"{name}.crt")
        (folder / f"{name}.key").chmod(0o600)

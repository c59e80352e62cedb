"""The parts of a rehearsal: broker, simulated tenant, instruments and agent, on loopback and free ports, in one folder.

Everything that is started here ends with the Stage, in whatever way the program ends.
"""
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

SITE, AGENT = "demo-lab", "bench-1"
PROFILES = pathlib.Path(__file__).resolve().parents[2] / "etc" / "profiles"

CONFIG = """\
# The configuration of the demo: what a user would write for these two instruments.
agent = {
    name = "%(agent)s";
    site = "%(site)s";
    state_dir = "%(home)s/state";
    socket = "%(home)s/control.sock";
    disk_reserve = "1MB";
    log_format = "json";
};

cloud = {
    tenant = "%(tenant)s";
    client_id = "labferry-sim";
    client_secret_file = "%(home)s/client_secret";
};

link = { broker = "mqtt://127.0.0.1:%(broker_port)d"; };

instruments = (
    # The liquid handler takes worklists from one folder; the plate reader beside it writes results to another.
    {
        name = "hamilton-1";
        driver = "folder";
        inbox = "%(home)s/hamilton/worklists";
        outbox = "%(home)s/hamilton/results";
        results = [ "*.csv" ];
        stable_for = "2s";
        scan_interval = "300ms";
        collect = ( { files = "*.csv"; match = [ "last-job" ]; config = "Plate reader"; } );
    },
    {
        name = "balance-1";
        driver = "line";
        stream = "serial:%(home)s/balance";
        profile = "%(profiles)s/mt-sics.profile";
        expect_identity = "B021002593";
    }
);

routes = (
    {
        name = "worklists";
        on = "automationInputGenerator.completed";
        where = { automationInputGenerator = { automationFileConfig = { name = [ "Hamilton worklist" ]; }; }; };
        job = "deliver";
        instrument = "hamilton-1";
    },
    {
        name = "weigh";
        on = "workflowTask.created";
        where = { workflowTask = { schema = { name = [ "Weigh sample" ]; }; status = { displayName = [ "To do" ]; }; }; };
        job = "task"; only_agent = true; start = "at-once";
        instrument = "balance-1";
        procedure = "weigh";
        outputs = { weight = "Mass"; unit = "Unit"; };
    }
);
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, ready, seconds=60):
    """Asks `ready` until it gives something true; that is returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Stage:
    def __init__(self, build, home=None):
        self.build = pathlib.Path(build)
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="labferry-demo-"))
        self.parts = {}  # name: process
        self.broker_port = 0
        self.tenant = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.home, ignore_errors=True)

    def program(self, name):
        places = [self.build / "bin" / name, *self.build.glob(f"tests/sim/**/{name}")]
        for place in places:
            if place.is_file():
                return str(place)
        raise FileNotFoundError(f"{name} is not built in {self.build}")

    # ---- parts

    def start(self, name, command, **more):
        log = open(self.home / f"{name}.log", "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=more.get("stdout", log), stderr=log,
                                   env={**os.environ, **more.get("env", {})})
        log.close()
        self.parts[name] = process
        return process

    def stop(self, name, how=signal.SIGTERM, seconds=60):
        process = self.parts.pop(name, None)
        if process and process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode if process else None

    def end(self):
        for name in reversed(list(self.parts)):
            self.stop(name)

    def alive(self, name):
        process = self.parts.get(name)
        if process is None or process.poll() is not None:
            raise RuntimeError(f"{name} has ended; its log:\n" + self.log(name)[-3000:])
        return True

    def log(self, name):
        path = self.home / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start_broker(self, extra=""):
        self.broker_port = self.broker_port or free_port()
        config = self.home / "mosquitto.conf"
        # As root it would become another user, who cannot write its memory here.
        config.write_text(f"user root\nlistener {self.broker_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
                          f"persistence true\npersistence_location {self.home}/\n{extra}")
        os.chmod(self.home, 0o755)
        self.start("broker", ["/usr/sbin/mosquitto", "-c", str(config)])
        wait_until("the broker listens", lambda: self.alive("broker") and self.listens(self.broker_port))

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def start_cloud(self, *options):
        port_file = self.home / "cloud.port"
        port_file.unlink(missing_ok=True)
        self.start("cloud", [self.program("labferry-sim-cloud"), "--port", "0", "--port-file", str(port_file), "--broker",
                             f"mqtt://127.0.0.1:{self.broker_port}", "--site", SITE, *options])
        port = wait_until("the tenant listens", lambda: self.alive("cloud") and port_file.exists() and port_file.read_text().strip())
        self.tenant = f"http://127.0.0.1:{port}"

    def start_hamilton(self, *options):
        for folder in ("worklists", "results"):
            (self.home / "hamilton" / folder).mkdir(parents=True, exist_ok=True)
        self.start("hamilton", [self.program("labferry-sim-folder"), "--inbox", str(self.home / "hamilton/worklists"),
                                "--outbox", str(self.home / "hamilton/results"), "--state", str(self.home / "hamilton.json"),
                                *options])

    def start_balance(self, *options):
        self.start("balance", [self.program("labferry-sim-balance"), "--pty", str(self.home / "balance"), "--state",
                               str(self.home / "balance.json"), "--control", str(self.home / "balance.ctl"), *options])
        wait_until("the balance is there", lambda: self.alive("balance") and (self.home / "balance").exists())

    def write_config(self, text=None, **changes):
        secret = self.home / "client_secret"
        secret.write_text("sim-secret\n")
        secret.chmod(0o600)
        values = {"agent": AGENT, "site": SITE, "home": self.home, "tenant": self.tenant, "broker_port": self.broker_port,
                  "profiles": PROFILES, **changes}
        path = self.home / "labferry.conf"
        path.write_text((text or CONFIG) % values)
        return path

    def start_agent(self, wait=True, **more):
        """LF_FRONT in the environment is a command that the agent is started under, such as valgrind."""
        self.start("agent", [*shlex.split(os.environ.get("LF_FRONT", "")), self.program("labferryd"), "--config", str(self.home / "labferry.conf")], **more)
        if wait:
            wait_until("the agent answers", lambda: self.alive("agent") and self.online())

    def online(self):
        status, answer = self.labferry("status")
        return status == 0 and answer.get("link", {}).get("state", "online") == "online"

    # ---- asking

    def labferry(self, *words):
        """Runs the command line as a user would, with --json. Returns its exit status and what it printed."""
        done = subprocess.run([self.program("labferry"), "--config", str(self.home / "labferry.conf"), *words, "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        try:
            return done.returncode, json.loads(done.stdout)
        except json.JSONDecodeError:
            return done.returncode, {"text": done.stdout + done.stderr}

    def jobs(self, *words):
        status, answer = self.labferry("jobs", *words)
        return answer if status == 0 and isinstance(answer, list) else answer.get("jobs", []) if status == 0 else []

    def job(self, number):
        return self.labferry("job", str(number))[1]

    def ask_cloud(self, path, body=None, method=None):
        """The tenant's control API (/sim/...), or its own API with a token (everything else)."""
        request = urllib.request.Request(self.tenant + path, method=method or ("POST" if body is not None else "GET"),
                                         data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json"})
        if not path.startswith("/sim/"):
            import base64
            request.add_header("Authorization", "Basic " + base64.b64encode(b"sk_simulated:").decode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = answer.read()
        try:
            return json.loads(data) if data else None
        except ValueError:
            return data

    def cloud_state(self):
        return self.ask_cloud("/sim/state")

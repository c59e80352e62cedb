"""The bench of a soak: broker, tenant, a liquid handler, two balances, a voltmeter, and the agent as a user builds it."""
import copy
import http.client
import json
import pathlib
import re
import socket
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))
import whole  # noqa: E402
from stage import wait_until  # noqa: E402

# What a question to a part that is away, is starting, or has a fault may end in; it is asked again later.
AWAY = (OSError, ValueError, http.client.HTTPException, whole.Refused)
GRAMS, VOLTS = "12.34", "1.5"

CONFIG = """\
agent = { name = "%(agent)s"; site = "%(site)s"; state_dir = "%(home)s/state"; socket = "%(home)s/control.sock";
          disk_reserve = "1MB"; keep = "1h"; log_level = "info"; log_format = "text"; };
cloud = { tenant = "%(tenant)s"; client_id = "labferry-sim"; client_secret_file = "%(home)s/client_secret";
          request_timeout = "10s"; };
link = { broker = "mqtt://127.0.0.1:%(broker_port)d"; };
instruments = (
    { name = "hamilton-1"; driver = "folder"; inbox = "%(home)s/hamilton/worklists"; outbox = "%(home)s/hamilton/results";
      results = [ "*.csv" ]; finish = "marker"; done_marker = "{name}.done"; scan_interval = "200ms";
      collect = ( { files = "*.csv"; match = [ "filename:^(?<run>[0-9a-f-]{36})_" ]; config = "Plate reader"; } ); },
    { name = "balance-1"; driver = "line"; stream = "serial:%(home)s/balance"; profile = "%(home)s/balance.profile";
      expect_identity = "B021002593"; collect = ( { files = "*"; match = [ "sidecar" ]; config = "Printed"; } ); },
    { name = "balance-2"; driver = "line"; stream = "serial:%(home)s/printer"; profile = "%(home)s/balance.profile";
      expect_identity = "P2"; collect = ( { files = "*"; match = [ "sidecar" ]; config = "Printed"; } ); },
    { name = "meter-1"; driver = "line"; stream = "tcp:127.0.0.1:%(meter_port)d"; profile = "%(home)s/meter.profile"; }
);
routes = (
    { name = "worklists"; on = "automationInputGenerator.completed"; job = "deliver"; instrument = "hamilton-1";
      where = { automationInputGenerator = { automationFileConfig = { name = [ "Hamilton worklist" ]; }; }; }; },
    { name = "weigh"; on = "workflowTask.created"; job = "task"; only_agent = true; start = "at-once"; instrument = "balance-1"; procedure = "tare-and-tell";
      where = { workflowTask = { schema = { name = [ "Weigh sample" ]; }; }; };
      inputs = { sample = "Sample"; }; outputs = { weight = "Mass"; unit = "Unit"; }; },
    { name = "measure"; on = "workflowTask.created"; job = "task"; only_agent = true; start = "at-once"; instrument = "meter-1"; procedure = "source-and-measure";
      where = { workflowTask = { schema = { name = [ "Measure voltage" ]; }; }; };
      inputs = { sample = "Sample"; }; outputs = { weight = "Mass"; }; }
);
"""

# The instrument shows the sample's name before it moves, so that its transcript says for which one it moved.
BALANCE = """
[procedure tare-and-tell]
help   = 'Show the sample, weigh it, then tare (once)'
input  = sample text 1 to 20 without '"'
do     = display text={sample}
do     = clear-tare
do     = weigh
do     = tare
result = weigh.value as weight
result = weigh.unit as unit
"""

METER = """
[command show]
help   = 'Show a text'
class  = idempotent
send   = 'DISP:TEXT "{text}";*OPC?'
input  = text text 1 to 20
expect = '1'

[command source]
help   = 'Raise the output, and say when that is done'
class  = once
send   = 'SOUR:VOLT 5;*OPC?'
expect = '1'

[procedure source-and-measure]
help   = 'Show the sample, raise the output (once), measure'
input  = sample text 1 to 20
do     = show text={sample}
do     = measure-voltage
do     = source
result = measure-voltage.value as weight
"""


def profile(name, more):
    """One that is shipped, with less patience: a soak has many faults to wait for."""
    text = (whole.SOURCE / "etc/profiles" / f"{name}.profile").read_text()
    return re.sub(r"first_byte = \d+s", "first_byte = 2s", text) + more


def scenario():
    """The shipped one, with a second kind of task and a second kind of result."""
    found = json.loads((whole.SOURCE / "tests/sim/scenarios/plate-prep.json").read_text())
    measure = copy.deepcopy(found["taskSchemas"][0])
    measure.update(name="Measure voltage", prefix="VOL")
    measure["outputFields"][1]["required"] = False
    found["taskSchemas"].append(measure)
    found["runSchemas"][0]["outputFileConfigs"].append({"name": "Printed", "delimiter": ",", "columns": [
        {"name": "received", "type": "text", "required": True}, {"name": "value", "type": "float", "required": True},
        {"name": "unit", "type": "text", "required": True}]})
    return found


class Bench(whole.Lab):
    def start_parts(self):
        (self.home / "scenario.json").write_text(json.dumps(scenario()))
        (self.home / "balance.profile").write_text(profile("mt-sics", BALANCE))
        (self.home / "meter.profile").write_text(profile("scpi", METER))
        self.start_broker()
        self.start_cloud("--quiet", "--generate-ms", "30", "--process-ms", "50", "--rate-limit", "1000000", "--key-rate-limit",
                         "1000000", "--twins", "--scenario", str(self.home / "scenario.json"))
        self.start_hamilton("--run-time", "0.05", "--look", "20", "--write", "parts", "--write-time", "0.1", "--done-marker",
                            "{name}.done", "--quiet")
        self.start_balance("--weight", GRAMS, "--settle", "0", "--verbose")
        self.start("printer", [self.program("labferry-sim-balance"), "--pty", str(self.home / "printer"), "--control",
                               str(self.home / "printer.ctl"), "--settle", "0", "--serial", "P2"])
        self.start_meter()
        self.write_config(CONFIG, meter_port=self.meter_port)
        self.start_agent()
        wait_until("the instruments are there", lambda: all(i["state"] == "idle" for i in self.ask("instruments")), 60)

    def start_meter(self):
        said = self.home / "meter.out"
        with open(said, "wb") as out:
            self.start("meter", [self.program("labferry-sim-scpi"), "--tcp", "127.0.0.1:0", "--state",
                                 str(self.home / "meter.json"), "--control", str(self.home / "meter.ctl"), "--volts", VOLTS,
                                 "--verbose"], stdout=out)
        ready = wait_until("the meter listens", lambda: re.search(r"ready tcp:.*:(\d+)\n", said.read_text()))
        self.meter_port = int(ready[1])

    def tell(self, instrument, line):
        """A command to a simulated instrument's control socket."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(self.home / f"{instrument}.ctl"))
            control.sendall(line.encode() + b"\n")
            with control.makefile() as answer:
                done = answer.readline().rstrip("\n")
        if done.startswith("error"):
            raise RuntimeError(f"{instrument}: {line}: {done}")

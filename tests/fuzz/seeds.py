"""Puts the first inputs into corpus/<target>/, made from what the other tests and the installation use.

    /usr/bin/python3 tests/fuzz/seeds.py

Run it after a fixture it reads has changed, and commit what it writes. Files are named by what they hold; those it does
not know are left alone: an input that once was a finding is put here by hand, under a name that says what it was.
"""
import pathlib
import re

FUZZ = pathlib.Path(__file__).resolve().parent
SOURCE = FUZZ.parents[1]
MOST = 50


def write(target, seeds):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(seeds[:MOST]):
        folder.joinpath(f"{number:02}-{name}").write_bytes(content if isinstance(content, bytes) else content.encode())


def c_texts(path):
    """The string literals of a C file, neighbours joined, unescaped."""
    text = SOURCE.joinpath(path).read_text()
    text = re.sub(r'"\s*\n\s*"', "", re.sub(r"/\*.*?\*/|^\s*#.*$", "", text, flags=re.S | re.M))
    for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', text):
        yield literal.encode("latin-1", "replace").decode("unicode_escape").encode("utf-8", "replace").decode("utf-8", "replace")


def events():
    bare = ('{"createdAt":"2026-05-04T09:42:00.250000+00:00","deprecated":false,"excludedProperties":[],"id":"evt_1",'
            '"schema":{"id":"sch_1","name":"Weighing"},"eventType":"%s","%s":{"id":"res_1","status":"SUCCEEDED",'
            '"modifiedAt":"2026-05-04T09:41:59Z","file":{"id":"file_1","name":"plate.csv"}}}')
    kinds = ["v2.automationInputGenerator.completed", "v2-beta.automationOutputProcessor.completed",
             "v2.workflowTask.updated.status", "v2-alpha.entry.created", "v3.unheard.of"]
    for kind in kinds:
        detail = bare % (kind, kind.split(".")[1])
        yield "bare", detail
        yield "eventbridge", ('{"version":"0","id":"aws-1","detail-type":"%s","source":"aws.partner/benchling.com/x","account":'
                              '"123123123123","time":"2026-05-04T09:42:01Z","region":"us-west-1","resources":[],"detail":%s}'
                              % (kind, detail))
        yield "webhook", ('{"version":"0","baseURL":"https://x.benchling.com","tenantId":"ten_1","channel":"events","message":'
                          '{"id":"evt_1","type":"%s","createdAt":"2026-05-04T09:42:00.250Z","deprecated":false,"resourceId":'
                          '"res_1","excludedProperties":["fields"],"schema":{"id":"sch_1"}}}' % kind)
    for text in c_texts("tests/unit/event/test_decode.c"):
        if text.startswith("{") and "%s" not in text:
            yield "case", text


def patterns():
    pattern, lines = None, []
    for line in SOURCE.joinpath("tests/unit/event/patterns.txt").read_text().splitlines():
        if line.startswith("= "):
            if pattern and len(lines) > 1:
                yield "case", "\n".join([pattern, *lines[:6]])
            pattern, lines = line[2:], []
        elif line[:2] in ("0 ", "1 "):
            lines.append(line[2:])


CONFIG = """agent = { name = "bench-3"; site = "boston"; state_dir = "state"; };
cloud = { tenant = "https://acme.benchling.com"; client_id = "id"; client_secret_file = "secret"; };
link = { broker = "mqtts://broker.example:8883"; };
instruments = (
  { name = "hamilton-1"; driver = "folder"; inbox = "/tmp"; outbox = "/var/tmp"; },
  { name = "balance-1"; driver = "line"; stream = "tcp:192.0.2.7:8001"; profile = "mt-sics"; }
);
routes = (
  { name = "worklists"; on = "automationInputGenerator.completed"; where = { status = [ "SUCCEEDED" ]; };
    job = "deliver"; instrument = "hamilton-1"; },
  { name = "weigh"; on = "workflowTask.updated.status"; pattern_file = "pattern.json"; job = "task"; only_agent = true; procedure = "weigh";
    instrument = "balance-1"; }
);
"""


def configurations():
    yield "whole", CONFIG
    for line in CONFIG.splitlines()[:3]:
        yield "without", CONFIG.replace(line, "")
    yield "include", '@include "more.conf"\n' + CONFIG.split("\n", 1)[1]
    yield "itself", '@include "labferry.conf"\n'
    yield "missing", '@include "none.conf"\n'
    yield "misspelt", CONFIG.replace("broker", "borker").replace("inbox", "in_box")
    yield "syntax", CONFIG.replace(");", ")")
    yield "twins", CONFIG.replace("balance-1", "hamilton-1")
    yield "example", SOURCE.joinpath("etc/labferry.conf.example").read_text()
    yield "settings", "\n".join(line.lstrip("# ") for line in SOURCE.joinpath("etc/labferry.conf.example").read_text().splitlines()
                                if re.match(r"^[# ]*\w+ *=", line))


def profiles():
    for path in sorted(SOURCE.glob("etc/profiles/*.profile")):
        yield path.stem, path.read_text()
    for number, text in enumerate(c_texts("tests/unit/line/test_profile.c")):
        if "[" in text and "\n" in text:
            yield "case", text


def commands():
    whole = '{"id":"c-1","verb":"%s","args":%s,"expires":"2126-11-22T06:09:34Z"}'
    for verb, args in VERBS:
        yield verb, "labferry/x/answers\nabc\n60\n" + whole % (verb, args)
    yield "bare", '-\n\n\n{"id":"a/b#c","verb":"status"}'
    yield "expired", '-\n\n\n{"id":"1","verb":"status","expires":"2016-11-22T06:09:34Z"}'
    yield "itself", 'labferry/boston/agents/bench-3/command\n\n\n{"id":"1","verb":"status"}'
    yield "wildcard", 'a/+/#\n\n\n{"id":"1","verb":"sttaus","more":1}'


VERBS = [("status", "{}"), ("instruments", '{"instrument":"balance-1"}'), ("jobs", '{"state":"held","kind":"task","limit":5,"before":9}'),
         ("job", '{"job":1}'), ("events", '{"fate":"bad","limit":1000}'), ("event", '{"event":"evt_1"}'),
         ("send", '{"instrument":"hamilton-1","file":"plate.csv"}'),
         ("run", '{"instrument":"balance-1","procedure":"weigh","inputs":{"a":"1"}}'),
         ("ask", '{"instrument":"balance-1","command":"weight","once":false,"timeout":"1s"}'), ("retry", '{"job":1}'),
         ("confirm", '{"job":1,"values":{"Mass":"1.0"}}'), ("cancel", '{"job":1,"why":"no"}'),
         ("assign", '{"job":1,"run":"run_1","output":"c"}'), ("pause", '{"instrument":"all","why":"x"}'),
         ("resume", '{"instrument":"balance-1"}'), ("audit", '{"job":1,"what":"command","since":"2h","from":1,"limit":5}'),
         ("audit-verify", '{"noted":"1:%s"}' % ("0" * 64))]


def requests():
    for verb, args in VERBS:
        yield verb, '\1{"verb":"%s","args":%s}\n' % (verb, args)
    yield "all", "\0" + "".join('{"verb":"%s","args":%s}\n' % one for one in VERBS if one[0] != "send")
    yield "send-and-look", ('\1{"verb":"send","args":{"instrument":"hamilton-1","file":"plate.csv"}}\n{"verb":"jobs"}\n'
                            '{"verb":"job","args":{"job":1}}\n{"verb":"cancel","args":{"job":1}}\n{"verb":"retry","args":{"job":1}}\n')
    yield "misspelt", '\0{"verb":"stauts"}\n{"verb":"job","args":{"di":1}}\n{"verb":"job","args":{"job":"1"}}\n[]\n\n{'


def answers():
    """Call, status, what is strange, body: see answer.c."""
    generator = ('{"id":"aig_1","assayRunId":"run_1","automationFileConfig":{"name":"c"},"file":{"id":"f_1","name":"p.csv",'
                 '"uploadStatus":"COMPLETE"},"status":"SUCCEEDED"}')
    task = ('{"id":"wftask_1","status":{"id":"wfts_1","displayName":"Ready","statusType":"PENDING"},"schema":{"id":"sch_1"},'
            '"fields":{"Mass":{"value":"1"}}}')
    schema = ('{"workflowTaskSchemas":[],"id":"sch_1","statusLifecycle":{"statuses":[{"id":"wfts_1","displayName":"Ready",'
              '"statusType":"PENDING"},{"id":"wfts_2","displayName":"Going","statusType":"IN_PROGRESS"}],"transitions":'
              '[{"from":"wfts_1","to":"wfts_2"}]}}')
    refusal = ('{"error":{"type":"invalid_request_error","message":"No","userMessage":"No","invalidId":"x","errors":[{"message":"a"},'
               '{"global":["b"],"fields":{"Mass":["c"]}}]},"errors":["d"]}')
    bodies = {"generator": generator, "task": task, "blob": '{"id":"blob_1","name":"x","uploadStatus":"COMPLETE"}',
              "part": '{"partNumber":1,"eTag":"\\"a\\""}', "link": '{"taskId":"t_1"}',
              "long": '{"status":"RUNNING","message":"m","response":{}}', "run": '{"id":"run_1","fields":{},"schema":{"id":"s"}}',
              "events": '{"events":[{"id":"evt_1"}],"nextToken":"n"}', "refusal": refusal, "page": "<!DOCTYPE html><p>Sorry",
              "list": '{"automationOutputProcessors":[%s],"workflowOutputs":[{"id":"o"}],"nextToken":"n"}' % generator}
    for call in range(0, 48):
        name = list(bodies)[call % len(bodies)]
        status = 0 if name not in ("refusal", "page") else 5 + call % 12
        yield name, bytes([0, call, status, 0]) + bodies[name].encode() + b"\0" + bytes([call, 0, 0]) + bodies[name].encode()
    yield "resolve", bytes([0, 2, 0, 0]) + task.encode() + b"\0" + bytes([0, 0]) + schema.encode()
    yield "token", bytes([1, 3, 0, 0]) + b'{"access_token":"a","expires_in":3600,"token_type":"bearer"}\0' + bytes([6, 0]) + b"{}\0"


def dialogues():
    def say(text):
        return bytes([len(text)]) + text
    yield "weigh", b"\0\xfe" + say(b'I4 A "0123456789"\r\n') + b"\0" + b"\1\n\0" + say(b"S S     100.00 g\r\n")
    for profile in range(7):
        yield "begin", bytes([profile, 254]) + say(b"OK\r\n") + b"\0\0\0" + b"\2x\n\0" + say(b"1.0\r\n")
        yield "procedure", bytes([profile, 200, 10, 0]) + say(b"S S 1.0 g\r\n") + b"\0" + say(b"S D 2.0 g\r\n")
        yield "listen", bytes([profile, 255]) + say(b"ST,+00123.45  g\r\n") + say(b"half") + b"\0\xff"
    own = b"![line]\nends = CR LF\n[command w]\nclass = once\nsend = 'W'\nreply = line\nexpect = 'W ' {mass: real} ' g'\n\0"
    yield "own", own + b"\0\n\0" + say(b"W 1.5 g\r\n")


def spread(seeds, most=MOST):
    seeds = list(seeds)
    step = max(1, -(-len(seeds) // most))
    return seeds[::step]


def main():
    write("convert", [("mode", bytes([mode]) + text.encode()) for mode in range(9)
                      for text in ("well,volume\r\nA1,5\n\rB2,\u00b5\n", "\ufeffa\u20ac\r")] + [("bad", b"\4\xff\xc3\n\xe2\x82"), ("none", b"\7\xf0\x9f\x98\x80")])
    write("event", spread(events()))
    write("pattern", spread(patterns()))
    write("json", spread([("event", text) for _, text in events()], 10)
          + [("number", "[0,-0,1.5e300,1e-400,9007199254740993,0.1]"), ("text", '{"a":"\\u00e9\\ud83d\\ude00\\n","":{"b":null}}'),
             ("deep", "[" * 90 + "]" * 90)])
    write("base64", [("empty", ""), ("one", "QQ=="), ("two", "QUI="), ("three", "QUJD"), ("bad", "Q=Q="), ("bytes", bytes(range(40)))])
    write("measure", [("duration", "d" + text) for text in ("250ms", "30s", "5 m", "2h", "7d", "0", "9223372036854775807d")]
          + [("size", "s" + text) for text in ("512", "64KB", "10 MB", "2GiB", "9223372036854775807")]
          + [("time", "t" + text) for text in ("2026-11-22T06:09:34.120Z", "2026-05-04T09:42:00.250000+02:30", "0000-02-29T23:59:60Z",
                                              "9999-12-31T23:59:59.999999999-23:59")]
          + [("setting", "vbaud=115200\nwait=2s\nroom=64KiB\nparity=odd\nlock=false\nnames=x\nnames=y\ntitle=A"),
             ("setting", "vbuad=0\nwait=1ms\nlock=yes\nparity=none"), ("near", "nparty")])
    write("name", [("name", text) for text in ("plate.csv\n*.csv", "a b-1.txt\n[a-c]*", "CON.txt\nCO?", "é.csv\n*", "..", "../secret",
                                              "sub/file", "up/secret", "out", "lpt1 .x\n[!a]pt*", "/etc/passwd", "a//b", ".hidden",
                                              "x" * 200, "x" * 201, "com¹.txt", "nul\n[[:alpha:]]*")])
    write("url", [("url", text) for text in (
        "https://acme.benchling.com/api/v2/blobs/x?sig=1\nhttps://s3.example/y?X-Amz-Signature=1#f",
        "https://a.example\nhttp://127.0.0.1/", "http://localhost:8080/x\n/y", "http://[::1]:80\nhttp://127.0.0.1:1/%2e%2e",
        "https://user:secret@h.example/\n//other.example/p", "https://h\nfile:///etc/passwd", "mqtts://broker.example:8883\n?q",
        "https://h.example@evil.example/\nhttps:\\\\evil", "ftp://x\njavascript:1", "https://[fe80::1%25eth0]/\n../../..")])
    write("stream", [("stream", text) for text in (
        "serial:/dev/ttyUSB0?baud=9600&bits=8&parity=none&stop=1&flow=xonxoff", "serial:/dev/serial/by-id/usb-x", "tcp:192.0.2.7:8001",
        "tcp:[::1]:8001", "tcp:host.example:1", "unix:/run/balance.sock", "unix:relative", "tcp:h:70000", "serial:/dev/x?buad=1",
        "serial:/dev/x?baud=1&baud=2", "usb:1", "")])
    write("frame", [("line", b"\0\0\1\r\nS S     100.00 g\r\nS D 1 g\r\n"), ("prompt", b"\0\0\2>?\nok\r\n>"), ("char", b"\0\0\3*#\n*"),
                    ("fixed", b"\0\x40\4\nabcdefghijkl"), ("idle", b"\0\0\6\nabc"), ("block", b"\0\0\7\n#15hello\n#0abc\n"),
                    ("astm", b"\x51\4\5\2\3\n\x021H|\\^&\r\x03E5\r\n\6"), ("stx", b"\0\0\5\2\3\n\2A\3"),
                    ("length", b"\x83\1\5\1\n\1\4ABx"), ("crc", b"\x26\2\5\2\3\r\n\n\2123456789\3\r\n")])
    write("profile", spread(profiles()))
    write("config", spread(configurations()))
    write("command", spread(commands()))
    write("desk", spread(requests()))
    write("answer", spread(answers()))
    write("device", spread(dialogues()))


if __name__ == "__main__":
    main()

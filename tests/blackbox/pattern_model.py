"""A second, independent reading of the EventBridge pattern language, as slow and plain as can be.

An event is flattened into (path, value, places): `places` maps each array that was gone through to the index of the
object or array taken. A pattern becomes rules (dicts path -> terms). A rule matches if, field by field in the order
of the paths, values can be chosen whose places do not contradict each other. Facts: EventBridge user guide, and how
AWS' own ruler behaves where the guide says nothing. matches() returns True or False, and raises Bad for a pattern
that must be refused.
"""
import ipaddress
import re

RESERVED = set("""exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr html regex
= < <= > >= not-wildcard not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range
ip-address-in-range ip-address-not-in-range""".split())
LIMIT = 5e11


class Bad(Exception):
    pass


class Multi(list):
    """A JSON object as a list of (key, value): keys may stand twice."""


def flatten(event):
    leaves = []
    counter = [0]

    def walk(path, node, places):
        if isinstance(node, Multi):
            for key, value in node:
                walk(path + [key], value, places)
        elif isinstance(node, list):
            counter[0] += 1
            me = counter[0]
            for i, value in enumerate(node):
                walk(path, value, {**places, me: i} if isinstance(value, list) else places)
        else:
            leaves.append((".".join(path), node, places))

    walk([], event, {})
    return leaves


def agree(a, b):
    return all(a.get(k, v) == v for k, v in b.items())


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def address(text):
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text):
        parts = [int(p) for p in text.split(".")]
        return ipaddress.IPv4Address(".".join(map(str, parts))) if max(parts) < 256 else None
    if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*", text):
        try:
            return ipaddress.IPv6Address(text)
        except ValueError:
            return None
    return None


def wildcard_regex(text):
    if re.search(r"(?<!\\)(\\\\)*\*\*", text):
        raise Bad("two stars")
    out, i = "", 0
    while i < len(text):
        if text[i] == "\\":
            if text[i + 1:i + 2] not in ("*", "\\") or i + 1 >= len(text):
                raise Bad("escape")
            out += re.escape(text[i + 1])
            i += 1
        elif text[i] == "*":
            out += ".*"
        else:
            out += re.escape(text[i])
        i += 1
    return re.compile(out, re.S)


def text_of(v):
    if not isinstance(v, str):
        raise Bad("text")
    return v


def only(obj):
    if len(obj) != 1:
        raise Bad("one key")
    return obj[0]


def number_of(v):
    if not is_number(v) or not abs(v) <= LIMIT:
        raise Bad("number")
    return v


def on_text(test):
    return lambda v: isinstance(v, str) and test(v)


def numeric(spec):
    if not isinstance(spec, list) or isinstance(spec, Multi) or not spec or len(spec) % 2:
        raise Bad("numeric")
    pairs = [(text_of(spec[i]), number_of(spec[i + 1])) for i in range(0, len(spec), 2)]
    ops = "".join(op[0] if op in ("=", "<", "<=", ">", ">=") else "?" for op, _ in pairs)
    if ops not in ("=", "<", ">", "><"):
        raise Bad("numeric")
    if ops == "><" and pairs[0][1] >= pairs[1][1]:
        raise Bad("order")
    tests = {"=": lambda a, b: a == b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
             ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
    return lambda v: is_number(v) and abs(v) <= LIMIT and all(tests[op](v, n) for op, n in pairs)


def affix(op, arg):
    fold = isinstance(arg, Multi)
    if fold:
        key, arg = only(arg)
        if key != "equals-ignore-case":
            raise Bad(key)
    arg = text_of(arg)
    test = str.startswith if op == "prefix" else str.endswith
    return on_text(lambda v: test(v.lower(), arg.lower()) if fold else test(v, arg))


def anything_but(arg):
    op = None
    if isinstance(arg, Multi):
        op, arg = only(arg)
        if op not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise Bad(op)
        if isinstance(arg, Multi):
            raise Bad("object")
    values = arg if isinstance(arg, list) and not isinstance(arg, Multi) else [arg]
    if not values or isinstance(values, Multi):
        raise Bad("values")
    if op:
        tests = []
        for v in values:
            if op in ("prefix", "suffix") and text_of(v) == "":
                raise Bad("empty")
            tests.append(operator(op, text_of(v)))
    elif all(isinstance(v, str) for v in values):
        tests = [on_text(lambda v, w=w: v == w) for w in values]
    else:
        tests = [(lambda v, w=number_of(w): is_number(v) and v == w) for w in values]
    return lambda v: not any(t(v) for t in tests)


def operator(op, arg):
    if op in ("prefix", "suffix"):
        return affix(op, arg)
    if op == "numeric":
        return numeric(arg)
    if op == "anything-but":
        return anything_but(arg)
    if op == "exists":
        if not isinstance(arg, bool):
            raise Bad("exists")
        return (lambda v: True) if arg else "absent"
    arg = text_of(arg)
    if op == "exactly":
        return on_text(lambda v: v == arg)
    if op == "equals-ignore-case":
        return on_text(lambda v: v.lower() == arg.lower())
    if op == "wildcard":
        regex = wildcard_regex(arg)
        return on_text(lambda v: regex.fullmatch(v) is not None)
    if op == "cidr":
        if arg.count("/") != 1 or address(arg.split("/")[0]) is None or not arg.split("/")[1].isdigit():
            raise Bad("cidr")
        base = address(arg.split("/")[0])
        try:
            net = ipaddress.ip_network((base, int(arg.split("/")[1])), strict=False)
        except ValueError:
            raise Bad("cidr")
        return on_text(lambda v: address(v) is not None and address(v) in net)
    raise Bad(op)


def term(json):
    if isinstance(json, Multi):
        return operator(*only(json))
    if isinstance(json, list):
        raise Bad("list")
    if isinstance(json, str):
        mine = address(json)
        return on_text(lambda v: v == json or (mine is not None and address(v) == mine))
    if is_number(json):
        return lambda v: is_number(v) and v == json
    return lambda v: v is json


def rules_of(pattern, or_is_field=False):
    def read(obj, path, in_or, rules):
        if not obj:
            raise Bad("empty object")
        for key, value in obj:
            if key == "$or" and not or_is_field:
                if not isinstance(value, list) or isinstance(value, Multi) or len(value) < 2:
                    raise Bad("$or")
                fresh = []
                for alternative in value:
                    if not isinstance(alternative, Multi):
                        raise Bad("$or")
                    fresh += read(alternative, path, True, [dict(r) for r in rules])
                rules = fresh
                continue
            if in_or and key in RESERVED:
                raise Bad(key)
            if isinstance(value, Multi):
                rules = read(value, path + [key], in_or, rules)
            elif isinstance(value, list):
                if not value:
                    raise Bad("empty list")
                terms = [term(v) for v in value]
                for rule in rules:
                    rule[".".join(path + [key])] = terms
            else:
                raise Bad(key)
        return rules

    if not isinstance(pattern, Multi):
        raise Bad("object")
    return read(pattern, [], False, [{}])


def rule_matches(rule, leaves):
    paths = sorted(rule, key=lambda p: p.encode())

    def step(i, places):
        if i == len(paths):
            return True
        terms = rule[paths[i]]
        here = [(v, p) for path, v, p in leaves if path == paths[i] and agree(places, p)]
        if "absent" in terms and not here and step(i + 1, places):
            return True
        return any(step(i + 1, {**places, **p}) for v, p in here
                   if any(t != "absent" and t(v) for t in terms))

    return step(0, {})


def compile_pattern(pattern):
    try:
        return rules_of(pattern)
    except Bad as first:
        try:
            return rules_of(pattern, True)
        except Bad:
            raise first


def matches(pattern, event):
    rules = compile_pattern(pattern)
    if not isinstance(event, Multi):
        return False
    leaves = flatten(event)
    return any(rule_matches(rule, leaves) for rule in rules)

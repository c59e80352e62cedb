"""Makes pattern and event texts at random: pieces that meet often, and forms that must be refused."""
import json

import pattern_model

KEYS = ["a", "b", "c", "a.b", "x"]
TEXTS = ["", "a", "b", "ab", "abc", "A", "AB", "é", "É", "a*b", "a\\b", "us-east-1", "10.0.0.1", "10.0.0.255",
         "10.0.1.7", "010.0.0.1", "2001:db8::1", "::1", "null", "3", "aXbXc", "b*", "Ωmega", "ωMEGA"]
NUMBERS = ["0", "1", "-1", "3", "3.0", "3e0", "300", "300.0", "3.0e2", "5", "5.5", "0.1", "-0", "1e10",
           "123456789012", "1e12", "2.5e-3"]
WILDCARDS = ["*", "a*", "*b", "a*b*c", "a\\*b", "a\\\\b", "**", "", "\\", "a\\b", "*a*", "*:*", "us-*-1"]
CIDRS = ["10.0.0.0/24", "10.0.0.77/8", "2001:db8::/32", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0.0", "x/3",
         "10.0.0.1/32"]
ODD = ["{}", "[]", '{"foo":1}', '{"prefix":"a","suffix":"b"}', '{"exactly":"a"}']


def text(rng):
    return json.dumps(rng.choice(TEXTS), ensure_ascii=rng.random() < .5)


def number(rng):
    return rng.choice(NUMBERS)


def plain(rng):
    return rng.choice([text, number, lambda r: r.choice(["true", "false", "null"])])(rng)


def mostly_text(rng):
    return text(rng) if rng.random() < .97 else plain(rng)


def wildcard(rng):
    return json.dumps(rng.choice(WILDCARDS))


def some(rng, make):
    if rng.random() < .05:
        return make(rng)
    return "[" + ",".join(make(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))) + "]"


def value(rng, depth):
    dice = rng.random()
    if depth <= 0 or dice < .4:
        return plain(rng)
    if dice < .7:
        return event(rng, depth - 1)
    return "[" + ",".join(value(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 2, 3]))) + "]"


def event(rng, depth):
    members = (f"{json.dumps(rng.choice(KEYS))}:{value(rng, depth)}"
               for _ in range(rng.choice([0, 1, 1, 2, 2, 3])))
    return "{" + ",".join(members) + "}"


def anything_but(rng):
    dice = rng.random()
    if dice < .3:
        return plain(rng)
    if dice < .65:
        return some(rng, text if dice < .5 else number if dice < .6 else plain)
    op = rng.choice(["prefix", "suffix", "equals-ignore-case", "wildcard", "exists"])
    make = wildcard if op == "wildcard" else mostly_text
    return f'{{"{op}":{make(rng) if rng.random() < .5 else some(rng, make)}}}'


def numeric(rng):
    def op():
        return json.dumps(rng.choice(["=", "<", "<=", ">", ">=", "=="]))
    return rng.choice([f'["=",{number(rng)}]', f"[{op()},{number(rng)}]",
                       f'[">",{number(rng)},"<=",{number(rng)}]',
                       f"[{op()},{number(rng)},{op()},{number(rng)}]", "[]"])


def term(rng):
    dice = rng.randrange(15)
    if dice < 5:
        return plain(rng)
    affix = rng.choice(["prefix", "suffix"])
    return [lambda: f'{{"{affix}":{mostly_text(rng)}}}',
            lambda: f'{{"{affix}":{{"equals-ignore-case":{mostly_text(rng)}}}}}',
            lambda: f'{{"equals-ignore-case":{mostly_text(rng)}}}',
            lambda: f'{{"wildcard":{wildcard(rng)}}}',
            lambda: f'{{"anything-but":{anything_but(rng)}}}',
            lambda: f'{{"numeric":{numeric(rng)}}}',
            lambda: f'{{"cidr":{json.dumps(rng.choice(CIDRS))}}}',
            lambda: f'{{"exists":{rng.choice(["true", "false", "true", "false", "1"])}}}',
            lambda: '{"exists":false}',
            lambda: rng.choice(ODD)][dice - 5]()


def pattern(rng, depth):
    members = []
    for _ in range(rng.choice([1, 1, 2, 2, 3]) if rng.random() < .98 else 0):
        dice = rng.random()
        key = json.dumps(rng.choice(KEYS))
        if dice < .12 and depth > 0:
            alternatives = (pattern(rng, depth - 1) for _ in range(rng.choice([2, 2, 2, 3, 1])))
            members.append('"$or":[' + ",".join(alternatives) + "]")
        elif dice < .45 and depth > 0:
            members.append(f"{key}:{pattern(rng, depth - 1)}")
        elif dice < .46:
            members.append(f'"{rng.choice(["prefix", "numeric"])}":[{term(rng)}]')
        else:
            terms = (term(rng) for _ in range(rng.choice([1] * 6 + [2] * 3 + [3, 0])))
            members.append(f"{key}:[" + ",".join(terms) + "]")
    return "{" + ",".join(members) + "}"


def any_form(rng):
    told = event(rng, rng.choice([2, 3, 4])) if rng.random() < .98 else plain(rng)
    return pattern(rng, rng.choice([1, 2, 2, 3])), told


def fitting(rng, leaf):
    """A term that probably holds for the leaf."""
    if isinstance(leaf, str):
        cut = rng.randrange(len(leaf) + 1)
        escaped = leaf[:cut].replace("\\", "\\\\").replace("*", "\\*")
        return rng.choice([leaf, {"prefix": leaf[:cut]}, {"suffix": leaf[cut:]}, {"wildcard": escaped + "*"},
                           {"equals-ignore-case": leaf.upper()}, {"exists": True}, {"cidr": "10.0.0.0/8"},
                           {"prefix": {"equals-ignore-case": leaf[:cut].swapcase()}}, {"anything-but": ["q"]},
                           {"anything-but": leaf}, {"anything-but": {"suffix": ["z"]}}])
    if isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
        return rng.choice([leaf, {"numeric": ["=", leaf]}, {"numeric": [">=", leaf]}, {"exists": True},
                           {"numeric": ["<", leaf + 1]}, {"numeric": [">", leaf - 1, "<=", leaf]},
                           {"anything-but": 7}])
    return rng.choice([leaf, {"exists": True}, {"anything-but": "s"}])


def nest(rng, fields):
    """{"a.b": ...} as {"a": {"b": ...}}, mostly."""
    root = {}
    for path, terms in fields.items():
        keys = path.split(".")
        node = root
        for key in keys[:-1]:
            node = node.setdefault(key, {}) if isinstance(node, dict) else None
        if isinstance(node, dict) and not isinstance(node.get(keys[-1]), dict) and rng.random() < .8:
            node[keys[-1]] = terms
        else:
            root[path] = terms
    return root


def with_or(rng, root):
    items = list(root.items())
    cut = rng.randrange(len(items) + 1)
    left, right = dict(items[:cut]) or {"x": [1]}, dict(items[cut:]) or {"x": [{"exists": False}]}
    if rng.random() < .6:
        return {"$or": [left, right]}
    return dict(left, **{"$or": [right, {"nope": [{"exists": rng.random() < .3}]}]})


def near(rng):
    """A pattern made of leaves of the event, so that about half match."""
    while True:
        told = event(rng, rng.choice([2, 3, 4, 5]))
        leaves = pattern_model.flatten(json.loads(told, object_pairs_hook=pattern_model.Multi))
        if leaves:
            break
    fields = {}
    for path, leaf, _ in rng.sample(leaves, min(len(leaves), rng.choice([1, 2, 2, 3, 4]))):
        extra = [rng.choice([1, "zz", None, {"exists": False}])] if rng.random() < .2 else []
        fields[path] = [fitting(rng, leaf)] + extra
    if rng.random() < .4:
        beside = rng.choice(leaves)[0].split(".")[:-1] + [rng.choice(KEYS)]
        fields[".".join(beside)] = [{"exists": rng.random() < .2}]
    root = nest(rng, fields)
    return json.dumps(with_or(rng, root) if rng.random() < .2 else root), told

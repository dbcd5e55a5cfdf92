"""Loki's API request by request, each answer beside the one in `loki_answers.json`, which `BLESS=1` writes again.

Instants are told from the begin of what was pushed. What may be counted in more than one way is a mark: bytes, parts of the
store, what a question cost. Of that there are all keys.

Where `LOKI_BIN` names a Loki, each request is asked of it too. It is right, but for what `even` and `REASONS` name.
"""

import datetime
import json
import os
import pathlib
import re
import time
import zlib

import loki_proto
import pytest
from loki_reference import LOKI, Loki
from server import PATIENCE

ANSWERS = pathlib.Path(__file__).with_name("loki_answers.json")
SECOND = 10**9
DAY = 86_400
ALL = '{env=~".+"}'
SHOP = '{app="shop"}'
COUNT = f"sum(count_over_time({SHOP}[10s]))"
CATEGORIZED = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
PROTOBUF = {"Accept": "application/vnd.google.protobuf"}
# Ours says more, and what it says is no part of the API.
OWN_WORDS = ["invalid direction", "invalid aggregation option", "cannot parse limit", "cannot parse line_limit"]
# What Loki leaves out of its statistics where it is zero.
RARE = ["estimatedQueryBytes", "recvWaitTime"]

# Requests that Loki answers otherwise, by the begin of their names, and why ours does not.
SMALL = "Loki shows patterns of thirty lines and more, ours all"
PLACE = "ours says where, and what of"
REASONS = {
    "times of labels backwards": "Loki speaks of a limit of how far back, which is not set",
    "limit abc of": "ours says which parameter",
    'refused {app="shop"} |~ "("': PLACE,
    'formatted {app="shop"} |~ "("': "Loki formats what it would not run",
    'refused {app=~"("}': PLACE,
    'formatted {app=~"("}': PLACE,
    "refused 1 + {": "Loki says a type of its source",
    "formatted 1 + {": "Loki says a type of its source",
    'index/stats {env': "Loki counts what has left its ingesters, ours all",
    'index/stats {app="shop"}': "Loki counts what has left its ingesters, ours all",
    'index/stats as': "Loki counts what has left its ingesters, ours all",
    'patterns {env': SMALL,
    'patterns {app="shop"}': SMALL,
    "patterns as": SMALL,
    "patterns backwards": "ours refuses such a range as everywhere else",
    "formatted well vector(1)": "six decimals are not enough for small numbers",
    "rules": "Loki's rules in files can only be read; ours are kept here",
    "deletion of no query": PLACE,
}


def streams(base):
    """Four streams: JSON with structured metadata, logfmt, plain text, and three records of one instant."""
    def at(seconds):
        return str(int((base + seconds) * SECOND))

    def shop(number):
        line = {"level": ["info", "error", "warn"][number % 3], "took": f"{number}ms", "n": number, "ok": number % 2 == 0, "user": {"id": number, "name": f"u<{number}>"}}
        return [at(number), json.dumps(line), {"trace": f"t{number}", "req": "r"}]

    cart = [[at(number + 0.5), f'level={"warn" if number % 2 else "error"} code={500 + number % 2} msg="no stock of {number}"'] for number in range(10)]
    web = [[at(2 * number), f'GET /p/{number} 200 café "q" <b>&amp;</b>\ttab'] for number in range(5)]
    return [
        {"stream": {"app": "shop", "env": "prod", "pod": "shop-1"}, "values": [shop(number) for number in range(12)]},
        {"stream": {"app": "cart", "env": "dev", "service_name": "cartsvc"}, "values": cart},
        {"stream": {"job": "web"}, "values": web},
        {"stream": {"job": "same", "env": "dev"}, "values": [[at(30), f"same {number}"] for number in range(3)]},
    ]


def cases(base):
    """Name, path, parameters, headers, method; names are unique."""
    found = []

    def at(seconds):
        return str(base + seconds)

    def iso(seconds):
        return datetime.datetime.fromtimestamp(base + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def case(name, path, headers=None, method="GET", **parameters):
        whole = {"start": f"{base - 60}{'0' * 9}", "end": f"{base + 600}{'0' * 9}"} | parameters
        found.append((name, f"/loki/api/v1/{path}", {key: value for key, value in whole.items() if value is not None}, headers or {}, method))

    for direction in [None, "forward", "backward", "BACKWARD"]:
        case(f"records {direction}", "query_range", query=ALL, direction=direction, limit=7)
    case("records of two streams", "query_range", query='{job=~".+"}', limit=5)
    for query in [
        f"{SHOP} | json", f'{SHOP} | json | level="error"', '{app="cart"} | logfmt', f'{SHOP} | json user_id="user.id"', f'{SHOP} | json | line_format "{{{{.level}}}} {{{{.user_name}}}}"',
        f"{SHOP} | json | drop level, trace", f"{SHOP} | json | keep level", '{app="cart"} | json', f'{SHOP} | label_format app="x"', '{app="cart"} | pattern `level=<lvl> <_>`',
        '{app="cart"} | regexp "code=(?P<code>[0-9]+)"', f'{SHOP} | trace="t3"', '{app="cart"} |> `level=<_> code=500 <_>`', '{app="nothing"}', '{job="web"} |= "café"',
    ]:
        case(f"flat {query}", "query_range", query=query, direction="forward", limit=3)
        case(f"categorized {query}", "query_range", headers=CATEGORIZED, query=query, direction="forward", limit=3)
    for query in [
        f"count_over_time({SHOP}[10s])", f"sum by (env) (count_over_time({ALL}[10s]))", f"rate({SHOP}[5s])", f"sum(rate({SHOP} | json | unwrap n [5s]))", f"topk(1, count_over_time({ALL}[10s]))",
        "vector(1)", "1+1", f"sum by (level) (count_over_time({SHOP} | json [10s]))", f"quantile_over_time(0.5, {SHOP} | json | unwrap duration(took) [10s]) by (env)",
        'absent_over_time({app="none"}[10s])', 'count_over_time({app="none"}[10s])', f"{COUNT} / 3", 'bytes_over_time({app="cart"}[10s])', f"sum(count_over_time({SHOP}[10s] offset 5s))",
        f"count_over_time({SHOP}[10s]) > 5", f'label_replace(sum by (app) (count_over_time({ALL}[1m])), "x", "$1", "app", "(.).*")', f"{COUNT} or vector(0)",
    ]:
        case(f"range {query}", "query_range", query=query, start=at(0), end=at(20), step="5")
        case(f"instant {query}", "query", query=query, start=None, end=None, time=at(10))
    for step in ["5s", "5000ms", "2.5", "1m", "0", "-1", "abc", "8s"]:
        case(f"step {step}", "query_range", query=COUNT, start=at(0), end=at(20), step=step)
        case(f"step {step} of records", "query_range", query=SHOP, step=step, limit=1)
    case("steps from between", "query_range", query=COUNT, start=at(3), end=at(18), step="5s")
    case("too many steps", "query_range", query=COUNT, start=at(0), end=at(DAY), step="1")
    for interval in ["2s", "3", "0", "-1", "x"]:
        case(f"interval {interval}", "query_range", query=SHOP, interval=interval, direction="forward")
    for name, (start, end) in {
        "seconds": (at(0), at(3)), "fractions": (f"{at(0)}.5", f"{at(3)}.25"), "RFC 3339": (iso(0), iso(3)), "nanoseconds": (at(0) + "0" * 9, at(3) + "0" * 9),
        "no start": ("abc", at(3)), "no end": (at(0), "now"), "backwards": (at(3), at(0)), "an instant": (at(0), at(0)), "a date": ("2023-11-14", at(3)),
    }.items():
        case(f"times {name}", "query_range", query=SHOP, start=start, end=end, limit=2)
        case(f"times of labels {name}", "labels", start=start, end=end)
    for limit in ["0", "-1", "abc", "1"]:
        for path in ["query_range", "index/volume", "detected_fields"]:
            case(f"limit {limit} of {path}", path, query=SHOP, limit=limit, start=at(0), end=at(1))
    case("sideways", "query_range", query=SHOP, direction="sideways")
    for query in [
        "", "{", "{}", '{app=~".*"}', f"{SHOP} |", f"{SHOP} | json |", "sum(", f"rate({SHOP})", f"count_over_time({SHOP}[5x])", f'{SHOP} |~ "("', '{app=~"("}', f"sum_over_time({SHOP}[5m])",
        f"topk({SHOP})", f"1 + {SHOP}", f'{SHOP}{{b="c"}}', '{a="b"} # comment',
    ]:
        case(f"refused {query}", "query_range", query=query)
        case(f"formatted {query}", "format_query", query=query, start=None, end=None)
    case("records at an instant", "query", query=SHOP, start=None, end=None)
    for path in ["labels", "label", "label/app/values", "label/none/values", "label/service_name/values"]:
        case(f"{path}", path)
        case(f"{path} of a stream", path, query=SHOP)
        case(f"{path} by form", path, method="POST")
        case(f"{path} as a message", path, headers=PROTOBUF)
    for matcher in [None, "{}", SHOP, '{env="dev"}', '{app="none"}', "{"]:
        case(f"series {matcher}", "series", **{"match[]": matcher})
    for path in ["index/stats", "index/volume", "index/volume_range", "patterns", "detected_labels", "detected_fields", "detected_field/level/values"]:
        for query in [ALL, SHOP, '{app="none"}', "{"]:
            case(f"{path} {query}", path, query=query, **({"step": "10s"} if path in ("index/volume_range", "patterns") else {}))
        case(f"{path} as a message", path, headers=PROTOBUF, query=ALL)
        case(f"{path} backwards", path, query=ALL, start=at(600), end=at(0))
    for options in [{"aggregateBy": "labels"}, {"aggregateBy": "x"}, {"targetLabels": "env"}, {"targetLabels": "env,app"}, {"limit": 1}]:
        case(f"volumes {options}", "index/volume", query=ALL, **options)
    for name in ["took", "n", "trace", "user_id", "detected_level", "none"]:
        case(f"values of {name}", f"detected_field/{name}/values", query=SHOP)
    for query in [SHOP, COUNT]:
        case(f"message {query}", "query_range", headers=PROTOBUF, query=query, limit=3, step="60")
    for query in ['{a="b"}|="c"', 'sum(rate({a="b"}[5m]))by(x)', "vector(1)"]:
        case(f"formatted well {query}", "format_query", query=query, start=None, end=None)
    for path in ["drilldown-limits", "status/buildinfo", "rules", "rules/x", "rules/x/y", "nope"]:
        # Loki tells limits to nobody who does not say whose.
        case(path, path, headers={"X-Scope-OrgID": "fake"} if path == "drilldown-limits" else None, start=None, end=None)
    for name, parameters in {
        "nothing": {}, "no start": {"query": SHOP}, "no query": {"query": "{", "start": at(0)}, "no time": {"query": SHOP, "start": "x"}, "backwards": {"query": SHOP, "start": at(5), "end": at(0)},
        "the future": {"query": SHOP, "start": at(5), "end": at(90_000_000)},
    }.items():
        case(f"deletion of {name}", "delete", method="POST", **({"start": None, "end": None} | parameters))
    case("deletion is cancelled", "delete", method="DELETE", request_id="x", start=None, end=None)
    return found


def ask(address, session, request):
    _name, path, parameters, headers, method = request
    # Deletion reads no forms.
    where = "data" if method == "POST" and not path.endswith("/delete") else "params"
    return session.request(method, address + path, headers=headers, timeout=PATIENCE, **{where: parameters})


def told(answer, base):
    """Status, type and what was said, as comparable as it is the same."""
    kind = answer.headers.get("content-type", "").lower().replace(" ", "")
    if answer.status_code // 100 != 2 and "json" not in kind:
        text = answer.text.strip()
        return [answer.status_code, kind, next((words for words in OWN_WORDS if text.startswith(words)), text) if answer.status_code == 400 else ""]
    if "protobuf" in kind:
        body = loki_proto.decode(answer.content)
    elif "json" in kind:
        body = answer.json()
    else:
        body = answer.text
    return [answer.status_code, kind.replace(";charset=utf-8", ""), plain(body, base)]


def plain(value, base, key=""):
    if key in ("stats", "statistics") and not (isinstance(value, dict) and "entries" in value):
        found = sorted(key for key in keys(value) if key.split(".")[-1] not in RARE) if isinstance(value, dict) else []
        return f"{len(found)} keys, {zlib.crc32(' '.join(found).encode()):08x}"
    if key in ("bytes", "chunks", "sketch", "hash", "version", "limits", "goVersion", "revision", "branch", "buildDate", "buildUser"):
        return key
    if isinstance(value, dict):
        # Headers are of Loki's own caches.
        return {name: plain(each, base, name) for name, each in value.items() if name != "headers"}
    if isinstance(value, list):
        return [plain(each, base, key) for each in value]
    for unit in (1, 1_000, SECOND):
        number = float(value) if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit()) else 0
        if abs(number / unit - base) < 2 * DAY:
            return f"+{(number - base * unit) / unit:g}"
    return value


def keys(value, above=""):
    """Paths of all keys."""
    for name, each in value.items():
        yield above + name
        if isinstance(each, dict):
            yield from keys(each, f"{above}{name}.")


@pytest.fixture(scope="module")
def base():
    return int(time.time()) // 3600 * 3600 - 3600


@pytest.fixture
def ours(servers, base):
    server = servers(config={"telemetry": {"self_watch": False}, "api": {"loki": {"delete": True}}}).start()
    push(server.http, server.session, base)
    return server


def push(address, session, base):
    answer = session.post(address + "/loki/api/v1/push", json={"streams": streams(base)}, timeout=PATIENCE)
    assert answer.status_code == 204, answer.text


def test_answers_are_those_that_are_written_down(ours, base):
    answers = {request[0]: told(ask(ours.http, ours.session, request), base) for request in cases(base)}
    if os.environ.get("BLESS"):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in answers.items())
        ANSWERS.write_text("{\n" + lines + "\n}\n")
    want = json.loads(ANSWERS.read_text())
    differing = [f"{name}\n  now:  {json.dumps(answer)}\n  then: {json.dumps(want.get(name))}" for name, answer in answers.items() if answer != want.get(name)]
    assert not differing and want.keys() == answers.keys(), "\n".join(differing[:20])


def even(name, mine, theirs):
    """The two answers without what differs for a reason that has nothing to do with the request."""
    # Every record of ours has the severity of OpenTelemetry, whoever sent it; Loki has it of OTLP only.
    mine = without_severity(mine)
    # Loki's order of these is chance.
    if name.startswith(("series", "detected_", "values of")) or re.match(r"limit \S+ of detected_fields", name):
        mine, theirs = ([*answer[:2], in_order(answer[2])] for answer in (mine, theirs))
    # Which of them a limit leaves, too.
    if name == "limit 1 of detected_fields":
        mine, theirs = ([*answer[:2], answer[2] | {"fields": len(answer[2]["fields"])}] for answer in (mine, theirs))
    # Loki knows the place of a part of its errors only.
    if theirs[0] == 400 and ("parse error : " in str(theirs[2]) or "parse error at line 0" in str(theirs[2])):
        mine, theirs = ([*answer[:2], json.loads(re.sub("parse error (at line \\d+, col \\d+)?: ", "parse error: ", json.dumps(answer[2])))] for answer in (mine, theirs))
    # Ours counts the bytes of the lines in the range, Loki the share that the range has of its chunks, and what is beside the lines.
    if name.startswith(("index/volume", "volumes")) or re.match(r"limit \S+ of index/volume", name):
        mine, theirs = volumes(mine), volumes(theirs)
    # Statistics of answers that have none in JSON.
    if " as a message" in name and "labels" in theirs[2]:
        theirs[2]["labels"].pop("statistics", None)
    if " as a message" in name and "series" in theirs[2]:
        theirs[2]["series"].pop("statistics", None)
    return mine, theirs


def without_severity(value):
    def is_kept(each):
        return not isinstance(each, dict) or not {each.get("name"), each.get("label")} & {"severity_number", "severity_text"}

    if isinstance(value, dict):
        return {name: without_severity(each) for name, each in value.items() if name not in ("severity_number", "severity_text")}
    if isinstance(value, list):
        return [without_severity(each) for each in value if is_kept(each)]
    return re.sub(r', severity_(number|text)="[^"]*"', "", value) if isinstance(value, str) else value


def in_order(value):
    if isinstance(value, dict):
        # The keys that lead to a field have an order.
        return {name: each if name == "jsonPath" else in_order(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((in_order(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def volumes(answer):
    """Without counts."""
    def series(each):
        each = dict(each)
        if "value" in each:
            each["value"] = [each["value"][0], "bytes"]
        if "values" in each:
            each["values"] = [at for at, _ in each["values"]]
        if "samples" in each:
            each["samples"] = [sample["timestamp"] for sample in each["samples"]]
        return each

    def within(value):
        if isinstance(value, dict):
            return {name: [series(one) for one in each] if name == "result" else within(each) for name, each in value.items()}
        return value

    return [*answer[:2], within(answer[2])]


@pytest.mark.skipif(LOKI is None, reason="no Loki: want one on the path or at LOKI_BIN")
def test_answers_are_those_of_loki(ours, base, tmp_path):
    reference = Loki(tmp_path / "loki")
    try:
        reference.wait()
        push(reference.http, reference.session, base)
        differing, unneeded = [], set(REASONS)
        for request in cases(base):
            name = request[0]
            mine, theirs = even(name, *(told(ask(address, session, request), base) for address, session in [(ours.http, ours.session), (reference.http, reference.session)]))
            reasons = [begin for begin in REASONS if name.startswith(begin)]
            if mine != theirs:
                unneeded -= set(reasons)
                if not reasons:
                    differing.append(f"{name}\n  ours: {json.dumps(mine)[:900]}\n  Loki: {json.dumps(theirs)[:900]}")
        assert not differing, f"{len(differing)} differ:\n" + "\n".join(differing)
        assert not unneeded, f"no request differs for these reasons any more: {sorted(unneeded)}"
    finally:
        reference.stop()

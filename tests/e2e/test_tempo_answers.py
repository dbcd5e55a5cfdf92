"""Tempo's API request by request, each answer beside the one in `tempo_answers.json`, which `BLESS=1` writes again, and beside a real Tempo's.

Instants are told from the begin of what was pushed. What may be counted in more than one way is a mark: what a question cost.
"""

import json
import os
import pathlib
import re
import time

import otlp
import pytest
import tempo_proto
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from server import PATIENCE, until
from tempo_reference import TEMPO, Tempo
from tempo_world import NAMELESS, ORPHAN, SECOND, SOLO, SPANS, mail_id, order_id, span_id, spans

ANSWERS = pathlib.Path(__file__).with_name("tempo_answers.json")
DAY = 86_400
PROTOBUF = {"Accept": "application/protobuf"}
BRIEF = {"Accept": "application/vnd.grafana.llm"}

# TraceQL for search: what is asked of spans …
FILTERS = [
    "{}", "{ true }", "{ false }", '{ .http.route = "/order" }', '{ span.zone = "a" }', '{ resource.region = "us" }', '{ event.exception.type = "Deadlock" }', '{ link.relation = "follows" }',
    '{ instrumentation.language = "ca" }', '{ parent.zone = "a" }', '{ parent.resource.region = "eu" }', '{ span."zone" = "b" }', '{ .zone != "a" }', '{ span.zone =~ "[ab]" }',
    '{ span.zone !~ "a" }',
    "{ span.zone = nil }", "{ span.zone != nil }", "{ nil != span.zone }", "{ span.order = 2 }", "{ span.order >= 4 }", "{ span.order = 2.0 }", "{ span.price > 2.5 && span.price < 7 }",
    "{ span.price = 3 }",
    "{ span.paid }", "{ !span.paid }", "{ span.paid = false }", "{ span.order * 2 + 1 = 5 }", "{ span.order % 2 = 1 }", "{ span.order ^ 2 = 9 }", "{ -span.order = -3 }", "{ span.rows / 7 = 2 }",
    '{ span.items = "book" }', '{ span.items =~ "p.*" }', '{ span.items != "book" }', '{ span.zone = "a" || span.zone = "b" }', '{ !(span.zone = "a") && kind = server }',
    "{ span.big = 9007199254740993 }",
    '{ span.empty = "" }', '{ span.text = "ü <b>\\n\\"x\\"" }', "{ span.text = `x` }", '{ span.zone > "a" }', "{ span.order = \"2\" }",
    '{ name = "SELECT" }', '{ name =~ "GET.*" }', "{ status = error }", "{ status != error }", "{ status = ok }", "{ status = unset }", '{ statusMessage = "deadlock" }',
    "{ kind = consumer }", "{ kind != server }",
    "{ kind = unspecified }", "{ duration > 300ms }", "{ duration = 0s }", "{ duration >= 0.1s && duration < 200ms }", '{ rootName = "mail" }', '{ rootServiceName = "shop" }',
    "{ traceDuration > 1s }",
    "{ trace:duration < 150ms }", '{ trace:rootName = "POST /order" }', '{ trace:rootService = "mail" }', "{ nestedSetParent < 0 }", "{ nestedSetLeft = 1 }", "{ nestedSetRight > 10 }",
    f'{{ trace:id = "{order_id(2)}" }}', f'{{ span:id = "{span_id(order_id(1), 4)}" }}', f'{{ span:parentID = "{span_id(order_id(1), 4)}" }}', "{ span:childCount = 2 }",
    '{ span:name = "send" }', "{ span:kind = producer }",
    "{ span:status = error }", '{ span:statusMessage =~ "dead.*" }', "{ span:duration < 2ms }", '{ event:name = "exception" }', "{ event:timeSinceStart > 2ms }", "{ event.attempt > 1 }",
    f'{{ link:traceID = "{order_id(0)}" }}',
    f'{{ link:spanID = "{span_id(order_id(1), 6)}" }}', '{ instrumentation:name = "checks" }', '{ instrumentation:version = "0.1" }', "{ resource.replicas = 4 }",
    '{ resource.service.name = "cart" && name = "Add" }',
    "{ .replicas > 3 }", '{ resource.service.name = "" }', "{ resource.service.name = nil }", "{ 1 = 1 }", "{ 2 > 3 }", '{ "a" = "a" }', "{ name = rootName }", "{ span.order = span.price }",
    "{ kind = server } && { status = error }",
    '{ .service.name = "" }', '{ rootName = "" }', '{ rootServiceName = "" }', '{ resource.service.name != "cart" }', "{ span.none = nil && status = error }",
    "{ span.zone = nil || status = error }",
]
# … and of sets of them.
SETS = [
    '{ name = "POST /order" } > { name = "cart/add" }', '{ name = "POST /order" } >> { name = "SELECT" }', '{ name = "SELECT" } << { resource.service.name = "shop" }',
    '{ name = "Add" } < { kind = client }',
    '{ name = "SELECT" } ~ { name = "send" }', '{ name = "POST /order" } !> { kind = client }', '{ name = "POST /order" } !>> { name = "SELECT" }', '{ name = "validate" } !< { kind = client }',
    '{ resource.service.name = "cart" } !<< { name = "SELECT" }', "{ kind = server } !~ { kind = client }", '{ name = "POST /order" } &> { name = "cart/add" }',
    '{ name = "POST /order" } &>> { status = error }',
    '{ name = "SELECT" } &<< { kind = server }', '{ name = "Add" } &< { kind = client }', '{ name = "SELECT" } &~ { name = "send" }', '{ name = "SELECT" } && { status = error }',
    '{ name = "mail" } || { span.order = 1 }',
    '({ name = "POST /order" } >> { status = error }) && { span.order = 3 }', "{} | count() > 5", "{} | count() = 1", "{ kind = client } | avg(duration) > 100ms", "{} | max(duration) > 1s",
    "{} | min(span.order) < 2",
    "{} | sum(span.rows) >= 28", "{ status = error } | count() > 1 && { span.order = 0 }", "{} | by(resource.service.name)", "{} | by(resource.service.name) | count() > 3",
    "{} | by(kind) | count() = 2",
    "{ span.zone != nil } | by(span.zone)", "{} | by(resource.service.name) | coalesce()", "{ status = error } | select(span.zone, duration)",
    '{ name = "SELECT" } | select(event.exception.type, resource.region, status, kind)',
    '{ name = "mail" } | select(link.relation, link:traceID, parent.zone)', "{ span.order = 1 } | select(nestedSetLeft, nestedSetRight, nestedSetParent)",
    '{ name = "POST /order" } | select(span.items, span.paid, span.price)',
    '{ name = "Add" } | select(statusMessage, rootName, rootServiceName, traceDuration)', '{ name = "validate" } | select(instrumentation:name, instrumentation.language, span:parentID)',
    "{ span.order = 1 } with (most_recent=true)",
    "({ span.order = 1 } | count() > 0) && ({ status = ok } | count() > 0)", "{} | count() > 2 | avg(duration) > 10ms",
]
METRICS = [
    "{} | rate()", "{ status = error } | rate() by (resource.service.name)", "{} | count_over_time()", "{} | count_over_time() by (kind)",
    "{} | count_over_time() by (status, resource.service.name)",
    "{} | min_over_time(duration) by (name)", "{} | max_over_time(duration)", "{} | avg_over_time(duration) by (kind)", "{} | sum_over_time(span.rows)", "{} | min_over_time(span.order)",
    "{} | max_over_time(span.price) by (span.paid)",
    "{ kind = server } | quantile_over_time(duration, .5, .9)", "{ kind = server } | quantile_over_time(duration, .99) by (resource.service.name)", "{} | quantile_over_time(span.rows, 0.5)",
    "{ kind = client } | histogram_over_time(duration)", "{} | histogram_over_time(duration) by (resource.service.name)", "{} | histogram_over_time(span.rows)",
    "{ span.order >= 0 } | compare({ status = error })",
    "{ kind = server } | compare({ status = error }, 2)", "{} | rate() by (name) | topk(2)", "{} | count_over_time() by (resource.service.name) | bottomk(1)", '{} | rate() by (span.zone)',
    "{ false } | rate()",
    '{ name = "none" } | count_over_time() by (name)', "{} | rate() by (resource.service.name) | topk(1) | bottomk(1)", "{ kind = server } >> { kind = client } | rate()",
    "{} | rate() > 0.2", "{} | count_over_time() by (name) > 1",
    "{} | by(resource.service.name) | rate()", "{} | select(span.zone) | count_over_time()", "{} | count_over_time() by (event.exception.type)", "{} | count_over_time() by (span.items)",
    "{} | count_over_time() by (span.paid)",
    "{} | count_over_time() by (span.price)", "{} | count_over_time() by (duration)", "{} | count_over_time() by (rootName)", "{} | rate() with (exemplars=false)",
    "({} | rate()) / ({ status = error } | rate())",
    "({} | count_over_time() by (kind)) + ({} | count_over_time() by (kind))",
]
REFUSED = [
    "{", "{}}", "}", "{ status = }", "{ .a }", '{ name = "a" ', "{ name = }", "{ nope = 1 }", "{ status = 3 }", "{ duration > 3 }", '{ name =~ "(" }', "{ span. = 1 }", '{ "a" }', "{ 1 }",
    "{} | count()", "{} | avg(name) > 1",
    "{} | count() > \"a\"", "{} |", "{} | nope()", "{ kind = blue }", "{ .a = 1 } >>> { .b = 2 }", "{} | by()", "{} | select()", "{ name = 'x }", "nope", "{ .a = 1 && }",
    "{ status = error } with (nope=true)", "{ !span.order }",
    "{ name + 1 = 2 }", "{ -name = 1 }", "{} | coalesce() > 1", "{ parent = nil }", "{ childCount = 2 }",
]
REFUSED_METRICS = [
    "{}", "", "{", "{} | rate", "{} | rate() by ()", "{} | quantile_over_time(duration)", "{} | quantile_over_time(duration, 2)", "{} | quantile_over_time(.5, duration)", "{} | topk(2)",
    "{} | rate() | topk(0)", "{} | rate() | topk(-1)",
    "{} | rate() | topk()", "{} | compare()", "{} | compare({ status = error }, 0)", "{} | sum_over_time(name)", "{} | min_over_time(status)", "{} | histogram_over_time()",
    "{} | count_over_time() | count() > 1", "{} | nope_over_time(duration)",
    "{} | rate() by (a, b, c, d, e, f)",
]


# Where we differ on purpose: names of requests, as a regular expression, and why.
DIFFERENT = {
    r"traces (unknown|of zero|abc)( as a message)?": "a refusal says why",
    r"v2/traces (unknown|of zero|abc)( as a message)?": "what is not there is not found, as in the first version",
    r"(v2/)?traces times (before|negative)": "a trace that is elsewhere in time is not answered, as in Tempo once it has left the live store",
    r"search \{ span\.order = 2\.0 \}|search \{ span\.price = 3 \}": "numbers are equal whatever their types are",
    r"search \{ span\.order \^ 2 = 9 \}": "Tempo raises two to the order",
    r"search \{ span\.items (=|=~) .*": "the value of an array is all of it",
    r'search \{ span\.items != "book" \}': "documented: no item is to be equal",
    r'search \{ !\(span\.zone = "a"\) && kind = server \}': "Tempo reads only spans that hold what is negated",
    r"search \{ nestedSetRight > 10 \}": "siblings are numbered by their start",
    r"search \{ !span\.order \}": "what has no value is no match, and no error",
    r"search (\{ kind = server \} && .*|\{ span\.zone = nil \|\| .*|.* &<<? .*|\(\{ span\.order = 1 \} \| count.*)": "what a query names is told of every span that has it, not only where it fits",
    r"search parameters .*'tags': '(status=error|error=true|kind=consumer|paid=true|price=1\.5)'.*": "fields and values of all types can be asked for",
    r"search parameters .*http\.route=ORDER.*": "documented: whatever the case",
    r"search parameters .*'tags': 'zone'.*": "a name without a value is refused",
    r"search parameters .*'minDuration': '1s', 'q'.*": "documented for every search",
    r"search parameters .*'minDuration': '-1s'.*": "refused",
    r"search parameters .*'limit': 300000.*": "our bound is another one",
    r"search parameters \{'(start|end)': None\}|(v2/)?search/tags one": "a range may be open on one side",
    r"search by parameters": "Tempo forgets them",
    r'search/tags where \{ (resource|name).*|search/tag where \{ (resource|span\.zone = "a" &&|status).*|search/tag of zones where': "the first version is narrowed as well",
    r"search/tag (\.service|resource|span\.(zone|http|order|price|paid|items|text|big)|span:(name|status|id)|event[.:](exc|name|att)).*": "the first version knows the names of TraceQL",
    r"search/tag (link\.|instrumentation|trace:(id|rootName)|statusMessage|status|kind).*": "the first version knows the names of TraceQL, and identifiers are no completion",
    r"search/tag (as a message|without times|of status where)": "the first version knows the names of TraceQL",
    r"search/tag (rootName|root\.name|trace:rootName)|v2/search/tag (rootName|trace:rootName)": "a trace without a root names none",
    r"v2/search/tags where \{ (resource|name).*": "names are those of the spans that fit",
    r"(v2/)?search/tags long ago": "times are looked at",
    r"(v2/)?search/tags? backwards": "refused",
    r"v2/search/tags a limit": "a limit is one for each scope",
    r"v2/search/tag (nestedSetLeft|parent\.zone|event:timeSinceStart|span:childCount)": "values that nobody completes are not listed",
    r"(range|instant) \{\} \| sum_over_time\(span\.rows\)": "spans without a value add nothing",
    r"(range|instant) \{\} \| count_over_time\(\) by \(span\.items\)": "an array is a value",
    r"(range|instant) \{ false \} \| rate\(\)": "a rate of nothing is zero",
    r"(range|instant) \{.*compare.*": "Tempo counts what the query names twice, and tells of columns of its own that no span has them",
    r"(range|instant) as a message": "answered as it was asked for",
    r"overrides|mcp": "a refusal says why",
}


def cases(base):
    """Name, path, parameters, headers; names are unique."""
    found = []
    around = {"start": base - 60, "end": base + 300}

    def case(name, path, headers=None, **parameters):
        found.append((name, f"/api/{path}", {key: value for key, value in parameters.items() if value is not None}, headers or {}))

    def search(name, **parameters):
        case(f"search {name}", "search", **around | {"limit": 100, "spss": 3} | parameters)

    def both(name, headers=None, **parameters):
        whole = {"start": base, "end": base + 60, "step": "10s"} | parameters
        case(f"range {name}", "metrics/query_range", headers, **whole)
        case(f"instant {name}", "metrics/query", headers, **{key: value for key, value in whole.items() if key != "step"})

    for name, trace_id in {"whole": order_id(0), "linked": mail_id(1), "orphan": ORPHAN, "short": SOLO, "nameless": NAMELESS, "unknown": "1" * 32, "of zero": "0" * 32}.items():
        for version in ["traces", "v2/traces"]:
            case(f"{version} {name}", f"{version}/{trace_id}")
            case(f"{version} {name} as a message", f"{version}/{trace_id}", PROTOBUF)
    case("v2/traces in brief", f"v2/traces/{order_id(0)}", BRIEF)
    for text in ["123456789abcdef", "0123456789ABCDEF", "abc", "xyz", "-1", "g" * 32, "1" * 33, order_id(0)[:31] + "z", "%20"]:
        for version in ["traces", "v2/traces"]:
            case(f"{version} {text}", f"{version}/{text}")
    for name, parameters in {
        "within": around, "before": {"start": base - 600, "end": base - 300}, "from": {"start": base - 60}, "until": {"end": base + 60}, "backwards": {"start": base, "end": base - 1},
        "an instant": {"start": base, "end": base},
        "words": {"start": "x"}, "no end": {"start": base, "end": "now"}, "negative": {"start": -1, "end": 5}, "a mode": {"mode": "nope"}, "all modes": {"mode": "all"},
    }.items():
        for version in ["traces", "v2/traces"]:
            case(f"{version} times {name}", f"{version}/{order_id(1)}", **parameters)
    for parameters in [
        {"q": "{ status = error }"}, {"q": "{ status = error }", "keep_hierarchy": "true"}, {"q": "{ status = error }", "keep_hierarchy": "true", "ancestor_depth": 1},
        {"q": '{ name = "cart/add" }', "match_depth": 1},
        {"q": '{ name = "cart/add" }', "match_depth": -1}, {"q": "{ false }"}, {"q": "{}"}, {"q": " "}, {"q": "{"}, {"q": "{} | count() > 1"}, {"q": "{} >> {}"}, {"q": "{} | rate()"},
        {"q": '{ rootName = "a" }'},
        {"q": "{}", "match_depth": -2}, {"q": "{}", "keep_hierarchy": "yes"}, {"match_depth": "x"}, {"q": "{}", "ancestor_depth": "x"}, {"q": "{}", "keep_hierarchy": "1", "ancestor_depth": "x"},
    ]:
        case(f"v2/traces {parameters}", f"v2/traces/{order_id(0)}", **parameters)

    for query in FILTERS + SETS + REFUSED:
        search(query, q=query)
    for parameters in [
        {"tags": "service.name=cart"}, {"tags": "http.route=/order"}, {"tags": "http.status_code=500"}, {"tags": "zone=a service.name=cart"}, {"tags": 'name="POST /order"'},
        {"tags": "name=order"}, {"tags": "status=error"},
        {"tags": "status.code=ok"}, {"tags": "error=true"}, {"tags": "kind=consumer"}, {"tags": "root.name=mail"}, {"tags": "root.service.name=mail"}, {"tags": "paid=true"},
        {"tags": "price=1.5"}, {"tags": "none=x"}, {"tags": "http.route=ORDER"},
        {"tags": ""}, {"tags": "zone"}, {"tags": "zone=a zone=b"}, {"tags": 'zone="a'}, {"tags": "=a"}, {"tags": "zone=a", "q": "{}"}, {}, {"minDuration": "2s"}, {"maxDuration": "20ms"},
        {"minDuration": "150ms", "maxDuration": "300ms"},
        {"minDuration": "150ms", "tags": "service.name=cart"}, {"minDuration": "1s", "q": "{}"}, {"minDuration": "2s", "maxDuration": "1s"}, {"minDuration": "x"}, {"maxDuration": "5"},
        {"minDuration": "-1s"}, {"maxDuration": "0s"},
        {"limit": 0}, {"limit": -1}, {"limit": "x"}, {"limit": 300_000}, {"limit": "5000000000"}, {"spss": -1}, {"spss": "x"}, {"spss": 101}, {"spss": 0, "q": "{}"}, {"spss": 1,
        "q": '{ name = "SELECT" }'}, {"spss": None, "q": "{}"},
        {"limit": None, "q": "{}"}, {"start": "x"}, {"end": "x"}, {"start": None}, {"end": None}, {"start": base, "end": base}, {"start": base + 1, "end": base}, {"start": base + 12,
        "end": base + 31}, {"start": base - 900, "end": base - 300},
        {"start": base - DAY}, {"start": -5}, {"start": f"{base}.5"}, {"start": f"{base}000"}, {"start": f"{base}{'0' * 9}", "end": f"{base + 60}{'0' * 9}"}, {"nope": "x"},
        {"start": None, "end": None, "since": "3h"}, {"start": None, "end": None, "since": "x"}, {"skip_ast_transformations": "all", "q": "{}"},
    ]:
        search(f"parameters {relative(str(parameters), base)}", **parameters)
    search("as a message", q="{ status = error }")
    found[-1][3].update(PROTOBUF)
    case("search without times", "search", q='{ name = "mail" }', limit=100)
    case("search by parameters", "search", **{"http.route": "/order", "limit": "100"})
    case("search for anything", "search", limit=100)

    for version in ["search/tags", "v2/search/tags"]:
        case(version, version, **around)
        case(f"{version} without times", version)
        case(f"{version} as a message", version, PROTOBUF, **around)
        for scope in ["span", "resource", "event", "link", "instrumentation", "intrinsic", "none", "nope", "parent"]:
            case(f"{version} of {scope}", version, scope=scope, **around)
        for query in ['{ resource.service.name = "cart" }', '{ name = "SELECT" && }', "{ status = error } >> {}", "{", "nope"]:
            case(f"{version} where {query}", version, q=query, **around)
        for name, parameters in {"backwards": {"start": base, "end": base - 1}, "words": {"start": "x", "end": "y"}, "one": {"start": base}, "nanoseconds": {"start": f"{base}{'0' * 9}",
        "end": f"{base + 60}{'0' * 9}"}, "since": {"since": "3h"}, "since words": {"since": "x"}, "a limit": around | {"limit": 2}, "no limit": around | {"limit": "x"},
        "long ago": {"start": base - 900, "end": base - 300}}.items():
            case(f"{version} {name}", version, **parameters)
    for tag in [
        "service.name", "resource.service.name", ".service.name", "zone", "span.zone", "http.status_code", "span.http.status_code", "span.order", "span.price", "span.paid", "span.items",
        "span.text", "span.big", "span.none", "name", "status",
        "kind", "rootName", "rootServiceName", "duration", "traceDuration", "statusMessage", "status.code", "error", "root.name", "event.exception.type", "event:name", "event.attempt",
        "link.relation", "link:traceID", "instrumentation:name",
        "instrumentation.language", "span:name", "span:status", "trace:id", "span:id", "trace:rootName", "nestedSetLeft", "nope:x", "parent.zone", "resource.replicas", "a b",
        "span:statusMessage", "event:timeSinceStart", "span:childCount", "%20",
    ]:
        for version in ["search/tag", "v2/search/tag"]:
            case(f"{version} {tag}", f"{version}/{tag}/values", **around)
    for version in ["search/tag", "v2/search/tag"]:
        for query in ['{ resource.service.name = "cart" }', '{ span.zone = "a" && name = }', "{ status = error }", '{ span.zone = "a" } >> { name = "SELECT" }', "{", "{} | rate()"]:
            case(f"{version} where {query}", f"{version}/name/values", q=query, **around)
        case(f"{version} of zones where", f"{version}/span.zone/values", q='{ name = "Add" }', **around)
        case(f"{version} of status where", f"{version}/status/values", q='{ name = "SELECT" }', **around)
        case(f"{version} as a message", f"{version}/span.zone/values", PROTOBUF, **around)
        case(f"{version} without times", f"{version}/span.zone/values")
        case(f"{version} backwards", f"{version}/span.zone/values", start=base, end=base - 1)
        case(f"{version} words", f"{version}/span.zone/values", start="x", end="y")
        case(f"{version} within a limit", f"{version}/span.none/values", limit=1, **around)
    case("v2/search/tag in brief", "v2/search/tag/span.zone/values", BRIEF, **around)

    for query in METRICS:
        both(query, q=query, exemplars=1)
    for query in REFUSED_METRICS:
        both(f"refused {query}", q=query)
    for step in ["5s", "20", "7s", "1m", "0", "-1", "abc", "1ms", "0.5", "2m", "1d", "", "3e1"]:
        case(f"range step {step}", "metrics/query_range", q="{} | count_over_time()", start=base, end=base + 60, step=step, exemplars=1)
    for name, (start, end) in {
        "shifted": (base + 3, base + 47), "nanoseconds": (f"{base}{'0' * 9}", f"{base + 60}{'0' * 9}"), "fractions": (f"{base}.5", f"{base + 60}.25"), "words": ("x", base + 60),
        "no end": (base, "now"),
        "backwards": (base + 60, base), "an instant": (base, base), "RFC 3339": (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(base)), base + 60), "a day": (base - DAY, base + 300),
        "an hour": (base - 3600, base + 60), "empty": (base - 600, base - 540), "short": (base, base + 10),
    }.items():
        both(f"times {name}", q="{} | count_over_time()", start=start, end=end, step=None, exemplars=1)
    both("since", q="{} | count_over_time() by (kind)", start=None, end=base + 60, since="1m")
    both("since words", q="{} | rate()", start=None, since="x")
    both("query", query="{} | count_over_time()", exemplars=1)
    both("as a message", PROTOBUF, q="{} | count_over_time() by (kind)")
    both("exemplars", q='{ name = "POST /order" } | rate()', exemplars=3)
    both("no exemplars", q='{ name = "POST /order" } | rate()', exemplars=0)
    both("maxSeries", q="{} | count_over_time() by (name)", maxSeries=100)
    case("range at once", "metrics/query_range", q="{} | count_over_time()", start=base, end=base + 60, instant="true", step="60s")
    for path in ["echo", "status/buildinfo", "overrides", "mcp", "nope", "v2/nope", "traces"]:
        case(path, path)
    for path in ["status", "status/version", "status/services", "status/endpoints", "status/config", "status/runtime_config", "status/usage-stats", "ready"]:
        found.append((path, f"/{path}", {}, {}))
    names = [name for name, *_ in found]
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    return found


def ask(address, session, request):
    _name, path, parameters, headers = request
    return session.get(address + path, params=parameters, headers=headers, timeout=PATIENCE)


MESSAGES = {
    "/api/traces/": TracesData, "/api/search/tags": "SearchTagsResponse", "/api/v2/search/tags": "SearchTagsV2Response", "/api/search/tag/": "SearchTagValuesResponse",
    "/api/v2/search/tag/": "SearchTagValuesV2Response", "/api/search": "SearchResponse",
    "/api/metrics/query_range": "QueryRangeResponse", "/api/metrics/query": "QueryInstantResponse", "/api/v2/traces/": "TraceByIDResponse",
}
# Lists that have no order of their own.
SETS_OF_THINGS = ("batches", "resourceSpans", "scopeSpans", "spans", "series", "tags", "tagNames", "tagValues", "scopes", "spanSets", "services", "string")


def told(request, answer, base):
    """Status, type and what was said, as comparable as it is the same."""
    kind = answer.headers.get("content-type", "").lower().replace(" ", "").replace(";charset=utf-8", "")
    if answer.status_code // 100 != 2:
        return [answer.status_code, kind, relative(answer.text.strip(), base)]
    if "protobuf" in kind:
        name = next(message for path, message in MESSAGES.items() if request[1].startswith(path))
        message = (tempo_proto.CLASSES[name] if isinstance(name, str) else name).FromString(answer.content)
        body = MessageToDict(message)
    elif "json" in kind:
        body = answer.json()
    else:
        return [answer.status_code, kind, answer.text if request[1] == "/api/echo" else ""]
    return [answer.status_code, kind, plain(body, base)]


def relative(text, base):
    """A text with instants in whole seconds, milliseconds or nanoseconds told from the base."""
    return re.sub(r"\d{10,}", lambda found: plain(found[0], base), text)


def plain(value, base, key=""):
    if key in ("metrics", "version", "revision", "goVersion"):
        return key
    if key in ("attributes", "labels") and isinstance(value, list):
        return {each["key"]: plain(each.get("value"), base) for each in sorted(value, key=lambda each: each["key"])}
    if key == "samples":
        return {plain(each["timestampMs"], base): plain(each.get("value", 0), base) for each in value}
    if isinstance(value, dict):
        if key == "series" and "samples" not in value:
            value = {"value": 0} | value
        if isinstance(value.get("series"), list):
            # Which series has an example is chance.
            examples = [exemplar for series in value["series"] for exemplar in series.get("exemplars", [])]
            value = value | {"series": [{name: each for name, each in series.items() if name != "exemplars"} for series in value["series"]]}
            value["exemplars"] = sorted({label["key"] for exemplar in examples for label in exemplar["labels"]})
        if "spanSets" in value and value["spanSets"][0] == value.get("spanSet"):
            value = value | {"spanSet": "the first"}
        return {name: plain(each, base, name) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return in_order([plain(each, base, key) for each in value], key)
    for unit in (1, 1_000, SECOND):
        number = float(value) if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit()) else 0
        if abs(number / unit - base) < 2 * DAY:
            return f"+{(int(value) - base * unit) / unit:.12g}"
    if isinstance(value, float):
        # Sums depend on the order of their terms.
        value = float(f"{value:.12g}")
        return int(value) if value.is_integer() else value
    return value


def agreed(answer):
    """What of an answer Tempo and we are to agree on: not the words of a refusal behind what it is about, nor which spans are examples."""
    status, kind, body = answer
    if status // 100 != 2:
        body = body.removeprefix("rpc error: code = Code(400) desc = ")
        is_of_query = body.startswith(("invalid TraceQL query", "parse error", "compiling query", "not a metrics query"))
        return [status, kind, "TraceQL" if is_of_query else body.split(":")[0]]
    # What an answer for a model cost is told if it is more than nothing.
    return [status, kind, without(body | {"metrics": "metrics"} if isinstance(body, dict) else body)]


def without(body, key=""):
    """Without examples, and the names of spans that were found, which Tempo leaves out where the query does not name them."""
    if isinstance(body, list):
        return in_order([without(each, key) for each in body], key)
    if not isinstance(body, dict):
        return body
    left_out = ("exemplars", "name") if "spanID" in body or "durationNanos" in body else ("exemplars",)
    # An empty list may be left out.
    return {name: without(each, name) for name, each in body.items() if name not in left_out and each != []}


def in_order(items, key):
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in SETS_OF_THINGS else items


@pytest.fixture(scope="module")
def base():
    """An instant that all steps begin at, past whatever is left out as too new."""
    return int(time.time()) // 4_200 * 4_200 - 600


@pytest.fixture
def ours(servers, base):
    server = servers(config={"telemetry": {"self_watch": False}, "api": {"tempo": {"listen": "127.0.0.1:0"}}}).start()
    otlp.send(server.otlp, "traces", spans(base))
    return server


def answers_of(address, session, base):
    return {request[0]: told(request, ask(address, session, request), base) for request in cases(base)}


def test_answers_are_those_that_are_written_down(ours, base):
    answers = answers_of(f"http://{ours.addresses['tempo']}", ours.session, base)
    if os.environ.get("BLESS"):
        first = {}
        for name, answer in answers.items():
            first.setdefault(json.dumps(answer, separators=(",", ":")), name)
        texts = {name: json.dumps(answer, separators=(",", ":")) for name, answer in answers.items()}
        lines = [f"{json.dumps(name)}: {text if first[text] == name or len(text) < 200 else json.dumps({'as': first[text]})}" for name, text in texts.items()]
        ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    written = json.loads(ANSWERS.read_text())
    want = {name: written[answer["as"]] if isinstance(answer, dict) else answer for name, answer in written.items()}
    differing = [f"{name}\n  now:  {json.dumps(answer)}\n  then: {json.dumps(want.get(name))}" for name, answer in answers.items() if answer != want.get(name)]
    assert not differing and want.keys() == answers.keys(), "\n".join(differing[:20])


@pytest.mark.skipif(TEMPO is None, reason="no Tempo: want one on the path or at TEMPO_BIN")
def test_answers_are_those_of_tempo(ours, base, tmp_path):
    reference = Tempo(tmp_path / "tempo")
    try:
        reference.wait()
        assert otlp.post(reference.otlp, "traces", spans(base), session=reference.session).status_code == 200
        until(lambda: reference.has(SPANS, base), "the spans in Tempo")
        wrong = []
        for request in cases(base):
            mine = told(request, ask(f"http://{ours.addresses['tempo']}", ours.session, request), base)
            theirs = told(request, ask(reference.http, reference.session, request), base)
            reason = next((reason for names, reason in DIFFERENT.items() if re.fullmatch(names, request[0])), None)
            if (agreed(mine) == agreed(theirs)) == (reason is not None):
                wrong.append(f"{request[0]}{f', which is to differ: {reason}' if reason else ''}\n  ours:  {json.dumps(agreed(mine))[:900]}\n  Tempo: {json.dumps(agreed(theirs))[:900]}")
        assert not wrong, f"{len(wrong)} of {len(cases(base))}:\n" + "\n".join(wrong)
    finally:
        reference.stop()

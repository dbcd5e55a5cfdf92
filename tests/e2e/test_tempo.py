"""Tempo's API as Grafana's data source asks it, over HTTP and over gRPC: spans of OpenTelemetry's SDK, every endpoint, and comparisons.

`tempo-cli` is asked where there is one, on the path or at `TEMPO_CLI_BIN`.
"""

import base64
import datetime
import json
import os
import shutil
import subprocess
import time

import grpc
import pytest
import tempo_proto
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from server import PATIENCE, until

TEMPO_CLI = os.environ.get("TEMPO_CLI_BIN") or shutil.which("tempo-cli")
needs_tempo_cli = pytest.mark.skipif(TEMPO_CLI is None, reason="no tempo-cli: want one on the path or at TEMPO_CLI_BIN")
MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND
# Traces of the story; each third is slow, since its stock is asked in zone b.
TRACES = 30


@pytest.fixture
def tempo(servers):
    """A server that is silent about itself, with an address for Tempo; who asks is in a header."""
    return servers(config={"telemetry": {"self_watch": False}, "http": {"trust_tenant_header": True}, "api": {"tempo": {"listen": "127.0.0.1:0"}}}).start()


@pytest.fixture
def begin():
    return time.time_ns() - 120 * SECOND


def tell(server, begin):
    """Orders of a shop: a server, a query of 5 ms, and a call of the cart, whose server asks the stock."""
    providers = {name: TracerProvider(resource=Resource({"service.name": name, "service.version": version})) for name, version in [("shop", "1.0"), ("cart", "2.1")]}
    for provider in providers.values():
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{server.otlp}/v1/traces")))
    shop, cart = providers["shop"].get_tracer("orders", "0.1"), providers["cart"].get_tracer("carts")
    ids = []

    def span(tracer, name, parent, kind, at, length, **attributes):
        context = trace.set_span_in_context(parent) if parent else None
        made = tracer.start_span(name, context=context, kind=kind, start_time=at, attributes=attributes)
        return made, at + length

    for number in range(TRACES):
        is_slow = number % 3 == 0
        at, zone = begin + number * SECOND, "b" if is_slow else "a"
        wait = (200 if is_slow else 20) * MILLISECOND
        root, root_end = span(shop, "POST /order", None, SpanKind.SERVER, at, wait + 30 * MILLISECOND, **{"http.route": "/order", "order.id": number})
        query, query_end = span(shop, "SELECT", root, SpanKind.CLIENT, at + 5 * MILLISECOND, 5 * MILLISECOND, **{"db.system": "postgresql"})
        call, call_end = span(shop, "cart/add", root, SpanKind.CLIENT, at + 15 * MILLISECOND, wait + 10 * MILLISECOND)
        serve, serve_end = span(cart, "Add", call, SpanKind.SERVER, at + 18 * MILLISECOND, wait + 4 * MILLISECOND, zone=zone)
        stock, stock_end = span(cart, "stock", serve, SpanKind.CLIENT, at + 20 * MILLISECOND, wait, **{"net.peer.name": f"stock-{zone}"})
        if is_slow:
            stock.add_event("exception", {"exception.type": "Timeout"}, timestamp=at + 100 * MILLISECOND)
            stock.set_status(Status(StatusCode.ERROR, "too slow"))
        for made, end in [(query, query_end), (stock, stock_end), (serve, serve_end), (call, call_end), (root, root_end)]:
            made.end(end_time=end)
        ids.append(f"{root.get_span_context().trace_id:032x}")
    for provider in providers.values():
        assert provider.force_flush()
        provider.shutdown()
    return ids


def test_every_endpoint_is_answered_at_the_address_of_tempo(tempo, begin):
    ids = tell(tempo, begin)
    url = f"http://{tempo.addresses['tempo']}"
    around = {"start": begin // SECOND - 60, "end": begin // SECOND + 600}

    def ask(path, status=200, headers=None, **parameters):
        answer = tempo.session.get(url + path, params=parameters, headers=headers, timeout=PATIENCE)
        assert answer.status_code == status, f"{path} {parameters}: {answer.status_code} {answer.text[:500]}"
        return answer

    # What "Save & test" and the first look of a data source ask.
    assert ask("/api/echo").text == "echo\n"
    assert ask("/api/status/buildinfo").json()["version"].startswith("signalbox-")
    assert ask("/ready").text == "ready\n"
    assert "trace not found" in ask("/api/traces/0", 404).text

    # A trace, as Grafana's server reads it: version 2 first, in protobuf.
    protobuf = {"Accept": "application/protobuf"}
    whole = TracesData.FromString(ask(f"/api/traces/{ids[0]}", headers=protobuf).content)
    spans = [span for resource in whole.resource_spans for scope in resource.scope_spans for span in scope.spans]
    assert sorted(span.name for span in spans) == ["Add", "POST /order", "SELECT", "cart/add", "stock"]
    wrapped = ask(f"/api/v2/traces/{ids[0]}", headers=protobuf, **around).content
    assert wrapped[0] == 0x0A and whole.SerializeToString() in wrapped
    batches = ask(f"/api/traces/{ids[0]}").json()["batches"]
    first = batches[0]["scopeSpans"][0]["spans"][0]
    assert base64.b64decode(first["traceId"]).hex() == ids[0] and first["kind"] == "SPAN_KIND_SERVER"
    part = ask(f"/api/v2/traces/{ids[0]}", q="{ status = error }", keep_hierarchy="true").json()
    names = [span["name"] for batch in part["trace"]["resourceSpans"] for scope in batch["scopeSpans"] for span in scope["spans"]]
    assert sorted(names) == ["Add", "POST /order", "cart/add", "stock"] and part["status"] == "PARTIAL"
    brief = ask(f"/api/v2/traces/{ids[0]}", headers={"Accept": "application/vnd.grafana.llm"})
    assert brief.headers["content-type"] == "application/vnd.grafana.llm+json" and brief.json()["trace"]["traceId"] == ids[0]

    # Search, as the query builder and as the table of traces ask it.
    found = ask("/api/search", q='{resource.service.name="cart" && status=error}', limit=5, spss=3, **around).json()["traces"]
    assert [trace["traceID"] for trace in found] == ids[27::-3][:5]
    assert found[0]["rootServiceName"] == "shop" and found[0]["spanSets"][0]["matched"] == 1
    assert {name: stats.get("errorCount", 0) for name, stats in found[0]["serviceStats"].items()} == {"shop": 0, "cart": 1}
    roots = ask("/api/search", q='{nestedSetParent<0} &>> {name="stock" && duration>100ms} | select(span.zone, event.exception.type)', limit=100, spss=10, **around)
    assert len(roots.json()["traces"]) == 10 and roots.json()["traces"][0]["spanSets"][0]["matched"] == 2
    tags = ask("/api/search", tags="service.name=shop http.route=/ORD", minDuration="150ms", limit=50, **around).json()["traces"]
    assert len(tags) == 10

    # Completion.
    scopes = {scope["name"]: scope["tags"] for scope in ask("/api/v2/search/tags", **around).json()["scopes"]}
    assert "zone" in scopes["span"] and "service.version" in scopes["resource"] and "exception.type" in scopes["event"] and "status" in scopes["intrinsic"]
    narrowed = {scope["name"]: scope["tags"] for scope in ask("/api/v2/search/tags", q='{name="SELECT" && }', scope="span", **around).json()["scopes"]}
    assert narrowed == {"span": ["db.system"]}
    assert "http.route" in ask("/api/search/tags", **around).json()["tagNames"]
    assert ask("/api/search/tag/service.name/values", **around).json()["tagValues"] == ["cart", "shop"]
    zones = ask("/api/v2/search/tag/span.zone/values", q="{ duration > 150ms }", **around).json()["tagValues"]
    assert zones == [{"type": "string", "value": "b"}]
    assert ask("/api/v2/search/tag/event.exception.type/values", **around).json()["tagValues"] == [{"type": "string", "value": "Timeout"}]

    # Metrics: sums are those of the story, whatever the steps; the same below the prefix of the main address.
    parameters = {"q": '{name="stock"} | count_over_time() by (span.net.peer.name)', "step": "10s", "exemplars": 5, **around}
    for base in [url, tempo.http + "/tempo"]:
        series = tempo.session.get(f"{base}/api/metrics/query_range", params=parameters, timeout=PATIENCE).json()["series"]
        sums = {one["labels"][0]["value"]["stringValue"]: sum(sample["value"] for sample in one["samples"]) for one in series}
        assert sums == {"stock-a": 20, "stock-b": 10}
        assert "trace:id" in {label["key"] for one in series for exemplar in one.get("exemplars", []) for label in exemplar["labels"]}
    instant = ask("/api/metrics/query", q='{name="POST /order"} | max_over_time(duration)', **around).json()["series"]
    assert instant[0]["value"] == pytest.approx(0.23)

    # Refusals.
    assert ask("/api/search", 400, q="{ status = }").text.startswith("invalid TraceQL query: parse error at line 1")
    assert ask("/api/search", 400, q="{}", start=5, end=4).text == "http parameter start must be before end. received start=5 end=4"
    ask("/api/traces/xyz", 400)
    ask("/api/metrics/query_range", 400, q="{}")
    ask("/api/mcp", 404)
    ask("/api/overrides", 404)


def test_streams_are_answered_on_the_port_of_http(tempo, begin):
    ids = tell(tempo, begin)
    seconds = {"start": begin // SECOND - 60, "end": begin // SECOND + 600}
    # Grafana leaves the path of a URL: the main address has the service at its root.
    for address in [tempo.addresses["tempo"], tempo.addresses["http"]]:
        with grpc.insecure_channel(address) as channel:

            def last(method, **fields):
                *before, final = tempo_proto.ask(channel, method, **fields)
                assert before, "a stream says that it is worked on before it answers"
                return final

            answers = tempo_proto.ask(channel, "Search", query="{ status = error }", limit=100, spans_per_span_set=3, **seconds)
            assert [trace.trace_id for answer in answers for trace in answer.traces] == ids[27::-3]
            assert (answers[0].metrics.completed_jobs, answers[-1].metrics.completed_jobs, answers[-1].metrics.total_jobs) == (0, 1, 1)
            assert answers[-1].traces[0].span_sets[0].spans[0].name == "stock"
            assert "zone" in last("SearchTags", **seconds).tag_names
            assert {scope.name for scope in last("SearchTagsV2", **seconds).scopes} >= {"span", "resource", "event", "intrinsic"}
            assert list(last("SearchTagValues", tag_name="service.name", **seconds).tag_values) == ["cart", "shop"]
            values = last("SearchTagValuesV2", tag_name="span.zone", query='{ name = "Add" }', **seconds).tag_values
            assert [(value.type, value.value) for value in values] == [("string", "a"), ("string", "b")]
            nanoseconds = {"start": begin - 60 * SECOND, "end": begin + 600 * SECOND}
            series = last("MetricsQueryRange", query="{} | count_over_time() by (resource.service.name)", step=10 * SECOND, **nanoseconds).series
            assert {one.labels[0].value.string_value: sum(sample.value for sample in one.samples) for one in series} == {"shop": 90, "cart": 60}
            assert last("MetricsQueryInstant", query="{} | count_over_time()", **nanoseconds).series[0].value == 150

            with pytest.raises(grpc.RpcError) as refused:
                tempo_proto.ask(channel, "Search", query="{ status = ")
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "parse error" in refused.value.details()


def test_traces_are_compared(tempo, begin):
    ids = tell(tempo, begin)
    slow, fast = ids[0], ids[1]
    diff = tempo.json("/api/v1/traces/diff", base=fast, compare=slow)
    assert diff["spans"] == {"matched": 5, "moved": 0, "added": 0, "removed": 0}
    changed = [node["name"] for node in diff["nodes"] if node["change"] == "changed"]
    assert changed == ["stock"], diff
    answer = tempo.session.post(tempo.http + "/tempo/api/v2/traces/diff", json={"base": {"traceId": fast}, "compare": {"traceId": slow}}, timeout=PATIENCE)
    assert answer.status_code == 200 and answer.json()["stats"]["matchedSpans"] == 5

    path = tempo.json("/api/v1/traces/critical_path", trace_id=slow)
    assert path["duration_ns"] == 230 * MILLISECOND == sum(step["duration_ns"] for step in path["steps"])
    assert [operation["name"] for operation in path["operations"]][0] == "stock"
    since = {"start": begin // SECOND - 60}
    paths = tempo.json("/api/v1/traces/critical_path", query='{ name = "POST /order" }', limit=100, **since)
    shares = {operation["name"]: operation["self_ns"] for operation in paths["operations"]}
    assert (paths["traces"], paths["spans"], shares["stock"]) == (TRACES, 5 * TRACES, (10 * 200 + 20 * 20) * MILLISECOND)

    found = tempo.json("/api/v1/traces/attributes", query='{ name = "stock" }', selection="{ duration > 100ms }", **since)
    assert (found["selected"], found["others"]) == (10, 20)
    values = {(value["attribute"], value["value"]) for value in found["values"]}
    assert ("span.net.peer.name", "stock-b") in values and ("status", "error") in values
    assert not any(attribute.startswith("resource.") for attribute, _ in values)


def test_a_trace_is_found_after_a_restart_without_a_range(tempo, begin):
    ids = tell(tempo, begin)
    tempo.stop()
    tempo.start()
    url = f"http://{tempo.addresses['tempo']}"

    def is_whole():
        answer = tempo.session.get(f"{url}/api/v2/traces/{ids[5]}", timeout=PATIENCE).json()
        return len([span for batch in answer["trace"]["resourceSpans"] for scope in batch["scopeSpans"] for span in scope["spans"]]) == 5

    until(is_whole, "the trace")


@pytest.fixture
def tempo_cli(tempo, begin):
    """Runs `tempo-cli query api`, and gives the messages that it printed. Addresses: that of Tempo, and the main one with its prefix."""
    times = [datetime.datetime.fromtimestamp(at // SECOND, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (begin - 60 * SECOND, begin + 600 * SECOND)]

    def run(what, *arguments, has_range=True, fails=False):
        command = [TEMPO_CLI, "query", "api", what, *arguments, *(times if has_range else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
        return done.stderr if fails else [json.loads(line) for line in done.stdout.splitlines()]

    return run


def spans_of(trace):
    return sorted(span["name"] for resource in trace["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"])


@needs_tempo_cli
def test_tempo_cli_itself(tempo, begin, tempo_cli):
    ids = tell(tempo, begin)
    address, main = tempo.addresses["tempo"], tempo.addresses["http"]
    whole = ["Add", "POST /order", "SELECT", "cart/add", "stock"]
    for url in [f"http://{address}", f"http://{main}/tempo"]:
        for version in [[], ["--v1"]]:
            [trace] = tempo_cli("trace-id", url, ids[0], *version, has_range=False)
            assert spans_of(trace) == whole
        [part] = tempo_cli("trace-id", url, ids[0], "--q={ status = error }", has_range=False)
        assert spans_of(part) == ["stock"]
        [part] = tempo_cli("trace-id", url, ids[0], "--q={ status = error }", "--keep-hierarchy", "--ancestor-depth=1", has_range=False)
        assert spans_of(part) == ["Add", "stock"]
        assert "not found" in tempo_cli("trace-id", url, "77", has_range=False, fails=True)

    query = "{ status = error }"
    # The last message of a stream has the answer; gRPC knows no prefix.
    for where in [[address], [main, "--path-prefix=/tempo"], [address, "--use-grpc"], [main, "--use-grpc"]]:
        found = [trace for message in tempo_cli("search", where[0], query, *where[1:], "--limit=3", "--spss=2") for trace in message.get("traces", [])]
        assert [trace["traceID"] for trace in found] == ids[27::-3][:3], where
        assert found[0]["spanSets"][0]["spans"][0]["name"] == "stock"
        last = lambda what, *arguments, **options: tempo_cli(what, where[0], *arguments, *where[1:], **options)[-1]
        for has_range in [True, False]:
            scopes = {scope["name"]: scope.get("tags", []) for scope in last("search-tags", has_range=has_range)["scopes"]}
            assert "zone" in scopes["span"] and "service.version" in scopes["resource"] and "exception.type" in scopes["event"], where
            values = last("search-tag-values", "span.zone", has_range=has_range)["tagValues"]
            assert [(value["type"], value["value"]) for value in values] == [("string", "a"), ("string", "b")]
        values = last("search-tag-values", "resource.service.name", '--query={ name = "stock" }')["tagValues"]
        assert [value["value"] for value in values] == ["cart"]
        counts = "{} | count_over_time() by (resource.service.name)"
        series = last("metrics", counts)["series"]
        sums = {one["labels"][0]["value"]["stringValue"]: sum(sample.get("value", 0) for sample in one["samples"]) for one in series}
        assert sums == {"shop": 90, "cart": 60}, where
        series = last("metrics", counts, "--instant")["series"]
        assert {one["labels"][0]["value"]["stringValue"]: one["value"] for one in series} == {"shop": 90, "cart": 60}
        assert "parse error" in tempo_cli("search", where[0], "{ status = ", *where[1:], fails=True), where
    for where in [[address], [address, "--use-grpc"]]:
        of_another = tempo_cli("search", where[0], query, *where[1:], "--org-id=somebody-else")
        assert of_another[-1].get("traces", []) == [], where

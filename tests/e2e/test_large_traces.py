"""A trace of a hundred thousand spans, some of which come late and some with clocks that are wrong, comes back whole."""

import random

import otlp
from server import PATIENCE

SPANS, BATCH = 100_000, 5_000
TRACE = bytes.fromhex("00000000000000000000000000c0ffee")
START_NS = 1_795_456_800_000_000_000


def span_of(number, skew):
    """Number, parent (a tree in which each calls ten), start, end. One in a hundred starts before its parent or ends before it starts."""
    start_ns = START_NS + number * 1_000
    took_ns = 500_000
    if number % 100 == 7:
        start_ns -= skew.randrange(1, 10**9)
    if number % 100 == 8:
        took_ns = -skew.randrange(1, 10**6)
    return number, (number - 1) // 10 if number else None, start_ns, start_ns + took_ns


def identifier(number):
    return (number + 1).to_bytes(8, "big")


def send(server, spans):
    request = otlp.ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(otlp.text("service.name", "large"))
    scope = resource.scope_spans.add()
    for number, parent, start_ns, end_ns in spans:
        span = scope.spans.add(trace_id=TRACE, span_id=identifier(number), name=f"step {number % 50}", kind=1, start_time_unix_nano=start_ns, end_time_unix_nano=end_ns)
        if parent is not None:
            span.parent_span_id = identifier(parent)
    answer = server.session.post(f"{server.otlp}/v1/traces", data=request.SerializeToString(), headers={"Content-Type": "application/x-protobuf"}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text


def shown(server):
    answer = server.json("/jaeger/api/traces/" + TRACE.hex())
    spans = answer["data"][0]["spans"]
    assert len(spans) == SPANS
    return {int(span["spanID"], 16) - 1: span for span in spans}


def test_a_trace_of_a_hundred_thousand_spans_with_late_and_skewed_ones_is_whole(servers):
    server = servers(config={"telemetry": {"self_watch": False}, "alert": {"rule_files": []}}).start()
    spans = [span_of(number, random.Random(number)) for number in range(SPANS)]
    order = spans[:]
    random.Random(5).shuffle(order)
    late = order[: SPANS // 10]
    for at in range(len(late), SPANS, BATCH):
        send(server, order[at : at + BATCH])
    assert server.session.post(server.http + "/-/compact", timeout=PATIENCE).status_code < 300
    for at in range(0, len(late), BATCH):
        send(server, late[at : at + BATCH])
    found = shown(server)
    assert found.keys() == set(range(SPANS))
    for number, parent, *_ in spans:
        references = found[number]["references"]
        assert [int(reference["spanID"], 16) - 1 for reference in references] == ([] if parent is None else [parent])
    # A span that ends before it starts says so.
    backwards = [found[number] for number, _, start_ns, end_ns in spans if end_ns < start_ns]
    assert len(backwards) == SPANS // 100 and all(span["warnings"] for span in backwards)
    assert server.session.post(server.http + "/-/compact", timeout=PATIENCE).status_code < 300
    assert shown(server).keys() == set(range(SPANS))

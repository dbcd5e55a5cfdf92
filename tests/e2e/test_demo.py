"""`signalbox demo`: what it says it sent is there, and its parts lead to each other."""

import re
import subprocess
import time

from server import BINARY, PATIENCE


def test_the_demo_tells_one_story(server):
    start = time.time()
    ended = subprocess.run([BINARY, "demo", "--endpoint", server.otlp, "--backfill", "3m", "--duration", "0s", "--seed", "5"], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr
    sent = int(re.search(r"sent (\d+) spans and log records", ended.stdout)[1])
    theirs = "service <> 'signalbox'"
    count = lambda query: server.sql(query)[0]["n"]
    assert count(f"SELECT count(*) AS n FROM spans WHERE {theirs}") + count(f"SELECT count(*) AS n FROM logs WHERE {theirs}") == sent
    assert count(f"SELECT count(DISTINCT service) AS n FROM logs WHERE {theirs}") >= 7

    # Each record of a trace lies in a span that is there; spans that run at the end are not finished.
    settled = int((start - 20) * 1e9)
    orphans = f"SELECT count(*) AS n FROM logs l LEFT JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id WHERE l.{theirs} AND l.trace_id IS NOT NULL AND s.span_id IS NULL AND CAST(l.timestamp AS BIGINT) < {settled}"
    assert count(orphans) == 0
    lost = f"SELECT count(*) AS n FROM spans c LEFT JOIN spans p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id WHERE c.{theirs} AND c.parent_span_id IS NOT NULL AND p.span_id IS NULL AND CAST(c.timestamp AS BIGINT) < {settled}"
    assert count(lost) == 0

    # From a measurement to its trace, and from the trace to its service's metrics.
    found = server.json("/api/v1/query_exemplars", query="http_server_request_duration_seconds_bucket", start=start - 170, end=start - 20)["data"]
    traces = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
    assert len(traces) > 10
    for trace_id in sorted(traces)[:5]:
        [trace] = server.json(f"/jaeger/api/traces/{trace_id}")["data"]
        services = {process["serviceName"] for process in trace["processes"].values()}
        for service in services:
            assert server.query(f'http_server_request_duration_seconds_count{{job="shop/{service}"}}', time=start), service
    assert float(server.query("sum(shop_orders_placed_total)", time=start)[0]["value"][1]) > 0

"""Segments are plain Parquet: DuckDB reads them without us and gets the same rows as the SQL API."""

import json
import time

import duckdb
import otlp
import remote_write


def fill(server):
    now = time.time_ns()
    for batch in range(3):
        at = now - 60_000_000_000 + batch * 1_000_000_000
        logs = otlp.logs("duck", [(at + i, f"line {batch} {i} grün", {"i": str(i), "ünicode": "ß"}) for i in range(200)])
        for record in logs.resource_logs[0].scope_logs[0].log_records:
            record.observed_time_unix_nano = record.time_unix_nano + 1500
        otlp.send(server.otlp, "logs", logs)
        otlp.send(server.otlp, "traces", otlp.spans("duck", [(bytes([batch + 1]) * 16, (batch * 1000 + i + 1).to_bytes(8, "big"), f"op {i % 7}", at + i) for i in range(150)]))
        otlp.send(server.otlp, "metrics", otlp.gauges("duck", [("duck.gauge", {"i": str(i)}, at, i / 7) for i in range(50)]))
        series = [({"__name__": "duck_total", "job": "duck", "i": str(i)}, [(float(batch * 10 + s), at // 1_000_000 + s * 10) for s in range(20)]) for i in range(10)]
        assert remote_write.post(server.http, remote_write.v1(series)).status_code == 204


def test_duckdb_reads_what_sql_answers(servers):
    server = servers(config={"telemetry": {"self_watch": False}, "ingest": {"span_metrics": {"enabled": False}}}).start()
    fill(server)
    server.stop()
    folder = server.data / "segments" / "default"
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    table = lambda name: f"read_parquet('{folder}/{name}/*.parquet')"
    server.start()

    ours = server.sql("SELECT CAST(timestamp AS BIGINT) AS at, service, severity_number AS severity, body, pattern, attributes['i'] AS i, attributes['ünicode'] AS u FROM logs ORDER BY at, body")
    theirs = duck.sql(f"""SELECT epoch_ns(timestamp), service, severity_number, body, pattern, "attributes.i", "attributes.ünicode" FROM {table('logs')} ORDER BY 1, 4""").fetchall()
    assert len(theirs) == 600
    assert [(int(row["at"]), row["service"], row["severity"], row["body"], row["pattern"], row["i"], row["u"]) for row in ours] == theirs
    assert {row[4] for row in theirs} == {"line <_> <_> grün"}

    ours = server.sql("SELECT CAST(timestamp AS BIGINT) AS at, duration_ns, hex(trace_id) AS trace, hex(span_id) AS span, name, kind, resource FROM spans ORDER BY at, span")
    theirs = duck.sql(f"SELECT epoch_ns(timestamp), duration_ns, lower(hex(trace_id)), lower(hex(span_id)), name, kind, resource FROM {table('spans')} ORDER BY 1, 4").fetchall()
    assert len(theirs) == 450
    assert [(int(row["at"]), int(row["duration_ns"]), row["trace"], row["span"], row["name"], row["kind"], row["resource"]) for row in ours] == theirs

    ours = server.sql("SELECT name, labels, CAST(timestamp AS BIGINT) AS at, value FROM metrics ORDER BY name, labels, at")
    theirs = duck.sql(f"SELECT name, labels, epoch_ms(timestamp), CASE WHEN mantissa IS NULL THEN value ELSE (base + mantissa) / divisor + coalesce(value, 0) END FROM {table('samples')} ORDER BY name, labels, timestamp").fetchall()
    assert len(theirs) == 3 * 50 + 3 * 10 * 20
    assert [(row["name"], json.loads(row["labels"]), int(row["at"]), row["value"]) for row in ours] == [(name, json.loads(labels), at, value) for name, labels, at, value in theirs]


def with_exemplars(now):
    """A request with one counter that has an exemplar."""
    request = otlp.gauges("duck", [])
    metric = request.resource_metrics[0].scope_metrics[0].metrics.add(name="duck.calls")
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, True
    point = metric.sum.data_points.add(time_unix_nano=now, as_double=7)
    exemplar = point.exemplars.add(time_unix_nano=now, as_double=0.25, trace_id=bytes([7]) * 16, span_id=bytes([8]) * 8)
    exemplar.filtered_attributes.append(otlp.text("user", "ada"))
    return request


def test_views_make_every_table_readable_and_leave_out_what_is_purged(servers):
    server = servers(config={"telemetry": {"self_watch": False}, "ingest": {"span_metrics": {"enabled": False}}, "api": {"prometheus": {"admin_api": True}}}).start()
    fill(server)
    now = time.time_ns()
    otlp.send(server.otlp, "metrics", with_exemplars(now))
    otlp.send(server.otlp, "metrics", otlp.exponential_histograms("duck", "duck.latency", ["a", "b"], now))
    ours = server.sql("SELECT name, labels, CAST(timestamp AS BIGINT) AS at, value FROM metrics ORDER BY name, labels, at")
    answer = server.session.post(server.http + "/api/v1/admin/tsdb/snapshot", timeout=60)
    assert answer.status_code == 200, answer.text
    copy = server.data / "snapshots" / answer.json()["data"]["name"]

    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute((server.data / "views.sql").read_text())
    for data in (server.data, copy):
        rows = lambda query: duck.execute(query, {"data": str(data)}).fetchall()
        theirs = rows("SELECT name, labels, epoch_ms(timestamp), value FROM samples($data) ORDER BY 1, 2, 3")
        assert [(row["name"], json.loads(row["labels"]), int(row["at"]), row["value"]) for row in ours] == [(name, json.loads(labels), at, value) for name, labels, at, value in theirs]
        assert rows("SELECT tenant, labels ->> '$.job', count(*) FROM samples($data) WHERE name = 'duck_total' GROUP BY ALL") == [("default", "duck", 600)]
        histograms = rows("SELECT name, labels ->> '$.id', count, sum, zero_count, list_sum(positive_buckets) FROM histograms($data) ORDER BY 2")
        assert histograms == [("duck_latency", id, 3.0, 5.0, 1.0, 2.0) for id in "ab"]
        exemplars = rows("SELECT name, value, trace_id, span_id, exemplar_labels ->> '$.user' FROM exemplars($data)")
        assert exemplars == [("duck_calls_total", 0.25, "07" * 16, "08" * 8, "ada")]
        assert rows("SELECT count(*), min(body), any_value(attributes['ünicode']), count(DISTINCT attributes['i']), any_value(pattern) FROM logs($data)") == [(600, "line 0 0 grün", "ß", 200, "line <_> <_> grün")]
        assert rows("""SELECT attributes['i'], "attributes.i", attribute_keys FROM logs($data) WHERE body = 'line 1 17 grün'""") == [("17", "17", '["si","sünicode"]')]
        assert rows("SELECT count(*) FROM logs($data) WHERE epoch_ns(observed_timestamp) - epoch_ns(timestamp) = 1500") == [(600,)]
        assert rows("SELECT count(*), count(DISTINCT trace_id), min(trace_id) FROM spans($data)") == [(450, 3, "01" * 16)]

    # What is deleted is in the files until it is purged.
    answer = server.session.post(server.http + "/api/v1/admin/tsdb/delete_series", params={"match[]": "duck_total"}, timeout=60)
    assert answer.status_code == 204, answer.text
    count = lambda: duck.execute("SELECT count(*) FROM samples($data) WHERE name = 'duck_total'", {"data": str(server.data)}).fetchall()[0][0]
    assert count() == 600
    assert server.session.post(server.http + "/api/v1/admin/tsdb/clean_tombstones", timeout=60).status_code == 204
    assert count() == 0
    server.stop()

    # A server that starts on the snapshot knows nothing of that.
    restored = servers("restored", config={"telemetry": {"self_watch": False}, "ingest": {"span_metrics": {"enabled": False}}})
    restored.data = copy
    restored.start()
    assert restored.sql("SELECT name, labels, CAST(timestamp AS BIGINT) AS at, value FROM metrics ORDER BY name, labels, at") == ours
    assert restored.sql("SELECT count(*) AS n FROM logs") == [{"n": 600}]
    restored.stop()

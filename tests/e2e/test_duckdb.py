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
        otlp.send(server.otlp, "logs", otlp.logs("duck", [(at + i, f"line {batch} {i} grün", {"i": str(i), "ünicode": "ß"}) for i in range(200)]))
        otlp.send(server.otlp, "traces", otlp.spans("duck", [(bytes([batch + 1]) * 16, (batch * 1000 + i + 1).to_bytes(8, "big"), f"op {i % 7}", at + i) for i in range(150)]))
        otlp.send(server.otlp, "metrics", otlp.gauges("duck", [("duck.gauge", {"i": str(i)}, at, i / 7) for i in range(50)]))
        series = [({"__name__": "duck_total", "job": "duck", "i": str(i)}, [(float(batch * 10 + s), at // 1_000_000 + s * 10) for s in range(20)]) for i in range(10)]
        assert remote_write.post(server.http, remote_write.v1(series)).status_code == 204


def test_duckdb_reads_what_sql_answers(servers):
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    fill(server)
    server.stop()
    folder = server.data / "segments" / "default"
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    table = lambda name: f"read_parquet('{folder}/{name}/*.parquet')"
    server.start()

    ours = server.sql("SELECT CAST(timestamp AS BIGINT) AS at, service, severity_number AS severity, body, attributes['i'] AS i, attributes['ünicode'] AS u FROM logs ORDER BY at, body")
    theirs = duck.sql(f"SELECT epoch_ns(timestamp), service, severity_number, body, attributes['i'], attributes['ünicode'] FROM {table('logs')} ORDER BY 1, 4").fetchall()
    assert len(theirs) == 600
    assert [(int(row["at"]), row["service"], row["severity"], row["body"], row["i"], row["u"]) for row in ours] == theirs

    ours = server.sql("SELECT CAST(timestamp AS BIGINT) AS at, duration_ns, hex(trace_id) AS trace, hex(span_id) AS span, name, kind, resource FROM spans ORDER BY at, span")
    theirs = duck.sql(f"SELECT epoch_ns(timestamp), duration_ns, lower(hex(trace_id)), lower(hex(span_id)), name, kind, resource FROM {table('spans')} ORDER BY 1, 4").fetchall()
    assert len(theirs) == 450
    assert [(int(row["at"]), int(row["duration_ns"]), row["trace"], row["span"], row["name"], row["kind"], row["resource"]) for row in ours] == theirs

    ours = server.sql("SELECT name, labels, CAST(timestamp AS BIGINT) AS at, value FROM metrics ORDER BY name, labels, at")
    theirs = duck.sql(f"SELECT name, labels, epoch_ms(timestamp), CASE WHEN mantissa IS NULL THEN value ELSE (base + mantissa) / divisor + coalesce(value, 0) END FROM {table('samples')} ORDER BY name, labels, timestamp").fetchall()
    assert len(theirs) == 3 * 50 + 3 * 10 * 20
    assert [(row["name"], json.loads(row["labels"]), int(row["at"]), row["value"]) for row in ours] == [(name, json.loads(labels), at, value) for name, labels, at, value in theirs]

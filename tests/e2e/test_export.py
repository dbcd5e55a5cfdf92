"""Exports are files that other tools read whole: DuckDB, and what reads CSV and lines of JSON."""

import csv
import io
import json
import time

import duckdb
import otlp
import requests

ROWS = 60_000


def fill(server):
    now = time.time_ns() - 60_000_000_000
    for first in range(0, ROWS, 5_000):
        batch = [(now + i, f'line {i} of "many", grün', {"i": str(i), "kind": "odd" if i % 2 else "even"}) for i in range(first, first + 5_000)]
        otlp.send(server.otlp, "logs", otlp.logs("bulk", batch))
    return now


def export(server, **parameters):
    answer = requests.get(server.http + "/api/v1/export", params=parameters, timeout=300)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return answer.content


def test_other_tools_read_every_row(servers, tmp_path):
    # Far more rows than any answer may have.
    server = servers(config={"telemetry": {"self_watch": False}, "query": {"results_max": 100, "rows_max": 100}}).start()
    now = fill(server)
    want = [(now + i, f'line {i} of "many", grün', str(i)) for i in range(ROWS)]

    path = tmp_path / "records.parquet"
    path.write_bytes(export(server, query="service:bulk", format="parquet"))
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    rows = duck.sql(f"SELECT epoch_ns(timestamp), body, attributes['i'] FROM '{path}' ORDER BY 1").fetchall()
    assert rows == want
    assert duck.sql(f"SELECT DISTINCT service, level, resource['service.name'] FROM '{path}'").fetchall() == [("bulk", "info", "bulk")]

    path = tmp_path / "sql.parquet"
    path.write_bytes(export(server, language="sql", query="SELECT timestamp, service, body, attributes FROM logs WHERE attributes['kind'] = 'odd'", format="parquet"))
    assert duck.sql(f"SELECT epoch_ns(timestamp), body, attributes['i'] FROM '{path}' ORDER BY 1").fetchall() == want[1::2]

    text = export(server, query='{service_name="bulk"} | kind="even" | line_format "{{.i}}"', fields="timestamp,line,kind", format="csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(int(row["line"]) for row in rows) == list(range(0, ROWS, 2))
    assert {row["kind"] for row in rows} == {"even"}

    lines = [json.loads(line) for line in export(server, query="service:bulk", fields="body,i").splitlines()]
    assert sorted(lines, key=lambda line: int(line["i"])) == [{"body": body, "i": i} for _, body, i in want]

    # A reader that goes away leaves nothing behind that others would wait for.
    for _ in range(30):
        with requests.get(server.http + "/api/v1/export", params={"query": "service:bulk"}, stream=True, timeout=60) as answer:
            assert next(answer.iter_content(1_000))
    assert len(export(server, query="service:bulk").splitlines()) == ROWS
    server.stop()

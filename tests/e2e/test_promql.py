"""Debian's Prometheus and we take the same samples: every query of the public PromQL compliance test has one answer.

Prometheus 2 counts a sample on the early edge of a range, Prometheus 3 and we do not: no sample lies on an edge here.
"""

import itertools
import json
import os
import pathlib
import random
import struct
import time

import pytest
import remote_write
from reference import Asker, difference

CONFORMANCE = pathlib.Path(os.environ.get("SIGNALBOX_CONFORMANCE") or pathlib.Path(__file__).resolve().parents[3] / "shared/conformance")
TEMPLATES = CONFORMANCE / "promql/compliance-tester/queries.jsonl"
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
MINUTES, INTERVAL_MS, STEP = 40, 5_000, 10
# What stands for the variables of the templates.
ARITHMETIC, COMPARISON = ["+", "-", "*", "/", "%", "^"], ["==", "!=", "<", ">", "<=", ">="]
VARIANTS = {
    "range": ["1s", "15s", "1m", "5m", "15m"],
    "offset": ["1m", "5m", "10m"],
    "simpleAggrOp": ["sum", "avg", "max", "min", "count", "stddev", "stdvar", "group"],
    "simpleTimeAggrOp": ["sum", "avg", "max", "min", "count", "stddev", "stdvar", "absent", "last", "present"],
    "topBottomOp": ["topk", "bottomk"],
    "quantile": ["-0.5", "0.1", "0.5", "0.75", "0.95", "0.90", "0.99", "1", "1.5"],
    "arithBinOp": ARITHMETIC,
    "compBinOp": COMPARISON,
    # Without atan2: Prometheus 2 keeps the name of the metric there.
    "binOp": ARITHMETIC + COMPARISON,
    "simpleMathFunc": ["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round", "sgn", "sin", "cos", "tan", "atan", "deg", "rad"],
    "extrapolatedRateFunc": ["delta", "rate", "increase"],
    "clampFunc": ["clamp_min", "clamp_max"],
    "dateFunc": ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"],
}


def queries():
    """(query, whether it must fail) of every template with every combination of what stands for its variables."""
    for line in TEMPLATES.read_text().splitlines():
        template = json.loads(line)
        # Every text may be the name of a label in Prometheus 3.
        if "~invalid" in template["query"]:
            continue
        names = template.get("variant_args", [])
        for values in itertools.product(*(VARIANTS[name] for name in names)):
            query = template["query"]
            for name, value in zip(names, values):
                query = query.replace("{{." + name + "}}", value)
            assert "{{" not in query, query
            yield query, template.get("should_fail", False)


def demo(start_ms, count):
    """(labels, [(value, time in ms)]) of the metrics that the templates name."""
    chance = random.Random(20)
    times = [start_ms + step * INTERVAL_MS for step in range(count)]
    for port in (10000, 10001, 10002):
        common = {"instance": f"demo.promlabs.com:{port}", "job": "demo"}

        def series(name, values, more=None, common=common):
            return {"__name__": name} | common | (more or {}), list(zip(values, times))

        def counter(rate, common=common):
            # High enough that no rate is ever extrapolated back to zero, which is not the same in Prometheus 2 and 3.
            value = 50_000.0
            for step in range(count):
                value = 40_000.0 if step % 170 == 169 else value + chance.random() * rate
                yield value

        for kind in ("buffers", "cached", "free", "used"):
            yield series("demo_memory_usage_bytes", [chance.uniform(1e8, 4e9) for _ in times], {"type": kind})
        for mode in ("idle", "user", "system"):
            yield series("demo_cpu_usage_seconds_total", counter(5), {"mode": mode})
        yield series("demo_num_cpus", [4.0] * count)
        yield series("demo_disk_usage_bytes", [1e9 + step * 12_345 + chance.random() * 1e6 for step in range(count)])
        yield series("demo_batch_last_success_timestamp_seconds", [ts // 90_000 * 90 for ts in times])
        labels, samples = series("demo_intermittent_metric", [1.0] * count)
        there = [(value if step % 24 < 6 else STALE, ts) for step, (value, ts) in enumerate(samples) if step % 24 < 7]
        yield labels, there
        for status in ("200", "500"):
            steps = [counter(2 + 3 * rank) for rank in range(6)]
            totals = [0.0] * count
            for bound, step in zip(("0.01", "0.1", "0.25", "1", "5", "+Inf"), steps):
                totals = [total + value for total, value in zip(totals, step)]
                yield series("demo_api_request_duration_seconds_bucket", totals, {"le": bound, "status": status, "method": "GET", "path": "/api"})


def test_queries_of_the_compliance_test_have_the_answers_of_prometheus(servers, reference):
    if not TEMPLATES.exists():
        assert os.environ.get("CI") != "true", f"no {TEMPLATES}"
        pytest.skip(f"no {TEMPLATES}: set SIGNALBOX_CONFORMANCE")
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    # Whole multiples of the step, less 3 seconds and 217 milliseconds: never on an edge of a range or step.
    end = int(time.time()) // 60 * 60 - 60
    start_ms = (end - MINUTES * 60) * 1000 - 3_217
    sent = list(demo(start_ms, MINUTES * 60_000 // INTERVAL_MS))
    for base in (server.http, reference.http):
        taken = remote_write.post(base, remote_write.v1(sent))
        assert taken.status_code in (200, 204), f"{base}: {taken.status_code} {taken.text}"
    # Steps that are no multiples of the steps of subqueries, either.
    times = {"start": end - 600 + 3, "end": end - 60 + 3, "step": STEP}
    askers = Asker(server.http), Asker(reference.http)
    asked, answered, wrong = 0, 0, []
    for query, must_fail in queries():
        for path, parameters in (("query_range", times), ("query", {"time": times["end"]})):
            ours, theirs = (asker.ask(path, query=query, **parameters) for asker in askers)
            asked += 1
            answered += theirs["status"] == "success" and bool(theirs["data"]["result"])
            found = difference(ours, theirs) or ("does not fail" if must_fail and ours["status"] == "success" else "")
            if found:
                wrong.append(f"{path} {query}: {found}")
    print(f"{asked - len(wrong)} of {asked} answers are those of Prometheus, {answered} of them not empty")
    assert not wrong, f"{len(wrong)} of {asked} differ:\n" + "\n".join(wrong[:40])
    assert asked > 600 and answered > 400, (asked, answered)

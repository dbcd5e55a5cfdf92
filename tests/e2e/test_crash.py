"""kill -9 at random moments under mixed load: nothing acknowledged is missing, nothing is there twice, every start succeeds.

SIGNALBOX_CRASH_ROUNDS and SIGNALBOX_CRASH_SEED ask for more rounds, or for the same again.
"""

import json
import os
import random
import threading
import time

import otlp
import remote_write
import requests
from server import until

ROUNDS = int(os.environ.get("SIGNALBOX_CRASH_ROUNDS", "20"))
# Small enough that each round flushes and merges segments while it is killed.
CONFIG = {"store": {"flush_interval_seconds": 1, "flush_wal_bytes": 200_000, "maintain_interval_seconds": 1}}
# What a server with so little room says while a busy disk takes its time: come back later. Clients do.
COME_BACK = 503
HOUR_MS = 3_600_000


class Load(threading.Thread):
    """Sends until the server dies; knows what was acknowledged, and what may have been stored without that."""

    def __init__(self, server, name, seed):
        super().__init__(name=name, daemon=True)
        self.server = server
        self.dice = random.Random(seed)
        self.acknowledged = set()
        self.unknown = set()
        self.refused = None
        self.sequence = 0
        self.session = requests.Session()
        self.base_ms = int(time.time() * 1000) - HOUR_MS

    def run(self):
        while True:
            ids = [f"{self.name}-{self.sequence + i}" for i in range(self.dice.choice([1, 2, 5, 40]))]
            first, self.sequence = self.sequence, self.sequence + len(ids)
            try:
                answer = self.post(ids, first)
            except requests.RequestException:
                self.unknown.update(ids)
                return
            if answer.status_code == COME_BACK:
                self.unknown.update(ids)
                time.sleep(0.1)
                continue
            if answer.status_code not in (200, 204):
                self.refused = f"{answer.status_code}: {answer.text[:300]}"
                return
            self.acknowledged.update(ids)


class Logs(Load):
    def post(self, ids, first):
        now = time.time_ns()
        request = otlp.logs(self.name, [(now, id, {"id": id, "padding": "x" * self.dice.randrange(200)}) for id in ids])
        return otlp.post(self.server.otlp, "logs", request, compress=self.dice.random() < 0.5, session=self.session)

    def stored(self, server):
        return [row["body"] for row in server.sql(f"SELECT body FROM logs WHERE service = '{self.name}'")]


class Spans(Load):
    def post(self, ids, first):
        now = time.time_ns()
        trace_id = self.dice.randbytes(16)
        request = otlp.spans(self.name, [(trace_id, self.dice.randbytes(8), id, now) for id in ids])
        return otlp.post(self.server.otlp, "traces", request, session=self.session)

    def stored(self, server):
        return [row["name"] for row in server.sql(f"SELECT name FROM spans WHERE service = '{self.name}'")]


class Gauges(Load):
    """A series an identifier."""

    def post(self, ids, first):
        now = time.time_ns()
        return otlp.post(self.server.otlp, "metrics", otlp.gauges(self.name, [("crash.gauge", {"id": id}, now, 1.5) for id in ids]), session=self.session)

    def stored(self, server):
        return [row["id"] for row in server.sql(f"SELECT label(labels, 'id') AS id FROM metrics WHERE name = 'crash_gauge' AND label(labels, 'job') = '{self.name}'")]


class Histograms(Load):
    """A native histogram an identifier."""

    def post(self, ids, first):
        return otlp.post(self.server.otlp, "metrics", otlp.exponential_histograms(self.name, "crash.histogram", ids, time.time_ns()), session=self.session)

    def stored(self, server):
        found = server.query(f'histogram_count(last_over_time(crash_histogram{{job="{self.name}"}}[1h]))')
        assert all(entry["value"][1] == "3" for entry in found)
        return [entry["metric"]["id"] for entry in found]


class Samples(Load):
    """One series, a time an identifier; remote write 1.0 and 2.0 by turns."""

    def post(self, ids, first):
        labels = {"__name__": "crash_samples", "job": self.name}
        series = [(labels, [(float(first + i), self.base_ms + first + i) for i in range(len(ids))])]
        version = 1 if first % 2 else 2
        message = remote_write.v1(series) if version == 1 else remote_write.v2(series)
        return remote_write.post(self.server.http, message, version, session=self.session)

    def stored(self, server):
        rows = server.sql(f"SELECT value, CAST(timestamp AS BIGINT) AS at FROM metrics WHERE name = 'crash_samples' AND label(labels, 'job') = '{self.name}'")
        for row in rows:
            assert int(row["at"]) - self.base_ms == int(row["value"]), row
        return [f"{self.name}-{int(row['value'])}" for row in rows]


KINDS = [Logs, Spans, Gauges, Histograms, Samples, Logs, Samples]


def check(server, loads):
    for load in loads:
        assert load.refused is None, load.refused
        stored = load.stored(server)
        found = set(stored)
        assert len(found) == len(stored), f"{load.name}: {len(stored) - len(found)} rows are there twice"
        missing = load.acknowledged - found
        assert not missing, f"{load.name}: {len(missing)} of {len(load.acknowledged)} acknowledged rows are missing, such as {sorted(missing)[:3]}"
        strangers = found - load.acknowledged - load.unknown
        assert not strangers, f"{load.name}: {sorted(strangers)[:3]} were never sent"


def test_kill_9_loses_and_doubles_nothing(servers):
    seed = int(os.environ.get("SIGNALBOX_CRASH_SEED", random.randrange(2**32)))
    print(f"SIGNALBOX_CRASH_SEED={seed}")
    dice = random.Random(seed)
    server = servers(config=CONFIG)
    server.expected.append("bytes wait to be flushed")
    everything = []
    recoveries_killed = 0
    server.start()
    for number in range(ROUNDS):
        loads = [kind(server, f"r{number}-{i}-{kind.__name__.lower()}", seed + number * 100 + i) for i, kind in enumerate(KINDS)]
        for load in loads:
            load.start()
        # Not before every kind of load has something to lose.
        until(lambda: all(load.acknowledged or load.refused for load in loads), "acknowledgements")
        time.sleep(dice.uniform(0.0, 1.0))
        server.kill()
        for load in loads:
            load.join(60)
            assert not load.is_alive()
        # A start may be cut off as well.
        while dice.random() < 0.25:
            half_started = threading.Thread(target=start_and_kill, args=(server, dice.uniform(0.0, 0.4)))
            half_started.start()
            half_started.join()
            recoveries_killed += 1
        server.start()
        check(server, loads)
        everything += loads
    # All of it again, from segments only.
    server.stop()
    server.start()
    check(server, everything)
    total = sum(len(load.acknowledged) for load in everything)
    print(json.dumps({"rounds": ROUNDS, "acknowledged": total, "unknown": sum(len(load.unknown) for load in everything), "starts cut off": recoveries_killed}))
    assert total > ROUNDS * len(KINDS)


def start_and_kill(server, after):
    import subprocess

    with open(server.log, "ab") as log:
        process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=log)
    time.sleep(after)
    process.kill()
    process.wait(60)

"""Metrics side by side: see README.md. Prints one line of JSON a figure, and at the end a table of medians and ratios."""

import json
import signal
import statistics
import subprocess
import time

import side_by_side
from peers import PEERS

START = 1_795_392_000
STEP = 15
MILLION = 1e6
WIDE_CLUSTERS, WIDE_STEPS = 47, 4
CHURN_STEPS = 720
REPEATS = 20

SUM_RATE = "sum by (job) (rate(http_requests_total[5m]))"
QUANTILE = "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))"
RANGES = {"sum by (job)(rate)": SUM_RATE, "q99 of histograms": QUANTILE}
INSTANTS = {"topk of rates": "topk(10, rate(http_requests_total[5m]))", "count by name": 'count by (__name__) ({__name__=~".+"})'}
NARROW = 'rate(node_cpu_seconds_total{instance="10.0.0.10:9100",mode!="idle"}[5m])'

# Ratios to VictoriaMetrics that we want to keep.
GOALS = {
    "ingest, CPU-s/M samples": 0.5, "bytes/sample": 0.85, "RSS at the end, MiB": 1.0,
    "sum by (job)(rate), cold, CPU ms": 0.7, "q99 of histograms, cold, CPU ms": 0.7,
    "sum by (job)(rate), repeated, CPU ms": 0.3, "q99 of histograms, repeated, CPU ms": 0.3,
    "one machine, wall ms": 1.0, "label values, wall ms": 1.0,
}


class Metrics(side_by_side.Bench):
    GOALS = GOALS

    def __init__(self, arguments):
        super().__init__(arguments)
        self.end = START + STEP * (arguments.steps - 1)

    def load(self, server, steps, **options):
        extra = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        done = subprocess.run([self.arguments.load, "--url", server.write_url, "--steps", str(steps), "--start", str(START), *extra],
                              check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def ingest(self, server):
        server.start(fresh=True)
        before = server.cpu()
        samples = self.load(server, self.arguments.steps)["samples"]
        self.note(server, "while sending, CPU-s/M samples", (server.cpu() - before) / samples * MILLION)
        now, most = server.rss_mib()
        self.note(server, "RSS at the end, MiB", now)
        self.note(server, "RSS at most, MiB", most)
        server.settle()
        self.note(server, "ingest, CPU-s/M samples", (server.cpu() - before) / samples * MILLION)
        disk = server.disk()
        self.note(server, "bytes/sample", (disk["data"] + disk["index"]) / samples)
        if disk["index"]:
            self.note(server, "of which index, bytes/sample", disk["index"] / samples)
        self.note(server, "RSS settled, MiB", server.rss_mib()[0])
        server.stop()

    def ask(self, server, path, parameters):
        cpu, wall, answer = self.timed(server, path, parameters)
        if b'"success"' not in answer[:200]:
            raise SystemExit(f"{server.NAME}: {path} {parameters}: {answer[:300]!r}")
        return cpu, wall

    def range_of(self, query, end=None, start=None):
        return {"query": query, "start": start or START + 300, "end": end or self.end, "step": 60}

    def queries(self, server):
        cold = {name: ("/api/v1/query_range", self.range_of(query)) for name, query in RANGES.items()}
        cold |= {name: ("/api/v1/query", {"query": query, "time": self.end}) for name, query in INSTANTS.items()}
        for name, (path, parameters) in cold.items():
            server.start()
            time.sleep(2)
            cpu, wall = self.ask(server, path, parameters | server.UNCACHED)
            self.note(server, f"{name}, cold, CPU ms", cpu)
            self.note(server, f"{name}, cold, wall ms", wall)
            if name in RANGES:
                ends = [self.end - 60 * (REPEATS - number) for number in range(REPEATS)]
                self.ask(server, path, self.range_of(RANGES[name], ends[0] - 60))
                repeated = [self.ask(server, path, self.range_of(RANGES[name], end)) for end in ends]
                self.note(server, f"{name}, repeated, CPU ms", statistics.median(cpu for cpu, _ in repeated))
                self.note(server, f"{name}, repeated, wall ms", statistics.median(wall for _, wall in repeated))
            server.stop()

    def narrow(self, server):
        server.start()
        asked = {
            "one machine": ("/api/v1/query_range", self.range_of(NARROW) | server.UNCACHED),
            "label values": ("/api/v1/label/pod/values", {"start": START, "end": self.end}),
            "series of a job": ("/api/v1/series", {"match[]": '{job="checkout"}', "start": START, "end": self.end}),
        }
        for name, (path, parameters) in asked.items():
            times = [self.ask(server, path, parameters) for _ in range(REPEATS)]
            self.note(server, f"{name}, wall ms", statistics.median(wall for _, wall in times))
        server.stop()

    def recovery(self, server):
        server.start(fresh=True)
        self.load(server, WIDE_STEPS, clusters=WIDE_CLUSTERS)
        time.sleep(5)
        steady = server.rss_mib()[0]
        server.stop(signal.SIGKILL)
        begun = time.monotonic()
        server.start()
        at = START + STEP * (WIDE_STEPS - 1)
        status, answer = server.get("/api/v1/query", {"query": "count(up)", "time": at})
        took = time.monotonic() - begun
        value = json.loads(answer)["data"]["result"]
        self.note(server, "recovery of 1 M series, s", took)
        self.note(server, "recovery, RSS against before", server.rss_mib()[1] / steady)
        self.note(server, "1 M series, RSS MiB", steady)
        self.note(server, "recovery, series of `up` found", float(value[0]["value"][1]) if value else 0)
        server.stop()

    def churn(self, server):
        cost = {}
        for churn in (1, 10):
            server.start(fresh=True)
            before, begun = server.cpu(), time.monotonic()
            samples = self.load(server, CHURN_STEPS, churn=churn)["samples"]
            cost[churn] = ((server.cpu() - before) / samples, time.monotonic() - begun)
            server.stop()
        self.note(server, "10x churn, CPU against none", cost[10][0] / cost[1][0])
        self.note(server, "10x churn, wall against none", cost[10][1] / cost[1][1])


if __name__ == "__main__":
    side_by_side.main(Metrics, PEERS, ["ingest", "queries", "narrow", "recovery", "churn"], __doc__, steps=2400)

"""Traces side by side: see README.md. Prints one line of JSON a figure, and at the end a table of medians and ratios."""

import json
import statistics
import subprocess
import time

import side_by_side
from peers import TRACE_PEERS, VictoriaTraces

START, RANGE = 1_795_456_800, 7200
END = START + RANGE + 600
MILLION = 1e6
REPEATS = 7

GOALS = {
    "ingest, CPU-s/M spans": "0.5 / 0.3", "bytes/span": "0.7", "RSS at the end, MiB": "1.0", "trace by id, wall ms": "0.5 / 0.2",
    "service and duration, wall ms": "0.7 / 0.3", "value of an attribute, wall ms": "0.7 / 0.3", "status error, wall ms": "0.7 / 0.3",
    "rate by service, CPU ms": "- / 0.5",
}


def tempo(server, needle):
    """Our questions and Tempo's: name, path, parameters."""
    search, window = f"{server.API}/api/search", {"start": START, "end": END}
    ranged = f"{server.API}/api/metrics/query_range"
    return {
        "trace by id": (f"{server.API}/api/traces/{needle}", None),
        "service and duration": (search, window | {"q": '{ resource.service.name = "checkout" && duration > 100ms }', "limit": 20}),
        "value of an attribute": (search, window | {"q": '{ span.user.id = "1000" }', "limit": 20}),
        "status error": (search, window | {"q": '{ resource.service.name = "frontend" && status = error }', "limit": 20}),
        "structure": (search, window | {"q": '{ resource.service.name = "gateway" } >> { status = error && resource.service.name = "payment" }', "limit": 20}),
        "rate by service": (ranged, window | {"q": "{ kind = server } | rate() by (resource.service.name)", "step": "60s"}),
        "p99 by service": (ranged, window | {"q": "{ kind = server } | quantile_over_time(duration, .99) by (resource.service.name)", "step": "60s"}),
        "errors by service and name": (ranged, window | {"q": "{ status = error } | count_over_time() by (resource.service.name, name)", "step": "60s"}),
    }


def jaeger(server, needle):
    """The same questions of VictoriaTraces, as far as it is asked them."""
    window = {"start": START * 1_000_000, "end": END * 1_000_000, "limit": 20}
    search, logs = f"{server.API}/traces", "/select/logsql/query"
    whole = {"start": START, "end": END}
    return {
        "trace by id": (f"{server.API}/traces/{needle}", None),
        "service and duration": (search, window | {"service": "checkout", "minDuration": "100ms"}),
        "value of an attribute": (search, window | {"service": "gateway", "tags": '{"user.id":"1000"}'}),
        "status error": (search, window | {"service": "frontend", "tags": '{"error":"true"}'}),
        "rate by service": (logs, whole | {"query": 'kind:="2" | stats by (_time:1m, "resource_attr:service.name") count() n'}),
        "p99 by service": (logs, whole | {"query": 'kind:="2" | stats by (_time:1m, "resource_attr:service.name") quantile(0.99, duration) p99'}),
        "errors by service and name": (logs, whole | {"query": 'status_code:="2" | stats by (_time:1m, "resource_attr:service.name", name) count() n'}),
    }


class Traces(side_by_side.Bench):
    GOALS = GOALS

    def ingest(self, server):
        server.start(fresh=True)
        before = server.cpu()
        done = subprocess.run([self.arguments.load, "--set", "T1", "--url", server.write_url, "--traces", str(self.arguments.traces),
                               "--events", str(self.arguments.events), "--start", str(START), "--range", str(RANGE), "--batch", "2000"], check=True, capture_output=True, text=True)
        sent = json.loads(done.stdout)
        self.note(server, "ingest while sending, CPU-s/M spans", (server.cpu() - before) / sent["spans"] * MILLION)
        now, most = server.rss_mib()
        self.note(server, "RSS at the end, MiB", now)
        self.note(server, "RSS at most, MiB", most)
        server.settle()
        self.note(server, "ingest, CPU-s/M spans", (server.cpu() - before) / sent["spans"] * MILLION)
        disk = server.disk()
        self.note(server, "bytes/span", (disk["data"] + disk["index"]) / sent["spans"])
        self.note(server, "RSS settled, MiB", server.rss_mib()[0])
        self.needle = sent["needle"]
        server.stop()

    def queries(self, server):
        """On what `ingest` left."""
        server.start()
        time.sleep(2)
        asked = jaeger(server, self.needle) if isinstance(server, VictoriaTraces) else tempo(server, self.needle)
        for name, (path, parameters) in asked.items():
            times = [self.timed(server, path, parameters) for _ in range(REPEATS)]
            self.note(server, f"{name}, CPU ms", statistics.median(cpu for cpu, _, _ in times))
            self.note(server, f"{name}, wall ms", statistics.median(wall for _, wall, _ in times))
            self.note(server, f"{name}, first wall ms", times[0][1])
        server.stop()


if __name__ == "__main__":
    side_by_side.main(Traces, TRACE_PEERS, ["ingest", "queries"], __doc__, traces=250_000, events=0)

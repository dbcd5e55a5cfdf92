"""Logs side by side: see README.md. Prints one line of JSON a figure, and at the end a table of medians and ratios."""

import json
import statistics
import subprocess
import time

import side_by_side
from peers import LOG_PEERS, Loki, SignalboxLogs

START, RANGE = 1_795_456_800, 7200
END = START + RANGE + 3
MILLION = 1e6
REPEATS = 7
# Loki reads everything for most of these.
REPEATS_OF_LOKI = 3

GOALS = {
    "ingest, CPU-s/M records": "0.5 / 0.3", "bytes/record": "0.85 / 0.6", "RSS at the end, MiB": "1.0",
    "trace id, wall ms": "0.5", "rare word, count, wall ms": "0.5", "rare word, rows, wall ms": "0.5",
    "common word by minute, CPU ms": "0.5", "substring, CPU ms": "0.5", "regular expression, CPU ms": "0.5",
    "count by service and level, CPU ms": "0.7", "top 10 of an attribute, CPU ms": "0.7", "quantile of an attribute, CPU ms": "0.7",
    "newest 100 of a stream with a level, wall ms": "1.0",
}

ALL = '{service_name=~".+"}'
WHOLE = f"[{RANGE + 3}s]"


def logql(needle):
    """Our queries and Loki's: name, path, parameters."""
    instant = "/loki/api/v1/query"
    ranged = "/loki/api/v1/query_range"
    window = {"start": START, "end": END, "direction": "backward"}
    return {
        "trace id": (ranged, window | {"query": f'{ALL} | trace_id="{needle}"', "limit": 100}),
        "rare word, count": (instant, {"query": f'sum(count_over_time({ALL} |= "checksum mismatch" {WHOLE}))', "time": END}),
        "rare word, rows": (ranged, window | {"query": f'{ALL} |= "checksum mismatch"', "limit": 200}),
        "common word by minute": (ranged, window | {"query": f'sum(count_over_time({ALL} |= "timeout" [1m]))', "step": "60s"}),
        "substring": (instant, {"query": f'sum(count_over_time({ALL} |= "ORD-0012" {WHOLE}))', "time": END}),
        "regular expression": (instant, {"query": f'sum(count_over_time({ALL} |~ "took [0-9]{{4,}}ms" {WHOLE}))', "time": END}),
        "count by service and level": (instant, {"query": f"sum by (service_name, severity_text) (count_over_time({ALL} {WHOLE}))", "time": END}),
        "an attribute's value by minute and service": (
            ranged, window | {"query": f'sum by (service_name) (count_over_time({ALL} | http_response_status_code="500" [1m]))', "step": "60s"}),
        "quantile of an attribute": (instant, {"query": (
            f'quantile_over_time(0.99, {ALL} | http_route="/api/v1/orders" | unwrap http_server_request_duration_ms {WHOLE}) by (service_name)'), "time": END}),
        "top 10 of an attribute": (instant, {"query": f'topk(10, sum by (client_address) (count_over_time({ALL} | client_address!="" {WHOLE})))', "time": END}),
        "newest 100 of a stream with a level": (ranged, window | {"query": '{service_name="checkout"} | severity_text="ERROR"', "limit": 100}),
    }


def logsql(needle):
    """The same questions of VictoriaLogs."""
    path = "/select/logsql/query"
    asked = {
        "trace id": f"trace_id:={needle} | limit 100",
        "rare word, count": '"checksum mismatch" | stats count() n',
        "rare word, rows": '"checksum mismatch" | limit 200',
        "common word by minute": "timeout | stats by (_time:1m) count() n",
        "substring": '~"ORD-0012" | stats count() n',
        "regular expression": '~"took [0-9]{4,}ms" | stats count() n',
        "count by service and level": "* | stats by (service.name, severity) count() n",
        "an attribute's value by minute and service": "http.response.status_code:=500 | stats by (_time:1m, service.name) count() n",
        "quantile of an attribute": 'http.route:="/api/v1/orders" | stats by (service.name) quantile(0.99, http.server.request.duration_ms) p',
        "top 10 of an attribute": "* | top 10 by (client.address)",
        "newest 100 of a stream with a level": '{service.name="checkout"} severity:=ERROR | sort by (_time desc) limit 100',
    }
    return {name: (path, {"query": query, "start": START, "end": END, "timeout": "300s"}) for name, query in asked.items()}


class Logs(side_by_side.Bench):
    GOALS = GOALS

    def load(self, server, url, form):
        done = subprocess.run([self.arguments.load, "--set", "L1", "--format", form, "--url", url, "--records", str(self.arguments.records),
                               "--start", str(START), "--range", str(RANGE), "--batch", "2000"], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def fill(self, server, url, form, figure):
        server.start(fresh=True)
        before = server.cpu()
        sent = self.load(server, url, form)
        self.note(server, f"{figure} while sending, CPU-s/M records", (server.cpu() - before) / sent["records"] * MILLION)
        now, most = server.rss_mib()
        if figure == "ingest":
            self.note(server, "RSS at the end, MiB", now)
            self.note(server, "RSS at most, MiB", most)
        server.settle()
        self.note(server, f"{figure}, CPU-s/M records", (server.cpu() - before) / sent["records"] * MILLION)
        return sent

    def ingest(self, server):
        sent = self.fill(server, server.write_url, "otlp", "ingest")
        disk = server.disk()
        self.note(server, "bytes/record", (disk["data"] + disk["index"]) / sent["records"])
        self.note(server, "RSS settled, MiB", server.rss_mib()[0])
        self.needle = sent["needle"]
        server.stop()

    def json_lines(self, server):
        if server.WRITE_JSON is None:
            return
        url = f"http://127.0.0.1:{server.port}{server.WRITE_JSON}?_time_field=ts&_msg_field=message&_stream_fields=service.name,k8s.pod.name"
        server.folder = server.folder.with_name(f"{server.folder.name}-json")
        self.fill(server, url, "json", "lines of JSON")
        server.stop()

    def queries(self, server):
        """On what `ingest` left."""
        server.start()
        time.sleep(2)
        asked = logql(self.needle) if isinstance(server, (SignalboxLogs, Loki)) else logsql(self.needle)
        for name, (path, parameters) in asked.items():
            repeats = REPEATS_OF_LOKI if isinstance(server, Loki) else REPEATS
            times = [self.timed(server, path, parameters) for _ in range(repeats)]
            self.note(server, f"{name}, CPU ms", statistics.median(cpu for cpu, _, _ in times))
            self.note(server, f"{name}, wall ms", statistics.median(wall for _, wall, _ in times))
            self.note(server, f"{name}, first wall ms", times[0][1])
            if f"{name}, wall ms" in GOALS:
                anew = [self.timed_anew(server, path, parameters)[1] for _ in range(repeats)]
                self.note(server, f"{name}, new connection, wall ms", statistics.median(anew))
        server.stop()


if __name__ == "__main__":
    side_by_side.main(Logs, LOG_PEERS, ["ingest", "queries", "json_lines"], __doc__, records=5_000_000)

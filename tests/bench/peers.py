"""Servers under test: how each is started, told to write everything down, and measured. Python's standard library only."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

# A server that does not answer for so long has a problem.
PATIENCE_SECONDS = 300
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def target(path, parameters=None):
    return path + ("?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else "")


def ask(connection, target, method="GET"):
    connection.request(method, target)
    answer = connection.getresponse()
    return answer.status, answer.read()


class Server:
    """One process over one folder. `binary` comes from the environment variable `VARIABLE`."""

    NAME = VARIABLE = READY = WRITE = ""
    # What a query without its cache needs.
    UNCACHED = {}

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.port = free_port()
        self.process = None
        self.kept = None

    @classmethod
    def binary(cls):
        path = os.environ.get(cls.VARIABLE)
        return path and os.path.abspath(path)

    def command(self):
        raise NotImplementedError

    def start(self, fresh=False):
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder.parent / f"{self.folder.name}.log", "ab")
        # Loki keeps what it is not told a place for where it stands.
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{self.NAME} does not start: see {log.name}")
            time.sleep(0.02)
        return self

    def is_ready(self):
        try:
            return self.get(self.READY)[0] == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False

    def get(self, path, parameters=None, method="GET"):
        """Over a new connection."""
        connection = self.connection()
        try:
            return ask(connection, target(path, parameters), method)
        finally:
            connection.close()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def kept_connection(self):
        """One that is open."""
        self.kept = self.kept or self.connection()
        if self.kept.sock is None:
            self.kept.connect()
        return self.kept

    @property
    def write_url(self):
        return f"http://127.0.0.1:{self.port}{self.WRITE}"

    def cpu(self):
        """CPU seconds that the process has used, in ticks of the kernel."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def cpu_fine(self):
        """CPU seconds of the process, to the nanosecond: for differences over a short time. Threads that ended count, too."""
        # The clock of another process, as clock_getcpuclockid(3) names it.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def rss_mib(self):
        """Memory now and at most, in MiB."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["VmRSS"].split()[0]) / 1024, int(values["VmHWM"].split()[0]) / 1024

    def disk(self):
        """Bytes at rest by what they are for: `data`, `index`, `other`."""
        total = {"data": 0, "index": 0, "other": 0}
        for path in self.folder.rglob("*"):
            try:
                if path.is_file():
                    total[self.kind(path.relative_to(self.folder))] += path.stat().st_size
            except OSError:
                pass
        return total

    def kind(self, path):
        raise NotImplementedError

    def settle(self):
        """Everything on disk and merged, and the process idle."""
        self.merge()
        last, quiet = None, 0
        end = time.monotonic() + PATIENCE_SECONDS
        while quiet < 3 and time.monotonic() < end:
            time.sleep(2)
            now = (sum(self.disk().values()), self.cpu())
            quiet = quiet + 1 if last and now[0] == last[0] and now[1] - last[1] < 0.2 else 0
            last = now

    def merge(self):
        raise NotImplementedError

    def stop(self, how=signal.SIGTERM):
        if self.kept:
            self.kept.close()
        self.process.send_signal(how)
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Signalbox(Server):
    NAME, VARIABLE, READY, WRITE = "signalbox", "SIGNALBOX_BIN", "/-/ready", "/api/v1/write"

    def command(self):
        return [self.binary(), "serve", "--data-dir", str(self.folder), "--http-listen", f"127.0.0.1:{self.port}",
                "--otlp-grpc-listen", "127.0.0.1:0", "--otlp-http-listen", "127.0.0.1:0",
                "--syslog-listen", "", "--gelf-listen", "", "--forward-listen", "",
                "--zipkin-listen", "", "--jaeger-listen", ""]

    def kind(self, path):
        # A segment holds its own index: `data` is both.
        return "data" if path.parts[0] == "segments" else "other"

    def merge(self):
        status, answer = self.get("/-/compact", method="POST")
        if status >= 300:
            raise SystemExit(f"signalbox does not compact: {status} {answer[:200]!r}")


class VictoriaMetrics(Server):
    NAME, VARIABLE, READY, WRITE = "victoria-metrics", "VM_BIN", "/health", "/api/v1/write"
    UNCACHED = {"nocache": "1"}

    def command(self):
        return [self.binary(), f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
                "-selfScrapeInterval=0"]

    def kind(self, path):
        return "index" if "indexdb" in path.parts else "data" if path.parts[0] == "data" else "other"

    def merge(self):
        self.get("/internal/force_flush")
        self.get("/internal/force_merge")


class Prometheus(Server):
    NAME, VARIABLE, READY, WRITE = "prometheus", "PROMETHEUS_BIN", "/-/ready", "/api/v1/write"

    def command(self):
        config = self.folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 15s}\n")
        return [self.binary(), f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}", "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--query.max-samples=500000000"]

    def kind(self, path):
        return "index" if path.name == "index" else "data" if "chunks" in path.parts else "other"

    def merge(self):
        """Prometheus merges when it likes."""


PEERS = [Signalbox, VictoriaMetrics, Prometheus]


class SignalboxLogs(Signalbox):
    WRITE, WRITE_JSON = "/v1/logs", "/insert/jsonline"


class VictoriaLogs(Server):
    NAME, VARIABLE, READY = "victoria-logs", "VL_BIN", "/health"
    WRITE, WRITE_JSON = "/insert/opentelemetry/v1/logs", "/insert/jsonline"

    def command(self):
        return [self.binary(), f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
                "-futureRetention=100y"]

    def kind(self, path):
        # Blooms lie beside the values.
        return "index" if "indexdb" in path.parts or path.name.startswith("bloom") or "bloom" in path.name else "data"

    def merge(self):
        self.get("/internal/force_flush")
        self.get("/internal/force_merge")


class Loki(Server):
    NAME, VARIABLE, READY, WRITE = "loki", "LOKI_BIN", "/ready", "/otlp/v1/logs"
    WRITE_JSON = None
    CONFIG = """
auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc},
  log_level: warn, grpc_server_max_recv_msg_size: 104857600, grpc_server_max_send_msg_size: 104857600,
  http_server_read_timeout: 10m, http_server_write_timeout: 10m}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}, instance_interface_names: [lo]}}
analytics: {{reporting_enabled: false}}
schema_config:
  configs: [{{from: 2020-10-24, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
query_range: {{cache_results: false, results_cache: {{cache: {{embedded_cache: {{enabled: false}}}}}}}}
limits_config: {{reject_old_samples: false, ingestion_rate_mb: 10000, ingestion_burst_size_mb: 10000, per_stream_rate_limit: 10GB,
  per_stream_rate_limit_burst: 10GB, max_query_length: 0, query_timeout: 10m, max_query_parallelism: 32, allow_structured_metadata: true,
  volume_enabled: true, max_entries_limit_per_query: 100000, max_global_streams_per_user: 0, discover_log_levels: false, max_line_size: 0}}
querier: {{max_concurrent: 4}}
ingester: {{wal: {{enabled: true, dir: {folder}/wal}}}}
"""

    def command(self):
        config = self.folder.resolve() / "loki.yml"
        config.write_text(self.CONFIG.format(port=self.port, grpc=free_port(), folder=self.folder.resolve()))
        return [self.binary(), f"-config.file={config}", "-target=all"]

    def kind(self, path):
        return "index" if "tsdb-shipper-active" in path.parts or "index" in path.parts else "other" if path.parts[0] == "wal" else "data"

    def merge(self):
        self.get("/flush", method="POST")


LOG_PEERS = [SignalboxLogs, VictoriaLogs, Loki]


class SignalboxTraces(Signalbox):
    WRITE, API = "/v1/traces", "/tempo"


class VictoriaTraces(Server):
    NAME, VARIABLE, READY = "victoria-traces", "VT_BIN", "/health"
    WRITE, API = "/insert/opentelemetry/v1/traces", "/select/jaeger/api"

    def command(self):
        return [self.binary(), f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
                "-futureRetention=100y"]

    def kind(self, path):
        return "index" if "indexdb" in path.parts or "bloom" in path.name else "data"

    def merge(self):
        self.get("/internal/force_flush")
        self.get("/internal/force_merge")


class Tempo(Server):
    NAME, VARIABLE, READY = "tempo", "TEMPO_BIN", "/ready"
    API = ""
    # Version 3 cuts blocks as it likes, and looks for new ones every so often.
    BLOCKS_SECONDS = 120
    CONFIG = """
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: warn,
  http_server_read_timeout: 10m, http_server_write_timeout: 10m}}
usage_report: {{reporting_enabled: false}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}, advertise_addr: 127.0.0.1}}
distributor: {{receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}}}
query_frontend: {{search: {{max_duration: 0}}}}
live_store: {{wal: {{path: {folder}/live, ingestion_time_range_slack: 10000h}}, shutdown_marker_dir: {folder}/marker}}
storage: {{trace: {{backend: local, blocklist_poll: 15s, wal: {{path: {folder}/wal, ingestion_time_range_slack: 10000h}}, local: {{path: {folder}/blocks}}}}}}
overrides: {{defaults: {{ingestion: {{rate_limit_bytes: 10000000000, burst_size_bytes: 10000000000, max_traces_per_user: 0}},
  global: {{max_bytes_per_trace: 0}}}}}}
"""

    def __init__(self, folder):
        super().__init__(folder)
        self.otlp = free_port()

    def command(self):
        folder = self.folder.resolve()
        config = folder / "tempo.yml"
        config.write_text(self.CONFIG.format(port=self.port, grpc=free_port(), gossip=free_port(), otlp=self.otlp, folder=folder))
        return [self.binary(), f"-config.file={config}", "-target=all"]

    @property
    def write_url(self):
        return f"http://127.0.0.1:{self.otlp}/v1/traces"

    def kind(self, path):
        return "data" if path.parts[0] == "blocks" else "other"

    def merge(self):
        time.sleep(self.BLOCKS_SECONDS)


TRACE_PEERS = [SignalboxTraces, VictoriaTraces, Tempo]

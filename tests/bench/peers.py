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


class Server:
    """One process over one folder. `binary` comes from the environment variable `VARIABLE`."""

    NAME = VARIABLE = READY = WRITE = ""
    # What a query without its cache needs.
    UNCACHED = {}

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.process = None

    @classmethod
    def binary(cls):
        return os.environ.get(cls.VARIABLE)

    def command(self):
        raise NotImplementedError

    def start(self, fresh=False):
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder.parent / f"{self.folder.name}.log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
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
        query = "?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path + query)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @property
    def write_url(self):
        return f"http://127.0.0.1:{self.port}{self.WRITE}"

    def cpu(self):
        """CPU seconds that the process has used, in ticks of the kernel."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def cpu_fine(self):
        """CPU seconds of the threads that live, to the nanosecond: for differences over a short time."""
        total = 0
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except OSError:
                pass
        return total / 1e9

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
                "--syslog-listen", ""]

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

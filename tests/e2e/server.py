"""The real binary as a child process: started on free ports in a folder of its own, asked through its public APIs."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import requests

BINARY = os.environ.get("SIGNALBOX_BIN", "signalbox")
# Generous: the machine may be small and busy. Nothing waits this long when all is well.
PATIENCE = 60.0
LISTENING = re.compile(r"^(\S+) listening on (\S+)$")
PROBLEM = re.compile(r"^\S+\s+(WARN|ERROR)\b")
# What a healthy server says on a machine that is too busy.
BUSY = ["sqlx::query: slow statement", "evaluations of rules came too late", "cannot deliver message .*, trying again.*Connection reset by peer"]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def until(check, what, patience=PATIENCE, pause=0.1):
    """Waits until `check` returns something true, and returns it. An AssertionError inside counts as not yet."""
    end = time.monotonic() + patience
    while True:
        last = None
        try:
            value = check()
            if value:
                return value
        except (AssertionError, requests.RequestException) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}") from last
        time.sleep(pause)


class Server:
    """One server over one data folder; may be started again after it has ended."""

    def __init__(self, folder, config=None, arguments=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.config = dict(config or {})
        self.arguments = list(arguments)
        self.process = None
        self.addresses = {}
        # Texts of warnings and errors that a test provokes on purpose.
        self.expected = list(BUSY)
        self.session = requests.Session()

    def command(self):
        doors = ["--http-listen", "127.0.0.1:0", "--otlp-grpc-listen", "127.0.0.1:0", "--otlp-http-listen", "127.0.0.1:0"]
        doors += ["--syslog-listen", "127.0.0.1:0", "--gelf-listen", "127.0.0.1:0", "--forward-listen", "127.0.0.1:0"]
        doors += ["--zipkin-listen", "127.0.0.1:0", "--jaeger-listen", "127.0.0.1:0"]
        config = []
        if self.config:
            # JSON is YAML.
            (self.folder / "config.yaml").write_text(json.dumps(self.config, indent=1))
            config = ["--config", str(self.folder / "config.yaml")]
        return [BINARY, "serve", *config, "--data-dir", str(self.data), *doors, *self.arguments]

    def start(self):
        """Starts and waits until it is ready."""
        self.addresses = {}
        ready = threading.Event()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, text=True)

        def read(stdout):
            for line in stdout:
                found = LISTENING.match(line.strip())
                if found:
                    self.addresses[found[1]] = found[2]
                elif line.strip() == "ready":
                    ready.set()

        reader = threading.Thread(target=read, args=(self.process.stdout,), daemon=True)
        reader.start()

        def is_up():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.text()[-3000:]}"
            return ready.is_set()

        end = time.monotonic() + PATIENCE
        while not ready.wait(0.05):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.text()[-3000:]}")
            if time.monotonic() > end:
                raise RuntimeError(f"the server was not ready in time:\n{self.text()[-3000:]}")
        assert is_up()
        assert set(self.addresses) >= {"http", "otlp-grpc", "otlp-http"}, self.addresses
        assert self.get("/-/ready").status_code == 200
        return self

    def text(self):
        return ANSI.sub("", self.log.read_text(errors="replace")) if self.log.exists() else ""

    def problems(self):
        """Warnings and errors in the log that no test expected."""
        lines = [line for line in self.text().splitlines() if PROBLEM.match(line) or "panicked" in line]
        return [line for line in lines if not any(re.search(text, line) for text in self.expected)]

    def stop(self):
        """SIGTERM; the server drains, flushes and exits with 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        assert code == 0, f"SIGTERM ended with {code}:\n{self.text()[-3000:]}"

    def kill(self):
        """SIGKILL, as a power cut for the process."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    # Addresses.

    @property
    def http(self):
        return f"http://{self.addresses['http']}"

    @property
    def otlp(self):
        return f"http://{self.addresses['otlp-http']}"

    @property
    def grpc(self):
        return self.addresses["otlp-grpc"]

    # Questions.

    def get(self, path, **options):
        return self.session.get(self.http + path, timeout=PATIENCE, **options)

    def json(self, path, **parameters):
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, f"{path} {parameters}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def sql(self, query, **limits):
        """Rows as dictionaries."""
        answer = self.session.post(self.http + "/api/v1/sql", json={"query": query, "limits": limits}, timeout=PATIENCE)
        assert answer.status_code == 200, f"{query}: {answer.status_code} {answer.text[:500]}"
        body = answer.json()
        assert "error" not in body, body
        assert not body["stats"]["truncated"], f"{query}: truncated"
        names = [column["name"] for column in body["columns"]]
        return [dict(zip(names, row)) for row in body["rows"]]

    def query(self, expression, time=None):
        """The result of an instant query."""
        parameters = {"query": expression} | ({} if time is None else {"time": time})
        return self.json("/api/v1/query", **parameters)["data"]["result"]

    def query_range(self, expression, start, end, step):
        return self.json("/api/v1/query_range", query=expression, start=start, end=end, step=step)["data"]["result"]

    def streams(self, expression, **parameters):
        """(labels, time in ns, line, metadata) of log records."""
        data = self.json("/loki/api/v1/query_range", query=expression, **{"limit": 5000} | parameters)["data"]
        assert data["resultType"] == "streams"
        return [(stream["stream"], int(value[0]), value[1], stream["stream"]) for stream in data["result"] for value in stream["values"]]

"""A real Tempo as the reference, where `TEMPO_BIN` names one: a single process over files, which finds spans as soon as they are cut."""

import os
import pathlib
import shutil
import signal
import subprocess

import requests
from server import PATIENCE, until
from test_prometheus import free_port

TEMPO = os.environ.get("TEMPO_BIN") or shutil.which("tempo")

# Traces are cut after a second and asked of the live store; old spans keep their times. No bounds that are a matter of settings.
CONFIG = """
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: warn}}
usage_report: {{reporting_enabled: false}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}, advertise_addr: 127.0.0.1}}
distributor:
  ring: {{instance_addr: 127.0.0.1, kvstore: {{store: inmemory}}}}
  receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}
live_store:
  ring: {{instance_addr: 127.0.0.1, instance_interface_names: [lo], kvstore: {{store: inmemory}}}}
  partition_ring: {{kvstore: {{store: inmemory}}}}
  wal: {{path: {folder}/live/traces, ingestion_time_range_slack: 24h}}
  shutdown_marker_dir: {folder}/live/marker
  max_trace_live: 1s
  max_trace_idle: 1s
  flush_check_period: 1s
  complete_block_timeout: 12h
query_frontend:
  query_end_cutoff: 0s
  search: {{query_backend_after: 12h, max_duration: 0s, max_spans_per_span_set: 0}}
  metrics: {{query_backend_after: 12h, max_duration: 0s}}
overrides: {{defaults: {{read: {{left_pad_trace_ids: true}}}}}}
backend_scheduler: {{local_work_path: {folder}/work}}
storage: {{trace: {{backend: local, local: {{path: {folder}/blocks}}, wal: {{path: {folder}/wal, ingestion_time_range_slack: 24h}}}}}}
"""


class Tempo:
    """A Tempo over an empty folder."""

    def __init__(self, folder):
        folder, port, otlp = pathlib.Path(folder).resolve(), free_port(), free_port()
        folder.mkdir()
        config = folder / "tempo.yaml"
        config.write_text(CONFIG.format(http=port, otlp=otlp, grpc=free_port(), gossip=free_port(), folder=folder))
        self.http, self.otlp, self.session = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{otlp}", requests.Session()
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([TEMPO, f"-config.file={config}"], cwd=folder, stdout=self.log, stderr=self.log)

    def wait(self):
        def is_up():
            assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()[-2000:]
            return self.session.get(f"{self.http}/ready", timeout=5).status_code == 200

        until(is_up, "Tempo", PATIENCE)

    def has(self, count, base):
        """Whether all spans are found; metrics read what is cut, and searches what is found by metrics."""
        parameters = {"q": "{} | count_over_time()", "start": base - 60, "end": base + 300, "step": "1m"}
        series = self.session.get(f"{self.http}/api/metrics/query_range", params=parameters, timeout=PATIENCE).json().get("series", [])
        return sum(sample.get("value", 0) for one in series for sample in one["samples"]) == count

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.log.close()

"""A real Loki as the reference, where `LOKI_BIN` names one: a single process over files, with patterns, volumes and deletion."""

import os
import pathlib
import shutil
import signal
import subprocess

import requests
from server import PATIENCE, until
from test_prometheus import free_port

LOKI = os.environ.get("LOKI_BIN") or shutil.which("loki")

# Old samples are taken, and looked for in what is not flushed yet. Caches tell shares of what they have, whatever is in it.
CONFIG = """
auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: warn}}
analytics: {{reporting_enabled: false}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
schema_config:
  configs: [{{from: 2020-10-24, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
querier: {{query_ingesters_within: 0}}
query_range: {{cache_results: false, cache_index_stats_results: false, cache_volume_results: false}}
frontend: {{encoding: protobuf}}
pattern_ingester: {{enabled: true}}
ruler: {{enable_api: true, rule_path: {folder}/rule-temp}}
compactor: {{working_directory: {folder}/compactor, retention_enabled: true, delete_request_store: filesystem, delete_request_cancel_period: 24h}}
limits_config: {{reject_old_samples: false, max_query_length: 0, allow_structured_metadata: true, volume_enabled: true, deletion_mode: filter-and-delete}}
"""


class Loki:
    """A Loki over an empty folder."""

    def __init__(self, folder):
        folder, port = pathlib.Path(folder).resolve(), free_port()
        folder.mkdir()
        config = folder / "loki.yaml"
        config.write_text(CONFIG.format(port=port, grpc=free_port(), folder=folder))
        self.http, self.session = f"http://127.0.0.1:{port}", requests.Session()
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([LOKI, f"-config.file={config}", "-target=all"], cwd=folder, stdout=self.log, stderr=self.log)

    def wait(self):
        until(lambda: self.session.get(f"{self.http}/ready", timeout=5).status_code == 200, "Loki", PATIENCE)

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.log.close()

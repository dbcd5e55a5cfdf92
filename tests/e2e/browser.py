#!/usr/bin/env python3
"""Every page in Chromium before a server with demo data. Closes with what Node's test runner counted.

`browser.py shots FOLDER` takes a picture of each page instead, light and dark.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from server import Server, until
from alert_world import Hook

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = """
groups:
  - name: shop
    interval: 5s
    rules:
      - alert: PaymentFailures
        expr: sum by (job) (rate(payment_failures_total{reason="timeout"}[5m])) > 0.01
        for: 10s
        labels: {severity: page}
        annotations: {summary: "{{ $value | humanize }} charges a second fail at {{ $labels.job }}"}
      - alert: AlwaysBusy
        expr: sum by (job) (rate(http_server_request_duration_seconds_count[5m])) > 0
        labels: {severity: ticket}
        annotations: {summary: "{{ $labels.job }} serves requests"}
      - alert: ServiceDown
        expr: up == 0
        for: 1m
      - record: job:http_requests:rate5m
        expr: sum by (job) (rate(http_server_request_duration_seconds_count[5m]))
  - name: signals
    interval: 5s
    rules:
      - alert: WritesLogs
        lang: logql
        expr: sum by (service_name) (count_over_time({service_name=~".+"}[2m])) > 0
        labels: {severity: ticket}
        annotations: {summary: "{{ $labels.service_name }} writes logs", runbook_url: "https://runbooks.shop.example/logs"}
      - alert: SendsSpans
        lang: traceql
        range: 2m
        expr: '{ duration > 0s } | rate() by (resource.service.name) > 0'
        labels: {severity: ticket}
"""
ALERTMANAGER = """
route:
  receiver: people
  group_by: [alertname]
  group_wait: 1s
  group_interval: 5s
  routes:
    - matchers: [severity="page"]
      receiver: on-call
      continue: true
    - matchers: [team="browser"]
      receiver: people
receivers:
  - name: people
    webhook_configs: [{url: "%s"}]
  - name: on-call
    webhook_configs: [{url: "%s"}]
"""


def with_demo(folder, hook):
    """A server whose shop has sent its history, and that tells a hook of alerts."""
    rules = pathlib.Path(folder) / "rules.yaml"
    rules.write_text(RULES)
    routes = pathlib.Path(folder) / "alertmanager.yml"
    routes.write_text(ALERTMANAGER % (hook.url, hook.url))
    server = Server(folder, config={"alert": {"rule_files": [str(rules)], "alertmanager_config_file": str(routes)}, "telemetry": {"metrics_interval_seconds": 5}}, arguments=["--demo"])
    server.start()
    newest = "SELECT count(*) AS n FROM spans WHERE service = 'frontend' AND timestamp > now() - INTERVAL '30 seconds'"
    until(lambda: server.sql(newest)[0]["n"] > 0, "the history of the shop", patience=180, pause=0.5)
    # Pages ask at whole steps, the newest of which may lie 15 seconds back: there must be a rate then.
    until(lambda: server.query("rate(signalbox_ingest_rows_total[1m] offset 20s)"), "own metrics")
    return server


def main():
    shots = sys.argv[2] if sys.argv[1:2] == ["shots"] else None
    with tempfile.TemporaryDirectory(prefix="signalbox-browser-") as folder:
        hook = Hook()
        server = with_demo(folder, hook)
        try:
            environment = dict(os.environ, BASE_URL=server.http)
            if shots:
                command = ["node", "e2e/shots.mjs", shots]
            else:
                command = ["npm", "run", "--silent", "e2e"]
            code = subprocess.run(command, cwd=ROOT / "web", env=environment, timeout=1200).returncode
        finally:
            server.stop()
            hook.stop()
        problems = server.problems()
        if problems:
            print("the server logged what no test expected:", *problems[:20], sep="\n")
            code = code or 1
        return code


if __name__ == "__main__":
    sys.exit(main())

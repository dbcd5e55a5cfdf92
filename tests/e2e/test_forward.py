"""Alerts of our own rules reach Debian's Alertmanager: they fire there, survive a kill -9 here, and are over when they are."""

import json
import pathlib
import signal
import subprocess
import time

import pytest
import remote_write
import requests
from server import until
from test_alertmanager import CACHE
from test_prometheus import free_port

ALERTMANAGER = CACHE / "debian/prometheus-alertmanager/usr/bin/prometheus-alertmanager"
RULES = """
groups:
- name: forward
  interval: 1s
  rules:
  - {alert: Hot, expr: temperature > 30, labels: {severity: page}, annotations: {summary: "{{ $value }} degrees"}}
"""


@pytest.fixture
def alertmanager(tmp_path):
    port = free_port()
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    arguments = [f"--config.file={config}", f"--storage.path={tmp_path / 'am'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with open(tmp_path / "alertmanager.log", "wb") as log:
        process = subprocess.Popen([ALERTMANAGER, *arguments], stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"

    def is_up():
        try:
            return requests.get(f"{base}/-/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    until(is_up, "Alertmanager")
    yield base
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def alerts(base):
    return requests.get(f"{base}/api/v2/alerts", timeout=10).json()


def measure(server, value):
    series = [({"__name__": "temperature", "room": "a"}, [(value, int(time.time() * 1000))])]
    remote_write.post(server.http, remote_write.v1(series)).raise_for_status()


def test_alerts_are_forwarded_until_they_are_over(servers, alertmanager, tmp_path):
    rules = pathlib.Path(tmp_path) / "rules.yaml"
    rules.write_text(RULES)
    server = servers(config={"alert": {"rule_files": [str(rules)], "forward_to": [{"url": alertmanager}]}})
    server.start()
    measure(server, 40)
    until(lambda: [alert["labels"] for alert in alerts(alertmanager)] == [{"alertname": "Hot", "room": "a", "severity": "page"}], "the alert over there")
    alert = alerts(alertmanager)[0]
    assert alert["annotations"] == {"summary": "40 degrees"} and "temperature" in alert["generatorURL"], json.dumps(alert)
    shown = requests.get(f"{server.http}/api/v1/alertmanagers", timeout=10).json()["data"]
    assert shown == {"activeAlertmanagers": [{"url": f"{alertmanager}/api/v2/alerts"}], "droppedAlertmanagers": []}
    server.kill()
    server.start()
    measure(server, 20)
    until(lambda: alerts(alertmanager) == [], "the end of the alert over there")

"""Alertmanager's API: Prometheus sends its alerts here, amtool asks and silences, and nothing of it is lost by kill -9."""

import json
import os
import pathlib
import signal
import subprocess

import pytest
import requests
from server import until
from alert_world import Hook
from test_prometheus import PROMETHEUS, free_port

CACHE = pathlib.Path(os.environ.get("SIGNALBOX_CACHE") or pathlib.Path.home() / ".cache/signalbox")
AMTOOL = CACHE / "debian/prometheus-alertmanager/usr/bin/amtool"


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.stop()


def config(hook):
    return {
        "alert": {"group_wait_seconds": 0, "group_interval_seconds": 1, "repeat_interval_seconds": 3600},
        "api": {"alertmanager": {"listen": "127.0.0.1:0"}},
        "notify": {"receivers": [{"name": "people", "webhook": {"url": hook.url}}]},
    }


def amtool(url, *arguments):
    done = subprocess.run([AMTOOL, f"--alertmanager.url={url}", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(hook):
    return sorted((alert["labels"]["alertname"], alert["labels"].get("instance", ""), alert["status"]) for post in hook.posts for alert in post["alerts"])


def post(base, *alerts):
    answer = requests.post(f"{base}/api/v2/alerts", json=list(alerts), timeout=30)
    assert answer.status_code == 200, answer.text


def test_amtool_asks_and_silences_and_kill_9_forgets_nothing(servers, hook):
    server = servers(config=config(hook))
    server.start()
    base = f"{server.http}/alertmanager"
    post(base, {"labels": {"alertname": "DiskFull", "instance": "a"}, "annotations": {"summary": "full"}})
    until(lambda: ("DiskFull", "a", "firing") in told(hook), "the first message")
    shown = json.loads(amtool(base, "alert", "query", "-o", "json", "alertname=DiskFull"))
    assert [(alert["labels"]["instance"], alert["status"]["state"]) for alert in shown] == [("a", "active")]
    # A listener of its own has the API at the root.
    own = f"http://{server.addresses['alertmanager']}"
    assert "DiskFull" in amtool(own, "alert", "query")

    silence = amtool(base, "silence", "add", "--author=me", "--comment=known", "--duration=1h", "instance=~b|c").strip()
    assert silence in amtool(base, "silence", "query")
    server.kill()
    server.start()
    base = f"{server.http}/alertmanager"
    assert silence in amtool(base, "silence", "query"), "a silence that was answered is durable"
    assert "DiskFull" in amtool(base, "alert", "query"), "an alert that was answered is durable"
    post(base, {"labels": {"alertname": "DiskFull", "instance": "b"}}, {"labels": {"alertname": "Other", "instance": "z"}})
    until(lambda: ("Other", "z", "firing") in told(hook), "an alert that nothing silences")
    shown = json.loads(amtool(base, "alert", "query", "-o", "json", "--silenced", "instance=b"))
    assert [(alert["status"]["state"], alert["status"]["silencedBy"]) for alert in shown] == [("suppressed", [silence])]
    assert told(hook) == [("DiskFull", "a", "firing"), ("Other", "z", "firing")], "nothing twice, nothing silenced"

    amtool(base, "silence", "expire", silence)
    until(lambda: ("DiskFull", "b", "firing") in told(hook), "the alert that was silenced")
    post(base, {"labels": {"alertname": "Other", "instance": "z"}, "endsAt": "2020-01-01T00:00:00Z", "startsAt": "2020-01-01T00:00:00Z"})
    answer = requests.post(f"{base}/api/v2/alerts", json=[{"labels": {}}], timeout=30)
    assert (answer.status_code, answer.json()) == (400, "at least one label pair required")


def test_prometheus_sends_its_alerts_here(servers, hook, tmp_path):
    server = servers(config=config(hook))
    server.start()
    folder, address = tmp_path / "prometheus", f"127.0.0.1:{free_port()}"
    folder.mkdir()
    (folder / "rules.yml").write_text("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: 'vector(1)', labels: {instance: p}}]}]\n")
    managers = {"alertmanagers": [{"path_prefix": "/alertmanager", "api_version": "v2", "static_configs": [{"targets": [server.addresses["http"]]}]}]}
    (folder / "prometheus.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "alerting": managers}))
    command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
    # The first alert is dropped: the target is discovered a few seconds after the start.
    command += ["--rules.alert.resend-delay=1s"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: ("Always", "p", "firing") in told(hook), "the alert of Prometheus")
        groups = requests.get(f"{server.http}/alertmanager/api/v2/alerts/groups", timeout=30).json()
        assert [(group["labels"], len(group["alerts"])) for group in groups] == [({"alertname": "Always"}, 1)]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


FILE = """
global: {resolve_timeout: 5m}
route:
  receiver: people
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - matchers: [team="db"]
      receiver: database
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
receivers:
  - name: people
    webhook_configs: [{url: "%s"}]
  - name: database
    webhook_configs: [{url: "%s"}]
"""


def test_alertmanager_yml_routes_and_inhibits_and_is_read_again(servers, hook, tmp_path):
    other = Hook()
    file = tmp_path / "alertmanager.yml"
    file.write_text(FILE % (hook.url, other.url))
    server = servers(config={"alert": {"alertmanager_config_file": str(file)}})
    server.start()
    base = f"{server.http}/alertmanager"
    post(base, {"labels": {"alertname": "A", "severity": "critical"}}, {"labels": {"alertname": "A", "severity": "warning", "instance": "w"}})
    post(base, {"labels": {"alertname": "B", "team": "db"}})
    until(lambda: told(other) == [("B", "", "firing")], "the route to the other receiver")
    until(lambda: told(hook) == [("A", "", "firing")], "the alert that is not inhibited")
    assert sorted(receiver["name"] for receiver in requests.get(f"{base}/api/v2/receivers", timeout=30).json()) == ["database", "people"]
    shown = requests.get(f"{base}/api/v2/status", timeout=30).json()["config"]["original"]
    assert "inhibit_rules" in shown and hook.url not in shown, "no secrets"

    server.expected.append("what is in force stays in force")
    file.write_text("route: {receiver: nobody}")
    assert requests.post(f"{server.http}/-/reload", timeout=60).status_code != 200
    file.write_text((FILE % (hook.url, other.url)).replace('team="db"', 'team="web"'))
    assert requests.post(f"{server.http}/-/reload", timeout=60).status_code == 200
    post(base, {"labels": {"alertname": "C", "team": "web"}})
    until(lambda: ("C", "", "firing") in told(other), "the route of the new file")
    other.stop()

"""Alerts of our own rules reach Debian's Alertmanager: they fire there, survive a kill -9 here, and are over when they are; and those
Alertmanagers that a prometheus.yml names."""

import base64
import http.server
import json
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import remote_write
import requests
from alert_world import Hook
from server import BINARY, until
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


class Recorder:
    """Takes what an Alertmanager takes, and keeps it with path and authorization."""

    def __init__(self):
        self.requests = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                recorder.requests.append((self.path, self.headers["authorization"], body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def labels(self):
        return [alert["labels"] for _, _, body in self.requests for alert in body]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def recorder():
    made = Recorder()
    yield made
    made.stop()


PROMETHEUS_YML = """
global:
  external_labels: {{cluster: c1, replica: r1}}
rule_files: [rules.yaml]
alerting:
  alert_relabel_configs:
    - {{regex: replica, action: labeldrop}}
  alertmanagers:
    - static_configs:
        - targets: ['{alertmanager}']
    - path_prefix: /am/
      timeout: 5s
      api_version: v2
      basic_auth: {{username: me, password_file: password}}
      file_sd_configs:
        - files: [targets.json]
          refresh_interval: 1s
      relabel_configs:
        - {{source_labels: [zone], regex: far, action: drop}}
      alert_relabel_configs:
        - {{source_labels: [severity], regex: page, target_label: severity, replacement: P1}}
        - {{source_labels: [room], regex: cellar, action: drop}}
"""


def shown(server):
    data = requests.get(f"{server.http}/api/v1/alertmanagers", timeout=10).json()["data"]
    return [sorted(each["url"] for each in data[key]) for key in ["activeAlertmanagers", "droppedAlertmanagers"]]


def heat(server, *rooms):
    now_ms = int(time.time() * 1000)
    series = [({"__name__": "temperature", "room": room}, [(40, now_ms)]) for room in rooms]
    remote_write.post(server.http, remote_write.v1(series)).raise_for_status()


def test_prometheus_yml_names_the_alertmanagers(servers, alertmanager, recorder, tmp_path):
    file, targets = tmp_path / "prometheus.yml", tmp_path / "targets.json"
    file.write_text(PROMETHEUS_YML.format(alertmanager=alertmanager.removeprefix("http://")))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "password").write_text("secret\n")
    targets.write_text(json.dumps([{"targets": ["far:9093"], "labels": {"zone": "far"}}]))
    server = servers(config={"scrape": {"config_file": str(file)}, "alert": {"builtin": {"enabled": False}}})
    server.start()
    heat(server, "a", "cellar")
    told = [{"alertname": "Hot", "room": room, "severity": "page", "cluster": "c1"} for room in ["a", "cellar"]]
    until(lambda: sorted((alert["labels"] for alert in alerts(alertmanager)), key=str) == sorted(told, key=str), "the alerts over there")
    until(lambda: shown(server) == [[f"{alertmanager}/api/v2/alerts"], ["http://far:9093/am/api/v2/alerts"]], "who is told and who is not")

    # Another one is found: it is told of what fires already, in its own words.
    targets.write_text(json.dumps([{"targets": [recorder.address], "labels": {"zone": "near"}}, {"targets": ["far:9093"], "labels": {"zone": "far"}}]))
    until(lambda: recorder.labels(), "what is told to the one that was found")
    assert recorder.labels() == [{"alertname": "Hot", "room": "a", "severity": "P1", "cluster": "c1"}]
    path, authorization, _ = recorder.requests[0]
    assert (path, authorization) == ("/am/api/v2/alerts", "Basic " + base64.b64encode(b"me:secret").decode())
    assert shown(server)[0] == sorted([f"{alertmanager}/api/v2/alerts", f"http://{recorder.address}/am/api/v2/alerts"])

    # What Prometheus refuses is refused by name, and everything stays; then one of them goes.
    server.expected.append("what is in force stays in force")
    text = file.read_text()
    file.write_text(text.replace("api_version: v2", "api_version: v1"))
    refused = requests.post(f"{server.http}/-/reload", timeout=60)
    assert refused.status_code != 200 and "expected Alertmanager api version to be one of [v2] but got v1" in refused.text, refused.text
    assert len(shown(server)[0]) == 2
    file.write_text(text.replace("targets: ['", "targets: ['127.0.0.1:1', '").replace(alertmanager.removeprefix("http://"), "127.0.0.1:1"))
    server.expected.append("cannot forward")
    assert requests.post(f"{server.http}/-/reload", timeout=60).status_code == 200
    until(lambda: f"{alertmanager}/api/v2/alerts" not in shown(server)[0], "the end of the one that is not named any more")
    measure(server, 20)
    # What fires is said to end in some minutes.
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    until(lambda: any(alert["endsAt"] < soon for _, _, body in recorder.requests for alert in body), "the end of the alert")
    assert alerts(alertmanager), "nobody said there that it is over"


RELABELLED_YML = """
global: {{external_labels: {{cluster: c1, replica: r1}}}}
rule_files: [rules.yaml]
alerting:
  alert_relabel_configs:
    - {{regex: replica, action: labeldrop}}
    - {{source_labels: [severity], regex: page, target_label: severity, replacement: {severity}}}
    - {{source_labels: [room], regex: cellar, action: drop}}
  alertmanagers:
    - static_configs: [{{targets: ['{told}']}}]
      alert_relabel_configs: [{{target_label: seen_by, replacement: section}}]
"""
ROUTES = """
route:
  receiver: nobody
  routes: [{matchers: ['severity=~"P."'], receiver: people, group_by: [severity], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}]
receivers: [{name: nobody}, {name: people, webhook_configs: [{url: URL}]}]
"""


def told_as(server):
    """By room what its alert is told as; rules and alerts say the same."""
    groups = server.json("/api/v1/rules")["data"]["groups"]
    of_rules = [alert for group in groups for rule in group["rules"] for alert in rule["alerts"]]
    of_alerts = server.json("/api/v1/alerts")["data"]["alerts"]
    found, other = [{alert["labels"]["room"]: alert["toldAs"] for alert in alerts} for alerts in [of_rules, of_alerts]]
    assert found == other
    return found


def test_relabelled_alerts_are_told_here_and_elsewhere(servers, recorder, tmp_path):
    """As with Prometheus beside Alertmanager: rules know labels before, whoever is told those after alert_relabel_configs."""
    hook, other, file = Hook(), Recorder(), tmp_path / "prometheus.yml"
    relabelled = lambda severity: RELABELLED_YML.format(told=recorder.address, severity=severity)  # noqa: E731
    file.write_text(relabelled("P1"))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "alertmanager.yml").write_text(ROUTES.replace("URL", hook.url))
    alert = {"builtin": {"enabled": False}, "alertmanager_config_file": str(tmp_path / "alertmanager.yml"), "forward_to": [{"url": f"http://{other.address}"}]}
    server = servers(config={"scrape": {"config_file": str(file)}, "alert": alert})
    server.start()
    heat(server, "a", "cellar")
    until(lambda: hook.posts, "the message")
    told = {"alertname": "Hot", "room": "a", "severity": "P1", "cluster": "c1"}
    assert [alert["labels"] for alert in hook.posts[0]["alerts"]] == [told]
    until(lambda: recorder.labels() and other.labels(), "what others are told")
    assert recorder.labels()[0] == {**told, "seen_by": "section"} and other.labels()[0] == told
    assert {alert["labels"]["room"] for alert in server.json("/api/v1/alerts")["data"]["alerts"]} == {"a", "cellar"}
    assert {alert["labels"]["severity"] for alert in server.json("/api/v1/alerts")["data"]["alerts"]} == {"page"}
    [shown] = server.json("/alertmanager/api/v2/alerts")
    assert shown["labels"] == told
    assert told_as(server) == {"a": told, "cellar": None}

    def explain(**parameters):
        return server.json("/api/v1/alerting/explain", **parameters)["data"]

    own = {"alertname": "Hot", "room": "a", "severity": "page", "cluster": "c1", "replica": "r1"}
    until(lambda: explain(labels=json.dumps({"room": "a"}))["notifications"], "the log")
    for found in [explain(labels=json.dumps({"room": "a"})), explain(labels=json.dumps(told)), explain(fingerprint=shown["fingerprint"])]:
        assert (found["labels"], found["told_as"], found["state"]) == (own, told, "firing")
        assert found["rule"]["name"] == "Hot" and found["evaluations"] and [event["change"] for event in found["events"]][-1] == "firing"
        assert [route["receiver"] for route in found["routes"]] == ["people"] and len(found["notifications"]) == 1
    dropped = explain(labels=json.dumps({"room": "cellar"}))
    assert (dropped["told_as"], dropped["routes"], dropped["state"], dropped["notifications"]) == (None, [], "firing", [])
    command = [BINARY, "alert", "explain", "--url", server.http, 'Hot{room="cellar"}']
    assert "told to nobody: alert_relabel_configs drop it" in subprocess.run(command, capture_output=True, text=True, check=True).stdout

    # Nobody is paged twice after a crash. With other rules, what was told otherwise is over.
    server.kill()
    server.start()
    heat(server, "a", "cellar")
    until(lambda: explain(labels=json.dumps({"room": "a"}))["evaluations"][-1]["state"] == "firing", "evaluations after the crash")
    file.write_text(relabelled("P2"))
    assert requests.post(f"{server.http}/-/reload", timeout=60).status_code == 200
    until(lambda: len(hook.posts) == 3, "the end of the one and the beginning of the other")
    said = sorted((alert["status"], alert["labels"]["severity"]) for post in hook.posts for alert in post["alerts"])
    assert said == [("firing", "P1"), ("firing", "P2"), ("resolved", "P1")]

    # A silence of what the rules show is one of what is told, if it has the labels that are shown beside.
    matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in told_as(server)["a"].items()]
    now, ends = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds)) for seconds in [0, 600]]
    silence = {"matchers": matchers, "startsAt": now, "endsAt": ends, "createdBy": "me", "comment": "known"}
    assert requests.post(f"{server.http}/alertmanager/api/v2/silences", json=silence, timeout=60).status_code == 200
    [shown] = server.json("/alertmanager/api/v2/alerts")
    assert shown["labels"]["severity"] == "P2" and len(shown["status"]["silencedBy"]) == 1
    hook.stop()
    other.stop()

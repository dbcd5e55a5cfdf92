"""Everything that is known of an alert: its values and changes, what muted it, who was told and what was answered; also after kill -9."""

import json
import subprocess

import pytest
from alert_world import Hook, Queue
from server import BINARY, until

RULES = """
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: QueueGrows
        expr: shop_queue_depth{job="shop"} > 10
        for: 2s
        labels: {severity: page}
"""

ROUTES = """
route:
  receiver: nobody
  routes:
  - matchers: ['severity="page"']
    receiver: people
    group_by: [alertname]
    group_wait: 0s
    group_interval: 1s
    repeat_interval: 4h
receivers:
- name: nobody
- name: people
  webhook_configs:
  - url: URL
"""


@pytest.fixture
def hook():
    made = Hook(refusals=2)
    yield made
    made.stop()


LABELS = {"alertname": "QueueGrows", "job": "shop", "instance": "a:1", "severity": "page", "zone": "b"}


def explain(server, **parameters):
    return server.json("/api/v1/alerting/explain", labels=json.dumps({"alertname": "QueueGrows"}), **parameters)["data"]


def history(server, **parameters):
    return server.json("/api/v1/alerting/history", **parameters)["data"]


def test_an_alert_is_explained_from_its_first_value_to_the_last_answer(servers, tmp_path, hook):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "alertmanager.yml").write_text(ROUTES.replace("URL", hook.url))
    alert = {
        "rule_files": [str(tmp_path / "rules.yaml")],
        "alertmanager_config_file": str(tmp_path / "alertmanager.yml"),
        "external_labels": {"zone": "b"},
    }
    server = servers(config={"alert": alert}).start()
    server.expected.append("(?i)cannot deliver message|webhook")
    assert server.get("/api/v1/alerting/explain", params={"labels": '{"alertname":"QueueGrows"}'}).status_code == 404
    assert server.get("/api/v1/alerting/explain", params={"labels": "QueueGrows"}).status_code == 400
    assert history(server) == [] and server.json("/api/v1/alerting/notifications")["data"] == []
    queue = Queue(server)
    queue.start()
    queue.depth = 42.0
    until(lambda: len(hook.posts) == 1, "the post")

    told = until(lambda: [line for line in server.json("/api/v1/alerting/notifications")["data"] if line["outcome"] == "delivered"], "the record of it")
    [line] = told
    assert (line["receiver"], line["channel"], line["reason"], line["firing"], line["resolved"]) == ("people", "people/webhook[0]", "first notification", 1, 0)
    assert line["group_labels"] == {"alertname": "QueueGrows"} and line["group_key"] == '{}/{severity="page"}:{alertname="QueueGrows"}'
    assert [attempt["ok"] for attempt in line["attempts"]] == [False, False, True]
    assert "503" in line["attempts"][0]["answer"] and "come back later" in line["attempts"][0]["answer"]
    assert line["attempts"][2]["answer"] == "200: thank you"
    assert [(alert["labels"], alert["status"]) for alert in line["alerts"]] == [(LABELS, "firing")]
    assert server.json("/api/v1/alerting/notifications", receiver="nobody")["data"] == []
    fingerprint = line["alerts"][0]["fingerprint"]
    assert fingerprint == server.json("/alertmanager/api/v2/alerts")[0]["fingerprint"]

    # A silence is remembered when somebody would have been told.
    silence = {
        "matchers": [{"name": "alertname", "value": "QueueGrows", "isRegex": False, "isEqual": True}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2100-01-01T00:00:00Z",
        "createdBy": "me",
        "comment": "known",
    }
    answer = server.session.post(server.http + "/alertmanager/api/v2/silences", json=silence)
    assert answer.status_code == 200, answer.text
    silence_id = answer.json()["silenceID"]
    until(lambda: history(server)[0]["change"] == "silenced", "the silence in the history")

    def whole(found):
        assert (found["labels"], found["fingerprint"], found["state"]) == (LABELS, fingerprint, "firing")
        rule = found["rule"]
        assert (rule["name"], rule["group"], rule["lang"], rule["for"]) == ("QueueGrows", "shop", "promql", "2s") and "shop_queue_depth" in rule["query"]
        assert [event["change"] for event in reversed(found["events"])][:3] == ["pending", "firing", "silenced"]
        assert found["events"][-1]["value"] == 42.0 and found["events"][-3]["silenced_by"] == [silence_id] and found["events"][-3]["receiver"] == "people"
        states = [evaluation["state"] for evaluation in found["evaluations"]]
        assert states[:2] == ["pending", "pending"] and states[-1] == "firing" and sorted(set(states)) == ["firing", "pending"]
        assert {evaluation["value"] for evaluation in found["evaluations"]} == {42.0}
        [route] = found["routes"]
        assert [step["receiver"] for step in route["path"]] == ["nobody", "people"] and route["path"][1]["matchers"] == ['severity="page"']
        assert (route["receiver"], route["group_by"], route["group_wait"], route["repeat_interval"]) == ("people", ["alertname"], "0s", "4h")
        assert found["muted"] == {"silenced_by": [silence_id], "inhibited_by": [], "muted_by": []}
        assert [line["id"] for line in found["notifications"]] == [told[0]["id"]]

    before = explain(server)
    whole(before)
    whole(server.json("/api/v1/alerting/explain", fingerprint=fingerprint)["data"])

    server.kill()
    server.start()
    until(lambda: server.json("/alertmanager/api/v2/alerts"), "the alert after the crash")
    after = explain(server)
    whole(after)
    assert after["evaluations"][: len(before["evaluations"])] == before["evaluations"]
    instant = before["evaluations"][0]["at"]
    first = explain(server, at=instant)
    assert (first["state"], [evaluation["value"] for evaluation in first["evaluations"]]) == ("pending", [42.0])
    assert first["muted"] == {"silenced_by": [], "inhibited_by": [], "muted_by": []} and first["notifications"] == []

    queue.depth = 1.0
    resolved = until(lambda: [event for event in history(server, rule="QueueGrows", limit=1) if event["change"] == "resolved"], "the end in the history")
    assert (resolved[0]["state"], resolved[0]["fingerprint"], resolved[0]["late"]) == ("inactive", fingerprint, False)
    assert [event["change"] for event in history(server, fingerprint=fingerprint)] == [event["change"] for event in history(server, alertname="QueueGrows")]
    assert history(server, group="other") == []
    last = explain(server)
    assert (last["state"], last["evaluations"][-1]["state"], last["evaluations"][-1]["value"]) == ("inactive", "inactive", None)
    queue.stop()

    command = [BINARY, "alert", "explain", "--url", server.http, "--at", instant, 'QueueGrows{job="shop"}']
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"fingerprint {fingerprint}" in shown and "pending  42" in shown and 'receiver "people" by all > {severity="page"}' in shown
    shown = subprocess.run([BINARY, "alert", "explain", "--url", server.http, fingerprint], capture_output=True, text=True, check=True).stdout
    assert "taken: 200: thank you" in shown and f"silenced by {silence_id}" in shown
    unknown = subprocess.run([BINARY, "alert", "explain", "--url", server.http, "Unknown"], capture_output=True, text=True)
    assert unknown.returncode == 1 and "no alert with labels" in unknown.stderr

"""Own receivers: channels of several kinds get their forms, what one refuses the fallback is told, and no request goes where it must not."""

import http.server
import json
import threading

import pytest
import requests
from server import until

RULES = """
groups:
  - name: always
    interval: 1s
    rules:
      - alert: AlwaysOn
        expr: vector(1)
        labels: {severity: page, target: 127.0.0.1}
        annotations: {summary: 'it "is" <on>'}
"""


class Services:
    """Some services on one port, told apart by the path of a request; `/gone` takes nothing any more, `/api` is Slack's."""

    def __init__(self):
        self.told = {}
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                services.told.setdefault(self.path, []).append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(410 if self.path.startswith("/gone") else 200)
                answer = b'{"ok": true, "channel": "C0123", "ts": "1709210096.000100"}' if self.path.startswith("/api") else b"ok"
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def services():
    made = Services()
    yield made
    made.stop()


def test_channels_get_their_forms_and_a_refusal_goes_to_the_fallback(servers, tmp_path, services):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    url = services.url
    people = {
        "name": "people",
        "webhook": {"url": url + "/gone/{{ .CommonLabels.severity }}"},
        "webhook_configs": [
            {"url": url + "/payload", "payload": {"text": "{{ .CommonAnnotations.summary }}", "alerts": "{{ .Alerts | toJson }}"}},
            # What an alert says is never a way inside.
            {"url": "http://{{ .CommonLabels.target }}:%d/inside" % services.port},
        ],
        "ntfy_configs": [{"url": url + "/ntfy", "topic": "s3cret-topic"}],
        "slack_configs": [{"api_url": url + "/slack/s3cret", "channel": "#ops", "send_resolved": True}],
        "fallback": "duty",
    }
    duty = {"name": "duty", "webhook": {"url": url + "/duty", "method": "PUT", "preset": "plain"}}
    config = {
        "alert": {"rule_files": [str(rules)], "receivers": ["people"], "group_wait_seconds": 0, "group_interval_seconds": 1},
        "notify": {"receivers": [people, duty]},
    }
    server = servers(config=config).start()
    server.expected.append("(?i)people|message|channel")
    told = services.told
    until(lambda: {"/gone/page", "/payload", "/ntfy", "/slack/s3cret", "/duty"} <= set(told), "all that are told")
    until(lambda: 'channel="webhook",outcome="dead",receiver="people"} 1' in server.get("/metrics").text, "the record of what was refused")
    payload = json.loads(told["/payload"][0][1])
    assert payload["text"] == 'it "is" <on>' and payload["alerts"][0]["labels"]["alertname"] == "AlwaysOn"
    assert json.loads(told["/ntfy"][0][1])["priority"] == 4
    assert json.loads(told["/slack/s3cret"][0][1])["attachments"][0]["color"] == "danger"
    headers, text = told["/duty"][0]
    assert text.startswith("[FIRING:1] AlwaysOn") and headers["idempotency-key"].startswith("signalbox.")
    assert "/inside" not in told
    # Across a restart as well.
    server.kill()
    server.start()
    until(lambda: 'outcome="retried"' in server.get("/metrics").text, "the channel that must not be reached, tried again")
    # What is refused is told again with the next messages about the group; the fallback has heard it.
    assert (len(told["/duty"]), "/inside" in told) == (1, False)
    assert "s3cret" not in server.text()


def test_slack_changes_after_a_crash_what_it_was_told_before(servers, services):
    slack = {"app_token": "xoxb", "app_url": services.url + "/api/chat.postMessage", "channel": "#ops", "update_message": True, "send_resolved": True}
    config = {
        "alert": {"group_by": ["alertname"], "group_wait_seconds": 0, "group_interval_seconds": 1, "builtin": {"enabled": False}},
        "notify": {"receivers": [{"name": "people", "slack_configs": [slack]}]},
    }
    server = servers(config=config).start()
    told = lambda path: [json.loads(body) for _, body in services.told.get(path, [])]

    def fire(*instances):
        alerts = [{"labels": {"alertname": "Down", "instance": instance}} for instance in instances]
        assert requests.post(f"{server.http}/alertmanager/api/v2/alerts", json=alerts, timeout=30).status_code == 200

    fire("a")
    until(lambda: 'channel="slack",outcome="delivered",receiver="people"} 1' in server.get("/metrics").text, "the record of what was posted")
    server.kill()
    server.start()
    fire("a", "b")
    until(lambda: told("/api/chat.update"), "the change of what was posted")
    assert [message["channel"] for message in told("/api/chat.postMessage")] == ["#ops"]
    change = told("/api/chat.update")[0]
    assert (change["channel"], change["ts"]) == ("C0123", "1709210096.000100")
    assert change["attachments"][0]["title"].startswith("[FIRING:2] Down")

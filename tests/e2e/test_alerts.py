"""An alert fires, reaches a mail server and a webhook, resolves, and is not sent twice across a kill -9."""

import email
import email.policy
import socket

import pytest
from aiosmtpd.controller import Controller
from alert_world import Hook, Queue
from server import until

RULES = """
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: QueueGrows
        expr: shop_queue_depth{job="shop"} > 10
        for: 2s
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} has {{ $value }} waiting"
      - record: job:shop_queue_depth:max
        expr: max by (job) (shop_queue_depth)
"""


class Mailbox:
    """A mail server that keeps what it takes."""

    def __init__(self):
        self.mails = []
        # The controller connects to its own port to start, so it must know it.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    async def handle_DATA(self, _server, _session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, mail))
        return "250 OK"

    def stop(self):
        self.controller.stop()


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.stop()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.stop()


def configuration(tmp_path, mailbox, hook):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    return {
        "alert": {"rule_files": [str(rules)], "group_wait_seconds": 0, "group_interval_seconds": 1, "repeat_interval_seconds": 3600, "external_url": "http://signalbox.example"},
        "notify": {
            "receivers": [
                {
                    "name": "people",
                    "email": {"smarthost": f"127.0.0.1:{mailbox.port}", "from": "Signalbox <alerts@example.org>", "to": ["duty@example.org"], "encryption": "none"},
                    "webhook": {"url": hook.url},
                }
            ]
        },
    }


def alerts(server):
    return [(alert["labels"]["alertname"], alert["state"]) for alert in server.json("/api/v1/alerts")["data"]["alerts"]]


def statuses(posts):
    return [(post["status"], [(alert["labels"]["alertname"], alert["status"]) for alert in post["alerts"]]) for post in posts]


def until_delivered(server):
    """Waits until the server knows that one mail and one post have arrived: killed before that, it sends them again."""
    want = [f'signalbox_notify_messages_total{{channel="{channel}",outcome="delivered",receiver="people"}} 1' for channel in ("email", "webhook")]
    until(lambda: all(line in server.get("/metrics").text for line in want), "the record of what was delivered")


def test_an_alert_fires_reaches_people_and_resolves_once_each(servers, tmp_path, mailbox, hook):
    server = servers(config=configuration(tmp_path, mailbox, hook)).start()
    # What happens to a receiver that is away for a moment: retried, and no more than a warning.
    server.expected.append("(?i)webhook|people")
    hook.refusals = 2
    queue = Queue(server)
    queue.start()
    rules = server.json("/api/v1/rules")["data"]["groups"]
    assert [(rule["type"], rule["name"]) for rule in rules[0]["rules"]] == [("alerting", "QueueGrows"), ("recording", "job:shop_queue_depth:max")]
    until(lambda: [float(entry["value"][1]) for entry in server.query('job:shop_queue_depth:max')] == [3.0], "the recorded series")
    assert alerts(server) == []

    queue.depth = 42.0
    until(lambda: ("QueueGrows", "firing") in alerts(server), "a firing alert")
    until(lambda: len(mailbox.mails) == 1 and len(hook.posts) == 1, "the mail and the post")
    sender, recipients, mail = mailbox.mails[0]
    assert (sender, recipients) == ("alerts@example.org", ["duty@example.org"])
    text = "".join(part.get_content() for part in mail.walk() if part.get_content_maintype() == "text")
    assert "QueueGrows" in mail["subject"] and "a:1 has 42 waiting" in text
    post = hook.posts[0]
    assert (post["version"], post["status"], post["receiver"]) == ("4", "firing", "people")
    [alert] = post["alerts"]
    assert alert["labels"] == {"alertname": "QueueGrows", "job": "shop", "instance": "a:1", "severity": "page"}
    assert alert["annotations"] == {"summary": "a:1 has 42 waiting"} and alert["status"] == "firing"
    assert post["commonLabels"]["alertname"] == "QueueGrows" and post["externalURL"].startswith("http://signalbox.example")
    assert [entry["metric"]["alertstate"] for entry in server.query('ALERTS{alertname="QueueGrows"}')] == ["firing"]

    # Across kill -9: it fires on, and nobody is told again.
    until_delivered(server)
    server.kill()
    server.start()
    until(lambda: ("QueueGrows", "firing") in alerts(server), "the alert after the crash")
    active = next(alert for alert in server.json("/api/v1/alerts")["data"]["alerts"])
    evaluated = lambda: server.json("/api/v1/rules")["data"]["groups"][0]["lastEvaluation"]
    seen = set()
    until(lambda: seen.add(evaluated()) or len(seen) > 5, "five evaluations")
    assert statuses(hook.posts) == [("firing", [("QueueGrows", "firing")])] and len(mailbox.mails) == 1
    assert active["labels"]["instance"] == "a:1" and active["value"].startswith("4")

    queue.depth = 1.0
    until(lambda: alerts(server) == [], "the end of the alert")
    until(lambda: len(mailbox.mails) == 2 and len(hook.posts) == 2, "the news that it is over")
    assert statuses(hook.posts)[1] == ("resolved", [("QueueGrows", "resolved")])
    assert "QueueGrows" in mailbox.mails[1][2]["subject"]
    until_delivered(server)
    server.kill()
    server.start()
    seen.clear()
    until(lambda: seen.add(evaluated()) or len(seen) > 3, "three evaluations")
    assert len(mailbox.mails) == 2 and len(hook.posts) == 2
    queue.stop()


def test_what_is_pending_survives_kill_9(servers, tmp_path, mailbox, hook):
    config = configuration(tmp_path, mailbox, hook)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("for: 2s", "for: 1h"))
    server = servers(config=config).start()
    queue = Queue(server)
    queue.depth = 42.0
    queue.start()
    until(lambda: ("QueueGrows", "pending") in alerts(server), "a pending alert")
    since = lambda: [alert["activeAt"] for alert in server.json("/api/v1/alerts")["data"]["alerts"]]
    before = since()
    server.kill()
    server.start()
    until(lambda: ("QueueGrows", "pending") in alerts(server), "the pending alert after the crash")
    assert since() == before, "it has been pending for as long as before"
    queue.stop()
    assert mailbox.mails == [] and hook.posts == []


def test_a_rule_that_does_not_parse_stops_the_start(servers, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("groups: [{name: g, rules: [{alert: Broken, expr: 'sum(rate(x[5m])'}]}]")
    server = servers(config={"alert": {"rule_files": [str(rules)]}})
    with pytest.raises(RuntimeError) as error:
        server.start()
    assert "rules.yaml" in str(error.value) and "Broken" in str(error.value)

"""What alerting is asked and told over HTTP beside Alertmanager's API: the watchdog, receivers, routes, tests of both, limits of silences."""

import signal
import time

import pytest
import requests
from alert_world import Hook
from server import until
from test_alertmanager import amtool, post

FILE = """
route:
  receiver: people
  group_by: [alertname]
  group_wait: 1s
  routes:
    - matchers: [team="db", severity=~"page|ticket"]
      receiver: database
      continue: true
      group_by: ['...']
      mute_time_intervals: [never]
    - matchers: [team="db"]
      receiver: nobody
time_intervals:
  - name: never
    time_intervals: [{years: ['1990']}]
inhibit_rules:
  - name: pages-before-tickets
    source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [team]
  - name: pages-before-tickets
    source_match: {severity: page}
    target_match_re: {severity: "info|debug"}
receivers:
  - name: people
    webhook_configs: [{url: "%s"}]
  - name: database
    webhook_configs: [{url: "%s"}, {url: "%s", send_resolved: false}]
  - name: nobody
"""


@pytest.fixture
def hooks():
    made = [Hook(), Hook()]
    yield made
    for hook in made:
        hook.stop()


def names(hook):
    return [alert["labels"]["alertname"] for message in hook.posts for alert in message["alerts"]]


def test_the_watchdog_barks_to_its_receiver_alone(servers, hooks):
    dog, people = hooks
    receivers = [{"name": "dog", "webhook": {"url": dog.url}}, {"name": "people", "webhook": {"url": people.url}}]
    alert = {"watchdog": {"receiver": "dog", "interval_seconds": 1}, "builtin": {"enabled": False}, "group_wait_seconds": 0}
    server = servers(config={"alert": alert, "notify": {"receivers": receivers}})
    server.start()
    until(lambda: len(dog.posts) >= 3, "the third bark", patience=180)
    assert set(names(dog)) == {"Watchdog"} and {message["receiver"] for message in dog.posts} == {"dog"}
    post(f"{server.http}/alertmanager", {"labels": {"alertname": "Other"}})
    until(lambda: "Other" in names(people), "another alert, for the others")
    assert "Other" not in names(dog) and "Watchdog" not in names(people)
    [rule] = [rule for group in server.json("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    assert (rule["name"], rule["state"], rule["health"]) == ("Watchdog", "firing", "ok")

    server.kill()
    before = len(dog.posts)
    server.start()
    until(lambda: len(dog.posts) >= before + 2, "the bark after the start", patience=180)
    server.stop()


def test_who_waits_for_the_watchdog_hears_nothing_while_the_server_hangs(servers, hooks):
    """Who calls when it hears nothing has a reason to, and none any more when rules are evaluated again."""
    dog, _ = hooks
    receivers = [{"name": "dog", "webhook": {"url": dog.url}}]
    alert = {"watchdog": {"receiver": "dog", "interval_seconds": 1}, "builtin": {"enabled": False}}
    server = servers(config={"alert": alert, "notify": {"receivers": receivers}})
    # The clock goes on while it hangs, and a connection may be torn.
    server.expected.append("evaluations of rules came too late|cannot deliver message|clock")
    server.start()
    until(lambda: len(dog.posts) >= 3, "the third bark", patience=180)
    server.process.send_signal(signal.SIGSTOP)
    try:
        # Three times the interval: so long a service should wait before it calls.
        until(lambda: dog.quiet_seconds() > 3, "the silence")
        heard = len(dog.posts)
    finally:
        server.process.send_signal(signal.SIGCONT)
    until(lambda: len(dog.posts) > heard + 1, "the watchdog again", patience=180)
    assert {alert["status"] for message in dog.posts for alert in message["alerts"]} == {"firing"}, "nobody said that it is over"


NO_DATA = """
groups:
- name: shop
  interval: 1s
  rules:
  - {alert: Errors, lang: logql, expr: 'sum(rate({service_name="shop"}[5s])) > 1000', no_data: no_data, labels: {team: shop}}
"""


def test_no_data_since_is_told_and_is_over_when_there_is_data(servers, hooks, tmp_path):
    people, _ = hooks
    (tmp_path / "rules.yaml").write_text(NO_DATA)
    alert = {"rule_files": [str(tmp_path / "rules.yaml")], "builtin": {"enabled": False}, "group_wait_seconds": 0, "group_interval_seconds": 1}
    server = servers(config={"alert": alert, "notify": {"receivers": [{"name": "people", "webhook": {"url": people.url}}]}})
    server.start()
    told = lambda: [(alert["labels"], alert["status"]) for message in people.posts for alert in message["alerts"]]  # noqa: E731
    nothing = {"alertname": "NoData", "rulename": "Errors", "team": "shop"}
    until(lambda: told() == [(nothing, "firing")], "that there is no data")
    assert people.posts[0]["alerts"][0]["annotations"]["reason"] == "no data"

    def speak():
        line = {"streams": [{"stream": {"service_name": "shop"}, "values": [[str(time.time_ns()), "hello"]]}]}
        assert requests.post(f"{server.http}/loki/api/v1/push", json=line, timeout=60).status_code == 204
        return told() == [(nothing, "firing"), (nothing, "resolved")]

    until(speak, "that there is data again")


def test_a_watchdog_needs_its_receiver(servers):
    server = servers(config={"alert": {"watchdog": {"receiver": "cat"}}})
    with pytest.raises(RuntimeError, match='cannot use setting alert.watchdog.receiver: found "cat"'):
        server.start()
    server.expected.append("alert.watchdog.receiver")


@pytest.fixture
def routed(servers, hooks, tmp_path):
    people, database = hooks
    file = tmp_path / "alertmanager.yml"
    file.write_text(FILE % (people.url, database.url, database.url))
    server = servers(config={"alert": {"alertmanager_config_file": str(file), "builtin": {"enabled": False}}})
    return server.start()


def tell(server, path, body):
    answer = server.session.post(f"{server.http}/api/v1/alerting/{path}", json=body, timeout=60)
    return answer.status_code, answer.json()


def test_receivers_are_shown_and_tested(routed, hooks):
    people, database = hooks
    shown = routed.json("/api/v1/alerting/receivers")["data"]
    assert [(each["name"], [(channel["name"], channel["kind"]) for channel in each["channels"]]) for each in shown] == [
        ("database", [("database/webhook[0]", "webhook"), ("database/webhook[1]", "webhook")]),
        ("nobody", []),
        ("people", [("people/webhook[0]", "webhook")]),
    ]
    status, body = tell(routed, "receivers/test", {"receiver": "database", "labels": {"team": "db"}, "annotations": {"summary": "a test"}})
    assert status == 200 and [(each["channel"], each["ok"]) for each in body["data"]] == [("database/webhook[0]", True), ("database/webhook[1]", True)], body
    assert len(database.posts) == 2 and people.posts == []
    [alert] = database.posts[0]["alerts"]
    assert (alert["labels"]["team"], alert["annotations"]["summary"], database.posts[0]["receiver"]) == ("db", "a test", "database")
    # What a channel answers is what is told; a test is tried once.
    people.refusals = 1
    status, body = tell(routed, "receivers/test", {"receiver": "people"})
    [answer] = body["data"]
    assert status == 200 and not answer["ok"] and "503" in answer["answer"] and "come back later" in answer["answer"], body
    assert people.posts == []
    for wrong, want, kind in [
        ({"receiver": "somebody"}, 404, "not_found"),
        ({"receiver": "nobody"}, 400, "bad_data"),
        ({"receiver": "people", "colour": "red"}, 400, "bad_data"),
        ({}, 400, "bad_data"),
    ]:
        status, body = tell(routed, "receivers/test", wrong)
        assert (status, body["status"], body["errorType"]) == (want, "error", kind), f"{wrong}: {body}"


def test_routes_are_shown_and_tested(routed):
    tree = routed.json("/api/v1/alerting/routes")["data"]
    assert (tree["receiver"], tree["group_by"], tree["group_wait"], tree["matchers"]) == ("people", ["alertname"], "1s", [])
    assert [(each["receiver"], each["continue"], each["mute_time_intervals"], each["group_by"]) for each in tree["routes"]] == [
        ("database", True, ["never"], ["..."]),
        ("nobody", False, [], ["alertname"]),
    ]
    status, body = tell(routed, "routes/test", {"labels": {"alertname": "A", "team": "db", "severity": "page"}})
    found = body["data"]
    assert status == 200 and [(each["receiver"], each["path"], each["channels"], each["is_muted_now"]) for each in found] == [
        ("database", [0], ["database/webhook[0]", "database/webhook[1]"], False),
        ("nobody", [1], [], False),
    ], body
    assert [step["receiver"] for step in found[0]["steps"]] == ["people", "database"]
    _, body = tell(routed, "routes/test", {"labels": {"alertname": "A"}})
    assert [(each["receiver"], each["path"], each["group_labels"]) for each in body["data"]] == [("people", [], {"alertname": "A"})]
    # A silence mutes it, and so does an alert that fires.
    base = f"{routed.http}/alertmanager"
    amtool(base, "silence", "add", "--author=me", "--comment=known", "--duration=1h", "alertname=Quiet")
    post(base, {"labels": {"alertname": "Page", "severity": "page", "team": "db"}})
    for labels, muted in [
        ({"alertname": "Quiet"}, True),
        ({"alertname": "Loud"}, False),
        ({"alertname": "T", "severity": "ticket", "team": "db"}, True),
        ({"alertname": "T", "severity": "ticket", "team": "web"}, False),
        ({"alertname": "T", "severity": "debug", "team": "web"}, True),
    ]:
        _, body = tell(routed, "routes/test", {"labels": labels})
        assert {each["is_muted_now"] for each in body["data"]} == {muted}, f"{labels}: {body}"
    for wrong in [{}, {"labels": {"a": 1}}, {"labels": {}, "more": 1}]:
        assert tell(routed, "routes/test", wrong)[0] == 400, wrong


def silence(**more):
    matchers = [{"name": "instance", "value": "s", "isRegex": False}]
    return {"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "createdBy": "me", "comment": "why", **more}


def test_silences_have_limits_and_are_forgotten(servers):
    server = servers(config={"alert": {"silences_max": 2, "silence_bytes_max": 200, "silences_kept_hours": 0, "builtin": {"enabled": False}}})
    server.start()

    def set_silence(**more):
        answer = requests.post(f"{server.http}/alertmanager/api/v2/silences", json=silence(**more), timeout=30)
        return answer.status_code, answer.json()

    def known():
        return {each["id"]: each["status"]["state"] for each in requests.get(f"{server.http}/alertmanager/api/v2/silences", timeout=30).json()}

    status, body = set_silence(comment="x" * 200)
    assert status == 400 and body.startswith("silence exceeded maximum size: ") and body.endswith(" bytes (limit: 200 bytes)"), body
    first, second = set_silence()[1]["silenceID"], set_silence()[1]["silenceID"]
    assert set_silence() == (400, "exceeded maximum number of silences: 2 (limit: 2)")
    # One that changes is none more; one that is over still counts.
    shown = requests.get(f"{server.http}/alertmanager/api/v2/silence/{first}", timeout=30).json()
    assert set_silence(id=first, startsAt=shown["startsAt"], comment="longer") == (200, {"silenceID": first})
    assert requests.delete(f"{server.http}/alertmanager/api/v2/silence/{second}", timeout=30).status_code == 200
    assert known() == {first: "active", second: "expired"}
    assert set_silence() == (400, "exceeded maximum number of silences: 2 (limit: 2)")
    # What is over for longer than it is kept is forgotten at the next start at the latest.
    server.kill()
    server.start()
    until(lambda: known() == {first: "active"}, "the end of what is over")
    assert set_silence()[0] == 200


def test_alerts_without_an_end_are_over_after_the_resolve_timeout(servers, hooks, tmp_path):
    file = tmp_path / "alertmanager.yml"
    file.write_text('global: {resolve_timeout: 3s}\nroute: {receiver: people, group_wait: 0s, group_interval: 1s}\nreceivers: [{name: people, webhook_configs: [{url: "%s"}]}]\n' % hooks[0].url)
    server = servers(config={"alert": {"alertmanager_config_file": str(file), "builtin": {"enabled": False}}})
    server.start()
    post(f"{server.http}/alertmanager", {"labels": {"alertname": "Short"}})
    until(lambda: [message["status"] for message in hooks[0].posts] == ["firing", "resolved"], "the end that nobody named")

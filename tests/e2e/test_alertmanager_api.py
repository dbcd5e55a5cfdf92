"""Alertmanager's API against its own description and against Debian's Alertmanager: paths, parameters, statuses, bodies."""

import json
import os
import pathlib
import signal
import subprocess

import pytest
import requests
import yaml
from server import until
from swagger import Swagger
from test_alertmanager import AMTOOL, amtool, post
from test_forward import ALERTMANAGER
from test_prometheus import free_port

CONFORMANCE = pathlib.Path(os.environ.get("SIGNALBOX_CONFORMANCE") or pathlib.Path(__file__).resolve().parents[3] / "shared/conformance")
DESCRIPTION = CONFORMANCE / "api/alertmanager/openapi.yaml"
FILE = """
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 0s
  routes:
    - matchers: [team="db"]
      receiver: database
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
receivers:
  - name: ops
  - name: database
"""
NOBODY = "00000000-0000-4000-8000-000000000000"


def silence(**more):
    matchers = [{"name": "instance", "value": "s", "isRegex": False}]
    return {"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "createdBy": "me", "comment": "why", **more}


def started(servers, file, text):
    file.write_text(text)
    server = servers(config={"alert": {"alertmanager_config_file": str(file), "builtin": {"enabled": False}}})
    server.start()
    return f"{server.http}/alertmanager"


@pytest.fixture
def base(servers, tmp_path):
    # Labels of receivers are newer than Debian's Alertmanager.
    return started(servers, tmp_path / "alertmanager.yml", FILE.replace("- name: database", "- name: database\n    labels: {owner: dba}"))


def ask(base, method, path, body=None, **query):
    data = body if isinstance(body, (str, type(None))) else json.dumps(body)
    return requests.request(method, f"{base}/api/v2{path}", params=query, data=data, headers={"Content-Type": "application/json"}, timeout=60)


def fill(base):
    """An alert that is told, one that is silenced, one that is inhibited, one of another receiver; a silence of each state."""
    answer = ask(base, "POST", "/silences", silence())
    assert answer.status_code == 200, answer.text
    pending = ask(base, "POST", "/silences", silence(startsAt="2099-01-01T00:00:00Z")).json()["silenceID"]
    expired = ask(base, "POST", "/silences", silence()).json()["silenceID"]
    assert ask(base, "DELETE", f"/silence/{expired}").status_code == 200
    labels = [
        {"alertname": "A", "severity": "critical"},
        {"alertname": "A", "severity": "warning"},
        {"alertname": "B", "instance": "s"},
        {"alertname": "B", "team": "db"},
    ]
    post(base, *({"labels": each, "annotations": {"summary": "x"}, "generatorURL": "http://here/graph?g0.expr=up"} for each in labels))
    return answer.json()["silenceID"], pending, expired


def test_what_is_described_is_what_is_answered(base):
    if not DESCRIPTION.exists():
        pytest.skip(f"no {DESCRIPTION}: set SIGNALBOX_CONFORMANCE")
    swagger = Swagger(yaml.safe_load(DESCRIPTION.read_text()))
    active, _, expired = fill(base)
    # For each status that is described a request that has it; 500 is for a database that fails.
    bad, known = {"filter": "="}, [{"labels": {"alertname": "A"}}]
    table = {
        ("GET", "/status", 200): {},
        ("GET", "/receivers", 200): {},
        ("GET", "/receivers", 400): {"receiver_matchers": "="},
        ("GET", "/silences", 200): {},
        ("GET", "/silences", 400): bad,
        ("POST", "/silences", 200): silence(),
        ("POST", "/silences", 400): silence(endsAt="2000-01-01T00:00:00Z"),
        ("POST", "/silences", 404): silence(id=NOBODY),
        ("GET", "/silence/{silenceID}", 200): {"silenceID": active},
        ("GET", "/silence/{silenceID}", 404): {"silenceID": NOBODY},
        ("DELETE", "/silence/{silenceID}", 200): {"silenceID": expired},
        ("DELETE", "/silence/{silenceID}", 404): {"silenceID": NOBODY},
        ("GET", "/alerts", 200): {},
        ("GET", "/alerts", 400): bad,
        ("POST", "/alerts", 200): known,
        ("POST", "/alerts", 400): [{"labels": {}}],
        ("GET", "/alerts/groups", 200): {},
        ("GET", "/alerts/groups", 400): bad,
    }
    described = {(method, path, status) for method, path, _, responses in swagger.operations() for status in responses if status != 500}
    assert described == set(table)
    for method, path, _, responses in swagger.operations():
        for status, response in responses.items():
            if status == 500:
                continue
            given = table[method, path, status]
            body = given if method == "POST" else None
            query = {name: value for name, value in given.items() if name != "silenceID"} if method == "GET" else {}
            at = path.format(**given) if "{" in path else path
            answer = ask(base, method, at, body, **query)
            assert answer.status_code == status, f"{method} {path} {given}: {answer.status_code} {answer.text}"
            if "schema" in response:
                assert answer.headers["content-type"] == "application/json"
                problems = swagger.problems(answer.json(), response["schema"])
                assert problems == [], f"{method} {path}: {problems}"
            else:
                assert answer.text == "", f"{method} {path}: {answer.text}"


def names(base, path, **query):
    answer = ask(base, "GET", path, **query)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    alerts = found if path == "/alerts" else [alert for group in found for alert in group["alerts"]]
    return sorted("".join([each["labels"]["alertname"], *(each["labels"].get(name, "")[:1] for name in ["severity", "instance", "team"])]) for each in alerts)


def test_every_parameter_chooses(base):
    active, pending, expired = fill(base)
    everything = ["Ac", "Aw", "Bd", "Bs"]
    for path in ["/alerts", "/alerts/groups"]:
        for query, want in [
            ({}, everything),
            ({"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true", "muted": "true"}, everything),
            ({"active": "false"}, ["Aw", "Bs"]),
            ({"silenced": "false"}, ["Ac", "Aw", "Bd"]),
            ({"inhibited": "false"}, ["Ac", "Bd", "Bs"]),
            ({"unprocessed": "false"}, everything),
            ({"filter": 'alertname="A"'}, ["Ac", "Aw"]),
            ({"filter": ["alertname=B", "team!=db"]}, ["Bs"]),
            ({"filter": "team=~d."}, ["Bd"]),
            ({"receiver": "data.*"}, ["Bd"]),
            ({"receiver": "data"}, []),
            ({"receiver_matchers": "owner=dba"}, ["Bd"]),
            ({"receiver_matchers": "owner=x"}, []),
        ]:
            assert names(base, path, **query) == want, f"{path} {query}"
    assert ask(base, "GET", "/alerts", filter="a=~[").status_code == 400
    assert ask(base, "GET", "/alerts", receiver="[").status_code == 400
    muted = [(group["receiver"]["name"], group["labels"], len(group["alerts"])) for group in ask(base, "GET", "/alerts/groups", muted="false").json()]
    assert muted == [("ops", {"alertname": "A"}, 2), ("database", {"alertname": "B"}, 1)], "a group in which all is muted is left out"
    states = {active: "active", pending: "pending", expired: "expired"}
    for state in ["active", "pending", "expired"]:
        shown = ask(base, "GET", "/silences", **{state: "false"}).json()
        assert {each["id"]: each["status"]["state"] for each in shown} == {id: of for id, of in states.items() if of != state}
    assert [each["id"] for each in ask(base, "GET", "/silences").json()] == [active, pending, expired], "active ones first"
    # Silences are found by their matchers, letter by letter.
    for text, count in [("instance=s", 3), ('instance="s"', 3), ("instance=~s", 0), ("instance!=x", 0), ("other=s", 0)]:
        assert len(ask(base, "GET", "/silences", filter=text).json()) == count, text
    assert [each["name"] for each in ask(base, "GET", "/receivers", receiver_matchers="owner=dba").json()] == ["database"]


@pytest.fixture
def alertmanager(tmp_path):
    """Debian's, with the same file."""
    folder, port = tmp_path / "alertmanager", free_port()
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(FILE)
    arguments = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([ALERTMANAGER, *arguments], stdout=log, stderr=log)
    until(lambda: requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).ok, "Alertmanager")
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def test_requests_are_taken_and_refused_as_alertmanager_does(base, alertmanager):
    without = lambda key: {name: value for name, value in silence().items() if name != key}  # noqa: E731
    matcher = lambda **more: silence(matchers=[{"name": "a", "value": "b", "isRegex": False, **more}])  # noqa: E731
    requests_to_both = [
        ("GET", "/alerts?active=maybe", None),
        ("GET", "/alerts?active=", None),
        ("GET", "/alerts?filter==", None),
        ("GET", "/alerts?filter=", None),
        ("GET", "/alerts?filter=a=~%5B", None),
        ("GET", "/alerts?receiver=%5B", None),
        ("GET", "/alerts/groups?muted=perhaps", None),
        ("GET", "/silences?filter==", None),
        ("GET", "/silence/x", None),
        ("GET", f"/silence/{NOBODY}", None),
        ("DELETE", "/silence/x", None),
        ("PUT", "/silences", None),
        ("DELETE", "/alerts", None),
        ("GET", "/nothing", None),
        *(("POST", "/alerts", body) for body in ["", "{}", "[", "null", "[{}]", "[]", '[{"labels":{"a":1}}]', '[{"labels":{"a":null}}]']),
        ("POST", "/alerts", [{"labels": {}}]),
        ("POST", "/alerts", [{"labels": {"a": ""}}]),
        ("POST", "/alerts", [{"labels": {"": "b"}}]),
        ("POST", "/alerts", [{"labels": {"a": "b"}, "annotations": {"": "b"}}]),
        ("POST", "/alerts", [{"labels": {"a": "b"}, "startsAt": "soon"}]),
        ("POST", "/alerts", [{"labels": {"a": "b"}, "generatorURL": "::x"}]),
        ("POST", "/alerts", [{"labels": {"a": "b"}, "generatorURL": "/x", "more": 1}]),
        ("POST", "/alerts", [{"labels": {"a": "b"}, "startsAt": "2100-01-02T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z"}]),
        *(("POST", "/silences", body) for body in ["", "[]", "{}", "null", silence(), silence(id=NOBODY), silence(id="nobody"), silence(comment=""), silence(more=1)]),
        *(("POST", "/silences", without(key)) for key in silence()),
        ("POST", "/silences", silence(matchers=[])),
        ("POST", "/silences", matcher(name="")),
        ("POST", "/silences", matcher(value="")),
        ("POST", "/silences", matcher(value=".*", isRegex=True)),
        ("POST", "/silences", matcher(value="[", isRegex=True)),
        ("POST", "/silences", matcher(isRegex=None)),
        ("POST", "/silences", matcher(isEqual=False)),
        ("POST", "/silences", silence(startsAt="2100-01-01T00:00:00Z")),
        ("POST", "/silences", silence(startsAt="2000-01-01T00:00:00Z", endsAt="2000-01-02T00:00:00Z")),
        ("POST", "/silences", silence(startsAt="soon")),
        ("POST", "/silences", silence(startsAt="0001-01-01T00:00:00Z")),
    ]
    for method, path, body in requests_to_both:
        theirs, ours = ask(alertmanager, method, path, body), ask(base, method, path, body)
        what = f"{method} {path} {body}"
        assert ours.status_code == theirs.status_code, f"{what}: {ours.status_code} {ours.text}, there {theirs.status_code} {theirs.text}"
        if theirs.status_code == 422:
            assert ours.json() == theirs.json(), what
        elif theirs.text and theirs.status_code != 200:
            assert ours.headers["content-type"] == "application/json", f"{what}: {ours.text}, there {theirs.text}"
            assert isinstance(ours.json(), type(theirs.json())), f"{what}: {ours.text}, there {theirs.text}"
    for content_type in ["text/plain", "application/x-www-form-urlencoded", None]:
        for url in [alertmanager, base]:
            answer = requests.post(f"{url}/api/v2/alerts", data="[]", headers={"Content-Type": content_type} if content_type else {}, timeout=60)
            assert answer.status_code == 415 and answer.json()["code"] == 415, f"{url} {content_type}: {answer.text}"


def run(url, *arguments, ok=True):
    done = subprocess.run([AMTOOL, f"--alertmanager.url={url}", *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == ok, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout if ok else done.stdout + done.stderr


def test_every_command_of_amtool(servers, tmp_path):
    file = tmp_path / "alertmanager.yml"
    base = started(servers, file, FILE)
    run(base, "alert", "add", "DiskFull", "instance=a", "team=db", "--annotation=summary=full", "--generator-url=http://here/", "--end=2100-01-01T00:00:00Z")
    run(base, "alert", "add", "alertname=Other", "node=b")
    assert "DiskFull" in run(base, "alert") and "full" in run(base, "alert", "query", "-o", "extended", "team=db")
    for arguments, want in [(["DiskFull"], ["DiskFull"]), (["--receiver=database"], ["DiskFull"]), (["--receiver=nobody"], []), (["node=~b|c"], ["Other"])]:
        shown = json.loads(run(base, "alert", "query", "-o", "json", *arguments))
        assert [each["labels"]["alertname"] for each in shown] == want, arguments
    assert "DiskFull" in run(base, "alert", "query", "--active", "--silenced", "--inhibited", "--unprocessed")

    known = run(base, "silence", "add", "DiskFull", "--duration=2h", "--author=me", "--comment=why").strip()
    later = run(base, "silence", "add", "team=~d.+", "--start=2100-01-01T00:00:00Z", "--end=2100-01-02T00:00:00Z", "-c", "later", "-a", "you").strip()
    assert run(base, "silence", "query", "-q").split() == [known, later]
    assert run(base, "silence", "query", "-q", "DiskFull").split() == [known]
    assert run(base, "silence", "query", "-q", "--created-by=you").split() == [later]
    assert "team" in run(base, "silence", "query", "-o", "extended", "team=~d.+")
    assert [each["labels"]["alertname"] for each in json.loads(run(base, "alert", "query", "-s", "-o", "json", "DiskFull"))] == ["DiskFull"]
    assert "longer" in run(base, "silence", "update", known, "--duration=3h", "--comment=longer")
    run(base, "silence", "expire", known)
    run(base, "silence", "expire", known)
    assert run(base, "silence", "query", "-q", "--expired").split() == [known]
    saved = tmp_path / "silences.json"
    saved.write_text(run(base, "silence", "query", "-o", "json"))
    assert run(base, "silence", "import", str(saved)).split() == [later], "a silence that is there stays what it is"
    assert run(base, "silence", "import", "--force", str(saved)).split() != [later]
    assert len(run(base, "silence", "query", "-q").split()) == 2
    run(base, "silence", "expire", NOBODY, ok=False)
    assert "comment" in run(base, "silence", "add", "nothing", ok=False)

    assert "SUCCESS" in run(base, "check-config", str(file))
    assert 'team="db"' in run(base, "config", "routes") and run(base, "config", "routes") == run(base, "config", "routes", "show")
    assert run(base, "config", "routes", "test", "team=db").strip() == "database"
    run(base, "config", "routes", "test", "--verify.receivers=database", "team=x", ok=False)
    assert "ops" in run(base, "config", "routes", "test", "--tree", "--verify.receivers=ops", "team=x")
    shown = run(base, "config", "show")
    assert shown == run(base, "config") and "inhibit_rules" in shown
    assert "disabled" in run(base, "cluster", "show")
    assert amtool(base, "cluster") == run(base, "cluster", "show")
    (tmp_path / "some.tmpl").write_text('{{ define "some" }}{{ .Receiver }}: {{ len .Alerts }}{{ end }}')
    assert "Alerts" not in run(base, "template", "render", f"--template.glob={tmp_path}/*.tmpl", '--template.text={{ template "some" . }}')


@pytest.mark.parametrize("receivers", [0, 1, 2])
def test_amtool_reads_the_routes_of_a_server_without_a_file(servers, receivers):
    named = [{"name": name, "webhook": {"url": "http://127.0.0.1:9/"}} for name in ["people", "robots"][:receivers]]
    server = servers(config={"notify": {"receivers": named}, "alert": {"builtin": {"enabled": False}, "group_wait_seconds": 3600}})
    server.start()
    base = f"{server.http}/alertmanager"
    everybody = "people" if receivers == 1 else "notify.receivers"
    assert f"receiver: {everybody}" in run(base, "config", "routes", "show")
    assert run(base, "config", "routes", "test", "team=x").strip() == everybody
    post(base, {"labels": {"alertname": "A"}})
    alerts, groups = ask(base, "GET", "/alerts").json(), ask(base, "GET", "/alerts/groups").json()
    assert [each["name"] for each in alerts[0]["receivers"]] == [each["name"] for each in named]
    assert [group["receiver"]["name"] for group in groups] == [everybody]

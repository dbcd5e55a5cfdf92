"""Rules that are set over HTTP, as mimirtool, cortextool and lokitool do it: durable before they are acknowledged, in force soon after,
beside rule files that are watched; and back into files."""

import subprocess
import time
import urllib.parse

import yaml
from server import BINARY, until

FILE = """
groups:
  - name: of-file
    interval: 1s
    rules:
      - alert: Always
        expr: vector(7) > 1
        for: 1h
      - record: one
        expr: vector(1)
"""
MIMIR = "/prometheus/config/v1/rules"
LOKI = "/loki/api/v1/rules"
# The rules about the server itself are not what is looked at.
OWN_RULES = {"rule_files_interval_seconds": 1, "builtin": {"enabled": False}}


def group(name, *rules, **more):
    return {"name": name, "interval": "1s", "rules": list(rules), **more}


def alert(name, expr, **more):
    return {"alert": name, "expr": expr, **more}


def send(server, method, path, body=None):
    headers = {"X-Scope-OrgID": "anonymous", "User-Agent": "mimirtool/2.14"}
    data = None if body is None else yaml.safe_dump(body)
    return server.session.request(method, server.http + path, data=data, headers=headers, timeout=60)


def set_group(server, base, namespace, body):
    answer = send(server, "POST", f"{base}/{urllib.parse.quote(namespace, safe='')}", body)
    assert answer.status_code == 202 and answer.json()["status"] == "success", answer.text


def listed(server, base):
    answer = send(server, "GET", base)
    if answer.status_code == 404:
        return {}
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("application/yaml"), answer.text
    return {namespace: [each["name"] for each in groups] for namespace, groups in yaml.safe_load(answer.text).items()}


def in_force(server):
    return {(each["file"], each["name"]): each for each in server.json("/api/v1/rules")["data"]["groups"]}


def one_in_force(server, of):
    found = in_force(server)
    assert of in found, f"{of} is not in force yet"
    return found[of]


def test_groups_survive_a_kill_and_disturb_nobody(servers, tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(FILE)
    server = servers(config={"alert": OWN_RULES | {"rule_files": [str(path)]}}).start()
    file = (str(path), "of-file")
    pending = lambda: next(iter(one_in_force(server, file)["rules"][0]["alerts"]), None)
    active_at = until(pending, "the alert of the file")["activeAt"]

    # A group is there after a kill that follows its acknowledgement at once.
    down = group("g/1", alert("Down", "vector(3) > 2", labels={"team": "{{ $value }}"}, **{"for": "0s"}), limit=5)
    set_group(server, MIMIR, "team a", down)
    server.kill()
    server.start()
    assert listed(server, MIMIR) == {str(path): ["of-file"], "team a": ["g/1"]}
    assert yaml.safe_load(send(server, "GET", f"{MIMIR}/team%20a/g%2F1").text) == down
    until(lambda: one_in_force(server, ("team a", "g/1"))["rules"][0]["state"] == "firing", "the alert that was set")
    assert [found["labels"] for found in server.json("/alertmanager/api/v2/alerts")] == [{"alertname": "Down", "team": "3"}]
    assert pending()["activeAt"] == active_at

    # In force without a restart, changed by its name; others go on.
    evaluated = one_in_force(server, file)["lastEvaluation"]
    set_group(server, MIMIR, "team a", group("other", {"record": "three", "expr": "vector(3)"}))
    set_group(server, "/api/v1/rules", "team a", group("other", {"record": "four", "expr": "vector(4)"}))
    until(lambda: [float(found["value"][1]) for found in server.query("four")] == [4.0], "the recorded series")
    until(lambda: one_in_force(server, file)["lastEvaluation"] > evaluated, "an evaluation of the file")
    assert pending()["activeAt"] == active_at
    assert one_in_force(server, ("team a", "g/1"))["rules"][0]["state"] == "firing"

    # What is refused changes nothing.
    for body, why in [({"name": "x", "rules": [{"alert": "A", "expr": "up =="}]}, "could not parse expression"), ({"rules": []}, "Groupname"), ([], "mapping")]:
        answer = send(server, "POST", f"{MIMIR}/team%20a", body)
        assert answer.status_code == 400 and why in answer.text, answer.text
    owned = urllib.parse.quote(str(path), safe="")
    for method, place in [("POST", owned), ("DELETE", owned), ("DELETE", f"{owned}/of-file")]:
        answer = send(server, method, f"{MIMIR}/{place}", group("of-file"))
        assert answer.status_code == 403 and "is a rule file" in answer.text, answer.text
    assert send(server, "DELETE", f"{MIMIR}/team%20a/nothing").status_code == 404
    assert listed(server, MIMIR)["team a"] == ["g/1", "other"]

    # LogQL is implied where Loki's rules are, and its groups are shown there.
    logs = group("logs", alert("Spoken", 'sum(count_over_time({service_name="shop"} |= "error" [1h])) > 0'))
    set_group(server, LOKI, "team a", logs)
    push = {"streams": [{"stream": {"service_name": "shop"}, "values": [[str(time.time_ns()), "an error"]]}]}
    assert server.session.post(server.http + "/loki/api/v1/push", json=push).status_code == 204
    until(lambda: one_in_force(server, ("team a", "logs"))["rules"][0]["state"] == "firing", "the alert over logs")
    assert listed(server, LOKI) == {"team a": ["logs"]} and "logs" not in listed(server, MIMIR)["team a"]
    assert yaml.safe_load(send(server, "GET", f"{LOKI}/team%20a/logs").text) == logs
    shown = server.json("/loki/prometheus/api/v1/rules")["data"]["groups"]
    assert [(each["file"], each["name"]) for each in shown] == [("team a", "logs")]
    assert [found["labels"]["alertname"] for found in server.json("/loki/prometheus/api/v1/alerts")["data"]["alerts"]] == ["Spoken"]
    assert listed(server, "/api/prom/rules")["team a"] == ["g/1", "logs", "other"]
    assert send(server, "POST", f"{MIMIR}/team%20a", group("logs")).status_code == 400

    # Out as files, which load, and in again.
    exported = tmp_path / "exported"
    subprocess.run([BINARY, "rules", "export", "--url", server.http, "--set", "--dir", str(exported)], check=True, capture_output=True)
    [copy] = exported.iterdir()
    assert copy.name == "team a.yaml" and [each["name"] for each in yaml.safe_load(copy.read_text())["groups"]] == ["g/1", "logs", "other"]
    subprocess.run([BINARY, "check", "rules", str(copy)], check=True, capture_output=True)
    shown = subprocess.run([BINARY, "rules", "export", "--url", server.http, "--namespace", str(path)], check=True, capture_output=True, text=True).stdout
    assert yaml.safe_load(shown) == yaml.safe_load(FILE)
    again = [BINARY, "rules", "import", "--url", server.http, "--namespace", "again", str(copy)]
    subprocess.run(again, check=True, capture_output=True)
    assert listed(server, "/api/prom/rules")["again"] == ["g/1", "logs", "other"]
    text = copy.read_text()
    copy.write_text("groups:\n- name: other\n  rules: []\n")
    subprocess.run([*again, "--prune"], check=True, capture_output=True)
    assert listed(server, MIMIR)["again"] == ["other"]
    copy.write_text("groups: [{name: x, nonsense: 1}]")
    assert subprocess.run(again, capture_output=True).returncode == 2
    copy.write_text(text)

    # Deleted, its alert is over.
    assert send(server, "DELETE", f"{MIMIR}/team%20a/g%2F1").status_code == 202
    until(lambda: ("team a", "g/1") not in in_force(server), "the end of the group")
    changes = server.json("/api/v1/alerting/history", group="g/1")["data"]
    assert changes[0]["change"] == "resolved" and changes[0]["error"] == "its rule is gone"
    for namespace in ["team%20a", "again"]:
        assert send(server, "DELETE", f"{MIMIR}/{namespace}").status_code == 202
    until(lambda: set(in_force(server)) == {file}, "only the file")
    assert pending()["activeAt"] == active_at


def test_rule_files_are_watched(servers, tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    server = servers(config={"alert": OWN_RULES | {"rule_files": [str(folder / "*.yaml")]}}).start()
    server.expected.append("rule files have changed and are not in force")
    assert in_force(server) == {}
    (folder / "a.yaml").write_text(FILE)
    until(lambda: (str(folder / "a.yaml"), "of-file") in in_force(server), "the file that came")
    (folder / "b.yaml").write_text("groups: [{name: broken, rules: [{record: x, expr: 'up =='}]}]")
    until(lambda: "not in force" in server.text(), "the complaint")
    assert len(in_force(server)) == 1
    set_group(server, MIMIR, "beside", group("g", {"record": "five", "expr": "vector(5)"}))
    until(lambda: ("beside", "g") in in_force(server), "what was set beside a broken file")
    (folder / "b.yaml").write_text("groups: [{name: whole, rules: [{record: six, expr: vector(6)}]}]")
    until(lambda: (str(folder / "b.yaml"), "whole") in in_force(server), "the file that was mended")
    (folder / "a.yaml").unlink()
    until(lambda: set(in_force(server)) == {(str(folder / "b.yaml"), "whole"), ("beside", "g")}, "the end of the file that went")

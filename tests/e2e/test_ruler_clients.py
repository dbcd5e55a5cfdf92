"""The tools that people set rules and the Alertmanager configuration with: lokitool, mimirtool and cortextool as they are built, where there is
one, on the path or at `LOKITOOL_BIN`, `MIMIRTOOL_BIN`, `CORTEXTOOL_BIN`. What they send is tested without them in `test_ruler.py` and below."""

import os
import shutil
import subprocess

import pytest
import yaml
from alert_world import Hook
from server import until
from test_alertmanager import post

TOOLS = {name: os.environ.get(f"{name.upper()}_BIN") or shutil.which(name) for name in ["lokitool", "mimirtool", "cortextool"]}
METRICS = "sum by (job) (rate(requests_total[5m])) > 1"
LOGS = 'sum by (service_name) (rate({service_name="shop"} |= "failed" [5m])) > 1'


def needs(name):
    return pytest.param(name, marks=pytest.mark.skipif(TOOLS[name] is None, reason=f"no {name}: want one on the path or at {name.upper()}_BIN"))


class Tool:
    def __init__(self, name, folder, address):
        self.name, self.folder, self.address = name, folder, address

    def asks(self, *arguments):
        """What it says, and whether it is content. Words before `--` say what is asked; the address comes behind them."""
        where = [f"--address={self.address}", "--id=anonymous"]
        if (self.name, arguments[0]) == ("cortextool", "rules"):
            # Cortex lists rules where Prometheus does, in its own form; below `/api/prom` the two are apart.
            where.append("--use-legacy-routes")
        done = subprocess.run([TOOLS[self.name], *arguments, *where], cwd=self.folder, capture_output=True, text=True, timeout=120)
        return done.returncode == 0, done.stdout + done.stderr

    def done(self, *arguments):
        is_content, said = self.asks(*arguments)
        assert is_content, f"{self.name} {arguments}: {said}"
        return said

    def works(self, *arguments):
        """What needs no server."""
        done = subprocess.run([TOOLS[self.name], *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120)
        return done.returncode == 0, done.stdout + done.stderr


def rules(name, expr):
    return yaml.safe_dump({"namespace": "shop", "groups": [{"name": name, "rules": [{"alert": "Failing", "expr": expr, "for": "5m", "labels": {"team": "shop"}}]}]})


@pytest.mark.parametrize("name", [needs("lokitool"), needs("mimirtool"), needs("cortextool")])
def test_rules_are_loaded_listed_compared_and_deleted(servers, tmp_path, name):
    server = servers(config={"alert": {"builtin": {"enabled": False}}}).start()
    tool, expr = Tool(name, tmp_path, server.http), LOGS if name == "lokitool" else METRICS
    (tmp_path / "rules.yaml").write_text(rules("first", expr))
    tool.done("rules", "load", "rules.yaml")
    assert "shop" in tool.done("rules", "list") and "first" in tool.done("rules", "list")
    assert "Failing" in tool.done("rules", "print", "--disable-color") and "Failing" in tool.done("rules", "get", "shop", "first", "--disable-color")
    [group] = server.json("/api/v1/rules")["data"]["groups"]
    assert (group["file"], group["name"], group["rules"][0]["labels"]) == ("shop", "first", {"team": "shop"})

    same = tool.done("rules", "diff", "--rule-files=rules.yaml", "--disable-color")
    assert "no changes detected" in same, same
    (tmp_path / "rules.yaml").write_text(rules("second", expr))
    other = tool.done("rules", "diff", "--rule-files=rules.yaml", "--disable-color")
    assert "1 Groups Created, 0 Groups Updated, 1 Groups Deleted" in other, other
    tool.done("rules", "sync", "--rule-files=rules.yaml")
    assert "second" in tool.done("rules", "list") and "first" not in tool.done("rules", "list")
    server.kill()
    tool.address = server.start().http
    assert "second" in tool.done("rules", "list"), "what was answered is durable"
    is_content, said = tool.works("rules", "check", "rules.yaml")
    assert is_content, said

    (tmp_path / "wrong.yaml").write_text(rules("wrong", "sum(").replace("shop", "wrong"))
    assert not tool.asks("rules", "load", "wrong.yaml")[0]
    tool.done("rules", "delete", "shop", "second")
    assert "second" not in tool.asks("rules", "list")[1]
    assert server.json("/api/v1/rules")["data"]["groups"] == []


CONFIG = """
route: {receiver: people, group_wait: 0s, group_by: [alertname]}
templates: [people.tmpl]
receivers:
- name: people
  webhook_configs: [{url: "URL"}]
"""
TEMPLATE = '{{ define "mine" }}of mine{{ end }}\n'


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.stop()


@pytest.mark.parametrize("name", [needs("mimirtool"), needs("cortextool")])
def test_the_alertmanager_configuration_is_loaded_shown_and_deleted(servers, hook, tmp_path, name):
    server = servers(config={"alert": {"builtin": {"enabled": False}}, "notify": {"internal_networks": ["127.0.0.0/8"]}}).start()
    tool = Tool(name, tmp_path, f"{server.http}/alertmanager")
    assert "no alertmanager config currently exist" in tool.done("alertmanager", "get").lower()
    (tmp_path / "alertmanager.yml").write_text(CONFIG.replace("URL", hook.url))
    (tmp_path / "people.tmpl").write_text(TEMPLATE)
    tool.done("alertmanager", "load", "alertmanager.yml", "people.tmpl")
    shown = tool.done("alertmanager", "get", "--disable-color")
    assert hook.url in shown and 'define "mine"' in shown
    post(f"{server.http}/alertmanager", {"labels": {"alertname": "Told"}})
    until(lambda: hook.posts, "the message")
    (tmp_path / "alertmanager.yml").write_text(CONFIG.replace('url: "URL"', "url_file: /etc/passwd"))
    is_content, said = tool.asks("alertmanager", "load", "alertmanager.yml", "people.tmpl")
    assert not is_content and "cannot name files of the server" in said
    tool.done("alertmanager", "delete")
    assert "no alertmanager config currently exist" in tool.done("alertmanager", "get").lower()
    if name == "mimirtool":
        tool.address = server.http
        tool.done("alerts", "verify")


def test_the_alertmanager_configuration_is_durable_and_a_file_goes_before_it(servers, hook, tmp_path):
    """What `mimirtool alertmanager load`, `get` and `delete` send."""
    other = Hook()
    settings = {"builtin": {"enabled": False}, "group_wait_seconds": 0}
    receivers = {"receivers": [{"name": "own", "webhook": {"url": other.url}}], "internal_networks": ["127.0.0.0/8"]}
    server = servers(config={"alert": settings, "notify": receivers}).start()

    def ask(method, config=None, templates=None):
        document = None if config is None else yaml.safe_dump({"template_files": templates or {}, "alertmanager_config": config})
        headers = {"X-Scope-OrgID": "anonymous", "User-Agent": "mimirtool/2.14"}
        return server.session.request(method, f"{server.http}/alertmanager/api/v1/alerts", data=document, headers=headers, timeout=60)

    def tell(name):
        post(f"{server.http}/alertmanager", {"labels": {"alertname": name}})

    def told(of):
        return {alert["labels"]["alertname"] for message in of.posts for alert in message["alerts"]}

    assert ask("GET").status_code == 404
    config = CONFIG.replace("URL", hook.url)
    answer = ask("POST", config, {"people.tmpl": TEMPLATE})
    assert answer.status_code == 201, answer.text
    server.kill()
    server.start()
    answer = ask("GET")
    assert answer.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(answer.text) == {"template_files": {"people.tmpl": TEMPLATE}, "alertmanager_config": config}
    assert hook.url not in server.json("/alertmanager/api/v2/status")["config"]["original"], "what everybody sees has no secrets"
    tell("First")
    until(lambda: "First" in told(hook), "the message to whom the configuration names")
    for wrong, why in [
        ("", "configuration provided is empty"),
        (config.replace("people, group", "nobody, group"), "nobody"),
        (config.replace("webhook_configs", "pigeon_configs"), "pigeon_configs"),
        (config.replace('url: "', 'url_file: "'), "cannot name files of the server"),
    ]:
        answer = ask("POST", wrong, {"people.tmpl": TEMPLATE})
        assert answer.status_code == 400 and answer.text.startswith("error validating Alertmanager config: ") and why in answer.text, answer.text
    answer = ask("POST", config, {"people.tmpl": "{{ wrong"})
    assert answer.status_code == 400 and "people.tmpl" in answer.text
    answer = ask("POST", config, {"../people.tmpl": TEMPLATE})
    assert answer.status_code == 400 and "the template name cannot contain any path" in answer.text
    assert yaml.safe_load(ask("GET").text)["alertmanager_config"] == config, "what is wrong changes nothing"

    # A message may be on its way to whom nobody names any more.
    server.expected.append("its channel is not configured any more")
    assert ask("DELETE").status_code == 200 and ask("GET").status_code == 404
    tell("Second")
    until(lambda: "Second" in told(other), "the message to whom the settings name")
    assert "Second" not in told(hook)

    # A file goes before what was set, and says so.
    assert ask("POST", config, {"people.tmpl": TEMPLATE}).status_code == 201
    server.stop()
    file = tmp_path / "alertmanager.yml"
    file.write_text("route: {receiver: filed}\nreceivers: [{name: filed}]\n")
    server.config["alert"]["alertmanager_config_file"] = str(file)
    server.expected.append("alert.alertmanager_config_file goes before it")
    server.start()
    assert [each["name"] for each in server.json("/alertmanager/api/v2/receivers")] == ["filed"]
    answer = ask("POST", config, {"people.tmpl": TEMPLATE})
    assert answer.status_code == 403 and "alert.alertmanager_config_file" in answer.text
    assert ask("GET").status_code == 404
    other.stop()

"""Rules that are not in force: checked, tested and tried over history, from the command line and by API, beside Debian's promtool."""

import json
import os
import pathlib
import subprocess
import time
import xml.etree.ElementTree

import pytest
import remote_write
import requests
from server import BINARY
from test_prometheus import PROMETHEUS

PROMTOOL = PROMETHEUS.with_name("promtool")
CONFORMANCE = pathlib.Path(os.environ.get("SIGNALBOX_CONFORMANCE") or pathlib.Path(__file__).resolve().parents[3] / "shared/conformance")

MINUTE_MS = 60_000

RULES = """
groups:
- name: shop
  rules:
  - alert: QueueGrows
    expr: shop_queue_depth > 10
    for: 2m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.instance }} has {{ $value }} waiting"}
  - record: job:shop_queue_depth:max
    expr: max by (job) (shop_queue_depth)
"""

TESTS = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: grows
  interval: 1m
  input_series:
  - {series: 'shop_queue_depth{instance="a", job="shop"}', values: '0 20x5 0x5'}
  alert_rule_test:
  - {eval_time: 2m, alertname: QueueGrows}
  - eval_time: 4m
    alertname: QueueGrows
    exp_alerts:
    - exp_labels: {severity: page, instance: a, job: shop}
      exp_annotations: {summary: a has 20 waiting}
  promql_expr_test:
  - {expr: job:shop_queue_depth:max, eval_time: 3m, exp_samples: [{labels: 'job:shop_queue_depth:max{job="shop"}', value: 20}]}
- name: stays
  interval: 1m
  input_series:
  - {series: 'shop_queue_depth{instance="a", job="shop"}', values: '9x9'}
  alert_rule_test:
  - {eval_time: 9m, alertname: QueueGrows, exp_alerts: []}
"""


def run(*arguments, text=None):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, input=text, timeout=600)


def judged_by_promtool(*arguments, text=None):
    if not PROMTOOL.exists():
        pytest.skip(f"no {PROMTOOL}: tests/need prometheus")
    return subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, input=text, timeout=600).returncode


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "tests.yml").write_text(TESTS)
    return tmp_path


def test_check_rules_ends_as_promtool_does(folder):
    texts = {
        "good": RULES,
        "bad": RULES.replace("> 10", "> ("),
        "unknown": RULES.replace("  rules:", "  owner: shop\n  rules:"),
        "twice": RULES + "  - {record: 'job:shop_queue_depth:max', expr: vector(1)}\n",
        "empty": "",
        "none": "groups: [",
    }
    for name, text in texts.items():
        path = folder / f"{name}.yml"
        path.write_text(text)
        # Debian's promtool knows no --ignore-unknown-fields.
        for flags in ([], ["--lint-fatal"], ["--lint=all", "--lint-fatal"], ["--lint=none", "--lint-fatal"]):
            wanted = judged_by_promtool("check", "rules", *flags, path)
            assert run("check", "rules", *flags, path).returncode == wanted, (name, flags)
    checked = run("check", "rules", folder / "good.yml", folder / "twice.yml")
    assert checked.stdout == f"Checking {folder}/good.yml\n  SUCCESS: 2 rules found\n\nChecking {folder}/twice.yml\n\n"
    assert "1 duplicate rule(s) found.\nMetric: job:shop_queue_depth:max" in checked.stderr
    assert run("check", "rules", text=RULES).stdout == "Checking standard input\n  SUCCESS: 2 rules found\n\n"
    assert run("check", "rules", text="groups: [").returncode == 1
    assert run("check", "rules", "--ignore-unknown-fields", folder / "unknown.yml").returncode == 0
    assert run("check", "rules", folder / "missing.yml").returncode == 1
    assert run("check", "rules", "--lint=some", folder / "good.yml").returncode == 2


def test_unit_tests_end_as_those_of_promtool_do(folder):
    wrong = TESTS.replace("value: 20", "value: 21").replace("exp_alerts: []", "exp_alerts: [{exp_labels: {severity: page}}]")
    (folder / "wrong.yml").write_text(wrong)
    (folder / "odd.yml").write_text(TESTS.replace("eval_time: 3m", "eval_tme: 3m"))
    for name in ("tests", "wrong", "odd"):
        path = folder / f"{name}.yml"
        assert run("test", "rules", path).returncode == judged_by_promtool("test", "rules", path), name
    good = run("test", "rules", folder / "tests.yml")
    assert (good.returncode, good.stdout) == (0, f"Unit Testing:  {folder}/tests.yml\n  SUCCESS\n\n"), good.stderr
    report = folder / "junit.xml"
    bad = run("test", "rules", "--diff", "--junit", report, folder / "tests.yml", folder / "wrong.yml")
    assert bad.returncode == 1
    for part in ("exp: job:shop_queue_depth:max{job=\"shop\"} 2.1E+01", "got: job:shop_queue_depth:max{job=\"shop\"} 2E+01", '- label severity: "page"'):
        assert part in bad.stderr, bad.stderr
    suites = xml.etree.ElementTree.parse(report).getroot()
    assert [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites] == [("2", "0", "0"), ("2", "2", "0")]
    assert run("test", "rules", "--run", "sta", "--run", "nothing", folder / "tests.yml").returncode == 0
    assert run("test", "rules", "--run", "grows", folder / "wrong.yml").returncode == 1
    assert run("test", "rules", "--run", "no such", folder / "wrong.yml").returncode == 0
    assert "20 @[1m]" in run("test", "rules", "--debug", folder / "tests.yml").stderr
    assert run("test", "rules").returncode == 2
    assert run("test", "rules", "--run", "(", folder / "tests.yml").returncode == 2


def test_files_of_promtool_end_as_it_says():
    folder = CONFORMANCE / "rules/promtool"
    if not folder.exists():
        pytest.skip(f"no {folder}: set SIGNALBOX_CONFORMANCE")
    cases = [json.loads(line) for line in (CONFORMANCE / "rules/promtool-unittest-expected.jsonl").read_text().splitlines()]
    assert len(cases) == 13
    for case in cases:
        if case["name"] == "Disabled feature (negative offset)":
            continue  # Nothing here is behind a flag.
        flags = [part for pattern in case.get("run_filter") or [] for part in ("--run", pattern)]
        flags += ["--ignore-unknown-fields"] if "extra fields" in case["name"] else []
        ended = run("test", "rules", *flags, *(folder / name for name in case["files"]))
        assert ended.returncode == case["exit"], (case["name"], ended.stderr)


def test_rules_are_checked_and_tried_by_api_and_from_the_command_line(servers, folder):
    config = {"alert": {"evaluation_interval_seconds": 60, "group_wait_seconds": 30, "external_labels": {"cluster": "x"}}}
    server = servers(config=config).start()
    url = f"{server.http}/api/v1/alerting/rules"
    checked = requests.post(f"{url}/check", json={"text": RULES}, timeout=60).json()
    assert checked["status"] == "success"
    assert [(rule["name"], rule["type"], rule["lang"]) for rule in checked["data"]["groups"][0]["rules"]] == [
        ("QueueGrows", "alerting", "promql"),
        ("job:shop_queue_depth:max", "recording", "promql"),
    ]
    checked = requests.post(f"{url}/check", json={"text": RULES.replace("> 10", "> (")}, timeout=60).json()["data"]
    assert [(error["line"], error["column"], error["group"], error["rule"]) for error in checked["errors"]] == [(6, 11, "shop", "QueueGrows")]

    # An hour of minutes: high from the tenth to the nineteenth.
    end_ms = int(time.time()) // 60 * MINUTE_MS
    start_ms = end_ms - 60 * MINUTE_MS
    samples = [(20.0 if 10 <= minute < 20 else 1.0, start_ms + minute * MINUTE_MS) for minute in range(61)]
    labels = {"__name__": "shop_queue_depth", "instance": "a", "job": "shop"}
    assert remote_write.post(server.http, remote_write.v1([(labels, samples)])).status_code < 300

    def at(minute):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((start_ms + minute * MINUTE_MS) / 1000)) + ".000Z"

    body = {"text": RULES, "start": start_ms / 1000, "end": end_ms / 1000}
    tried = requests.post(f"{url}/backtest", json=body, timeout=60).json()
    alert, record = tried["data"]["rules"]
    assert (alert["evaluations"], alert["errors"], record["evaluations"], record["firings"]) == (61, [], 61, [])
    [firing] = alert["firings"]
    assert (firing["pending_at"], firing["fired_at"], firing["resolved_at"], firing["value_max"]) == (at(10), at(12), at(20), 20.0)
    assert firing["labels"] == {"alertname": "QueueGrows", "severity": "page", "instance": "a", "job": "shop"}
    assert [(message["reason"], message["firing"], message["resolved"]) for message in alert["notifications"]] == [
        ("first notification", 1, 0),
        ("all alerts resolved", 0, 1),
    ]
    assert alert["notification_count"] == 2

    refused = requests.post(f"{url}/backtest", json=body | {"text": "groups: 1"}, timeout=60)
    assert (refused.status_code, refused.json()["errorType"]) == (400, "bad_data")
    refused = requests.post(f"{url}/backtest", json=body | {"step": "1ms", "start": 0}, timeout=60)
    assert refused.status_code == 400 and "want at most 1000000" in refused.json()["error"]
    assert requests.post(f"{url}/backtest", json=body | {"rule": "Other"}, timeout=60).status_code == 404

    times = ["--start", at(0), "--end", str(end_ms / 1000)]
    by_server = run("backtest", "rules", folder / "rules.yml", *times, "--url", server.http, "--json")
    assert by_server.returncode == 0, by_server.stderr
    assert json.loads(by_server.stdout) == tried["data"]
    assert run("backtest", "rules", folder / "rules.yml", *times, "--data-dir", server.data).returncode == 1, "a server has it"
    server.stop()
    by_folder = run("backtest", "rules", folder / "rules.yml", *times, "--config", server.folder / "config.yaml", "--data-dir", server.data, "--json")
    assert by_folder.returncode == 0, by_folder.stderr
    assert json.loads(by_folder.stdout) == tried["data"]
    shown = run("backtest", "rules", folder / "rules.yml", *times, "--rule", "QueueGrows", "--data-dir", server.data)
    assert shown.stdout.startswith("shop / QueueGrows: 61 evaluations, fired 1 times, 2 notifications\n"), shown.stdout + shown.stderr
    assert run("backtest", "rules", folder / "rules.yml", "--data-dir", folder / "nothing").returncode == 1
    assert run("backtest", "rules", folder / "rules.yml", "--start", "soon", "--data-dir", server.data).returncode == 2

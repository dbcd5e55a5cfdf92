"""Pulling: the same prometheus.yml as Prometheus' gives the same series; formats, secrets, staleness, reloads."""

import os
import pathlib
import signal
import subprocess
import time

import prometheus_client.openmetrics.exposition
import pytest
import requests
from pages import OPEN_METRICS, PROTOBUF, Target, certificate, native_histogram
from prometheus_client import CollectorRegistry, Counter, Gauge
from server import PATIENCE, until
from test_prometheus import NODE_EXPORTER, PROMETHEUS, free_port


class Scraped:
    """A server of ours that scrapes what a prometheus.yml says."""

    def __init__(self, servers, folder, config, name="scraping"):
        self.file = folder / f"{name}.yml"
        self.file.write_text(config)
        self.server = servers(name, config={"telemetry": {"self_watch": False}}, arguments=["--prometheus-config", str(self.file)]).start()

    def value(self, query):
        found = self.server.query(query)
        return float(found[0]["value"][1]) if found else None

    def reload(self, config):
        self.file.write_text(config)
        return self.server.session.post(self.server.http + "/-/reload", timeout=PATIENCE)

    def targets(self):
        return {target["scrapePool"]: target for target in self.server.json("/api/v1/targets", state="active")["data"]["activeTargets"]}


@pytest.fixture
def targets():
    """Makes targets; they are stopped at the end."""
    made = []

    def make(*arguments, **options):
        made.append(Target(*arguments, **options))
        return made[-1]

    yield make
    for target in made:
        target.stop()


def comparable(series):
    """A label set in the form that both versions share: since 3.0 bounds are written as numbers with a point."""
    labels = dict(series)
    for bound in ("le", "quantile"):
        if bound in labels:
            labels[bound] = str(float(labels[bound]))
    return frozenset(labels.items())


def test_the_same_file_gives_the_same_series_as_prometheus(servers, tmp_path, targets):
    page = 'a_total{job="own",x="1"} 5\nb 2\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 3\nh_sum 4.5\nh_count 3\ndropped 1\n'
    exporter, address = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["{exporter}"], labels: {{env: test}}}}]}}
  - {{job_name: nobody, static_configs: [{{targets: ["127.0.0.1:{free_port()}"]}}]}}
  - job_name: page
    params: {{module: [one]}}
    static_configs: [{{targets: ["{targets(page).address}", "{targets(page).address}"]}}]
    relabel_configs:
      - {{source_labels: [__param_module], target_label: module}}
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: dropped, action: drop}}
  - job_name: honest
    honor_labels: true
    static_configs: [{{targets: ["{targets(page).address}"]}}]
  - job_name: limited
    sample_limit: 3
    static_configs: [{{targets: ["{targets(page).address}"]}}]
"""
    ours = Scraped(servers, tmp_path, config)
    (tmp_path / "theirs.yml").write_text(config)
    commands = [
        [NODE_EXPORTER, f"--web.listen-address={exporter}"],
        [PROMETHEUS, f"--config.file={tmp_path}/theirs.yml", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={address}"],
    ]
    with open(tmp_path / "log", "wb") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            # The node-exporter measures other things in every scrape; what it measures stays the same.
            is_compared = '{job!="", __name__!~"scrape_duration_seconds|scrape_series_added|node_scrape_collector_duration_seconds|go_.*|process_.*|promhttp_.*"}'

            def theirs(query):
                answer = requests.get(f"http://{address}/api/v1/query", params={"query": query}, timeout=PATIENCE).json()
                return answer["data"]["result"]

            def agree():
                mine, other = ours.server.query(is_compared), theirs(is_compared)
                assert len(mine) > 300 and {comparable(series["metric"]) for series in mine} == {comparable(series["metric"]) for series in other}
                for query in ["up", '{job=~"page|honest"}', 'scrape_samples_scraped{job!="node"}', 'scrape_samples_post_metric_relabeling{job!="node"}']:
                    values = [{comparable(s["metric"]): s["value"][1] for s in found if s["metric"].get("__name__") != "scrape_duration_seconds"} for found in (ours.server.query(query), theirs(query))]
                    assert values[0] == values[1] and values[0], query
                return True

            until(agree, "the same series and values")
            health = {target["labels"]["job"]: target["health"] for target in requests.get(f"http://{address}/api/v1/targets", timeout=PATIENCE).json()["data"]["activeTargets"]}
            assert {pool: target["health"] for pool, target in ours.targets().items()} == health
            assert ours.targets()["limited"]["lastError"] == "sample limit exceeded"
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(20)


def test_formats_secrets_and_what_is_shown(servers, tmp_path, targets):
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests.", ["path"], registry=registry)
    counter.labels("/a").inc(3, exemplar={"trace_id": "0af7651916cd43dd8448eb211c80319c"})
    Gauge("temperature", "Now.", unit="celsius", registry=registry).set(21.5)
    client = targets(prometheus_client.openmetrics.exposition.generate_latest(registry), OPEN_METRICS)
    native = targets(native_histogram("latency", 6, 12.5, 0, 1, [1, 2, -1]), PROTOBUF)
    cert = certificate(tmp_path)
    secret = targets("inside 1\n", password="me:secret", certificate=cert)
    config = f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - {{job_name: client, static_configs: [{{targets: ["{client.address}"]}}]}}
  - {{job_name: native, scrape_native_histograms: true, static_configs: [{{targets: ["{native.address}"]}}]}}
  - job_name: secret
    scheme: https
    basic_auth: {{username: me, password: secret}}
    tls_config: {{ca_file: cert.pem}}
    static_configs: [{{targets: ["{secret.address}"]}}]
    relabel_configs: [{{target_label: zone, replacement: inner}}]
"""
    ours = Scraped(servers, tmp_path, config)
    until(lambda: ours.value("sum(up)") == 3, "all targets")
    assert ours.value('requests_total{path="/a"}') == 3 and ours.value("temperature_celsius") == 21.5
    assert ours.value("histogram_count(latency)") == 6 and ours.value("histogram_sum(latency)") == 12.5
    assert ours.value('inside{zone="inner"}') == 1
    now = time.time()
    exemplars = ours.server.json("/api/v1/query_exemplars", query="requests_total", start=now - 60, end=now + 60)["data"]
    assert exemplars[0]["exemplars"][0]["labels"]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    headers = client.headers
    assert "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6" in headers["Accept"] and headers["Accept-Encoding"] == "gzip"
    assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "0.5"
    assert native.headers["Accept"].startswith("application/vnd.google.protobuf")

    assert ours.server.json("/api/v1/scrape_pools")["data"] == {"scrapePools": ["client", "native", "secret"]}
    target = ours.targets()["secret"]
    assert (target["health"], target["scrapeUrl"], target["labels"]["zone"]) == ("up", f"https://{secret.address}/metrics", "inner")
    assert (target["scrapeInterval"], target["discoveredLabels"]["__scheme__"]) == ("500ms", "https")
    metadata = ours.server.json("/api/v1/targets/metadata", match_target='{job="client"}', metric="temperature_celsius")["data"]
    assert [(entry["type"], entry["help"], entry["unit"]) for entry in metadata] == [("gauge", "Now.", "celsius")]
    steps = ours.server.json("/api/v1/targets/relabel_steps", scrapePool="secret", labels='{"__address__":"x"}')["data"]["steps"]
    assert steps[0]["output"] == {"__address__": "x", "zone": "inner"} and steps[0]["keep"] and steps[0]["rule"]["target_label"] == "zone"
    shown = ours.server.json("/api/v1/status/config")["data"]["yaml"]
    assert "password: <secret>" in shown and "password: secret" not in shown


def test_what_disappears_is_stale_and_reloads_are_all_or_nothing(servers, tmp_path, targets):
    page = targets("a 1\nb 2\n")
    other = targets("c 3\n")

    def config(*jobs):
        lines = [f'  - {{job_name: {name}, static_configs: [{{targets: ["{target.address}"]}}]}}\n' for name, target in jobs]
        return "global: {scrape_interval: 400ms, scrape_timeout: 400ms}\nscrape_configs:\n" + "".join(lines)

    ours = Scraped(servers, tmp_path, config(("page", page)))
    ours.server.expected += ["not supported", "stays in force"]
    until(lambda: ours.value("b") == 2, "the page")
    page.page = "a 1\n"
    until(lambda: ours.value("b") is None and ours.value("a") == 1, "b is gone, a is not")

    # A file that is wrong, and one that asks for what there is not, change nothing and say why.
    for broken, why in [("scrape_configs: [{job: x}]", "job"), ("remote_write: [{url: http://x}]", "remote_write")]:
        answer = ours.reload(broken)
        assert answer.status_code == 500 and answer.text.startswith("failed to reload config: ") and why in answer.text, answer.text
    assert list(ours.targets()) == ["page"]

    # A job comes; one goes, and its series are stale a little later.
    assert ours.reload(config(("page", page), ("other", other))).status_code == 200
    until(lambda: ours.value("c") == 3, "the new job")
    ours.file.write_text(config(("other", other)))
    os.kill(ours.server.process.pid, signal.SIGHUP)
    until(lambda: list(ours.targets()) == ["other"], "the reload")
    until(lambda: ours.value("a") is None and ours.value('up{job="page"}') is None, "the series of the job that is gone")
    assert ours.value('up{job="other"}') == 1

    # A target that does not answer any more is down, and its series are stale at once.
    other.stop()
    until(lambda: ours.value('up{job="other"}') == 0 and ours.value("c") is None, "the target is down")
    assert "cannot get" in ours.targets()["other"]["lastError"]


def test_rule_files_of_prometheus_are_evaluated(servers, tmp_path, targets):
    page = targets("a 7\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/one.yml").write_text("groups: [{name: g, interval: 1s, rules: [{record: 'twice:a', expr: 2 * a}]}]")
    config = f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, external_labels: {{region: eu}}}}
rule_files: [rules/*.yml, rules/missing.yml]
scrape_configs: [{{job_name: page, static_configs: [{{targets: ["{page.address}"]}}]}}]
"""
    file = tmp_path / "prometheus.yml"
    file.write_text(config)
    server = servers(arguments=[f"--config.file={file}"])
    server.expected += ["does not exist"]
    server.start()
    until(lambda: [s["value"][1] for s in server.query("twice:a")] == ["14"], "the recording rule")
    assert pathlib.Path(server.json("/api/v1/rules")["data"]["groups"][0]["file"]).name == "one.yml"

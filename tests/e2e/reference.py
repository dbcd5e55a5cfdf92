"""Debian's Prometheus as the reference: a process that scrapes nothing and takes remote writes, and its answers beside ours."""

import http.client
import json
import math
import pathlib
import signal
import subprocess
import urllib.parse

import requests
from server import PATIENCE, until
from test_prometheus import PROMETHEUS, free_port


class Reference:
    """A Prometheus over an empty folder."""

    def __init__(self, folder):
        folder, address = pathlib.Path(folder), f"127.0.0.1:{free_port()}"
        folder.mkdir()
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
        command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address={address}", "--web.enable-remote-write-receiver", "--enable-feature=native-histograms"]
        self.http = f"http://{address}"
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def wait(self):
        until(lambda: requests.get(f"{self.http}/-/ready", timeout=5).status_code == 200, "Prometheus")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


class Asker:
    """Asks one server over one connection: thousands of queries would spend their time on connections."""

    def __init__(self, base):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=PATIENCE)

    def ask(self, path, **parameters):
        body = urllib.parse.urlencode(parameters)
        self.connection.request("POST", f"/api/v1/{path}", body, {"content-type": "application/x-www-form-urlencoded"})
        return json.loads(self.connection.getresponse().read())


def points(result):
    """{labels: [(time, value)]}; the value of a native histogram is the tuple of its numbers."""
    if isinstance(result, list) and result and not isinstance(result[0], dict):
        return {(): [(result[0], float(result[1]))]}
    made = {}
    for each in result:
        floats = each.get("values") or ([each["value"]] if "value" in each else [])
        histograms = each.get("histograms") or ([each["histogram"]] if "histogram" in each else [])
        both = [(at, (float(value),)) for at, value in floats] + [(at, numbers(value)) for at, value in histograms]
        made[tuple(sorted(each["metric"].items()))] = sorted(both, key=lambda point: point[0])
    return made


def numbers(histogram):
    buckets = [float(number) for bucket in histogram.get("buckets", []) for number in bucket]
    return (float(histogram["count"]), float(histogram["sum"]), *buckets)


def is_close(left, right):
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(is_close, left, right))
    if math.isnan(left) or math.isnan(right) or math.isinf(left) or math.isinf(right):
        return left == right or (math.isnan(left) and math.isnan(right))
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)


def difference(ours, theirs):
    """What differs in two answers, the empty text if nothing does."""
    if ours["status"] != theirs["status"]:
        return f"{ours['status']} {ours.get('error')}, Prometheus: {theirs['status']} {theirs.get('error')}"
    if ours["status"] == "error":
        return "" if ours["errorType"] == theirs["errorType"] else f"{ours['errorType']}, Prometheus: {theirs['errorType']}"
    if ours["data"]["resultType"] != theirs["data"]["resultType"]:
        return f"{ours['data']['resultType']}, Prometheus: {theirs['data']['resultType']}"
    left, right = points(ours["data"]["result"]), points(theirs["data"]["result"])
    if left.keys() != right.keys():
        return f"series {sorted(left.keys() - right.keys())[:2]} are ours only, {sorted(right.keys() - left.keys())[:2]} theirs"
    for labels, values in left.items():
        if [at for at, _ in values] != [at for at, _ in right[labels]]:
            return f"{labels}: {len(values)} points, Prometheus: {len(right[labels])}"
        for (at, mine), (_, other) in zip(values, right[labels]):
            if not is_close(mine, other):
                return f"{labels} at {at}: {mine!r}, Prometheus: {other!r}"
    return ""

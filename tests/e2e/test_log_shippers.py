"""Clients of Loki, Elasticsearch and Splunk, and plain JSON, send logs; LogQL gives them back."""

import json
import logging
import time

import logging_loki
import pytest
import requests
from elasticsearch import Elasticsearch, helpers
from server import PATIENCE, until
from splunk_handler import SplunkHandler

LISTEN = {door: {"listen": "127.0.0.1:0"} for door in ("loki", "elastic", "splunk")}


@pytest.fixture
def quiet(servers):
    """A server that is silent about itself, with doors of their own for the clients."""
    doors = LISTEN | {"splunk": LISTEN["splunk"] | {"tokens": ["secret"]}}
    return servers(config={"telemetry": {"self_watch": False}, "receive": doors}).start()


def lines(server, expression, patience=PATIENCE):
    """The lines of a query, once there are any."""
    return until(lambda: sorted(line for _, _, line, _ in server.streams(expression)), expression, patience)


def logger_of(handler, name):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


def test_lokis_client_for_python(quiet):
    url = f"http://{quiet.addresses['loki']}/loki/api/v1/push"
    logger = logger_of(logging_loki.LokiHandler(url=url, tags={"app": "shop", "zone": "a\"b"}, version="1"), "loki-client")
    logger.error("payment %s failed", 7, extra={"tags": {"kind": "card"}})
    logger.info("all is well")
    assert lines(quiet, '{app="shop"}') == ["all is well", "payment 7 failed"]
    [(labels, _, line, _)] = quiet.streams('{app="shop", kind="card"}')
    assert line == "payment 7 failed"
    assert (labels["zone"], labels["service_name"], labels["detected_level"]) == ('a"b', "shop", "error")
    # The listener answers questions too.
    base = f"http://{quiet.addresses['loki']}"
    assert requests.get(f"{base}/ready", timeout=PATIENCE).status_code == 200
    found = requests.get(f"{base}/loki/api/v1/query_range", params={"query": '{app="shop"} |= "well"'}, timeout=PATIENCE).json()
    assert [value[1] for stream in found["data"]["result"] for value in stream["values"]] == ["all is well"]
    for path in ["/metrics", "/loki/api/v1/nope", "/nope"]:
        answer = requests.get(base + path, timeout=PATIENCE)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8") and f"no such path: {path}; here is Loki's API" in answer.text


def test_pushed_labels_and_metadata_come_back_exactly_and_survive_a_crash(quiet):
    now = time.time_ns()
    ids = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "user": "7"}
    body = {"streams": [{"stream": {"app": "x", "env": "dev"}, "values": [[str(now), "one WARN", ids], [str(now + 1), "two"]]}]}
    answer = requests.post(quiet.http + "/loki/api/v1/push", json=body, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (204, b"")
    quiet.kill()
    quiet.start()
    found = sorted(quiet.streams('{app="x"}'), key=lambda entry: entry[1])
    assert [(at, line) for _, at, line, _ in found] == [(now, "one WARN"), (now + 1, "two")]
    labels = {"app": "x", "env": "dev", "service_name": "x"}
    assert [{name: stream[name] for name in labels} for stream, *_ in found] == [labels, labels]
    assert found[0][3]["user"] == "7"
    [row] = quiet.sql("SELECT hex(trace_id) AS trace, severity_number FROM logs WHERE body = 'one WARN'")
    assert row == {"trace": ids["trace_id"], "severity_number": 13}
    # An entry that is too old is refused alone.
    body["streams"][0]["values"] = [["1000000000", "old"], [str(now + 2), "three"]]
    answer = requests.post(quiet.http + "/loki/api/v1/push", json=body, timeout=PATIENCE)
    assert answer.status_code == 400 and "has timestamp too old: 1970-01-01T00:00:01Z" in answer.text
    assert lines(quiet, '{app="x"} |= "three"') == ["three"]


@pytest.mark.parametrize("door", ["elastic", "http"])
def test_elasticsearchs_client_for_python(quiet, door):
    base = f"http://{quiet.addresses['elastic']}" if door == "elastic" else f"{quiet.http}/elastic"
    with Elasticsearch(base) as client:
        if door == "elastic":
            assert client.info()["tagline"] == "You Know, for Search"
            assert client.ping()
        assert client.cluster.health(wait_for_status="yellow")["status"] == "green"
        client.indices.put_index_template(name="shop", index_patterns=["shop-*"], template={})
        documents = [
            {"_index": "shop-1", "_id": str(number), "@timestamp": "now" if number == 3 else int(time.time() * 1000), "message": f"order {number}", "log": {"level": "warn"}, "service": {"name": door}}
            for number in range(5)
        ]
        good, errors = helpers.bulk(client, documents, raise_on_error=False)
        assert good == 4 and [error["index"]["_id"] for error in errors] == ["3"]
        assert "cannot read the time" in errors[0]["index"]["error"]["reason"]
        assert client.index(index="shop-1", document={"message": "single", "service.name": door})["result"] == "created"
    assert lines(quiet, f'{{service_name="{door}"}}') == ["order 0", "order 1", "order 2", "order 4", "single"]
    [row] = quiet.sql("SELECT attributes, severity_text FROM logs WHERE body = 'order 1'")
    assert (row["attributes"]["_index"], row["attributes"]["_id"], row["severity_text"]) == ("shop-1", "1", "warn")


def test_splunks_client_for_python(quiet):
    host, port = quiet.addresses["splunk"].rsplit(":", 1)
    options = {"host": host, "port": port, "index": "main", "sourcetype": "python", "protocol": "http", "verify": False, "flush_interval": 0.2}
    handler = SplunkHandler(token="secret", hostname="web-1", source="shop", **options)
    logger = logger_of(handler, "splunk-client")
    logger.warning("disk is nearly full")
    handler.force_flush()
    assert lines(quiet, '{host_name="web-1", com_splunk_source="shop"}') == ["disk is nearly full"]
    answer = requests.post(f"http://{quiet.addresses['splunk']}/services/collector", data='{"event":"x"}', headers={"Authorization": "Splunk wrong"}, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["code"]) == (403, 4)


def test_json_lines(quiet):
    now = time.time_ns()
    records = [{"time": now + number, "msg": f"line {number}", "level": "error", "service": "json", "n": number} for number in range(3)]
    body = "".join(json.dumps(record) + "\n" for record in records) + "no json\n"
    answer = requests.post(quiet.http + "/api/v1/logs/json", data=body, timeout=PATIENCE)
    told = {"accepted": 3, "rejected": 1, "errors": [{"line": 4, "reason": "want a JSON value at byte 1"}]}
    assert (answer.status_code, answer.json()) == (200, told)
    victoria = f"{quiet.http}/insert/jsonline?_stream_fields=app&_time_field=at&_msg_field=text"
    assert requests.post(victoria, data=json.dumps({"app": "vl", "at": now, "text": "as VictoriaLogs"}), timeout=PATIENCE).status_code == 200
    assert lines(quiet, '{service_name="json", level="error"}') == ["line 0", "line 1", "line 2"]
    assert lines(quiet, '{app="vl"}') == ["as VictoriaLogs"]

"""What agents and Docker's drivers send, byte for byte, where they cannot be had as packages: LogQL gives it back.

Each case makes the requests that the agent makes, in its order, and looks at the answers as the agent does before it goes on.
"""

import gzip
import json
import os
import socket
import struct
import time
import zlib

import cramjam
import msgpack
import pytest
import requests
from remote_write import field, varint
from server import PATIENCE, until

LINE = "GET /checkout 500 upstream timed out"
CONTAINER = "4f5c1d2e9a7b" * 5 + "4f5c"


@pytest.fixture
def agents(servers):
    doors = {door: {"listen": "127.0.0.1:0"} for door in ["loki", "elastic", "splunk"]}
    return servers(config={"telemetry": {"self_watch": False}, "receive": doors}).start()


def place(server, door):
    host, port = server.addresses[door].rsplit(":", 1)
    return host, int(port)


def only(server, selector):
    """The only record of a selector, once it is there: labels, time, line."""
    found = until(lambda: server.streams(selector), selector)
    assert len(found) == 1, found
    labels, at, line, _ = found[0]
    return labels, at, line


# Docker's drivers.


@pytest.mark.parametrize("has_ack", [False, True])
@pytest.mark.parametrize("is_precise", [False, True])
def test_dockers_fluentd_driver(agents, has_ack, is_precise):
    """fluent-logger-golang: Message mode, seconds or EventTime, an empty map of options unless an acknowledgement is wanted."""
    now = time.time_ns()
    record = {"container_id": CONTAINER, "container_name": "/shop", "source": "stderr", "log": LINE}
    at = msgpack.ExtType(0, struct.pack(">II", now // 1_000_000_000, now % 1_000_000_000)) if is_precise else now // 1_000_000_000
    option = {"chunk": "d3JpdHRlbg=="} if has_ack else {}
    with socket.create_connection(place(agents, "forward"), timeout=PATIENCE) as driver:
        driver.sendall(msgpack.packb([CONTAINER[:12], at, record, option]))
        if has_ack:
            assert msgpack.unpackb(driver.recv(1024)) == {"ack": option["chunk"]}
    labels, taken_at, line = only(agents, '{service_name=~".+"} | container_name="/shop"')
    assert (line, labels["fluent_tag"], labels["source"], labels["container_id"]) == (LINE, CONTAINER[:12], "stderr", CONTAINER)
    assert taken_at == (now if is_precise else now // 1_000_000_000 * 1_000_000_000)


def gelf_of_docker(line):
    fields = {"version": "1.1", "host": "node-1", "short_message": line, "timestamp": round(time.time(), 3), "level": 3}
    extra = {"_command": "/bin/shop", "_container_id": CONTAINER, "_container_name": "shop", "_created": "2026-01-01T00:00:00Z", "_image_id": "sha256:1", "_image_name": "shop:1", "_tag": "4f5c"}
    return json.dumps(fields | extra).encode()


@pytest.mark.parametrize("way", ["gzip", "zlib", "none", "tcp"])
def test_dockers_gelf_driver(agents, way):
    """go-gelf: gzip over UDP unless told otherwise, in pieces of 1,420 bytes; over TCP a NUL behind each message."""
    line = f"{way} " + LINE + os.urandom(3000).hex()
    message = gelf_of_docker(line)
    if way == "tcp":
        with socket.create_connection(place(agents, "gelf"), timeout=PATIENCE) as driver:
            driver.sendall(message + b"\0")
    else:
        packed = {"gzip": lambda: gzip.compress(message, 1), "zlib": lambda: zlib.compress(message, 1), "none": lambda: message}[way]()
        size = 1420 - 12
        pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
        assert len(pieces) > 1
        identity = os.urandom(8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as driver:
            for number, piece in enumerate(pieces):
                driver.sendto(b"\x1e\x0f" + identity + bytes([number, len(pieces)]) + piece, place(agents, "gelf-udp"))
    labels, _, found = only(agents, '{host_name="node-1"}')
    assert found == line
    assert (labels["container_name"], labels["image_name"], labels["tag"], labels["detected_level"]) == ("shop", "shop:1", "4f5c", "error")


@pytest.mark.parametrize("layout", ["inline", "json", "raw"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_dockers_splunk_driver(agents, layout, is_compressed):
    """It looks with OPTIONS whether the collector is there, else no container starts; events stand one behind another."""
    url = f"http://{agents.addresses['splunk']}/services/collector/event/1.0"
    assert requests.options(url, timeout=PATIENCE).status_code == 200
    line = json.dumps({"level": "warn", "message": LINE}) if layout == "json" else LINE
    now = time.time()

    def event(number):
        about = {"source": "stdout", "tag": CONTAINER[:12], "attrs": {"com.docker.compose.service": "shop"}}
        events = {"inline": {"line": line} | about, "json": {"line": json.loads(line) if layout == "json" else line} | about, "raw": f"{CONTAINER[:12]} {line}"}
        return {"event": events[layout], "time": f"{now - 5 + number:f}", "host": "node-2", "sourcetype": "docker", "index": "main"}

    body = "".join(json.dumps(event(number)) for number in range(2)).encode()
    headers = {"Authorization": "Splunk 11111111-2222-3333-4444-555555555555", "X-Splunk-Request-Channel": "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"}
    if is_compressed:
        body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
    assert requests.post(url, data=body, headers=headers, timeout=PATIENCE).status_code == 200
    found = until(lambda: agents.streams('{host_name="node-2", com_splunk_sourcetype="docker"}'), "two events")
    assert len(found) == 2
    labels = found[0][0]
    if layout == "raw":
        assert found[0][2] == f"{CONTAINER[:12]} {LINE}"
    else:
        assert (found[0][2], labels["tag"], labels["source"], labels["attrs_com_docker_compose_service"]) == (LINE, CONTAINER[:12], "stdout", "shop")
    if layout == "json":
        assert labels["line_level"] == "warn"


def push_request(labels, entries):
    """Loki's PushRequest, in snappy: text of labels, and (time, line, metadata) of each entry."""
    def entry(at, line, metadata):
        stamp = varint(1 << 3) + varint(at // 1_000_000_000) + varint(2 << 3) + varint(at % 1_000_000_000)
        pairs = b"".join(field(3, field(1, name.encode()) + field(2, value.encode())) for name, value in metadata.items())
        return field(1, stamp) + field(2, line.encode()) + pairs

    stream = field(1, labels.encode()) + b"".join(field(2, entry(*each)) for each in entries)
    return bytes(cramjam.snappy.compress_raw(field(1, stream)))


@pytest.mark.parametrize("agent", ["docker", "promtail", "vector"])
def test_what_pushes_lokis_protobuf(agents, agent):
    base = f"http://{agents.addresses['loki']}"
    now = time.time_ns()
    labels = {
        "docker": '{compose_project="shop", compose_service="web", container_name="shop-web-1", filename="/var/log/docker/4f5c/json.log", host="node-1", source="stdout"}',
        "promtail": '{__path__="/var/log/app.log", filename="/var/log/app.log", job="varlogs"}',
        "vector": '{forwarder="vector", service="web"}',
    }[agent]
    if agent == "vector":
        # Its health check.
        assert requests.get(f"{base}/ready", timeout=PATIENCE).status_code == 200
    headers = {"Content-Type": "application/x-protobuf", "User-Agent": {"docker": "loki-docker-driver/3.5", "promtail": "promtail/3.5", "vector": "Vector/0.50"}[agent]}
    body = push_request(labels, [(now, LINE, {"user": "7"} if agent == "vector" else {})])
    answer = requests.post(f"{base}/loki/api/v1/push", data=body, headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (204, b"")
    service = {"docker": "shop-web-1", "promtail": "varlogs", "vector": "web"}[agent]
    found, at, line = only(agents, f'{{service_name="{service}"}}')
    assert (at, line) == (now, LINE)
    assert found.get("user") == ("7" if agent == "vector" else None)


# Fluent Bit's outputs.


def test_fluent_bits_loki_output(agents):
    now = time.time_ns()
    body = {"streams": [{"stream": {"job": "fluent-bit", "stream": "stdout"}, "values": [[str(now), json.dumps({"log": LINE, "level": "error"}), {"pod": "shop-1"}]]}]}
    headers = {"User-Agent": "Fluent-Bit", "Content-Type": "application/json", "Content-Encoding": "gzip", "X-Scope-OrgID": "team"}
    answer = requests.post(f"http://{agents.addresses['loki']}/loki/api/v1/push", data=gzip.compress(json.dumps(body).encode()), headers=headers, timeout=PATIENCE)
    assert 200 <= answer.status_code <= 205
    labels, at, line = only(agents, '{job="fluent-bit"} | json')
    assert (at, json.loads(line)["log"], labels["pod"], labels["level"]) == (now, LINE, "shop-1", "error")


@pytest.mark.parametrize("action", [{"create": {"_index": "fluent-bit"}}, {"index": {"_index": "logstash-2026.01.01", "_type": "_doc", "_id": "4f5c-1"}}])
def test_fluent_bits_elasticsearch_output(agents, action):
    """It reads the first bytes of the answer alone if the rest does not fit into its buffer."""
    now = time.time_ns()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000_000)) + f".{now % 1_000_000_000:09}Z"
    document = {"@timestamp": at, "log": LINE, "kubernetes": {"pod_name": "shop-1", "labels": {"app": "shop"}}}
    body = f"{json.dumps(action)}\n{json.dumps(document)}\n"
    headers = {"User-Agent": "Fluent-Bit", "Content-Type": "application/x-ndjson"}
    answer = requests.post(f"http://{agents.addresses['elastic']}/_bulk", data=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200 and '"errors":false,"items":[{' in answer.text
    (item,) = answer.json()["items"]
    assert item[next(iter(action))]["status"] == 201
    labels, taken_at, line = only(agents, '{kubernetes_pod_name="shop-1"}')
    assert (taken_at, line, labels["kubernetes_labels_app"]) == (now, LINE, "shop")


def test_fluent_bits_splunk_output(agents):
    body = json.dumps({"time": time.time(), "host": "node-3", "event": {"log": LINE, "stream": "stderr"}, "fields": {"zone": "a"}})
    headers = {"User-Agent": "Fluent-Bit", "Authorization": "Splunk token", "Content-Type": "application/json"}
    answer = requests.post(f"http://{agents.addresses['splunk']}/services/collector/event", data=body, headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["text"]) == (200, "Success")
    labels, _, line = only(agents, '{host_name="node-3"}')
    assert (line, labels["stream"], labels["zone"]) == (LINE, "stderr", "a")


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_fluent_bits_forward_output(agents, compression):
    """PackedForward with metadata beside the time, options `size` and `fluent_signal`, and a chunk to be acknowledged."""
    now = time.time_ns()
    at = msgpack.ExtType(0, struct.pack(">II", now // 1_000_000_000, now % 1_000_000_000))
    events = msgpack.packb([[at, {"otlp": {"severity_number": 17}}], {"log": LINE, "k": "v"}])
    option = {"size": 1, "chunk": "p8n9gmxTQVC8/nh2wlKKeQ==", "fluent_signal": 0} | ({"compressed": compression} if compression else {})
    with socket.create_connection(place(agents, "forward"), timeout=PATIENCE) as agent:
        agent.sendall(msgpack.packb(["kube.shop", gzip.compress(events) if compression else events, option]))
        assert msgpack.unpackb(agent.recv(1024)) == {"ack": option["chunk"]}
    labels, taken_at, line = only(agents, '{service_name=~".+"} | fluent_tag="kube.shop"')
    assert (taken_at, line, labels["k"]) == (now, LINE, "v")


# Beats, Logstash, Vector.


def test_filebeat_sets_up_and_sends(agents):
    """What libbeat asks before it sends: who is there, licence, policy, template, data stream; then bulk requests."""
    base = f"http://{agents.addresses['elastic']}"
    session = requests.Session()
    session.headers.update({"User-Agent": "Elastic-filebeat/8.15.0 (linux; amd64)", "Accept": "application/json"})

    def ask(method, path, status, **options):
        answer = session.request(method, base + path, timeout=PATIENCE, **options)
        assert answer.status_code in status, (method, path, answer.status_code, answer.text)
        return answer

    told = ask("GET", "/", [200]).json()
    assert tuple(int(part) for part in told["version"]["number"].split(".")) >= (8, 0, 0) and told["version"].get("build_flavor") in ("default", None)
    assert ask("GET", "/_license?human=false", [200]).json()["license"]["status"] == "active"
    if ask("HEAD", "/_ilm/policy/filebeat", [200, 404]).status_code == 404:
        ask("PUT", "/_ilm/policy/filebeat", [200], json={"policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "30d"}}}}}})
    if ask("HEAD", "/_index_template/filebeat-8.15.0", [200, 404]).status_code == 404:
        ask("PUT", "/_index_template/filebeat-8.15.0", [200], json={"index_patterns": ["filebeat-8.15.0"], "data_stream": {}, "template": {}})
    if ask("GET", "/_data_stream/filebeat-8.15.0", [200, 404]).status_code == 404:
        ask("PUT", "/_data_stream/filebeat-8.15.0", [200])
    event = {"@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "message": LINE, "log": {"file": {"path": "/var/log/app.log"}}, "host": {"name": "node-4"}, "agent": {"type": "filebeat"}}
    lines = [json.dumps({"create": {"_index": "filebeat-8.15.0"}}), json.dumps(event)] * 2
    body = gzip.compress(("\n".join(lines) + "\n").encode())
    headers = {"Content-Type": "application/json; charset=UTF-8", "Content-Encoding": "gzip"}
    answer = ask("POST", "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status", [200], data=body, headers=headers).json()
    assert answer == {"errors": False, "items": [{"create": {"status": 201}}] * 2}
    found = until(lambda: agents.streams('{host_name="node-4"}'), "two events")
    assert [line for _, _, line, _ in found] == [LINE] * 2 and found[0][0]["log_file_path"] == "/var/log/app.log"


def test_vector_looks_and_sends(agents):
    """Its health checks, then Elasticsearch's bulk requests and Splunk's events with acknowledgements."""
    elastic, splunk = f"http://{agents.addresses['elastic']}", f"http://{agents.addresses['splunk']}"
    assert requests.get(f"{elastic}/_cluster/health", timeout=PATIENCE).status_code == 200
    assert requests.get(f"{elastic}/", timeout=PATIENCE).json()["version"]["number"]
    assert requests.get(f"{splunk}/services/collector/health/1.0", headers={"Authorization": "Splunk t"}, timeout=PATIENCE).status_code == 200
    at = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime())
    body = json.dumps({"index": {"_index": "vector-2026.01.01"}}) + "\n" + json.dumps({"message": LINE, "timestamp": at, "host": "node-5", "source_type": "docker_logs"}) + "\n"
    answer = requests.post(f"{elastic}/_bulk", data=body, headers={"Content-Type": "application/x-ndjson"}, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["errors"]) == (200, False)
    channel = {"Authorization": "Splunk t", "X-Splunk-Request-Channel": "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"}
    event = json.dumps({"event": {"message": LINE, "source_type": "file"}, "fields": {}, "time": round(time.time(), 3), "host": "node-6"})
    answer = requests.post(f"{splunk}/services/collector/event", data=gzip.compress(event.encode()), headers=channel | {"Content-Encoding": "gzip"}, timeout=PATIENCE)
    number = answer.json()["ackId"]
    acks = requests.post(f"{splunk}/services/collector/ack", json={"acks": [number]}, headers=channel, timeout=PATIENCE).json()
    assert acks == {"acks": {str(number): True}}
    assert only(agents, '{service_name=~".+"} | source_type="docker_logs"')[2] == LINE
    assert only(agents, '{host_name="node-6"}')[2] == LINE

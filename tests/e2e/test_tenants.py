"""Tenants: each door writes for one, a header names whose data a question reads, and `A|B` reads both."""

import json
import socket
import time
import urllib.parse

import msgpack
import pytest
import remote_write
import requests
from server import PATIENCE, until
from websockets.sync.client import connect

ALL = '{service_name=~".+"}'


@pytest.fixture
def shared(servers):
    """Operators send syslog, the web team GELF and Fluent forward."""
    receive = {"syslog": {"tenant": "ops"}, "gelf": {"tenant": "web"}, "forward": {"tenant": "web"}, "jaeger": {"datagram_tenant": "ops"}}
    return servers(config={"telemetry": {"self_watch": False}, "http": {"trust_tenant_header": True}, "receive": receive}).start()


def place(server, door):
    host, port = server.addresses[door].rsplit(":", 1)
    return host, int(port)


def ask(server, tenants, path, expected=200, **parameters):
    answer = requests.get(server.http + path, params=parameters, headers={"X-Scope-OrgID": tenants}, timeout=PATIENCE)
    assert answer.status_code == expected, f"{path} as {tenants}: {answer.status_code} {answer.text[:500]}"
    return answer


def lines(server, tenants, query=ALL):
    """Tenant and line of each record."""
    data = ask(server, tenants, "/loki/api/v1/query_range", query=query, limit=1000).json()["data"]
    return sorted((stream["stream"].get("__tenant_id__"), value[1]) for stream in data["result"] for value in stream["values"])


def push(server, tenant, line, at=None, expected=204):
    body = {"streams": [{"stream": {"app": "shop"}, "values": [[str(at or time.time_ns()), line]]}]}
    answer = requests.post(server.http + "/loki/api/v1/push", json=body, headers={"X-Scope-OrgID": tenant}, timeout=PATIENCE)
    assert answer.status_code == expected, answer.text
    return answer


def send_to_all(server):
    with socket.create_connection(place(server, "syslog"), timeout=PATIENCE) as stream:
        stream.sendall(b"<13>1 - h router - - - over tcp\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>1 - h router - - - over udp", place(server, "syslog-udp"))
        sender.sendto(json.dumps({"version": "1.1", "host": "h", "short_message": "a gelf", "_service_name": "site"}).encode(), place(server, "gelf-udp"))
    with socket.create_connection(place(server, "forward"), timeout=PATIENCE) as stream:
        stream.sendall(msgpack.packb(["tag", int(time.time()), {"log": "a fluent event", "service.name": "site"}, {"chunk": "c"}]))
        assert msgpack.unpackb(stream.recv(100)) == {"ack": "c"}


def test_doors_without_headers_have_a_tenant(shared):
    send_to_all(shared)
    until(lambda: len(lines(shared, "ops|web")) == 4, "four records")
    assert [line for _, line in lines(shared, "ops")] == ["over tcp", "over udp"]
    assert [line for _, line in lines(shared, "web")] == ["a fluent event", "a gelf"]
    assert lines(shared, "default") == []
    both = [("ops", "over tcp"), ("ops", "over udp"), ("web", "a fluent event"), ("web", "a gelf")]
    assert lines(shared, "web|ops") == both
    assert lines(shared, "web|ops", '{service_name=~".+", __tenant_id__="ops"}') == both[:2]
    # The same after a flush, and across both.
    assert requests.post(shared.http + "/-/flush", timeout=PATIENCE).status_code == 200
    push(shared, "web", "a push")
    assert lines(shared, "web|ops") == both + [("web", "a push")]
    assert lines(shared, "web|ops", '{app="shop"} |= "push"') == [("web", "a push")]


def test_a_tail_follows_several(shared):
    push(shared, "a", "before a", at=time.time_ns() - 10**9)
    address = shared.http.replace("http", "ws") + "/loki/api/v1/tail?" + urllib.parse.urlencode({"query": '{app="shop"}'})
    with connect(address, additional_headers={"X-Scope-OrgID": "a|b"}) as tail:
        def told():
            return [(stream["stream"]["__tenant_id__"], value[1]) for stream in json.loads(tail.recv(timeout=PATIENCE))["streams"] for value in stream["values"]]

        assert told() == [("a", "before a")]
        for tenant in ["b", "c", "a"]:
            push(shared, tenant, f"for {tenant}")
        assert told() + told() == [("b", "for b"), ("a", "for a")]


def test_series_of_several(shared):
    now = int(time.time() * 1000)
    for tenant, value in [("a", 1.0), ("b", 2.0)]:
        message = remote_write.v1([({"__name__": "up", "job": "node"}, [(value, now)])])
        assert remote_write.post(shared.http, message, headers={"X-Scope-OrgID": tenant}).status_code == 204

    def value(tenants, query):
        result = ask(shared, tenants, "/api/v1/query", query=query).json()["data"]["result"]
        return sorted((series["metric"].get("__tenant_id__"), float(series["value"][1])) for series in result)

    assert value("a", "up") == [(None, 1.0)] and value("a|b", "up") == [("a", 1.0), ("b", 2.0)]
    assert value("a|b", "sum(up)") == [(None, 3.0)] and value("a|b", 'up{__tenant_id__="b"}') == [("b", 2.0)]
    assert ask(shared, "a|b", "/api/v1/label/__tenant_id__/values").json()["data"] == ["a", "b"]


def test_what_cannot_be_of_several_is_refused(shared):
    assert "cannot write for several tenants" in push(shared, "a|b", "no", expected=400).text
    assert "cannot use \"\" as tenant" in ask(shared, "a|", "/loki/api/v1/labels", expected=400).text
    # Some clients send the header empty when they name nobody.
    assert ask(shared, "", "/loki/api/v1/labels").json()["status"] == "success"
    for path in ["/loki/api/v1/delete", "/elastic/_search", "/jaeger/api/services"]:
        assert "cannot answer for several tenants here" in ask(shared, "a|b", path, expected=400).text
    assert lines(shared, "a|b") == []

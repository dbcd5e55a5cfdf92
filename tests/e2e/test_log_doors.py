"""Shippers of logs that speak no HTTP write to us: rsyslog, syslog-ng, logger, the libraries of GELF and of Fluentd."""

import json
import logging
import pathlib
import socket
import ssl
import struct
import subprocess
import time

import fluent.event
import fluent.handler
import fluent.sender
import graypy
import msgpack
import pygelf
import pytest
from attributes import of_json
from pages import certificate
from server import BINARY, PATIENCE, until
from syslogd import rsyslog, syslog_ng

HERE = pathlib.Path(__file__).parent


def place(server, door):
    host, port = server.addresses[door].rsplit(":", 1)
    return host, int(port)


@pytest.fixture
def tls(tmp_path):
    """Paths of a certificate and its key."""
    folder = tmp_path / "tls"
    folder.mkdir()
    return certificate(folder)


@pytest.fixture
def doors(servers, tls):
    """A server that is silent about itself, with doors for TLS."""
    files = {"cert_file": tls[0], "key_file": tls[1]}
    receive = {door: {"tls_listen": "127.0.0.1:0", "tls": files} for door in ["syslog", "gelf", "forward"]}
    return servers(config={"telemetry": {"self_watch": False}, "receive": receive}).start()


def records(server, where, count):
    """Rows of logs, as soon as there are so many."""
    query = f"SELECT *, CAST(timestamp AS BIGINT) AS at, hex(trace_id) AS trace FROM logs WHERE {where} ORDER BY at, body"
    rows = until(lambda: (found := server.sql(query)) and len(found) >= count and found, f"{count} records with {where}")
    assert len(rows) == count, rows
    return rows


def test_rsyslog_forwards_in_every_way(doors, tmp_path, tls):
    host, port = place(doors, "syslog")
    _, tls_port = place(doors, "syslog-tls")
    to = f'type="omfwd" target="{host}"'
    secure = 'protocol="tcp" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"'
    actions = [
        f'action({to} port="{port}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")',
        f'action({to} port="{port}" protocol="tcp" template="RSYSLOG_ForwardFormat")',
        f'action({to} port="{port}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat")',
        f'action({to} port="{tls_port}" {secure} TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")',
    ]
    with rsyslog(tmp_path / "rsyslog", actions, authority=tls[0]) as daemon:
        daemon.say("disk füll", "-p", "local3.err", "-t", "shop", "--id=77")
        rows = records(doors, "service = 'shop'", len(actions))
    for row in rows:
        assert (row["body"], row["severity_number"], row["severity_text"]) == ("disk füll", 17, "err")
        assert (row["attributes"]["syslog.facility"], row["attributes"]["process.pid"]) == ("local3", "77")
        assert of_json(row["resource"])["host.name"] == socket.gethostname().split(".")[0]
        assert abs(int(row["at"]) / 1e9 - time.time()) < 600
    page = doors.get("/metrics").text
    assert 'signalbox_receive_rows_total{protocol="syslog",signal="logs"} 4' in page


def test_syslog_ng_forwards_in_every_way(doors, tmp_path, tls):
    host, port = place(doors, "syslog")
    _, tls_port = place(doors, "syslog-tls")
    destinations = [
        f'syslog("{host}" port({port}) transport("tcp") persist-name("counted"))',
        f'network("{host}" port({port}) transport("udp"))',
        f'network("{host}" port({port}) transport("tcp") persist-name("lines"))',
        f'syslog("{host}" port({tls_port}) transport("tls") tls(ca-file("{tls[0]}") peer-verify(required-trusted)))',
    ]
    with syslog_ng(tmp_path / "syslog-ng", destinations) as daemon:
        daemon.say("all is well", "-p", "daemon.info", "-t", "boiler", "--id=7")
        rows = records(doors, "service = 'boiler'", len(destinations))
    assert {(row["body"], row["severity_text"], row["attributes"]["syslog.facility"]) for row in rows} == {("all is well", "info", "daemon")}
    assert any("meta.sequenceId" in row["attributes"] for row in rows)


def test_logger_speaks_to_the_door_itself(doors):
    host, port = place(doors, "syslog")
    for number, flags in enumerate([["-d", "--rfc5424"], ["-d", "--rfc3164"], ["-T", "--octet-count", "--rfc5424"], ["-T", "--rfc3164"]]):
        data = ["--sd-id", "shop@32473", "--sd-param", 'cart="7"'] if "--rfc5424" in flags else []
        subprocess.run(["logger", "-n", host, "-P", str(port), *flags, *data, "-t", "tool", f"way {number}"], check=True, timeout=60)
    rows = records(doors, "service = 'tool'", 4)
    assert sorted(row["body"] for row in rows) == [f"way {number}" for number in range(4)]
    assert [row["attributes"]["shop@32473.cart"] for row in rows if "shop@32473.cart" in row["attributes"]] == ["7", "7"]


def test_what_was_written_survives_a_crash(doors):
    with socket.create_connection(place(doors, "syslog")) as stream:
        stream.sendall(b"".join(b"<13>1 - h crash - - - %d\n" % number for number in range(1000)))
        records(doors, "service = 'crash'", 1000)
        doors.kill()
    doors.start()
    records(doors, "service = 'crash'", 1000)


def say_with(name, handler, extra):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    logger.propagate = False
    logger.error("boom %d", 7, extra=extra)
    try:
        raise ValueError("in a line of its own")
    except ValueError:
        logger.exception("caught")
    logger.removeHandler(handler)
    handler.close()


def test_the_libraries_of_gelf(doors, tls):
    (host, tcp), (_, udp), (_, secure), (_, http) = (place(doors, door) for door in ["gelf", "gelf-udp", "gelf-tls", "http"])
    handlers = {
        "graypy-udp": graypy.GELFUDPHandler(host, udp),
        "graypy-chunks": graypy.GELFUDPHandler(host, udp, compress=False, gelf_chunker=graypy.handler.GELFWarningChunker(chunk_size=100)),
        "graypy-tcp": graypy.GELFTCPHandler(host, tcp),
        "graypy-tls": graypy.GELFTLSHandler(host, secure, validate=True, ca_certs=tls[0]),
        "graypy-http": graypy.GELFHTTPHandler(host, http),
        "pygelf-tcp": pygelf.GelfTcpHandler(host=host, port=tcp, include_extra_fields=True),
        "pygelf-udp": pygelf.GelfUdpHandler(host=host, port=udp, include_extra_fields=True, chunk_size=100, compress=False),
        "pygelf-tls": pygelf.GelfTlsHandler(host=host, port=secure, include_extra_fields=True, validate=True, ca_certs=tls[0]),
        "pygelf-http": pygelf.GelfHttpHandler(host=host, port=http, path="/gelf", include_extra_fields=True, compress=True),
    }
    trace = "0af7651916cd43dd8448eb211c80319c"
    for name, handler in handlers.items():
        say_with(name, handler, {"way": name, "trace_id": trace})
        rows = records(doors, f"attributes['way'] = '{name}'", 1)
        assert (rows[0]["body"], rows[0]["severity_number"], rows[0]["trace"].lower()) == ("boom 7", 17, trace), rows
    # Handlers are closed right after their last message and wait for no answer.
    caught = records(doors, "body LIKE 'caught%'", len(handlers))
    assert any("in a line of its own" in row["attributes"].get("full_message", "") for row in caught)


def fin(stream):
    stream.close()


def reset(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def gelf(way, number):
    return json.dumps({"version": "1.1", "host": "h", "short_message": f"last {number}", "_way": way}).encode()


def posted(way, numbers):
    """Requests that follow each other without waiting for an answer."""
    for number in numbers:
        body = gelf(way, number)
        yield b"POST /gelf HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


WAYS = {
    "gelf": ("gelf", lambda way, number: [gelf(way, number) + b"\0"]),
    "gelf without an end": ("gelf", lambda way, number: [gelf(way, number)]),
    "syslog without an end": ("syslog", lambda way, number: [f'<13>1 - h a - - [x@1 way="{way}"] last'.encode()]),
    "forward": ("forward", lambda way, number: [msgpack.packb(["tag", int(time.time()), {"way": way, "log": "last"}])]),
    "http": ("http", lambda way, number: posted(way, [number])),
    "http in pieces": ("http", lambda way, number: (piece for whole in posted(way, [number]) for piece in (whole[:40], whole[40:-9], whole[-9:]))),
    "http in a row": ("http", lambda way, number: [b"".join(posted(way, range(number * 3, number * 3 + 3)))]),
}


@pytest.mark.parametrize("end", [fin, reset])
def test_what_was_sent_before_closing_arrives(doors, end):
    for way, (door, pieces) in WAYS.items():
        for number in range(20):
            stream = socket.create_connection(place(doors, door))
            for piece in pieces(way, number):
                stream.sendall(piece)
            end(stream)
    for way in WAYS:
        attribute = "x@1.way" if "syslog" in way else "way"
        assert len(records(doors, f"attributes['{attribute}'] = '{way}'", 60 if "row" in way else 20)) > 0


def test_what_was_sent_before_closing_arrives_through_tls(doors, tls):
    context = ssl.create_default_context(cafile=tls[0])
    for number in range(10):
        with context.wrap_socket(socket.create_connection(place(doors, "gelf-tls")), server_hostname="127.0.0.1") as stream:
            # Whatever a server says behind its handshake lies unread when the connection closes.
            time.sleep(0.02)
            stream.sendall(b"\0".join(gelf("tls", number * 1000 + message) + b" " * 1000 for message in range(1000)))
    assert until(lambda: doors.sql("SELECT count(*) AS n FROM logs WHERE attributes['way'] = 'tls'")[0]["n"] in (10_000, "10000"), "all messages")


def test_the_library_of_fluentd_for_python(doors):
    host, port = place(doors, "forward")
    sender = fluent.sender.FluentSender("py", host=host, port=port, nanosecond_precision=True)
    at = time.time()
    assert sender.emit_with_time("web", fluent.sender.EventTime(at), {"message": "hello", "level": "warn", "n": 7, "deep": {"a": [1, None]}}), sender.last_error
    assert sender.emit("web", {"log": "from docker\n", "container_name": "/shop"}), sender.last_error
    sender.close()
    first, second = records(doors, "attributes['fluent.tag'] = 'py.web'", 2)
    assert (first["body"], first["severity_number"], first["attributes"]["n"]) == ("hello", 13, "7")
    assert json.loads(first["attributes"]["deep"]) == {"a": [1, None]} and abs(int(first["at"]) / 1e9 - at) < 1e-3
    assert (second["body"], second["attributes"]["container_name"]) == ("from docker", "/shop")


def test_acknowledged_means_kept(doors):
    with socket.create_connection(place(doors, "forward")) as stream:
        stream.settimeout(60)
        events = [[int(time.time()), {"log": f"line {number}", "run": "ack"}] for number in range(100)]
        stream.sendall(msgpack.packb(["kept", events, {"chunk": "p8n9gmxTQVC8/nh2wlKKeQ=="}]))
        answer = msgpack.unpackb(stream.recv(1000))
        assert answer == {"ack": "p8n9gmxTQVC8/nh2wlKKeQ=="}
        doors.kill()
    doors.start()
    records(doors, "attributes['run'] = 'ack'", 100)


@pytest.mark.parametrize("way", ["plain", "tls"])
def test_the_library_of_fluentd_for_node(servers, tls, way):
    forward = {"shared_key": "sesame", "users": [{"name": "ann", "password": "secret"}]}
    forward |= {"tls_listen": "127.0.0.1:0", "tls": {"cert_file": tls[0], "key_file": tls[1]}}
    server = servers(config={"telemetry": {"self_watch": False}, "receive": {"forward": forward}}).start()
    host, port = place(server, "forward" if way == "plain" else "forward-tls")
    security = {"clientHostname": "client.local", "sharedKey": "sesame", "username": "ann", "password": "secret"}

    def run(security):
        arguments = [host, str(port), json.dumps(security), tls[0] if way == "tls" else ""]
        return subprocess.run(["node", str(HERE / "node" / "fluent.mjs"), *arguments], capture_output=True, text=True, timeout=120)

    told = run(security)
    assert told.returncode == 0, told.stderr
    modes = json.loads(told.stdout)
    rows = records(server, "attributes['run'] = 'node'", 10 * len(modes))
    assert {row["attributes"]["mode"] for row in rows} == set(modes) and {row["attributes"]["fluent.tag"] for row in rows} == {"node.web"}
    server.expected.append("cannot understand")
    assert run(security | {"sharedKey": "wrong"}).returncode == 3
    assert len(server.sql("SELECT body FROM logs WHERE attributes['run'] = 'node'")) == len(rows)


def test_what_is_taken_is_named(doors, tmp_path):
    taken = doors.addresses["gelf"]
    free = [part for flag in ["http", "otlp-grpc", "otlp-http", "syslog", "forward", "zipkin", "jaeger"] for part in (f"--{flag}-listen", "127.0.0.1:0")]
    command = [BINARY, "serve", "--data-dir", str(tmp_path / "second"), *free, "--gelf-listen", taken]
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1
    assert f"cannot listen on {taken}: another process does; stop it or choose another address with receive.gelf.listen" in second.stderr

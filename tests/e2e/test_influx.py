"""InfluxData's own clients write to us: that of 1.x and that of 2.x, and what Telegraf sends byte by byte."""

import gzip
import time

import influxdb
import pytest
import requests
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from server import PATIENCE


@pytest.fixture
def quiet(servers):
    """A server that is silent about itself, with a door of its own for InfluxDB's clients."""
    return servers(config={"telemetry": {"self_watch": False}, "receive": {"influx": {"listen": "127.0.0.1:0"}}}).start()


def values(server, expression):
    return [(entry["metric"], float(entry["value"][1])) for entry in server.query(expression)]


def test_the_client_of_1_x(quiet):
    host, port = quiet.addresses["influx"].rsplit(":", 1)
    client = influxdb.InfluxDBClient(host=host, port=int(port), username="me", password="secret", database="plant", gzip=True)
    assert client.ping() == "1.8.10"
    client.create_database("plant")
    assert {"name": "plant"} in client.get_list_database()
    assert [policy["name"] for policy in client.get_list_retention_policies("plant")] == ["autogen"]
    now = int(time.time())
    points = [
        {"measurement": "boiler", "tags": {"hall": hall}, "time": now, "fields": {"temperature": temperature, "running": True, "state": "warm, \"very\"\nso"}}
        for hall, temperature in [("north 1", 71.5), ("south,2", 69)]
    ]
    assert client.write_points(points, time_precision="s")
    found = values(quiet, "sort(boiler_temperature)")
    assert found == [
        ({"__name__": "boiler_temperature", "db": "plant", "hall": hall}, value) for hall, value in [("south,2", 69.0), ("north 1", 71.5)]
    ]
    assert values(quiet, "sum(boiler_running)") == [({}, 2.0)]
    # A text is no metric, and no error.
    assert quiet.query("boiler_state") == []
    assert 'signalbox_receive_dropped_fields_total{protocol="influx",reason="text"} 2' in quiet.get("/metrics").text
    with pytest.raises(influxdb.exceptions.InfluxDBClientError, match="ask in PromQL"):
        client.query("SELECT mean(temperature) FROM boiler")


def test_the_client_of_2_x(quiet):
    now_ms = int(time.time() * 1000)
    with InfluxDBClient(url=quiet.http, token="any", org="any", enable_gzip=True) as client:
        assert client.ping() and client.version() == "1.8.10"
        assert quiet.json("/health")["status"] == "pass"
        with client.write_api(write_options=SYNCHRONOUS) as write:
            point = Point("boiler").tag("hall", "north").field("temperature", 71.5).field("starts", 3).time(now_ms, WritePrecision.MS)
            write.write(bucket="plant", record=point, write_precision=WritePrecision.MS)
            # The good lines of a request are kept, the bad ones told by number.
            body = "boiler,hall=south temperature=69\nboiler,hall=west temperature=\nboiler,hall=east temperature=70"
            with pytest.raises(ApiException) as caught:
                write.write(bucket="plant", record=body)
            assert caught.value.status == 400
            assert "partial write: unable to parse 'boiler,hall=west temperature=': at line 2:30: missing field value" in caught.value.message
    found = values(quiet, "sort(boiler_temperature)")
    assert [(metric["hall"], metric["db"], value) for metric, value in found] == [("south", "plant", 69.0), ("east", "plant", 70.0), ("north", "plant", 71.5)]
    assert quiet.query("timestamp(boiler_starts)")[0]["value"][1] == f"{now_ms / 1000:.3f}".rstrip("0").rstrip(".")


def telegraf_lines(now):
    """A flush of a stock Telegraf, shortened: numbers of all kinds, texts, tags that need escapes."""
    return "".join(
        [
            f"cpu,cpu=cpu-total,host=web\\ 1 usage_user=3.25,usage_system=1.5,usage_idle=95.25 {now}\n",
            f"disk,device=sda1,fstype=ext4,host=web\\ 1,mode=rw,path=/ free=1073741824i,total=2147483648i,inodes_free=1u,used_percent=50 {now}\n",
            f'system,host=web\\ 1 load1=0.5,n_cpus=2i,uptime=12345i {now}\nsystem,host=web\\ 1 uptime_format=" 3:25" {now}\n',
            f"prometheus,host=web\\ 1,le=+Inf http_request_duration_seconds_bucket=17 {now}\n",
        ]
    )


def test_what_telegraf_sends_survives_a_crash(quiet):
    # What it asks when it starts.
    created = requests.post(quiet.http + "/query", data={"q": 'CREATE DATABASE "telegraf"'}, timeout=PATIENCE)
    assert (created.status_code, created.json()) == (200, {"results": [{"statement_id": 0}]})
    now = time.time_ns()
    headers = {"content-type": "text/plain; charset=utf-8", "content-encoding": "gzip", "user-agent": "Telegraf/1.33.0"}
    answer = requests.post(quiet.http + "/write?db=telegraf", data=gzip.compress(telegraf_lines(now).encode()), headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.content, answer.headers["x-influxdb-version"]) == (204, b"", "1.8.10")
    quiet.kill()
    quiet.start()
    labels = {"host": "web 1", "db": "telegraf"}
    assert values(quiet, "cpu_usage_idle") == [({"__name__": "cpu_usage_idle", "cpu": "cpu-total"} | labels, 95.25)]
    assert values(quiet, "disk_free / disk_total") == [({"device": "sda1", "fstype": "ext4", "mode": "rw", "path": "/"} | labels, 0.5)]
    assert values(quiet, "system_uptime") == [({"__name__": "system_uptime"} | labels, 12345.0)]
    assert values(quiet, "http_request_duration_seconds_bucket") == [
        ({"__name__": "http_request_duration_seconds_bucket", "le": "+Inf"} | labels, 17.0)
    ]
    assert quiet.query("timestamp(cpu_usage_idle)")[0]["value"][1] == repr(now // 1_000_000 / 1000)

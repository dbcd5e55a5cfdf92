"""A query stops when its client goes, and queries that find no place are refused."""

import re
import socket
import time
import urllib.parse

import remote_write
from server import until

# Thousands of millions of samples: nobody waits for the end of it.
ENDLESS = "quantile_over_time(0.5, sum_over_time(up[2h:100ms])[2h:100ms])"


def abandoned(server):
    found = re.search(r"^signalbox_query_abandoned_total (\d+)", server.get("/metrics").text, re.M)
    return int(found[1]) if found else 0


def occupied(server, parameters):
    """A connection whose query has the one place. The place of the query before it may be free only after its answer."""
    host, port = server.addresses["http"].rsplit(":", 1)

    def attempt():
        client = socket.create_connection((host, int(port)))
        client.sendall(f"GET /api/v1/query_range?{urllib.parse.urlencode(parameters)} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        client.settimeout(1)
        try:
            answer = client.recv(64)
        except TimeoutError:
            return client
        client.close()
        assert b" 503 " in answer, answer
        return None

    return until(attempt, "a place for the query")


def test_a_query_stops_when_its_client_goes(servers):
    server = servers(config={"telemetry": {"self_watch": False}, "query": {"concurrent_max": 1, "waiting_max": 0}}).start()
    now = int(time.time())
    samples = [(1.0, (now - 7_200 + step * 15) * 1_000) for step in range(480)]
    assert remote_write.post(server.http, remote_write.v1([({"__name__": "up", "job": "a"}, samples)])).status_code in (200, 204)
    assert server.query("count_over_time(up[3h])", now)

    with occupied(server, {"query": ENDLESS, "start": now - 3_600, "end": now, "step": 15}):

        def is_full():
            answer = server.get("/api/v1/query", params={"query": "1"})
            return answer.status_code == 503 and answer.json()["errorType"] in ("unavailable", "timeout")

        until(is_full, "the one place to be taken")
        assert abandoned(server) == 0
    until(lambda: abandoned(server) == 1, "the thread of the query to end")
    assert server.query("vector(1)", now)[0]["value"][1] == "1"

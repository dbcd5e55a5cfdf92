"""Deletion by query through Loki's API: masked at once, erased from the disk later, told in the log, whenever the server is killed."""

import threading
import time

import duckdb
import pytest
import requests
from server import PATIENCE

SECRET = "card 4111-1111-1111-1111"
ROUNDS, LINES = 3, 40
ALL = '{app=~".+"}'


@pytest.fixture
def loki(servers):
    server = servers(config={"telemetry": {"self_watch": False}, "api": {"loki": {"delete": True}, "prometheus": {"admin_api": True}}}).start()
    server.begin = (int(time.time()) - 300) * 10**9
    for number in range(ROUNDS):
        push(server, number)
        if number < ROUNDS - 1:
            post(server, "/-/flush")
    return server


def post(server, path, **parameters):
    answer = server.session.post(server.http + path, params=parameters, timeout=PATIENCE)
    assert answer.status_code in (200, 204), answer.text
    return answer


def push(server, number):
    """Every second line of one of two applications has what is to be forgotten."""
    for app in ["shop", "cart"]:
        values = [[str(server.begin + (number * LINES + line) * 10**9), f"{app} {number}.{line} " + (SECRET if line % 2 else "cash")] for line in range(LINES)]
        body = {"streams": [{"stream": {"app": app}, "values": values}]}
        assert server.session.post(server.http + "/loki/api/v1/push", json=body, timeout=PATIENCE).status_code == 204


def found(server, query):
    return sorted(line for _, _, line, _ in server.streams(query))


def on_disk(server):
    """How many rows of all segments, and how many with what is to be forgotten, whatever is masked."""
    rows = f"read_parquet('{server.data}/segments/default/logs/*.parquet', union_by_name=true)"
    return duckdb.connect().execute(f"SELECT count(*), count(*) FILTER (body LIKE '%{SECRET}%' AND body LIKE 'cart%') FROM {rows}").fetchone()


def deletions(server, **parameters):
    return server.json("/api/v1/logs/deletions", **parameters)["deletions"]


def is_forgotten(server):
    """Nowhere is what was deleted, and all else still is."""
    assert found(server, f'{{app="cart"}} |= "{SECRET}"') == []
    assert len(found(server, ALL)) == ROUNDS * LINES * 2 - ROUNDS * LINES // 2
    counted = server.json("/loki/api/v1/query", query='sum by (app) (count_over_time({app=~".+"}[1h]))')["data"]["result"]
    assert {series["metric"]["app"]: series["value"][1] for series in counted} == {"shop": str(ROUNDS * LINES), "cart": str(ROUNDS * LINES // 2)}
    assert server.sql(f"SELECT count(*) AS n FROM logs WHERE body LIKE 'cart%{SECRET}%'") == [{"n": 0}]
    assert server.json("/api/v1/logs/search", query='app:cart "4111-1111-1111-1111"', total="true")["total"] == 0
    return True


@pytest.mark.parametrize("is_merged", [False, True])
def test_killed_between_masking_and_erasing(loki, is_merged):
    if is_merged:
        post(loki, "/-/compact")
    query = f'{{app="cart"}} |= "{SECRET}"'
    answer = post(loki, "/loki/api/v1/delete", query=query, start=loki.begin // 10**9)
    loki.kill()
    loki.start()
    assert is_forgotten(loki)
    (request,) = loki.json("/loki/api/v1/delete")
    assert (request["request_id"], request["query"], request["status"], request["deleted_lines"]) == (answer.headers["X-Delete-Request-ID"], query, "received", ROUNDS * LINES // 2)
    (record,) = deletions(loki)
    assert (record["request"], record["query"], record["state"], record["records"]) == (request["request_id"], query, "masked", ROUNDS * LINES // 2)
    assert record["asker"].startswith("127.0.0.1:") and record["asked_at"] <= record["masked_at"] and "ended_at" not in record
    # Masked, not yet erased.
    assert on_disk(loki) == (ROUNDS * LINES * 2, ROUNDS * LINES // 2)

    def erase(server):
        try:
            server.session.post(server.http + "/api/v1/admin/tsdb/clean_tombstones", timeout=PATIENCE)
        except requests.RequestException:
            pass

    # Killed while it erases, at several instants of it.
    for pause in [0.0, 0.005, 0.02, 0.05]:
        erasing = threading.Thread(target=erase, args=(loki,))
        erasing.start()
        erasing.join(pause)
        loki.kill()
        erasing.join()
        loki.start()
        assert is_forgotten(loki)
    post(loki, "/api/v1/admin/tsdb/clean_tombstones")
    assert is_forgotten(loki)
    assert on_disk(loki) == (ROUNDS * LINES * 2 - ROUNDS * LINES // 2, 0)
    # Who asked for what, how much it was, and that it has left the disk, for ever after.
    loki.kill()
    loki.start()
    assert loki.json("/loki/api/v1/delete") == [request | {"status": "processed"}]
    (erased,) = deletions(loki)
    assert erased == record | {"state": "erased", "ended_at": erased["ended_at"]} and erased["ended_at"] > record["masked_at"]
    log = loki.text()
    assert f"delete request {request['request_id']} of tenant default deleted {ROUNDS * LINES // 2} log records" in log
    assert "no segment holds rows of 1 deletions any more" in log and f"the records of delete request {request['request_id']} of tenant default have left the disk" in log


def test_a_merge_erases_and_what_comes_later_stays(loki):
    post(loki, "/loki/api/v1/delete", query=f'{{app="cart"}} |= "{SECRET}"', start=loki.begin // 10**9)
    post(loki, "/-/compact")
    assert is_forgotten(loki) and on_disk(loki) == (ROUNDS * LINES * 2 - ROUNDS * LINES // 2, 0)
    # The same lines again are new ones.
    push(loki, 0)
    assert len(found(loki, f'{{app="cart"}} |= "{SECRET}"')) == LINES // 2
    loki.kill()
    loki.start()
    assert len(found(loki, f'{{app="cart"}} |= "{SECRET}"')) == LINES // 2


def test_killed_while_it_deletes_and_while_it_cancels(loki):
    """At several instants of both: each request is written down, and what it says is what is found."""
    secret = ROUNDS * LINES // 2
    query = f'{{app="cart"}} |= "{SECRET}"'
    for pause in [0.001, 0.003, 0.01, 0.02, 0.05, 0.1]:
        for method, parameters in [("post", {"query": query, "start": loki.begin // 10**9}), ("delete", {})]:
            if method == "delete":
                masked = deletions(loki, state="masked")
                if not masked:
                    continue
                parameters = {"request_id": masked[0]["request"]}

            def ask():
                try:
                    requests.request(method, loki.http + "/loki/api/v1/delete", params=parameters, timeout=PATIENCE)
                except requests.RequestException:
                    pass

            asking = threading.Thread(target=ask)
            asking.start()
            asking.join(pause)
            loki.kill()
            asking.join()
            loki.start()
            states = [deletion["state"] for deletion in deletions(loki)]
            assert set(states) <= {"masked", "cancelled", "failed", "erased"}
            hidden = "masked" in states
            assert len(found(loki, query)) == (0 if hidden else secret), states
    for deletion in deletions(loki, state="masked"):
        assert loki.session.delete(loki.http + "/loki/api/v1/delete", params={"request_id": deletion["request"]}, timeout=PATIENCE).status_code == 204
    assert len(found(loki, query)) == secret


def test_what_is_left_out_is_named(loki):
    for parameters, told in [
        ({"query": ALL, "start": str(loki.begin // 10**9), "end": str(int(time.time()) + 3600)}, "deletes in the future are not allowed"),
        ({"query": "rate({app=\"x\"}[1m])", "start": str(loki.begin // 10**9)}, "cannot delete by a metric query"),
        ({"start": str(loki.begin // 10**9)}, "query not set"),
    ]:
        answer = loki.session.post(loki.http + "/loki/api/v1/delete", params=parameters, timeout=PATIENCE)
        assert answer.status_code == 400 and told in answer.text
    assert loki.json("/loki/api/v1/delete") == [] and len(found(loki, ALL)) == ROUNDS * LINES * 2

"""Log files that are read where they lie: written and rotated by another process while the server is killed and started again."""

import collections
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time

from server import until

# Writes numbered lines as fast as asked and rotates by renaming, as logrotate does: app.log, app.log.1, app.log.2, ...
WRITER = textwrap.dedent(
    """
    import os, sys, time
    path, total, each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    out = open(path, "a")
    for number in range(total):
        if number and number % each == 0:
            out.close()
            for old in range(20, 0, -1):
                if os.path.exists(f"{path}.{old}"):
                    os.rename(f"{path}.{old}", f"{path}.{old + 1}")
            os.rename(path, f"{path}.1")
            out = open(path, "a")
        line = f"level=info number={number} text={'x' * (number % 90)}"
        half = number % 7 * 3
        out.write(line[:half]); out.flush()
        out.write(line[half:] + "\\n"); out.flush()
        if number % 20 == 0:
            time.sleep(0.01)
    """
)


def lines(server, service):
    return [row["body"] for row in server.sql(f"SELECT body FROM logs WHERE service = '{service}'")]


def numbers(server, service):
    found = [line.split("number=")[1].split(" ")[0] for line in lines(server, service)]
    return collections.Counter(int(number) for number in found)


def test_no_line_is_lost_when_files_rotate_and_the_server_is_killed(servers, tmp_path):
    dice = random.Random(5)
    folder = tmp_path / "logs"
    folder.mkdir()
    total = 6000
    server = servers(config={"receive": {"files": [{"paths": [str(folder / "app.log*")], "service": "app"}]}}).start()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder / "app.log"), str(total), "900"])
    for _ in range(4):
        time.sleep(0.3 + dice.random() * 0.7)
        server.kill()
        if writer.poll() is None:
            time.sleep(dice.random() * 0.4)
        server.start()
    assert writer.wait() == 0
    until(lambda: len(numbers(server, "app")) == total, "every line")
    server.stop()
    server.start()
    time.sleep(1.5)
    found = numbers(server, "app")
    assert set(found) == set(range(total))
    # Only what a kill cut off from its acknowledgement is there twice.
    twice = sum(count - 1 for count in found.values())
    assert twice < total / 2, twice
    positions = json.loads((server.data / "files/positions.json").read_text())["files"]
    assert all(position["offset"] == os.path.getsize(position["path"]) for position in positions), positions


def test_a_restart_reads_on_and_nothing_twice(servers, tmp_path):
    path = tmp_path / "app.log"
    path.write_text("number=1 a\nnumber=2 b\nnumber=3 no end")
    server = servers(config={"receive": {"files": [{"paths": [str(path)], "service": "app"}]}}).start()
    until(lambda: len(lines(server, "app")) == 2, "two lines")
    until(lambda: '"offset":22' in (server.data / "files/positions.json").read_text(), "positions")
    server.stop()
    with open(path, "a") as out:
        out.write(" yet\nnumber=4 d\n")
    # Renamed while nobody looks, and a new file in its place.
    path.rename(tmp_path / "app.log.1")
    path.write_text("number=5 e\n")
    server.start()
    until(lambda: sum(numbers(server, "app").values()) == 5, "five lines")
    assert sorted(lines(server, "app"))[2] == "number=3 no end yet"
    # Copied and truncated.
    shutil.copy(path, tmp_path / "app.log.2")
    with open(path, "r+") as out:
        out.truncate(0)
        out.write("number=6 f\nnumber=7 g and longer than before\n")
    until(lambda: sum(numbers(server, "app").values()) == 7, "seven lines")
    server.stop()
    server.start()
    time.sleep(1.2)
    assert numbers(server, "app") == collections.Counter(range(1, 8))


def test_containers_multiline_and_steps(servers, tmp_path):
    pod = tmp_path / "pods/shop_cart-7d9f_0a1b/cart"
    pod.mkdir(parents=True)
    (pod / "0.log").write_text(
        "2024-05-06T07:08:09.5Z stdout F {\"level\":\"warn\",\"msg\":\"hello\",\"mail\":\"a@b.example\"}\n"
        "2024-05-06T07:08:10Z stderr F Traceback\n2024-05-06T07:08:10Z stderr P   at a\n2024-05-06T07:08:10Z stdout F {\"level\":\"info\"}\n2024-05-06T07:08:10Z stderr F  and b\n"
    )
    source = {
        "paths": [str(tmp_path / "pods/*/*/*.log")],
        "format": "container",
        "multiline": {"firstline": r"^\S", "wait_ms": 200},
        "transform": [
            {"json": {}, "flag_errors": False},
            {"severity": {"remove": True}, "flag_errors": False},
            {"redact": {"detect": ["email"]}},
            {"drop": {}, "when": {"severity_below": "warn"}},
        ],
    }
    ingest = {"age_seconds_max": 10**9}
    server = servers(config={"receive": {"files": [source]}, "ingest": ingest}).start()
    rows = until(
        lambda: (rows := server.sql("SELECT body, severity_number, service, resource, attributes FROM logs WHERE service = 'cart' ORDER BY timestamp")) and len(rows) == 2 and rows,
        "two records",
    )
    assert rows[0]["severity_number"] == 13 and "[email]" in rows[0]["body"], rows[0]
    assert rows[1]["body"] == "Traceback\n  at a and b"
    resource = json.loads(rows[1]["resource"])
    assert resource["k8s.namespace.name"] == "shop" and resource["k8s.pod.name"] == "cart-7d9f" and resource["k8s.container.name"] == "cart"


def test_where_promtail_stopped_reading_goes_on(servers, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "app.log").write_text("number=1 a\nnumber=2 b\nnumber=3 c\n")
    with gzip.open(folder / "app.log.1.gz", "wt") as out:
        out.write("number=0 z\n")
    positions = tmp_path / "positions.yaml"
    positions.write_text(f'positions:\n  {folder}/app.log: "22"\n  cursor-journal: s=1\n')
    before = positions.read_bytes()
    (tmp_path / "promtail.yaml").write_text(
        textwrap.dedent(
            f"""
            positions: {{filename: {positions}}}
            scrape_configs:
              - static_configs: [{{labels: {{service_name: shop, __path__: "{folder}/app.log*"}}}}]
                decompression: {{enabled: true, format: gz}}
                pipeline_stages:
                  - regex: {{expression: 'number=(?P<number>\\d+)'}}
                  - structured_metadata: {{number: }}
            """
        )
    )
    server = servers(config={"receive": {"files_promtail_config": str(tmp_path / "promtail.yaml")}}).start()
    bodies = lambda: sorted(row["body"] for row in server.sql("SELECT body FROM logs WHERE body LIKE 'number=%'"))
    until(lambda: len(bodies()) == 2, "two lines")
    assert bodies() == ["number=0 z", "number=3 c"]
    with open(folder / "app.log", "a") as out:
        out.write("number=4 d\n")
    until(lambda: len(bodies()) == 3, "three lines")
    until(lambda: '"offset":44' in (server.data / "files/positions.json").read_text(), "positions")
    server.stop()
    # What promtail said is of no use any more.
    (folder / "app.log").unlink()
    (folder / "app.log").write_text("number=5 e\nnumber=6 f\nnumber=7 g\n")
    server.start()
    until(lambda: len(bodies()) == 6, "six lines")
    assert bodies() == [f"number={number} {letter}" for number, letter in zip((0, 3, 4, 5, 6, 7), "zcdefg")]
    assert positions.read_bytes() == before

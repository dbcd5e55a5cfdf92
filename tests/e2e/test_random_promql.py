"""Random queries have the answers of Debian's Prometheus 2.42, but for what Prometheus 3 changed on purpose.

`SIGNALBOX_RANDOM_QUERIES` sets how many (3,000 if unset), `SIGNALBOX_RANDOM_SEED` which.
"""

import collections
import os
import random
import time

import remote_write
from promql_grammar import Grammar
from promql_world import INTERVAL_MS, messages, world
from reference import Asker, difference

# What Prometheus 3 changed and queries meet all the same: why, and how to know it. How many there may be is bounded below.
INTENDED = {
    "names are removed at the end of a query, so series with equal labels may meet on the way (#14477, 3.0)": lambda query, found, ours, theirs: (
        "same labelset" in theirs.get("error", "") and ours["status"] == "success"
    ),
    "a second match is an error even where the comparison is false (#17668, 3.9)": lambda query, found, ours, theirs: (
        "multiple matches for labels" in ours.get("error", "") and theirs["status"] == "success" and any(sign in query for sign in "<>=")
    ),
    "compensated sums know no negative zero, and something is divided by it (#14074, #14413, 3.0)": lambda query, found, ours, theirs: (
        "inf,), Prometheus: (" in found and "nan" not in found and any(word in query for word in ("sum", "avg"))
    ),
}
INTENDED_MAX = 5
QUERIES = int(os.environ.get("SIGNALBOX_RANDOM_QUERIES", "3000"))
SEED = int(os.environ.get("SIGNALBOX_RANDOM_SEED", "42"))
MINUTES = 40


def test_random_queries_have_the_answers_of_prometheus(servers, reference):
    server = servers(config={"telemetry": {"self_watch": False}}).start()
    chance = random.Random(SEED)
    end = int(time.time()) // 60 * 60 - 60
    for message in messages(*world(chance, (end - MINUTES * 60) * 1_000, MINUTES * 60_000 // INTERVAL_MS)):
        for base in (server.http, reference.http):
            taken = remote_write.post(base, message)
            assert taken.status_code in (200, 204), f"{base}: {taken.status_code} {taken.text}"
    # Three seconds after a full minute: no step is a multiple of the step of a subquery.
    grammar = Grammar(chance, end - 20 * 60 + 3)
    spans = [{"start": end - start + 3, "end": end - start + length + 3, "step": step} for start, length, step in [(1_200, 600, 60), (600, 540, 90), (1_800, 300, 30)]]
    askers = Asker(server.http), Asker(reference.http)
    wrong, answered, intended = [], 0, collections.Counter()
    for number in range(QUERIES):
        query = grammar.query()
        span = chance.choice(spans)
        path, parameters = ("query", {"time": span["end"]}) if number % 4 == 0 else ("query_range", span)
        ours, theirs = (asker.ask(path, query=query, **parameters) for asker in askers)
        answered += theirs["status"] == "success" and bool(theirs["data"]["result"])
        found = difference(ours, theirs)
        reason = found and next((reason for reason, is_it in INTENDED.items() if is_it(query, found, ours, theirs)), "")
        if reason:
            intended[reason] += 1
        elif found:
            wrong.append(f"{path} {query} {parameters}: {found}")
    print(f"{QUERIES - len(wrong)} of {QUERIES} answers are those of Prometheus or differ on purpose, {answered} are not empty")
    for reason, count in intended.items():
        print(f"{count} differ on purpose: {reason}")
    assert not wrong, f"{len(wrong)} of {QUERIES} differ:\n" + "\n".join(wrong[:40])
    assert intended.total() <= INTENDED_MAX + QUERIES // 1_000, intended
    assert answered > QUERIES * 0.7, answered

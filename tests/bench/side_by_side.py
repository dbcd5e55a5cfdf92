"""What every comparison shares: figures by peer, rounds in alternating order, the table at the end."""

import argparse
import collections
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import peers


class Bench:
    """One comparison. Phases are methods that are given a server that is not started."""

    # Ratios to the first peer that we want to keep.
    GOALS = {}

    def __init__(self, arguments):
        self.arguments = arguments
        self.figures = collections.defaultdict(lambda: collections.defaultdict(list))

    def note(self, peer, figure, value):
        self.figures[figure][peer.NAME].append(value)
        print(json.dumps({"peer": peer.NAME, "figure": figure, "value": round(value, 4), "load": round(os.getloadavg()[0], 1)}), flush=True)

    def timed(self, server, path, parameters):
        """CPU and wall milliseconds of an answer, and the answer. Over a connection that is open, as data sources keep theirs."""
        return self.measured(server, path, parameters, server.kept_connection())

    def timed_anew(self, server, path, parameters):
        """As `timed`, over a connection of its own."""
        connection = server.connection()
        try:
            return self.measured(server, path, parameters, connection)
        finally:
            connection.close()

    @staticmethod
    def measured(server, path, parameters, connection):
        target = peers.target(path, parameters)
        cpu, wall = server.cpu_fine(), time.perf_counter()
        status, answer = peers.ask(connection, target)
        wall, cpu = time.perf_counter() - wall, server.cpu_fine() - cpu
        if status != 200:
            raise SystemExit(f"{server.NAME}: {path} {parameters}: {status} {answer[:300]!r}")
        return cpu * 1e3, wall * 1e3, answer

    def table(self):
        names = [peer.NAME for peer in self.arguments.peers]
        print("\n| figure |", " | ".join(names), "|", " | ".join(f"ratio to {name}" for name in names[1:]), "| goal |")
        print("|---|" + "---:|" * (2 * len(names)))
        for figure, values in self.figures.items():
            medians = [statistics.median(values[name]) if values.get(name) else None for name in names]
            cells = ["" if median is None else f"{median:.3f}" for median in medians]
            ratios = [f"{medians[0] / median:.2f}" if medians[0] is not None and median else "" for median in medians[1:]]
            print("|", figure, "|", " | ".join(cells + ratios), "|", self.GOALS.get(figure, ""), "|")

    def run(self):
        for number in range(self.arguments.rounds):
            order = self.arguments.peers if number % 2 == 0 else self.arguments.peers[::-1]
            for phase in self.arguments.only.split(","):
                for peer in order:
                    getattr(self, phase)(peer(pathlib.Path(self.arguments.scratch) / peer.NAME))
        self.table()


def main(bench, known, phases, description, **sizes):
    """Runs a comparison of those peers whose binaries are there. `sizes` become options of whole numbers."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--load", required=True, help="the generator: target/release/examples/load")
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(phases), help="phases, separated by commas")
    parser.add_argument("--scratch", default=None, help="where data goes; a temporary folder if not given")
    arguments = parser.parse_args()
    arguments.peers = [peer for peer in known if peer.binary()]
    if known[0] not in arguments.peers:
        sys.exit(f"{known[0].VARIABLE} is not set")
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as scratch:
        arguments.scratch = arguments.scratch or scratch
        bench(arguments).run()

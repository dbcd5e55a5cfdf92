"""Seeded metrics with everything that makes PromQL hard: gaps, resets, NaN, infinities, staleness, sparse and native series.

All times lie between 700 and 999 milliseconds after a full second, so that no sample lies on an edge of a range or on a step:
Prometheus 2 counts a sample on the early edge of a range, Prometheus 3 and we do not.
"""

import math
import struct

import remote_write

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
INTERVAL_MS = 15_000
BOUNDS = ["0.1", "0.5", "1", "5", "+Inf"]


def world(chance, start_ms, count):
    """(series of floats, series of native histograms) for remote write; `start_ms` is a full second."""
    floats, natives = [], []
    for job in ("a", "b", "c"):
        for instance in ("i0", "i1"):
            target = {"job": job, "instance": instance} | ({} if job == "c" else {"zone": "north" if job == "a" else "south"})
            times = [start_ms + step * INTERVAL_MS + 700 + chance.randrange(300) for step in range(count)]

            def add(name, samples, target=target, **more):
                floats.append(({"__name__": name} | target | more, samples))

            add("temp", [(chance.randrange(-100_000, 1_000_000) / 1_024, at) for at in times])
            add("gaps", [(chance.randrange(4_000) / 4, at) for at in times if chance.random() < 0.5])
            add("flags", [(float(chance.random() < 0.3), at) for at in times])
            add("sparse", [(chance.randrange(400) / 4, at) for at in times[chance.randrange(16) :: 16]])
            add("odd", [(chance.choice([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, 2.0, -3.0, 1e300, 1e-300]), at) for at in times])
            add("clock", [(at // 1_000 + 0.0, at) for at in times])
            add("build_info", [(1.0, at) for at in times], version=f"v{chance.randrange(3)}")
            add("errors_total", counter(chance, times))
            for code in ("200", "500"):
                add("requests_total", counter(chance, times), code=code)
            add("ends", ends(chance, times))
            steps = [[value for value, _ in counter(chance, times, 0.0)] for _ in BOUNDS]
            totals = [0.0] * count
            for bound, step in zip(BOUNDS, steps):
                totals = [total + value for total, value in zip(totals, step)]
                add("latency_bucket", list(zip(totals, times)), le=bound)
            natives.append(({"__name__": "native"} | target, list(native(chance, times))))
    return floats, natives


def counter(chance, times, reset_share=0.02):
    """A counter that stays far from zero even after a reset. Its values are exact in binary, and so are sums of them."""
    value, samples = 50_000.0, []
    for at in times:
        value = 40_000 + chance.randrange(100_000) / 1_024 if chance.random() < reset_share else value + chance.randrange(100_000) / 1_024
        samples.append((value, at))
    return samples


def ends(chance, times):
    """A series that ends and begins again."""
    samples, is_there = [], True
    for at in times:
        if is_there and chance.random() < 0.06:
            samples.append((STALE, at))
            is_there = False
        elif is_there or chance.random() < 0.15:
            is_there = True
            samples.append((chance.randrange(800) / 4, at))
    return samples


def native(chance, times):
    """(bytes of a histogram) that counts up, sometimes from the start again; far from zero, as the counters."""
    counts = [10_000] * 4
    for at in times:
        if chance.random() < 0.02:
            counts = [5_000 + chance.randrange(9) for _ in counts]
        counts = [count + chance.randrange(9) for count in counts]
        yield histogram(at, counts, 10_000 + counts[0] // 10, sum(counts) / 4)


def histogram(at, counts, zero_count, total):
    deltas = [after - before for before, after in zip([0, *counts], counts)]
    zigzag = lambda number: remote_write.varint(number << 1 ^ number >> 63)
    double = lambda number, value: remote_write.varint(number << 3 | 1) + struct.pack("<d", value)
    plain = lambda number, value: remote_write.varint(number << 3) + remote_write.varint(value)
    body = plain(1, sum(counts) + zero_count) + double(3, total) + remote_write.varint(4 << 3) + zigzag(1) + double(5, 0.001) + plain(6, zero_count)
    body += remote_write.field(11, remote_write.varint(1 << 3) + zigzag(-1) + plain(2, 2)) + remote_write.field(11, remote_write.varint(1 << 3) + zigzag(2) + plain(2, 2))
    return body + remote_write.field(12, b"".join(zigzag(delta) for delta in deltas)) + plain(15, at)


def messages(floats, natives):
    """Requests of remote write 1.0."""
    yield remote_write.v1(floats)
    yield b"".join(
        remote_write.field(
            1,
            b"".join(remote_write.field(1, remote_write.field(1, name.encode()) + remote_write.field(2, value.encode())) for name, value in sorted(labels.items()))
            + b"".join(remote_write.field(4, sample) for sample in samples),
        )
        for labels, samples in natives
    )

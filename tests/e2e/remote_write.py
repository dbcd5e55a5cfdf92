"""Prometheus remote write by hand: the messages are few enough to write their bytes."""

import struct

import cramjam
import requests


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def v1(series):
    """A WriteRequest 1.0 of (labels, [(value, time in ms)])."""
    out = b""
    for labels, samples in series:
        body = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
        body += b"".join(field(2, varint(1 << 3 | 1) + struct.pack("<d", value) + varint(2 << 3) + varint(time_ms)) for value, time_ms in samples)
        out += field(1, body)
    return out


def v2(series):
    """A Request 2.0 of (labels, [(value, time in ms)])."""
    symbols = [""]
    known = {"": 0}

    def symbol(value):
        if value not in known:
            known[value] = len(symbols)
            symbols.append(value)
        return known[value]

    body = b""
    for labels, samples in series:
        references = b"".join(varint(symbol(part)) for pair in sorted(labels.items()) for part in pair)
        entry = field(1, references)
        entry += b"".join(field(2, varint(1 << 3 | 1) + struct.pack("<d", value) + varint(2 << 3) + varint(time_ms)) for value, time_ms in samples)
        body += field(5, entry)
    return b"".join(field(4, value.encode()) for value in symbols) + body


def post(base, message, version=1, session=requests, timeout=60, headers=()):
    """The raw answer to an already encoded message."""
    content_type = "application/x-protobuf" if version == 1 else "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    all_headers = {
        "content-type": content_type,
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0" if version == 1 else "2.0.0",
    } | dict(headers)
    payload = bytes(cramjam.snappy.compress_raw(message))
    return session.post(f"{base}/api/v1/write", data=payload, headers=all_headers, timeout=timeout)

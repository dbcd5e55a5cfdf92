"""Messages of Loki's query frontend, read without a compiler: a few lines that say fields and numbers."""

import struct

# message: field number type, `*` for repeated. Statistics are not looked into.
MESSAGES = """
QueryResponse: status 1 Status, series 2 Series, labels 3 Labels, stats 4 Stats, prom 5 Prom, streams 6 Streams, shards 10 Shards, detectedFields 11 Fields, patterns 12 Patterns, detectedLabels 13 DetectedLabels
Status: code 1 int, message 2 string
Series: status 1 string, data 2 *Identifier, version 3 int, headers 4 *bytes, statistics 5 bytes
Identifier: labels 1 *Pair
Pair: name 1 string, value 2 string
Labels: status 1 string, data 2 *string, version 3 int, headers 4 *bytes, statistics 5 bytes
Stats: response 1 IndexStats, headers 2 *bytes
IndexStats: streams 1 int, chunks 2 int, bytes 3 int, entries 4 int
Prom: response 1 Prometheus, statistics 2 bytes
Prometheus: status 1 string, data 2 PrometheusData, headers 5 *bytes
PrometheusData: resultType 1 string, result 2 *SampleStream
SampleStream: labels 1 *Pair, samples 2 *Sample
Sample: value 1 double, timestamp 2 int
Streams: status 1 string, data 2 StreamsData, direction 5 int, limit 6 int, version 7 int, statistics 8 bytes
StreamsData: resultType 1 string, result 2 *Stream
Stream: labels 1 string, entries 2 *Entry, hash 3 int
Entry: timestamp 1 Timestamp, line 2 string, structuredMetadata 3 *Pair, parsed 4 *Pair
Timestamp: seconds 1 int, nanos 2 int
Shards: response 1 ShardsResponse, headers 2 *bytes
ShardsResponse: shards 1 *Shard, statistics 2 bytes
Shard: bounds 1 Bounds, stats 2 IndexStats
Bounds: min 1 int, max 2 int
Fields: response 1 FieldsResponse, headers 2 *bytes
FieldsResponse: fields 1 *Field, limit 2 int, values 3 *string
Field: label 1 string, type 2 string, cardinality 3 int, parsers 4 *string, sketch 5 bytes, jsonPath 6 *string
Patterns: response 1 PatternsResponse, headers 2 *bytes
PatternsResponse: series 1 *Pattern
Pattern: pattern 1 string, samples 2 *PatternSample, level 3 string
PatternSample: timestamp 1 int, value 2 int
DetectedLabels: response 1 DetectedLabelsResponse, headers 2 *bytes
DetectedLabelsResponse: detectedLabels 1 *DetectedLabel
DetectedLabel: label 1 string, cardinality 2 int, sketch 3 bytes
"""
FIELDS = {}
for _line in MESSAGES.strip().splitlines():
    _name, _fields = _line.split(":")
    FIELDS[_name] = {int(number): (field, kind) for field, number, kind in (text.split() for text in _fields.split(","))}


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def decode(data, message="QueryResponse"):
    """The fields that a message has, by their names; those that it should not have fail."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        else:
            assert key & 7 == 2, f"{message}: wire type {key & 7}"
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        name, kind = FIELDS[message][key >> 3]
        plain = kind.lstrip("*")
        if plain == "string":
            value = value.decode()
        elif plain in FIELDS:
            value = decode(value, plain)
        if kind.startswith("*"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found

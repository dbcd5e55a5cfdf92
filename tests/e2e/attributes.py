"""OTLP's attribute values as Signalbox documents their text (crates/model/src/attributes.rs), for comparisons."""

import base64
import json


def text_of(value):
    """(letter of the type, text) of an AnyValue."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return "n", ""
        case "string_value":
            return "s", value.string_value
        case "bool_value":
            return "b", "true" if value.bool_value else "false"
        case "int_value":
            return "i", str(value.int_value)
        case "double_value":
            return "d", double_text(value.double_value)
        case "bytes_value":
            return "y", base64.b64encode(value.bytes_value).decode()
        case "array_value":
            return "a", [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return "m", {pair.key: plain(pair.value) for pair in value.kvlist_value.values}


def plain(value):
    """A value inside of JSON."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return {"$bytes": base64.b64encode(value.bytes_value).decode()}
        case "double_value":
            number = value.double_value
            return number if number == number and abs(number) != float("inf") else {"$double": double_text(number)}
        case _:
            return getattr(value, kind)


def double_text(number):
    if number != number:
        return "NaN"
    if abs(number) == float("inf"):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def described(attributes):
    """{key: (letter, text)} of a list of KeyValue."""
    return {pair.key: text_of(pair.value) for pair in attributes}


def read(attributes, types):
    """The same, of the columns `attributes` and `attribute_types`."""
    letters = types if types else "s" * len(attributes)
    assert len(letters) == len(attributes), (attributes, types)
    found = {}
    for (key, value), letter in zip(attributes.items(), letters):
        found[key] = (letter, read_text(letter, value))
    return found


def read_text(letter, value):
    if letter in "am":
        return json.loads(value)
    if letter == "d" and value not in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return value or ""


def of_json(column):
    """{key: plain value} of the column `resource` or `scope`."""
    return json.loads(column)

"""Spans for comparisons with Tempo: every kind, status, scope and type of attribute; events, links, a lost root and an id of 64 bits."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
ORDERS = 6
# How many there are.
SPANS = 6 * ORDERS + 6
ORPHAN = "0b" * 16
SOLO = "00000000000000000123456789abcdef"
NAMELESS = "0c" * 16


def order_id(number):
    return f"{0xA0 + number:02x}" * 16


def mail_id(number):
    return f"{0xD0 + number:02x}" * 16


def span_id(trace_id, number):
    return f"{trace_id[-2:]}0000000000{number:04x}"


def value(given):
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(each) for each in given]))
    return AnyValue(**{{bool: "bool_value", str: "string_value", int: "int_value", float: "double_value"}[type(given)]: given})


def attributes(given):
    return [KeyValue(key=key, value=value(each)) for key, each in given.items()]


class World:
    """A request to `/v1/traces`; one resource for each service, one scope for each library."""

    def __init__(self):
        self.request, self.scopes = ExportTraceServiceRequest(), {}

    def scope(self, service, library):
        if (service, library) not in self.scopes:
            resource = self.request.resource_spans.add()
            named = {"service.name": service} if service else {}
            resource.resource.attributes.extend(attributes(named | {"service.version": f"{len(service)}.0", "region": "eu" if service == "shop" else "us", "replicas": len(service)}))
            scope = resource.scope_spans.add()
            scope.scope.name, scope.scope.version = library, "0.1"
            scope.scope.attributes.extend(attributes({"language": library[:2]}))
            self.scopes[service, library] = scope
        return self.scopes[service, library]

    def span(self, where, trace_id, number, parent, name, kind, at, length, status=(0, ""), **given):
        made = self.scope(*where).spans.add(name=name, kind=kind, start_time_unix_nano=at, end_time_unix_nano=at + length)
        made.trace_id, made.span_id = bytes.fromhex(trace_id), bytes.fromhex(span_id(trace_id, number))
        if parent:
            made.parent_span_id = bytes.fromhex(span_id(trace_id, parent))
        made.status.code, made.status.message = status
        made.attributes.extend(attributes({key.replace("__", "."): each for key, each in given.items()}))
        return made


def spans(base):
    """The request. Order `n` begins `10 n` seconds after the base; each third fails."""
    world = World()
    shop, checks, cart, mail = ("shop", "orders"), ("shop", "checks"), ("cart", "carts"), ("mail", "mailer")
    for number in range(ORDERS):
        trace_id, at, fails = order_id(number), (base + 10 * number) * SECOND, number % 3 == 0
        length = (100 + 50 * number) * MILLISECOND
        code = 500 if fails else 200
        items = {"items": ["book", "pen"]} if number % 2 else {}
        status = (2, "") if fails else (0, "")
        described = {"http.route": "/order", "http.status_code": code, "order": number, "paid": not fails, "price": number * 1.5} | items
        root = world.span(shop, trace_id, 1, None, "POST /order", SERVER, at, length, status, **described)
        root.trace_state = "vendor=1"
        world.span(checks, trace_id, 2, 1, "validate", INTERNAL, at + MILLISECOND, 5 * MILLISECOND, (1, ""), rules=number + 2)
        world.span(shop, trace_id, 3, 1, "cart/add", CLIENT, at + 10 * MILLISECOND, length - 20 * MILLISECOND, http__status_code=code)
        world.span(cart, trace_id, 4, 3, "Add", SERVER, at + 12 * MILLISECOND, length - 30 * MILLISECOND, http__status_code=code, zone="ab"[number % 2])
        status = (2, "deadlock") if fails else (0, "")
        query = world.span(cart, trace_id, 5, 4, "SELECT", CLIENT, at + 20 * MILLISECOND, (10 + number) * MILLISECOND, status, db__system="postgresql", rows=number * 7)
        if fails:
            event = query.events.add(name="exception", time_unix_nano=at + 23 * MILLISECOND)
            event.attributes.extend(attributes({"exception.type": "Deadlock", "attempt": number + 1}))
        world.span(cart, trace_id, 6, 4, "send", PRODUCER, at + 50 * MILLISECOND, MILLISECOND, messaging__system="kafka")
    for number in range(2):
        made = world.span(mail, mail_id(number), 1, None, "mail", CONSUMER, (base + 10 * number + 5) * SECOND, 3 * SECOND, messaging__system="kafka")
        link = made.links.add(trace_id=bytes.fromhex(order_id(number)), span_id=bytes.fromhex(span_id(order_id(number), 6)))
        link.attributes.extend(attributes({"relation": "follows"}))
    for number in (2, 3):
        world.span(cart, ORPHAN, number, 1, "late", SERVER, (base + 40 + number) * SECOND, SECOND, zone="c")
    world.span(("solo", "x"), SOLO, 1, None, "GET /é \"q\"", SERVER, (base + 51) * SECOND, 0, text="ü <b>\n\"x\"", empty="", big=2**53 + 1, small=1e-9)
    world.span(("", "none"), NAMELESS, 1, None, "nobody", 0, (base + 52) * SECOND, 7 * MILLISECOND)
    return world.request

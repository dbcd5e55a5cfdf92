"""Clients of Zipkin and Jaeger, each in a process of its own: `span_clients.py CLIENT ADDRESS` sends a server's span with a client's below.

Some of them register the same protobuf messages, or never end their threads.
"""

import os
import sys
import time

SERVICE = "shop"


def py_zipkin(address, version="v2", content_type="application/json", send=None):
    import requests
    from py_zipkin import Encoding, Kind
    from py_zipkin.zipkin import zipkin_client_span, zipkin_span

    def post(body):
        answer = requests.post(f"http://{address}/api/{version}/spans", data=body, headers={"Content-Type": content_type}, timeout=30)
        assert answer.status_code == 202, (answer.status_code, answer.text)

    encoding = {"v1": Encoding.V1_JSON, "v2": Encoding.V2_PROTO3 if "protobuf" in content_type else Encoding.V2_JSON}[version]
    if "thrift" in content_type:
        encoding = Encoding.V1_THRIFT
    options = {"service_name": SERVICE, "transport_handler": send or post, "encoding": encoding, "sample_rate": 100, "use_128bit_trace_id": True}
    with zipkin_span(span_name="GET /cart", port=80, kind=Kind.SERVER, binary_annotations={"http.path": "/cart"}, **options):
        with zipkin_client_span(service_name=SERVICE, span_name="SELECT") as child:
            child.add_sa_binary_annotation(port=5432, service_name="database", host="10.0.0.9")
            child.add_annotation("cache miss")
            child.update_binary_annotations({"error": "true"})


def py_zipkin_grpc(address):
    """Its lists of spans in protobuf by the call that Zipkin's server has."""
    import grpc

    with grpc.insecure_channel(address) as channel:

        def report(body):
            answer = channel.unary_unary("/zipkin.proto3.SpanService/Report")(body, timeout=30)
            assert answer == b"", answer

        py_zipkin(address, "v2", "application/x-protobuf", report)
        for bad, code in [(b"\x0a\x7f", grpc.StatusCode.INVALID_ARGUMENT), (b"\x0a\x00", grpc.StatusCode.INVALID_ARGUMENT)]:
            try:
                report(bad)
                raise AssertionError(bad)
            except grpc.RpcError as error:
                assert error.code() == code, error


def opentelemetry(exporter):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE, "host.name": "h1"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("lib", "1.2")
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes={"http.path": "/cart"}):
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes={"peer.service": "database"}) as child:
            child.add_event("cache miss", {"key": "k1"})
            child.set_status(StatusCode.ERROR, "boom")
    assert provider.force_flush()
    provider.shutdown()


def otel_zipkin_json(address):
    from opentelemetry.exporter.zipkin.json import ZipkinExporter

    opentelemetry(ZipkinExporter(endpoint=f"http://{address}/api/v2/spans"))


def with_names_of_variables():
    """The exporters for Jaeger import names that the SDK has no more since they were retired."""
    from opentelemetry.sdk import environment_variables

    for what in ["AGENT_HOST", "AGENT_PORT", "AGENT_SPLIT_OVERSIZED_BATCHES", "CERTIFICATE", "ENDPOINT", "GRPC_INSECURE", "PASSWORD", "TIMEOUT", "USER"]:
        setattr(environment_variables, f"OTEL_EXPORTER_JAEGER_{what}", f"OTEL_EXPORTER_JAEGER_{what}")


def otel_jaeger_udp(address):
    with_names_of_variables()
    from opentelemetry.exporter.jaeger.thrift import JaegerExporter

    host, port = address.rsplit(":", 1)
    opentelemetry(JaegerExporter(agent_host_name=host, agent_port=int(port), udp_split_oversized_batches=True))


def message(*fields):
    """A message of protobuf, of (number, value) with numbers, texts, bytes and messages."""
    out = b""

    def varint(value):
        digits = []
        while value >= 0x80:
            digits.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(digits + [value])

    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def jaeger_grpc(address):
    """The call that Jaeger's agents and OpenTelemetry's collector make; no client of Python that still can be installed does."""
    import grpc

    now = time.time_ns()
    trace, parent, child = os.urandom(16), os.urandom(8), os.urandom(8)
    text = lambda key, value: message((1, key), (3, value))
    truth = lambda key: message((1, key), (2, 1), (4, 1))
    instant = message((1, now // 10**9), (2, now % 10**9))
    times = [(6, instant), (7, message((2, 5000)))]
    server = message((1, trace), (2, parent), (3, "GET /cart"), *times, (8, text("span.kind", "server")), (8, text("http.path", "/cart")))
    tags = [(8, text("span.kind", "client")), (8, text("peer.service", "database")), (8, truth("error"))]
    log = (9, message((1, instant), (2, text("event", "cache miss"))))
    client = message((1, trace), (2, child), (3, "SELECT"), (4, message((1, trace), (2, parent))), *times, *tags, log)
    request = message((1, message((1, server), (1, client), (2, message((1, SERVICE))))))
    with grpc.insecure_channel(address) as channel:
        answer = channel.unary_unary("/jaeger.api_v2.CollectorService/PostSpans")(request, timeout=30)
        assert answer == b"", answer
        sampling = channel.unary_unary("/jaeger.api_v2.SamplingManager/GetSamplingStrategy")(message((1, SERVICE)), timeout=30)
        assert len(sampling) == 11, sampling


def otel_jaeger_http(address):
    with_names_of_variables()
    from opentelemetry.exporter.jaeger.thrift import JaegerExporter

    opentelemetry(JaegerExporter(collector_endpoint=f"http://{address}/api/traces?format=jaeger.thrift"))


def jaeger(address):
    import opentracing.tags
    from jaeger_client import Config

    host, port = address.rsplit(":", 1)
    settings = {
        # Without a sampler of its own it asks which share to keep.
        "sampling_refresh_interval": 1,
        "local_agent": {"reporting_host": host, "reporting_port": port, "sampling_port": os.environ["SAMPLING_PORT"]},
        "generate_128bit_trace_id": True,
        "reporter_flush_interval": 0.1,
    }
    tracer = Config(config=settings, service_name=SERVICE, validate=True).new_tracer()
    # Until it is told, the client keeps one trace in a thousand.
    deadline = time.monotonic() + 30
    while not tracer.start_span("probe").is_sampled():
        assert time.monotonic() < deadline, "the client was not told to keep everything"
        time.sleep(0.1)
    with tracer.start_span("GET /cart", tags={opentracing.tags.SPAN_KIND: "server", "http.path": "/cart"}) as parent:
        with tracer.start_span("SELECT", child_of=parent, tags={opentracing.tags.SPAN_KIND: "client", "peer.service": "database"}) as child:
            child.log_kv({"event": "cache miss", "key": "k1"})
            child.set_tag("error", True)
    closed = tracer.close()
    while not closed.done():
        time.sleep(0.05)


CLIENTS = {
    "py_zipkin": py_zipkin,
    "py_zipkin-protobuf": lambda address: py_zipkin(address, "v2", "application/x-protobuf"),
    "py_zipkin-v1": lambda address: py_zipkin(address, "v1"),
    "py_zipkin-grpc": py_zipkin_grpc,
    "py_zipkin-grpc-beside-otlp": py_zipkin_grpc,
    "otel-zipkin-json": otel_zipkin_json,
    "otel-jaeger-udp": otel_jaeger_udp,
    "jaeger-grpc": jaeger_grpc,
    "otel-jaeger-http": otel_jaeger_http,
    "jaeger": jaeger,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2])
    sys.stdout.flush()
    os._exit(0)

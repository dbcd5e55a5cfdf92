// Sends one of everything with OpenTelemetry's SDK for Node, and prints what it was as JSON.
// usage: node send.mjs json|proto|grpc ENDPOINT
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, context, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [transport, endpoint] = process.argv.slice(2);
const suffix = { json: "http", proto: "proto", grpc: "grpc" }[transport];
const [{ OTLPTraceExporter }, { OTLPLogExporter }, { OTLPMetricExporter }] = await Promise.all(["trace", "logs", "metrics"].map((signal) => import(`@opentelemetry/exporter-${signal}-otlp-${suffix}`)));
const at = (signal) => ({ url: transport === "grpc" ? endpoint : `${endpoint}/v1/${signal}`, compression: "gzip" });
const resource = resourceFromAttributes({ "service.name": `node-${transport}`, "service.instance.id": "n-1", "process.pid": 7, zones: ["a", "b"] });
const types = { text: "größer \u{1F6D2}", yes: true, whole: 9007199254740991, fraction: 0.1, texts: ["a", "b"], wholes: [1, 2] };

const traces = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter(at("traces")))] });
const tracer = traces.getTracer("node.shop", "3.1");
const root = tracer.startSpan("GET /", { kind: SpanKind.SERVER, attributes: types }, ROOT_CONTEXT);
const inside = trace.setSpan(ROOT_CONTEXT, root);
const child = tracer.startSpan("query", { kind: SpanKind.CLIENT, links: [{ context: { traceId: "0123456789abcdef0123456789abcdef", spanId: "0123456789abcdef", traceFlags: TraceFlags.SAMPLED }, attributes: { why: "batch" } }] }, inside);
child.addEvent("retry", { attempt: 2 });
child.recordException(new TypeError("not a number"));
child.setStatus({ code: SpanStatusCode.ERROR, message: "failed" });
child.end();
root.end();
await traces.forceFlush();

const logs = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(at("logs")) })] });
const time = Date.now();
const logger = logs.getLogger("node.log", "1");
logger.emit({ timestamp: time, severityNumber: SeverityNumber.WARN, severityText: "WARN", body: "plain words", attributes: types, context: inside });
logger.emit({ timestamp: time + 1, severityNumber: SeverityNumber.INFO, body: { message: "structured", list: [1, "two", { three: 3 }], bytes: new Uint8Array([0, 255]) }, attributes: { deep: { a: [true] } }, context: inside });
await logs.forceFlush();

const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(at("metrics")), exportIntervalMillis: 3_600_000, exportTimeoutMillis: 30_000 });
const meters = new MeterProvider({ resource, readers: [reader], views: [{ instrumentName: "node.size", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 160 } } }] });
const meter = meters.getMeter("node.meter");
meter.createCounter("node.orders", { unit: "{order}" }).add(5, { paid: true });
meter.createUpDownCounter("node.items").add(-3);
const latency = meter.createHistogram("node.latency", { unit: "s", advice: { explicitBucketBoundaries: [0.1, 1] } });
const latencies = [0.05, 0.5, 0.7, 5];
const sizes = [0.25, 1, 3, 3, 1000];
context.with(inside, () => {
  for (const value of latencies) latency.record(value);
  const size = meter.createHistogram("node.size", { unit: "By" });
  for (const value of sizes) size.record(value);
});
meter.createObservableGauge("node.temperature", { unit: "Cel" }).addCallback((result) => result.observe(-4.5, { room: "cellar" }));
await meters.forceFlush();

await Promise.all([traces.shutdown(), logs.shutdown()]);
const nanos = ([seconds, nanoseconds]) => String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
const told = (span) => ({ id: span.spanContext().spanId, name: span.name, start: nanos(span.startTime), duration: nanos(span.duration) });
console.log(JSON.stringify({ trace: root.spanContext().traceId, root: told(root), child: told(child), types, time, latencies, sizes }));
process.exit(0);

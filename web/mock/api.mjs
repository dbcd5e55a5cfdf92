// The APIs that the pages use, answered from the mock world in the shapes of Prometheus, Loki, Jaeger and our SQL.
import { METRICS, all, evaluate, fault, select } from "./promql.mjs";
import { cardinality } from "./cardinality.mjs";
import { LOG_ROUTES } from "./logs.mjs";
import { ALERTING_ROUTES } from "./alerting.mjs";
import { rules } from "./rules.mjs";
import { SERVICE_ROUTES } from "./services.mjs";
import { relabelSteps, targets } from "./scrape.mjs";
import { SERVICES, SEVERITY_NUMBERS, logsOf, sampled, slotOf, slots, spansOf } from "./world.mjs";

/** Answers a request, or returns false when it is none of the APIs. */
export async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const body = request.method === "POST" ? await text(request) : "";
  const params = new URLSearchParams(url.search);
  if (!url.pathname.endsWith("/sql")) for (const [name, value] of new URLSearchParams(body)) params.append(name, value);
  const found = ROUTES.find(([pattern, , method]) => pattern.test(url.pathname) && (method === undefined || method === request.method));
  if (found === undefined) return false;
  const [status, result, type = "application/json"] = found[1](params, found[0].exec(url.pathname), body);
  response.writeHead(status, { "content-type": type });
  response.end(type === "application/json" ? JSON.stringify(result) : result);
  return true;
}

const ok = (data) => [200, { status: "success", data }];
const bad = (error) => [400, { status: "error", errorType: "bad_data", error }];
const unique = (values) => [...new Set(values)].sort();
const iso = (ms) => new Date(ms).toISOString();

const ROUTES = [
  ...LOG_ROUTES,
  ...ALERTING_ROUTES,
  ...SERVICE_ROUTES,
  [/^\/api\/v1\/query$/, (params) => {
    const query = params.get("query") ?? "";
    const wrong = fault(query);
    if (wrong !== null) return bad(`invalid parameter "query": ${wrong}`);
    const time = Number(params.get("time") ?? Date.now() / 1000);
    return ok({ resultType: "vector", result: evaluate(query).map(({ labels, at }) => ({ metric: labels, value: [time, String(at(time))] })) });
  }],
  [/^\/api\/v1\/query_range$/, (params) => {
    const query = params.get("query") ?? "";
    const wrong = fault(query);
    if (wrong !== null) return bad(`invalid parameter "query": ${wrong}`);
    const [start, end, step] = ["start", "end", "step"].map((name) => Number(params.get(name)));
    if ((end - start) / step > 11_000) return bad("exceeded maximum resolution of 11,000 points per timeseries.");
    const times = Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
    return ok({ resultType: "matrix", result: evaluate(query).map(({ labels, at }) => ({ metric: labels, values: times.map((time) => [time, String(at(time))]) })) });
  }],
  [/^\/api\/v1\/labels$/, (params) => ok(unique(matching(params).flatMap((labels) => Object.keys(labels))))],
  [/^\/api\/v1\/label\/([^/]+)\/values$/, (params, [, label]) => ok(unique(matching(params).map((labels) => labels[label]).filter(Boolean)))],
  [/^\/api\/v1\/series$/, (params) => ok(matching(params))],
  [/^\/api\/v1\/metadata$/, () => ok(Object.fromEntries(Object.entries(METRICS).map(([name, { type, help }]) => [name, [{ type, help, unit: "" }]])))],
  [/^\/api\/v1\/status\/buildinfo$/, () => ok({ version: "0.1.0" })],
  [/^\/api\/v1\/status\/runtimeinfo$/, () => ok({ startTime: iso(Date.now() - 7_300_000), CWD: "/var/lib/signalbox", hostname: "box-1", GOMAXPROCS: 4, goroutineCount: 23, storageRetention: "395d", reloadConfigSuccess: true, lastConfigTime: iso(Date.now() - 7_300_000), corruptionCount: 0 })],
  [/^\/api\/v1\/status\/flags$/, () => ok({ "query.lookback-delta": "5m", "query.max-samples": "50000000", "query.timeout": "2m", "storage.tsdb.retention.time": "395d", "web.enable-remote-write-receiver": "true" })],
  [/^\/api\/v1\/status\/config$/, () => ok({ yaml: "global:\n  external_labels:\n    region: \"eu\"\n" })],
  [/^\/api\/v1\/status\/tsdb\/blocks$/, () => ok({ blocks: [1, 1, 1, 2, 3].map((level, index) => ({ ulid: String(index), minTime: Date.now() - (index + 1) * 7_200_000, maxTime: Date.now() - index * 7_200_000, stats: { numSamples: 810_000 * level }, compaction: { level } })) })],
  [/^\/api\/v1\/notifications$/, () => ok([])],
  [/^\/api\/v1\/rules$/, () => ok({ groups: rules(Date.now()) })],
  [/^\/api\/v1\/alerts$/, () => ok({ alerts: rules(Date.now()).flatMap((group) => group.rules.flatMap((rule) => rule.alerts ?? [])) })],
  [/^\/api\/v1\/targets\/relabel_steps$/, (params) => ok(relabelSteps(params.get("scrapePool"), JSON.parse(params.get("labels"))))],
  [/^\/api\/v1\/targets$/, () => ok(targets(Date.now()))],
  [/^\/api\/v1\/cardinality$/, (params) => [200, cardinality(params, Date.now())]],
  [/^\/api\/v1\/sql$/, (_params, _match, body) => sql(JSON.parse(body).query)],
  [/^\/loki\/api\/v1\/labels$/, () => ok(["detected_level", "service_name", "service_namespace"])],
  [/^\/loki\/api\/v1\/label\/([^/]+)\/values$/, (_params, [, label]) => ok(label === "service_name" ? SERVICES : label === "detected_level" ? Object.keys(SEVERITY_NUMBERS).map((name) => name.toLowerCase()) : [])],
  [/^\/loki\/api\/v1\/query_range$/, logs],
  [/^\/jaeger\/api\/services$/, () => [200, { data: SERVICES, total: SERVICES.length }]],
  [/^\/jaeger\/api\/services\/([^/]+)\/operations$/, (_params, [, service]) => [200, { data: operations(decodeURIComponent(service)) }]],
  [/^\/jaeger\/api\/traces$/, traces],
  [/^\/jaeger\/api\/traces\/([^/]+)$/, (_params, [, id]) => {
    const k = slotOf(id);
    const spans = k === null || k * 4_000 > Date.now() ? [] : spansOf(k);
    return spans[0]?.trace === id ? [200, { data: [jaeger(spans)] }] : [404, { data: null, errors: [{ code: 404, msg: "trace not found" }] }];
  }],
];

function matching(params) {
  const matches = params.getAll("match[]");
  return matches.length === 0 ? all : matches.flatMap(select);
}

function logs(params) {
  const query = params.get("query") ?? "";
  if (/^sum by/.test(query) && query.includes("}")) return ok({ resultType: "matrix", result: [] });
  if (!/^\s*\{.*\}/s.test(query)) return [400, `parse error at line 1, col 1: syntax error: unexpected IDENTIFIER`];
  const [startMs, endMs, limit] = [Number(params.get("start")) / 1e6, Number(params.get("end")) / 1e6, Number(params.get("limit") ?? 100)];
  const fits = logFilter(query);
  const [first, last] = slots(startMs - 10_000, endMs);
  const streams = new Map();
  let count = 0;
  for (let k = last; k >= first && count < limit && last - k < 20_000; k -= 1) {
    for (const record of logsOf(k).reverse()) {
      if (count >= limit || record.at / 1000 < startMs || record.at / 1000 >= Math.min(endMs, Date.now()) || !fits(record)) continue;
      const stream = { service_name: record.service, service_namespace: "shop", detected_level: record.severity.toLowerCase() };
      const key = JSON.stringify(stream);
      if (!streams.has(key)) streams.set(key, { stream, values: [] });
      const metadata = { ...labelled(record.attributes), severity_text: record.severity, ...(record.trace === "" ? {} : { trace_id: record.trace, span_id: record.span }) };
      streams.get(key).values.push([`${record.at}000`, record.line, metadata]);
      count += 1;
    }
  }
  return ok({ resultType: "streams", result: [...streams.values()] });
}

function logFilter(query) {
  const end = query.indexOf("}");
  const matchers = [...query.slice(0, end).matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)];
  const lines = [...query.slice(end).matchAll(/(\|=|!=|\|~|!~)\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g)].map(([, operator, value]) => [operator, value.startsWith("`") ? value.slice(1, -1) : JSON.parse(value)]);
  const expression = (source) => (source.startsWith("(?i)") ? new RegExp(source.slice(4), "i") : new RegExp(source));
  return (record) => matchers.every(([, label, operator, raw]) => {
    const level = record.severity.toLowerCase();
    const value = { service_name: record.service, detected_level: level, level, trace_id: record.trace, span_id: record.span, service_namespace: "shop" }[label] ?? labelled(record.attributes)[label] ?? "";
    const wanted = JSON.parse(`"${raw}"`);
    const insensitive = wanted.startsWith("(?i)");
    const yes = operator.includes("~") ? new RegExp(`^(?:${insensitive ? wanted.slice(4) : wanted})$`, insensitive ? "i" : "").test(value) : value === wanted;
    return operator.startsWith("!") ? !yes : yes;
  }) && lines.every(([operator, value]) => {
    const yes = operator.includes("~") ? expression(value).test(record.line) : record.line.includes(value);
    return operator.startsWith("!") ? !yes : yes;
  });
}

/** Attributes by names that labels may have. */
function labelled(attributes) {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.replace(/\W/g, "_"), value]));
}

function operations(service) {
  const found = new Set();
  for (let k = 1_000; k < 1_200; k += 1) for (const span of spansOf(k)) if (span.service === service) found.add(span.operation);
  return [...found].filter((name) => !name.startsWith("index product")).sort();
}

function traces(params) {
  const service = params.get("service");
  const [startMs, endMs] = [Number(params.get("start")) / 1000, Number(params.get("end")) / 1000];
  const [operation, tags, limit] = [params.get("operation"), Object.entries(JSON.parse(params.get("tags") ?? "{}")), Number(params.get("limit") ?? 20)];
  const [least, most] = [micros(params.get("minDuration")) ?? 0, micros(params.get("maxDuration")) ?? Infinity];
  const [first, last] = slots(startMs, Math.min(endMs, Date.now() - 5_000));
  const found = [];
  for (let k = last; k >= first && found.length < limit && last - k < 20_000; k -= 1) {
    const spans = spansOf(k);
    const fits = (span) => (!service || span.service === service) && (!operation || span.operation === operation) && span.duration >= least && span.duration <= most
      && tags.every(([key, value]) => (key === "error" ? String(span.failed) === value : String(span.tags[key]) === value));
    if (spans.some(fits)) found.push(jaeger(spans));
  }
  return [200, { data: found }];
}

function micros(text) {
  const found = /^([\d.]+)(us|µs|ms|s|m)$/.exec(text ?? "");
  return found === null ? null : Number(found[1]) * { us: 1, µs: 1, ms: 1e3, s: 1e6, m: 6e7 }[found[2]];
}

function jaeger(spans) {
  const processes = Object.fromEntries(unique(spans.map((span) => span.service)).map((service) => [service, { serviceName: service, tags: [{ key: "service.namespace", type: "string", value: "shop" }, { key: "host.name", type: "string", value: `${service}-0` }, { key: "telemetry.sdk.language", type: "string", value: "nodejs" }] }]));
  const type = (value) => (typeof value === "number" ? "int64" : typeof value === "boolean" ? "bool" : "string");
  return {
    traceID: spans[0].trace,
    processes,
    spans: spans.map((span) => ({
      traceID: span.trace, spanID: span.id, operationName: span.operation, startTime: span.start, duration: span.duration, processID: span.service, flags: 1,
      references: span.parent === "" ? [] : [{ refType: "CHILD_OF", traceID: span.trace, spanID: span.parent }],
      tags: [...Object.entries(span.tags).map(([key, value]) => ({ key, type: type(value), value })), { key: "span.kind", type: "string", value: span.kind }, ...(span.failed ? [{ key: "error", type: "bool", value: true }, { key: "otel.status_code", type: "string", value: "ERROR" }] : [])],
      logs: span.failed ? [{ timestamp: span.start + Math.round(span.duration * 0.8), fields: [{ key: "event", type: "string", value: "exception" }, { key: "exception.type", type: "string", value: "TimeoutError" }, { key: "exception.message", type: "string", value: "connection to bank.example timed out after 5s" }] }] : [],
    })),
  };
}

function sql(query) {
  const between = [...query.matchAll(/to_timestamp_millis\((\d+)\)/g)].map(([, ms]) => Number(ms));
  const [startMs, endMs] = [between[0] ?? 0, Math.min(between[1] ?? Date.now(), Date.now())];
  const step = Number(/INTERVAL '(\d+) seconds'/.exec(query)?.[1] ?? 60);
  const columns = (...names) => names.map((name) => ({ name, type: "Utf8" }));
  const fits = sqlFilter(query);
  const cells = new Map();
  const add = (key, values) => {
    const cell = cells.get(JSON.stringify(key)) ?? { key, values: values.map(() => 0), durations: [] };
    cell.values = cell.values.map((value, index) => value + values[index]);
    cells.set(JSON.stringify(key), cell);
    return cell;
  };
  for (const { k, weight, ms } of sampled(startMs, endMs)) {
    const bucket = Math.floor(ms / 1000 / step) * step;
    if (/FROM logs/.test(query)) {
      for (const record of logsOf(k)) {
        if (!fits(record)) continue;
        if (/severity_number, count/.test(query)) add([bucket, SEVERITY_NUMBERS[record.severity]], [weight]);
        else add([record.service], [weight, record.severity === "ERROR" ? weight : 0]);
      }
    } else {
      for (const span of spansOf(k)) {
        if (span.kind !== "server") continue;
        if (/date_bin/.test(query)) add([span.service, bucket], [weight]);
        else add([span.service], [weight, span.failed ? weight : 0]).durations.push(span.duration * 1000);
      }
    }
  }
  const rows = [...cells.values()].map(({ key, values, durations }) => {
    durations.sort((left, right) => left - right);
    return [...key, ...values, ...(durations.length === 0 ? [] : [durations[Math.floor(durations.length * 0.5)], durations[Math.floor(durations.length * 0.95)]])];
  });
  return [200, { columns: columns(...Array.from({ length: rows[0]?.length ?? 0 }, (_, index) => `c${index}`)), rows }];
}

function sqlFilter(query) {
  const trace = /trace_id = '(\w+)'/.exec(query)?.[1];
  const service = /service = '([^']*)'/.exec(query)?.[1];
  const contains = [...query.matchAll(/strpos\(coalesce\(body, ''\), '((?:[^']|'')*)'\) > 0/g)].map(([, value]) => value.replaceAll("''", "'"));
  const severities = [...query.matchAll(/severity_number BETWEEN (\d+) AND (\d+)/g)].map(([, low, high]) => [Number(low), Number(high)]);
  return (record) => (!trace || record.trace === trace) && (!service || record.service === service) && contains.every((value) => record.line.includes(value))
    && (severities.length === 0 || severities.some(([low, high]) => SEVERITY_NUMBERS[record.severity] >= low && SEVERITY_NUMBERS[record.severity] <= high));
}

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

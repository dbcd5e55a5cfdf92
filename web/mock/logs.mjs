// Search over logs, answered from the mock world: words, phrases, fields with values and lists of them, and what is not meant.
import { logsOf, slots } from "./world.mjs";

const NICE_SECONDS = 60;

export const LOG_ROUTES = [
  [/^\/api\/v1\/logs\/search$/, answered((asked) => {
    const limit = Number(asked.params.get("limit") ?? 100);
    const after = Number(asked.params.get("cursor") ?? Number.POSITIVE_INFINITY);
    const isForward = asked.params.get("direction") === "forward";
    const all = asked.records.filter((record) => record.at < after);
    const records = (isForward ? all.toReversed() : all).slice(0, limit);
    return { records: records.map(written), ...(records.length === limit && limit > 0 ? { cursor: String(records.at(-1).at) } : {}), ...(asked.params.get("total") === "true" ? { total: all.length } : {}), stats: {} };
  })],
  [/^\/api\/v1\/logs\/histogram$/, answered((asked) => {
    const step = Number.parseInt(asked.params.get("interval") ?? String(NICE_SECONDS), 10) * 1_000;
    const buckets = new Map();
    for (let at = Math.floor(asked.startMs / step) * step; at < asked.endMs; at += step) buckets.set(at, { start_ms: at, count: 0, values: {} });
    for (const record of asked.records) {
      const bucket = buckets.get(Math.floor(record.at / 1_000 / step) * step);
      if (bucket === undefined) continue;
      bucket.count += 1;
      for (const value of valuesOf(record, asked.params.get("by"))) bucket.values[value] = (bucket.values[value] ?? 0) + 1;
    }
    return { interval_ms: step, total: asked.records.length, buckets: [...buckets.values()] };
  })],
  [/^\/api\/v1\/logs\/facets$/, answered((asked) => {
    const named = (asked.params.get("fields") ?? "service,level").split(",");
    const more = Number(asked.params.get("more") ?? 10) === 0 ? [] : [...new Set(asked.records.flatMap((record) => Object.keys({ ...record.attributes, ...resource(record) })))];
    const facets = [...new Set([...named, ...more])].map((field) => {
      const counts = new Map();
      for (const record of asked.records) for (const value of valuesOf(record, field)) counts.set(value, (counts.get(value) ?? 0) + 1);
      const values = [...counts].sort((left, right) => right[1] - left[1]).map(([value, count]) => ({ value, count }));
      return { field, count: values.reduce((sum, each) => sum + each.count, 0), distinct: values.length, is_cut: false, values: values.slice(0, Number(asked.params.get("values") ?? 10)) };
    });
    return { total: asked.records.length, facets: facets.filter((facet) => facet.count > 0 || named.includes(facet.field)) };
  })],
];

function answered(shape) {
  return (params) => {
    const query = params.get("query") ?? "";
    const dangling = /\b(AND|OR|NOT)\s*$/.exec(query);
    if (dangling !== null) return [400, { error: { kind: "invalid", message: `parse error at line 1, col ${query.trimEnd().length + 1}: unexpected end of the query, want a word, a phrase or a field` } }];
    const endMs = Math.min(Number(params.get("end") ?? Date.now() * 1e6) / 1e6, Date.now());
    const startMs = Number(params.get("start") ?? (endMs - 3_600_000) * 1e6) / 1e6;
    const fits = filter(query);
    const [first, last] = slots(startMs - 10_000, endMs);
    const records = [];
    for (let k = last; k >= first && last - k < 20_000; k -= 1) records.push(...logsOf(k).filter((record) => record.at / 1_000 >= startMs && record.at / 1_000 < endMs && fits(record)));
    return [200, shape({ params, startMs, endMs, records: records.sort((left, right) => right.at - left.at) })];
  };
}

/** What a query asks of a record: each part must hold. */
function filter(query) {
  const parts = query.match(/(?:[^\s"()]|"(?:[^"\\]|\\.)*"|\([^)]*\))+/g) ?? [];
  const tests = parts.filter((part) => part !== "AND").map((part) => {
    const isNot = part.startsWith("-");
    const field = /^-?([\w.@/]+):/.exec(part);
    const rest = part.replace(/^-/, "").slice(field === null ? 0 : field[1].length + 1);
    const wanted = rest.startsWith("(") ? rest.slice(1, -1).split(/\s+OR\s+/) : [rest.replace(/^"(.*)"$/s, "$1").replace(/\\(.)/g, "$1")];
    const holds = (record) => wanted.some((value) => {
      if (field === null || field[1] === "body") return record.line.toLowerCase().includes(value.toLowerCase());
      const values = valuesOf(record, field[1]);
      return value === "*" ? values.length > 0 : values.includes(value);
    });
    return (record) => holds(record) !== isNot;
  });
  return (record) => tests.every((test) => test(record));
}

const resource = (record) => ({ "service.name": record.service, "service.namespace": "shop", "host.name": `${record.service}-0` });

function valuesOf(record, field) {
  const known = { service: record.service, level: record.severity.toLowerCase(), trace_id: record.trace, span_id: record.span, pattern: record.line.replace(/\S*\d\S*/g, "<_>") };
  const value = known[field] ?? { ...resource(record), ...record.attributes }[field];
  return value === undefined || value === "" ? [] : [String(value)];
}

function written(record) {
  return {
    timestamp: new Date(record.at / 1_000).toISOString(), timestamp_ns: `${record.at}000`, level: record.severity.toLowerCase(), service: record.service, body: record.line,
    severity_text: record.severity, attributes: record.attributes, resource: resource(record), ...(record.trace === "" ? {} : { trace_id: record.trace, span_id: record.span }),
  };
}

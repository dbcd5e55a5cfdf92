// Who calls whom in the shop, from its spans.
import { sampled, spansOf } from "./world.mjs";

const quantile = (durations, q) => (durations.length === 0 ? null : durations.sort((left, right) => left - right)[Math.floor((durations.length - 1) * q)] / 1e6);

class Tally {
  constructor() {
    this.cells = new Map();
  }
  add(key, weight, failed, duration) {
    const cell = this.cells.get(key) ?? { count: 0, errors: 0, durations: [] };
    cell.count += weight;
    cell.errors += failed ? weight : 0;
    cell.durations.push(duration);
    this.cells.set(key, cell);
  }
  rows(seconds, name) {
    return [...this.cells].map(([key, { count, errors, durations }]) => ({ ...name(...JSON.parse(key)), rate: count / seconds, error_rate: errors / seconds, p50: quantile(durations, 0.5), p95: quantile(durations, 0.95), p99: quantile(durations, 0.99) }));
  }
}

function range(params) {
  const [start, end] = [Number(params.get("start")) * 1_000, Number(params.get("end")) * 1_000];
  return { start, end, seconds: (end - start) / 1_000, service: params.get("service") };
}

function map(params) {
  const { start, end, seconds, service } = range(params);
  const [nodes, edges] = [new Tally(), new Tally()];
  for (const { k, weight } of sampled(start, end)) {
    const spans = spansOf(k);
    if (spans.length > 100) continue;
    for (const span of spans) {
      if (span.kind === "server") {
        nodes.add(JSON.stringify([span.service]), weight, span.failed, span.duration);
        const caller = spans.find(({ id }) => id === span.parent);
        edges.add(JSON.stringify([caller?.service ?? "user", span.service, caller === undefined ? "virtual_node" : "request"]), weight, span.failed, caller?.duration ?? span.duration);
      } else if (span.tags["db.system.name"] !== undefined) edges.add(JSON.stringify([span.service, "postgresql", "database"]), weight, span.failed, span.duration);
      else if (span.tags["server.address"] === "bank.example") edges.add(JSON.stringify([span.service, "bank.example", "virtual_node"]), weight, span.failed, span.duration);
    }
  }
  const wanted = (edge) => !service || edge.client === service || edge.server === service;
  const shown = edges.rows(seconds, (client, server, connection) => ({ client, server, connection })).filter(wanted);
  const services = nodes.rows(seconds, (name) => ({ name, kind: "service" })).filter(({ name }) => !service || name === service || shown.some((edge) => edge.client === name || edge.server === name));
  const others = [...new Set(shown.flatMap(({ client, server }) => [client, server]))].filter((name) => !services.some((node) => node.name === name)).map((name) => {
    const calls = shown.filter((edge) => edge.server === name || edge.client === name);
    const busiest = [...calls].sort((left, right) => right.rate - left.rate)[0];
    const kind = name === "user" ? "user" : name === "postgresql" ? "database" : "external";
    return { name, kind, rate: calls.reduce((sum, edge) => sum + edge.rate, 0), error_rate: calls.reduce((sum, edge) => sum + edge.error_rate, 0), p50: busiest.p50, p95: busiest.p95, p99: busiest.p99 };
  });
  return [200, { start_ms: start, end_ms: end, nodes: [...services, ...others].sort((left, right) => (left.name < right.name ? -1 : 1)), edges: shown }];
}

function operations(params) {
  const { start, end, seconds, service } = range(params);
  const tally = new Tally();
  for (const { k, weight } of sampled(start, end)) {
    for (const span of spansOf(k)) if (!/^index product/.test(span.operation) && (!service || span.service === service)) tally.add(JSON.stringify([span.service, span.operation, span.kind]), weight, span.failed, span.duration);
  }
  return [200, { start_ms: start, end_ms: end, operations: tally.rows(seconds, (name, operation, kind) => ({ service: name, name: operation, kind })).sort((left, right) => right.rate - left.rate) }];
}


/** The one question in TraceQL that is asked of it: how often spans take longer, by service. */
function slowSpans(params) {
  const asked = /^\{ duration > (\d+)ms \} \| rate\(\) by \(resource\.service\.name\)$/.exec(params.get("q") ?? "");
  if (asked === null) return [400, { error: `the mock does not answer ${params.get("q")}` }];
  const [step, { start, end }] = [Number.parseFloat(params.get("step")), range(params)];
  const found = new Map();
  for (let at = start; at <= end; at += step * 1_000) {
    const counts = {};
    for (const { k, weight } of sampled(at - step * 1_000, at)) for (const span of spansOf(k)) if (span.duration > Number(asked[1]) * 1e6) counts[span.service] = (counts[span.service] ?? 0) + weight;
    for (const [service, number] of Object.entries(counts)) found.set(service, [...(found.get(service) ?? []), { timestampMs: String(at), value: number / step }]);
  }
  return [200, { series: [...found].map(([service, samples]) => ({ labels: [{ key: "resource.service.name", value: { stringValue: service } }], samples })) }];
}

export const SERVICE_ROUTES = [
  [/^\/tempo\/api\/metrics\/query_range$/, slowSpans],
  [/^\/api\/v1\/service_map$/, map],
  [/^\/api\/v1\/service_map\/operations$/, operations],
];

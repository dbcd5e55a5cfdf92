// Enough of PromQL to draw: names, matchers and `by` are read, values follow from time. It computes nothing.
import { SERVICES, chance } from "./world.mjs";

/** Metrics by name: type, help, unit size, labels beside job. */
export const METRICS = {
  http_server_request_duration_seconds: { type: "histogram", help: "Duration of HTTP server requests.", labels: { http_route: ["/", "/cart", "/checkout"] } },
  http_client_request_duration_seconds: { type: "histogram", help: "Duration of HTTP client requests.", labels: {} },
  orders_placed_total: { type: "counter", help: "Orders placed.", size: 4, only: ["checkout"], labels: {} },
  payment_failures_total: { type: "counter", help: "Charges that failed.", size: 0.2, only: ["payment"], labels: { reason: ["declined", "timeout"] } },
  process_cpu_seconds_total: { type: "counter", help: "CPU time used.", size: 0.3, labels: {} },
  process_memory_usage_bytes: { type: "gauge", help: "Memory in use.", size: 2.4e8, labels: {} },
  queue_size: { type: "gauge", help: "Orders that wait.", size: 20, only: ["shipping"], labels: {} },
  up: { type: "gauge", help: "Whether the target answered.", size: 1, flat: true, labels: {} },
  traces_spanmetrics_calls_total: { type: "counter", help: "Spans by service, operation, kind and status.", size: 0.02, spans: true, labels: { status_code: ["STATUS_CODE_UNSET", "STATUS_CODE_ERROR"] } },
  traces_spanmetrics_latency: { type: "gauge", help: "Durations of spans in seconds.", size: 0.1, spans: true, labels: {} },
  signalbox_ingest_rows_total: { type: "counter", help: "Rows admitted by signal.", job: "signalbox", labels: { signal: ["metrics", "logs", "traces"] } },
  signalbox_store_wal_sync_seconds: { type: "histogram", help: "Time of one sync of the WAL.", job: "signalbox", labels: {} },
};
const LE = ["0.005", "0.025", "0.1", "0.5", "2.5", "+Inf"];
const PARTS = ["_bucket", "_sum", "_count"];

const series = [];
for (const [name, about] of Object.entries(METRICS)) {
  const jobs = about.job ? [about.job] : (about.only ?? SERVICES).map((service) => `shop/${service}`);
  for (const job of jobs) {
    const service = job.replace("shop/", "");
    let sets = [about.spans ? { service, span_kind: "SPAN_KIND_SERVER" } : { job, instance: `${service}-0:8080` }];
    for (const [label, values] of Object.entries(about.labels)) sets = sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
    for (const set of sets) {
      if (about.type !== "histogram") series.push({ __name__: name, ...set });
      else for (const part of PARTS) for (const le of part === "_bucket" ? LE : [null]) series.push({ __name__: name + part, ...set, ...(le === null ? {} : { le }) });
    }
  }
}

/** Series that fit a selector, by name and by matchers. */
export function select(selector) {
  const name = /^\s*([a-zA-Z_:][\w:]*)/.exec(selector)?.[1];
  const matchers = [...selector.matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)];
  return series.filter((labels) => (name === undefined || labels.__name__ === name) && matchers.every(([, label, operator, raw]) => {
    const [value, wanted] = [labels[label] ?? "", JSON.parse(`"${raw}"`)];
    const fits = operator.includes("~") ? new RegExp(`^(?:${wanted})$`).test(value) : value === wanted;
    return operator.startsWith("!") ? !fits : fits;
  }));
}

export const all = series;

/** What is wrong with an expression, with its place, or null. */
export function fault(query) {
  const open = [];
  for (let index = 0; index < query.length; index += 1) {
    if ("({[".includes(query[index])) open.push(query[index]);
    if (")}]".includes(query[index]) && open.pop() !== { ")": "(", "}": "{", "]": "[" }[query[index]]) return `1:${index + 1}: parse error: unexpected right ${query[index] === ")" ? "parenthesis" : "bracket"} '${query[index]}'`;
  }
  return open.length === 0 ? null : `1:${query.length + 1}: parse error: unclosed left ${open.at(-1) === "(" ? "parenthesis" : "bracket"}`;
}

/** Lines of an expression: label sets with a function of time in seconds. */
export function evaluate(query) {
  const name = [...query.matchAll(/[a-zA-Z_:][\w:]*/g)].map(([word]) => word).find((word) => series.some((labels) => labels.__name__ === word) || METRICS[word]);
  if (name === undefined) return /^[\d.+\-*/ ]+$/.test(query) ? [{ labels: {}, at: () => Number(query) || 1 }] : [];
  const selector = query.slice(query.indexOf(name)).match(/^[\w:]+\s*(\{[^}]*\})?/)[0];
  const family = METRICS[name] ? name : name.replace(/_(bucket|sum|count)$/, "");
  const found = select(METRICS[name]?.type === "histogram" ? selector.replace(name, `${name}_count`) : selector);
  const by = /\bby\s*\(([^)]*)\)/.exec(query)?.[1].split(",").map((label) => label.trim()).filter((label) => label !== "" && label !== "le");
  const grouped = /\b(sum|avg|max|min|count|histogram_quantile)\b/.test(query);
  const keep = (labels) => (!grouped ? labels : Object.fromEntries((by ?? []).filter((label) => labels[label] !== undefined).map((label) => [label, labels[label]])));
  const lines = new Map();
  for (const labels of found) {
    const kept = keep(labels);
    if (/\brate\(/.test(query)) delete kept.__name__;
    const key = JSON.stringify(kept);
    lines.set(key, { labels: kept, members: (lines.get(key)?.members ?? 0) + 1 });
  }
  const about = METRICS[family];
  const quantile = query.includes("histogram_quantile") || /_sum.*\/.*_count/.test(query);
  return [...lines.values()].map(({ labels, members }) => {
    const phase = chance("phase", JSON.stringify(labels), name) * 6.28;
    const size = quantile ? 0.02 + chance("size", JSON.stringify(labels)) * 0.2 : (about.size ?? (labels.signal ? { metrics: 940, logs: 38, traces: 61 }[labels.signal] : 8 + chance(JSON.stringify(labels)) * 20)) * (about.type === "gauge" ? 1 : Math.sqrt(members));
    return { labels, at: (seconds) => (about.flat ? size : size * (1 + 0.25 * Math.sin(seconds / 900 + phase) + 0.12 * Math.sin(seconds / 97 + phase * 3) + 0.08 * chance(phase, seconds))) };
  });
}

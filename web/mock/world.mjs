// A small shop that always did the same things: every datum follows from its time alone,
// so that the mock needs no memory and every run of a test sees the same.

export const SERVICES = ["frontend", "checkout", "cart", "payment", "catalog", "shipping"];
/** One request to the shop every so often. */
const SLOT_MS = 4_000;
/** More slots than this are sampled when something is counted. */
const SLOTS_COUNTED = 4_000;

/** A number from 0 to 1 that follows from the words. */
export function chance(...words) {
  let hash = 2166136261;
  for (const character of words.join("/")) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822519);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 4294967296;
}

const hex = (length, ...words) => Array.from({ length: length / 4 }, (_, part) => Math.floor(chance(...words, part) * 65536).toString(16).padStart(4, "0")).join("");

const REQUESTS = [
  { name: "GET /", calls: [["catalog", "GET /products"]] },
  { name: "GET /product/{id}", calls: [["catalog", "GET /products/{id}"]] },
  { name: "POST /cart", calls: [["cart", "POST /cart/items"], ["catalog", "GET /products/{id}"]] },
  { name: "POST /checkout", calls: [["checkout", "POST /orders"], ["cart", "GET /cart"], ["payment", "POST /charges"], ["shipping", "POST /shipments"]] },
];

/** The trace id of slot k carries k, so that a trace is found again by its id. */
export const traceId = (k) => hex(20, "trace", k) + k.toString(16).padStart(12, "0");
export const slotOf = (id) => (/^[0-9a-f]{32}$/.test(id) ? Number.parseInt(id.slice(20), 16) : null);
export const slots = (startMs, endMs) => [Math.ceil(startMs / SLOT_MS), Math.floor((endMs - 1) / SLOT_MS)];

/** The spans of slot k. */
export function spansOf(k) {
  const trace = traceId(k);
  if (k % 500 === 7) return large(k, trace);
  const request = REQUESTS[Math.floor(chance("request", k) ** 0.8 * REQUESTS.length)];
  const start = (k * SLOT_MS + chance("jitter", k) * 3_000) * 1_000;
  const spans = [];
  const failing = chance("failure", k) < 0.04;
  const add = (name, service, operation, parent, from, duration, kind, tags, failed) => {
    const span = { trace, id: hex(16, k, name), parent, service, operation, start: Math.round(from), duration: Math.round(duration), kind, tags, failed };
    spans.push(span);
    return span;
  };
  let at = start + 2_000 + chance("wait", k) * 4_000;
  const root = add("root", "frontend", request.name, "", start, 0, "server", { "http.request.method": request.name.split(" ")[0], "http.route": request.name.split(" ")[1], "url.scheme": "https", "user.id": `u${Math.floor(chance("user", k) * 900)}` }, failing);
  request.calls.forEach(([service, operation], index) => {
    const own = 3_000 + chance("own", k, index) ** 4 * 180_000;
    const client = add(`client${index}`, "frontend", `${operation.split(" ")[0]} ${service}`, root.id, at, own + 3_000, "client", { "server.address": service, "network.protocol.version": "1.1" }, failing && index === request.calls.length - 1);
    const failed = failing && index === request.calls.length - 1;
    const server = add(`server${index}`, service, operation, client.id, at + 1_200, own, "server", { "http.request.method": operation.split(" ")[0], "http.route": operation.split(" ")[1], "http.response.status_code": failed ? 500 : 200 }, failed);
    add(`db${index}`, service, service === "payment" ? "POST bank.example" : `SELECT ${service}`, server.id, at + 1_900, own * 0.6, "client", service === "payment" ? { "server.address": "bank.example" } : { "db.system.name": "postgresql", "db.query.text": `SELECT * FROM ${service} WHERE id = $1` }, false);
    at += own + 4_000;
  });
  root.duration = Math.round(at - start + 2_000);
  root.tags["http.response.status_code"] = failing ? 502 : 200;
  return spans;
}

/** Now and then a batch job with thousands of spans: what a list must survive. */
function large(k, trace) {
  const start = k * SLOT_MS * 1_000;
  const root = { trace, id: hex(16, k, "root"), parent: "", service: "catalog", operation: "reindex", start, duration: 3_600_000, kind: "internal", tags: { "batch.size": 3000 }, failed: false };
  return [root, ...Array.from({ length: 3_000 }, (_, index) => ({
    trace, id: hex(16, k, "item", index), parent: root.id, service: "catalog", operation: `index product ${index}`, start: start + index * 1_190, duration: Math.round(300 + chance(k, index) * 2_400), kind: "internal", tags: { "product.id": index }, failed: index % 997 === 1,
  }))];
}

const LINES = {
  frontend: (span) => `${span.tags["http.request.method"]} ${span.tags["http.route"]} ${span.tags["http.response.status_code"]} in ${(span.duration / 1000).toFixed(1)} ms`,
  checkout: () => "order placed",
  cart: (span) => `cart loaded for session ${span.id.slice(0, 6)}`,
  payment: (span) => `charge accepted amount=${(10 + (span.duration % 9000) / 100).toFixed(2)} currency=EUR`,
  catalog: (span) => `query took ${(span.duration / 1000).toFixed(1)} ms`,
  shipping: (span) => `shipment created carrier=${["dhl", "ups", "post"][span.duration % 3]}`,
};

/** The log records of slot k, by time. */
export function logsOf(k) {
  const spans = spansOf(k).filter((span) => span.kind === "server").slice(0, 12);
  const records = spans.map((span) => {
    const slow = span.duration > 120_000;
    const severity = span.failed ? "ERROR" : slow ? "WARN" : chance("debug", span.id) < 0.25 ? "DEBUG" : "INFO";
    const line = span.failed ? `request failed: connection to ${span.service === "frontend" ? "payment" : "bank.example"} timed out after 5s\n  at charge (/app/src/charge.js:41:11)\n  at order (/app/src/order.js:87:5)` : slow ? `slow request: ${LINES[span.service](span)}` : LINES[span.service](span);
    return { at: span.start + span.duration - 200, service: span.service, severity, line, trace: span.trace, span: span.id, attributes: { "code.function.name": `${span.service}.handle`, "http.route": String(span.tags["http.route"] ?? ""), "thread.name": `worker-${span.duration % 8}` } };
  });
  if (k % 3 === 0) records.push({ at: (k * SLOT_MS + 3_500) * 1_000, service: SERVICES[k % SERVICES.length], severity: "INFO", line: "garbage collection finished", trace: "", span: "", attributes: { "gc.pause_ms": String(k % 40) } });
  return records.sort((left, right) => left.at - right.at);
}

export const SEVERITY_NUMBERS = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 };

/** Slots of a window for counting, each with the weight it stands for. */
export function* sampled(startMs, endMs) {
  const [first, last] = slots(startMs, endMs);
  const stride = Math.max(1, Math.ceil((last - first + 1) / SLOTS_COUNTED));
  for (let k = first; k <= last; k += stride) yield { k, weight: stride, ms: k * SLOT_MS };
}

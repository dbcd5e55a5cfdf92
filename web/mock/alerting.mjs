// Alertmanager's API, our own API of alerting and the ruler's. Silences and groups that were made stay until the mock ends.
import { chance } from "./world.mjs";
import { activeAlerts, rules, stored } from "./rules.mjs";

const iso = (ms) => new Date(ms).toISOString();
const ok = (data) => [200, { status: "success", data }];
const bad = (error, status = 400) => [status, { status: "error", errorType: "bad_data", error }];
const HOUR = 3_600_000;
const START = Date.now();

const silences = new Map();
const matcher = (name, value, isRegex = false, isEqual = true) => ({ name, value, isRegex, isEqual });
for (const [id, matchers, from, to, createdBy, comment] of [
  ["5f2c0d61-0000-4000-8000-000000000001", [matcher("alertname", "ErrorsInLogs"), matcher("service_name", "checkout")], -5 * HOUR, 0.4 * HOUR, "ada@shop.example", "The new release logs too much; fixed with the next one."],
  ["5f2c0d61-0000-4000-8000-000000000002", [matcher("team", "search|ads", true)], 6 * HOUR, 10 * HOUR, "grace@shop.example", "Moving the search cluster tonight"],
  ["5f2c0d61-0000-4000-8000-000000000003", [matcher("alertname", "ServiceDown"), matcher("job", "shop/shipping", false, true)], -30 * HOUR, -26 * HOUR, "ada@shop.example", "Shipping moves to new machines"],
]) silences.set(id, { id, matchers, startsAt: START + from, endsAt: START + to, updatedAt: START + from, createdBy, comment });

const fingerprint = (labels) => Array.from({ length: 4 }, (_, part) => Math.floor(chance("fingerprint", JSON.stringify(labels), part) * 65536).toString(16).padStart(4, "0")).join("");
const holds = ({ name, value, isRegex, isEqual = true }, labels) => (isRegex ? new RegExp(`^(?:${value})$`).test(labels[name] ?? "") : (labels[name] ?? "") === value) === isEqual;
const stateOf = (silence, now) => (silence.endsAt <= now ? "expired" : silence.startsAt > now ? "pending" : "active");
const ORDER = ["active", "pending", "expired"];
const show = (silence) => ({ ...silence, status: { state: stateOf(silence, Date.now()) }, startsAt: iso(silence.startsAt), endsAt: iso(silence.endsAt), updatedAt: iso(silence.updatedAt) });

const FOREIGN = { labels: { alertname: "DiskFull", instance: "db-1", severity: "page" }, annotations: { summary: "db-1 has no room left" }, state: "firing", since: START - 4 * HOUR, value: 1 };

function deskAlerts(now) {
  return [...activeAlerts(now).filter((alert) => alert.state === "firing"), FOREIGN].map((alert) => {
    const silencedBy = [...silences.values()].filter((silence) => stateOf(silence, now) === "active" && silence.matchers.every((each) => holds(each, alert.labels))).map((silence) => silence.id);
    return {
      labels: alert.labels, annotations: alert.annotations, generatorURL: "", fingerprint: fingerprint(alert.labels), startsAt: iso(alert.since), endsAt: iso(now + 240_000), updatedAt: iso(now - 12_000),
      receivers: routesOf(alert.labels).map(({ route }) => ({ name: route.receiver })),
      status: { state: silencedBy.length > 0 ? "suppressed" : "active", silencedBy, inhibitedBy: [], mutedBy: [] },
    };
  });
}

function parseMatcher(text) {
  const found = /^\s*"?([^"=!~]+?)"?\s*(=~|!~|!=|=)\s*(.*)$/s.exec(text);
  if (found === null) return null;
  try {
    if (found[2].endsWith("~")) new RegExp(JSON.parse(found[3]));
  } catch {
    return null;
  }
  return matcher(found[1], found[3].startsWith('"') ? JSON.parse(found[3]) : found[3], found[2].endsWith("~"), !found[2].startsWith("!"));
}

const TIMES = { group_by: ["alertname", "team"], group_wait: "30s", group_interval: "5m", repeat_interval: "4h", mute_time_intervals: [], active_time_intervals: [], labels: {} };
const TREE = {
  ...TIMES, receiver: "inbox", matchers: [], continue: false,
  routes: [
    { ...TIMES, receiver: "on-call", matchers: ['severity="page"'], continue: true, group_wait: "10s", repeat_interval: "1h", routes: [] },
    { ...TIMES, receiver: "team-shop", matchers: ['team="shop"'], continue: false, routes: [{ ...TIMES, receiver: "team-shop-quiet", matchers: ['severity="ticket"'], continue: false, mute_time_intervals: ["nights"], repeat_interval: "1d", routes: [] }] },
    { ...TIMES, receiver: "team-search", matchers: ['team=~"search|ads"'], continue: false, active_time_intervals: ["office-hours"], group_by: ["..."], routes: [] },
  ],
};
const RECEIVERS = [
  { name: "inbox", channels: [{ name: "inbox/email[0]", kind: "email" }] },
  { name: "on-call", channels: [{ name: "on-call/pagerduty[0]", kind: "pagerduty" }, { name: "on-call/webhook[0]", kind: "webhook" }] },
  { name: "team-shop", channels: [{ name: "team-shop/slack[0]", kind: "slack" }] },
  { name: "team-shop-quiet", channels: [{ name: "team-shop-quiet/ntfy[0]", kind: "ntfy" }] },
  { name: "team-search", channels: [] },
];

/** The routes that take an alert, each with its path. */
function routesOf(labels, node = TREE, path = [], steps = []) {
  if (!node.matchers.every((text) => holds(parseMatcher(text), labels))) return [];
  const here = [...steps, { matchers: node.matchers, receiver: node.receiver, continue: node.continue }];
  const found = [];
  for (const [index, child] of node.routes.entries()) {
    const below = routesOf(labels, child, [...path, index], here);
    found.push(...below);
    if (below.length > 0 && !child.continue) break;
  }
  return found.length > 0 ? found : [{ route: node, path, steps: here }];
}

const RULE_OF = (name) => rules(Date.now()).flatMap((group) => group.rules.map((rule) => ({ group, rule }))).find(({ rule }) => rule.name === name);

/** Changes of one alert: it fires twice a day, and now. */
function events(alert, now) {
  const { group, rule } = RULE_OF(alert.rule) ?? {};
  const at = (ms, change, state, value, more = {}) => ({ at: iso(ms), file: group?.file ?? "", group: group?.name ?? "", rule: alert.rule, fingerprint: fingerprint(alert.labels), labels: alert.labels, change, state, value, late: false, ...more });
  const hold = (rule?.duration ?? 0) * 1_000;
  const found = [at(alert.since - hold, "pending", "pending", alert.value * 0.9)];
  if (alert.state === "firing") found.push(at(alert.since, "firing", "firing", alert.value));
  for (const hours of [0.6, 9, 21]) {
    const begun = alert.since - hours * HOUR;
    found.push(at(begun - hold, "pending", "pending", alert.value * 0.8), at(begun, "firing", "firing", alert.value * 0.85, { late: hours === 9 }), at(begun + 900_000, "resolved", "inactive", alert.value * 0.3));
  }
  return found.filter((each) => Date.parse(each.at) <= now);
}

const everyEvent = (now) => activeAlerts(now).flatMap((alert) => events(alert, now)).sort((left, right) => (left.at < right.at ? 1 : -1));

/** The log: each time that an alert fires or resolves, by receiver and channel. */
function notifications(now) {
  return activeAlerts(now).flatMap((alert) => events(alert, now).filter((event) => event.change !== "pending").flatMap((event, index) => routesOf(alert.labels).flatMap(({ route }) => {
    const receiver = RECEIVERS.find(({ name }) => name === route.receiver);
    return (receiver?.channels ?? []).map((channel) => {
      const sent = Date.parse(event.at) + 30_000;
      const outcome = sent > now - 60_000 ? "pending" : channel.kind === "webhook" && index % 3 === 2 ? "dead" : "delivered";
      const failed = { at: iso(sent), ok: false, answer: "503 Service Unavailable: upstream is down" };
      const attempts = outcome === "dead" ? [failed, { ...failed, at: iso(sent + 60_000) }, { ...failed, at: iso(sent + 180_000), answer: "410 Gone: this hook was removed" }]
        : outcome === "pending" ? [failed] : index % 4 === 1 ? [failed, { at: iso(sent + 15_000), ok: true, answer: "200 OK" }] : [{ at: iso(sent), ok: true, answer: channel.kind === "email" ? "250 2.0.0 Ok: queued" : "202 Accepted" }];
      const resolved = event.change === "resolved";
      return {
        id: `${Date.parse(event.at)}-${channel.name}`, at: iso(sent), receiver: route.receiver, channel: channel.name, group_key: `{}/{${route.matchers.join(",")}}:{alertname="${alert.rule}"}`, group_labels: { alertname: alert.rule, ...(alert.labels.team ? { team: alert.labels.team } : {}) },
        reason: resolved ? "resolved" : "new", outcome, firing: resolved ? 0 : 1, resolved: resolved ? 1 : 0, attempts, alerts: [{ fingerprint: event.fingerprint, labels: alert.labels, status: resolved ? "resolved" : "firing" }],
      };
    });
  }))).sort((left, right) => (left.at < right.at ? 1 : -1));
}

const between = (params) => {
  const [start, end] = ["start", "end"].map((name) => Number(params.get(name)) * 1_000);
  return ({ at }) => (!(start > 0) || Date.parse(at) >= start) && (!(end > 0) || Date.parse(at) <= end);
};

function explain(params) {
  const labels = JSON.parse(params.get("labels") ?? "{}");
  const now = params.has("at") ? Number(params.get("at")) * 1_000 : Date.now();
  const alert = activeAlerts(now).find((each) => Object.entries(labels).every(([name, value]) => each.labels[name] === value));
  if (alert === undefined) return bad("no alert with these labels is known at that time", 404);
  const { group, rule } = RULE_OF(alert.rule);
  const own = events(alert, now);
  const step = group.interval * 1_000;
  const evaluations = Array.from({ length: 60 }, (_, index) => Math.floor(now / step) * step - (59 - index) * step).map((at) => {
    const last = own.filter((event) => Date.parse(event.at) <= at).sort((left, right) => (left.at < right.at ? 1 : -1))[0];
    const state = last?.state ?? "inactive";
    return { at: iso(at), value: state === "inactive" ? null : alert.value * (0.9 + 0.2 * chance(at, alert.rule)), state };
  });
  const desk = deskAlerts(now).find((each) => each.fingerprint === fingerprint(alert.labels));
  return ok({
    labels: alert.labels, fingerprint: fingerprint(alert.labels), at: iso(now), state: alert.state,
    rule: { file: group.file, group: group.name, name: rule.name, query: rule.query, lang: rule.lang ?? "promql", for: `${rule.duration}s`, keep_firing_for: "0s" },
    evaluations, events: own.sort((left, right) => (left.at < right.at ? 1 : -1)),
    routes: routesOf(alert.labels).map(({ route, steps }) => ({ receiver: route.receiver, path: steps, group_key: `{}:{alertname="${alert.rule}"}`, group_by: route.group_by, group_wait: route.group_wait, group_interval: route.group_interval, repeat_interval: route.repeat_interval })),
    muted: { silenced_by: desk?.status.silencedBy ?? [], inhibited_by: [], muted_by: [] },
    notifications: notifications(now).filter((each) => each.alerts[0].fingerprint === fingerprint(alert.labels)).slice(0, 20),
  });
}

/** What a checker would say, as far as lines tell. */
function check(text) {
  const lines = text.split("\n");
  const errors = [];
  lines.forEach((line, index) => {
    if (line.includes("\t")) errors.push({ line: index + 1, column: line.indexOf("\t") + 1, message: "found a tab where YAML wants spaces" });
    const expression = /^(\s*(?:- )?expr: )(.*)$/.exec(line);
    if (expression !== null && (expression[2].match(/\(/g) ?? []).length !== (expression[2].match(/\)/g) ?? []).length) errors.push({ line: index + 1, column: expression[1].length + 1, message: "could not parse expression: 1:8: parse error: unclosed left parenthesis", group: "g", rule: "r" });
    const unknown = /^\s*(?:- )?(exprr|labls|fro): /.exec(line);
    if (unknown !== null) errors.push({ line: index + 1, column: line.indexOf(unknown[1]) + 1, message: `field ${unknown[1]} not found in a rule` });
  });
  const names = [...text.matchAll(/- (alert|record): (.*)\n\s+expr: (.*)/g)].map(([, kind, name, query]) => ({ name: name.trim(), type: kind === "alert" ? "alerting" : "recording", lang: "promql", query: query.trim().replace(/^'(.*)'$/, "$1") }));
  const warnings = text.includes("annotations") || names.length === 0 ? [] : [{ line: 1, column: 1, message: "no rule has annotations: nobody will know what to do" }];
  return { groups: errors.length > 0 ? [] : [{ name: /name: (.*)/.exec(text)?.[1].trim() ?? "", rules: names }], errors, warnings };
}

function backtest({ text, start, end }) {
  const { errors } = check(text);
  if (errors.length > 0) return bad(`${errors[0].line}:${errors[0].column}: ${errors[0].message}`);
  const [from, to] = [Number(start) * 1_000, Number(end) * 1_000];
  const group = /name: (.*)/.exec(text)?.[1].trim() ?? "";
  const found = [...text.matchAll(/- (alert|record): (.*)/g)].map(([, kind, raw]) => {
    const rule = raw.trim();
    const firings = kind === "record" ? [] : [0.1, 0.45, 0.9].map((share, index) => ({ labels: { alertname: rule, job: "shop/checkout" }, pending_at: iso(from + (to - from) * (share - 0.03)), fired_at: iso(from + (to - from) * share), resolved_at: index === 2 ? null : iso(from + (to - from) * (share + 0.08)), value_max: 0.9 + index / 10 }));
    const sent = firings.flatMap((firing) => [{ at: firing.fired_at, receiver: "team-shop", reason: "new", firing: 1, resolved: 0 }, ...(firing.resolved_at === null ? [] : [{ at: firing.resolved_at, receiver: "team-shop", reason: "resolved", firing: 0, resolved: 1 }])]);
    return { group, rule, evaluations: Math.floor((to - from) / 60_000), errors: [], firings, notifications: sent, notification_count: sent.length };
  });
  return ok({ rules: found });
}

/** A group of a file, as YAML that is JSON within its lines. */
function groupYaml({ name, interval, rules: all }) {
  const rule = ({ type, name: own, lang, query, duration, labels, annotations }) => [
    `  - ${type === "recording" ? "record" : "alert"}: ${own}`, ...(lang ? [`    lang: ${lang}`] : []), `    expr: '${query}'`, ...(duration ? [`    for: ${duration}s`] : []),
    ...Object.entries({ labels, annotations }).filter(([, set]) => Object.keys(set ?? {}).length > 0).flatMap(([key, set]) => [`    ${key}:`, ...Object.entries(set).map(([label, value]) => `      ${label}: ${JSON.stringify(value)}`)]),
  ].join("\n");
  return `name: ${name}\ninterval: ${interval}s\nrules:\n${all.map(rule).join("\n")}\n`;
}

const yaml = (text) => [200, text, "application/yaml"];

export const ALERTING_ROUTES = [
  [/^\/alertmanager\/api\/v2\/alerts$/, (params) => {
    const filters = params.getAll("filter").map(parseMatcher);
    if (filters.includes(null)) return [400, "bad matcher format"];
    return [200, deskAlerts(Date.now()).filter((alert) => filters.every((each) => holds(each, alert.labels)) && (params.get("silenced") !== "false" || alert.status.silencedBy.length === 0))];
  }],
  [/^\/alertmanager\/api\/v2\/silences$/, () => [200, [...silences.values()].map(show).sort((left, right) => ORDER.indexOf(left.status.state) - ORDER.indexOf(right.status.state) || (left.endsAt < right.endsAt ? -1 : 1))], "GET"],
  [/^\/alertmanager\/api\/v2\/silences$/, (_params, _match, body) => {
    const posted = JSON.parse(body);
    if (posted.matchers.some((each) => each.isRegex && each.value.includes("("))) return [400, "invalid silence: invalid label matcher 0: missing closing )"];
    const id = posted.id ?? `5f2c0d61-0000-4000-8000-${String(silences.size + 1).padStart(12, "0")}`;
    silences.set(id, { ...posted, id, startsAt: Date.parse(posted.startsAt), endsAt: Date.parse(posted.endsAt), updatedAt: Date.now() });
    return [200, { silenceID: id }];
  }, "POST"],
  [/^\/alertmanager\/api\/v2\/silence\/([^/]+)$/, (_params, [, id]) => {
    const silence = silences.get(id);
    if (silence === undefined) return [404, ""];
    silence.endsAt = Date.now();
    return [200, ""];
  }, "DELETE"],
  [/^\/api\/v1\/alerting\/history$/, (params) => ok(everyEvent(Date.now()).filter(between(params)).filter((each) => ["group", "rule", "fingerprint"].every((name) => !params.get(name) || each[name] === params.get(name))).slice(0, Number(params.get("limit") ?? 500)))],
  [/^\/api\/v1\/alerting\/explain$/, explain],
  [/^\/api\/v1\/alerting\/notifications$/, (params) => ok(notifications(Date.now()).filter(between(params)).filter((each) => ["receiver", "outcome", "group_key"].every((name) => !params.get(name) || each[name] === params.get(name)) && (!params.get("fingerprint") || each.alerts.some((alert) => alert.fingerprint === params.get("fingerprint")))).slice(0, Number(params.get("limit") ?? 200)))],
  [/^\/api\/v1\/alerting\/routes$/, () => ok(TREE)],
  [/^\/api\/v1\/alerting\/routes\/test$/, (_params, _match, body) => {
    const { labels } = JSON.parse(body);
    return ok(routesOf(labels).map(({ route, path }) => ({ receiver: route.receiver, path, group_by: route.group_by, group_labels: Object.fromEntries(route.group_by.filter((name) => labels[name] !== undefined).map((name) => [name, labels[name]])), group_wait: route.group_wait, group_interval: route.group_interval, repeat_interval: route.repeat_interval, is_muted_now: route.mute_time_intervals.length > 0, channels: (RECEIVERS.find(({ name }) => name === route.receiver)?.channels ?? []).map(({ name }) => name) })));
  }],
  [/^\/api\/v1\/alerting\/receivers$/, () => ok(RECEIVERS)],
  [/^\/api\/v1\/alerting\/receivers\/test$/, (_params, _match, body) => {
    const receiver = RECEIVERS.find(({ name }) => name === JSON.parse(body).receiver);
    if (receiver === undefined) return bad("there is no such receiver", 404);
    return ok(receiver.channels.map(({ name, kind }) => (kind === "webhook" ? { channel: name, ok: false, answer: "503 Service Unavailable: upstream is down", retry_after_ms: 30_000 } : { channel: name, ok: true, answer: "200 OK" })));
  }],
  [/^\/api\/v1\/alerting\/rules\/check$/, (_params, _match, body) => ok(check(JSON.parse(body).text))],
  [/^\/api\/v1\/alerting\/rules\/backtest$/, (_params, _match, body) => backtest(JSON.parse(body))],
  [/^\/api\/v1\/alerting\/rules\/export$/, () => ok([...new Set(rules(Date.now()).map(({ file }) => file))].map((namespace) => ({ namespace, source: [...stored.keys()].some((key) => key.startsWith(`${namespace}/`)) ? "api" : "file", text: "" })))],
  [/^\/api\/prom\/rules\/([^/]+)\/([^/]+)$/, (_params, match) => {
    const [namespace, name] = match.slice(1).map(decodeURIComponent);
    const kept = stored.get(`${namespace}/${name}`);
    const group = rules(Date.now()).find((each) => each.file === namespace && each.name === name);
    return kept !== undefined ? yaml(kept) : group === undefined ? [404, "group does not exist", "text/plain"] : yaml(groupYaml(group));
  }, "GET"],
  [/^\/prometheus\/config\/v1\/rules\/([^/]+)\/([^/]+)$/, (_params, [, namespace, name]) => {
    stored.delete(`${decodeURIComponent(namespace)}/${decodeURIComponent(name)}`);
    return [202, { status: "success", data: null }];
  }, "DELETE"],
  [/^\/prometheus\/config\/v1\/rules\/([^/]+)$/, (_params, [, namespace], body) => {
    const { errors } = check(body);
    if (errors.length > 0) return [400, errors[0].message, "text/plain"];
    stored.set(`${decodeURIComponent(namespace)}/${/name: (.*)/.exec(body)[1].trim()}`, body);
    return [202, { status: "success", data: null }];
  }, "POST"],
];

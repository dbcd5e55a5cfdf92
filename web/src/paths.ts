/**
 * The only place that spells the URLs of pages. Everything that a page shows follows from its URL,
 * so a link to a view is made here and read by the `url.ts` of its feature, with the same names.
 *
 * Pages live below `/ui/`, apart from the APIs (`/metrics` is the server's own exposition).
 */

import { DEFAULT_RANGE, type TimeRange } from "./time/range.ts";

export const ROUTES = {
  home: "/",
  metrics: "/ui/metrics",
  logs: "/ui/logs",
  traces: "/ui/traces",
  trace: "/ui/traces/:id",
  alerts: "/ui/alerts",
  alert: "/ui/alerts/explain",
  silences: "/ui/alerts/silences",
  routing: "/ui/alerts/routing",
  notifications: "/ui/alerts/notifications",
  editor: "/ui/alerts/editor",
  services: "/ui/services",
  targets: "/ui/targets",
  cardinality: "/ui/cardinality",
  status: "/ui/status",
} as const;

/** Names of the parameters that every page shares. */
export const TIME_PARAMS = { from: "from", to: "to", refresh: "refresh" } as const;

/** Parameters of one view, in the order in which they appear in the URL. Empty values are left out. */
export type Params = readonly (readonly [name: string, value: string | undefined])[];

type LabelSet = Readonly<Record<string, string>>;

/** A URL of a path, parameters and a time range; the default range is left out. */
export function join(path: string, params: Params, range: TimeRange | null): string {
  const search = new URLSearchParams();
  for (const [name, value] of params) if (value !== undefined && value !== "") search.append(name, value);
  if (range !== null && (range.from !== DEFAULT_RANGE.from || range.to !== DEFAULT_RANGE.to)) {
    search.set(TIME_PARAMS.from, range.from);
    search.set(TIME_PARAMS.to, range.to);
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

export const paths = {
  home: (range: TimeRange | null): string => join(ROUTES.home, [], range),
  /** The editor with one query. */
  metrics: (query: string, range: TimeRange | null): string => join(ROUTES.metrics, [["q", query]], range),
  /** A query evaluated at the end of the range. */
  metricsInstant: (query: string, range: TimeRange | null): string => join(ROUTES.metrics, [["q", query], ["mode", "instant"]], range),
  /** All metrics of one service, each with a fitting query. */
  serviceMetrics: (service: string, range: TimeRange | null): string => join(ROUTES.metrics, [["service", service]], range),
  logs: (view: { query?: string; service?: string; severity?: string }, range: TimeRange | null): string =>
    join(ROUTES.logs, [["q", view.query], ["service", view.service], ["severity", view.severity]], range),
  /** The logs that carry one trace id. */
  traceLogs: (trace: string, span: string | null, range: TimeRange | null): string =>
    join(ROUTES.logs, [["trace", trace], ["span", span ?? undefined]], range),
  traces: (view: { query?: string; service?: string; operation?: string; tags?: string; min?: string }, range: TimeRange | null): string =>
    join(ROUTES.traces, [["q", view.query], ["service", view.service], ["operation", view.operation], ["tags", view.tags], ["min", view.min]], range),
  /** One trace, with one of its spans chosen. */
  trace: (id: string, span: string | null, range: TimeRange | null): string =>
    join(ROUTES.trace.replace(":id", encodeURIComponent(id)), [["span", span ?? undefined]], range),
  alerts: (range: TimeRange | null, find?: string): string => join(ROUTES.alerts, [["find", find]], range),
  /** Why one alert is as it is, now or at an instant in milliseconds. */
  alert: (labels: LabelSet, atMs: number | null, range: TimeRange | null): string =>
    join(ROUTES.alert, [["labels", JSON.stringify(labels)], ["at", atMs === null ? undefined : String(atMs)]], range),
  silences: (range: TimeRange | null): string => join(ROUTES.silences, [], range),
  /** The silence with an id. */
  silence: (id: string, range: TimeRange | null): string => join(ROUTES.silences, [["find", id]], range),
  /** The form of a silence for what has these labels. */
  newSilence: (labels: LabelSet, range: TimeRange | null): string => join(ROUTES.silences, [["form", "new"], ["labels", JSON.stringify(labels)]], range),
  /** Where an alert with these labels goes. */
  routing: (labels: LabelSet, range: TimeRange | null): string => join(ROUTES.routing, [["labels", JSON.stringify(labels)]], range),
  notifications: (view: { receiver?: string; outcome?: string; group?: string; fingerprint?: string }, range: TimeRange | null): string =>
    join(ROUTES.notifications, [["receiver", view.receiver], ["outcome", view.outcome], ["group", view.group], ["fingerprint", view.fingerprint]], range),
  /** The editor of rules with one group of a file or a namespace. */
  editor: (file: string, group: string, range: TimeRange | null): string => join(ROUTES.editor, [["file", file], ["group", group]], range),
  services: (range: TimeRange | null): string => join(ROUTES.services, [], range),
  service: (service: string, range: TimeRange | null): string => join(ROUTES.services, [["service", service]], range),
  /** What all series cost. */
  cardinality: (range: TimeRange | null): string => join(ROUTES.cardinality, [], range),
};

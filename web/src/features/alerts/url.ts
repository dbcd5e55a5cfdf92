/** The views of the pages of alerts and their URLs. */

import { readLabels } from "../../api/matchers.ts";
import type { Labels } from "../../api/prometheus.ts";
import type { Codec } from "../../location.tsx";

export const STATES = ["firing", "pending", "inactive", "recording", "broken"] as const;
export type State = (typeof STATES)[number];

export interface AlertsView {
  /** States that are shown; none means all. */
  states: readonly State[];
  find: string;
  /** Rules that are open, by group and name. */
  open: readonly string[];
}

export const ALERTS_URL: Codec<AlertsView> = {
  parse: (params) => ({
    states: STATES.filter((state) => (params.get("state") ?? "").split(",").includes(state)),
    find: params.get("find") ?? "",
    open: (params.get("open") ?? "").split("|").filter((key) => key !== ""),
  }),
  print: (view) => [["state", view.states.join(",")], ["find", view.find], ["open", view.open.join("|")]],
};

/** The view of one alert. */
export interface AlertView {
  labels: Labels;
  /** The instant that is explained, milliseconds; null is the present. */
  atMs: number | null;
}

export const ALERT_URL: Codec<AlertView> = {
  parse: (params) => ({ labels: readLabels(params.get("labels")), atMs: /^\d{12,14}$/.test(params.get("at") ?? "") ? Number(params.get("at")) : null }),
  print: (view) => [["labels", JSON.stringify(view.labels)], ["at", view.atMs === null ? "" : String(view.atMs)]],
};

export const OUTCOMES = ["delivered", "pending", "dead"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The view of the log of notifications. */
export interface LogView {
  receiver: string;
  /** The empty text means all. */
  outcome: Outcome | "";
  /** Only this group of alerts, by its key. */
  group: string;
  /** Only what tells of this alert. */
  fingerprint: string;
  find: string;
  /** Notifications that are open, by id. */
  open: readonly string[];
}

export const LOG_URL: Codec<LogView> = {
  parse: (params) => ({
    receiver: params.get("receiver") ?? "",
    outcome: OUTCOMES.find((outcome) => outcome === params.get("outcome")) ?? "",
    group: params.get("group") ?? "",
    fingerprint: params.get("fingerprint") ?? "",
    find: params.get("find") ?? "",
    open: (params.get("open") ?? "").split("|").filter((id) => id !== ""),
  }),
  print: (view) => [["receiver", view.receiver], ["outcome", view.outcome], ["group", view.group], ["fingerprint", view.fingerprint], ["find", view.find], ["open", view.open.join("|")]],
};

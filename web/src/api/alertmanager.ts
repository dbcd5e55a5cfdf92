/** Alertmanager's HTTP API, version 2, below `/alertmanager/api/v2`: alerts as they are notified, and silences. */

import { change, getJson, isObject, list, postJson, text, texts } from "./client.ts";
import { printMatcher } from "./matchers.ts";
import type { Labels } from "./prometheus.ts";

const BASE = "/alertmanager/api/v2";

/** One condition on a label. */
export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

/** An alert that fires, and what keeps it from being notified. */
export interface DeskAlert {
  fingerprint: string;
  labels: Labels;
  annotations: Labels;
  startsAtMs: number;
  endsAtMs: number;
  generatorUrl: string;
  receivers: string[];
  /** `active`, or `suppressed`. */
  state: string;
  silencedBy: string[];
  inhibitedBy: string[];
  mutedBy: string[];
}

export const SILENCE_STATES = ["active", "pending", "expired"] as const;
export type SilenceState = (typeof SILENCE_STATES)[number];

export interface Silence {
  id: string;
  state: SilenceState;
  /** All of one set must hold; there is nearly always one set. */
  matcherSets: Matcher[][];
  startsAtMs: number;
  endsAtMs: number;
  updatedAtMs: number;
  createdBy: string;
  comment: string;
}

/** What is wanted of a silence that is made or changed; without an id it is made. */
export interface SilenceDraft {
  id: string;
  matchers: readonly Matcher[];
  startsAtMs: number;
  endsAtMs: number;
  createdBy: string;
  comment: string;
}

/** Alerts that hold all matchers; all of them without any. */
export async function deskAlerts(matchers: readonly Matcher[], signal: AbortSignal): Promise<DeskAlert[]> {
  return list(await getJson(`${BASE}/alerts`, matchers.map((matcher) => ["filter", printMatcher(matcher)]), signal)).filter(isObject).map(toAlert);
}

/** Alerts that fire and that somebody is told of: neither silenced nor inhibited. */
export async function loudAlerts(signal: AbortSignal): Promise<DeskAlert[]> {
  return list(await getJson(`${BASE}/alerts`, [["silenced", "false"], ["inhibited", "false"]], signal)).filter(isObject).map(toAlert);
}

function toAlert(alert: Record<string, unknown>): DeskAlert {
  const status = isObject(alert["status"]) ? alert["status"] : {};
  return {
    fingerprint: text(alert["fingerprint"]),
    labels: texts(alert["labels"]),
    annotations: texts(alert["annotations"]),
    startsAtMs: Date.parse(text(alert["startsAt"])),
    endsAtMs: Date.parse(text(alert["endsAt"])),
    generatorUrl: text(alert["generatorURL"]),
    receivers: list(alert["receivers"]).filter(isObject).map((receiver) => text(receiver["name"])),
    state: text(status["state"]),
    silencedBy: list(status["silencedBy"]).map(text),
    inhibitedBy: list(status["inhibitedBy"]).map(text),
    mutedBy: list(status["mutedBy"]).map(text),
  };
}

export async function silences(signal: AbortSignal): Promise<Silence[]> {
  return list(await getJson(`${BASE}/silences`, [], signal)).filter(isObject).map(toSilence);
}

export function toSilence(silence: Record<string, unknown>): Silence {
  const sets = Array.isArray(silence["matcherSets"]) && silence["matcherSets"].length > 0 ? silence["matcherSets"] : [silence["matchers"]];
  const state = isObject(silence["status"]) ? text(silence["status"]["state"]) : "";
  return {
    id: text(silence["id"]),
    state: SILENCE_STATES.find((each) => each === state) ?? "expired",
    matcherSets: sets.map((set) => list(set).filter(isObject).map(toMatcher)),
    startsAtMs: Date.parse(text(silence["startsAt"])),
    endsAtMs: Date.parse(text(silence["endsAt"])),
    updatedAtMs: Date.parse(text(silence["updatedAt"])),
    createdBy: text(silence["createdBy"]),
    comment: text(silence["comment"]),
  };
}

function toMatcher(matcher: Record<string, unknown>): Matcher {
  return { name: text(matcher["name"]), value: text(matcher["value"]), isRegex: matcher["isRegex"] === true, isEqual: matcher["isEqual"] !== false };
}

/** Makes or changes a silence; answers its id, which is a new one when its past must not change. */
export async function saveSilence(draft: SilenceDraft, signal: AbortSignal): Promise<string> {
  const body = {
    ...(draft.id === "" ? {} : { id: draft.id }),
    matchers: draft.matchers,
    startsAt: new Date(draft.startsAtMs).toISOString(),
    endsAt: new Date(draft.endsAtMs).toISOString(),
    createdBy: draft.createdBy,
    comment: draft.comment,
  };
  const answer = await postJson(`${BASE}/silences`, body, signal);
  return isObject(answer) ? text(answer["silenceID"]) : "";
}

/** Ends a silence now. */
export async function expireSilence(id: string, signal: AbortSignal): Promise<void> {
  await change("DELETE", `${BASE}/silence/${encodeURIComponent(id)}`, null, signal);
}

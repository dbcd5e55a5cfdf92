/** The pure half of the Silences page. */

import type { DeskAlert, Matcher, Silence, SilenceDraft, SilenceState } from "../../api/alertmanager.ts";
import { matchersOf, printMatcher } from "../../api/matchers.ts";
import type { Labels } from "../../api/prometheus.ts";
import { parseDuration } from "../../time/duration.ts";
import { parseInstant } from "../../time/range.ts";
import type { SilencesView } from "./url.ts";

/** An active silence ends soon when this is left, or less than a quarter of its length. */
const SOON_MS = 3_600_000;
const SOON_SHARE = 0.25;

/** Durations that the form offers. */
export const DURATIONS = ["30m", "1h", "2h", "4h", "8h", "1d", "3d", "1w"] as const;
export const DURATION_DEFAULT = "2h";

export function isEndingSoon(silence: Silence, nowMs: number): boolean {
  const left = silence.endsAtMs - nowMs;
  return silence.state === "active" && left < Math.min(SOON_MS, (silence.endsAtMs - silence.startsAtMs) * SOON_SHARE);
}

export function counts(silences: readonly Silence[]): Record<SilenceState, number> {
  const found: Record<SilenceState, number> = { active: 0, pending: 0, expired: 0 };
  for (const silence of silences) found[silence.state] += 1;
  return found;
}

/** Silences in one of the states of the view, with every word in matchers, comment, creator or id. */
export function shown(silences: readonly Silence[], view: SilencesView): Silence[] {
  const words = view.find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return silences.filter((silence) => {
    if (view.states.length > 0 && !view.states.includes(silence.state)) return false;
    const text = [silence.id, silence.comment, silence.createdBy, ...silence.matcherSets.flat().map(printMatcher)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** How many alerts each silence keeps quiet now, by id. */
export function silencedBy(alerts: readonly DeskAlert[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const id of alerts.flatMap((alert) => alert.silencedBy)) found.set(id, (found.get(id) ?? 0) + 1);
  return found;
}

/** What stands in the form. */
export interface Form {
  /** The silence that is changed; the empty text for a new one. */
  id: string;
  matchers: readonly Matcher[];
  /** The beginning as written; the empty text is now. */
  start: string;
  /** How long, as written (`2h`), or the empty text when `end` says it. */
  duration: string;
  /** The end as written, when there is no duration. */
  end: string;
  createdBy: string;
  comment: string;
}

/** The form for what has these labels. */
export function formFor(labels: Labels, createdBy: string): Form {
  const matchers = matchersOf(labels);
  return { id: "", matchers: matchers.length === 0 ? [EMPTY_MATCHER] : matchers, start: "", duration: DURATION_DEFAULT, end: "", createdBy, comment: "" };
}

export const EMPTY_MATCHER: Matcher = { name: "", value: "", isRegex: false, isEqual: true };

/** The form that changes a silence. */
export function formOf(silence: Silence, print: (ms: number) => string): Form {
  return {
    id: silence.id,
    matchers: silence.matcherSets[0] ?? [],
    start: print(silence.startsAtMs),
    duration: "",
    end: print(silence.endsAtMs),
    createdBy: silence.createdBy,
    comment: silence.comment,
  };
}

/** The form for a new silence like one that has ended: from now, as long as that was. */
export function formLike(silence: Silence, createdBy: string): Form {
  const minutes = Math.max(1, Math.round((silence.endsAtMs - silence.startsAtMs) / 60_000));
  return { id: "", matchers: silence.matcherSets[0] ?? [], start: "", duration: `${minutes}m`, end: "", createdBy, comment: silence.comment };
}

/** Matchers that say something: rows that were begun. */
export function begun(matchers: readonly Matcher[]): Matcher[] {
  return matchers.filter((matcher) => matcher.name.trim() !== "" || matcher.value !== "").map((matcher) => ({ ...matcher, name: matcher.name.trim() }));
}

/** What a form means at an instant: a silence to save, or what is missing, in words. */
export function read(form: Form, nowMs: number): { draft: SilenceDraft | null; faults: string[] } {
  const faults: string[] = [];
  const matchers = begun(form.matchers);
  if (matchers.length === 0) faults.push("Say which alerts: at least one matcher.");
  else if (matchers.some((matcher) => matcher.name === "")) faults.push("A matcher has no name.");
  else if (matchers.every(matchesEmpty)) faults.push("At least one matcher must not match the empty text: this would silence everything.");
  const startsAtMs = form.start.trim() === "" ? nowMs : parseInstant(form.start, nowMs);
  if (startsAtMs === null) faults.push(`The beginning “${form.start}” is no time.`);
  const length = form.duration.trim() === "" ? null : parseDuration(form.duration);
  if (form.duration.trim() !== "" && (length === null || length <= 0)) faults.push(`“${form.duration}” is no duration such as 2h or 1h30m.`);
  const endsAtMs = form.duration.trim() !== "" ? (startsAtMs === null || length === null ? null : startsAtMs + length) : parseInstant(form.end, nowMs);
  if (form.duration.trim() === "" && endsAtMs === null) faults.push("Say how long it lasts.");
  if (startsAtMs !== null && endsAtMs !== null && endsAtMs <= startsAtMs) faults.push("It ends before it begins.");
  else if (endsAtMs !== null && endsAtMs <= nowMs) faults.push("Its end is already over.");
  if (form.createdBy.trim() === "") faults.push("Say who silences.");
  if (form.comment.trim() === "") faults.push("Say why, in a comment.");
  if (faults.length > 0 || startsAtMs === null || endsAtMs === null) return { draft: null, faults };
  return { draft: { id: form.id, matchers, startsAtMs, endsAtMs, createdBy: form.createdBy.trim(), comment: form.comment.trim() }, faults };
}

/** Whether a matcher holds for a label that is not there, as far as that can be told without its regular expression's dialect. */
function matchesEmpty(matcher: Matcher): boolean {
  let holds: boolean;
  try {
    holds = matcher.isRegex ? new RegExp(`^(?:${matcher.value})$`).test("") : matcher.value === "";
  } catch {
    return false;
  }
  return holds === matcher.isEqual;
}

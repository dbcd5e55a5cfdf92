/** The state of a live tail. Pure: what comes in and when is told. */

import type { SearchRecord } from "../../api/logs.ts";
import { compareNanos } from "../../api/loki.ts";
import { identity } from "./model.ts";

/** More rows than anyone reads while they move. */
export const TAIL_ROWS_MAX = 2_000;
/** Records that come late are still taken when they are this young. */
const LATE_NANOS = 10_000_000_000n;

export interface Tail {
  /** Newest first. */
  shown: SearchRecord[];
  /** What came while the reader looked at older rows; newest first. */
  waiting: SearchRecord[];
  /** Records that were left out, by the server or because too many waited. */
  dropped: number;
  /** The newest instant so far. */
  newest: string;
  /** Nothing older is asked for. */
  floor: string;
  /** Identities of what came, with their instants, as long as it could come again. */
  known: ReadonlyMap<string, string>;
}

/** A tail that begins behind what is loaded. */
export function begun(loaded: readonly SearchRecord[], startNanos: string): Tail {
  const newest = loaded[0]?.nanos ?? startNanos;
  return recalled({ shown: [], waiting: [], dropped: 0, newest, floor: loaded.at(-1)?.nanos ?? startNanos, known: new Map(loaded.map((record) => [identity(record), record.nanos])) });
}

/** From when on records are asked for: some overlap with what is known, so that late ones are found. */
export function nextStart(tail: Tail): string {
  const late = String(BigInt(tail.newest) - LATE_NANOS);
  return compareNanos(late, tail.floor) > 0 ? late : tail.floor;
}

/** Records came, newest first; `total` is how many there are since `start`, when that is known. */
export function received(tail: Tail, start: string, records: readonly SearchRecord[], total: number | null, isPaused: boolean): Tail {
  const fresh = records.filter((record) => !tail.known.has(identity(record)));
  const before = [...tail.known.values()].filter((nanos) => compareNanos(nanos, start) >= 0).length;
  const missed = total === null || total <= records.length ? 0 : Math.max(0, total - before - fresh.length);
  const known = new Map(tail.known);
  for (const record of fresh) known.set(identity(record), record.nanos);
  const newest = fresh.reduce((latest, record) => (compareNanos(record.nanos, latest) > 0 ? record.nanos : latest), tail.newest);
  // What was missed is older than all that came: it is not asked for again.
  const floor = missed > 0 ? (records.at(-1)?.nanos ?? tail.floor) : tail.floor;
  const merged = ordered([...fresh, ...(isPaused ? tail.waiting : [...tail.waiting, ...tail.shown])]);
  const kept = merged.slice(0, TAIL_ROWS_MAX);
  // Rows that scroll out of the list were seen; those that waited were not.
  const lost = isPaused ? merged.length - kept.length : 0;
  return recalled({
    shown: isPaused ? tail.shown : kept,
    waiting: isPaused ? kept : [],
    dropped: tail.dropped + missed + lost,
    newest,
    floor,
    known,
  });
}

/** The server says that it left records out. */
export function skipped(tail: Tail, amount: number): Tail {
  return amount === 0 ? tail : { ...tail, dropped: tail.dropped + amount };
}

/** What waited is shown. */
export function resumed(tail: Tail): Tail {
  return tail.waiting.length === 0 ? tail : { ...tail, shown: ordered([...tail.waiting, ...tail.shown]).slice(0, TAIL_ROWS_MAX), waiting: [] };
}

function ordered(records: SearchRecord[]): SearchRecord[] {
  return records.sort((left, right) => compareNanos(right.nanos, left.nanos));
}

/** Forgets what cannot come again. */
function recalled(tail: Tail): Tail {
  const start = nextStart(tail);
  return { ...tail, known: new Map([...tail.known].filter(([, nanos]) => compareNanos(nanos, start) >= 0)) };
}

/** Completion for the search language: what stands at the cursor, and what may stand there. Pure but for the lookups it is given. */

import type { LogqlLookup } from "./logql.ts";

/** Where fields and their values come from. */
export interface LogsLookup extends LogqlLookup {
  fields(): Promise<readonly { name: string; distinct: number }[]>;
  fieldValues(field: string): Promise<readonly { value: string; count: number }[]>;
}

export type SearchContext =
  | { kind: "field"; from: number }
  | { kind: "value"; field: string; from: number; isQuoted: boolean }
  | { kind: "none" };

/** What joins and turns clauses. */
export const OPERATORS = [
  { text: "AND", info: "both hold" },
  { text: "OR", info: "one holds" },
  { text: "NOT", info: "does not hold" },
] as const;

const FIELD = String.raw`((?:[\p{L}\p{N}_\-.@$/]|\\.)+)`;
const VALUE = new RegExp(String.raw`(?:^|[\s(])[-!+]?${FIELD}:([^\s"(]*)$`, "u");
const QUOTED = new RegExp(String.raw`(?:^|[\s(])[-!+]?${FIELD}:"([^"]*)$`, "u");
const GROUPED = new RegExp(String.raw`(?:^|[\s(])[-!+]?${FIELD}:\((?:[^()"]*\s)?([^\s()"]*)$`, "u");
const WORD = /(?:^|[\s(])[-!+]?([\p{L}_@$][\p{L}\p{N}_\-.@$/]*)?$/u;

/** What the text before the cursor asks for. */
export function searchContextAt(before: string): SearchContext {
  const quotes = before.replace(/\\./g, "").split('"').length - 1;
  if (quotes % 2 === 1) {
    const quoted = QUOTED.exec(before);
    return quoted?.[1] === undefined ? { kind: "none" } : { kind: "value", field: plain(quoted[1]), from: before.length - (quoted[2] ?? "").length, isQuoted: true };
  }
  const value = VALUE.exec(before) ?? GROUPED.exec(before);
  if (value?.[1] !== undefined) return { kind: "value", field: plain(value[1]), from: before.length - (value[2] ?? "").length, isQuoted: false };
  const word = WORD.exec(before);
  return word === null ? { kind: "none" } : { kind: "field", from: before.length - (word[1] ?? "").length };
}

function plain(field: string): string {
  return field.replace(/\\(.)/g, "$1");
}

/** A name as the language reads it before a colon. */
export function printField(name: string): string {
  const escaped = name.replace(/[^\p{L}\p{N}_\-.@$/]/gu, "\\$&");
  return /^[\p{L}_@$\\]/u.test(escaped) ? escaped : `\\${escaped}`;
}

/** A value as the language reads it after a colon: quoted, unless nothing in it could mean something. */
export function printValue(value: string): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_.@/-]*$/u.test(value) && !/^(AND|OR|NOT)$/.test(value)) return value;
  return `"${escapeQuoted(value)}"`;
}

/** A text as it stands between quotes. */
export function escapeQuoted(value: string): string {
  return value.replace(/["\\]/g, "\\$&");
}

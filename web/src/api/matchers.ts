/** Matchers as Alertmanager writes them: `severity=~"page|ticket"`, several between braces. */

import type { Matcher } from "./alertmanager.ts";
import type { Labels } from "./prometheus.ts";

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

export function operatorOf({ isRegex, isEqual }: Matcher): Operator {
  if (isRegex) return isEqual ? "=~" : "!~";
  return isEqual ? "=" : "!=";
}

export function matcher(name: string, operator: Operator, value: string): Matcher {
  return { name, value, isRegex: operator.endsWith("~"), isEqual: !operator.startsWith("!") };
}

/** One that every label of the set holds. */
export function matchersOf(labels: Labels): Matcher[] {
  return Object.entries(labels).map(([name, value]) => matcher(name, "=", value));
}

/** All of a set, as one text. */
export function printMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(printMatcher).join(", ")}}`;
}

/** `severity=~"page|ticket"` */
export function printMatcher(each: Matcher): string {
  return `${printName(each.name)}${operatorOf(each)}${JSON.stringify(each.value)}`;
}

/** A name that could be taken for something else stands between quotes. */
export function printName(name: string): string {
  return /^[a-zA-Z_:][\w:]*$/.test(name) ? name : JSON.stringify(name);
}

const ONE = /\s*("(?:[^"\\]|\\.)*"|[^\s"{}=!~,]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s"{},]*)\s*(,|$)/y;

/** The matchers of a text, with braces or without; null when it cannot be read. */
export function parseMatchers(text: string): Matcher[] | null {
  const inside = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1] ?? text;
  const found: Matcher[] = [];
  ONE.lastIndex = 0;
  while (inside.slice(ONE.lastIndex).trim() !== "") {
    const at = ONE.exec(inside);
    if (at === null) return null;
    const [name, value] = [unquoted(at[1] ?? ""), unquoted(at[3] ?? "")];
    const operator = OPERATORS.find((each) => each === at[2]);
    if (name === null || value === null || operator === undefined) return null;
    found.push(matcher(name, operator, value));
  }
  return found;
}

function unquoted(text: string): string | null {
  if (!text.startsWith('"')) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : null;
  } catch {
    return null;
  }
}

/** The labels of a text of equalities; null when it holds anything else. */
export function parseLabels(text: string): Labels | null {
  const matchers = parseMatchers(text);
  if (matchers === null || matchers.some((each) => each.isRegex || !each.isEqual)) return null;
  return Object.fromEntries(matchers.map(({ name, value }) => [name, value]));
}

/** Labels as a text that `parseLabels` reads. */
export function printLabels(labels: Labels): string {
  return matchersOf(labels).map(printMatcher).join(", ");
}

/** The labels of a parameter of a URL, which are JSON there; none when it cannot be read. */
export function readLabels(json: string | null): Labels {
  try {
    const value: unknown = JSON.parse(json ?? "{}");
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string"));
  } catch {
    return {};
  }
}

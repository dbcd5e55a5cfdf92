/** LogQL as far as the page must understand it: to build the query it sends, and to count by SQL what that query selects. */

import { literal } from "../../api/sql.ts";

export interface Matcher {
  label: string;
  operator: "=" | "!=" | "=~" | "!~";
  value: string;
}

export interface LineFilter {
  operator: "|=" | "!=" | "|~" | "!~";
  value: string;
}

export interface Selection {
  matchers: Matcher[];
  filters: LineFilter[];
}

/** A string of LogQL. */
export function quote(value: string): string {
  return JSON.stringify(value);
}

/** The text of a selection; one without matchers selects every stream. */
export function printSelection({ matchers, filters }: Selection): string {
  const inside = matchers.length === 0 ? 'service_name=~".+"' : matchers.map((each) => `${each.label}${each.operator}${quote(each.value)}`).join(", ");
  return [`{${inside}}`, ...filters.map((each) => `${each.operator} ${quote(each.value)}`)].join(" ");
}

/** A selector with line filters; null for anything else, which only the server can judge. */
export function parseSelection(text: string): Selection | null {
  const open = /^\s*\{/.exec(text);
  if (open === null) return null;
  let rest = text.slice(open[0].length);
  const selection: Selection = { matchers: [], filters: [] };
  for (;;) {
    const close = /^\s*\}/.exec(rest);
    if (close !== null) {
      rest = rest.slice(close[0].length);
      break;
    }
    const matcher = /^\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*/.exec(rest);
    const value = matcher === null ? null : readString(rest.slice(matcher[0].length));
    if (matcher?.[1] === undefined || value === null) return null;
    selection.matchers.push({ label: matcher[1], operator: matcher[2] as Matcher["operator"], value: value.text });
    rest = value.rest.replace(/^\s*,/, "");
  }
  while (rest.trim() !== "") {
    const operator = /^\s*(\|=|!=|\|~|!~)\s*/.exec(rest);
    const value = operator === null ? null : readString(rest.slice(operator[0].length));
    if (operator === null || value === null) return null;
    selection.filters.push({ operator: operator[1] as LineFilter["operator"], value: value.text });
    rest = value.rest;
  }
  return selection;
}

function readString(text: string): { text: string; rest: string } | null {
  const raw = /^`([^`]*)`/.exec(text);
  if (raw !== null) return { text: raw[1] ?? "", rest: text.slice(raw[0].length) };
  const quoted = /^"(?:[^"\\\n]|\\.)*"/.exec(text);
  if (quoted === null) return null;
  try {
    return { text: JSON.parse(quoted[0]) as string, rest: text.slice(quoted[0].length) };
  } catch {
    return null;
  }
}

/** The same selection as conditions on the table `logs`; null when a label is no column. */
export function conditions({ matchers, filters }: Selection): string[] | null {
  const found: string[] = [];
  for (const { label, operator, value } of matchers) {
    const column = { service_name: "service", severity_text: "severity_text", trace_id: "trace_id", span_id: "span_id" }[label];
    if (column === undefined) return null;
    // The API calls a record without a service so; its column is empty.
    if (label === "service_name" && value === "unknown_service" && (operator === "=" || operator === "!=")) {
      found.push(`${column} ${operator === "=" ? "=" : "<>"} ''`);
      continue;
    }
    if (operator === "=~" && (value === ".*" || (label === "service_name" && value === ".+"))) continue;
    if (operator === "=~" && value === ".+") found.push(`${column} <> ''`);
    else if (operator === "=") found.push(`${column} = ${literal(value)}`);
    else if (operator === "!=") found.push(`${column} <> ${literal(value)}`);
    else found.push(`CAST(${column} AS VARCHAR) ${operator === "=~" ? "~" : "!~"} ${literal(`^(?:${value})$`)}`);
  }
  for (const { operator, value } of filters) {
    if (value === "") continue;
    const body = "coalesce(body, '')";
    if (operator === "|=") found.push(`strpos(${body}, ${literal(value)}) > 0`);
    else if (operator === "!=") found.push(`strpos(${body}, ${literal(value)}) = 0`);
    else found.push(`${body} ${operator === "|~" ? "~" : "!~"} ${literal(value)}`);
  }
  return found;
}

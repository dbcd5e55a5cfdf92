/** The search language as far as the page writes it: clauses that are added to what was typed, and taken away again. */

import { printField, printValue } from "../../editor/search.ts";

/** The clause that a field has a value. */
export function clause(field: string, value: string): string {
  return `${printField(field)}:${printValue(value)}`;
}

/** The parts of a query that stand side by side: words, phrases, fields with their values, groups. */
export function parts(query: string): string[] {
  const found: string[] = [];
  let [part, depth, isQuoted] = ["", 0, false];
  for (let index = 0; index < query.length; index += 1) {
    const character = query[index] ?? "";
    if (character === "\\") {
      part += character + (query[index + 1] ?? "");
      index += 1;
      continue;
    }
    if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === "(") depth += 1;
    else if (!isQuoted && character === ")") depth -= 1;
    if (/\s/.test(character) && !isQuoted && depth <= 0) {
      if (part !== "") found.push(part);
      part = "";
    } else part += character;
  }
  if (part !== "") found.push(part);
  return found;
}

/** The query as one side of an AND. */
export function asOperand(query: string): string {
  const typed = query.trim();
  return parts(typed).some((part) => part === "OR" || part === "||") ? `(${typed})` : typed;
}

/** The query narrowed to records whose field has the value, or to the others. Asked for again, nothing changes. */
export function narrowedSearch(query: string, field: string, value: string, wanted: boolean): string {
  const added = clause(field, value);
  const start = `${printField(field)}:`;
  const operand = asOperand(query);
  const kept = operand.startsWith("(") && operand !== query.trim() ? [operand] : withoutParts(parts(operand), (part) => part === added || part === `-${added}` || (wanted && part.startsWith(start) && !/^.*:[[(>{<*/]/.test(part)));
  return [...kept, wanted ? added : `-${added}`].join(" ");
}

/** The query without each of its parts that narrow it, where there are few and all must hold. */
export function relaxations(query: string): { part: string; query: string }[] {
  const all = parts(query);
  const narrowing = all.filter((part) => !/^(AND|NOT|&&|!)$/.test(part));
  if (narrowing.length < 2 || narrowing.length > RELAXED_MAX || all.some((part) => part === "OR" || part === "||")) return [];
  return all.flatMap((part, index) => {
    if (!narrowing.includes(part)) return [];
    const before = all.slice(0, index);
    const negated = /^(NOT|!)$/.test(before.at(-1) ?? "");
    while (/^(AND|NOT|&&|!)$/.test(before.at(-1) ?? "")) before.pop();
    const after = all.slice(index + 1);
    while (before.length === 0 && /^(AND|&&)$/.test(after[0] ?? "")) after.shift();
    return [{ part: negated ? `NOT ${part}` : part, query: [...before, ...after].join(" ") }];
  });
}

/** Parts beyond which nobody is told what each of them costs. */
const RELAXED_MAX = 6;

/** Without the parts, and without an AND or NOT that belonged to them. */
function withoutParts(all: readonly string[], isUnwanted: (part: string) => boolean): string[] {
  const kept: string[] = [];
  for (const part of all) {
    if (!isUnwanted(part)) {
      kept.push(part);
      continue;
    }
    while (/^(AND|NOT|&&|!)$/.test(kept.at(-1) ?? "")) kept.pop();
  }
  while (/^(AND|&&)$/.test(kept[0] ?? "")) kept.shift();
  return kept;
}

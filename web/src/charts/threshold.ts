/** The number that an expression compares with, and what it compares: what a chart of an alert draws. PromQL, and what is written like it. */

export type Comparison = ">" | ">=" | "<" | "<=" | "==" | "!=";

export interface Threshold {
  /** The side that is no number. */
  expression: string;
  /** How the expression is compared with the value, the expression first. */
  comparison: Comparison;
  value: number;
}

const FLIPPED: Record<Comparison, Comparison> = { ">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!=" };

/** The comparison with a number at the top of an expression; of several that are joined the first. Null where there is none. */
export function threshold(query: string): Threshold | null {
  const stripped = unwrapped(query);
  const { joints, comparisons } = topLevel(stripped);
  if (joints.length > 0) {
    const ends = [...joints.map(([from]) => from), stripped.length];
    const begins = [0, ...joints.map(([, to]) => to)];
    for (const [index, begin] of begins.entries()) {
      const found = threshold(stripped.slice(begin, ends[index]).replace(MATCHING, ""));
      if (found !== null) return found;
    }
    return null;
  }
  // Comparisons bind to the left: of several the last has the whole rest on its left.
  const last = comparisons.at(-1);
  if (last === undefined) return null;
  const [from, to, comparison] = last;
  const [left, right] = [stripped.slice(0, from).trim(), stripped.slice(to).replace(/^\s*bool\b/, "").trim()];
  const [before, after] = [numberOf(left), numberOf(right)];
  if (after !== null && before === null) return threshold(left) ?? { expression: left, comparison, value: after };
  if (before !== null && after === null) return { expression: right, comparison: FLIPPED[comparison], value: before };
  return null;
}

const MATCHING = /^\s*(?:on|ignoring)\s*\([^)]*\)/;

/** Without the parentheses around the whole. */
function unwrapped(query: string): string {
  const trimmed = query.trim();
  if (!trimmed.startsWith("(")) return trimmed;
  let depth = 0;
  for (const [index, character] of characters(trimmed)) {
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if (depth === 0) return index === trimmed.length - 1 ? unwrapped(trimmed.slice(1, -1)) : trimmed;
  }
  return trimmed;
}

/** Set operators and comparisons that stand in no brackets, as the places where they begin and end. */
function topLevel(query: string): { joints: [number, number][]; comparisons: [number, number, Comparison][] } {
  const joints: [number, number][] = [];
  const comparisons: [number, number, Comparison][] = [];
  let depth = 0;
  let skipTo = 0;
  for (const [index, character] of characters(query)) {
    if (index < skipTo) continue;
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if (depth !== 0) continue;
    const rest = query.slice(index);
    const comparison = /^(?:>=|<=|==|!=|>|<)/.exec(rest)?.[0] as Comparison | undefined;
    const word = index === 0 || /[\s)\]}]/.test(query[index - 1] ?? "") ? /^(?:and|or|unless)\b/i.exec(rest)?.[0] : undefined;
    if (comparison !== undefined) {
      comparisons.push([index, index + comparison.length, comparison]);
      skipTo = index + comparison.length;
    } else if (word !== undefined) {
      joints.push([index, index + word.length]);
      skipTo = index + word.length;
    }
  }
  return { joints, comparisons };
}

/** Characters outside of texts and comments. */
function* characters(query: string): Generator<[number, string]> {
  let quote: string | null = null;
  for (let index = 0; index < query.length; index += 1) {
    const character = query[index] ?? "";
    if (quote !== null) {
      if (character === "\\" && quote !== "`") index += 1;
      else if (character === quote) quote = null;
    } else if (character === '"' || character === "'" || character === "`") quote = character;
    else if (character === "#") {
      const end = query.indexOf("\n", index);
      if (end < 0) return;
      index = end;
    } else yield [index, character];
  }
}

/** The value of an expression of numbers only; null for anything else. */
function numberOf(text: string): number | null {
  if (!/^[\s\d.eE+\-*/()_]+$/.test(text) && !/^\s*[+-]?inf\s*$/i.test(text)) return null;
  const tokens = text.match(/\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf|[-+*/()]/gi) ?? [];
  let at = 0;
  const sum = (): number => {
    let value = product();
    while (tokens[at] === "+" || tokens[at] === "-") value = tokens[at++] === "+" ? value + product() : value - product();
    return value;
  };
  const product = (): number => {
    let value = atom();
    while (tokens[at] === "*" || tokens[at] === "/") value = tokens[at++] === "*" ? value * atom() : value / atom();
    return value;
  };
  const atom = (): number => {
    const token = tokens[at++];
    if (token === "-") return -atom();
    if (token === "+") return atom();
    if (token === "(") {
      const value = sum();
      return tokens[at++] === ")" ? value : Number.NaN;
    }
    if (token?.toLowerCase() === "inf") return Number.POSITIVE_INFINITY;
    return token === undefined ? Number.NaN : Number(token.replaceAll("_", ""));
  };
  const value = sum();
  return at === tokens.length && !Number.isNaN(value) ? value : null;
}

/** The words of a threshold: `> 0.1`. */
export function printThreshold({ comparison, value }: Threshold): string {
  return `${comparison} ${value}`;
}

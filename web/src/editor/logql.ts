/** Completion for LogQL: what stands at the cursor, and what may stand there. Pure but for the lookups it is given. */

/** Where labels and their values come from. */
export interface LogqlLookup {
  labels(): Promise<readonly string[]>;
  values(label: string): Promise<readonly string[]>;
}

export type LogqlContext =
  | { kind: "label"; from: number }
  | { kind: "value"; label: string; from: number }
  | { kind: "stage"; from: number }
  | { kind: "none" };

/** Line filters, as they follow a selector. */
export const STAGES = [
  { text: '|= ""', info: "lines that contain the text" },
  { text: '!= ""', info: "lines that do not contain the text" },
  { text: '|~ ""', info: "lines that match the regular expression" },
  { text: '!~ ""', info: "lines that do not match the regular expression" },
] as const;

/** What the text before the cursor asks for. */
export function contextAt(before: string): LogqlContext {
  let inside = false;
  let quote: string | null = null;
  for (let index = 0; index < before.length; index += 1) {
    const character = before[index];
    if (quote !== null) {
      if (character === "\\" && quote === '"') index += 1;
      else if (character === quote) quote = null;
    } else if (character === '"' || character === "`") quote = character;
    else if (character === "{") inside = true;
    else if (character === "}") inside = false;
  }
  if (inside && quote !== null) {
    const value = /([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*["`]([^"`]*)$/.exec(before);
    if (value?.[1] === undefined) return { kind: "none" };
    return { kind: "value", label: value[1], from: before.length - (value[3] ?? "").length };
  }
  if (inside) {
    const label = /[{,]\s*([a-zA-Z_]\w*)?$/.exec(before);
    return label === null ? { kind: "none" } : { kind: "label", from: before.length - (label[1] ?? "").length };
  }
  if (quote === null && /\}.*[\s}"`][|!]?$/.test(before)) {
    return { kind: "stage", from: before.length - (/[|!]$/.test(before) ? 1 : 0) };
  }
  return { kind: "none" };
}

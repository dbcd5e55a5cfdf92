/** LogQL as far as the page must understand it: where its selectors are, so that matchers can be added. */

/** A string of LogQL. */
export function quote(value: string): string {
  return JSON.stringify(value);
}

/** A name as labels have it. */
export function labelName(name: string): string {
  const label = name.replace(/[^a-zA-Z0-9_]/g, "_");
  return /^\d/.test(label) ? `_${label}` : label;
}

/** Where each selector begins and ends: offsets of its braces. A brace that is never closed is none. */
export function selectors(text: string): { open: number; close: number }[] {
  const found: { open: number; close: number }[] = [];
  let [quoted, open]: [string, number] = ["", -1];
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? "";
    if (quoted !== "") {
      if (character === "\\" && quoted === '"') index += 1;
      else if (character === quoted) quoted = "";
    } else if (character === '"' || character === "`") quoted = character;
    else if (character === "{") open = index;
    else if (character === "}" && open >= 0) {
      found.push({ open, close: index });
      open = -1;
    }
  }
  return found;
}

/** The query with matchers in each selector and stages behind each. */
export function withConditions(text: string, matchers: readonly string[], stages: readonly string[]): string {
  let [made, at] = ["", 0];
  for (const { open, close } of selectors(text)) {
    const inside = text.slice(open + 1, close).trim();
    const added = matchers.filter((matcher) => !inside.includes(matcher));
    made += `${text.slice(at, open)}{${[...added, ...(inside === "" ? [] : [inside])].join(", ")}}${stages.map((stage) => ` ${stage}`).join("")}`;
    at = close + 1;
  }
  return made + text.slice(at);
}

/** The log query narrowed to lines with the label, or to the others. Asked for again, nothing changes. */
export function narrowedLogql(text: string, label: string, value: string, wanted: boolean): string {
  const stage = (operator: string): string => ` | ${labelName(label)}${operator}${quote(value)}`;
  return text.trim().replace(stage("="), "").replace(stage("!="), "") + stage(wanted ? "=" : "!=");
}

/** The log query narrowed to lines of a pattern, or to the others. */
export function narrowedToPattern(text: string, pattern: string, wanted: boolean): string {
  const stage = (operator: string): string => ` ${operator} ${quote(pattern)}`;
  return text.trim().replace(stage("|>"), "").replace(stage("!>"), "") + stage(wanted ? "|>" : "!>");
}

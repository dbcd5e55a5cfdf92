/** Which colour a line has: by its place in a list, or always the same for one name. */

/** How many `--series-N` tokens there are. */
export const SERIES_COLORS = 10;

/** The token of the n-th line. */
export function seriesColor(index: number): string {
  return `var(--series-${index % SERIES_COLORS})`;
}

/** The token of a name: the same name has the same colour wherever nothing else claims it. */
export function nameColor(name: string): string {
  return seriesColor(preferred(name));
}

/** Tokens for names that are seen together: each its own where possible, else the next free one. */
export function distinctColors(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<number>();
  const found = new Map<string, string>();
  for (const name of [...new Set(names)].sort()) {
    let index = preferred(name);
    // With more names than colours they repeat.
    if (taken.size === SERIES_COLORS) taken.clear();
    while (taken.has(index)) index = (index + 1) % SERIES_COLORS;
    taken.add(index);
    found.set(name, seriesColor(index));
  }
  return found;
}

function preferred(name: string): number {
  let hash = 2_166_136_261;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 16_777_619);
  return ((hash ^ (hash >>> 15)) >>> 0) % SERIES_COLORS;
}

/** The colour itself, for a canvas, which cannot read tokens. */
export function resolveColor(color: string): string {
  const token = /^var\((--[\w-]+)\)$/.exec(color)?.[1];
  return token === undefined ? color : getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}

/** The token of a severity of OpenTelemetry (1 to 24, 0 unknown). */
export function severityColor(severityNumber: number): string {
  return `var(--severity-${severityName(severityNumber)})`;
}

export type SeverityName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/** The name of a severity number; unknown counts as info. */
export function severityName(severityNumber: number): SeverityName {
  if (severityNumber >= 21) return "fatal";
  if (severityNumber >= 17) return "error";
  if (severityNumber >= 13) return "warn";
  if (severityNumber >= 9 || severityNumber <= 0) return "info";
  return severityNumber >= 5 ? "debug" : "trace";
}

/** Which colour a line has: by its place in a list, or always the same for one name. */

/** How many `--series-N` tokens there are. */
export const SERIES_COLORS = 10;

/** The token of the n-th line. */
export function seriesColor(index: number): string {
  return `var(--series-${index % SERIES_COLORS})`;
}

/** The token of a name: services keep their colour on every page. */
export function nameColor(name: string): string {
  let hash = 2_166_136_261;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 16_777_619);
  return seriesColor((hash >>> 0) % SERIES_COLORS);
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

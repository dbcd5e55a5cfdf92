/** Durations as people write them: `90s`, `1h30m`, `250ms`; and as they like to read them. */

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds of a duration such as `1h30m`; null when the text is none. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (!/^(\d+(\.\d+)?(ms|us|µs|s|m|h|d|w))+$/.test(trimmed)) return null;
  let total = 0;
  for (const [, amount, , unit] of trimmed.matchAll(/(\d+(\.\d+)?)(ms|us|µs|s|m|h|d|w)/g)) {
    total += Number(amount) * (unit === "us" || unit === "µs" ? 0.001 : (UNIT_MS[unit ?? ""] ?? 0));
  }
  return total;
}

/** The shortest exact text of whole seconds: 90 -> `1m30s`. */
export function printSeconds(seconds: number): string {
  let rest = Math.round(seconds);
  if (rest <= 0) return "0s";
  let text = "";
  for (const [unit, size] of [["d", 86_400], ["h", 3_600], ["m", 60], ["s", 1]] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** A measured duration with three significant digits: `1.24 ms`, `83.1 s`. Input in microseconds. */
export function formatMicros(micros: number): string {
  const size = Math.abs(micros);
  if (size < 1) return `${digits(micros * 1_000)} ns`;
  if (size < 1_000) return `${digits(micros)} µs`;
  if (size < 1_000_000) return `${digits(micros / 1_000)} ms`;
  if (size < 120_000_000) return `${digits(micros / 1_000_000)} s`;
  if (size < 7_200_000_000) return `${digits(micros / 60_000_000)} min`;
  return `${digits(micros / 3_600_000_000)} h`;
}

/** How long ago, roughly: `12 s`, `5 min`, `3 h`, `2 d`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

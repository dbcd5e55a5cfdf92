/** Severities, however sources spell them. */

export const SEVERITIES = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How sources spell each severity; the first letters decide. */
export const SPELLINGS: Record<Severity, string> = { trace: "trace", debug: "debug", info: "info|notice|unknown", warn: "warn", error: "err", fatal: "fatal|crit|emerg|alert|panic" };

/** The severity that a text names; the empty text and unknown ones are `info`. */
export function severityOf(text: string): Severity {
  const lower = text.toLowerCase();
  return SEVERITIES.find((severity) => SPELLINGS[severity].split("|").some((start) => lower.startsWith(start))) ?? "info";
}

/** Numbers as people read them. */

const LARGE: readonly (readonly [number, string])[] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** Three significant digits and a size: `12.3k`, `0.0042`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  for (const [limit, suffix] of LARGE) if (size >= limit * 0.99995) return `${trim(value / limit)}${suffix}`;
  if (size !== 0 && size < 0.001) return value.toExponential(2).replace(/\.?0+e/, "e");
  return trim(value);
}

/** All digits that matter, with thin separators: for tables and tooltips. */
export function formatExact(value: number): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US").replaceAll(",", "\u2009");
  return String(Number(value.toPrecision(6)));
}

/** `1 service`, `2 services`. */
export function count(amount: number, one: string): string {
  return `${formatExact(amount)} ${amount === 1 ? one : `${one}s`}`;
}

/** A share as per cent: `0.4 %`. */
export function formatShare(part: number): string {
  if (!Number.isFinite(part)) return "–";
  const percent = part * 100;
  if (percent === 0) return "0 %";
  if (percent < 0.1) return "< 0.1 %";
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

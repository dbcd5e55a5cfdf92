/** Units of what a chart shows, as far as the names of metrics tell. */

import { formatMicros } from "../time/duration.ts";
import { formatNumber } from "../ui/number.ts";

export type Unit = "none" | "seconds" | "bytes" | "bytes-per-second" | "per-second" | "ratio";

/** The unit of the result of an expression, by the conventions of Prometheus names. */
export function unitOf(query: string): Unit {
  const names = query.match(/[a-zA-Z_:][\w:]*(?=\s*[{[)]|\s*$|\s*[-+*/])/g) ?? [];
  const isRate = /\b(rate|irate)\s*\(/.test(query);
  const isQuantile = /\bhistogram_(quantile|avg|stddev)\s*\(/.test(query);
  const isCount = /\bcount(_over_time|_values)?\b\s*(by|without|\()/.test(query);
  if (isCount) return "none";
  const ends = (suffix: RegExp): boolean => names.some((name) => suffix.test(name));
  if (isQuantile) return ends(/_seconds(_bucket)?$/) ? "seconds" : ends(/_bytes(_bucket)?$/) ? "bytes" : "none";
  if (ends(/_seconds_sum$/) && ends(/_seconds_count$/)) return "seconds";
  if (isRate && /\/\s*(sum|rate|\()/.test(query)) return "ratio";
  if (isRate) return ends(/_bytes(_total|_sum)?$/) ? "bytes-per-second" : ends(/_seconds_(total|sum)$/) ? "none" : "per-second";
  if (ends(/_ratio$/)) return "ratio";
  if (ends(/_bytes$/)) return "bytes";
  return ends(/_seconds$/) ? "seconds" : "none";
}

const BINARY: readonly (readonly [number, string])[] = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

/** A value with its unit, short enough for an axis. */
export function formatUnit(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  switch (unit) {
    case "seconds":
      return value === 0 ? "0" : formatMicros(value * 1e6);
    case "bytes":
      return bytes(value);
    case "bytes-per-second":
      return value === 0 ? "0" : `${bytes(value)}/s`;
    case "per-second":
      return value === 0 ? "0" : `${formatNumber(value)}/s`;
    case "ratio":
      return `${formatNumber(value * 100)} %`;
    case "none":
      return formatNumber(value);
  }
}

function bytes(value: number): string {
  for (const [size, name] of BINARY) if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))} ${name}`;
  return value === 0 ? "0" : `${Number(value.toPrecision(3))} B`;
}

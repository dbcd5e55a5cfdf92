/** Numbers of the page as people read them; a dash for what is unknown. */

import { formatMicros } from "../../../time/duration.ts";
import { formatNumber, formatShare } from "../../../ui/number.ts";

export function perSecond(rate: number): string {
  return Number.isNaN(rate) ? "–" : formatNumber(rate);
}

export function share(part: number): string {
  return Number.isNaN(part) ? "–" : formatShare(part);
}

/** Seconds. */
export function duration(seconds: number): string {
  return Number.isNaN(seconds) ? "–" : formatMicros(seconds * 1e6);
}

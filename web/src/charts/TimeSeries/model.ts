/** The pure half of the chart of lines: gaps, what the tooltip says, statistics. */

/** Runs without a value between two values, as pairs of indices (the last value before, the first value after). */
export function gapsOf(values: Float64Array, from: number, to: number): [number, number][] {
  const gaps: [number, number][] = [];
  let last = -1;
  for (let index = from; index <= to; index += 1) {
    if (Number.isNaN(values[index])) continue;
    if (last >= 0 && index - last > 1) gaps.push([last, index]);
    last = index;
  }
  return gaps;
}

/** Values without a neighbour on either side: a line cannot show them, a point must. */
export function lonely(values: Float64Array): number[] {
  const found: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (Number.isNaN(values[index])) continue;
    const before = index > 0 && !Number.isNaN(values[index - 1]);
    const after = index + 1 < values.length && !Number.isNaN(values[index + 1]);
    if (!before && !after) found.push(index);
  }
  return found;
}

export interface Reading {
  line: number;
  value: number;
}

/** What stands at one point of the grid: the `limit` largest lines, largest first, and how many more there are. */
export function readings(lines: readonly Float64Array[], hidden: ReadonlySet<number>, index: number, limit: number): { top: Reading[]; more: number } {
  const all: Reading[] = [];
  lines.forEach((values, line) => {
    const value = values[index];
    if (value !== undefined && !Number.isNaN(value) && !hidden.has(line)) all.push({ line, value });
  });
  all.sort((left, right) => right.value - left.value);
  return { top: all.slice(0, limit), more: Math.max(0, all.length - limit) };
}

/** The least and the greatest finite value of the lines between two indexes, both included; null when there is none. */
export function extent(lines: readonly Float64Array[], from: number, to: number): [number | null, number | null] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of lines) {
    for (let index = Math.max(0, from); index <= Math.min(to, values.length - 1); index += 1) {
      const value = values[index] ?? Number.NaN;
      if (!Number.isFinite(value)) continue;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
  }
  return least > greatest ? [null, null] : [least, greatest];
}

/** An extent that reaches the marks too, so that none lies outside of the chart. */
export function reaching([least, greatest]: readonly [number | null, number | null], marks: readonly { value: number }[]): [number | null, number | null] {
  const values = [least, greatest, ...marks.map((mark) => mark.value)].filter((value): value is number => value !== null && Number.isFinite(value));
  return values.length === 0 ? [null, null] : [Math.min(...values), Math.max(...values)];
}

/** The range of the vertical axis: padded, and from zero when zero is near. Infinite values do not count. */
export function valueRange(minimum: number | null, maximum: number | null): [number, number] {
  const low = minimum !== null && Number.isFinite(minimum) ? minimum : 0;
  const high = maximum !== null && Number.isFinite(maximum) ? maximum : low;
  if (low === high) return low === 0 ? [0, 1] : low > 0 ? [0, low * 1.2] : [low * 1.2, 0];
  const pad = (high - low) * 0.08;
  const bottom = low >= 0 && low - (high - low) * 0.6 <= 0 ? 0 : low - pad;
  const top = high <= 0 && high + (high - low) * 0.6 >= 0 ? 0 : high + pad;
  return [bottom, top];
}

export interface Statistics {
  last: number;
  minimum: number;
  maximum: number;
  mean: number;
}

/** Statistics of the values that are there; NaN where there are none. */
export function statistics(values: Float64Array): Statistics {
  let [last, minimum, maximum, sum, count] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    last = value;
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
    sum += value;
    count += 1;
  }
  if (count === 0) return { last: Number.NaN, minimum: Number.NaN, maximum: Number.NaN, mean: Number.NaN };
  return { last, minimum, maximum, mean: sum / count };
}

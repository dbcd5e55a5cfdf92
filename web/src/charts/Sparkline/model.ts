/** The path of a small line. */

/** An SVG path of the values in a box, from zero up; missing values break the line. */
export function sparkPath(values: ArrayLike<number>, width: number, height: number): string {
  let maximum = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? Number.NaN;
    if (Number.isFinite(value)) maximum = Math.max(maximum, value);
  }
  const scale = maximum === 0 ? 0 : (height - 2) / maximum;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  let path = "";
  let drawing = false;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      drawing = false;
      continue;
    }
    path += `${drawing ? "L" : "M"}${(index * step).toFixed(1)} ${(height - 1 - Math.max(0, value) * scale).toFixed(1)}`;
    drawing = true;
  }
  return path;
}

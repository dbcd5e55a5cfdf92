/** Names of lines from their labels. */

type Labels = Readonly<Record<string, string>>;

/** The text of a label set as PromQL writes it. */
export function seriesName(labels: Labels): string {
  const { __name__: name = "", ...rest } = labels;
  const inside = Object.entries(rest).sort(([left], [right]) => (left < right ? -1 : 1)).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return inside.length === 0 ? name === "" ? "{}" : name : `${name}{${inside.join(", ")}}`;
}

/** Short names for lines that are seen together: only the labels in which they differ. */
export function lineNames(all: readonly Labels[]): string[] {
  if (all.length <= 1) return all.map(seriesName);
  const names = [...new Set(all.flatMap((labels) => Object.keys(labels)))].sort();
  const differing = names.filter((name) => all.some((labels) => labels[name] !== all[0]?.[name]));
  const [only] = differing;
  return all.map((labels) => {
    if (differing.length === 1 && only !== undefined) return labels[only] ?? `no ${only}`;
    return seriesName(Object.fromEntries(differing.filter((name) => labels[name] !== undefined).map((name) => [name, labels[name] ?? ""])));
  });
}

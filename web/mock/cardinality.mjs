// Cardinality of the mock shop, counted from its series; rows, bytes and askers follow from names.
import { all, select } from "./promql.mjs";
import { chance } from "./world.mjs";

const ASKERS = ["Grafana/11.2.0 dashboard shop-overview", "browser", "signalbox rules", "curl/8.9.1"];

const figures = (labels) => {
  const rows = 900 + Math.floor(chance("rows", JSON.stringify(labels)) * 4_000);
  return { rows, bytes: Math.round(rows * (0.5 + chance("size", labels.__name__) * 2)), created: chance("new", JSON.stringify(labels)) > 0.85 ? 1 : 0 };
};

function usage(name, now) {
  const queries = chance("asked", name) < 0.35 ? 0 : Math.floor(chance("queries", name) * 900);
  const asked_by = queries === 0 ? [] : ASKERS.slice(0, 1 + Math.floor(chance("askers", name) * 3)).map((asker, index) => ({ asker, queries: Math.max(1, Math.floor(queries / (index + 1.5))), last_query_ms: now - (index + 1) * 47_000 }));
  return { queries, last_query_ms: queries === 0 ? null : now - 47_000, asked_by };
}

export function cardinality(params, now) {
  const chosen = params.getAll("match[]").length === 0 ? all : params.getAll("match[]").flatMap(select);
  const top = Number(params.get("top") ?? 20);
  const order = params.get("order") ?? "series";
  const [start, end, step] = ["start", "end", "step"].map((name) => Math.floor(Number(params.get(name)) * 1_000));
  const tally = () => ({ series: 0, rows: 0, bytes: 0, created: 0 });
  const [whole, metrics, labels] = [tally(), new Map(), new Map()];
  const add = (sum, own) => {
    sum.series += 1;
    for (const name of ["rows", "bytes", "created"]) sum[name] += own[name];
  };
  const of = (map, key, make) => map.get(key) ?? map.set(key, make()).get(key);
  for (const series of chosen) {
    const own = figures(series);
    add(whole, own);
    add(of(metrics, series.__name__, tally), own);
    for (const [name, value] of Object.entries(series)) add(of(of(labels, name, () => new Map()), value, tally), own);
  }
  const largest = (left, right) => right[order] - left[order] || right.series - left.series || (left.name < right.name ? -1 : 1);
  const label = params.get("label") ?? "";
  const pairs = [...labels].filter(([name]) => label === "" || name === label).flatMap(([name, values]) => [...values].map(([value, sum]) => ({ name, value, series: sum.series, bytes: sum.bytes })));
  const summed = (values, what) => [...values.values()].reduce((sum, each) => sum + each[what], 0);
  const steps = [];
  for (let at = start; at < end; at += step) steps.push([at, steps.length === 0 ? 0 : Math.round(chance("churn", at) ** 6 * whole.series * 0.2)]);
  const asked = [...new Set(all.map((series) => series.__name__))].map((name) => ({ name, ...usage(name, now) })).filter((each) => each.queries > 0).sort((left, right) => right.queries - left.queries);
  return {
    start_ms: start, end_ms: end, ...whole, sampled_one_in: 1, metric_names: metrics.size, label_names: labels.size, label_pairs: [...labels.values()].reduce((sum, values) => sum + values.size, 0),
    step_ms: step, created_by_step: steps,
    metrics: [...metrics].map(([name, sum]) => ({ name, ...sum, ...usage(name, now) })).sort(largest).slice(0, top),
    labels: [...labels].map(([name, values]) => ({ name, values: values.size, series: summed(values, "series"), bytes: summed(values, "bytes"), text_bytes: 0 })).sort((left, right) => right.values - left.values).slice(0, top),
    pairs: pairs.sort((left, right) => right.series - left.series).slice(0, top),
    usage: { since_ms: now - 86_400_000, metrics: asked.length, most: asked.slice(0, top) },
  };
}

/** The PromQL language for the editor, fed by whoever knows the metrics. */

import type { Extension } from "@codemirror/state";
import { PromQLExtension, type PrometheusClient } from "@prometheus-io/codemirror-promql";

/** Where names, labels and values come from. */
export interface PromqlLookup {
  metricNames(): Promise<string[]>;
  labelNames(metric: string | undefined): Promise<string[]>;
  labelValues(label: string, metric: string | undefined): Promise<string[]>;
  metadata(): Promise<Record<string, { type: string; help: string }[]>>;
}

/** Highlighting, completion and checks while typing. */
export function promql(lookup: PromqlLookup): Extension {
  const client: PrometheusClient = {
    metricNames: () => lookup.metricNames(),
    labelNames: (metric) => lookup.labelNames(metric),
    labelValues: (label, metric) => lookup.labelValues(label, metric),
    metricMetadata: () => lookup.metadata(),
    series: () => Promise.resolve([]),
    flags: () => Promise.resolve({}),
  };
  return new PromQLExtension().setComplete({ remote: client }).asExtension();
}

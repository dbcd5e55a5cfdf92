/** The view of the Metrics page and its URL. */

import type { Codec } from "../../location.tsx";
import { parseDuration } from "../../time/duration.ts";

export interface MetricsView {
  /** The expression; the empty text shows the list of metrics. */
  query: string;
  mode: "range" | "instant";
  /** Step as written (`30s`); the empty text fits it to the width of the chart. */
  step: string;
  /** In the list: only metrics of this service. */
  service: string;
  /** In the list: only names that contain this. */
  find: string;
  /** Lines that are hidden, by their place. */
  hidden: readonly number[];
}

export const METRICS_URL: Codec<MetricsView> = {
  parse: (params) => {
    const step = params.get("step") ?? "";
    return {
      query: params.get("q") ?? "",
      mode: params.get("mode") === "instant" ? "instant" : "range",
      step: parseDuration(step) === null ? "" : step,
      service: params.get("service") ?? "",
      find: params.get("find") ?? "",
      hidden: (params.get("hidden") ?? "").split(".").filter((text) => /^\d+$/.test(text)).map(Number),
    };
  },
  print: (view) => [
    ["q", view.query],
    ["mode", view.mode === "instant" ? "instant" : ""],
    ["step", view.step],
    ["service", view.service],
    ["find", view.find],
    ["hidden", view.hidden.join(".")],
  ],
};

/** The view of the Routing page and its URL. */

import { readLabels } from "../../api/matchers.ts";
import type { Labels } from "../../api/prometheus.ts";
import type { Codec } from "../../location.tsx";

export interface RoutingView {
  /** The alert whose way is shown; no labels for none. */
  labels: Labels;
}

export const ROUTING_URL: Codec<RoutingView> = {
  parse: (params) => ({ labels: readLabels(params.get("labels")) }),
  print: (view) => [["labels", Object.keys(view.labels).length === 0 ? "" : JSON.stringify(view.labels)]],
};

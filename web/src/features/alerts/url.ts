/** The view of the Alerts page and its URL. */

import type { Codec } from "../../location.tsx";

export const STATES = ["firing", "pending", "inactive", "recording", "broken"] as const;
export type State = (typeof STATES)[number];

export interface AlertsView {
  /** States that are shown; none means all. */
  states: readonly State[];
  find: string;
  /** Rules that are open, by group and name. */
  open: readonly string[];
}

export const ALERTS_URL: Codec<AlertsView> = {
  parse: (params) => ({
    states: STATES.filter((state) => (params.get("state") ?? "").split(",").includes(state)),
    find: params.get("find") ?? "",
    open: (params.get("open") ?? "").split("|").filter((key) => key !== ""),
  }),
  print: (view) => [["state", view.states.join(",")], ["find", view.find], ["open", view.open.join("|")]],
};

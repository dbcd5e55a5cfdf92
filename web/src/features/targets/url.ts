/** The view of the Targets page and its URL. */

import type { Codec } from "../../location.tsx";

export const STATES = ["up", "down", "unknown", "dropped"] as const;
export type State = (typeof STATES)[number];

export interface TargetsView {
  /** States that are shown; none means all. */
  states: readonly State[];
  find: string;
  /** Only this pool; the empty text means all. */
  pool: string;
  /** Rows that are open, by key. */
  open: readonly string[];
  /** Pools that are folded, by name. */
  folded: readonly string[];
}

const SEPARATOR = "|";
const keys = (params: URLSearchParams, name: string): string[] => (params.get(name) ?? "").split(SEPARATOR).filter((key) => key !== "");

export const TARGETS_URL: Codec<TargetsView> = {
  parse: (params) => ({
    states: STATES.filter((state) => (params.get("state") ?? "").split(",").includes(state)),
    find: params.get("find") ?? "",
    pool: params.get("pool") ?? "",
    open: keys(params, "open"),
    folded: keys(params, "folded"),
  }),
  print: (view) => [
    ["state", view.states.join(",")],
    ["pool", view.pool],
    ["find", view.find],
    ["open", view.open.join(SEPARATOR)],
    ["folded", view.folded.join(SEPARATOR)],
  ],
};

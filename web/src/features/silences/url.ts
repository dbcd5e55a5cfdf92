/** The view of the Silences page and its URL. */

import { SILENCE_STATES, type SilenceState } from "../../api/alertmanager.ts";
import { readLabels } from "../../api/matchers.ts";
import type { Codec } from "../../location.tsx";

export interface SilencesView {
  /** States that are shown; none means all. */
  states: readonly SilenceState[];
  find: string;
  /** The form: closed, for a new silence, or for one that is there. */
  form: "" | "new" | "edit";
  /** The silence that is edited, or that a new one is a copy of. */
  id: string;
  /** Labels that a new silence begins with. */
  labels: Readonly<Record<string, string>>;
}

export const SILENCES_URL: Codec<SilencesView> = {
  parse: (params) => {
    const form = params.get("form");
    return {
      states: SILENCE_STATES.filter((state) => (params.get("state") ?? "").split(",").includes(state)),
      find: params.get("find") ?? "",
      form: form === "new" || form === "edit" ? form : "",
      id: params.get("id") ?? "",
      labels: readLabels(params.get("labels")),
    };
  },
  print: (view) => {
    const isOpen = view.form !== "";
    return [
      ["state", view.states.join(",")],
      ["find", view.find],
      ["form", view.form],
      ["id", isOpen ? view.id : ""],
      ["labels", isOpen && Object.keys(view.labels).length > 0 ? JSON.stringify(view.labels) : ""],
    ];
  },
};

/** The view of the rule editor and its URL. */

import type { Codec } from "../../location.tsx";

export interface EditorView {
  /** The file of the group, or the namespace of one that was made by the API. */
  file: string;
  /** The group that is edited; the empty text for a new one. */
  group: string;
  /** Whether it is tried over the range of the page. */
  backtest: boolean;
}

export const EDITOR_URL: Codec<EditorView> = {
  parse: (params) => ({ file: params.get("file") ?? "", group: params.get("group") ?? "", backtest: params.get("backtest") === "1" }),
  print: (view) => [["file", view.file], ["group", view.group], ["backtest", view.backtest ? "1" : ""]],
};

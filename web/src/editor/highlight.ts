/** Colours of the languages: the tokens of the house. */

import { HighlightStyle } from "@codemirror/language";
import { tags } from "@lezer/highlight";

export const HIGHLIGHT = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--signal-traces)" },
  { tag: [tags.function(tags.variableName), tags.standard(tags.variableName)], color: "var(--signal-metrics)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--signal-logs)" },
  { tag: [tags.number, tags.literal], color: "var(--series-4)" },
  { tag: [tags.labelName, tags.propertyName], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--text-3)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

/** The editor itself; loaded only where a query is written. */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, Prec, type Extension } from "@codemirror/state";
import { EditorView, keymap, placeholder as placeholderText } from "@codemirror/view";
import { useEffect, useRef, type ReactNode } from "react";
import { HIGHLIGHT } from "./highlight.ts";
import { STAGES, contextAt, type LogqlLookup } from "./logql.ts";
import { promql, type PromqlLookup } from "./promql.ts";
import { OPERATORS, escapeQuoted, printField, printValue, searchContextAt, type LogsLookup } from "./search.ts";
import { THEME } from "./theme.ts";
import { LEAVE, useEditor, type Editing } from "./use_editor.ts";

export type Language = { name: "promql"; lookup: PromqlLookup } | { name: "logs"; lookup: LogsLookup };

export interface EditorProps extends Editing {
  language: Language;
  placeholder: string;
  /** Enter was pressed. */
  onRun: () => void;
}

export function CodeEditor(props: EditorProps): ReactNode {
  const language = useRef(new Compartment());
  const latest = useRef(props);
  latest.current = props;
  const { host, view } = useEditor(latest, () => extensions(latest, language.current));

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(support(props.language)) });
  }, [props.language]);

  return <div ref={host} data-search="" data-editor={props.language.name} onFocus={() => view.current?.focus()} />;
}

function extensions(latest: { readonly current: EditorProps }, language: Compartment): Extension[] {
  const run = (): boolean => {
    latest.current.onRun();
    return true;
  };
  return [
    history(),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false, maxRenderedOptions: 60 }),
    syntaxHighlighting(HIGHLIGHT),
    THEME,
    EditorView.lineWrapping,
    placeholderText(latest.current.placeholder),
    language.of(support(latest.current.language)),
    // The completion's own Enter comes first; it does nothing when no list is open.
    Prec.highest(keymap.of(completionKeymap)),
    Prec.high(keymap.of([
      { key: "Enter", run, shift: () => false },
      { key: "Mod-Enter", run },
      LEAVE,
    ])),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
  ];
}

function support(language: Language): Extension {
  if (language.name === "promql") return promql(language.lookup);
  // One function for as long as the language stays: answers of another one are thrown away.
  const data = [{ autocomplete: (context: CompletionContext) => completeLogs(context, language) }];
  return EditorState.languageData.of(() => data);
}

type LogsLanguage = Extract<Language, { name: "logs" }>;

/** LogQL has selectors; everything without one is a search. */
function completeLogs(context: CompletionContext, language: LogsLanguage): Promise<CompletionResult | null> {
  return context.state.sliceDoc().includes("{") ? completeLogql(context, language.lookup) : completeSearch(context, language);
}

async function completeSearch(context: CompletionContext, { lookup }: LogsLanguage): Promise<CompletionResult | null> {
  const found = searchContextAt(context.state.sliceDoc(0, context.pos));
  if (found.kind === "value") {
    const values = await lookup.fieldValues(found.field);
    const options = values.map(({ value, count }, index): Completion => ({ label: value, detail: String(count), type: "value", apply: found.isQuoted ? `${escapeQuoted(value)}"` : printValue(value), boost: -index / 10 }));
    return { from: found.from, options, validFor: found.isQuoted ? /^[^"]*$/ : /^[^\s"()]*$/ };
  }
  if (found.kind === "none" || (found.from === context.pos && !context.explicit)) return null;
  const fields = await lookup.fields();
  const options = fields.map(({ name, distinct }, index): Completion => ({
    label: name,
    // In the order in which they are given: what is in most records first, not what is first in the alphabet.
    boost: Math.max(-40, 40 - index),
    detail: distinct === 1 ? "1 value" : `${distinct} values`,
    type: "label",
    apply: (view, _completion, from, to) => {
      const insert = `${printField(name)}:`;
      view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length } });
      startCompletion(view);
    },
  }));
  return { from: found.from, options: [...options, ...OPERATORS.map((operator) => ({ label: operator.text, detail: operator.info, type: "keyword", boost: -50 }))], validFor: /^[\p{L}\p{N}_\-.@$/]*$/u };
}

async function completeLogql(context: CompletionContext, lookup: LogqlLookup): Promise<CompletionResult | null> {
  const found = contextAt(context.state.sliceDoc(0, context.pos));
  const options = (names: readonly string[], type: string): Completion[] => names.map((label) => ({ label, type }));
  switch (found.kind) {
    case "label":
      return { from: found.from, options: options(await lookup.labels(), "label").map((each) => ({ ...each, apply: `${each.label}=""` })), validFor: /^\w*$/ };
    case "value":
      return { from: found.from, options: options(await lookup.values(found.label), "value"), validFor: /^[^"`]*$/ };
    case "stage":
      return { from: found.from, options: STAGES.map((stage) => ({ label: stage.text, detail: stage.info, type: "keyword" })) };
    case "none":
      return null;
  }
}

/**
 * The editor itself; loaded only where a query is written. It lives in a shadow tree: there CodeMirror
 * uses constructed style sheets, which a strict Content-Security-Policy allows, instead of style elements.
 */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, Prec, Transaction, type Extension } from "@codemirror/state";
import { EditorView, keymap, placeholder as placeholderText } from "@codemirror/view";
import { useEffect, useRef, type ReactNode } from "react";
import { Echoes } from "./echo.ts";
import { HIGHLIGHT } from "./highlight.ts";
import { STAGES, contextAt, type LogqlLookup } from "./logql.ts";
import { promql, type PromqlLookup } from "./promql.ts";
import { OPERATORS, escapeQuoted, printField, printValue, searchContextAt, type LogsLookup } from "./search.ts";
import { THEME } from "./theme.ts";

export type Language = { name: "promql"; lookup: PromqlLookup } | { name: "logs"; lookup: LogsLookup };

export interface EditorProps {
  /** Accessible name. */
  label: string;
  language: Language;
  value: string;
  placeholder: string;
  onChange: (value: string) => void;
  /** Enter was pressed. */
  onRun: () => void;
}

export function CodeEditor(props: EditorProps): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const language = useRef(new Compartment());
  const latest = useRef(props);
  latest.current = props;
  const echoes = useRef(new Echoes());

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({ doc: latest.current.value, extensions: extensions(latest, echoes.current, language.current) }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(support(props.language)) });
  }, [props.language]);

  // The value comes from outside when it is not what was typed: the back button, a metric that was picked.
  useEffect(() => {
    const editor = view.current;
    if (editor === null || echoes.current.take(props.value, performance.now()) || editor.state.doc.toString() === props.value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value }, annotations: Transaction.remote.of(true) });
  }, [props.value]);

  return <div ref={host} data-search="" data-editor={props.language.name} onFocus={() => view.current?.focus()} />;
}

function extensions(latest: { readonly current: EditorProps }, echoes: Echoes, language: Compartment): Extension[] {
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
    EditorView.contentAttributes.of({ "aria-label": latest.current.label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
    placeholderText(latest.current.placeholder),
    language.of(support(latest.current.language)),
    // The completion's own Enter comes first; it does nothing when no list is open.
    Prec.highest(keymap.of(completionKeymap)),
    Prec.high(keymap.of([
      { key: "Enter", run, shift: () => false },
      { key: "Mod-Enter", run },
      { key: "Escape", run: (editor) => { editor.contentDOM.blur(); return true; } },
    ])),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
    EditorView.updateListener.of((update) => {
      // What comes from outside is no news to whom it came from.
      if (!update.docChanged || update.transactions.some((transaction) => transaction.annotation(Transaction.remote) === true)) return;
      const value = update.state.doc.toString();
      echoes.tell(value, performance.now());
      latest.current.onChange(value);
    }),
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
  const options = fields.map(({ name, distinct }): Completion => ({
    label: name,
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

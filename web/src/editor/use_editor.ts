/**
 * What every editor shares: it lives in a shadow tree (there CodeMirror uses constructed style sheets, which a strict
 * Content-Security-Policy allows, instead of style elements), tells what is typed, and takes what comes from outside.
 */

import { Transaction, EditorState, type Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef, type RefObject } from "react";
import { Echoes } from "./echo.ts";

export interface Editing {
  /** Accessible name. */
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** An editor with these extensions in an element, for as long as it is shown; made once. */
export function useEditor<Props extends Editing>(latest: { readonly current: Props }, extensions: () => Extension[]): { host: RefObject<HTMLDivElement | null>; view: RefObject<EditorView | null> } {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const echoes = useRef(new Echoes());
  const { value } = latest.current;

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    const editor = new EditorView({ root, parent: root, state: EditorState.create({ doc: latest.current.value, extensions: [...extensions(), shared(latest, echoes.current)] }) });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);

  // The value comes from outside when it is not what was typed: the back button, a metric that was picked.
  useEffect(() => {
    const editor = view.current;
    if (editor === null || echoes.current.take(value, performance.now()) || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value }, annotations: Transaction.remote.of(true) });
  }, [value]);

  return { host, view };
}

/** Leaves the editor: for whoever goes by keys. */
export const LEAVE = { key: "Escape", run: (editor: EditorView): boolean => { editor.contentDOM.blur(); return true; } };

function shared(latest: { readonly current: Editing }, echoes: Echoes): Extension {
  return [
    EditorView.contentAttributes.of({ "aria-label": latest.current.label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
    EditorView.updateListener.of((update) => {
      // What comes from outside is no news to whom it came from.
      if (!update.docChanged || update.transactions.some((transaction) => transaction.annotation(Transaction.remote) === true)) return;
      const value = update.state.doc.toString();
      echoes.tell(value, performance.now());
      latest.current.onChange(value);
    }),
  ];
}

/** An editor of a text of many lines, with remarks where they belong; in a shadow tree as the other one. */

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { Compartment, EditorState, Prec, type Extension, type Text } from "@codemirror/state";
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef, type ReactNode } from "react";
import { HIGHLIGHT } from "./highlight.ts";
import { span, type Note } from "./notes.ts";
import { THEME } from "./theme.ts";
import { LEAVE, useEditor, type Editing } from "./use_editor.ts";
import { yaml } from "./yaml.ts";

export interface TextEditorProps extends Editing {
  isReadOnly: boolean;
  notes: readonly Note[];
  /** A place to go to; each object is gone to once. */
  goTo: { line: number; column: number } | null;
  /** Mod-Enter or Mod-S was pressed. */
  onSave: () => void;
}

const TALL = EditorView.theme({
  ".cm-scroller": { maxHeight: "560px" },
  ".cm-content, .cm-gutter": { minHeight: "260px" },
  ".cm-gutters": { backgroundColor: "var(--surface-2)", color: "var(--text-3)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  // The marks that come with it are data: images, which the Content-Security-Policy refuses.
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn) 1px", textUnderlineOffset: "3px" },
  ".cm-lintRange-active": { backgroundColor: "var(--bad-soft)" },
});

export function TextEditor(props: TextEditorProps): ReactNode {
  const changeable = useRef(new Compartment());
  const latest = useRef(props);
  latest.current = props;
  const { host, view } = useEditor(latest, () => extensions(latest, changeable.current));

  useEffect(() => {
    view.current?.dispatch({ effects: changeable.current.reconfigure(EditorState.readOnly.of(props.isReadOnly)) });
  }, [props.isReadOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor !== null) editor.dispatch(setDiagnostics(editor.state, props.notes.map((note) => diagnostic(editor.state.doc, note))));
  }, [props.notes, props.value]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || props.goTo === null) return;
    const { from } = span(editor.state.doc.toString(), props.goTo);
    editor.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    editor.focus();
  }, [props.goTo]);

  return <div ref={host} data-editor="yaml" onFocus={() => view.current?.focus()} />;
}

function diagnostic(doc: Text, note: Note): Diagnostic {
  return { ...span(doc.toString(), note), severity: note.severity, message: note.message };
}

function extensions(latest: { readonly current: TextEditorProps }, changeable: Compartment): Extension[] {
  const save = (): boolean => {
    latest.current.onSave();
    return true;
  };
  return [
    history(),
    lineNumbers(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    bracketMatching(),
    indentUnit.of("  "),
    yaml,
    syntaxHighlighting(HIGHLIGHT),
    Prec.high(TALL),
    THEME,
    changeable.of(EditorState.readOnly.of(latest.current.isReadOnly)),
    Prec.high(keymap.of([
      { key: "Mod-Enter", run: save },
      { key: "Mod-s", run: save },
      // Tab indents; whoever goes by keys leaves with Escape first.
      LEAVE,
    ])),
    keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap, indentWithTab]),
  ];
}

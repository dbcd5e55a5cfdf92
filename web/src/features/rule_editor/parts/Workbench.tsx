/** One group: its text, what is wrong with it, saving and deleting, and what it would have done. */

import { useMemo, useState, type ReactNode } from "react";
import { checkRules, deleteGroup, saveGroup } from "../../../api/ruler.ts";
import { useAction } from "../../../api/use_action.ts";
import { useResource } from "../../../api/use_resource.ts";
import { YamlEditor } from "../../../editor/YamlEditor.tsx";
import type { Time } from "../../../location.tsx";
import { Button, Field, Input } from "../../../ui/controls.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { Failure, Notice, Progress } from "../../../ui/states.tsx";
import { useSettled } from "../../../ui/use_settled.ts";
import { storeDraft, storedDraft } from "../drafts.ts";
import { fileOf, isFile, located, nameOf } from "../model.ts";
import styles from "../rule_editor.module.css";
import type { EditorView } from "../url.ts";
import { Backtest } from "./Backtest.tsx";
import { Remarks, type Place } from "./Remarks.tsx";

const TYPING_MS = 400;

export function Workbench({ view, text: original, isReadOnly, time, onChange, onStored }: {
  view: EditorView;
  /** The text as it is kept, or that a new group begins with. */
  text: string;
  isReadOnly: boolean;
  time: Time;
  onChange: (view: EditorView) => void;
  onStored: () => void;
}): ReactNode {
  const [draft, setDraft] = useState(() => (isReadOnly ? null : storedDraft(view.file, view.group)));
  const [text, namespace] = [draft?.text ?? original, draft?.namespace ?? view.file];
  const [place, setPlace] = useState<Place | null>(null);
  const [asked, setAsked] = useState(false);
  // What is tried is the text at the time of asking, not every one that is typed.
  const [tried, setTried] = useState(view.backtest ? text : null);
  const settled = useSettled(text, TYPING_MS);
  const check = useResource(settled.trim() === "" ? null : `check ${settled}`, async (signal) => {
    const found = await checkRules(fileOf(settled), signal);
    return { ...found, errors: found.errors.map((error) => located(error, settled)), warnings: found.warnings.map((warning) => located(warning, settled)) };
  });
  const notes = useMemo(() => [
    ...(check.data?.errors ?? []).map((error) => ({ ...error, severity: "error" as const })),
    ...(check.data?.warnings ?? []).map((warning) => ({ ...warning, severity: "warning" as const })),
  ], [check.data]);
  const edit = (next: { text: string; namespace: string }): void => {
    const isSame = next.text === original && next.namespace === view.file;
    setDraft(isSame ? null : next);
    storeDraft(view.file, view.group, isSame ? null : next);
  };
  const forget = (): void => {
    setDraft(null);
    storeDraft(view.file, view.group, null);
  };
  const name = nameOf(text);
  const save = useAction((wanted: { namespace: string; text: string }, signal) => saveGroup(wanted.namespace, wanted.text, signal), () => {
    forget();
    onStored();
    onChange({ ...view, file: namespace.trim(), group: name });
  });
  const remove = useAction((group: string, signal) => deleteGroup(view.file, group, signal), () => {
    forget();
    onStored();
    onChange({ file: "", group: "", backtest: false });
  });
  const isWrong = notes.some((note) => note.severity === "error");
  const why = isFile(text) ? "Save takes one group: begin with its name instead of “groups:”." : name === "" ? "The group needs a name." : namespace.trim() === "" ? "Say in which namespace it is kept." : null;
  const submit = (): void => {
    if (!isReadOnly && why === null && !isWrong) save.run({ namespace: namespace.trim(), text });
  };
  const copy = (): void => {
    storeDraft("", "", { namespace: "", text: original });
    onChange({ file: "", group: "", backtest: false });
  };
  const isChanged = draft !== null || view.group === "";
  return (
    <>
      <Panel
        title={view.group === "" ? "New group" : view.group}
        note={view.group === "" ? undefined : view.file}
        actions={isReadOnly ? <Badge>read only</Badge> : isChanged && view.group !== "" ? <Badge tone="warn">not saved</Badge> : undefined}
      >
        <Progress on={check.loading} label="Checking the rules" />
        <div className={styles.editor}>
          {isReadOnly && <Notice>This group comes from a file: it is changed there.</Notice>}
          {!isReadOnly && (
            <div className={styles.fields}>
              <Field label="Namespace"><Input value={namespace} placeholder="team-shop" disabled={view.group !== ""} onChange={(event) => edit({ text, namespace: event.target.value })} /></Field>
              {view.group !== "" && name !== "" && name !== view.group && <span className={styles.quiet}>It is saved as a new group, {name}; {view.group} stays.</span>}
            </div>
          )}
          <YamlEditor label="Rules of the group" value={text} isReadOnly={isReadOnly} notes={notes} goTo={place} onChange={(next) => edit({ text: next, namespace })} onSave={submit} />
          <Remarks notes={notes} groups={check.data?.groups ?? []} isChecked={check.data !== undefined && !check.loading} onGo={setPlace} />
          {check.error !== null && !check.loading && <Failure title="The rules could not be checked" error={check.error} retry={check.reload} />}
          {save.error !== null && <Failure title="The group could not be saved" error={save.error} />}
          {remove.error !== null && <Failure title="The group could not be deleted" error={remove.error} />}
          <div className={styles.actions}>
            {isReadOnly ? <Button onClick={copy}>Copy into a new group</Button> : (
              <>
                <Button look="primary" disabled={why !== null || isWrong || save.running || !isChanged} onClick={submit}>Save</Button>
                {view.group !== "" && draft !== null && <Button look="quiet" onClick={forget}>Discard the changes</Button>}
              </>
            )}
            <Button icon="play" disabled={isWrong || text.trim() === ""} onClick={() => { setTried(text); if (!view.backtest) onChange({ ...view, backtest: true }); }}>Backtest</Button>
            {!isReadOnly && why !== null && <span className={styles.quiet}>{why}</span>}
            {!isReadOnly && view.group !== "" && (asked
              ? <span className={styles.end}><Button small look="primary" autoFocus disabled={remove.running} onClick={() => remove.run(view.group)}>Delete it</Button><Button small look="quiet" onClick={() => setAsked(false)}>Keep</Button></span>
              : <Button small look="quiet" className={styles.end} onClick={() => setAsked(true)}>Delete</Button>)}
          </div>
        </div>
      </Panel>
      {tried !== null && <Backtest text={tried} isOld={tried !== text} time={time} onClose={() => { setTried(null); onChange({ ...view, backtest: false }); }} />}
    </>
  );
}

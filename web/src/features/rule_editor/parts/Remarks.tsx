/** What the checker says, each a way to its place; or that all is well. */

import type { ReactNode } from "react";
import type { Checked } from "../../../api/ruler.ts";
import type { Note } from "../../../editor/notes.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { count } from "../../../ui/number.ts";
import styles from "../rule_editor.module.css";

export interface Place {
  line: number;
  column: number;
}

export function Remarks({ notes, groups, isChecked, onGo }: { notes: readonly Note[]; groups: Checked["groups"]; isChecked: boolean; onGo: (place: Place) => void }): ReactNode {
  const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
  return (
    <div aria-live="polite" data-testid="remarks" className={styles.remarks}>
      {notes.length === 0 && isChecked && <p className={styles.fine}><Icon name="check" size={13} />{count(rules, "rule")}, nothing wrong</p>}
      <ul aria-label="Remarks">
        {notes.map((note, index) => (
          <li key={index}>
            <button type="button" className={styles.remark} data-severity={note.severity} onClick={() => onGo({ line: note.line, column: note.column })}>
              <Icon name="warning" size={13} />
              <span className={styles.place}>{note.column > 0 ? `${note.line}:${note.column}` : note.line}</span>
              <span>{note.message}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The list of keys. */

import type { ReactNode } from "react";
import { Kbd } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import type { Shortcut } from "./shortcuts.ts";
import styles from "./shell.module.css";

const IN_PAGES: readonly Shortcut[] = [
  { keys: ["Enter"], label: "Run the query (in an editor)", action: "" },
  { keys: ["Ctrl", "Space"], label: "Complete (in an editor)", action: "" },
  { keys: ["Ctrl", "V"], label: "Open the trace whose id was copied", action: "" },
  { keys: ["↑", "↓"], label: "Previous or next row or span", action: "" },
  { keys: ["←", "→"], label: "Fold or unfold a span", action: "" },
  { keys: ["Esc"], label: "Close", action: "" },
];

export function Help({ open, onClose, shortcuts }: { open: boolean; onClose: () => void; shortcuts: readonly Shortcut[] }): ReactNode {
  return (
    <Dialog title="Keyboard shortcuts" open={open} onClose={onClose}>
      <dl className={styles.keys}>
        {[...shortcuts, ...IN_PAGES].map((shortcut) => (
          <div key={shortcut.label} className={styles.keyRow}>
            <dt>{shortcut.keys.map((key) => <Kbd key={key}>{key}</Kbd>)}</dt>
            <dd>{shortcut.label}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

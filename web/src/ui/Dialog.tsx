/** A modal dialog: the browser's own, which traps the focus and closes by Escape. */

import { useEffect, useRef, type ReactNode } from "react";
import { IconButton } from "./controls.tsx";
import styles from "./overlay.module.css";

export function Dialog({ title, open, onClose, children }: { title: string; open: boolean; onClose: () => void; children: ReactNode }): ReactNode {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    if (dialog === null) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={element}
      className={styles.dialog}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      {open && (
        <div className={styles.dialogBody}>
          <div className={styles.dialogHead}>
            <h2>{title}</h2>
            <IconButton icon="close" label="Close" small onClick={onClose} />
          </div>
          {children}
        </div>
      )}
    </dialog>
  );
}

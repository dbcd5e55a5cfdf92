/** A field for a query: shows the text at once, becomes an editor as soon as that is loaded. */

import { Suspense, lazy, type ReactNode } from "react";
import type { EditorProps } from "./CodeEditor.tsx";
import styles from "./editor.module.css";

export type { Language } from "./CodeEditor.tsx";

const Loaded = lazy(async () => ({ default: (await import("./CodeEditor.tsx")).CodeEditor }));

export function QueryEditor(props: EditorProps): ReactNode {
  return (
    <div className={styles.frame}>
      <Suspense fallback={<div className={styles.waiting}>{props.value === "" ? props.placeholder : props.value}</div>}>
        <Loaded {...props} />
      </Suspense>
    </div>
  );
}

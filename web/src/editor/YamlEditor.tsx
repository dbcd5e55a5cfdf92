/** A field for YAML: shows the text at once, becomes an editor as soon as that is loaded. */

import { Suspense, lazy, type ReactNode } from "react";
import type { TextEditorProps } from "./TextEditor.tsx";
import styles from "./editor.module.css";

const Loaded = lazy(async () => ({ default: (await import("./TextEditor.tsx")).TextEditor }));

export function YamlEditor(props: TextEditorProps): ReactNode {
  return (
    <div className={styles.frame}>
      <Suspense fallback={<div className={styles.waiting}>{props.value}</div>}>
        <Loaded {...props} />
      </Suspense>
    </div>
  );
}

/** A refused expression, with a caret where the server found the fault. */

import type { ReactNode } from "react";
import { Failure } from "../ui/states.tsx";
import { caret, errorPosition } from "./fault.ts";
import styles from "./editor.module.css";

export function QueryFailure({ query, error, retry }: { query: string; error: Error; retry: () => void }): ReactNode {
  const position = errorPosition(error.message);
  // The server may have drawn the caret itself.
  const drawn = position === null || /\n\s*\^/.test(error.message) ? null : caret(query, position);
  return (
    <div className={styles.failure}>
      <Failure title={position === null ? "The query failed" : "The expression cannot be read"} error={error} retry={retry} />
      {drawn !== null && <pre className={styles.caret} data-testid="caret">{drawn}</pre>}
    </div>
  );
}

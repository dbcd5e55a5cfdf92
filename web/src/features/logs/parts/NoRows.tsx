/** Nothing was found: which part of the search is to blame, and what there is without it. */

import type { ReactNode } from "react";
import { useTime } from "../../../location.tsx";
import { Button } from "../../../ui/controls.tsx";
import { count } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import styles from "../logs.module.css";
import { useRelaxed } from "../queries.ts";
import type { LogsView } from "../url.ts";

export function NoRows({ view, onNarrow, onClear }: { view: LogsView; onNarrow: (view: LogsView) => void; onClear: () => void }): ReactNode {
  const time = useTime();
  const relaxed = useRelaxed(view, time);
  const isFiltered = view.query !== "" || view.service !== "" || view.severities.length > 0 || view.trace !== "";
  if (!isFiltered) {
    return <Empty icon="logs" title="No logs in this range"><p>Send logs by OTLP to port 4317 (gRPC) or 4318 (HTTP), or choose a longer range.</p></Empty>;
  }
  return (
    <Empty icon="logs" title="No records match">
      {relaxed.length > 0 && (
        <ul className={styles.relaxed} aria-label="Without one part">
          {relaxed.map(({ part, query, total }) => (
            <li key={part}>
              <Button small onClick={() => onNarrow({ ...view, query, row: "", context: false })}>Without <code>{part}</code></Button>
              <span>{count(total, "record")}</span>
            </li>
          ))}
        </ul>
      )}
      <Button onClick={onClear}>Clear the search</Button>
    </Empty>
  );
}

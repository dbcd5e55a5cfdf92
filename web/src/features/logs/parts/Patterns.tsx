/** Lines that one statement of a program wrote, as one row with its count over time. */

import type { ReactNode } from "react";
import { Sparkline } from "../../../charts/Sparkline/Sparkline.tsx";
import { useTime } from "../../../location.tsx";
import { CopyButton, IconButton } from "../../../ui/controls.tsx";
import { count, formatNumber, formatShare } from "../../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { VirtualList } from "../../../ui/VirtualList.tsx";
import { ofPattern } from "../language.ts";
import facets from "../facets.module.css";
import styles from "../logs.module.css";
import { pieces } from "../patterns.ts";
import { usePatterns } from "../queries.ts";
import type { LogsView } from "../url.ts";

const ROW_HEIGHT = 32;

export function Patterns({ view, onChange }: { view: LogsView; onChange: (view: LogsView) => void }): ReactNode {
  const { data, error, loading, reload } = usePatterns(view, useTime());
  const total = (data ?? []).reduce((sum, row) => sum + row.count, 0);
  return (
    <>
      <Progress on={loading} label="Counting patterns" />
      {error !== null && !loading && <Failure title="The patterns could not be counted" error={error} retry={reload} />}
      {data === undefined ? loading && <Skeleton lines={14} /> : data.length === 0 ? <Empty icon="logs" title="No patterns in this range" /> : (
        <VirtualList
          label="Patterns"
          count={data.length}
          estimate={ROW_HEIGHT}
          keyOf={(index) => data[index]?.pattern ?? index}
          render={(index) => {
            const row = data[index];
            return row === undefined ? null : (
              <div className={facets.pattern} data-testid="pattern-row">
                <span className={facets.patternSpark}><Sparkline values={row.values} color="var(--signal-logs)" width={110} height={22} fill /></span>
                <span className={facets.patternCount} title={count(row.count, "record")}>{formatNumber(row.count)}</span>
                <span className={facets.patternShare}>{formatShare(total === 0 ? 0 : row.count / total)}</span>
                <button type="button" data-row="" className={facets.patternText} title={row.pattern} aria-label={`Only lines like ${row.pattern}`} onClick={() => onChange(ofPattern(view, row.pattern, true))}>
                  {pieces(row.pattern).map((piece, at) => piece.varies ? <span key={at} className={facets.varies}>‹·›</span> : piece.text)}
                </button>
                <IconButton small icon="minus" label={`Without lines like ${row.pattern}`} onClick={() => onChange(ofPattern(view, row.pattern, false))} />
                <CopyButton value={row.pattern} label="Copy the pattern" />
              </div>
            );
          }}
          footer={<div className={styles.footer} role="status">{count(data.length, "pattern")}</div>}
        />
      )}
    </>
  );
}

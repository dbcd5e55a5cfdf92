/** The records: pages of older ones below, new ones on top while they are followed. */

import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { distinctColors, nameColor } from "../../../charts/color.ts";
import { Button } from "../../../ui/controls.tsx";
import { count, formatNumber } from "../../../ui/number.ts";
import { Empty, Notice } from "../../../ui/states.tsx";
import { VirtualList } from "../../../ui/VirtualList.tsx";
import { narrowed } from "../language.ts";
import styles from "../logs.module.css";
import { toEntries } from "../model.ts";
import { PAGE_ROWS, ROWS_MAX, type LogPages } from "../queries.ts";
import type { LiveTail } from "../use_tail.ts";
import { EVERYTHING, type LogsView } from "../url.ts";
import { LogRowView } from "./LogRowView.tsx";
import { NoRows } from "./NoRows.tsx";

const ROW_HEIGHT = 26;
/** Further down than this the reader looks at something that must not move. */
const AT_TOP = 8;

export function Records({ pages, live, services, view, onOpen, onNarrow }: {
  pages: LogPages;
  live: LiveTail;
  services: readonly string[];
  view: LogsView;
  onOpen: (view: LogsView) => void;
  onNarrow: (view: LogsView) => void;
}): ReactNode {
  const { tail, isPaused, setPaused } = live;
  const rows = useMemo(() => (tail === null ? (pages.rows ?? []) : [...tail.shown, ...(pages.rows ?? [])]), [tail?.shown, pages.rows]);
  const entries = useMemo(() => toEntries(rows), [rows]);
  const colors = useMemo(() => distinctColors(services), [services]);
  const host = useRef<HTMLDivElement>(null);
  const [isScrolled, setIsScrolled] = useState(false);
  const [isStopped, setIsStopped] = useState(false);
  // Bring the open row into view when the page is opened with one, and not again when rows are added.
  const [reveal] = useState(() => entries.findIndex((entry) => entry.key === view.row));
  const isHeld = isStopped || isScrolled || view.row !== "";
  useEffect(() => {
    if (tail !== null) setPaused(isHeld);
  }, [tail === null, isHeld, setPaused]);
  const resume = (): void => {
    onOpen({ ...view, row: "", context: false });
    host.current?.scrollTo({ top: 0 });
    setIsScrolled(false);
    setIsStopped(false);
    setPaused(false);
  };

  return (
    <>
      {tail !== null && (
        <div className={styles.live} role="status" data-testid="live" data-paused={isPaused}>
          <span className={styles.liveDot} data-paused={isPaused} />
          <span>{isPaused ? `Paused, ${count(tail.waiting.length, "new record")}` : `Live, ${count(tail.shown.length, "record")} since it began`}</span>
          {tail.dropped > 0 && <span className={styles.liveDropped}>{formatNumber(tail.dropped)} not shown: too many at once</span>}
          {live.error !== null && <span className={styles.liveDropped}>{live.error.message}</span>}
          <span className={styles.liveSpace} />
          <Button small look={isPaused ? "primary" : "normal"} onClick={isPaused ? resume : () => setIsStopped(true)}>{isPaused ? "Show them" : "Pause"}</Button>
        </div>
      )}
      {entries.length === 0 ? tail === null
        ? <NoRows view={view} onNarrow={onNarrow} onClear={() => onNarrow({ ...EVERYTHING, fields: view.fields })} />
        : <Empty icon="logs" title="Waiting for records"><p>They are shown as they come.</p></Empty> : (
        <VirtualList
          label="Log records"
          count={entries.length}
          estimate={ROW_HEIGHT}
          host={host}
          keyOf={(index) => entries[index]?.key ?? index}
          reveal={reveal}
          onEnd={pages.loadOlder}
          onScroll={(offset) => setIsScrolled(offset > AT_TOP)}
          render={(index) => {
            const entry = entries[index];
            const isOpen = entry?.key === view.row;
            return entry === undefined ? null : (
              <LogRowView
                entry={entry}
                rows={rows}
                view={view}
                color={colors.get(entry.service) ?? nameColor(entry.service)}
                open={isOpen}
                onToggle={() => onOpen({ ...view, row: isOpen ? "" : entry.key, context: false })}
                onContext={(isShown) => onOpen({ ...view, context: isShown })}
                onNarrow={(field, value, wanted) => onNarrow(narrowed(view, field, value, wanted))}
              />
            );
          }}
          footer={
            <div className={styles.footer} role="status">
              {pages.loadingOlder ? "Loading older records…" : !pages.complete ? <Button small onClick={pages.loadOlder}>Load {PAGE_ROWS} older</Button>
                : (pages.rows?.length ?? 0) >= ROWS_MAX ? <Notice>The page holds {count(entries.length, "row")}, which is its limit: narrow the range or the query.</Notice>
                  : `${count(entries.length, "record")}, all there are in this range`}
            </div>
          }
        />
      )}
    </>
  );
}

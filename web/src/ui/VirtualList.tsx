/** A list that renders only what is in view. Rows may have any height; arrow keys move between those marked `data-row`. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { classes } from "./controls.tsx";
import styles from "./virtual.module.css";

interface Props {
  /** Accessible name. */
  label: string;
  count: number;
  /** Height of a row before it is measured. */
  estimate: number;
  keyOf: (index: number) => string | number;
  render: (index: number) => ReactNode;
  className?: string | undefined;
  /** The row to bring into view when it changes; -1 for none. */
  reveal?: number;
  /** Rendered after the last row. */
  footer?: ReactNode;
  /** Called when the last row comes into view. */
  onEnd?: () => void;
  /** Called with how far the list is scrolled, in pixels. */
  onScroll?: (offset: number) => void;
  role?: "list" | "tree" | "rowgroup";
  host?: RefObject<HTMLDivElement | null>;
}

export function VirtualList({ label, count, estimate, keyOf, render, className, reveal = -1, footer, onEnd, onScroll, role = "list", host }: Props): ReactNode {
  const own = useRef<HTMLDivElement>(null);
  const scroller = host ?? own;
  const virtualizer = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => estimate, overscan: 12, getItemKey: keyOf });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  const end = useRef(onEnd);
  end.current = onEnd;

  useEffect(() => {
    if (reveal >= 0 && reveal < count) virtualizer.scrollToIndex(reveal, { align: "auto" });
  }, [reveal, count, virtualizer]);

  useEffect(() => {
    if (count > 0 && last >= count - 1) end.current?.();
  }, [last, count]);

  const move = (event: KeyboardEvent<HTMLDivElement>): void => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const row = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-index]") : null;
    if (by === 0 || row === null || !(event.target instanceof HTMLElement) || !event.target.hasAttribute("data-row")) return;
    const next = Number(row.dataset["index"]) + by;
    if (next < 0 || next >= count) return;
    event.preventDefault();
    virtualizer.scrollToIndex(next, { align: "auto" });
    const focus = (): void => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"] [data-row]`)?.focus({ preventScroll: true });
    focus();
    requestAnimationFrame(focus);
  };

  return (
    <div ref={scroller} className={classes(styles.scroller, className)} onKeyDown={move} onScroll={onScroll === undefined ? undefined : (event) => onScroll(event.currentTarget.scrollTop)}>
      <div role={role} aria-label={label} className={styles.canvas} style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => (
          <div key={item.key} ref={virtualizer.measureElement} data-index={item.index} className={styles.item} style={{ transform: `translateY(${item.start}px)` }} role={role === "list" ? "listitem" : "presentation"}>
            {render(item.index)}
          </div>
        ))}
      </div>
      {footer}
    </div>
  );
}

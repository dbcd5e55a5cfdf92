/** Spans as bars over time, one a row; only the rows in view exist. */

import { useMemo, useState, type CSSProperties, type KeyboardEvent, type ReactNode } from "react";
import { formatMicros } from "../../../time/duration.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { VirtualList } from "../../../ui/VirtualList.tsx";
import { visibleRows, type Node, type Tree } from "../model.ts";
import styles from "../traces.module.css";
import type { TraceView } from "../url.ts";
import { useServiceColor } from "./ServiceDot.tsx";

const ROW_HEIGHT = 26;
const TICKS = 5;
/** Deeper spans are not indented further: the name must stay readable. */
const INDENT_MAX = 24;

interface Props {
  tree: Tree;
  view: TraceView;
  marked: ReadonlySet<string>;
  onChange: (view: TraceView) => void;
  onChoose: (span: string) => void;
}

export function Waterfall({ tree, view, marked, onChange, onChoose }: Props): ReactNode {
  const total = Math.max(1, tree.endMicros - tree.startMicros);
  const folded = useMemo(() => new Set(view.folded), [view.folded]);
  const rows = useMemo(() => visibleRows(tree, folded), [tree, folded]);
  // Links from logs lead to one span: bring it into view once.
  const [first] = useState(view.span);
  const reveal = first === "" ? -1 : rows.findIndex((node) => node.span.spanId === first);

  const fold = (node: Node, closed: boolean): void => {
    if (node.children.length === 0 || closed === folded.has(node.span.spanId)) return;
    onChange({ ...view, folded: closed ? [...view.folded, node.span.spanId] : view.folded.filter((id) => id !== node.span.spanId) });
  };
  const onKey = (event: KeyboardEvent, node: Node): void => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      fold(node, event.key === "ArrowLeft");
    }
  };
  return (
    <div className={styles.waterfallBody}>
      <div className={styles.ruler} aria-hidden="true">
        <span />
        <span className={styles.ticks}>
          {Array.from({ length: TICKS }, (_, tick) => <span key={tick} style={{ left: `${(tick / TICKS) * 100}%` }}>{formatMicros((total * tick) / TICKS)}</span>)}
        </span>
      </div>
      <VirtualList
        label="Spans"
        role="tree"
        className={styles.spans}
        count={rows.length}
        estimate={ROW_HEIGHT}
        keyOf={(index) => rows[index]?.span.spanId ?? index}
        reveal={reveal}
        render={(index) => {
          const node = rows[index];
          return node === undefined ? null : (
            <SpanRow
              node={node}
              start={tree.startMicros}
              total={total}
              folded={folded.has(node.span.spanId)}
              chosen={node.span.spanId === view.span}
              marked={view.find === "" ? null : marked.has(node.span.spanId)}
              onFold={() => fold(node, !folded.has(node.span.spanId))}
              onChoose={() => onChoose(node.span.spanId === view.span ? "" : node.span.spanId)}
              onKey={(event) => onKey(event, node)}
            />
          );
        }}
      />
    </div>
  );
}

/** Where the duration of a span stands: behind its bar, before it, or where both sides are full, on it. */
const PLACES: Record<"after" | "before" | "inside", (left: number, width: number) => CSSProperties> = {
  after: (left, width) => ({ left: `${left + width}%`, paddingLeft: 6 }),
  before: (left) => ({ right: `${100 - left}%`, paddingRight: 6 }),
  inside: (left, width) => ({ right: `${100 - left - width}%`, paddingRight: 6 }),
};

function SpanRow({ node, start, total, folded, chosen, marked, onFold, onChoose, onKey }: {
  node: Node;
  start: number;
  total: number;
  folded: boolean;
  chosen: boolean;
  /** Null when nothing is searched. */
  marked: boolean | null;
  onFold: () => void;
  onChoose: () => void;
  onKey: (event: KeyboardEvent) => void;
}): ReactNode {
  const { span, depth, children, descendants } = node;
  const color = useServiceColor(span.service);
  const left = ((span.startMicros - start) / total) * 100;
  const width = Math.max(0.15, (span.durationMicros / total) * 100);
  const place = left + width < 85 ? "after" : left > 15 ? "before" : "inside";
  const failed = span.failed || (folded && node.failedBelow);
  return (
    <div className={styles.span} data-chosen={chosen} data-faded={marked === false} data-testid="span-row">
      <div
        role="treeitem"
        aria-level={depth + 1}
        aria-expanded={children.length === 0 ? undefined : !folded}
        aria-selected={chosen}
        aria-label={`${span.service} ${span.operation}, ${formatMicros(span.durationMicros)}${span.failed ? ", failed" : ""}`}
        tabIndex={0}
        data-row=""
        className={styles.spanButton}
        onClick={onChoose}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            onChoose();
          } else onKey(event);
        }}
      >
        <span className={styles.spanName} style={{ paddingLeft: Math.min(depth, INDENT_MAX) * 13 + 4 }}>
          {children.length > 0 ? (
            <span className={styles.fold} aria-hidden="true" onClick={(event) => { event.stopPropagation(); onFold(); }}>
              <Icon name={folded ? "chevronRight" : "chevronDown"} size={11} />
            </span>
          ) : <span className={styles.fold} />}
          <span className={styles.tint} style={{ background: color }} />
          <span className={styles.spanService}>{span.service}</span>
          <span className={styles.spanOperation}>{span.operation}</span>
          {folded && <span className={styles.more}>+{descendants}</span>}
          {failed && <span className={styles.failed}><Icon name="warning" size={13} /></span>}
        </span>
        <span className={styles.track}>
          <span className={styles.spanBar} data-failed={span.failed} style={{ left: `${left}%`, width: `${width}%`, background: color }} />
          <span className={styles.spanTime} data-inside={place === "inside"} style={PLACES[place](left, width)}>{formatMicros(span.durationMicros)}</span>
        </span>
      </div>
    </div>
  );
}

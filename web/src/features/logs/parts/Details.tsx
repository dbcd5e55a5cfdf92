/** Everything that a record carries, and the ways from it to what belongs to it. */

import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import type { Attribute, SearchRecord } from "../../../api/logs.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatDate, formatNanos } from "../../../time/format.ts";
import { absolute, around } from "../../../time/range.ts";
import { Button, CopyButton, IconButton, buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { count } from "../../../ui/number.ts";
import { Failure } from "../../../ui/states.tsx";
import { fieldOf, type Entry } from "../model.ts";
import facets from "../facets.module.css";
import styles from "../logs.module.css";
import { useTopValues } from "../queries.ts";
import type { LogsView } from "../url.ts";
import { ContextRows } from "./ContextRows.tsx";
import { ValueBars } from "./ValueBars.tsx";

/** How much of the metrics to show on each side of a record. */
const MARGIN_MS = 15 * 60_000;

interface Props {
  entry: Entry;
  rows: readonly SearchRecord[];
  view: LogsView;
  onContext: (isShown: boolean) => void;
  onNarrow: (field: string, value: string, wanted: boolean) => void;
}

export function Details({ entry, rows, view, onContext, onNarrow }: Props): ReactNode {
  const { range } = useTime();
  const [counted, setCounted] = useState("");
  const near = absolute(around(entry.ms, entry.ms, MARGIN_MS));
  return (
    <div className={styles.details}>
      <div className={styles.actions}>
        {entry.trace !== "" && <Link href={paths.trace(entry.trace, entry.span === "" ? null : entry.span, range)} className={buttonClass("normal", true)}><Icon name="traces" size={13} />Trace</Link>}
        {entry.trace !== "" && <Link href={paths.traceLogs(entry.trace, null, range)} className={buttonClass("normal", true)}><Icon name="logs" size={13} />All logs of the trace</Link>}
        {entry.service !== "" && <Link href={paths.serviceMetrics(entry.service, near)} className={buttonClass("normal", true)}><Icon name="metrics" size={13} />Metrics of {entry.service}</Link>}
        <Button small icon="clock" aria-expanded={view.context} onClick={() => onContext(!view.context)}>Before and after</Button>
        <CopyButton value={entry.line} label="Copy the line" />
      </div>
      <pre className={styles.body}>{entry.line}</pre>
      {view.context && <ContextRows entry={entry} />}
      <table className={styles.attributes}>
        <tbody>
          <tr>
            <th scope="row">time</th>
            <td className={styles.type}>time</td>
            <td className={styles.attributeValue}>{formatDate(entry.ms)} {formatNanos(entry.nanos)}</td>
            <td className={styles.attributeActions}><CopyButton value={entry.nanos} label="Copy time" /></td>
          </tr>
          {entry.attributes.map((attribute) => {
            const field = fieldOf(attribute, entry.attributes);
            const isCounted = counted === field;
            return [
              <tr key={`${attribute.of} ${attribute.name}`}>
                <th scope="row" title={`${attribute.name}, of the ${attribute.of}`}>{attribute.name}</th>
                <td className={styles.type}>{attribute.type}</td>
                <td className={styles.attributeValue}>{attribute.value}</td>
                <td className={styles.attributeActions}>
                  <Actions field={field} attribute={attribute} isCounted={isCounted} onCount={() => setCounted(isCounted ? "" : field)} onNarrow={onNarrow} />
                </td>
              </tr>,
              isCounted && (
                <tr key={`${attribute.of} ${attribute.name} values`}>
                  <td colSpan={4}><Counts field={field} view={view} rows={rows} onNarrow={onNarrow} /></td>
                </tr>
              ),
            ];
          })}
        </tbody>
      </table>
    </div>
  );
}

function Actions({ field, attribute, isCounted, onCount, onNarrow }: { field: string; attribute: Attribute; isCounted: boolean; onCount: () => void; onNarrow: Props["onNarrow"] }): ReactNode {
  const { name, value, type } = attribute;
  return (
    <>
      {type !== "list" && type !== "map" && type !== "empty" && (
        <>
          <IconButton small icon="plus" label={`Only ${name} = ${value}`} onClick={() => onNarrow(field, value, true)} />
          <IconButton small icon="minus" label={`Without ${name} = ${value}`} onClick={() => onNarrow(field, value, false)} />
        </>
      )}
      <IconButton small icon="cardinality" label={`Count by ${name}`} pressed={isCounted} onClick={onCount} />
      <CopyButton value={value} label={`Copy ${name}`} />
    </>
  );
}

function Counts({ field, view, rows, onNarrow }: { field: string; view: LogsView; rows: readonly SearchRecord[]; onNarrow: Props["onNarrow"] }): ReactNode {
  const { data, error, loading, exact } = useTopValues(field, view, useTime(), rows, true);
  if (error !== null) return <Failure title="The values could not be counted" error={error} />;
  if (data === undefined) return <p className={facets.facetNote}>{loading ? "Counting…" : "Every record has a value of its own."}</p>;
  return (
    <div className={styles.counts}>
      <p className={facets.facetNote}>{count(data.distinct, "value")} in {count(data.count, "record")}{exact ? "" : " that are loaded"}</p>
      <ValueBars field={field} values={data.values} total={data.count} onNarrow={onNarrow} />
    </div>
  );
}

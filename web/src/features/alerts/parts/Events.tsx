/** Changes of an alert, newest first; each leads to how things were then. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { AlertEvent } from "../../../api/alerting.ts";
import type { Labels } from "../../../api/prometheus.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Badge, type Tone } from "../../../ui/layout.tsx";
import { formatExact } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import styles from "../alert.module.css";

const TONES: Record<string, Tone> = { firing: "bad", pending: "warn", resolved: "good", cleared: "good", error: "bad", recovered: "good", kept: "warn", silenced: "accent", inhibited: "accent", muted: "accent", untold: "accent" };

export function Events({ events, labels }: { events: readonly AlertEvent[]; labels: Labels }): ReactNode {
  const { range } = useTime();
  if (events.length === 0) return <Empty icon="clock" title="Nothing changed" />;
  return (
    <div className={styles.scroll}>
      <table className={styles.table} aria-label="Changes">
        <thead><tr><th>When</th><th>Change</th><th className={styles.number}>Value</th><th>Note</th></tr></thead>
        <tbody>
          {events.map((event, index) => (
            <tr key={`${event.atMs} ${event.change} ${index}`}>
              <td><Link href={paths.alert(labels, event.atMs, range)} title="Explain it at this time">{formatDateTime(event.atMs)}</Link></td>
              <td><Badge tone={TONES[event.change] ?? "plain"} dot>{event.change}</Badge></td>
              <td className={styles.number}>{Number.isNaN(event.value) ? "–" : formatExact(event.value)}</td>
              <td className={styles.note}><Note event={event} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What there is to say of a change beside its word. */
function Note({ event }: { event: AlertEvent }): ReactNode {
  const { range } = useTime();
  const words = [
    event.late ? "made up for after the server had been away" : "",
    event.receiver === "" ? "" : `for ${event.receiver}`,
    event.mutedBy.length === 0 ? "" : `by ${event.mutedBy.join(", ")}`,
    event.inhibitedBy.length === 0 ? "" : `by the alert ${event.inhibitedBy.join(", ")}`,
    event.error,
  ].filter((text) => text !== "");
  return (
    <>
      {words.join("; ")}
      {event.silencedBy.map((id) => <Link key={id} href={paths.silence(id, range)}> by a silence</Link>)}
    </>
  );
}

/** The alerts that matchers match now. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import { deskAlerts, type Matcher } from "../../../api/alertmanager.ts";
import { printMatchers } from "../../../api/matchers.ts";
import { useResource } from "../../../api/use_resource.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { LabelList } from "../../../ui/LabelList.tsx";
import { Badge } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Failure, Progress } from "../../../ui/states.tsx";
import { useSettled } from "../../../ui/use_settled.ts";
import { begun } from "../model.ts";
import styles from "../silences.module.css";

const TYPING_MS = 300;
/** More alerts than this are counted only. */
const SHOWN = 50;

export function Preview({ matchers }: { matchers: readonly Matcher[] }): ReactNode {
  const { range } = useTime();
  const complete = begun(matchers).filter((matcher) => matcher.name !== "");
  const wanted = useSettled(complete.length === 0 ? "" : printMatchers(complete), TYPING_MS);
  const { data, error, loading } = useResource(wanted === "" ? null : `preview ${wanted}`, (signal) => deskAlerts(complete, signal));
  return (
    <section className={styles.preview} aria-label="Alerts that match now">
      <Progress on={loading} label="Matching alerts" />
      <h3>{data === undefined ? "Alerts that match now" : data.length === 0 ? "No alert matches now" : `${count(data.length, "alert")} ${data.length === 1 ? "matches" : "match"} now`}</h3>
      {error !== null && !loading && <Failure title="The matchers cannot be read" error={error} />}
      {wanted === "" && <p className={styles.quiet}>They are listed here as soon as there is a matcher.</p>}
      {data?.length === 0 && <p className={styles.quiet}>It holds for those that come while it lasts.</p>}
      <ul>
        {data?.slice(0, SHOWN).map((alert) => (
          <li key={alert.fingerprint} className={styles.match} data-testid="preview-row">
            <Link href={paths.alert(alert.labels, null, range)} className={styles.matchName}>{alert.labels["alertname"] ?? "alert"}</Link>
            {alert.silencedBy.length > 0 && <Badge>silenced already</Badge>}
            <LabelList labels={alert.labels} without={["alertname"]} />
          </li>
        ))}
      </ul>
      {data !== undefined && data.length > SHOWN && <p className={styles.quiet}>and {data.length - SHOWN} more</p>}
    </section>
  );
}

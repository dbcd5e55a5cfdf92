/** The log of notifications: who was told what and when, and what the channels answered. */

import { useMemo, type ReactNode } from "react";
import { useTime, useUrlState } from "../../location.tsx";
import { Button, Field, Input, Select } from "../../ui/controls.tsx";
import { CountFilter } from "../../ui/CountFilter.tsx";
import { Panel, type Tone } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { logged, outcomeCounts, receiverNames } from "./log.ts";
import { NotificationList } from "./parts/NotificationList.tsx";
import { LOG_MAX, useNotifications } from "./queries.ts";
import styles from "./notifications.module.css";
import { LOG_URL, OUTCOMES, type Outcome } from "./url.ts";

const TONES: Record<Outcome, Tone> = { delivered: "good", pending: "warn", dead: "bad" };

export function NotificationsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(LOG_URL);
  const { data, error, loading, reload } = useNotifications(view, time);
  const found = useMemo(() => logged(data ?? [], view.find), [data, view.find]);
  const receivers = useMemo(() => receiverNames(data ?? [], view.receiver), [data, view.receiver]);
  const isNarrow = view.group !== "" || view.fingerprint !== "";
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <CountFilter
          label="Outcomes"
          states={OUTCOMES}
          chosen={view.outcome === "" ? [] : [view.outcome]}
          numbers={view.outcome === "" && data !== undefined ? outcomeCounts(data) : {}}
          tones={TONES}
          onChange={(chosen) => update({ ...view, outcome: chosen.find((outcome) => outcome !== view.outcome) ?? "" })}
        />
        <Field label="">
          <Select aria-label="Receiver" value={view.receiver} onChange={(event) => update({ ...view, receiver: event.target.value })}>
            <option value="">All receivers</option>
            {receivers.map((receiver) => <option key={receiver}>{receiver}</option>)}
          </Select>
        </Field>
        <Input data-search="" className={styles.find} aria-label="Find notifications" placeholder="Find by label, channel, reason, answer" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
        {isNarrow && <Button small icon="close" onClick={() => update({ ...view, group: "", fingerprint: "" })}>{view.fingerprint !== "" ? "Only one alert" : "Only one group"}</Button>}
      </div>
      {error !== null && !loading && <Failure title="The log could not be loaded" error={error} retry={reload} />}
      <Panel title="Notifications" note={data === undefined ? undefined : `${count(found.length, "notification")}${data.length >= LOG_MAX ? ", the newest of the range" : ""}`}>
        <Progress on={loading} label="Loading the log" />
        {data === undefined ? (loading && <Skeleton lines={10} />) : data.length === 0
          ? <Empty icon="send" title="Nobody was told anything in this range"><p>Take a longer range, or send a test to a receiver from the Routing page.</p></Empty>
          : found.length === 0 ? <Empty icon="send" title="No notification fits the filter" />
            : <NotificationList notifications={found} open={view.open} onToggle={(id) => replace({ ...view, open: view.open.includes(id) ? view.open.filter((each) => each !== id) : [...view.open, id] })} />}
      </Panel>
    </div>
  );
}

/** Receivers with their channels, and a test of each. */

import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import { testReceiver, type Receiver, type TestAnswer } from "../../../api/alerting.ts";
import { useAction } from "../../../api/use_action.ts";
import type { Resource } from "../../../api/use_resource.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros } from "../../../time/duration.ts";
import { Button } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import styles from "../routing.module.css";

export function Receivers({ resource, chosen }: { resource: Resource<Receiver[]>; chosen: readonly string[] }): ReactNode {
  const { data, error, loading, reload } = resource;
  return (
    <Panel title="Receivers" note={data === undefined ? undefined : count(data.length, "receiver")}>
      <Progress on={loading} label="Loading the receivers" />
      {error !== null && !loading && <Failure title="The receivers could not be loaded" error={error} retry={reload} />}
      {data === undefined ? (loading && <Skeleton lines={6} />) : data.length === 0
        ? <Empty icon="send" title="No receivers"><p>Name an alertmanager.yml in the configuration: nobody is told of alerts without one.</p></Empty>
        : <ul aria-label="Receivers">{data.map((receiver) => <ReceiverRow key={receiver.name} receiver={receiver} isChosen={chosen.includes(receiver.name)} />)}</ul>}
    </Panel>
  );
}

function ReceiverRow({ receiver, isChosen }: { receiver: Receiver; isChosen: boolean }): ReactNode {
  const { range } = useTime();
  const [answers, setAnswers] = useState<TestAnswer[] | null>(null);
  const test = useAction((name: string, signal) => testReceiver(name, signal), setAnswers);
  return (
    <li className={styles.receiver} data-chosen={isChosen} data-testid="receiver-row">
      <div className={styles.nodeHead}>
        <Link href={paths.notifications({ receiver: receiver.name }, range)} className={styles.receiverName} title="What it was told">{receiver.name}</Link>
        {receiver.channels.map((channel) => <Badge key={channel.name}>{channel.kind}</Badge>)}
        {receiver.channels.length === 0 && <span className={styles.quiet}>no channel</span>}
        <Button small icon="send" className={styles.test} title="Sends a real message through each of its channels" disabled={test.running || receiver.channels.length === 0} onClick={() => test.run(receiver.name)}>{test.running ? "Sending…" : "Send a test"}</Button>
      </div>
      {test.error !== null && <Failure title="The test could not be sent" error={test.error} />}
      {answers !== null && !test.running && test.error === null && (
        <ul className={styles.answers} aria-label={`Answers to the test of ${receiver.name}`}>
          {answers.map((answer) => (
            <li key={answer.channel} data-ok={answer.ok}>
              <Icon name={answer.ok ? "check" : "close"} size={13} />
              <span>{answer.channel}</span>
              <code>{answer.answer === "" ? (answer.ok ? "accepted" : "failed") : answer.answer}</code>
              {answer.retryAfterMs !== null && <span className={styles.quiet}>again after {formatMicros(answer.retryAfterMs * 1_000)}</span>}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** Relabelling rule by rule: what each did to the labels, and which one dropped the target. */

import type { ReactNode } from "react";
import type { Labels } from "../../../api/prometheus.ts";
import { relabelSteps, type RelabelStep } from "../../../api/targets.ts";
import { useResource } from "../../../api/use_resource.ts";
import { Badge } from "../../../ui/layout.tsx";
import { Failure, Skeleton } from "../../../ui/states.tsx";
import { changes, ruleText } from "../model.ts";
import styles from "../targets.module.css";

export function RelabelSteps({ pool, discovered }: { pool: string; discovered: Labels }): ReactNode {
  const { data, error, loading, reload } = useResource(`steps ${pool} ${JSON.stringify(discovered)}`, (signal) => relabelSteps(pool, discovered, signal));
  if (error !== null && !loading) return <Failure title="The rules could not be followed" error={error} retry={reload} />;
  if (data === undefined) return <Skeleton lines={3} />;
  return (
    <section aria-label="Rules" className={styles.side}>
      <h3>Rule by rule<i>{data.length === 0 ? "this pool relabels nothing" : "as the configuration in force has them"}</i></h3>
      <ol className={styles.rules}>
        {data.map((step, index) => <Step key={index} step={step} before={data[index - 1]?.labels ?? discovered} />)}
      </ol>
    </section>
  );
}

function Step({ step, before }: { step: RelabelStep; before: Labels }): ReactNode {
  const changed = step.kept ? changes(before, step.labels) : [];
  return (
    <li data-kept={step.kept}>
      <code>{ruleText(step.rule)}</code>
      {!step.kept && <Badge tone="warn" dot>dropped here</Badge>}
      {step.kept && changed.length === 0 && <span className={styles.quiet}>changes nothing</span>}
      {changed.map(({ name, before: old, after }) => (
        <span key={name} className={styles.change}>
          <i>{name}</i>
          {old !== null && <del>{old === "" ? "empty" : old}</del>}
          {after !== null && <ins>{after === "" ? "empty" : after}</ins>}
        </span>
      ))}
    </li>
  );
}

/** One silence: what it matches, how long it lasts, who made it and why; edit, repeat, end. */

import { useState, type ReactNode } from "react";
import { expireSilence, type Silence } from "../../../api/alertmanager.ts";
import { printMatcher } from "../../../api/matchers.ts";
import { useAction } from "../../../api/use_action.ts";
import { formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Button } from "../../../ui/controls.tsx";
import { ChipList } from "../../../ui/LabelList.tsx";
import { Badge, type Tone } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Failure } from "../../../ui/states.tsx";
import { isEndingSoon } from "../model.ts";
import styles from "../silences.module.css";
import type { SilencesView } from "../url.ts";

const TONES: Record<Silence["state"], Tone> = { active: "accent", pending: "warn", expired: "plain" };

export function SilenceRow({ silence, quiet, nowMs, view, onChange, onExpired }: {
  silence: Silence;
  /** How many alerts it keeps quiet now. */
  quiet: number;
  nowMs: number;
  view: SilencesView;
  onChange: (view: SilencesView) => void;
  onExpired: () => void;
}): ReactNode {
  const [asked, setAsked] = useState(false);
  const expire = useAction((id: string, signal) => expireSilence(id, signal), onExpired);
  const isOver = silence.state === "expired";
  return (
    <li className={styles.silence} data-testid="silence-row" data-state={silence.state}>
      <div className={styles.silenceHead}>
        <Badge tone={TONES[silence.state]} dot>{silence.state}</Badge>
        <span className={styles.sets}>
          {silence.matcherSets.map((set, index) => <span key={index}>{index > 0 && <i>or</i>}<ChipList texts={set.map(printMatcher)} /></span>)}
        </span>
        {isEndingSoon(silence, nowMs) && <Badge tone="warn">ends soon</Badge>}
        {quiet > 0 && <Badge>{count(quiet, "alert")} quiet</Badge>}
      </div>
      <div className={styles.silenceBody}>
        <p className={styles.comment}>{silence.comment}</p>
        <p className={styles.quiet}>by {silence.createdBy}, <span title={`${formatDateTime(silence.startsAtMs)} to ${formatDateTime(silence.endsAtMs)}`}>{lasting(silence, nowMs)}</span></p>
      </div>
      <div className={styles.silenceActions}>
        {!isOver && silence.matcherSets.length === 1 && <Button small onClick={() => onChange({ ...view, form: "edit", id: silence.id, labels: {} })}>Edit</Button>}
        {isOver && silence.matcherSets.length === 1 && <Button small onClick={() => onChange({ ...view, form: "new", id: silence.id, labels: {} })}>Silence again</Button>}
        {!isOver && !asked && <Button small onClick={() => setAsked(true)}>Expire</Button>}
        {!isOver && asked && (
          <>
            <Button small look="primary" autoFocus disabled={expire.running} onClick={() => expire.run(silence.id)}>Expire now</Button>
            <Button small look="quiet" onClick={() => { setAsked(false); expire.forget(); }}>Keep</Button>
          </>
        )}
      </div>
      {expire.error !== null && <Failure title="The silence could not be ended" error={expire.error} />}
    </li>
  );
}

function lasting(silence: Silence, nowMs: number): string {
  if (silence.state === "expired") return `ended ${formatSpan(nowMs - silence.endsAtMs)} ago`;
  if (silence.state === "pending") return `begins in ${formatSpan(silence.startsAtMs - nowMs)}, lasts ${formatSpan(silence.endsAtMs - silence.startsAtMs)}`;
  return `ends in ${formatSpan(silence.endsAtMs - nowMs)}, began ${formatSpan(nowMs - silence.startsAtMs)} ago`;
}

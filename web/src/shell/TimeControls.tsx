/** The range of time that all pages share: quick ones, exact ones, reload by hand or by the clock. */

import { useState, type ReactNode } from "react";
import { useTime, type Time } from "../location.tsx";
import { describeRange, formatDateTime } from "../time/format.ts";
import { QUICK_RANGES, parseInstant, resolveRange, scaled, shifted } from "../time/range.ts";
import { Button, Field, IconButton, Input, Select } from "../ui/controls.tsx";
import { Popover } from "../ui/Popover.tsx";
import styles from "./time_controls.module.css";

const PAUSES = ["", "5s", "10s", "30s", "1m", "5m"];

export function TimeControls(): ReactNode {
  const time = useTime();
  const pauses = PAUSES.includes(time.refresh) ? PAUSES : [...PAUSES, time.refresh];
  return (
    <div className={styles.controls} role="group" aria-label="Time">
      <IconButton className={styles.step} icon="chevronLeft" label="Half a range earlier" onClick={() => time.setWindow(shifted(time.window, -0.5))} />
      <Popover label="Time range" icon="clock" text={<span className={styles.range}>{describeRange(time.range, time.window)}</span>}>
        {(close) => <Picker time={time} close={close} />}
      </Popover>
      <IconButton className={styles.step} icon="chevronRight" label="Half a range later" onClick={() => time.setWindow(shifted(time.window, 0.5))} />
      <IconButton className={styles.step} icon="zoomOut" label="Twice the range" onClick={() => time.setWindow(scaled(time.window, 2))} />
      <IconButton icon="refresh" label="Reload" onClick={time.reload} />
      <Select aria-label="Reload automatically" value={time.refresh} onChange={(event) => time.setRefresh(event.target.value)}>
        {pauses.map((pause) => <option key={pause} value={pause}>{pause === "" ? "Off" : pause}</option>)}
      </Select>
    </div>
  );
}

function Picker({ time, close }: { time: Time; close: () => void }): ReactNode {
  const [from, setFrom] = useState(() => written(time.range.from));
  const [to, setTo] = useState(() => written(time.range.to));
  const now = time.window.endMs;
  const [fromAt, toAt] = [parseInstant(from, now), parseInstant(to, now)];
  const valid = fromAt !== null && toAt !== null && fromAt < toAt;
  const apply = (): void => {
    if (!valid) return;
    time.setRange({ from: stored(from), to: stored(to) });
    close();
  };
  return (
    <div className={styles.picker}>
      <ul className={styles.quick} aria-label="Quick ranges">
        {QUICK_RANGES.map((quick) => (
          <li key={quick.from}>
            <button
              type="button"
              className={styles.quickItem}
              aria-pressed={time.range.from === quick.from && time.range.to === "now"}
              onClick={() => {
                time.setRange({ from: quick.from, to: "now" });
                close();
              }}
            >
              Last {quick.label}
            </button>
          </li>
        ))}
      </ul>
      <form className={styles.exact} onSubmit={(event) => { event.preventDefault(); apply(); }}>
        <Field label="From"><Input value={from} invalid={fromAt === null} onChange={(event) => setFrom(event.target.value)} autoFocus /></Field>
        <Field label="To"><Input value={to} invalid={toAt === null} onChange={(event) => setTo(event.target.value)} /></Field>
        <p className={styles.hint}>{hint(fromAt, toAt)}</p>
        <Button look="primary" type="submit" disabled={!valid}>Apply</Button>
      </form>
    </div>
  );
}

/** What the fields show: relative as it is, absolute as a date. */
function written(text: string): string {
  return /^\d+$/.test(text) ? formatDateTime(Number(text)) : text;
}

/** What the URL keeps: relative as it is, absolute as milliseconds. */
function stored(text: string): string {
  const trimmed = text.trim();
  return trimmed.startsWith("now") ? trimmed : String(resolveRange({ from: trimmed, to: "now" }, Date.now()).startMs);
}

function hint(fromAt: number | null, toAt: number | null): string {
  if (fromAt === null || toAt === null) return "Write 2026-11-24 14:00:00, or now-90m.";
  if (fromAt >= toAt) return "The end must be after the start.";
  return `${formatDateTime(fromAt)} to ${formatDateTime(toAt)}`;
}

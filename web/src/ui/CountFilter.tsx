/** States with how many there are of each; pressing one shows only it, pressing more adds them. */

import type { ReactNode } from "react";
import type { Tone } from "./layout.tsx";
import styles from "./count_filter.module.css";

export function CountFilter<State extends string>({ label, states, chosen, numbers, tones, onChange }: {
  /** The accessible name. */
  label: string;
  states: readonly State[];
  /** Those that are shown; none means all. */
  chosen: readonly State[];
  /** A state without a number is shown without one. */
  numbers: Partial<Record<State, number>>;
  tones: Record<State, Tone>;
  onChange: (chosen: State[]) => void;
}): ReactNode {
  return (
    <div role="group" aria-label={label} className={styles.states}>
      {states.map((state) => (
        <button key={state} type="button" aria-pressed={chosen.includes(state)} className={styles.state} data-tone={tones[state]} data-none={numbers[state] === 0} onClick={() => onChange(states.filter((each) => (each === state) !== chosen.includes(each)))}>
          {numbers[state] !== undefined && <b>{numbers[state]}</b>}
          {state}
        </button>
      ))}
    </div>
  );
}

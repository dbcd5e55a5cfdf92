/** What a panel shows when it has no rows to show: loading, empty, failed. */

import type { ReactNode } from "react";
import { Button } from "./controls.tsx";
import { Icon, type IconName } from "./Icon.tsx";
import styles from "./states.module.css";

export function Empty({ icon = "search", title, children }: { icon?: IconName; title: string; children?: ReactNode }): ReactNode {
  return (
    <div className={styles.state} role="status">
      <span className={styles.mark}><Icon name={icon} size={22} /></span>
      <h2>{title}</h2>
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** A failure, with what the server said. `retry` is left out where trying again cannot help. */
export function Failure({ title, error, retry }: { title: string; error: Error; retry?: () => void }): ReactNode {
  return (
    <div className={styles.error} role="alert">
      <span className={styles.errorIcon}><Icon name="warning" /></span>
      <div className={styles.errorBody}>
        <div className={styles.errorTitle}>{title}</div>
        <div className={styles.message}>{error.message}</div>
      </div>
      {retry !== undefined && <Button small onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Notice({ children }: { children: ReactNode }): ReactNode {
  return <div className={styles.notice} role="note">{children}</div>;
}

/** A thin bar at the top of a panel that moves while something is loading. */
export function Progress({ on, label }: { on: boolean; label: string }): ReactNode {
  return <div className={styles.bar} data-on={on} role="progressbar" aria-label={label} aria-busy={on} aria-hidden={!on} />;
}

/** Grey lines in place of rows that are on their way. */
export function Skeleton({ lines }: { lines: number }): ReactNode {
  return (
    <div className={styles.skeletons} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => <div key={index} className={styles.skeleton} style={{ width: `${92 - ((index * 23) % 46)}%` }} />)}
    </div>
  );
}

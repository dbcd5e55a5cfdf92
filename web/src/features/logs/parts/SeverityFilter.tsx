/** Which severities are shown. */

import type { ReactNode } from "react";
import { classes } from "../../../ui/controls.tsx";
import styles from "../logs.module.css";
import { SEVERITIES, type Severity } from "../severity.ts";
import type { LogsView } from "../url.ts";

export function SeverityFilter({ view, onChange }: { view: LogsView; onChange: (view: LogsView) => void }): ReactNode {
  const toggle = (severity: Severity): void => {
    const severities = SEVERITIES.filter((each) => (each === severity) !== view.severities.includes(each));
    onChange({ ...view, severities, row: "", context: false });
  };
  return (
    <div role="group" aria-label="Severities" className={styles.severities}>
      {SEVERITIES.map((severity) => (
        <button key={severity} type="button" aria-pressed={view.severities.includes(severity)} className={classes(styles.severity, view.severities.length > 0 && !view.severities.includes(severity) && styles.off)} onClick={() => toggle(severity)}>
          <span className={styles.severityDot} style={{ background: `var(--severity-${severity})` }} />
          {severity}
        </button>
      ))}
    </div>
  );
}

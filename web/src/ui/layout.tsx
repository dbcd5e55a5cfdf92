/** Panels, badges and lists of pairs. */

import type { ReactNode } from "react";
import { classes } from "./controls.tsx";
import styles from "./layout.module.css";

/** A titled region of a page. */
export function Panel({ title, note, actions, children, className, label }: {
  title?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string | undefined;
  /** The accessible name when the title is no plain text. */
  label?: string;
}): ReactNode {
  const name = label ?? (typeof title === "string" ? title : undefined);
  return (
    <section className={classes(styles.panel, className)} aria-label={name}>
      {(title !== undefined || actions !== undefined) && (
        <div className={styles.head}>
          <div className={styles.title}>
            {title !== undefined && <h2>{title}</h2>}
            {note !== undefined && <span className={styles.note}>{note}</span>}
          </div>
          {actions}
        </div>
      )}
      <div className={styles.body}>{children}</div>
    </section>
  );
}

export type Tone = "plain" | "good" | "warn" | "bad" | "accent";

export function Badge({ tone = "plain", dot = false, children }: { tone?: Tone; dot?: boolean; children: ReactNode }): ReactNode {
  return (
    <span className={classes(styles.badge, tone !== "plain" && styles[tone])}>
      {dot && <span className={styles.dot} />}
      {children}
    </span>
  );
}

/** Names and values, one pair a line. */
export function Pairs({ pairs, action }: { pairs: readonly (readonly [string, string])[]; action?: ((name: string, value: string) => ReactNode) | undefined }): ReactNode {
  return (
    <dl className={styles.pairs}>
      {pairs.map(([name, value], index) => (
        <div key={`${name} ${index}`} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>
            <span className={styles.value}>{value}</span>
            {action !== undefined && <span className={styles.pairAction}>{action(name, value)}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

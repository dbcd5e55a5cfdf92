/** The colour of a service as a dot. */

import type { ReactNode } from "react";
import { nameColor } from "../../../charts/color.ts";
import styles from "../traces.module.css";

export function ServiceDot({ service }: { service: string }): ReactNode {
  return <span className={styles.dot} style={{ background: nameColor(service) }} aria-hidden="true" />;
}

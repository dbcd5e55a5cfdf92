/** The colour of a service as a dot. A page gives its services distinct colours once, for all dots and bars below it. */

import { createContext, useContext, type ReactNode } from "react";
import { nameColor } from "../../../charts/color.ts";
import styles from "../traces.module.css";

export const ServiceColors = createContext<ReadonlyMap<string, string>>(new Map());

/** The colour of a service on this page. */
export function useServiceColor(service: string): string {
  return useContext(ServiceColors).get(service) ?? nameColor(service);
}

export function ServiceDot({ service }: { service: string }): ReactNode {
  const color = useServiceColor(service);
  return <span className={styles.dot} style={{ background: color }} aria-hidden="true" />;
}

/** Metrics: an expression with its chart, or the list of what there is. */

import type { ReactNode } from "react";
import { useTime, useUrlState } from "../../location.tsx";
import { Browser } from "./parts/Browser.tsx";
import { InstantResult } from "./parts/InstantResult.tsx";
import { QueryBar } from "./parts/QueryBar.tsx";
import { RangeResult } from "./parts/RangeResult.tsx";
import styles from "./metrics.module.css";
import { METRICS_URL } from "./url.ts";

export function MetricsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(METRICS_URL);
  return (
    <div className={styles.page}>
      <QueryBar view={view} time={time} onChange={update} />
      {view.query === "" ? <Browser view={view} time={time} onChange={update} onType={replace} />
        : view.mode === "instant" ? <InstantResult view={view} time={time} />
          : <RangeResult view={view} time={time} onChange={replace} />}
    </div>
  );
}

/** What to do when nothing is scraped. */

import type { ReactNode } from "react";
import { CopyButton } from "../../../ui/controls.tsx";
import { Empty } from "../../../ui/states.tsx";
import styles from "../targets.module.css";

const CONFIGURATION = "scrape:\n  config_file: prometheus.yml";

export function Start(): ReactNode {
  return (
    <Empty icon="targets" title="Nothing is scraped">
      <p>Name a <code>prometheus.yml</code> in the configuration of Signalbox. Its <code>scrape_configs</code> are taken as they are.</p>
      <div className={styles.configuration}>
        <pre>{CONFIGURATION}</pre>
        <CopyButton value={CONFIGURATION} label="Copy" />
      </div>
    </Empty>
  );
}

/** Groups by file and by namespace. */

import type { ReactNode } from "react";
import type { RuleGroup } from "../../../api/prometheus.ts";
import type { Resource } from "../../../api/use_resource.ts";
import { Button } from "../../../ui/controls.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { Progress, Skeleton } from "../../../ui/states.tsx";
import styles from "../rule_editor.module.css";
import type { EditorView } from "../url.ts";

export function GroupList({ groups, view, onChange }: { groups: Resource<RuleGroup[]>; view: EditorView; onChange: (view: EditorView) => void }): ReactNode {
  const { data, loading } = groups;
  const files = [...new Set((data ?? []).map((group) => group.file))];
  return (
    <Panel title="Groups" className={styles.groups} actions={<Button small icon="plus" onClick={() => onChange({ file: "", group: "", backtest: false })}>New</Button>}>
      <Progress on={loading} label="Loading the groups" />
      {data === undefined ? (loading && <Skeleton lines={6} />) : files.length === 0 ? <p className={styles.quiet}>No rules yet.</p> : (
        <ul aria-label="Groups" className={styles.files}>
          {files.map((file) => {
            const own = (data ?? []).filter((group) => group.file === file);
            return (
              <li key={file}>
                <div className={styles.file}><span title={file}>{file}</span>{own.every((group) => !group.isStored) && <Badge>read only</Badge>}</div>
                <ul>
                  {own.map((group) => (
                    <li key={group.name}>
                      <button type="button" className={styles.group} aria-current={view.file === file && view.group === group.name ? "true" : undefined} onClick={() => onChange({ file, group: group.name, backtest: false })}>
                        {group.name}<i>{group.rules.length}</i>
                      </button>
                    </li>
                  ))}
                </ul>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

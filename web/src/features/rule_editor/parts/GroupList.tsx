/** Groups by file and by namespace. */

import type { ReactNode } from "react";
import type { RuleGroup } from "../../../api/prometheus.ts";
import type { Resource } from "../../../api/use_resource.ts";
import { Button } from "../../../ui/controls.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { Progress, Skeleton } from "../../../ui/states.tsx";
import { sourcesOf } from "../model.ts";
import styles from "../rule_editor.module.css";
import type { EditorView } from "../url.ts";

interface Props {
  groups: Resource<{ all: RuleGroup[]; sources: { name: string; isStored: boolean }[] }>;
  view: EditorView;
  onChange: (view: EditorView) => void;
}

export function GroupList({ groups, view, onChange }: Props): ReactNode {
  const { data, loading } = groups;
  const sources = data === undefined ? [] : sourcesOf(data.all, data.sources);
  return (
    <Panel title="Groups" className={styles.groups} actions={<Button small icon="plus" onClick={() => onChange({ file: "", group: "", backtest: false })}>New</Button>}>
      <Progress on={loading} label="Loading the groups" />
      {data === undefined ? (loading && <Skeleton lines={6} />) : sources.length === 0 ? <p className={styles.quiet}>No rules yet.</p> : (
        <ul aria-label="Groups" className={styles.files}>
          {sources.map((source) => (
            <li key={source.name}>
              <div className={styles.file}><span title={source.name}>{source.name}</span>{!source.isStored && <Badge>read only</Badge>}</div>
              <ul>
                {source.groups.map((group) => (
                  <li key={group.name}>
                    <button type="button" className={styles.group} aria-current={view.file === source.name && view.group === group.name ? "true" : undefined} onClick={() => onChange({ file: source.name, group: group.name, backtest: false })}>
                      {group.name}<i>{group.rules.length}</i>
                    </button>
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

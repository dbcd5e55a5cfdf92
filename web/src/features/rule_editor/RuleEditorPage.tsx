/** The rule editor: groups at the side, one of them as YAML, checked while it is written, tried on what is stored. */

import type { ReactNode } from "react";
import { rules } from "../../api/prometheus.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { Empty, Failure, Skeleton } from "../../ui/states.tsx";
import { Panel } from "../../ui/layout.tsx";
import { storedGroup } from "../../api/ruler.ts";
import { TEMPLATE, printGroup } from "./model.ts";
import { GroupList } from "./parts/GroupList.tsx";
import { Workbench } from "./parts/Workbench.tsx";
import styles from "./rule_editor.module.css";
import { EDITOR_URL } from "./url.ts";

export function RuleEditorPage(): ReactNode {
  const time = useTime();
  const { state: view, update } = useUrlState(EDITOR_URL);
  const groups = useResource(`groups ${time.version}`, rules);
  const chosen = groups.data?.find((group) => group.file === view.file && group.name === view.group);
  const isNew = view.group === "";
  const stored = useResource(chosen?.isStored === true ? `group ${view.file} ${view.group} ${time.version}` : null, (signal) => storedGroup(view.file, view.group, signal));
  const text = isNew ? TEMPLATE : chosen === undefined ? undefined : chosen.isStored ? stored.data : printGroup(chosen);
  const failure = stored.error ?? groups.error;
  return (
    <div className={styles.page}>
      <GroupList groups={groups} view={view} onChange={update} />
      <div className={styles.bench}>
        {failure !== null && !groups.loading && !stored.loading && <Failure title="The group could not be loaded" error={failure} retry={() => { groups.reload(); stored.reload(); }} />}
        {text !== undefined
          ? <Workbench key={`${view.file} ${view.group} ${isNew ? "" : text}`} view={view} text={text} isReadOnly={!isNew && chosen?.isStored !== true} time={time} onChange={update} onStored={groups.reload} />
          : groups.loading || stored.loading ? <Panel title={view.group}><Skeleton lines={10} /></Panel>
            : failure === null && <Panel title={view.group}><Empty icon="alerts" title="There is no such group" /></Panel>}
      </div>
    </div>
  );
}

/** The rule editor: groups at the side, one of them as YAML, checked while it is written, tried on what is stored. */

import { useEffect, useState, type ReactNode } from "react";
import { rules } from "../../api/prometheus.ts";
import { groupText, ruleSources } from "../../api/ruler.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { Panel } from "../../ui/layout.tsx";
import { Empty, Failure, Skeleton } from "../../ui/states.tsx";
import { TEMPLATE } from "./model.ts";
import { GroupList } from "./parts/GroupList.tsx";
import { Workbench } from "./parts/Workbench.tsx";
import styles from "./rule_editor.module.css";
import { EDITOR_URL } from "./url.ts";

/** What was changed is in force soon after it is kept: the list is asked again after these pauses. */
const IN_FORCE_MS = [0, 1_000, 3_000, 8_000];

export function RuleEditorPage(): ReactNode {
  const time = useTime();
  const { state: view, update } = useUrlState(EDITOR_URL);
  const [changes, setChanges] = useState(0);
  const groups = useResource(`groups ${time.version}`, async (signal) => {
    const [all, sources] = await Promise.all([rules(signal), ruleSources(signal)]);
    return { all, sources };
  });
  const isNew = view.group === "";
  // Rules about the server itself come from no file, and no API gives their text.
  const isBuiltIn = groups.data !== undefined && groups.data.all.some((group) => group.file === view.file && group.name === view.group) && !groups.data.sources.some((source) => source.name === view.file);
  const loaded = useResource(isNew || groups.data === undefined || isBuiltIn ? null : `group ${view.file} ${view.group} ${time.version} ${changes}`, (signal) => groupText(view.file, view.group, signal));
  const { reload } = groups;
  useEffect(() => {
    if (changes === 0) return;
    const timers = IN_FORCE_MS.map((pause) => setTimeout(reload, pause));
    return () => timers.forEach(clearTimeout);
  }, [changes, reload]);
  const isLoaded = loaded.data !== undefined && loaded.loadedKey?.startsWith(`group ${view.file} ${view.group} `) === true;
  const text = isNew ? TEMPLATE : isLoaded ? loaded.data : undefined;
  const isStored = groups.data?.sources.some((source) => source.name === view.file && source.isStored) === true;
  return (
    <div className={styles.page}>
      <GroupList groups={groups} view={view} onChange={update} />
      <div className={styles.bench}>
        {groups.error !== null && !groups.loading && <Failure title="The groups could not be loaded" error={groups.error} retry={groups.reload} />}
        {loaded.error !== null && !loaded.loading && <Failure title="The group could not be loaded" error={loaded.error} retry={loaded.reload} />}
        {isBuiltIn ? <Panel title={view.group}><Empty icon="alerts" title="This group is built in"><p>It watches the server itself. Each of its rules can be turned off in the configuration.</p></Empty></Panel> : text === undefined || (!isNew && groups.data === undefined)
          ? (loaded.loading || groups.loading) && <Panel title={view.group}><Skeleton lines={10} /></Panel>
          : <Workbench key={`${view.file} ${view.group} ${text}`} view={view} text={text} isReadOnly={!isNew && !isStored} time={time} onChange={update} onStored={() => setChanges(changes + 1)} />}
      </div>
    </div>
  );
}

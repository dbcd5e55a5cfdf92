/** Services: how they do and who calls whom; of one, its rate, errors, durations and operations. */

import { useMemo, type ReactNode } from "react";
import { useTime, useUrlState } from "../../location.tsx";
import { Input } from "../../ui/controls.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../ui/states.tsx";
import { MAP_MAX, drawn, listed } from "./model.ts";
import { Map } from "./parts/Map.tsx";
import { One } from "./parts/One.tsx";
import { ServiceTable } from "./parts/ServiceTable.tsx";
import { useMap } from "./queries.ts";
import styles from "./services.module.css";
import { SERVICES_URL } from "./url.ts";

export function ServicesPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(SERVICES_URL);
  const { data, error, loading, reload } = useMap(view.service, time);
  const shown = useMemo(() => (data === undefined ? null : drawn(data)), [data]);
  const rows = useMemo(() => (data === undefined ? [] : listed(data, view)), [data, view]);
  const isEmpty = data !== undefined && data.nodes.length === 0 && !loading;
  const map = (
    <Panel title={view.service === "" ? "Who calls whom" : "Callers and called"} note={data === undefined ? undefined : `${count(data.nodes.length, "service")}, ${count(data.edges.length, "connection")}`}>
      <Progress on={loading} label="Loading the map" />
      {data !== undefined && data.nodes.length > MAP_MAX && <Notice>The map shows the {MAP_MAX} busiest of {data.nodes.length}.</Notice>}
      {shown === null ? (loading && <Skeleton lines={6} />) : isEmpty
        ? <Empty icon="service" title="No services in this range"><p>They are known by their traces: send spans by OTLP, Jaeger or Zipkin, and the map draws itself.</p></Empty>
        : <Map map={shown} chosen={view.service} onChoose={(service) => update({ ...view, service, find: "" })} />}
    </Panel>
  );
  return (
    <div className={styles.page}>
      {error !== null && !loading && <Failure title="The services could not be loaded" error={error} retry={reload} />}
      {view.service === "" ? (
        <>
          <div className={styles.filters}>
            <Input data-search="" className={styles.find} aria-label="Find services" placeholder="Find services" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
          </div>
          {map}
          {!isEmpty && (
            <Panel title="Services" note={data === undefined ? undefined : count(rows.length, "service")}>
              {data === undefined ? (loading && <Skeleton lines={6} />) : rows.length === 0 ? <Empty icon="service" title="No service fits the filter" /> : <ServiceTable rows={rows} view={view} time={time} onChange={update} />}
            </Panel>
          )}
        </>
      ) : <One key={view.service} view={view} node={data?.nodes.find((node) => node.name === view.service)} edges={data?.edges ?? []} time={time} onChange={update} onFind={replace}>{map}</One>}
    </div>
  );
}

/** What metrics there are: a list to pick from, and for one service the charts that matter first. */

import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { niceStep, rateWindow } from "../../../time/step.ts";
import { Field, Input, Select, buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { VirtualList } from "../../../ui/VirtualList.tsx";
import { suggestedQuery, type Family } from "../model.ts";
import { useCatalog, useServices, type Catalog } from "../queries.ts";
import styles from "../metrics.module.css";
import type { MetricsView } from "../url.ts";
import { CHART_POINTS } from "./QueryBar.tsx";
import { ServiceCharts } from "./ServiceCharts.tsx";

const ROW_HEIGHT = 30;

export function Browser({ view, time, onChange, onType }: { view: MetricsView; time: Time; onChange: (view: MetricsView) => void; onType: (view: MetricsView) => void }): ReactNode {
  const catalog = useCatalog(view.service, time, true);
  const services = useServices(time);
  const choices = view.service !== "" && !services.includes(view.service) ? [view.service, ...services] : services;
  const found = useMemo(() => {
    const words = view.find.toLowerCase().split(/\s+/);
    return (catalog.data?.families ?? []).filter((family) => words.every((word) => family.name.toLowerCase().includes(word)));
  }, [catalog.data, view.find]);
  return (
    <>
      <div className={styles.filters}>
        <Field label="Service">
          <Select value={view.service} onChange={(event) => onChange({ ...view, service: event.target.value })}>
            <option value="">All services</option>
            {choices.map((service) => <option key={service} value={service}>{service}</option>)}
          </Select>
        </Field>
        <Field label="Name contains" className={styles.find}>
          <Input value={view.find} placeholder="duration" onChange={(event) => onType({ ...view, find: event.target.value })} />
        </Field>
      </div>
      {catalog.error !== null && <Failure title="The metrics could not be listed" error={catalog.error} retry={catalog.reload} />}
      {view.service !== "" && view.find === "" && catalog.data !== undefined && !catalog.loading && <ServiceCharts service={view.service} catalog={catalog.data} time={time} />}
      <Panel
        title="Metrics"
        note={catalog.data === undefined ? undefined : count(found.length, "metric")}
        actions={<Link href={paths.cardinality(time.range)} className={buttonClass("quiet", true)} title="What they cost, and who asks for them"><Icon name="cardinality" size={13} />Cardinality</Link>}
        className={styles.fill}
      >
        <Progress on={catalog.loading} label="Loading the metrics" />
        {catalog.data === undefined ? (catalog.loading && <Skeleton lines={12} />) : found.length === 0
          ? <NoMetrics view={view} />
          : <List found={found} catalog={catalog.data} time={time} />}
      </Panel>
    </>
  );
}

function List({ found, catalog, time }: { found: readonly Family[]; catalog: Catalog; time: Time }): ReactNode {
  const window = rateWindow(niceStep(time.window, CHART_POINTS));
  return (
    <VirtualList
      label="Metrics"
      count={found.length}
      estimate={ROW_HEIGHT}
      keyOf={(index) => found[index]?.name ?? index}
      render={(index) => {
        const family = found[index];
        return family === undefined ? null : (
          <Link href={paths.metrics(suggestedQuery(family, catalog.matcher, window), time.range)} className={styles.family} data-row="">
            <code>{family.name}</code>
            <span className={styles.kind}><Badge>{family.kind.replace("-", " ")}</Badge></span>
            <span className={styles.help}>{family.help}</span>
          </Link>
        );
      }}
    />
  );
}

function NoMetrics({ view }: { view: MetricsView }): ReactNode {
  if (view.find !== "") return <Empty icon="metrics" title="No metric has such a name" />;
  if (view.service !== "") return <Empty icon="metrics" title={`No metrics of ${view.service} in this range`}><p>Metrics belong to a service by their label job or service_name.</p></Empty>;
  return <Empty icon="metrics" title="No metrics in this range"><p>Send metrics by OTLP or by Prometheus remote write, or choose a longer range.</p></Empty>;
}

/** How to send the first data, shown while there is none. */

import type { ReactNode } from "react";
import { CopyButton } from "../../../ui/controls.tsx";
import { Empty } from "../../../ui/states.tsx";
import styles from "../home.module.css";

const WAYS: readonly { title: string; text: string }[] = [
  { title: "See it with the data of a small shop", text: "signalbox demo" },
  { title: "An application with an OpenTelemetry SDK", text: "export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318\nexport OTEL_SERVICE_NAME=my-service" },
  { title: "An OpenTelemetry collector", text: "exporters:\n  otlp:\n    endpoint: localhost:4317\n    tls: { insecure: true }" },
  { title: "Telegraf", text: "[[outputs.influxdb]]\n  urls = [\"http://localhost:4400\"]" },
  { title: "Prometheus", text: "remote_write:\n  - url: http://localhost:4400/api/v1/write" },
];

export function Start(): ReactNode {
  return (
    <Empty icon="service" title="No service has sent anything in this range">
      <div className={styles.ways}>
        {WAYS.map((way) => (
          <section key={way.title} className={styles.way} aria-label={way.title}>
            <h3>{way.title}<CopyButton value={way.text} label="Copy" /></h3>
            <pre>{way.text}</pre>
          </section>
        ))}
      </div>
    </Empty>
  );
}

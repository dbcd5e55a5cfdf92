// Targets of the mock shop in the shape of Prometheus' /api/v1/targets: all states, errors, relabelling, dropped ones.
import { SERVICES, chance } from "./world.mjs";

const iso = (ms) => new Date(ms).toISOString();
const NEVER = "0001-01-01T00:00:00Z";

function target(now, job, address, labels, discovered, more = {}) {
  const scraped = now - 1_000 - Math.floor(chance("scraped", address) * 13_000);
  const url = `http://${address}${discovered.__metrics_path__ ?? "/metrics"}`;
  return {
    discoveredLabels: { __address__: address, __metrics_path__: "/metrics", __scheme__: "http", __scrape_interval__: "15s", __scrape_timeout__: "10s", job, ...discovered },
    labels: { instance: address, job, ...labels },
    scrapePool: job, scrapeUrl: url, globalUrl: url, lastError: "", lastScrape: iso(scraped), lastScrapeDuration: 0.004 + chance("took", address) * 0.03,
    health: "up", scrapeInterval: "15s", scrapeTimeout: "10s", ...more,
  };
}

function pod(service, index) {
  const name = `${service}-${["7d9f6", "x2k4q", "m8s1v"][index]}`;
  return {
    name, address: `10.42.${SERVICES.indexOf(service)}.${10 + index}:8080`,
    discovered: {
      __meta_kubernetes_namespace: "shop", __meta_kubernetes_pod_name: name, __meta_kubernetes_pod_label_app: service, __meta_kubernetes_pod_node_name: `node-${index + 1}`,
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true", __meta_kubernetes_pod_phase: "Running", __meta_kubernetes_pod_ready: "true",
    },
  };
}

export function targets(now) {
  const nodes = [1, 2, 3].map((number) => target(now, "node", `node-${number}.shop.example:9100`, { rack: `r${number}` }, { __meta_filepath: "/etc/signalbox/nodes.yaml", rack: `r${number}` }, number === 3
    ? { health: "down", lastError: "cannot scrape http://node-3.shop.example:9100/metrics: connect: connection refused", lastScrapeDuration: 0.0009 } : {}));
  const pods = SERVICES.flatMap((service) => [0, 1].map((index) => {
    const { name, address, discovered } = pod(service, index);
    const more = service === "catalog" && index === 1 ? { lastScrapeDuration: 9.31 }
      : service === "payment" && index === 1 ? { health: "down", lastError: "cannot scrape: server answered with status 500 Internal Server Error: want 200" }
        : service === "cart" && index === 1 ? { health: "unknown", lastScrape: NEVER, lastScrapeDuration: 0 } : {};
    return target(now, "kubernetes-pods", address, { namespace: "shop", pod: name, app: service, node: `node-${index + 1}` }, discovered, more);
  }));
  const dropped = SERVICES.slice(0, 3).map((service) => {
    const { address, discovered } = pod(service, 2);
    return { discoveredLabels: { __address__: address, job: "kubernetes-pods", ...discovered, __meta_kubernetes_pod_annotation_prometheus_io_scrape: "false" }, scrapePool: "kubernetes-pods" };
  });
  return {
    activeTargets: [target(now, "signalbox", "127.0.0.1:4400", {}, {}), ...nodes, ...pods],
    droppedTargets: dropped,
    droppedTargetCounts: { signalbox: 0, node: 0, "kubernetes-pods": 57 },
  };
}

/** What the rules of a pool make of labels. */
export function relabelSteps(pool, labels) {
  if (pool !== "kubernetes-pods") return { steps: [] };
  const rule = (more) => ({ separator: ";", regex: "(.*)", replacement: "$1", action: "replace", ...more });
  const isWanted = labels.__meta_kubernetes_pod_annotation_prometheus_io_scrape === "true";
  const steps = [{ rule: rule({ source_labels: ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"], regex: "true", action: "keep" }), output: isWanted ? labels : {}, keep: isWanted }];
  if (!isWanted) return { steps };
  let current = labels;
  for (const [source, target] of [["__meta_kubernetes_namespace", "namespace"], ["__meta_kubernetes_pod_name", "pod"], ["__meta_kubernetes_pod_label_app", "app"], ["__meta_kubernetes_pod_label_version", "version"]]) {
    if (labels[source] !== undefined) current = { ...current, [target]: labels[source] };
    steps.push({ rule: rule({ source_labels: [source], target_label: target }), output: current, keep: true });
  }
  return { steps };
}

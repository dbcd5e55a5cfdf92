// Takes a picture of each page before BASE_URL, light and dark: for people who look at them.
// usage: BASE_URL=http://127.0.0.1:4400 node e2e/shots.mjs FOLDER [PAGES [WIDTH]]; PAGES is a part of their names
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { open, start } from "./browser.mjs";

const [folder, only, width] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const session = await start();
const service = "checkout";
const query = (text) => encodeURIComponent(text);
const pages = {
  home: ["/", "[data-testid=service-row]"],
  metrics: ["/ui/metrics", "[aria-label=Metrics] a"],
  "metrics-service": [`/ui/metrics?service=${service}`, "[data-chart=time-series] canvas"],
  "metrics-query": [`/ui/metrics?q=${query("histogram_quantile(0.95, sum by (job, le) (rate(http_server_request_duration_seconds_bucket[5m])))")}`, "[data-chart=time-series] canvas"],
  logs: ["/ui/logs", "[data-testid=log-row]"],
  "logs-errors": ["/ui/logs?severity=error&service=payment", "[data-testid=log-row]"],
  traces: [`/ui/traces?service=${service}`, "[data-testid=trace-row]"],
  alerts: ["/ui/alerts", "[data-testid=rule-row], h2"],
  "alerts-open": ["/ui/alerts?open=shop%2FPaymentFailures%2F0|signals%2FErrorsInLogs%2F0", "[data-chart=timeline], h2"],
  toasts: ["/", "[data-testid=toast]", { toasts: true }],
  alert: [`/ui/alerts/explain?labels=${query('{"alertname":"PaymentFailures","job":"shop/payment","severity":"page","team":"shop"}')}`, "[aria-label=Routes]"],
  notifications: ["/ui/alerts/notifications?from=now-1d&to=now", "[data-testid=notification-row], h2"],
  routing: [`/ui/alerts/routing?labels=${query('{"alertname":"PaymentFailures","severity":"page","team":"shop"}')}`, "[data-testid=way], h2"],
  services: ["/ui/services", "[data-testid=map-node], h2"],
  "services-one": [`/ui/services?service=${service}`, "[data-testid=operation-row], h2"],
  "editor-new": ["/ui/alerts/editor", "[data-editor=yaml]"],
  "editor-file": ["/ui/alerts/editor?file=rules%2Fshop.yaml&group=shop", "[data-editor=yaml]"],
  "editor-backtest": ["/ui/alerts/editor?file=team-shop&group=latency&backtest=1", "[data-testid=tried-rule]"],
  silences: ["/ui/alerts/silences", "[data-testid=silence-row], h2"],
  "silences-new": [`/ui/alerts/silences?form=new&labels=${query('{"alertname":"ErrorsInLogs","team":"shop"}')}`, "[data-testid=preview-row], h3"],
  targets: ["/ui/targets", "[data-testid=target-row], h2"],
  "targets-open": [`/ui/targets?state=down&open=${query("node http://node-3.shop.example:9100/metrics")}`, "[data-testid=target-row], h2"],
  "targets-rules": [`/ui/targets?pool=kubernetes-pods&state=dropped,down&open=${query("kubernetes-pods http://10.42.3.11:8080/metrics|steps kubernetes-pods http://10.42.3.11:8080/metrics|dropped kubernetes-pods 1")}`, "[data-testid=target-row], h2"],
  cardinality: ["/ui/cardinality", "[data-testid=metric-row]"],
  "cardinality-metric": [`/ui/cardinality?only=${query('["__name__","http_server_request_duration_seconds_bucket"]')}&label=http_route`, "[data-testid=pair-row]"],
  status: ["/ui/status", "[aria-label='In force']"],
};
for (const colorScheme of ["light", "dark"]) {
  for (const [name, [path, selector, options = {}]] of Object.entries(pages)) {
    if (only !== undefined && !name.includes(only)) continue;
    const { page, faults, close } = await open(session, path, { colorScheme, viewport: { width: Number(width ?? 1360), height: 860 }, ...options });
    await page.locator(selector).first().waitFor().catch((error) => faults.push(error.message.split("\n")[0]));
    await page.waitForLoadState("networkidle").catch(() => undefined);
    await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
    if (name === "logs-errors" || name === "traces") {
      const row = page.locator(name === "traces" ? "[data-testid=trace-row]" : "[data-testid=log-row] button").first();
      await row.click().catch((error) => faults.push(error.message.split("\n")[0]));
      if (name === "traces") await page.getByRole("treeitem").nth(1).click().catch((error) => faults.push(error.message.split("\n")[0]));
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await page.screenshot({ path: join(folder, `${name}-open-${colorScheme}.png`) });
    }
    if (faults.length > 0) console.log(name, colorScheme, faults);
    await close();
  }
}
await session.close();

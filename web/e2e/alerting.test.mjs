// Alerts, silences, the log of notifications, the notices: in a real browser, before the mock or a running server.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parameters, path, until, visits } from "./visits.mjs";

const { session, visit, expectFaults } = visits();
const json = async (url, init) => (await fetch(session.base + url, init)).json();

/** An alert that fires and is kept quiet by nothing; a running server is sent one. */
async function firing() {
  if (!session.mocked) {
    const alert = { labels: { alertname: "BrowserTest", team: "browser" }, annotations: { summary: "A test looks at it" } };
    await fetch(`${session.base}/alertmanager/api/v2/alerts`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify([alert]) });
  }
  return until(async () => (await json("/alertmanager/api/v2/alerts?silenced=false&inhibited=false")).find((alert) => session.mocked || alert.labels.alertname === "BrowserTest"), "an alert that fires");
}

describe("alerts", () => {
  it("draw their chart with the threshold, their history, and lead to what they are about", async () => {
    const page = await visit("/ui/alerts?state=firing");
    const rows = page.getByTestId("rule-row");
    await until(async () => await rows.count() > 0 || await page.getByText(/^No rule/).count() > 0, "rules or their absence");
    if (await rows.count() === 0) return;
    await rows.first().getByRole("button").first().click();
    const chart = page.locator("[data-chart=time-series]").first();
    await chart.waitFor();
    if (session.mocked) assert.match(await chart.getAttribute("aria-label"), /> 0\.1$/, "the threshold is said");
    await page.locator("[data-chart=timeline] [role=img]").first().waitFor();
    await page.getByTestId("active-alert").first().getByRole("link", { name: "Explain" }).click();
    await page.waitForURL((url) => url.pathname === "/ui/alerts/explain" && url.searchParams.get("labels") !== null);
    await page.getByRole("region", { name: "What happened" }).waitFor();
    await page.getByRole("list", { name: "Routes" }).waitFor();
    await page.getByRole("table", { name: "Changes" }).getByRole("link").first().click();
    await until(() => /^\d{13}$/.test(parameters(page).get("at") ?? ""), "the instant in the URL");
    await page.getByRole("link", { name: "now", exact: true }).click();
    await until(() => parameters(page).get("at") === null, "the present");
  });

  it("over logs and traces lead to the very lines and traces", async () => {
    const page = await visit("/ui/alerts");
    for (const [lang, name, path, rows] of [["logql", "The log lines", "/ui/logs", "log-row"], ["traceql", "The traces", "/ui/traces", "trace-row"]]) {
      const { group, rule, index } = await until(async () => (await json("/api/v1/rules")).data.groups.flatMap((each) => each.rules.map((one, at) => ({ group: each, rule: one, index: at }))).find((found) => found.rule.lang === lang && found.rule.alerts.length > 0), `an alert in ${lang}`);
      await page.goto(`${session.base}/ui/alerts?open=${encodeURIComponent(`${group.name}/${rule.name}/${index}`)}`);
      const link = page.getByTestId("active-alert").first().getByRole("link", { name });
      const url = new URL(await link.getAttribute("href"), session.base);
      const own = Object.entries(rule.alerts[0].labels).filter(([label]) => label !== "alertname" && rule.labels[label] === undefined);
      for (const [label, value] of own) assert.ok(url.searchParams.get("q").includes(label) && url.searchParams.get("q").includes(JSON.stringify(value)), url.search);
      // The mock finds no traces by TraceQL.
      if (session.mocked && lang === "traceql") continue;
      await link.click();
      await page.waitForURL((at) => at.pathname === path);
      await page.getByTestId(rows).first().waitFor();
    }
  });

  it("that came from elsewhere are shown too", async () => {
    await firing();
    const page = await visit("/ui/alerts");
    await page.getByTestId("foreign-alert").first().waitFor();
    await page.getByTestId("foreign-alert").first().getByRole("link", { name: "Silence" }).click();
    await page.waitForURL((url) => url.pathname === "/ui/alerts/silences" && url.searchParams.get("form") === "new");
  });

  it("say so when nothing is known of one", async () => {
    expectFaults(/404/);
    const page = await visit(`/ui/alerts/explain?labels=${encodeURIComponent('{"alertname":"NobodyKnowsIt"}')}`);
    await page.getByText("The alert could not be explained").waitFor();
    await page.goto(`${session.base}/ui/alerts/explain`);
    await page.getByText("No alert was chosen").waitFor();
  });
});

describe("silences", () => {
  it("are made from an alert, previewed, changed and ended", async () => {
    const alert = await firing();
    const mark = `browser test ${Date.now()}`;
    const page = await visit(`/ui/alerts/silences?form=new&labels=${encodeURIComponent(JSON.stringify(alert.labels))}`);
    const form = page.getByRole("form", { name: "New silence" });
    await form.waitFor();
    await page.getByTestId("preview-row").first().waitFor();
    assert.equal(await form.getByLabel("Value 1").inputValue(), Object.values(alert.labels)[0]);
    await form.getByRole("button", { name: "Silence", exact: true }).click();
    assert.match(await form.getByRole("alert").innerText(), /Say why/);
    await form.getByLabel("Creator").fill("browser@example.com");
    await form.getByLabel("Comment").fill(mark);
    await form.getByRole("button", { name: "4h", exact: true }).click();
    await form.getByRole("button", { name: "Silence", exact: true }).click();
    await form.waitFor({ state: "detached" });
    const row = page.getByTestId("silence-row").filter({ hasText: mark });
    await row.waitFor();
    assert.match(await row.innerText(), /active/);
    assert.match(await row.innerText(), /ends in 4 h/);
    await row.getByRole("button", { name: "Edit" }).click();
    const edit = page.getByRole("form", { name: "Edit the silence" });
    await edit.getByLabel("Comment").fill(`${mark} changed`);
    await edit.getByRole("button", { name: "Save" }).click();
    await edit.waitFor({ state: "detached" });
    const changed = page.getByTestId("silence-row").filter({ hasText: `${mark} changed` });
    await changed.getByRole("button", { name: "Expire", exact: true }).click();
    await changed.getByRole("button", { name: "Expire now" }).click();
    await until(async () => /expired/.test(await changed.innerText()), "the end of the silence");
    await changed.getByRole("button", { name: "Silence again" }).click();
    await page.getByRole("form", { name: "New silence" }).waitFor();
    assert.equal(await page.getByLabel("Creator").inputValue(), "browser@example.com", "the name is remembered");
  });

  it("say what the server refused, and preview what is typed", async () => {
    expectFaults(/400/);
    const page = await visit("/ui/alerts/silences?form=new");
    const form = page.getByRole("form", { name: "New silence" });
    await form.getByLabel("Label 1").fill("alertname");
    await form.getByLabel("Comparison 1").selectOption("=~");
    await form.getByLabel("Value 1").fill("NoAlertIsCalledSo");
    await page.getByText("No alert matches now").waitFor();
    await form.getByLabel("Value 1").fill("a(");
    await form.getByLabel("Creator").fill("x");
    await form.getByLabel("Comment").fill("x");
    await form.getByRole("button", { name: "Silence", exact: true }).click();
    await page.getByText("The silence could not be saved").waitFor();
  });

  it("are filtered by state and by words, in the URL", async () => {
    const page = await visit("/ui/alerts/silences?find=no-silence-says-so");
    await until(async () => await page.getByText("No silence fits the filter").count() + await page.getByText("Nothing is silenced").count() > 0, "no silence");
    await page.getByRole("group", { name: "States" }).getByRole("button", { name: /pending/ }).click();
    await until(() => parameters(page).get("state") === "pending", "the state in the URL");
    await page.getByRole("navigation", { name: "Alerts" }).getByRole("link", { name: "Rules and alerts" }).click();
    await until(() => path(page) === "/ui/alerts", "the other tab");
  });
});

describe("notifications", () => {
  it("show who was told, with attempts and answers", async () => {
    const page = await visit("/ui/alerts/notifications?from=now-1d&to=now");
    const rows = page.getByTestId("notification-row");
    await until(async () => await rows.count() > 0 || await page.getByText(/^Nobody was told/).count() > 0, "notifications or their absence");
    if (await rows.count() === 0) return;
    await rows.first().getByRole("button").click();
    await page.getByRole("list", { name: "Attempts" }).first().waitFor();
    await until(() => parameters(page).get("open"), "the open notification in the URL");
    if (!session.mocked) return;
    await page.getByRole("group", { name: "Outcomes" }).getByRole("button", { name: /dead/ }).click();
    await until(() => parameters(page).get("outcome") === "dead", "the outcome in the URL");
    await until(async () => (await rows.evaluateAll((all) => all.map((row) => row.dataset.outcome))).every((outcome) => outcome === "dead"), "only dead ones");
    await rows.first().getByRole("button").click();
    assert.match(await page.getByRole("list", { name: "Attempts" }).first().innerText(), /410 Gone/);
    await page.getByLabel("Receiver").selectOption("on-call");
    await until(() => parameters(page).get("receiver") === "on-call", "the receiver in the URL");
  });
});

describe("routing", () => {
  it("shows the tree, the way of an alert in it, and what a test is answered", async () => {
    const page = await visit("/ui/alerts/routing");
    await page.getByTestId("route-node").first().waitFor();
    await page.getByLabel("Labels", { exact: true }).fill('alertname="X", severity="page", team="shop"');
    await page.getByRole("button", { name: "Show the way" }).click();
    await page.getByTestId("way").first().waitFor();
    assert.deepEqual(JSON.parse(parameters(page).get("labels")), { alertname: "X", severity: "page", team: "shop" });
    await page.locator("[data-testid=route-node][data-touch=end]").first().waitFor();
    await page.reload();
    assert.equal(await page.getByLabel("Labels", { exact: true }).inputValue(), 'alertname="X", severity="page", team="shop"');
    await page.getByLabel(/^Labels/).fill("odd");
    assert.ok(await page.getByRole("button", { name: "Show the way" }).isDisabled(), "what is no set of labels is not asked");
    if (!session.mocked) return;
    assert.equal(await page.getByTestId("way").count(), 2);
    await page.getByTestId("receiver-row").filter({ hasText: "on-call" }).getByRole("button", { name: "Send a test" }).click();
    const answers = page.getByRole("list", { name: "Answers to the test of on-call" });
    await answers.waitFor();
    assert.match(await answers.innerText(), /200 OK[\s\S]*503 Service Unavailable[\s\S]*again after 30 s/);
  });
});

describe("rule editor", () => {
  const write = async (page, text) => {
    await page.locator("[data-editor=yaml] .cm-content").click();
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Delete");
    await page.keyboard.insertText(text);
  };
  const group = (name, expression) => `name: ${name}\ninterval: 1m\nrules:\n  - alert: EditorTest\n    expr: ${expression}\n    annotations:\n      summary: Nothing to do\n`;

  it("checks while one writes, shows where it is wrong, saves, tries and deletes", async () => {
    const name = `browser-${Date.now()}`;
    const page = await visit("/ui/alerts/editor");
    const remarks = page.getByTestId("remarks");
    await until(async () => /nothing wrong/.test(await remarks.innerText()), "the template to be right");
    await write(page, group(name, "rate(up[5m] > 0"));
    await until(async () => /5:\d+/.test(await remarks.innerText()), "the fault with its line");
    await page.locator("[data-editor=yaml] .cm-lintRange-error").first().waitFor();
    assert.ok(await page.getByRole("button", { name: "Save" }).isDisabled());
    await write(page, group(name, "up >= 0"));
    await until(async () => /1 rule, nothing wrong/.test(await remarks.innerText()), "the text to be right");
    assert.ok(await page.getByRole("button", { name: "Save" }).isDisabled(), "without a namespace it cannot be kept");
    await page.getByLabel("Namespace").fill("browser-test");
    await page.reload();
    assert.equal(await page.getByLabel("Namespace").inputValue(), "browser-test", "what was typed is still there");
    await until(async () => /1 rule, nothing wrong/.test(await remarks.innerText()), "the draft to be checked");
    await page.getByRole("button", { name: "Save" }).click();
    await until(() => parameters(page).get("group") === name && parameters(page).get("file") === "browser-test", "the saved group in the URL");
    await page.getByRole("list", { name: "Groups" }).getByRole("button", { name: new RegExp(name) }).waitFor();
    await page.getByRole("button", { name: "Backtest", exact: true }).click();
    await page.getByTestId("tried-rule").first().waitFor();
    assert.match(await page.getByTestId("tried-rule").first().innerText(), /EditorTest[\s\S]*(fired|never fired)[\s\S]*notification/);
    assert.equal(parameters(page).get("backtest"), "1");
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await until(() => parameters(page).get("group") === null, "the empty editor");
    await until(async () => await page.getByRole("button", { name: new RegExp(name) }).count() === 0, "the group to be gone");
  });

  it("shows groups of files, and does not change them", async () => {
    const page = await visit("/ui/alerts/editor");
    const found = await until(async () => {
      const files = (await json("/api/v1/alerting/rules/export")).data.filter((each) => each.source === "file").map((each) => each.namespace);
      return (await json("/api/v1/rules")).data.groups.find((each) => files.includes(each.file));
    }, "a group of a file");
    await page.goto(`${session.base}/ui/alerts/editor?file=${encodeURIComponent(found.file)}&group=${encodeURIComponent(found.name)}`);
    const content = page.locator("[data-editor=yaml] .cm-content");
    await until(async () => (await content.innerText()).includes("rules:"), "the text of the group");
    const before = await content.innerText();
    await content.click();
    await page.keyboard.type("x");
    assert.equal(await content.innerText(), before);
    assert.equal(await page.getByRole("button", { name: "Save" }).count(), 0);
    await page.getByRole("button", { name: "Copy into a new group" }).click();
    await until(async () => parameters(page).get("group") === null && (await content.innerText()) === before, "the copy");
  });
});

describe("services", () => {
  it("are drawn and listed, and one shows its charts and operations", async () => {
    const page = await visit("/ui/services?from=now-15m&to=now");
    const nodes = page.getByTestId("map-node");
    await until(async () => await nodes.count() > 0 || await page.getByText("No services in this range").count() > 0, "services or their absence");
    if (await nodes.count() === 0) return;
    assert.ok(await page.getByTestId("map-edge").count() > 0, "lines between them");
    const row = page.getByTestId("service-row").first();
    await page.getByRole("button", { name: "95 %", exact: true }).click();
    await until(() => parameters(page).get("sort") === "p95", "the order in the URL");
    const name = await row.getByRole("link").first().innerText();
    await row.getByRole("link").first().click();
    await until(() => parameters(page).get("service") === name, "the service in the URL");
    await page.getByTestId("operation-row").first().waitFor();
    await page.locator("[data-chart=time-series]").first().waitFor();
    await page.getByTestId("operation-row").first().getByRole("link").first().click();
    await page.waitForURL((url) => url.pathname === "/ui/traces" && url.searchParams.get("service") === name && url.searchParams.get("operation") !== null);
    await page.goBack();
    await page.getByRole("button", { name: "All services" }).click();
    await until(() => parameters(page).get("service") === null, "all services");
    const box = page.locator("[data-testid=map-node][role=button]").first();
    await box.focus();
    await page.keyboard.press("Enter");
    await until(() => parameters(page).get("service"), "the service that was chosen by keys");
  });
});

describe("notices of alerts", () => {
  it("come on any page, are counted, and stay away once dismissed or looked at", async () => {
    const alert = await firing();
    const page = await visit("/ui/status", { toasts: true });
    const toasts = page.getByTestId("toast");
    await toasts.first().waitFor();
    assert.match(await page.getByTestId("firing-count").innerText(), /\d/);
    // Only some are shown at once: another takes the place of one that is dismissed.
    const labels = await toasts.first().locator("span").last().locator("xpath=..").innerText();
    await toasts.first().getByRole("button", { name: /^Dismiss/ }).click();
    await page.reload();
    await page.getByTestId("firing-count").waitFor();
    assert.equal(await toasts.filter({ hasText: labels }).count(), 0, "it stays away");
    await page.getByRole("link", { name: "Alerts", exact: true }).click();
    await until(async () => await toasts.count() === 0, "no notice where the alerts are seen");
    await page.goto(`${session.base}/ui/status`);
    await page.getByTestId("firing-count").waitFor();
    assert.equal(await toasts.count(), 0, `${alert.labels.alertname} was seen`);
  });
});

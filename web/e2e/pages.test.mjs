// Every page, its pivots, its URL and its keys, in a real browser.
// Without BASE_URL the build stands before the mock; with it, before a running Signalbox that has received data of services
// with traces and logs (for instance of `signalbox demo`). Nothing here depends on names of the data.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parameters, path, until, visits } from "./visits.mjs";

const { session, visit, expectFaults } = visits();
/** A service that has both traces and logs, as the server tells. */
async function service() {
  const [traced, logging] = await Promise.all(["/jaeger/api/services", "/loki/api/v1/label/service_name/values"].map(async (url) => (await (await fetch(session.base + url)).json()).data));
  const both = traced.filter((name) => logging.includes(name) && !name.startsWith("signalbox")).sort();
  assert.ok(both.length > 0, `no service sends both: ${traced} / ${logging}`);
  return both[0];
}
/** Types into an editor in place of what is there. */
async function type(page, language, text) {
  const content = page.locator(`[data-editor=${language}] .cm-content`);
  await content.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

describe("home", () => {
  it("shows what arrives of each signal and how services do", async () => {
    const page = await visit("/");
    for (const signal of ["metrics", "logs", "traces"]) {
      const tile = page.getByTestId(`tile-${signal}`);
      await until(async () => /\d/.test(await tile.innerText()), `a rate of ${signal}`);
    }
    const name = await service();
    const row = page.getByTestId("service-row").filter({ hasText: name }).first();
    await row.waitFor();
    await until(async () => /\d/.test(await row.locator("td").nth(2).innerText()), "a rate of requests");
  });

  it("goes from a service to its logs, its traces and its metrics", async () => {
    const page = await visit("/");
    const name = await service();
    for (const [link, want] of [["Logs", "/ui/logs"], ["Traces", "/ui/traces"], ["Metrics", "/ui/metrics"]]) {
      await page.getByRole("link", { name: `${link} of ${name}`, exact: true }).click();
      await page.waitForURL((url) => url.pathname === want);
      assert.equal(parameters(page).get("service"), name);
      await page.goBack();
      await page.waitForURL((url) => url.pathname === "/");
    }
  });
});

describe("metrics", () => {
  it("lists metrics and draws the one that is picked", async () => {
    const page = await visit("/ui/metrics");
    const list = page.getByRole("list", { name: "Metrics" });
    await list.getByRole("link").first().waitFor();
    await page.getByLabel("Name contains").fill("signalbox_ingest_rows");
    await until(async () => await list.getByRole("link").count() === 1, "one metric");
    assert.equal(parameters(page).get("find"), "signalbox_ingest_rows");
    await list.getByRole("link").first().click();
    await page.locator("[data-chart=time-series] canvas").waitFor();
    await page.getByRole("list", { name: "Lines" }).getByRole("button").first().waitFor();
    assert.match(parameters(page).get("q"), /rate\(signalbox_ingest_rows_total/);
  });

  it("runs what is typed, keeps it in the URL, and survives a reload and the back button", async () => {
    const page = await visit("/ui/metrics");
    const query = "sum by (signal) (rate(signalbox_ingest_rows_total[5m]))";
    await type(page, "promql", query);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Run" }).click();
    await page.locator("[data-chart=time-series] canvas").waitFor();
    assert.equal(parameters(page).get("q"), query);
    await page.getByRole("radio", { name: "Instant" }).click();
    await page.getByRole("list", { name: "Samples" }).waitFor();
    await page.reload();
    await page.getByRole("list", { name: "Samples" }).getByRole("listitem").first().waitFor();
    await page.goBack();
    await page.locator("[data-chart=time-series] canvas").waitFor();
    assert.equal(parameters(page).get("mode"), null);
  });

  it("hides the other lines of a chart by a click on one, in the URL", async () => {
    const page = await visit(`/ui/metrics?q=${encodeURIComponent("sum by (signal) (rate(signalbox_ingest_rows_total[5m]))")}`);
    const lines = page.getByRole("list", { name: "Lines" }).getByRole("button");
    await until(async () => await lines.count() >= 2, "two lines");
    await lines.first().click();
    await until(() => parameters(page).get("hidden")?.startsWith("1"), "hidden lines in the URL");
    await page.reload();
    await until(async () => await lines.count() >= 2 && await lines.nth(1).getAttribute("aria-pressed") === "false", "the line to stay hidden");
  });

  it("completes names of metrics and functions", async () => {
    const page = await visit("/ui/metrics");
    await type(page, "promql", "");
    await page.keyboard.type("signalbox_ing", { delay: 20 });
    const list = page.locator("[data-editor=promql] .cm-tooltip-autocomplete");
    await list.waitFor();
    assert.match(await list.innerText(), /signalbox_ingest_rows_total/);
    await page.keyboard.press("Escape");
    await type(page, "promql", "");
    await page.keyboard.type("histogram_q", { delay: 20 });
    await until(async () => (await list.count()) > 0 && /histogram_quantile/.test(await list.innerText()), "a function");
  });

  it("says what is wrong with an expression, and where", async () => {
    expectFaults(/400/);
    const page = await visit(`/ui/metrics?q=${encodeURIComponent("sum(rate(up[5m])")}`);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(await alert.innerText(), /parse error|unclosed|expected/i);
    assert.match(await page.locator("main").innerText(), /\n *\^/);
  });

  it("shows the charts of a service", async () => {
    const name = await service();
    const page = await visit(`/ui/metrics?service=${encodeURIComponent(name)}`);
    await until(async () => await page.locator("[data-chart=time-series] canvas").count() > 0, `a chart of ${name}`);
  });
});

describe("logs", () => {
  it("shows records, their histogram, and all that a record carries", async () => {
    const page = await visit("/ui/logs");
    const rows = page.getByTestId("log-row");
    await rows.first().waitFor();
    await page.locator("[data-chart=bars] rect").first().waitFor({ state: "attached" });
    await rows.first().getByRole("button").first().click();
    await until(() => parameters(page).get("row"), "the open row in the URL");
    assert.match(await rows.first().innerText(), /service\.name/);
    await page.reload();
    await until(async () => await page.locator("[data-testid=log-row][data-open=true]").count() === 1, "the row to stay open");
  });

  it("keeps few rows in the page however many there are", async () => {
    const page = await visit("/ui/logs");
    const rows = page.getByTestId("log-row");
    await rows.first().waitFor();
    assert.ok(await rows.count() < 120, "the list is virtualised");
  });

  it("filters by service, by severity and by text, in the URL", async () => {
    const name = await service();
    const page = await visit("/ui/logs");
    await page.getByRole("combobox", { name: "Service" }).selectOption(name);
    await until(() => parameters(page).get("service") === name, "the service in the URL");
    const rows = page.getByTestId("log-row");
    await until(async () => {
      const texts = await rows.allInnerTexts();
      return texts.length > 0 && texts.every((text) => text.includes(name));
    }, `rows of ${name} only`);
    const word = /(?<![\w-])[A-Za-z]{3,}(?![\w-])/.exec((await rows.first().innerText()).split("\n").at(-1))[0];
    await type(page, "logs", `body:${word}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await until(() => parameters(page).get("q") === `body:${word}`, "the text in the URL");
    await until(async () => {
      const texts = await rows.allInnerTexts();
      return texts.length > 0 && texts.every((text) => text.includes(word));
    }, `rows with ${word} only`);
    await page.getByRole("button", { name: "fatal", exact: true }).click();
    await until(() => parameters(page).get("severity") === "fatal", "the severity in the URL");
    await page.goBack();
    await until(() => parameters(page).get("severity") === null, "the back button");
    await until(async () => await rows.count() > 0, "the rows again");
  });

  it("takes LogQL, and shows the server's words about a bad one", async () => {
    const name = await service();
    const page = await visit(`/ui/logs?q=${encodeURIComponent(`{service_name="${name}"}`)}`);
    await page.getByTestId("log-row").first().waitFor();
    expectFaults(/400/);
    await type(page, "logs", '{service_name=');
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await page.getByRole("alert").first().waitFor();
  });

  it("shows where a search cannot be read, and completes fields and their values", async () => {
    const page = await visit("/ui/logs");
    await page.getByTestId("log-row").first().waitFor();
    expectFaults(/400/);
    await type(page, "logs", "timeout AND");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await page.getByTestId("caret").waitFor();
    assert.match(await page.getByTestId("caret").innerText(), /^timeout AND\n {11}\^/);
    await type(page, "logs", "");
    await page.keyboard.type("lev");
    const options = page.locator("[data-editor=logs] .cm-tooltip-autocomplete li");
    // A click, for the editor takes no Enter in the first moment that its list is open.
    await options.filter({ hasText: "level" }).first().click();
    await options.filter({ hasText: "info" }).first().click();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await until(() => parameters(page).get("q") === "level:info", "the completed clause");
    await page.locator("[data-testid=log-row] [data-severity=info]").first().waitFor();
  });

  it("narrows and leaves out by fields at the side", async () => {
    const page = await visit("/ui/logs");
    const level = page.getByTestId("facet").and(page.getByRole("region", { name: "level", exact: true }));
    const value = level.getByTestId("facet-value").first();
    const name = /= (\S+),/.exec(await value.getAttribute("aria-label"))[1];
    await value.click();
    await until(() => parameters(page).get("q") === `level:${name}`, "the clause in the URL");
    await until(async () => await level.getByTestId("facet-value").count() === 1, "one level to be left");
    await level.getByTestId("facet-value").first().click({ modifiers: ["Alt"] });
    await until(() => parameters(page).get("q") === `-level:${name}`, "the clause turned");
    await until(async () => {
      const labels = await level.getByTestId("facet-value").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
      return labels.length > 0 && labels.every((label) => !label.includes(`= ${name},`));
    }, "the other levels");
    await page.goBack();
    await until(() => parameters(page).get("q") === `level:${name}`, "the back button");
    await page.getByRole("button", { name: "Hide the fields" }).click();
    await page.getByTestId("facet").first().waitFor({ state: "detached" });
    assert.equal(parameters(page).get("fields"), "hidden");
  });

  it("counts by a field of a record, and shows what came before and after", async () => {
    const name = await service();
    const page = await visit(`/ui/logs?service=${encodeURIComponent(name)}`);
    const row = page.getByTestId("log-row").first();
    await row.getByRole("button").first().click();
    await row.getByRole("button", { name: "Before and after" }).click();
    await until(async () => (await page.getByTestId("context").locator("time").count()) > 1, "its neighbours");
    assert.equal(parameters(page).get("context"), "1");
    await row.getByRole("button", { name: "Count by service.name", exact: true }).click();
    await row.getByRole("list", { name: "Values of service.name" }).getByText(name).waitFor();
  });

  it("follows new records, and stands still while one is read", async () => {
    const page = await visit("/ui/logs?from=now-15m&to=now");
    await page.getByTestId("log-row").first().waitFor();
    await page.getByRole("button", { name: "Live", exact: true }).click();
    const live = page.getByTestId("live");
    await until(async () => Number(/Live, (\d+)/.exec(await live.innerText())?.[1] ?? 0) > 0, "new records");
    assert.equal(parameters(page).get("live"), "1");
    await page.getByTestId("log-row").nth(3).getByRole("button").first().click();
    await until(async () => Number(/Paused, (\d+)/.exec(await live.innerText())?.[1] ?? 0) > 0, "records that wait");
    await live.getByRole("button", { name: "Show them" }).click();
    await until(async () => /^Live/.test((await live.innerText()).trim()), "the tail to go on");
  });

  it("shows patterns, and narrows to the lines of one", async () => {
    const page = await visit("/ui/logs");
    await page.getByRole("radio", { name: "Patterns" }).click();
    const first = page.getByTestId("pattern-row").first().locator("[data-row]");
    const pattern = (await first.getAttribute("title"));
    assert.equal(parameters(page).get("tab"), "patterns");
    await first.click();
    await until(() => parameters(page).get("q")?.startsWith("pattern:") && parameters(page).get("tab") === null, "the pattern in the search");
    const like = new RegExp(pattern.split("<_>").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".+"));
    await until(async () => {
      const texts = await page.getByTestId("log-row").allInnerTexts();
      return texts.length > 0 && texts.every((text) => like.test(text.split("\n").at(-1)));
    }, `lines like ${pattern}`);
  });

  it("links to files with everything that was found", async () => {
    const page = await visit("/ui/logs?q=level:error&service=cart");
    await page.getByRole("button", { name: "Export" }).click();
    const links = page.getByRole("navigation", { name: "Formats" }).getByRole("link");
    await until(async () => await links.count() === 4, "four formats");
    for (const [index, format] of ["ndjson", "csv", "parquet", "arrow"].entries()) {
      const url = new URL(await links.nth(index).getAttribute("href"), session.base);
      assert.equal(url.pathname, "/api/v1/export");
      assert.deepEqual(["query", "language", "format"].map((name) => url.searchParams.get(name)), ["service:cart level:error", "search", format]);
      assert.ok(Number(url.searchParams.get("end")) > Number(url.searchParams.get("start")));
    }
  });

  it("says so when nothing matches", async () => {
    const page = await visit("/ui/logs?q=no-line-has-these-words-7f3a");
    await page.getByText("No records match").waitFor();
    await page.getByRole("button", { name: "Clear the search" }).click();
    await page.getByTestId("log-row").first().waitFor();
  });
});

describe("traces", () => {
  it("searches by service and by duration, in the URL", async () => {
    const name = await service();
    const page = await visit("/ui/traces");
    const rows = page.getByTestId("trace-row");
    await rows.first().waitFor();
    await page.getByRole("combobox", { name: "Service" }).selectOption(name);
    await until(() => parameters(page).get("service") === name, "the service in the URL");
    await until(async () => (await rows.allInnerTexts()).some((text) => text.includes(name)), `traces of ${name}`);
    const operations = page.getByRole("combobox", { name: "Operation" });
    await until(async () => await operations.locator("option").count() > 1, "operations");
    await page.getByLabel("At most").fill("1us");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await page.getByText("No traces match").waitFor();
    assert.equal(parameters(page).get("max"), "1us");
  });

  it("refuses attributes that it cannot read before it asks", async () => {
    const page = await visit("/ui/traces");
    await page.getByTestId("trace-row").first().waitFor();
    const input = page.getByPlaceholder("http.response.status_code=500 error=true");
    await input.fill("not a pair");
    assert.equal(await input.getAttribute("aria-invalid"), "true");
    assert.ok(await page.getByRole("button", { name: "Search", exact: true }).isDisabled());
  });

  it("shows a trace as a waterfall with the attributes of a span", async () => {
    const page = await visit("/ui/traces");
    await page.getByTestId("trace-row").first().click();
    const spans = page.getByRole("treeitem");
    await spans.first().waitFor();
    assert.ok(await spans.count() < 120, "the list is virtualised");
    await spans.first().click();
    await page.getByRole("region", { name: "Attributes" }).waitFor();
    await until(() => parameters(page).get("span"), "the span in the URL");
    await page.reload();
    await page.getByRole("region", { name: "Attributes" }).waitFor();
  });

  it("opens a trace whose identifier is pasted, on any page and into any field of the search", async () => {
    const { data: [{ traceID }] } = await (await fetch(`${session.base}/jaeger/api/traces?service=${encodeURIComponent(await service())}&limit=1`)).json();
    const page = await visit("/");
    const paste = (text) => page.evaluate((pasted) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", pasted);
      (document.activeElement ?? document.body).dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, text);
    await page.getByTestId("service-row").first().waitFor();
    await paste("not a trace");
    await paste(` "${traceID}"\n`);
    await page.waitForURL((url) => url.pathname === `/ui/traces/${traceID}`);
    await page.getByRole("treeitem").first().waitFor();
    await page.goto(`${session.base}/ui/traces`);
    const field = page.getByLabel("Or TraceQL, alone");
    await field.fill(`00-${traceID.padStart(32, "0")}-00f067aa0ba902b7-01`);
    await field.press("Enter");
    await page.waitForURL((url) => url.pathname.endsWith(traceID));
    await page.getByRole("treeitem").first().waitFor();
  });

  it("moves and folds by keys", async () => {
    const page = await visit("/ui/traces?sort=spans");
    await page.getByTestId("trace-row").first().click();
    const spans = page.getByRole("treeitem");
    await until(async () => await spans.count() > 1, "several spans");
    await spans.first().focus();
    await page.keyboard.press("ArrowDown");
    assert.equal(await spans.nth(1).evaluate((element) => element === document.activeElement), true);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowLeft");
    await until(async () => await spans.count() === 1, "the folded trace");
    assert.ok(parameters(page).get("folded"));
    await page.keyboard.press("ArrowRight");
    await until(async () => await spans.count() > 1, "the unfolded trace");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Attributes" }).waitFor();
  });

  it("says so when a trace is unknown", async () => {
    expectFaults(/404/);
    const page = await visit(`/ui/traces/${"0".repeat(31)}1`);
    await page.getByText("There is no such trace").waitFor();
  });
});

describe("pivots", () => {
  it("go from a log record to its trace, and from its spans to their logs", async () => {
    const name = await service();
    const page = await visit(`/ui/logs?service=${encodeURIComponent(name)}`);
    const pivot = page.getByRole("link", { name: "Open the trace of this record" }).first();
    await pivot.click();
    await page.waitForURL(/\/ui\/traces\/[0-9a-f]{32}/);
    const trace = path(page).split("/").at(-1);
    await page.getByRole("treeitem", { selected: true }).waitFor();
    await page.getByRole("link", { name: "Logs of the trace" }).click();
    await page.waitForURL((url) => url.pathname === "/ui/logs");
    assert.equal(parameters(page).get("trace"), trace);
    assert.match(parameters(page).get("from"), /^\d+$/, "the time around the span");
    const rows = page.getByTestId("log-row");
    await rows.first().waitFor();
    await rows.first().getByRole("button").first().click();
    await until(async () => (await rows.first().innerText()).includes(trace), "the trace id in the record");
  });

  it("go from a log record to the metrics of its service over the same time", async () => {
    const name = await service();
    const page = await visit(`/ui/logs?service=${encodeURIComponent(name)}`);
    await page.getByTestId("log-row").first().getByRole("button").first().click();
    await page.getByRole("link", { name: `Metrics of ${name}` }).click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics");
    assert.equal(parameters(page).get("service"), name);
    assert.match(parameters(page).get("from"), /^\d+$/);
    await until(async () => await page.locator("[data-chart=time-series] canvas").count() > 0, "a chart");
  });

  it("go from a span to the metrics of its service over the same time", async () => {
    const name = await service();
    const page = await visit(`/ui/traces?service=${encodeURIComponent(name)}`);
    await page.getByTestId("trace-row").first().click();
    await page.getByRole("treeitem", { name: new RegExp(`^${name} `) }).first().click();
    await page.getByRole("link", { name: `Metrics of ${name}` }).click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics" && url.searchParams.get("service") === name);
    assert.match(parameters(page).get("from"), /^\d+$/);
    await until(async () => await page.locator("[data-chart=time-series] canvas").count() > 0, "a chart");
  });
});

describe("alerts", () => {
  it("shows rules, or says that there are none", async () => {
    const page = await visit("/ui/alerts");
    const rows = page.getByTestId("rule-row");
    await until(async () => await rows.count() > 0 || await page.getByText("No rules", { exact: true }).count() > 0, "rules or their absence");
    if (await rows.count() === 0) return;
    await rows.first().getByRole("button").first().click();
    await page.getByRole("link", { name: "Open in Metrics" }).first().waitFor();
    await until(() => parameters(page).get("open"), "the open rule in the URL");
    await page.reload();
    await page.getByRole("link", { name: "Open in Metrics" }).first().click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics" && url.searchParams.get("q") !== null);
  });

  it("filters by words and by state, in the URL", async () => {
    const page = await visit("/ui/alerts?find=no-rule-is-called-so");
    await until(async () => await page.getByText("No rule fits the filter").count() + await page.getByText("No rules", { exact: true }).count() > 0, "no rule");
    await page.getByRole("button", { name: /firing/ }).click();
    await until(() => parameters(page).get("state") === "firing", "the state in the URL");
  });
});

describe("targets", () => {
  it("shows targets by pool with their labels on both sides, or says what to do", async () => {
    const page = await visit("/ui/targets");
    const rows = page.getByTestId("target-row");
    const nothing = page.getByText("Nothing is scraped");
    await until(async () => await rows.count() > 0 || await nothing.count() > 0, "targets or their absence");
    if (await rows.count() === 0) {
      assert.match(await page.locator("main pre").innerText(), /config_file: prometheus.yml/);
      return;
    }
    await rows.first().getByRole("button").first().click();
    await page.getByRole("region", { name: "Before relabelling" }).waitFor();
    await until(() => parameters(page).get("open"), "the open target in the URL");
    await page.getByRole("button", { name: "Rule by rule" }).click();
    await page.getByRole("region", { name: "Rules" }).waitFor();
    await page.reload();
    await page.getByRole("region", { name: "Rules" }).waitFor();
    await page.getByRole("link", { name: "When it was up" }).click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics" && url.searchParams.get("q")?.startsWith("up{"));
  });

  it("filters by state, by pool and by words, in the URL, and folds pools", async () => {
    const page = await visit("/ui/targets");
    const rows = page.getByTestId("target-row");
    await until(async () => await rows.count() > 0 || await page.getByText("Nothing is scraped").count() > 0, "targets or their absence");
    if (await rows.count() === 0) return;
    await page.getByRole("button", { name: /up$/ }).first().click();
    await until(() => parameters(page).get("state") === "up", "the state in the URL");
    await until(async () => await rows.count() > 0 && await page.locator("[data-testid=target-row]:not([data-health=up])").count() === 0, "only targets that are up");
    await page.goBack();
    const pool = page.getByRole("combobox", { name: "Pool" });
    const name = await pool.locator("option").nth(1).innerText();
    await pool.selectOption(name);
    await until(async () => await page.getByTestId("pool-row").count() === 1, "one pool");
    await page.getByTestId("pool-row").click();
    await until(async () => await rows.count() === 0, "the folded pool");
    assert.equal(parameters(page).get("folded"), name);
    await page.getByTestId("pool-row").click();
    await page.getByLabel("Find targets").fill("no-target-is-called-so");
    await page.getByText("No target fits the filter").waitFor();
  });
});

describe("cardinality", () => {
  it("counts series, and drills from a metric to a label to a value", async () => {
    const page = await visit("/ui/cardinality");
    await until(async () => /\d/.test(await page.getByTestId("tile-series").innerText()), "the number of series");
    const metrics = page.getByTestId("metric-row");
    await metrics.first().waitFor();
    const name = await metrics.first().getByRole("button").innerText();
    await metrics.first().getByRole("button").click();
    await until(() => parameters(page).get("only") === JSON.stringify(["__name__", name]), "the metric in the URL");
    const labels = page.getByTestId("label-row");
    await until(async () => await metrics.count() === 0 && await labels.count() > 0, "the labels of the metric");
    await page.getByText(`Who asks for ${name}`).waitFor();
    const label = await labels.first().getByRole("button").innerText();
    await labels.first().getByRole("button").click();
    await page.getByText(`Values of ${label}`).waitFor();
    const pairs = page.getByTestId("pair-row");
    const value = await pairs.first().getByRole("button").innerText();
    await pairs.first().getByRole("button").click();
    await until(() => parameters(page).get("only") === JSON.stringify(["__name__", name, label, value]), "the value in the URL");
    await page.reload();
    await page.getByRole("button", { name: `Not only ${label} = ${value}` }).click();
    await until(() => parameters(page).get("only") === JSON.stringify(["__name__", name]), "one step back");
    await page.goBack();
    await page.goBack();
    await until(() => parameters(page).get("label") === label, "the back button");
  });

  it("sorts and finds, in the URL, and leads to the explorer with the query", async () => {
    const page = await visit("/ui/cardinality");
    const metrics = page.getByTestId("metric-row");
    await metrics.first().waitFor();
    await page.getByRole("columnheader", { name: "Metric" }).getByRole("button").click();
    await until(() => parameters(page).get("sort") === "name", "the order in the URL");
    const names = await metrics.locator("td:first-child").allInnerTexts();
    assert.deepEqual(names, [...names].sort());
    await page.getByLabel("Find names and values").fill("signalbox_ingest_rows");
    await until(async () => await metrics.count() === 1, "one metric");
    await page.getByRole("link", { name: "Explore signalbox_ingest_rows_total" }).click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics" && url.searchParams.get("q") === "signalbox_ingest_rows_total");
    await page.locator("[data-chart=time-series] canvas").waitFor();
    await page.goto(`${session.base}/ui/cardinality?only=${encodeURIComponent('["__name__","signalbox_ingest_rows_total"]')}`);
    await page.getByRole("link", { name: /^Count series by / }).first().click();
    await page.waitForURL((url) => url.pathname === "/ui/metrics" && url.searchParams.get("q")?.startsWith("sort_desc(count by (") && url.searchParams.get("mode") === "instant");
    await page.getByRole("list", { name: "Samples" }).waitFor();
  });
});

describe("status", () => {
  it("says which build runs, what it was told, and what lies on disk", async () => {
    const page = await visit("/ui/status");
    const server = page.getByRole("region", { name: "Server" });
    await until(async () => /version[\s\S]*0\./.test(await server.innerText()), "the version");
    assert.match(await server.innerText(), /started[\s\S]* ago/);
    assert.match(await page.getByRole("region", { name: "In force" }).innerText(), /query\.lookback-delta/);
    assert.match(await page.getByRole("region", { name: "Configuration" }).innerText(), /global:/);
    await page.getByRole("region", { name: "Segments of metrics" }).waitFor();
  });
});

describe("frame", () => {
  it("keeps the chosen time across pages, reloads and the back button", async () => {
    const page = await visit("/ui/logs");
    await page.getByRole("button", { name: "Time range" }).click();
    await page.getByRole("button", { name: "Last 15 minutes" }).click();
    await until(() => parameters(page).get("from") === "now-15m", "the range in the URL");
    await page.getByRole("link", { name: "Traces", exact: true }).click();
    await page.waitForURL((url) => url.pathname === "/ui/traces" && url.searchParams.get("from") === "now-15m");
    await page.reload();
    assert.match(await page.getByRole("button", { name: "Time range" }).innerText(), /15 minutes/);
    await page.goBack();
    await page.waitForURL((url) => url.pathname === "/ui/logs");
  });

  it("zooms by dragging over a chart and over a histogram", async () => {
    const drag = async (page, area) => {
      const box = await area.boundingBox();
      await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 4 });
      await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 4 });
      await page.mouse.up();
    };
    const page = await visit(`/ui/metrics?q=${encodeURIComponent("sum by (signal) (rate(signalbox_ingest_rows_total[5m]))")}`);
    const plot = page.locator("[data-chart=time-series] .u-over");
    await plot.waitFor();
    await drag(page, plot);
    await until(() => /^\d+$/.test(parameters(page).get("from") ?? ""), "an exact range");
    const width = Number(parameters(page).get("to")) - Number(parameters(page).get("from"));
    assert.ok(width > 8 * 60_000 && width < 16 * 60_000, `a fifth of an hour, found ${width} ms`);
    await page.goto(`${session.base}/ui/logs`);
    const bars = page.locator("[data-chart=bars]");
    await bars.locator("rect").first().waitFor({ state: "attached" });
    await drag(page, bars);
    await until(() => /^\d+$/.test(parameters(page).get("from") ?? ""), "an exact range");
  });

  it("says so when the server does not answer, and recovers", async () => {
    expectFaults(/ERR_FAILED/);
    const page = await visit("/ui/nowhere");
    const apis = /\/(api|loki|jaeger)\//;
    await page.route(apis, (route) => route.abort());
    await page.getByRole("link", { name: "Alerts", exact: true }).click();
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /does not answer/);
    await page.unroute(apis);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
  });

  it("takes an exact range, and refuses one that is upside down", async () => {
    const page = await visit("/ui/metrics");
    await page.getByRole("button", { name: "Time range" }).click();
    const dialog = page.getByRole("dialog", { name: "Time range" });
    await dialog.getByLabel("From").fill("now");
    await dialog.getByLabel("To").fill("now-1h");
    assert.ok(await dialog.getByRole("button", { name: "Apply" }).isDisabled());
    await dialog.getByLabel("From").fill("now-2h");
    await dialog.getByRole("button", { name: "Apply" }).click();
    await until(() => parameters(page).get("from") === "now-2h" && parameters(page).get("to") === "now-1h", "the range in the URL");
  });

  it("reloads by the clock when asked", async () => {
    const page = await visit("/?refresh=1s");
    let requests = 0;
    page.on("request", (request) => {
      if (request.url().includes("/api/v1/query_range")) requests += 1;
    });
    await until(() => requests >= 2, "two reloads");
  });

  it("is driven by keys", async () => {
    const page = await visit("/");
    await page.getByTestId("tile-logs").waitFor();
    for (const [key, want] of [["v", "/ui/services"], ["m", "/ui/metrics"], ["l", "/ui/logs"], ["t", "/ui/traces"], ["a", "/ui/alerts"], ["s", "/ui/targets"], ["c", "/ui/cardinality"], ["i", "/ui/status"], ["h", "/"]]) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForURL((url) => url.pathname === want);
    }
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await help.waitFor();
    await page.keyboard.press("Escape");
    await help.waitFor({ state: "hidden" });
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.locator("[data-editor=logs] .cm-content").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("gm?");
    assert.match(await page.locator("[data-editor=logs] .cm-content").innerText(), /gm\?/, "keys typed into the search are text");
    assert.equal(path(page), "/ui/logs");
  });

  it("is dark when the system is, and when told so", async () => {
    const page = await visit("/", { colorScheme: "dark" });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.getByTestId("tile-logs").waitFor();
    const dark = await background();
    await page.getByRole("button", { name: /^Theme/ }).click();
    await until(async () => await background() !== dark, "the light theme");
    await page.getByRole("button", { name: /^Theme/ }).click();
    await until(async () => await background() === dark, "the dark theme");
    await page.reload();
    assert.equal(await background(), dark);
  });

  it("names everything that can be operated, on every page", async () => {
    const page = await visit("/");
    for (const address of ["/", "/ui/metrics", "/ui/logs", "/ui/traces", "/ui/alerts", "/ui/alerts/silences?form=new", "/ui/alerts/notifications", "/ui/alerts/routing", "/ui/alerts/editor", "/ui/services", "/ui/targets", "/ui/cardinality", "/ui/status"]) {
      await page.goto(session.base + address);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle");
      const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select, [role=treeitem]")]
        .filter((element) => (element.getAttribute("aria-label") ?? element.textContent ?? "").trim() === "" && element.closest("label") === null)
        .map((element) => element.outerHTML.slice(0, 120)));
      assert.deepEqual(nameless, [], address);
    }
  });

  it("says so when a page does not exist", async () => {
    const page = await visit("/ui/nowhere");
    await page.getByText("There is no such page").waitFor();
  });
});

import { describe, expect, it } from "vitest";
import type { LogRow } from "../../api/loki.ts";
import { parseSelection, printSelection } from "./logql.ts";
import { appendOlder, logqlOf, narrowed, olderEnd, severityOf, severityOfNumber, sqlOf, toEntries } from "./model.ts";
import { LOGS_URL, type LogsView } from "./url.ts";

const VIEW: LogsView = { query: "", service: "", severities: [], trace: "", span: "", row: "" };
const row = (nanos: string, line: string, more: Partial<LogRow> = {}): LogRow => ({ nanos, line, stream: { service_name: "cart" }, metadata: {}, ...more });

describe("url", () => {
  it("reads back what it wrote", () => {
    const view: LogsView = { query: '{a="b"} |= "x y"', service: "cart", severities: ["warn", "error"], trace: "ab12", span: "cd", row: "17.1" };
    const params = new URLSearchParams();
    for (const [name, value] of LOGS_URL.print(view)) if (value !== undefined && value !== "") params.set(name, value);
    expect(LOGS_URL.parse(new URLSearchParams(params.toString()))).toEqual(view);
  });

  it("drops identifiers that are none, because they become part of a query", () => {
    expect(LOGS_URL.parse(new URLSearchParams("trace=' OR 1=1&severity=loud")).trace).toBe("");
  });
});

describe("logql", () => {
  it.each([
    ['{service_name="a"}', '{service_name="a"}'],
    ['{a="b",c=~"d|e"} |= "x" != `y"z`', '{a="b", c=~"d|e"} |= "x" != "y\\"z"'],
    ["{}", '{service_name=~".+"}'],
  ])("parses %s", (text, want) => {
    const parsed = parseSelection(text);
    expect(parsed === null ? null : printSelection(parsed)).toBe(want);
  });

  it.each(['{a="b"', "{a}", '{a="b"} | json', '{a="b"} |= x', "rate({})"])("leaves %s to the server", (text) => {
    expect(parseSelection(text)).toBeNull();
  });

  it.each<[string, Partial<LogsView>, string]>([
    ["everything", {}, '{service_name=~".+"}'],
    ["text", { query: 'say "hi"' }, '{service_name=~".+"} |= "say \\"hi\\""'],
    ["a service", { query: '{level="x"}', service: "cart" }, '{service_name="cart", level="x"}'],
    ["severities", { service: "cart", severities: ["warn", "error"] }, '{service_name="cart", level=~"(?i)(warn|err).*"}'],
    ["a span of a trace", { trace: "ab", span: "cd" }, '{trace_id="ab", span_id="cd"}'],
    ["what only the server understands", { query: '{a="b"} | json', service: "cart" }, '{a="b"} | json'],
  ])("asks for %s", (_, view, want) => {
    expect(logqlOf({ ...VIEW, ...view })).toBe(want);
  });
});

describe("sqlOf", () => {
  it("says the same as the LogQL", () => {
    const view: LogsView = { ...VIEW, query: '{service_name=~"a|b"} |= "it\'s" !~ "x.y"', severities: ["error"], trace: "ab" };
    expect(sqlOf(view)).toEqual([
      "CAST(service AS VARCHAR) ~ '^(?:a|b)$'",
      "strpos(coalesce(body, ''), 'it''s') > 0",
      "coalesce(body, '') !~ 'x.y'",
      "(severity_number BETWEEN 17 AND 20)",
      "trace_id = 'ab'",
    ]);
  });

  it("says nothing about labels that are no columns", () => {
    expect(sqlOf({ ...VIEW, query: '{pod="a"}' })).toBeNull();
  });
});

describe("severity", () => {
  it.each([["ERROR", "error"], ["Err", "error"], ["warning", "warn"], ["CRITICAL", "fatal"], ["", "info"], ["notice", "info"]] as const)("%s is %s", (text, want) => {
    expect(severityOf(text)).toBe(want);
  });
  it.each([[0, "info"], [1, "trace"], [9, "info"], [13, "warn"], [20, "error"], [24, "fatal"]] as const)("%i is %s", (value, want) => {
    expect(severityOfNumber(value)).toBe(want);
  });
});

describe("entries", () => {
  it("finds service, severity and trace wherever they are, and keeps keys apart", () => {
    const entries = toEntries([row("2000000", "a", { stream: { service_name: "cart", level: "WARN" }, metadata: { trace_id: "t", span_id: "s" } }), row("2000000", "b")]);
    expect(entries.map((entry) => entry.key)).toEqual(["2000000", "2000000.1"]);
    expect(entries[0]).toMatchObject({ service: "cart", severity: "warn", trace: "t", span: "s", ms: 2 });
  });
});

describe("paging", () => {
  it("keeps equals of the oldest row once", () => {
    const newer = [row("300", "c"), row("200", "b")];
    const older = [row("200", "b"), row("200", "other"), row("100", "a")];
    expect(olderEnd(newer)).toBe("201");
    expect(appendOlder(newer, older).map((each) => each.line)).toEqual(["c", "b", "other", "a"]);
  });
});

describe("narrowed", () => {
  it("adds a matcher to the selector and keeps the filters", () => {
    expect(narrowed({ ...VIEW, query: "boom" }, "pod", "x", true).query).toBe('{pod="x"} |= "boom"');
    expect(narrowed({ ...VIEW, query: '{pod="x"}' }, "pod", "x", false).query).toBe('{pod!="x"}');
    expect(narrowed(VIEW, "service_name", "cart", true).service).toBe("cart");
  });
});

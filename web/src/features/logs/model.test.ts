import { describe, expect, it } from "vitest";
import { toRecord } from "../../api/logs.ts";
import type { LogRow } from "../../api/loki.ts";
import { appendOlder, facetsOf, fieldOf, olderEnd, recordOf, streamOf, toEntries } from "./model.ts";
import { severityOf } from "./severity.ts";
import { EVERYTHING, LOGS_URL, type LogsView } from "./url.ts";

const row = (nanos: string, line: string, more: Partial<LogRow> = {}) => recordOf({ nanos, line, stream: { service_name: "cart" }, metadata: {}, ...more });

describe("url", () => {
  const roundTrip = (view: LogsView): LogsView => {
    const params = new URLSearchParams();
    for (const [name, value] of LOGS_URL.print(view)) if (value !== undefined && value !== "") params.set(name, value);
    return LOGS_URL.parse(new URLSearchParams(params.toString()));
  };

  it("reads back what it wrote", () => {
    const view: LogsView = { query: '{a="b"} |= "x y"', service: "cart", severities: ["warn", "error"], trace: "ab12", span: "cd", row: "17.1", context: true, tab: "patterns", live: true, wrap: true, fields: "hidden", hidden: [0, 12] };
    expect(roundTrip(view)).toEqual(view);
    expect(roundTrip(EVERYTHING)).toEqual(EVERYTHING);
  });

  it("drops identifiers that are none, because they become part of a query", () => {
    expect(LOGS_URL.parse(new URLSearchParams("trace=' OR 1=1&severity=loud")).trace).toBe("");
  });
});

describe("severity", () => {
  it.each([["ERROR", "error"], ["Err", "error"], ["warning", "warn"], ["CRITICAL", "fatal"], ["", "info"], ["notice", "info"], ["unknown", "info"]] as const)("%s is %s", (text, want) => {
    expect(severityOf(text)).toBe(want);
  });
});

describe("records", () => {
  it("of the Loki API have service, severity and trace wherever they are, and keys that differ", () => {
    const entries = toEntries([row("2000000", "a", { stream: { service_name: "cart", level: "WARN" }, metadata: { trace_id: "t", span_id: "s" } }), row("2000000", "b")]);
    expect(entries.map((entry) => entry.key)).toEqual(["2000000", "2000000.1"]);
    expect(entries[0]).toMatchObject({ service: "cart", severity: "warn", trace: "t", span: "s", ms: 2 });
  });

  it("of the search have every attribute with its type and whose it is", () => {
    const record = toRecord({ timestamp_ns: "5", level: "info", service: "cart", body: { a: 1 }, trace_id: "t", attributes: { size: 2, ratio: 0.5, tags: ["x"], ok: true, none: null }, resource: { host: "h" }, scope: { name: "lib", attributes: { language: "go" } } });
    expect(record.line).toBe('{"a":1}');
    expect(record.attributes.map((each) => `${each.of} ${each.name}=${each.value} ${each.type}`)).toEqual([
      "record none= empty", "record ok=true boolean", "record ratio=0.5 number", "record size=2 integer", 'record tags=["x"] list',
      "resource host=h text", "record trace_id=t text", "scope scope.name=lib text", "scope scope.attributes.language=go text",
    ]);
  });

  it("name their own attribute in full where the resource has one of the same name", () => {
    const record = toRecord({ attributes: { host: "a", size: 1 }, resource: { host: "b" } });
    expect(record.attributes.map((each) => fieldOf(each, record.attributes))).toEqual(["attributes.host", "size", "host"]);
  });

  it("tell their stream by what does not change in it", () => {
    const record = toRecord({ service: "cart", attributes: { size: 1 }, resource: { "service.name": "cart", "host.name": "node 1", "process.pid": 7 } });
    expect(streamOf(record)).toBe('service:cart host.name:"node 1"');
    expect(streamOf(row("1", "a", { stream: { service_name: "cart", detected_level: "info", pod: "cart-1" } }))).toBe("service:cart pod:cart-1");
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

describe("facetsOf", () => {
  it("counts values of the loaded rows and leaves out fields that differ in each", () => {
    const rows = [["1", "info"], ["2", "info"], ["3", "error"]].map(([nanos = "", level = ""]) => row(nanos, "x", { stream: { detected_level: level }, metadata: { id: nanos } }));
    expect(facetsOf(rows, 1)).toEqual([{ field: "detected_level", count: 3, distinct: 2, isCut: false, values: [{ value: "info", count: 2 }] }]);
  });
});

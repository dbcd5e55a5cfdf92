import { describe, expect, it } from "vitest";
import { contextAt, type LogqlContext } from "./logql.ts";

describe("contextAt", () => {
  it.each<[string, LogqlContext]>([
    ["{", { kind: "label", from: 1 }],
    ["{ser", { kind: "label", from: 1 }],
    ['{service_name="a", lev', { kind: "label", from: 19 }],
    ['{service_name="', { kind: "value", label: "service_name", from: 15 }],
    ['{service_name=~"che', { kind: "value", label: "service_name", from: 16 }],
    ['{a="b"', { kind: "none" }],
    ['{a="b"} ', { kind: "stage", from: 8 }],
    ['{a="b"} |', { kind: "stage", from: 8 }],
    ['{a="b"} |= "err', { kind: "none" }],
    ['{a="b"} |= "x" ', { kind: "stage", from: 15 }],
    ['{a="}', { kind: "value", label: "a", from: 4 }],
    ["timeout", { kind: "none" }],
  ])("%s", (before, want) => {
    expect(contextAt(before)).toEqual(want);
  });
});

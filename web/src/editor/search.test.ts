import { describe, expect, it } from "vitest";
import { searchContextAt, type SearchContext } from "./search.ts";

describe("searchContextAt", () => {
  it.each<[string, SearchContext]>([
    ["", { kind: "field", from: 0 }],
    ["lev", { kind: "field", from: 0 }],
    ["timeout -ser", { kind: "field", from: 9 }],
    ["(http.resp", { kind: "field", from: 1 }],
    ["level:", { kind: "value", field: "level", from: 6, isQuoted: false }],
    ["a -k8s.pod.name:car", { kind: "value", field: "k8s.pod.name", from: 16, isQuoted: false }],
    ['route:"/a b', { kind: "value", field: "route", from: 7, isQuoted: true }],
    ["level:(warn OR er", { kind: "value", field: "level", from: 15, isQuoted: false }],
    ["odd\\ name:x", { kind: "value", field: "odd name", from: 10, isQuoted: false }],
    ['"timed ou', { kind: "none" }],
    ['"timed out" le', { kind: "field", from: 12 }],
    ["500", { kind: "none" }],
  ])("%s", (before, want) => {
    expect(searchContextAt(before)).toEqual(want);
  });
});

import { expect, it } from "vitest";
import { join, paths } from "./paths.ts";
import { DEFAULT_RANGE } from "./time/range.ts";

it("leaves out what is empty and the default range", () => {
  expect(join("/ui/logs", [["q", ""], ["service", undefined]], DEFAULT_RANGE)).toBe("/ui/logs");
  expect(paths.logs({ service: "cart" }, { from: "now-5m", to: "now" })).toBe("/ui/logs?service=cart&from=now-5m&to=now");
});

it("escapes what stands in a query and in an identifier", () => {
  expect(new URLSearchParams(paths.metrics('a{b="c&d"}', null).split("?")[1]).get("q")).toBe('a{b="c&d"}');
  expect(paths.trace("a/b", "cd", null)).toBe("/ui/traces/a%2Fb?span=cd");
});

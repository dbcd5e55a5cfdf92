import { describe, expect, it } from "vitest";
import { layout, spread, type Edge } from "./layout.ts";

const edges = (...pairs: string[]): Edge[] => pairs.map((pair) => ({ client: pair[0] ?? "", server: pair[1] ?? "" }));
const column = (found: ReturnType<typeof layout>, name: string): number => found.places.get(name)?.column ?? -1;

describe("layout", () => {
  it("puts who is called behind all of its callers", () => {
    const found = layout([..."abcd"], edges("ab", "bc", "ac", "cd"));
    expect([..."abcd"].map((name) => column(found, name))).toEqual([0, 1, 2, 3]);
    expect(found.columns).toBe(4);
  });
  it("leads a long line through the columns between, past the boxes there", () => {
    const found = layout([..."abc"], edges("ab", "bc", "ac"));
    const path = found.paths[2] ?? [];
    expect(path.map((point) => point.column)).toEqual([0, 1, 2]);
    expect(Math.abs((path[1]?.row ?? 0) - (found.places.get("b")?.row ?? 0))).toBeGreaterThanOrEqual(1);
  });
  it("bears cycles, calls to oneself and what is not there", () => {
    const found = layout([..."abc"], edges("ab", "ba", "aa", "ax", "bc", "ca"));
    expect(new Set([..."abc"].map((name) => column(found, name)))).toEqual(new Set([0, 1, 2]));
    expect(found.paths[0]?.map((point) => point.column)).toEqual([0, 1]);
    expect(found.paths[1]?.map((point) => point.column)).toEqual([1, 0]);
    expect(found.paths[2]).toEqual([]);
    expect(found.paths[3]).toEqual([]);
    expect(found.paths[5]?.map((point) => point.column)).toEqual([2, 1, 0]);
  });
  it("stands nobody on another, and begins at the first row", () => {
    const names = [..."abcdefghij"];
    const found = layout(names, edges("ab", "ac", "ad", "ae", "bf", "cf", "dg", "eg", "fh", "gh", "hi"));
    for (const one of names) for (const other of names) {
      if (one >= other || column(found, one) !== column(found, other)) continue;
      expect(Math.abs((found.places.get(one)?.row ?? 0) - (found.places.get(other)?.row ?? 0))).toBeGreaterThanOrEqual(1 - 1e-9);
    }
    expect(Math.min(...[...found.places.values()].map((point) => point.row))).toBeGreaterThanOrEqual(0);
    expect(found.rows).toBeGreaterThanOrEqual(4);
  });
  it("uncrosses what need not cross", () => {
    const found = layout(["a", "b", "x", "y"], [{ client: "a", server: "y" }, { client: "b", server: "x" }]);
    const row = (name: string): number => found.places.get(name)?.row ?? 0;
    expect(Math.sign(row("a") - row("b"))).toBe(Math.sign(row("y") - row("x")));
  });
  it("is nothing of nothing", () => {
    expect(layout([], [])).toMatchObject({ columns: 0, rows: 0, paths: [] });
    expect(layout(["a"], [])).toMatchObject({ columns: 1, rows: 1 });
  });
});

it("keeps a row of distance, as near as possible to what is wanted", () => {
  expect(spread([0, 0, 0])).toEqual([-1, 0, 1]);
  expect(spread([0, 5])).toEqual([0, 5]);
  expect(spread([3, 1])).toEqual([1.5, 2.5]);
  expect(spread([])).toEqual([]);
});

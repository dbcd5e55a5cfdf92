import { expect, it } from "vitest";
import { placed, type Stretch } from "./model.ts";

const stretch = (startMs: number, endMs: number): Stretch => ({ state: "firing", tone: "bad", startMs, endMs, isOpen: false, note: "" });

it("cuts stretches at the window and leaves out those outside", () => {
  const found = placed([stretch(Number.NEGATIVE_INFINITY, 125), stretch(150, 160), stretch(190, 400), stretch(0, 99), stretch(201, 300)], { startMs: 100, endMs: 200 });
  expect(found.map(({ left, width }) => [left, Number(width.toFixed(6))])).toEqual([[0, 0.25], [0.5, 0.1], [0.9, 0.1]]);
});

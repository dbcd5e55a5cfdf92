import { describe, expect, it } from "vitest";
import { recordOf } from "./model.ts";
import { TAIL_ROWS_MAX, begun, nextStart, received, resumed, skipped } from "./tail.ts";

const SECOND = 1_000_000_000;
const at = (second: number, line = `line ${second}`) => recordOf({ nanos: String(BigInt(1_700_000_000 + second) * BigInt(SECOND)), line, stream: {}, metadata: {} });
const nanos = (second: number): string => at(second).nanos;
const lines = (records: { line: string }[]): string[] => records.map((record) => record.line);

describe("a tail", () => {
  it("shows what is new, once, newest first, and finds what came late", () => {
    let tail = begun([at(20), at(15), at(0)], nanos(20));
    expect(nextStart(tail)).toBe(nanos(10));
    tail = received(tail, nextStart(tail), [at(22), at(20), at(15)], 3, false);
    expect(lines(tail.shown)).toEqual(["line 22"]);
    tail = received(tail, nextStart(tail), [at(23), at(22), at(20), at(18, "late"), at(15)], 5, false);
    expect(lines(tail.shown)).toEqual(["line 23", "line 22", "late"]);
    expect(tail.dropped).toBe(0);
  });

  it("lets records wait while the reader looks elsewhere", () => {
    let tail = received(begun([], nanos(0)), nanos(0), [at(1)], 1, false);
    tail = received(tail, nanos(0), [at(3), at(2), at(1)], 3, true);
    expect([lines(tail.shown), lines(tail.waiting)]).toEqual([["line 1"], ["line 3", "line 2"]]);
    expect(lines(resumed(tail).shown)).toEqual(["line 3", "line 2", "line 1"]);
  });

  it("counts what a full answer leaves out, and does not ask for it again", () => {
    let tail = begun([at(5)], nanos(5));
    // 1 known, 2 in the answer, 10 in all: 7 were left out.
    tail = received(tail, nextStart(tail), [at(9), at(8)], 10, false);
    expect(tail.dropped).toBe(7);
    expect(nextStart(tail)).toBe(nanos(8));
    expect(skipped(tail, 3).dropped).toBe(10);
  });

  it("is bounded, and counts what waited too long", () => {
    const many = Array.from({ length: TAIL_ROWS_MAX + 5 }, (_, index) => at(TAIL_ROWS_MAX + 5 - index));
    const open = received(begun([], nanos(0)), nanos(0), many, null, false);
    expect([open.shown.length, open.dropped]).toEqual([TAIL_ROWS_MAX, 0]);
    const paused = received(begun([], nanos(0)), nanos(0), many, null, true);
    expect([paused.waiting.length, paused.dropped]).toEqual([TAIL_ROWS_MAX, 5]);
    expect(open.known.size).toBeLessThan(20);
  });
});

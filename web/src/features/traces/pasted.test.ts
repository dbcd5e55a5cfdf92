import { describe, expect, it } from "vitest";
import { pastedTrace } from "./pasted.ts";

const TRACE = "5b8efff798038103d269b633813fc60c";
const SPAN = "eee19b7ec3c1b174";

describe("pastedTrace", () => {
  const cases: [string, string | null, string | null][] = [
    [TRACE, TRACE, null],
    [` "${TRACE.toUpperCase()}",\n`, TRACE, null],
    [SPAN, SPAN, null],
    ["b8efff798038103d269b633813fc60c", "b8efff798038103d269b633813fc60c", null],
    [`00-${TRACE}-${SPAN}-01`, TRACE, SPAN],
    [`${TRACE}-${SPAN}-1`, TRACE, SPAN],
    [`${SPAN}-${SPAN}`, SPAN, SPAN],
    ["1795456800000000", null, null],
    ["5b8efff7", null, null],
    [`trace ${TRACE} failed`, null, null],
    ["5b8efff7-9803-8103-d269-b633813fc60c", null, null],
    ["", null, null],
    [" ".repeat(1000) + TRACE, null, null],
  ];
  it.each(cases)("of %s is %s, %s", (text, trace, span) => {
    expect(pastedTrace(text)).toEqual(trace === null ? null : { trace, span });
  });
});

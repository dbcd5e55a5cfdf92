import { describe, expect, it } from "vitest";
import { matcher, operatorOf, parseLabels, parseMatchers, printLabels, printMatchers, readLabels } from "./matchers.ts";

describe("parseMatchers", () => {
  it.each([
    ['{alertname="A", severity=~"page|ticket"}', [matcher("alertname", "=", "A"), matcher("severity", "=~", "page|ticket")]],
    ['a!="b",', [matcher("a", "!=", "b")]],
    ["job=shop/cart", [matcher("job", "=", "shop/cart")]],
    ['"odd name"="say \\"x, y\\""', [matcher("odd name", "=", 'say "x, y"')]],
    ["a=", [matcher("a", "=", "")]],
    ["", []],
    ["{}", []],
  ])("%s", (text, want) => {
    expect(parseMatchers(text)).toEqual(want);
  });
  it.each(["a", 'a="b', 'a=="b"', "= 1", 'a="b" c="d"'])("refuses %s", (text) => {
    expect(parseMatchers(text)).toBeNull();
  });
  it("reads what is printed, whatever stands in it", () => {
    const set = [matcher("a", "=", 'q"uo\\te'), matcher("ünïcode name", "!~", "x{1,2}, y"), matcher("z", "!=", "")];
    expect(parseMatchers(printMatchers(set))).toEqual(set);
    expect(set.map(operatorOf)).toEqual(["=", "!~", "!="]);
  });
});

describe("labels", () => {
  it("are equalities only", () => {
    expect(parseLabels('alertname="A", job=b')).toEqual({ alertname: "A", job: "b" });
    expect(parseLabels('a=~"b"')).toBeNull();
    expect(parseLabels(printLabels({ "a b": "c,d", e: "" }))).toEqual({ "a b": "c,d", e: "" });
  });
  it("come from a URL, where anything may stand", () => {
    expect(readLabels('{"a":"b","n":1}')).toEqual({ a: "b" });
    expect(readLabels("[1]")).toEqual({});
    expect(readLabels("{")).toEqual({});
    expect(readLabels(null)).toEqual({});
  });
});

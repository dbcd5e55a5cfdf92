import { describe, expect, it } from "vitest";
import { askedBy, languageOf, narrowed, ofPattern } from "./language.ts";
import { selectors } from "./logql.ts";
import { parts, relaxations } from "./search.ts";
import { EVERYTHING, type LogsView } from "./url.ts";

const view = (query: string, more: Partial<LogsView> = {}): LogsView => ({ ...EVERYTHING, query, ...more });

describe("languageOf", () => {
  it.each([
    ["", "search"],
    ["rate limit exceeded", "search"],
    ['body:"count_over_time({a}"', "search"],
    [' {a="b"} | json', "logql"],
    ['sum by (a) (count_over_time({b="c"} |= "d" [1m]))', "metric"],
    ['1 - (rate({a="b"}[5m]) / rate({c="d"}[5m]))', "metric"],
  ] as const)("%s is %s", (query, want) => {
    expect(languageOf(query)).toBe(want);
  });
});

describe("askedBy", () => {
  it.each<[string, LogsView, string]>([
    ["everything", view(""), ""],
    ["text alone", view(" a OR b "), "a OR b"],
    ["text and what was chosen", view("a OR b", { service: "cart", severities: ["info", "warn"] }), "service:cart level:(info OR unknown OR warn) (a OR b)"],
    ["a span of a trace", view("x", { trace: "ab", span: "cd" }), "trace_id:ab span_id:cd x"],
    ["records without a service", view("", { service: "unknown_service" }), "-service:*"],
    ["LogQL alone", view('{a="}"} | json'), '{a="}"} | json'],
    ["LogQL and what was chosen", view('{a="b"} | json', { service: "cart", trace: "ab" }), '{service_name="cart", a="b"} | trace_id="ab" | json'],
    ["LogQL of the service already", view('{service_name="cart"}', { service: "cart", severities: ["error"] }), '{service_name="cart"} | detected_level=~"(?i)(err).*"'],
    ["each selector of a metric query", view('rate({a="b"}[1m]) / rate({}[1m])', { service: "s" }), 'rate({service_name="s", a="b"}[1m]) / rate({service_name="s"}[1m])'],
    ["what is not closed as it is", view('{a="b', { service: "s" }), '{a="b'],
  ])("asks for %s", (_, asked, want) => {
    expect(askedBy(asked)).toBe(want);
  });
});

describe("narrowed", () => {
  it.each<[string, string, string, boolean, string]>([
    ["", "http.route", "/a b", true, 'http.route:"/a b"'],
    ["timeout", "user", "anna", true, "timeout user:anna"],
    ["timeout user:bert", "user", "anna", true, "timeout user:anna"],
    ["timeout user:anna", "user", "anna", true, "timeout user:anna"],
    ["timeout user:anna", "user", "anna", false, "timeout -user:anna"],
    ["timeout AND user:anna", "user", "anna", false, "timeout -user:anna"],
    ["-user:anna", "user", "bert", false, "-user:anna -user:bert"],
    ["status:>=500", "status", "503", true, "status:>=500 status:503"],
    ["a OR b", "user", "anna", true, "(a OR b) user:anna"],
    ["(a OR b) c", "user", 'an"na', true, '(a OR b) c user:"an\\"na"'],
    ["", "odd name", "OR", true, 'odd\\ name:"OR"'],
    ['{a="b"} | json', "http.route", "/a", true, '{a="b"} | json | http_route="/a"'],
    ['{a="b"} | x="1"', "x", "1", false, '{a="b"} | x!="1"'],
  ])("%s by %s=%s (%s) is %s", (query, field, value, wanted, want) => {
    expect(narrowed(view(query), field, value, wanted).query).toBe(want);
  });

  it("chooses a service instead of writing it", () => {
    expect(narrowed(view("x"), "service.name", "cart", true)).toMatchObject({ query: "x", service: "cart" });
    expect(narrowed(view("x"), "service", "cart", false)).toMatchObject({ query: "x -service:cart", service: "" });
  });

  it("narrows to a pattern in either language", () => {
    expect(ofPattern(view("x", { tab: "patterns" }), 'GET <_> "a"', true)).toMatchObject({ query: 'x pattern:"GET <_> \\"a\\""', tab: "records" });
    expect(ofPattern(view('{a="b"}', { tab: "patterns" }), "GET <_>", false)).toMatchObject({ query: '{a="b"} !> "GET <_>"', tab: "patterns" });
  });
});

it("splits a query at white space outside of quotes and groups", () => {
  expect(parts('a "b c" d:(e OR "f)") \\"g h\\ i')).toEqual(["a", '"b c"', 'd:(e OR "f)")', '\\"g', "h\\ i"]);
});

it("finds selectors outside of strings", () => {
  expect(selectors('rate({a="}{"} |= `{` [1m]) / {b')).toEqual([{ open: 5, close: 12 }]);
});

describe("relaxations", () => {
  it.each<[string, [string, string][]]>([
    ['service:cart level:error "timed out"', [["service:cart", 'level:error "timed out"'], ["level:error", 'service:cart "timed out"'], ['"timed out"', "service:cart level:error"]]],
    ["a AND b", [["a", "b"], ["b", "a"]]],
    ["a NOT b", [["a", "NOT b"], ["NOT b", "a"]]],
    ["a -path:/health", [["a", "-path:/health"], ["-path:/health", "a"]]],
    ["a OR b", []],
    ["alone", []],
    ["a b c d e f g", []],
  ])("%s", (query, want) => {
    expect(relaxations(query).map((way) => [way.part, way.query])).toEqual(want);
  });
});

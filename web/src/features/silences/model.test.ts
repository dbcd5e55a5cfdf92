import { describe, expect, it } from "vitest";
import { toSilence, type Silence } from "../../api/alertmanager.ts";
import { matcher } from "../../api/matchers.ts";
import { begun, counts, formFor, formLike, formOf, isEndingSoon, read, shown, silencedBy, type Form } from "./model.ts";
import { SILENCES_URL } from "./url.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const HOUR = 3_600_000;
const silence = (more: Partial<Silence> = {}): Silence => ({
  id: "1", state: "active", matcherSets: [[matcher("alertname", "=", "Down")]], startsAtMs: NOW - HOUR, endsAtMs: NOW + HOUR, updatedAtMs: NOW, createdBy: "ada", comment: "moving racks", ...more,
});
const whole: Form = { ...formFor({ alertname: "Down" }, "ada"), comment: "moving racks" };

describe("isEndingSoon", () => {
  it.each([
    ["a quarter of its length is left", NOW - 3 * HOUR, NOW + 0.9 * HOUR, true],
    ["more than a quarter is left", NOW - HOUR, NOW + 0.5 * HOUR, false],
    ["more than an hour is left of a long one", NOW - 100 * HOUR, NOW + 2 * HOUR, false],
  ])("%s", (_, startsAtMs, endsAtMs, want) => {
    expect(isEndingSoon(silence({ startsAtMs, endsAtMs }), NOW)).toBe(want);
  });
  it("is not said of one that has ended", () => {
    expect(isEndingSoon(silence({ state: "expired", endsAtMs: NOW - 1 }), NOW)).toBe(false);
  });
});

it("finds silences by state and by words anywhere", () => {
  const all = [silence(), silence({ id: "2", state: "expired", createdBy: "eve" }), silence({ id: "3", state: "pending", matcherSets: [[matcher("team", "=~", "a|b")]] })];
  const none = { states: [], find: "", form: "", id: "", labels: {} } as const;
  expect(counts(all)).toEqual({ active: 1, pending: 1, expired: 1 });
  expect(shown(all, { ...none, states: ["expired"] }).map(({ id }) => id)).toEqual(["2"]);
  expect(shown(all, { ...none, find: 'team=~"a racks' }).map(({ id }) => id)).toEqual(["3"]);
});

it("counts what each keeps quiet", () => {
  const alert = (...ids: string[]) => ({ silencedBy: ids }) as never;
  expect(silencedBy([alert("1", "2"), alert("1"), alert()])).toEqual(new Map([["1", 2], ["2", 1]]));
});

describe("the form", () => {
  it("becomes a silence from now on", () => {
    expect(read(whole, NOW)).toEqual({ faults: [], draft: { id: "", matchers: [matcher("alertname", "=", "Down")], startsAtMs: NOW, endsAtMs: NOW + 2 * HOUR, createdBy: "ada", comment: "moving racks" } });
  });
  it.each<[string, Partial<Form>, RegExp]>([
    ["no matcher", { matchers: [] }, /at least one matcher/],
    ["no name", { matchers: [matcher(" ", "=", "x")] }, /no name/],
    ["everything", { matchers: [matcher("a", "=~", ".*"), matcher("b", "!=", "x")] }, /silence everything/],
    ["no comment", { comment: " " }, /why/],
    ["no creator", { createdBy: "" }, /who/],
    ["an odd duration", { duration: "2 weeks" }, /no duration/],
    ["neither duration nor end", { duration: "" }, /how long/],
    ["an end before the beginning", { start: "now+2h", duration: "", end: "now+1h" }, /before it begins/],
    ["a past end", { start: "now-2h", duration: "1h" }, /already over/],
    ["no time", { start: "soon" }, /no time/],
  ])("refuses %s", (_, more, want) => {
    const { draft, faults } = read({ ...whole, ...more }, NOW);
    expect(draft).toBeNull();
    expect(faults.join(" ")).toMatch(want);
  });
  it("leaves out rows that were never begun", () => {
    expect(begun([matcher("", "=", ""), matcher(" a ", "=~", "b")])).toEqual([matcher("a", "=~", "b")]);
  });
  it("changes a silence with its own times, and repeats one from now", () => {
    const print = (ms: number): string => new Date(ms).toISOString();
    expect(read(formOf(silence(), print), NOW).draft).toMatchObject({ id: "1", startsAtMs: NOW - HOUR, endsAtMs: NOW + HOUR });
    expect(read(formLike(silence({ state: "expired" }), "eve"), NOW).draft).toMatchObject({ id: "", startsAtMs: NOW, endsAtMs: NOW + 2 * HOUR, createdBy: "eve" });
  });
});

it("reads silences of one set of matchers and of several", () => {
  const wire = { id: "a", status: { state: "active" }, matchers: [{ name: "a", value: "b", isRegex: false }], startsAt: "2026-11-24T12:00:00Z" };
  expect(toSilence(wire)).toMatchObject({ state: "active", startsAtMs: NOW, matcherSets: [[matcher("a", "=", "b")]] });
  expect(toSilence({ ...wire, matcherSets: [[], [{ name: "c", value: "", isRegex: true, isEqual: false }]] }).matcherSets).toEqual([[], [matcher("c", "!~", "")]]);
});

it("keeps its view in the URL", () => {
  const parse = (text: string) => SILENCES_URL.parse(new URLSearchParams(text));
  expect(parse('state=active,odd&form=new&labels={"a":"b"}')).toEqual({ states: ["active"], find: "", form: "new", id: "", labels: { a: "b" } });
  const printed = SILENCES_URL.print({ ...parse("form=edit&id=7&find=x"), form: "" });
  expect(new Map(printed.map(([name, value]) => [name, value]))).toEqual(new Map([["state", ""], ["find", "x"], ["form", ""], ["id", ""], ["labels", ""]]));
});

import { describe, expect, it } from "vitest";
import { toRoute, type RouteMatch } from "../../api/alerting.ts";
import { choices, ownTimings, size, stepsTo, touchOf } from "./model.ts";
import { ROUTING_URL } from "./url.ts";

const TIMES = { group_by: ["alertname"], group_wait: "30s", group_interval: "5m", repeat_interval: "4h" };
const tree = toRoute({ receiver: "a", ...TIMES, routes: [{ receiver: "b", matchers: ['x="1"'], ...TIMES, repeat_interval: "1h", continue: true, routes: [{ receiver: "c", matchers: ['y="2"', 'z="3"'], ...TIMES, group_by: ["..."] }] }] });
const match = (...path: number[]): RouteMatch => ({ receiver: "", path, groupLabels: {}, isMutedNow: false, channels: [], groupBy: [], groupWait: "", groupInterval: "", repeatInterval: "" });

describe("the tree", () => {
  it("is read whole", () => {
    expect(size(tree)).toBe(3);
    expect(tree.routes[0]).toMatchObject({ receiver: "b", continues: true, matchers: ['x="1"'], repeatInterval: "1h", muteTimeIntervals: [] });
  });
  it("says of a node only what differs from the one above", () => {
    const [child] = tree.routes;
    expect(ownTimings(tree, null)).toEqual(["grouped by alertname", "first told after 30s", "changes after 5m", "repeated after 4h"]);
    expect(child && ownTimings(child, tree)).toEqual(["repeated after 1h"]);
    expect(child?.routes[0] && ownTimings(child.routes[0], child)).toEqual(["grouped by all labels", "repeated after 4h"]);
  });
  it("knows the way to a node", () => {
    expect(stepsTo(tree, [0, 0])).toEqual([['x="1"'], ['y="2"', 'z="3"']]);
    expect(stepsTo(tree, [])).toEqual([]);
    expect(stepsTo(tree, [4])).toEqual([]);
  });
});

it("marks where an alert passes and where it ends", () => {
  const matches = [match(0, 1), match(2)];
  expect([[], [0], [0, 1], [2], [1]].map((path) => touchOf(path, matches))).toEqual(["through", "through", "end", "end", "none"]);
  expect(touchOf([], [match()])).toBe("end");
  expect(touchOf([], [])).toBe("none");
});

it("offers each set of labels once", () => {
  const alert = (labels: Record<string, string>) => ({ labels }) as never;
  expect(choices([alert({ alertname: "B", a: "1" }), alert({ alertname: "A" }), alert({ alertname: "A" })]).map(({ name }) => name)).toEqual(["A", "B a=1"]);
});

it("keeps its view in the URL", () => {
  expect(ROUTING_URL.parse(new URLSearchParams('labels={"a":"b"}'))).toEqual({ labels: { a: "b" } });
  expect(ROUTING_URL.print({ labels: {} })).toEqual([["labels", ""]]);
});

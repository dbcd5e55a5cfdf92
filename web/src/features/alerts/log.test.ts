import { expect, it } from "vitest";
import { toNotification } from "../../api/alerting.ts";
import { bandsOf, explainedWindow } from "./history.ts";
import { logged, outcomeCounts, receiverNames } from "./log.ts";

const all = [
  toNotification({ id: 1, receiver: "shop", channel: "shop/slack[0]", outcome: "delivered", reason: "new", group_labels: { alertname: "Down" }, attempts: [{ ok: true, answer: "200 OK" }] }),
  toNotification({ id: 2, receiver: "on-call", channel: "x", outcome: "dead", reason: "resolved", alerts: [{ labels: { job: "cart" }, status: "resolved" }], attempts: [{ ok: false, answer: "410 Gone" }] }),
];

it("finds notifications by words anywhere", () => {
  expect(logged(all, "gone CART").map(({ id }) => id)).toEqual(["2"]);
  expect(logged(all, "slack down")).toHaveLength(1);
  expect(logged(all, " ")).toHaveLength(2);
});

it("counts outcomes and lists receivers", () => {
  expect(outcomeCounts(all)).toEqual({ delivered: 1, pending: 0, dead: 1 });
  expect(receiverNames(all, "gone")).toEqual(["gone", "on-call", "shop"]);
});

it("shades what fired and was pending, and shows what led to an instant", () => {
  const stretch = { state: "", startMs: 1, endMs: 2, isOpen: false, note: "" };
  expect(bandsOf([{ ...stretch, tone: "bad" }, { ...stretch, tone: "plain" }])).toEqual([{ startMs: 1, endMs: 2, tone: "bad" }]);
  expect(explainedWindow({ startMs: 0, endMs: 400 }, 1_000)).toEqual({ startMs: 700, endMs: 1_100 });
  expect(explainedWindow({ startMs: 0, endMs: 400 }, Number.NaN)).toEqual({ startMs: 0, endMs: 400 });
});

import { expect, it } from "vitest";
import type { DeskAlert } from "../api/alertmanager.ts";
import { episode, fresh, parseSeen, seenAfter } from "./firing.ts";

const alert = (fingerprint: string, startsAtMs: number): DeskAlert => ({ fingerprint, labels: {}, annotations: {}, startsAtMs, endsAtMs: 0, generatorUrl: "", receivers: [], state: "active", silencedBy: [], inhibitedBy: [], mutedBy: [] });
const [a, b, again] = [alert("a", 1), alert("b", 2), alert("a", 9)];

it("shows what nobody has seen, the newest first", () => {
  expect(fresh([a, b], new Set())).toEqual([b, a]);
  expect(fresh([a, b], new Set([episode(b)]))).toEqual([a]);
});

it("takes an alert that fires again for a new one", () => {
  expect(fresh([again], new Set([episode(a)]))).toEqual([again]);
});

it("forgets what no longer fires", () => {
  expect(seenAfter(new Set([episode(a), "gone@1"]), [b], [a, b])).toEqual([episode(a), episode(b)]);
});

it("reads what it wrote, and nothing from anything else", () => {
  expect(parseSeen(JSON.stringify(["x"]))).toEqual(new Set(["x"]));
  for (const text of [null, "{", "{}", "[1]"]) expect(parseSeen(text)).toEqual(new Set());
});

import { describe, expect, it } from "vitest";
import { press, type Shortcut } from "./shortcuts.ts";

const SHORTCUTS: Shortcut[] = [
  { keys: ["?"], label: "help", action: "help" },
  { keys: ["g", "m"], label: "metrics", action: "metrics" },
  { keys: ["r"], label: "reload", action: "reload" },
];

describe("press", () => {
  const cases: [string | null, string, string | null, string | null][] = [
    [null, "?", "help", null],
    [null, "g", null, "g"],
    ["g", "m", "metrics", null],
    ["g", "r", "reload", null],
    ["g", "g", null, "g"],
    ["g", "x", null, null],
    [null, "m", null, null],
  ];
  it.each(cases)("after %s, %s does %s and waits for %s", (pending, key, action, next) => {
    expect(press(SHORTCUTS, pending, key)).toEqual({ action, pending: next });
  });
});

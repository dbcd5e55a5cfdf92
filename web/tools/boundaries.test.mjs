import { describe, expect, it } from "vitest";
import { check, violations } from "./boundaries.mjs";

describe("boundaries", () => {
  it("hold", () => {
    expect(check()).toEqual([]);
  });
  it.each([
    ["a feature that imports another", "features/logs/LogsPage.tsx", 'import { x } from "../traces/model.ts";'],
    ["ui that knows the API", "ui/controls.tsx", 'import { x } from "../api/client.ts";'],
    ["time that knows ui", "time/range.ts", 'import { x } from "../ui/number.ts";'],
    ["a chart that loads a page", "charts/unit.ts", 'const x = import("../features/logs/model.ts");'],
    ["a file outside", "ui/Icon.tsx", 'import x from "../../mock/api.mjs";'],
    ["a banned name", "time/utils.ts", ""],
    ["an unknown floor", "stuff/a.ts", ""],
    ["a file that is too long", "ui/Icon.tsx", "\n".repeat(700)],
  ])("refuse %s", (_, file, text) => {
    expect(violations(file, text)).toHaveLength(1);
  });
  it("allow what the plan allows", () => {
    expect(violations("features/logs/LogsPage.tsx", 'import { x } from "../../api/loki.ts";\nimport y from "./model.ts";\nimport z from "react";')).toEqual([]);
  });
});

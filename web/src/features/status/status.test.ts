import { describe, expect, it } from "vitest";
import { toStatus } from "../../api/status.ts";
import { factsOf, levelsOf, sortedPairs } from "./model.ts";

const STATUS = toStatus({
  build: { version: "0.1.0", revision: "" },
  runtime: { startTime: "2026-11-24T04:00:00Z", CWD: "/srv", hostname: "", GOMAXPROCS: 4, storageRetention: "", corruptionCount: 0, GOGC: "75" },
  flags: { "web.b": "", "query.a": "5m" },
  configuration: { yaml: "global:\n" },
  blocks: { blocks: [
    { ulid: "a", minTime: 5, maxTime: 9, stats: { numSamples: 10 }, compaction: { level: 1 } },
    { ulid: "b", minTime: 1, maxTime: 4, stats: { numSamples: 30 }, compaction: { level: 3 } },
    { ulid: "c", minTime: 9, maxTime: 12, stats: { numSamples: 2 }, compaction: { level: 1 } },
  ] },
  notices: [{ text: "Configuration reload has failed.", active: true }, { text: "old", active: false }],
});

describe("status", () => {
  it("says what means something here, in words", () => {
    const facts = factsOf(STATUS, Date.UTC(2026, 10, 24, 6));
    expect(facts.map(([name]) => name)).toEqual(["version", "started", "working directory", "cores", "metrics are kept", "damage found"]);
    expect(Object.fromEntries(facts)).toMatchObject({ version: "0.1.0", cores: "4", "metrics are kept": "for ever", "damage found": "none" });
    expect(facts[1]?.[1]).toMatch(/, 2 h ago$/);
  });
  it("adds segments up by level, counted from 0", () => {
    expect(levelsOf(STATUS.segments)).toEqual([{ level: 0, segments: 2, samples: 12, startMs: 5, endMs: 12 }, { level: 2, segments: 1, samples: 30, startMs: 1, endMs: 4 }]);
  });
  it("keeps notices that are active, and sorts options", () => {
    expect(STATUS.notices).toEqual(["Configuration reload has failed."]);
    expect(sortedPairs(STATUS.flags)).toEqual([["query.a", "5m"], ["web.b", "–"]]);
  });
  it("survives answers that are none", () => {
    expect(toStatus({ build: 1, runtime: null, flags: [], configuration: "", blocks: {}, notices: {} })).toEqual({ build: {}, runtime: {}, flags: {}, configuration: "", segments: [], notices: [] });
  });
});

/** What the server is and how it was told to be: `/api/v1/status/*` and `/api/v1/notifications`, in Prometheus' shapes. */

import { getJson, isObject, list, text } from "./client.ts";

export interface Status {
  /** Version and where it was built from; what the build does not know is the empty text. */
  build: Readonly<Record<string, string>>;
  /** ISO times, working directory, host, cores, retention, as the server words them. */
  runtime: Readonly<Record<string, string>>;
  /** Options that are in force, by the names that Prometheus has for them. */
  flags: Readonly<Record<string, string>>;
  /** What a `prometheus.yml` would say. */
  configuration: string;
  segments: Segment[];
  /** What an operator should know now. */
  notices: string[];
}

/** A file of metrics on disk. */
export interface Segment {
  id: string;
  level: number;
  startMs: number;
  endMs: number;
  samples: number;
}

/** Everything there is to say of the server. */
export async function status(signal: AbortSignal): Promise<Status> {
  const ask = async (path: string): Promise<unknown> => {
    const body = await getJson(`/api/v1/${path}`, [], signal);
    return isObject(body) ? body["data"] : undefined;
  };
  const [build, runtime, flags, configuration, blocks, notices] = await Promise.all(
    ["status/buildinfo", "status/runtimeinfo", "status/flags", "status/config", "status/tsdb/blocks", "notifications"].map(ask),
  );
  return toStatus({ build, runtime, flags, configuration, blocks, notices });
}

export function toStatus({ build, runtime, flags, configuration, blocks, notices }: Record<"build" | "runtime" | "flags" | "configuration" | "blocks" | "notices", unknown>): Status {
  return {
    build: words(build),
    runtime: words(runtime),
    flags: words(flags),
    configuration: isObject(configuration) ? text(configuration["yaml"]) : "",
    segments: list(isObject(blocks) ? blocks["blocks"] : []).filter(isObject).map((block) => ({
      id: String(block["ulid"] ?? ""),
      level: isObject(block["compaction"]) ? Number(block["compaction"]["level"] ?? 1) - 1 : 0,
      startMs: Number(block["minTime"] ?? 0),
      endMs: Number(block["maxTime"] ?? 0),
      samples: isObject(block["stats"]) ? Number(block["stats"]["numSamples"] ?? 0) : 0,
    })),
    notices: list(notices).filter(isObject).filter((notice) => notice["active"] !== false).map((notice) => text(notice["text"])).filter((notice) => notice !== ""),
  };
}

function words(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, typeof each === "string" ? each : JSON.stringify(each)]));
}

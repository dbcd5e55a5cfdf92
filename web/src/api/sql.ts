/** SQL over `logs`, `spans` and `metrics`: `POST /api/v1/sql`. */

import type { TimeWindow } from "../time/range.ts";
import { ApiError, isObject, list, postJson, text } from "./client.ts";

/** An answer as rows of cells, with the names of the columns. */
export interface Rows {
  columns: string[];
  rows: unknown[][];
}

export async function sql(query: string, signal: AbortSignal): Promise<Rows> {
  const body = await postJson("/api/v1/sql", { query }, signal);
  if (!isObject(body) || !Array.isArray(body["rows"])) throw new ApiError("The answer is not one of the SQL API.", 200, "format");
  // Rows come as they are found: an error after the first ones stands at the end.
  if (isObject(body["error"])) throw new ApiError(text(body["error"]["message"]), 200, text(body["error"]["kind"]));
  const columns = list(body["columns"]).map((column) => (isObject(column) ? text(column["name"]) : text(column)));
  return { columns, rows: body["rows"].map(list) };
}

/** A text literal. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The condition that a row lies in the window. */
export function within(window: TimeWindow): string {
  return `timestamp >= to_timestamp_millis(${Math.floor(window.startMs)}) AND timestamp < to_timestamp_millis(${Math.ceil(window.endMs)})`;
}

/** The start of the bucket of a row, in seconds since the epoch: as a number, however the server writes timestamps. */
export function bucket(stepSeconds: number): string {
  return `CAST(date_part('epoch', date_bin(INTERVAL '${stepSeconds} seconds', timestamp)) AS BIGINT)`;
}

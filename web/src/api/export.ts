/** Everything that a query finds, as a file: `GET /api/v1/export`. */

export const EXPORT_FORMATS = [
  { format: "ndjson", name: "NDJSON", about: "a record a line, everything it carries" },
  { format: "csv", name: "CSV", about: "for spreadsheets" },
  { format: "parquet", name: "Parquet", about: "for DuckDB, pandas, Spark" },
  { format: "arrow", name: "Arrow", about: "a stream of record batches" },
] as const;

/** The address of the file. */
export function exportHref(query: { query: string; language: "search" | "logql"; startNanos: string; endNanos: string; format: string }): string {
  const search = new URLSearchParams({ query: query.query, language: query.language, start: query.startNanos, end: query.endNanos, format: query.format });
  return `/api/v1/export?${search.toString()}`;
}

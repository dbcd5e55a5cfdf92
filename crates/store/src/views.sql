-- The segments of this data directory for DuckDB: macros that take the path of the directory.
--
--     duckdb -init views.sql
--     SELECT name, labels ->> '$.job' AS job, avg(value) FROM samples('.') WHERE timestamp > now() - INTERVAL 1 DAY GROUP BY ALL;
--
-- Only what is flushed is here: the newest minutes are in the WAL. What is deleted stays here until its segments are merged or
-- purged (`POST /api/v1/admin/tsdb/clean_tombstones`); a sample that was sent twice may be here twice until then. The bytes
-- are described in crates/store/FORMAT.md. This file is written anew at each start.

-- One row a sample. `labels` is a JSON object with the name in it. Staleness markers are NaN.
CREATE OR REPLACE MACRO samples(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/samples/', 1) AS tenant,
        name,
        labels,
        timestamp,
        CASE WHEN mantissa IS NULL THEN value ELSE (base + mantissa) / divisor + coalesce(value, 0) END AS value,
        start_timestamp
    FROM read_parquet(data || '/segments/*/samples/*.parquet', filename = true);

-- One row a native histogram. Buckets as in Prometheus: spans of offsets and lengths, counts absolute; `custom_values` are the
-- upper bounds of schema -53.
CREATE OR REPLACE MACRO histograms(data) AS TABLE
    SELECT regexp_extract(filename, 'segments/([^/]+)/histograms/', 1) AS tenant, * EXCLUDE (filename)
    FROM read_parquet(data || '/segments/*/histograms/*.parquet', filename = true);

-- One row an exemplar. `labels` are those of its series, `exemplar_labels` its own; identifiers are lowercase hexadecimal.
CREATE OR REPLACE MACRO exemplars(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/exemplars/', 1) AS tenant,
        name,
        labels,
        timestamp,
        value,
        lower(hex(trace_id)) AS trace_id,
        lower(hex(span_id)) AS span_id,
        exemplar_labels
    FROM read_parquet(data || '/segments/*/exemplars/*.parquet', filename = true);

-- One row a log record. `attributes` is a map of text, `resource` and `scope` are JSON objects.
CREATE OR REPLACE MACRO logs(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/logs/', 1) AS tenant,
        * EXCLUDE (filename) REPLACE (lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id)
    FROM read_parquet(data || '/segments/*/logs/*.parquet', filename = true);

-- One row a span.
CREATE OR REPLACE MACRO spans(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/spans/', 1) AS tenant,
        * EXCLUDE (filename)
        REPLACE (lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, lower(hex(parent_span_id)) AS parent_span_id)
    FROM read_parquet(data || '/segments/*/spans/*.parquet', filename = true);

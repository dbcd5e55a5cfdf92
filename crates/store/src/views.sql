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

-- The attributes of a row: frequent ones are in columns of their own, the others in the map. Takes the map and these columns.
CREATE OR REPLACE MACRO all_attributes(rest, columns) AS
    map_concat(
        map_from_entries([
            {'key': own.key[12:], 'value': own.value}
            FOR own IN map_entries(CAST(to_json(columns) AS MAP(VARCHAR, VARCHAR)))
            IF starts_with(own.key, 'attributes.') AND own.value IS NOT NULL
        ]),
        rest
    );

-- One row a log record. `attributes` is a map of text with all attributes, `resource` and `scope` are JSON objects; `pattern` is
-- the body with `<_>` for what varies. Attributes that are frequent in a file are columns `attributes.<key>` as well, typed by what
-- the files have (text, where they differ), and null where a file has no such column: the map has all. The types of
-- attributes are in `attribute_keys`: a letter before each key.
CREATE OR REPLACE MACRO logs(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/logs/', 1) AS tenant,
        * EXCLUDE (filename, attribute_types, promoted, observed_delay)
        REPLACE (
            coalesce(observed_timestamp, TRY(make_timestamp_ns(epoch_ns(timestamp) + observed_delay) AT TIME ZONE 'UTC')) AS observed_timestamp,
            lower(hex(trace_id)) AS trace_id,
            lower(hex(span_id)) AS span_id,
            all_attributes(attributes, promoted) AS attributes
        )
    FROM (
        SELECT *, struct_pack(*COLUMNS('^attribute(s[.].*|_types)$')) AS promoted
        FROM (
            FROM read_parquet(data || '/segments/*/logs/*.parquet', filename = true, union_by_name = true)
            -- A file has one of these columns, and which one depends on its layout.
            UNION ALL BY NAME SELECT CAST(NULL AS TIMESTAMPTZ_NS) AS observed_timestamp, CAST(NULL AS BIGINT) AS observed_delay WHERE false
        )
    );

-- One row a span. Attributes as those of logs.
CREATE OR REPLACE MACRO spans(data) AS TABLE
    SELECT
        regexp_extract(filename, 'segments/([^/]+)/spans/', 1) AS tenant,
        * EXCLUDE (filename, attribute_types, promoted)
        REPLACE (
            lower(hex(trace_id)) AS trace_id,
            lower(hex(span_id)) AS span_id,
            lower(hex(parent_span_id)) AS parent_span_id,
            all_attributes(attributes, promoted) AS attributes
        )
    FROM (
        SELECT *, struct_pack(*COLUMNS('^attribute(s[.].*|_types)$')) AS promoted
        FROM read_parquet(data || '/segments/*/spans/*.parquet', filename = true, union_by_name = true)
    );

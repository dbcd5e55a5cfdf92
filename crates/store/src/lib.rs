//! The only keeper of telemetry: WAL, head, Parquet segments, catalog, snapshots, compaction, retention

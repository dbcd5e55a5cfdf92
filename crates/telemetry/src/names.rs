//! Every metric of our own, with its help text. The first word is the crate that counts it.

/// Name and help of one metric.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// Name with unit suffix.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
}

macro_rules! names {
    ($($constant:ident = $name:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Name = Name { name: $name, help: $help };)*
    };
}

names! {
    RECEIVE_REQUESTS_TOTAL = "signalbox_receive_requests_total", "Requests to receivers by protocol and outcome.";
    RECEIVE_BYTES_TOTAL = "signalbox_receive_bytes_total", "Bytes of request bodies as received, by protocol.";
    RECEIVE_ROWS_TOTAL = "signalbox_receive_rows_total", "Samples, log records and spans acknowledged, by protocol and signal.";
    RECEIVE_REJECTED_ROWS_TOTAL = "signalbox_receive_rejected_rows_total", "Samples, log records and spans refused, by protocol and reason.";
    RECEIVE_DROPPED_FIELDS_TOTAL = "signalbox_receive_dropped_fields_total", "Fields of points that were taken without them, by protocol and reason: text, for which metrics have no place.";
    RECEIVE_CONNECTIONS = "signalbox_receive_connections", "Open connections that are no HTTP, by listener.";
    RECEIVE_DROPPED_DATAGRAMS_TOTAL = "signalbox_receive_dropped_datagrams_total", "Datagrams dropped because they arrived faster than they were written, by protocol.";
    RECEIVE_FILES = "signalbox_receive_files", "Log files that are followed.";
    RECEIVE_TRANSFORMED_RECORDS_TOTAL = "signalbox_receive_transformed_records_total", "Log records that rules of transform worked on, by protocol and outcome: ok, flagged when a step could not, dropped when one was told to.";
    RECEIVE_REDACTIONS_TOTAL = "signalbox_receive_redactions_total", "Secrets and personal data made unreadable, by detector.";
    SCRAPE_SCRAPES_TOTAL = "signalbox_scrape_scrapes_total", "Scrapes by outcome: up, down, or unwritten when the store did not take them.";
    SCRAPE_SAMPLES_TOTAL = "signalbox_scrape_samples_total", "Scraped samples that relabelling left.";
    SCRAPE_DUPLICATE_SAMPLES_TOTAL = "signalbox_scrape_duplicate_samples_total", "Scraped samples left out for another one of the same page, series and time.";
    SCRAPE_SECONDS = "signalbox_scrape_seconds", "Time of one scrape, without writing it.";
    SCRAPE_JOBS = "signalbox_scrape_jobs", "Jobs that are scraped.";
    SCRAPE_RELOADS_TOTAL = "signalbox_scrape_reloads_total", "Reloads of prometheus.yml by outcome.";
    INGEST_ROWS_TOTAL = "signalbox_ingest_rows_total", "Rows admitted by signal.";
    INGEST_REJECTED_ROWS_TOTAL = "signalbox_ingest_rejected_rows_total", "Rows refused by reason.";
    INGEST_SPAN_METRICS_SPANS_TOTAL = "signalbox_ingest_span_metrics_spans_total", "Spans that are counted in the metrics made of spans.";
    INGEST_UNPAIRED_SPANS_TOTAL = "signalbox_ingest_unpaired_spans_total", "Sides of calls that make no edge of the service graph, by reason: expired when the other side did not come, dropped when too many waited.";
    STORE_WAL_BYTES_TOTAL = "signalbox_store_wal_bytes_total", "Bytes appended to the WAL.";
    STORE_WAL_SYNCS_TOTAL = "signalbox_store_wal_syncs_total", "Syncs of the WAL.";
    STORE_WAL_SYNC_ERRORS_TOTAL = "signalbox_store_wal_sync_errors_total", "Syncs of the WAL that failed.";
    STORE_WAL_SYNC_SECONDS = "signalbox_store_wal_sync_seconds", "Time of one sync of the WAL.";
    STORE_WAL_FILES = "signalbox_store_wal_files", "Files of the WAL that hold frames.";
    STORE_WAL_LOST_FRAMES_TOTAL = "signalbox_store_wal_lost_frames_total", "Acknowledged frames of the WAL that recovery found missing.";
    STORE_CORRUPTION_DETECTED_TOTAL = "signalbox_store_corruption_detected_total", "Frames, segments and pages whose checksum or structure was wrong.";
    STORE_ACTIVE_SERIES = "signalbox_store_active_series", "Series in the head.";
    STORE_HEAD_ROWS = "signalbox_store_head_rows", "Rows in the head by table.";
    STORE_HEAD_BYTES = "signalbox_store_head_bytes", "Bytes behind the rows in the head: of metrics those in the WAL, of logs and spans those in memory.";
    STORE_DISK_AVAILABLE_BYTES = "signalbox_store_disk_available_bytes", "Bytes that may be written to the disk with the data.";
    STORE_DISK_TOTAL_BYTES = "signalbox_store_disk_total_bytes", "Size of the disk with the data.";
    STORE_SEGMENTS = "signalbox_store_segments", "Segments by table.";
    STORE_SEGMENT_BYTES = "signalbox_store_segment_bytes", "Bytes of segments by table.";
    STORE_TEXT_ROWS_TOTAL = "signalbox_store_text_rows_total", "Rows on pages that searches for text read, or skipped because the index of text says that nothing fits.";
    STORE_FLUSHES_TOTAL = "signalbox_store_flushes_total", "Flushes of the head by outcome.";
    STORE_COMPACTIONS_TOTAL = "signalbox_store_compactions_total", "Compactions by outcome.";
    STORE_DELETIONS_TOTAL = "signalbox_store_deletions_total", "Selectors whose series were deleted.";
    STORE_DELETIONS = "signalbox_store_deletions", "Deletions whose rows some segment still holds.";
    STORE_PURGED_SEGMENTS_TOTAL = "signalbox_store_purged_segments_total", "Segments written anew without what was deleted of them.";
    STORE_ROLLED_UP_ROWS_TOTAL = "signalbox_store_rolled_up_rows_total", "Samples of metrics that rollups left out.";
    STORE_RETAINED_SEGMENTS_TOTAL = "signalbox_store_retained_segments_total", "Segments removed by retention, by reason.";
    STORE_KEPT_ROWS_TOTAL = "signalbox_store_kept_rows_total", "Spans and log records of segments that grew too old, by table and outcome: kept with their traces by a policy, or dropped.";
    QUERY_REQUESTS_TOTAL = "signalbox_query_requests_total", "Queries by language and outcome.";
    QUERY_ABANDONED_TOTAL = "signalbox_query_abandoned_total", "Queries that ended without an answer because nobody waited for it any more.";
    QUERY_SECONDS = "signalbox_query_seconds", "Time of one query by language.";
    API_REQUESTS_TOTAL = "signalbox_api_requests_total", "Requests to the query APIs by dialect and status class.";
    ALERT_EVALUATIONS_TOTAL = "signalbox_alert_evaluations_total", "Evaluations of rules by outcome.";
    ALERT_EVALUATIONS_MISSED_TOTAL = "signalbox_alert_evaluations_missed_total", "Evaluations that did not happen in time.";
    ALERT_EVALUATIONS_LATE_TOTAL = "signalbox_alert_evaluations_late_total", "Evaluations of groups that were missed and made up afterwards.";
    NOTIFY_MESSAGES_TOTAL = "signalbox_notify_messages_total", "Messages by channel, receiver and outcome.";
    NOTIFY_WAITING_SECONDS = "signalbox_notify_waiting_seconds", "Age of the oldest message that a channel failed to deliver since it last took one, by channel and receiver; 0 while it takes them.";
    HTTP_REQUESTS_TOTAL = "signalbox_http_requests_total", "Requests by listener side (write, read, own) and status class.";
    HTTP_REQUEST_SECONDS = "signalbox_http_request_seconds", "Time from the head of a request to the head of its answer, by side.";
    HTTP_CONNECTIONS = "signalbox_http_connections", "Open connections by listener.";
    HTTP_PANICS_TOTAL = "signalbox_http_panics_total", "Requests whose handler panicked.";
    TELEMETRY_RECORDS_TOTAL = "signalbox_telemetry_records_total", "Own samples, log records and spans written to the own store, by signal.";
    TELEMETRY_DROPPED_RECORDS_TOTAL = "signalbox_telemetry_dropped_records_total", "Own samples, log records and spans that were lost, by signal.";
    TELEMETRY_CLOCK_STEPS_TOTAL = "signalbox_telemetry_clock_steps_total", "Jumps of the clock of the machine by more than five seconds.";
    BUILD_INFO = "signalbox_build_info", "Always 1; the version is a label.";
    PROCESS_RESIDENT_MEMORY_BYTES = "process_resident_memory_bytes", "Resident memory.";
    PROCESS_VIRTUAL_MEMORY_BYTES = "process_virtual_memory_bytes", "Virtual memory.";
    PROCESS_CPU_SECONDS_TOTAL = "process_cpu_seconds_total", "CPU time of user and system.";
    PROCESS_OPEN_FDS = "process_open_fds", "Open file descriptors.";
    PROCESS_MAX_FDS = "process_max_fds", "File descriptors that may be open.";
    PROCESS_THREADS = "process_threads", "Threads.";
    PROCESS_START_TIME_SECONDS = "process_start_time_seconds", "Start of the process in seconds since the Unix epoch.";
}

//! Search over logs for people and the web UI: `GET` or `POST` (as a form, or as a JSON object of texts and numbers).
//!
//! | path | answers |
//! |---|---|
//! | `/api/v1/logs/search` | the first records that fit |
//! | `/api/v1/logs/histogram` | how many fit, over time |
//! | `/api/v1/logs/facets` | which values fields have, and how often |
//!
//! | parameter | of | is |
//! |---|---|---|
//! | `query` | all | the search language of `lang::search`; everything if there is none |
//! | `start`, `end` | all | RFC 3339, seconds or nanoseconds since 1970, or `now-1h`; the last hour. `end` is not included |
//! | `limit` | search | records at most, 100 |
//! | `direction` | search | `backward` (newest first) or `forward` |
//! | `cursor` | search | what an earlier answer said, to go on after it |
//! | `fields` | search | names of fields, with commas between: only these are answered |
//! | `total` | search | `true`: all that fit are counted |
//! | `interval` | histogram | a duration such as `30s`; one that gives about 60 buckets |
//! | `by` | histogram | a field: the most frequent values of each bucket are counted one by one |
//! | `values` | histogram | how many values of `by`, 10 |
//! | `fields` | facets | names of fields; `service,level` |
//! | `more` | facets | how many more, of those that most records have, 10 |
//! | `values` | facets | values of each, 10 |
//!
//! `search` answers, and streams line by line as `application/x-ndjson` if that is accepted (records alone, then one line
//! with the rest):
//! ```json
//! {"records": [{"timestamp": "2023-11-14T22:13:20.000000001Z", "timestamp_ns": "1700000000000000001", "level": "error",
//!   "service": "cart", "body": "cannot order", "severity_text": "Error", "severity_number": 17, "event_name": "order.failed",
//!   "trace_id": "5b8e…", "span_id": "0000…", "flags": 1, "observed_timestamp": "…", "attributes": {}, "resource": {}, "scope": {}}],
//!  "cursor": "…", "total": 1, "stats": {"rows_read": 4, "bytes_read": 60, "seconds": 0.001}}
//! ```
//! What a record lacks is left out; with `fields` it is `{"timestamp": "…", "timestamp_ns": "…", "fields": {"user": "anna", "tags": ["a", "b"]}}`.
//! There is a `cursor` if there may be more. `histogram` answers
//! `{"interval_ms": 60000, "total": 3, "buckets": [{"start_ms": 1700000000000, "count": 3, "values": {"error": 1}}]}` without gaps,
//! `facets` `{"total": 3, "facets": [{"field": "level", "count": 3, "distinct": 2, "is_cut": false, "values": [{"value": "info", "count": 2}]}]}`;
//! `is_cut` says that there were too many values to count each. Errors are those of SQL: `{"error": {"kind": "invalid", "message": "…"}}`.

mod answer;
mod params;
mod render;

pub(super) use answer::{facets, histogram, records};
pub(super) use params::{Asked, instant};
pub(super) use render::attributes;
pub(crate) use render::{attribute, time, typed};

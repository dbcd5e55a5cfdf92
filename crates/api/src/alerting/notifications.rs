//! `GET /api/v1/alerting/notifications`: who was told what, why, and what was answered to each attempt; newest first.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `start`, `end` | bounds of when it was decided to tell | none |
//! | `receiver`, `group_key` | only of this one | any |
//! | `outcome` | `pending`, `delivered` or `dead` | any |
//! | `fingerprint` | only those that name this alert | any |
//! | `limit` | entries, 1 to 10 000 | 500 |

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_meta::{Attempt, NotificationFilter, NotificationRecord, Outcome, ToldAlert};

use super::answer::{Refusal, fingerprint, success, time_ns};
use super::{meta, params};
use crate::ApiState;
use crate::http::Params;

/// `GET notifications`
pub(super) async fn list(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let nanoseconds = |ms: i64| ms.saturating_mul(1_000_000);
    let outcome = |word: &str| {
        Outcome::from_word(word).ok_or_else(|| Refusal::bad(format!("invalid parameter \"outcome\": found {word:?}: want pending, delivered or dead")))
    };
    let filter = NotificationFilter {
        start_ns: params::instant_ms(&params, "start")?.map(nanoseconds),
        end_ns: params::instant_ms(&params, "end")?.map(nanoseconds),
        receiver: params.get("receiver").map(str::to_owned),
        outcome: params.get("outcome").map(outcome).transpose()?,
        group_key: params.get("group_key").map(str::to_owned),
        fingerprint: params::fingerprint(&params)?,
        limit: params::limit(&params)?,
    };
    let records = meta(&state)?.notification_records(&filter).await?;
    Ok(success(&records.iter().map(show).collect()))
}

/// A line of the log.
pub(super) fn show(record: &NotificationRecord) -> Value {
    let attempt = |attempt: &Attempt| json!({ "at": time_ns(attempt.at_ns), "ok": attempt.is_ok, "answer": attempt.answer });
    let alert = |alert: &ToldAlert| {
        let status = if alert.is_firing { "firing" } else { "resolved" };
        json!({ "fingerprint": fingerprint(alert.fingerprint), "labels": alert.labels, "status": status })
    };
    let line = &record.line;
    json!({
        "id": line.id,
        "at": time_ns(line.created_at_ns),
        "receiver": line.receiver,
        "channel": line.channel,
        "group_key": line.group_key,
        "group_labels": record.about.group_labels,
        "reason": record.about.reason,
        "outcome": line.outcome.as_str(),
        "firing": line.firing.len(),
        "resolved": line.resolved.len(),
        "attempts": record.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "alerts": record.about.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}

//! `GET /api/v1/alerting/history`: what became of alerts and of the evaluation of their rules; newest first. A `change` is `pending`,
//! `firing`, `kept`, `found`, `resolved`, `cleared`; `silenced`, `inhibited`, `muted`, `unmuted`; `untold` of a firing (`began_at`) that was over
//! before its group was told, so that its receiver heard nothing; of a rule `error`, `recovered`.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `start`, `end` | bounds | none |
//! | `alertname`, `file`, `group`, `rule`, `fingerprint` | only of this one | any |
//! | `limit` | entries, 1 to 10 000 | 500 |

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_meta::{HistoryEvent, HistoryFilter};

use super::answer::{Refusal, fingerprint, number, success, time};
use super::{meta, params};
use crate::ApiState;
use crate::http::Params;

/// `GET history`
pub(super) async fn list(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let text = |name: &str| params.get(name).map(str::to_owned);
    let filter = HistoryFilter {
        start_ms: params::instant_ms(&params, "start")?,
        end_ms: params::instant_ms(&params, "end")?,
        alert_name: text("alertname"),
        file: text("file"),
        group: text("group"),
        rule: text("rule"),
        fingerprint: params::fingerprint(&params)?,
        of_rules: false,
        limit: params::limit(&params)?,
    };
    let events = meta(&state)?.alert_history(&filter).await?;
    Ok(success(&events.iter().map(show).collect()))
}

/// An event; what it has nothing to say of is not there.
pub(super) fn show(event: &HistoryEvent) -> Value {
    let mut shown = json!({
        "at": time(event.at_ms),
        "file": event.file,
        "group": event.group,
        "rule": event.rule,
        "fingerprint": event.fingerprint.map(fingerprint),
        "labels": event.labels,
        "change": event.change,
        "state": event.state,
        "value": event.value.map(number),
        "late": event.is_late,
    });
    // The note has the names of the answer.
    if let (Value::Object(shown), Ok(Value::Object(note))) = (&mut shown, serde_json::to_value(&event.note)) {
        shown.extend(note);
        if shown.remove("began_at_ms").is_some() {
            shown.insert("began_at".to_owned(), json!(event.note.began_at_ms.map(time)));
        }
    }
    shown
}

//! Rules that are not in force: `POST /api/v1/alerting/rules/check` reads them, `POST /api/v1/alerting/rules/backtest` tries them.
//!
//! Both take JSON with the text of a rule file as `text`. A text that is wrong is no error of `check`: its `errors` say why.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signalbox_lang::duration;
use signalbox_model::{Error, Result};

use super::answer::{Refusal, success};
use super::rule_desk::BacktestRequest;
use crate::ApiState;
use crate::http::Asker;
use crate::instant::instant_ms;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BacktestBody {
    text: String,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    start: Value,
    end: Value,
    #[serde(default)]
    step: Value,
}

/// Says what is wrong with a rule file.
pub(super) async fn check(State(state): State<ApiState>, body: Bytes) -> Result<Response, Refusal> {
    let body: CheckBody = read(&body)?;
    show(&state.rule_desk.check(&body.text))
}

/// Says what rules would have done.
pub(super) async fn backtest(State(state): State<ApiState>, Asker(tenant): Asker, body: Bytes) -> Result<Response, Refusal> {
    let request = request(read(&body)?)?;
    show(&state.rule_desk.backtest(&tenant, request).await?)
}

pub(super) fn show<T: Serialize>(data: &T) -> Result<Response, Refusal> {
    let data = serde_json::to_value(data).map_err(|error| Error::internal("cannot write the answer as JSON").with_source(error))?;
    Ok(success(&data))
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Error::invalid(format!("cannot read the body as JSON: {error}")))
}

fn request(body: BacktestBody) -> Result<BacktestRequest> {
    let BacktestBody { text, group, rule, start, end, step } = body;
    let named = |name: Option<String>| name.filter(|name| !name.is_empty());
    let (start_ms, end_ms) = (instant("start", &start)?, instant("end", &end)?);
    if start_ms > end_ms {
        return Err(Error::invalid("invalid parameter \"end\": want an instant that is not before start"));
    }
    Ok(BacktestRequest { text, group: named(group), rule: named(rule), start_ms, end_ms, step_ms: step_ms(&step)? })
}

fn instant(name: &str, value: &Value) -> Result<i64> {
    let parsed = match value {
        Value::Number(number) => instant_ms(&number.to_string()),
        Value::String(text) => instant_ms(text),
        other => Err(format!("want seconds or RFC 3339, got {other}")),
    };
    parsed.map_err(|error| Error::invalid(format!("invalid parameter \"{name}\": {error}")))
}

/// Seconds, or a duration.
fn step_ms(value: &Value) -> Result<Option<i64>> {
    let invalid = || Error::invalid(format!("invalid parameter \"step\": want seconds or a duration of at least a millisecond, got {value}"));
    let seconds_ms = |seconds: f64| if seconds.is_finite() && seconds < 1e12 { (seconds * 1e3).round() as i64 } else { 0 };
    let milliseconds = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::Number(number) => number.as_f64().map_or(0, seconds_ms),
        Value::String(text) => match text.parse::<f64>() {
            Ok(seconds) => seconds_ms(seconds),
            Err(_) => duration::parse_ms(text).map_err(|_| invalid())?,
        },
        _ => 0,
    };
    if milliseconds > 0 { Ok(Some(milliseconds)) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parsed(json: &str) -> Result<BacktestRequest> {
        read::<BacktestBody>(json.as_bytes()).and_then(request)
    }

    #[test]
    fn times_are_what_prometheus_takes() {
        let found = parsed(r#"{"text":"groups: []","group":"","rule":"A","start":1.5,"end":"1970-01-01T00:01:00Z","step":"30s"}"#).unwrap();
        let want = BacktestRequest { text: "groups: []".into(), group: None, rule: Some("A".into()), start_ms: 1_500, end_ms: 60_000, step_ms: Some(30_000) };
        assert_eq!(found, want);
        assert_eq!(parsed(r#"{"text":"","start":"0","end":0}"#).unwrap().step_ms, None);
        assert_eq!(parsed(r#"{"text":"","start":"0","end":0,"step":0.25}"#).unwrap().step_ms, Some(250));
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (json, why) in [
            ("", "cannot read the body as JSON"),
            (r#"{"text":""}"#, "missing field `start`"),
            (r#"{"text":"","start":0,"end":0,"limit":1}"#, "unknown field `limit`"),
            (r#"{"text":"","start":"x","end":0}"#, "invalid parameter \"start\": cannot parse \"x\""),
            (r#"{"text":"","start":0,"end":[]}"#, "invalid parameter \"end\": want seconds or RFC 3339, got []"),
            (r#"{"text":"","start":1,"end":0}"#, "invalid parameter \"end\": want an instant that is not before start"),
            (r#"{"text":"","start":0,"end":0,"step":0}"#, "invalid parameter \"step\""),
            (r#"{"text":"","start":0,"end":0,"step":"-5s"}"#, "invalid parameter \"step\""),
            (r#"{"text":"","start":0,"end":0,"step":1e300}"#, "invalid parameter \"step\""),
        ] {
            let error = parsed(json).unwrap_err();
            assert!(error.message().contains(why), "{json}: {}", error.message());
        }
    }
}

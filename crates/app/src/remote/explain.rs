//! `signalbox alert explain`: why somebody was told of an alert, or nobody.

use clap::Args;
use serde_json::Value;
use signalbox_lang::promql::parse_matchers;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, MatchOp, Matcher, Result};

use super::{At, Remote};
use crate::cli::say;

/// What the command line says.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    at: At,
    /// The instant, in RFC 3339 or seconds since the Unix epoch; now by default.
    #[arg(long = "at", value_name = "TIME")]
    instant: Option<String>,
    /// Since when; by default since the alert was found.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Prints the answer of the server, as JSON.
    #[arg(long)]
    json: bool,
    /// Its fingerprint, or labels of it: `HighLatency{instance="a:1"}`.
    #[arg(value_name = "FINGERPRINT|LABELS")]
    alert: String,
}

/// Asks, and tells people.
///
/// # Errors
/// If there is no such alert, or no answer.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let mut query = vec![which(&arguments.alert)?];
    query.extend(arguments.instant.clone().map(|instant| ("at", instant)));
    query.extend(arguments.start.clone().map(|start| ("start", start)));
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = Remote::new(&arguments.at)?.data("/api/v1/alerting/explain", &query).await?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&answer).map_err(|error| Error::internal("cannot write JSON").with_source(error))?;
        return say(&text);
    }
    for line in lines(&answer) {
        say(&line)?;
    }
    Ok(())
}

/// The parameter that names an alert.
fn which(text: &str) -> Result<(&'static str, String)> {
    if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(("fingerprint", text.to_owned()));
    }
    let wanted = |matcher: Matcher| match matcher.op {
        // A name before the braces is that of the alert.
        MatchOp::Equal if matcher.name == METRIC_NAME => Ok(("alertname".to_owned(), Value::String(matcher.value))),
        MatchOp::Equal => Ok((matcher.name, Value::String(matcher.value))),
        _ => Err(Error::invalid(format!("cannot use {text:?}: found {}: want labels and their values", matcher.op.as_str()))),
    };
    let labels = parse_matchers(text)?.into_iter().map(wanted).collect::<Result<serde_json::Map<_, _>>>()?;
    Ok(("labels", Value::Object(labels).to_string()))
}

fn lines(answer: &Value) -> Vec<String> {
    let (rule, mut lines) = (&answer["rule"], Vec::new());
    lines.push(format!("{} at {}: {}", pairs(&answer["labels"]), text(&answer["at"]), text(&answer["state"])));
    lines.push(format!("fingerprint {}", text(&answer["fingerprint"])));
    match &answer["told_as"] {
        told_as if *told_as == answer["labels"] => {}
        Value::Object(_) => lines.push(format!("told as {} (alert_relabel_configs)", pairs(&answer["told_as"]))),
        _ => lines.push("told to nobody: alert_relabel_configs drop it".to_owned()),
    }
    if !text(&rule["name"]).is_empty() {
        lines.push(format!("rule {} of group {} in {}", text(&rule["name"]), text(&rule["group"]), text(&rule["file"])));
    }
    match text(&rule["query"]) {
        "" => {}
        query => lines.push(format!("  {}: {query}, for {}, keep firing for {}", text(&rule["lang"]), text(&rule["for"]), text(&rule["keep_firing_for"]))),
    }
    section(&mut lines, "evaluations", &answer["evaluations"], evaluation);
    // The API tells what is new first.
    let oldest_first = |list: &Value| Value::Array(list.as_array().into_iter().flatten().rev().cloned().collect());
    section(&mut lines, "changes", &oldest_first(&answer["events"]), event);
    section(&mut lines, "routes in force", &answer["routes"], route);
    let muted = &answer["muted"];
    let named = [("silenced by", "silenced_by"), ("inhibited by", "inhibited_by"), ("muted by", "muted_by")];
    let muting: Vec<String> =
        named.into_iter().filter(|(_, key)| !list(&muted[key]).is_empty()).map(|(word, key)| format!("{word} {}", list(&muted[key]))).collect();
    lines.push(if muting.is_empty() { "not muted".to_owned() } else { muting.join(", ") });
    section(&mut lines, "notifications", &oldest_first(&answer["notifications"]), notification);
    lines
}

fn section(lines: &mut Vec<String>, title: &str, entries: &Value, show: fn(&Value) -> Vec<String>) {
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    lines.push(if entries.is_empty() { format!("{title}: none") } else { format!("{title}:") });
    lines.extend(entries.iter().flat_map(show).map(|line| format!("  {line}")));
}

fn evaluation(entry: &Value) -> Vec<String> {
    let value = if entry["value"].is_null() { "not found".to_owned() } else { scalar(&entry["value"]) };
    let what = if entry["error"].is_string() { format!("failed: {}", text(&entry["error"])) } else { value };
    vec![format!("{} {:8} {what}", text(&entry["at"]), text(&entry["state"]))]
}

fn event(entry: &Value) -> Vec<String> {
    let mut line = format!("{} {}", text(&entry["at"]), text(&entry["change"]));
    for key in ["silenced_by", "inhibited_by", "muted_by"] {
        if !list(&entry[key]).is_empty() {
            line.push_str(&format!(" by {}", list(&entry[key])));
        }
    }
    if entry["receiver"].is_string() {
        line.push_str(&format!(" for receiver {:?}", text(&entry["receiver"])));
    }
    if !entry["value"].is_null() {
        line.push_str(&format!(", value {}", scalar(&entry["value"])));
    }
    if entry["late"] == true {
        line.push_str(", made up for later");
    }
    if entry["error"].is_string() {
        line.push_str(&format!(": {}", text(&entry["error"])));
    }
    vec![line]
}

fn route(entry: &Value) -> Vec<String> {
    let step = |step: &Value| match list(&step["matchers"]).as_str() {
        "" => "all".to_owned(),
        matchers => format!("{{{matchers}}}"),
    };
    let way: Vec<String> = entry["path"].as_array().into_iter().flatten().map(step).collect();
    let times = [("wait", "group_wait"), ("interval", "group_interval"), ("repeat", "repeat_interval")];
    let times: Vec<String> = times.into_iter().map(|(word, key)| format!("{word} {}", text(&entry[key]))).collect();
    vec![format!("receiver {:?} by {}; group {}; {}", text(&entry["receiver"]), way.join(" > "), text(&entry["group_key"]), times.join(", "))]
}

fn notification(entry: &Value) -> Vec<String> {
    let counts = format!("{} firing, {} resolved", scalar(&entry["firing"]), scalar(&entry["resolved"]));
    let mut lines = vec![format!("{} {}: {}, {counts}: {}", text(&entry["at"]), text(&entry["channel"]), text(&entry["reason"]), text(&entry["outcome"]))];
    let attempt = |attempt: &Value| {
        let word = if attempt["ok"] == true { "taken" } else { "failed" };
        format!("  {} {word}: {}", text(&attempt["at"]), text(&attempt["answer"]))
    };
    lines.extend(entry["attempts"].as_array().into_iter().flatten().map(attempt));
    lines
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text without quotes, or JSON.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(scalar).collect::<Vec<_>>().join(", ")
}

fn pairs(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let pairs: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_is_named_by_fingerprint_or_labels() {
        assert_eq!(which("00112233445566ff").unwrap(), ("fingerprint", "00112233445566ff".to_owned()));
        assert_eq!(which("Down").unwrap().1, r#"{"alertname":"Down"}"#);
        let (kind, labels) = which(r#"Down{job="a"}"#).unwrap();
        assert_eq!((kind, serde_json::from_str(&labels).unwrap()), ("labels", json!({ "alertname": "Down", "job": "a" })));
        assert_eq!(which(r#"{"service.name"="a"}"#).unwrap().1, r#"{"service.name":"a"}"#);
        assert!(which(r#"{job=~"a.*"}"#).is_err() && which("{").is_err());
    }

    #[test]
    fn people_read_what_happened_from_top_to_bottom() {
        let answer = json!({
            "labels": { "alertname": "Down" }, "told_as": { "alertname": "Down", "page": "yes" }, "fingerprint": "f", "at": "T9", "state": "firing",
            "rule": { "file": "a.yaml", "group": "g", "name": "Down", "query": "up == 0", "lang": "promql", "for": "1m", "keep_firing_for": "0s" },
            "evaluations": [{ "at": "T1", "value": 0.5, "state": "pending" }, { "at": "T2", "value": null, "state": "firing", "error": "no" }],
            "events": [{ "at": "T2", "change": "silenced", "silenced_by": ["id"], "receiver": "ops", "value": null }, { "at": "T1", "change": "pending", "value": 0.5, "late": true }],
            "routes": [{ "receiver": "ops", "path": [{ "matchers": [] }, { "matchers": ["a=\"b\""] }], "group_key": "{}:{}", "group_wait": "1s", "group_interval": "2s", "repeat_interval": "3s" }],
            "muted": { "silenced_by": ["id"], "inhibited_by": [], "muted_by": [] },
            "notifications": [{ "at": "T3", "channel": "ops/email", "reason": "first notification", "firing": 1, "resolved": 0, "outcome": "delivered",
                "attempts": [{ "at": "T4", "ok": false, "answer": "503" }, { "at": "T5", "ok": true, "answer": "250 OK" }] }],
        });
        let want = r#"{alertname="Down"} at T9: firing
fingerprint f
told as {alertname="Down", page="yes"} (alert_relabel_configs)
rule Down of group g in a.yaml
  promql: up == 0, for 1m, keep firing for 0s
evaluations:
  T1 pending  0.5
  T2 firing   failed: no
changes:
  T1 pending, value 0.5, made up for later
  T2 silenced by id for receiver "ops"
routes in force:
  receiver "ops" by all > {a="b"}; group {}:{}; wait 1s, interval 2s, repeat 3s
silenced by id
notifications:
  T3 ops/email: first notification, 1 firing, 0 resolved: delivered
    T4 failed: 503
    T5 taken: 250 OK"#;
        assert_eq!(lines(&answer).join("\n"), want);
        let third = |told_as| {
            let mut answer = answer.clone();
            answer["told_as"] = told_as;
            lines(&answer)[2].clone()
        };
        assert_eq!(third(json!({ "alertname": "Down" })), "rule Down of group g in a.yaml");
        assert_eq!(third(Value::Null), "told to nobody: alert_relabel_configs drop it");
    }
}

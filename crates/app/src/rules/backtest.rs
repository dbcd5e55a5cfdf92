//! `signalbox backtest rules`: what rules would have done, asked of a server or of the folder of one that does not run.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use signalbox_alert::backtest::Bench;
use signalbox_alert::rule_file;
use signalbox_api::alerting::BacktestRequest;
use signalbox_lang::duration;
use signalbox_model::{Clock, Error, ErrorKind, Result, Tenant};
use signalbox_query::Engine;
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_store::settings::{Retention, RetentionSettings};
use signalbox_telemetry::SystemClock;

use super::desk;
use crate::cli::say;
use crate::config::{self, Config};
use crate::{peers, pull};

/// How far back it goes if nothing is said.
const BACK_MS: i64 = 24 * 3_600_000;
/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What the command line says.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The rule file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// First instant: seconds since 1970, RFC 3339, or a duration for so long ago [default: a day before the end].
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Last instant: seconds since 1970, RFC 3339, or a duration for so long ago [default: now].
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// How often rules are evaluated [default: the interval of their group].
    #[arg(long, value_name = "DURATION")]
    step: Option<String>,
    /// Only the group with this name.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Only rules with this name.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Asks the server at this address, which knows its history, routes and receivers.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data_dir", "config"])]
    url: Option<String>,
    /// Reads the data in this folder; no server may use it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration of the server whose data it is: routes, receivers, external labels.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON, as the API answers.
    #[arg(long)]
    json: bool,
}

/// Tries the rules of a file.
///
/// # Errors
/// `Invalid` for a file that is refused or too many evaluations; of the store or the server.
pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let now_ms = SystemClock.now_ms();
    let request = arguments.request(now_ms)?;
    let found = match &arguments.url {
        Some(url) => ask_server(url, &request).await?,
        None => arguments.ask_folder(request).await?,
    };
    if arguments.json {
        let text = serde_json::to_string_pretty(&found).map_err(|error| Error::internal("cannot write JSON").with_source(error))?;
        say(&text)?;
    } else {
        for rule in list(&found["rules"]) {
            say(&describe(rule))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn request(&self, now_ms: i64) -> Result<BacktestRequest> {
        let text = rule_file::read(&self.file)?;
        // What is wrong with the file is said with its name.
        rule_file::parse(&self.file.display().to_string(), &text)?;
        let end_ms = self.end.as_deref().map_or(Ok(now_ms), |text| instant_ms("end", text, now_ms))?;
        let start_ms = self.start.as_deref().map_or(Ok(end_ms - BACK_MS), |text| instant_ms("start", text, now_ms))?;
        if start_ms > end_ms {
            return Err(Error::invalid("cannot use --end: want an instant that is not before --start"));
        }
        let step_ms = self.step.as_deref().map(duration::parse_ms).transpose()?;
        if step_ms == Some(0) {
            return Err(Error::invalid("cannot use --step 0s: want at least a millisecond"));
        }
        Ok(BacktestRequest { text, group: self.group.clone(), rule: self.rule.clone(), start_ms, end_ms, step_ms })
    }

    async fn ask_folder(&self, request: BacktestRequest) -> Result<Value> {
        let mut config = match &self.config {
            Some(file) => Config::load(file, config::environment)?,
            None => Config::default(),
        };
        if let Some(dir) = &self.data_dir {
            config.data_dir.clone_from(dir);
        }
        if !config.data_dir.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, format!("cannot read data in {}: no such folder", config.data_dir.display())));
        }
        // Whoever asks what was must not make it go.
        let for_ever = || Retention { max_age_seconds: 0, max_bytes: 0 };
        config.store.retention =
            RetentionSettings { metrics: for_ever(), logs: for_ever(), traces: for_ever(), selectors: Vec::new(), kept_traces: Vec::new() };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let prometheus = pull::load(&config.scrape.config_file, &clock)?;
        pull::share(&prometheus, &mut config);
        let store = Store::open(config.store.clone(), &config.data_dir, Arc::new(RealDisk::new(&config.data_dir)), Arc::clone(&clock)).await?;
        let engine = Arc::new(Engine::new(store.clone(), clock, config.query.clone()));
        let bench = Bench::new(engine, Tenant::default(), &config.alert, &config.notify)?.relabelling(peers::relabelling(&prometheus.config));
        let found = desk::try_rules(&bench, request).await;
        store.close().await?;
        serde_json::to_value(found?).map_err(|error| Error::internal("cannot write JSON").with_source(error))
    }
}

async fn ask_server(url: &str, request: &BacktestRequest) -> Result<Value> {
    let address = format!("{}/api/v1/alerting/rules/backtest", url.trim_end_matches('/'));
    let seconds = |milliseconds: i64| milliseconds as f64 / 1e3;
    let body = json!({
        "text": request.text, "group": request.group, "rule": request.rule,
        "start": seconds(request.start_ms), "end": seconds(request.end_ms), "step": request.step_ms.map(seconds),
    });
    let cannot = |source: reqwest::Error| Error::unavailable(format!("cannot ask {address}")).with_source(source);
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(cannot)?;
    let sent = client.post(&address).header("content-type", "application/json").body(body.to_string()).send().await.map_err(cannot)?;
    let (status, answer) = (sent.status(), sent.text().await.map_err(cannot)?);
    let mut answer: Value = serde_json::from_str(&answer).map_err(|_| Error::unavailable(format!("cannot ask {address}: status {status}")))?;
    if status.is_success() {
        return Ok(answer["data"].take());
    }
    let kind = if status.is_client_error() { ErrorKind::Invalid } else { ErrorKind::Unavailable };
    Err(Error::new(kind, format!("cannot ask {address}: {}", answer["error"].as_str().unwrap_or("no reason"))))
}

/// Seconds since 1970, RFC 3339, or so long ago.
fn instant_ms(name: &str, text: &str, now_ms: i64) -> Result<i64> {
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e11) {
        return Ok((seconds * 1e3).round() as i64);
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant.as_millisecond());
    }
    let ago =
        duration::parse_ms(text).map_err(|_| Error::invalid(format!("cannot use --{name} {text:?}: want seconds since 1970, RFC 3339, or a duration")))?;
    Ok(now_ms.saturating_sub(ago))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What one rule would have done, for people.
fn describe(rule: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let (firings, messages) = (list(&rule["firings"]), &rule["notification_count"]);
    let fired = firings.iter().filter(|firing| !firing["fired_at"].is_null()).count();
    let (group, name, evaluations) = (text(&rule["group"]), text(&rule["rule"]), &rule["evaluations"]);
    let mut lines = vec![format!("{group} / {name}: {evaluations} evaluations, fired {fired} times, {messages} notifications")];
    for error in list(&rule["errors"]) {
        lines.push(format!("  error: {}", text(error)));
    }
    for firing in firings {
        let labels: Vec<String> = firing["labels"].as_object().into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
        let value = firing["value_max"].as_f64().map_or("-".to_owned(), |value| value.to_string());
        lines.push(format!("  {{{}}}", labels.join(", ")));
        let (pending, fired, resolved) = (text(&firing["pending_at"]), text(&firing["fired_at"]), text(&firing["resolved_at"]));
        lines.push(format!("    pending {pending}, fired {fired}, resolved {resolved}, at most {value}"));
    }
    for message in list(&rule["notifications"]) {
        let (at, receiver, reason) = (text(&message["at"]), text(&message["receiver"]), text(&message["reason"]));
        lines.push(format!("  told {at}: {reason}, to {receiver:?}, {} firing, {} resolved", message["firing"], message["resolved"]));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn instants_are_absolute_or_so_long_ago() {
        let now_ms = 1_700_000_000_000;
        for (text, want) in [("1700000000.5", now_ms + 500), ("2023-11-14T22:13:20Z", now_ms), ("0s", now_ms), ("30d", now_ms - 30 * 86_400_000)] {
            assert_eq!(instant_ms("start", text, now_ms).unwrap(), want, "{text}");
        }
        assert!(instant_ms("start", "yesterday", now_ms).unwrap_err().message().contains("--start \"yesterday\""));
    }

    #[test]
    fn what_rules_would_have_done_is_told_in_lines() {
        let rule = json!({
            "group": "g", "rule": "A", "evaluations": 9, "errors": ["no data"], "notification_count": 1,
            "firings": [{"labels": {"alertname": "A"}, "pending_at": "t0", "fired_at": "t1", "resolved_at": null, "value_max": 1.5}],
            "notifications": [{"at": "t2", "receiver": "ops", "reason": "first notification", "firing": 1, "resolved": 0}],
        });
        let want = "g / A: 9 evaluations, fired 1 times, 1 notifications\n  error: no data\n  {alertname=\"A\"}\n    pending t0, fired t1, resolved -, at most 1.5\n  told t2: first notification, to \"ops\", 1 firing, 0 resolved";
        assert_eq!(describe(&rule), want);
    }
}

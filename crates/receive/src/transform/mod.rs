//! Parsing on the way in: what is done to a record between its decoder and the batch.
//!
//! A list of [`Rule`]s, each with a condition and steps; the same for every door of logs. Rules run in order, the steps of a
//! rule one after the other. A step that cannot do its work leaves the record as it was and says so in the attribute
//! [`ERROR_ATTRIBUTE`]; a record is lost only by a step that is there to drop it. Everything is compiled at the start, and
//! what makes no sense is refused with its place in the YAML.
//!
//! A field is named as an attribute of the record is; `body`, `severity_text`, `event_name` and `resource.NAME` are the others.
//!
//! ```yaml
//! receive:
//!   transform:
//!     - match: { doors: [loki, files], services: ["shop-*"] }
//!       steps:
//!         - grok: { patterns: ["%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:message}"] }
//!         - timestamp: { from: time }
//!         - severity: { from: level }
//!         - redact: { detect: [credit_card, email] }
//!         - drop: {}
//!           when: { severity_below: info }
//! ```
//!
//! ## Metrics
//! `signalbox_receive_transformed_records_total{protocol,outcome}`, `signalbox_receive_redactions_total{detector}`.

mod condition;
mod edit;
mod field;
pub mod grok;
mod instant;
mod limits;
mod parse;
mod redact;
mod step;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result};
use signalbox_telemetry::{Counter, names, registry};

use crate::logs::Record;
pub use condition::Condition;
use condition::Test;
pub use field::Field;
pub(crate) use instant::{Format, Zone};
pub(crate) use limits::compile;
pub(crate) use parse::logfmt_fields;
pub use step::{Drop, Grok, Json, Logfmt, Redact, RedactAction, RedactPattern, Regex, Severity, Step, Timestamp, Truncate};

use step::Compiled;

/// Attribute that tells which steps could not do their work on a record.
pub const ERROR_ATTRIBUTE: &str = "signalbox.transform_error";

/// The doors of logs, by the word in their metrics.
const DOORS: [&str; 10] = ["elastic", "files", "forward", "gelf", "json_lines", "loki", "otlp_grpc", "otlp_http", "splunk", "syslog"];

/// Steps for the records that meet a condition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Which records; all when it says nothing.
    #[serde(rename = "match")]
    pub condition: Condition,
    /// What is done to them, in order.
    pub steps: Vec<Step>,
}

/// The rules of all doors, compiled. Cheap to clone; the default does nothing.
#[derive(Debug, Clone, Default)]
pub struct Transform {
    rules: Arc<Vec<Arc<CompiledRule>>>,
}

/// What is done to the records of one door.
#[derive(Debug)]
pub struct Pipeline {
    rules: Vec<Arc<CompiledRule>>,
    changed: Counter,
    flagged: Counter,
    dropped: Counter,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Keep,
    /// A step dropped it, as it was told to.
    Drop,
}

#[derive(Debug)]
struct CompiledRule {
    doors: Vec<String>,
    test: Test,
    steps: Vec<CompiledStep>,
}

#[derive(Debug)]
struct CompiledStep {
    /// Where it stands: what a flag says.
    place: String,
    test: Test,
    is_flagging: bool,
    step: Compiled,
}

/// Steps as they stand in YAML; `None` if the text is none.
#[doc(hidden)]
pub fn steps_of_text(text: &str) -> Option<Vec<Step>> {
    serde_norway::from_str(text).ok()
}

impl Transform {
    /// Compiles rules that stand at `place` in the configuration.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`], with the place of what makes no sense.
    pub fn new(rules: &[Rule], place: &str) -> Result<Self> {
        if rules.len() > limits::RULES_MAX {
            return Err(Error::invalid(format!("{place}: {} rules: want at most {}", rules.len(), limits::RULES_MAX)));
        }
        let compiled = rules.iter().enumerate().map(|(number, rule)| CompiledRule::new(rule, &format!("{place}[{number}]")).map(Arc::new));
        Ok(Self { rules: Arc::new(compiled.collect::<Result<_>>()?) })
    }

    /// Compiles the steps of one source.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`], with the place of what makes no sense.
    pub fn of_steps(steps: &[Step], place: &str) -> Result<Self> {
        if steps.is_empty() {
            return Ok(Self::default());
        }
        let rule = CompiledRule { doors: Vec::new(), test: Test::default(), steps: compile_steps(steps, place)? };
        Ok(Self { rules: Arc::new(vec![Arc::new(rule)]) })
    }

    /// What is done to the records of a door, named by the word in its metrics; `None` when that is nothing.
    pub fn pipeline(&self, door: &str) -> Option<Pipeline> {
        let rules: Vec<_> = self.rules.iter().filter(|rule| rule.doors.is_empty() || rule.doors.iter().any(|name| name == door)).cloned().collect();
        let counter = |outcome| registry().counter(names::RECEIVE_TRANSFORMED_RECORDS_TOTAL, &[("protocol", door), ("outcome", outcome)]);
        (!rules.is_empty()).then(|| Pipeline { rules, changed: counter("ok"), flagged: counter("flagged"), dropped: counter("dropped") })
    }
}

impl CompiledRule {
    fn new(rule: &Rule, place: &str) -> Result<Self> {
        if rule.steps.is_empty() {
            return Err(Error::invalid(format!("{place}.steps: want at least one step")));
        }
        if let Some((number, name)) = rule.condition.doors.iter().enumerate().find(|(_, name)| !DOORS.contains(&name.as_str())) {
            return Err(Error::invalid(format!("{place}.match.doors[{number}]: no door {name:?}: want one of {}", DOORS.join(", "))));
        }
        let test = Test::new(&rule.condition, &format!("{place}.match"))?;
        Ok(Self { doors: rule.condition.doors.clone(), test, steps: compile_steps(&rule.steps, &format!("{place}.steps"))? })
    }
}

fn compile_steps(steps: &[Step], place: &str) -> Result<Vec<CompiledStep>> {
    if steps.len() > limits::STEPS_MAX {
        return Err(Error::invalid(format!("{place}: {} steps: want at most {}", steps.len(), limits::STEPS_MAX)));
    }
    let compiled = steps.iter().enumerate().map(|(number, step)| {
        let place = format!("{place}[{number}]");
        if !step.when.doors.is_empty() {
            return Err(Error::invalid(format!("{place}.when.doors: want it in `match` of the rule")));
        }
        let test = Test::new(&step.when, &format!("{place}.when"))?;
        let (name, compiled) = Compiled::new(step, &place)?;
        Ok(CompiledStep { place: format!("{place} {name}"), test, is_flagging: step.flag_errors, step: compiled })
    });
    compiled.collect()
}

impl Pipeline {
    /// Does what the rules say. `now_ns` is the time of arrival, for times without a year.
    pub fn apply(&self, record: &mut Record<'_>, now_ns: i64) -> Verdict {
        let (mut is_touched, mut is_flagged) = (false, false);
        for rule in &self.rules {
            if !rule.test.holds(record) {
                continue;
            }
            is_touched = true;
            for step in &rule.steps {
                if !step.test.holds(record) {
                    continue;
                }
                match step.step.run(record, now_ns) {
                    Ok(Verdict::Keep) => {}
                    Ok(Verdict::Drop) => {
                        self.dropped.add(1);
                        return Verdict::Drop;
                    }
                    Err(problem) if step.is_flagging => {
                        is_flagged = true;
                        flag(record, &step.place, &problem);
                    }
                    Err(_) => {}
                }
            }
        }
        if is_flagged {
            self.flagged.add(1);
        } else if is_touched {
            self.changed.add(1);
        }
        Verdict::Keep
    }
}

/// Says in the record what did not work; the first problems are kept.
pub(crate) fn flag(record: &mut Record<'_>, place: &str, problem: &str) {
    let text = format!("{place}: {problem}");
    match record.attributes.iter_mut().find(|(name, _)| name == ERROR_ATTRIBUTE) {
        Some((_, AttributeValue::String(known))) => {
            if known.len() + text.len() < limits::FLAG_BYTES_MAX {
                known.push_str("; ");
                known.push_str(&text);
            }
        }
        Some(_) => {}
        None => {
            let text = text[..text.floor_char_boundary(limits::FLAG_BYTES_MAX)].to_owned();
            record.attributes.push((ERROR_ATTRIBUTE.into(), AttributeValue::String(text)));
        }
    }
}

#[cfg(test)]
mod tests;

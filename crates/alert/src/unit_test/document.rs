//! The YAML of unit-test files as it stands there. Unknown keys are refused, as `promtool` does.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};
use serde_norway::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFile {
    pub(super) rule_files: Option<Vec<String>>,
    pub(super) evaluation_interval: Option<String>,
    pub(super) group_eval_order: Option<Vec<String>>,
    pub(super) tests: Option<Vec<RawTest>>,
    pub(super) fuzzy_compare: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTest {
    pub(super) name: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) start_timestamp: Option<String>,
    pub(super) external_labels: Option<BTreeMap<String, String>>,
    pub(super) external_url: Option<String>,
    pub(super) input_series: Option<Vec<RawSeries>>,
    pub(super) input_logs: Option<Vec<RawLog>>,
    pub(super) input_spans: Option<Vec<RawSpan>>,
    pub(super) alert_rule_test: Option<Vec<RawAlertCase>>,
    pub(super) promql_expr_test: Option<Vec<RawExprCase>>,
    pub(super) metricsql_expr_test: Option<Vec<RawExprCase>>,
    pub(super) logql_expr_test: Option<Vec<RawExprCase>>,
    pub(super) traceql_expr_test: Option<Vec<RawExprCase>>,
    pub(super) sql_expr_test: Option<Vec<RawExprCase>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSeries {
    pub(super) series: String,
    pub(super) values: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    /// When: at these times since the start of the test, or from the first of them on every so often.
    pub(super) at: Texts,
    pub(super) every: Option<String>,
    pub(super) times: Option<usize>,
    /// Labels of the stream, as Loki's clients send them.
    #[serde(alias = "labels")]
    pub(super) stream: Option<BTreeMap<String, String>>,
    /// Attributes of the resource, as OpenTelemetry's clients send them.
    pub(super) resource: Option<BTreeMap<String, Value>>,
    pub(super) attributes: Option<BTreeMap<String, Value>>,
    pub(super) body: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) span_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSpan {
    pub(super) at: Texts,
    pub(super) every: Option<String>,
    pub(super) times: Option<usize>,
    pub(super) service: Option<String>,
    pub(super) resource: Option<BTreeMap<String, Value>>,
    pub(super) attributes: Option<BTreeMap<String, Value>>,
    pub(super) name: Option<String>,
    pub(super) duration: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) status: Option<String>,
    pub(super) status_message: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) span_id: Option<String>,
    pub(super) parent_span_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAlertCase {
    pub(super) eval_time: Option<String>,
    pub(super) alertname: Option<String>,
    pub(super) groupname: Option<String>,
    pub(super) exp_alerts: Option<Vec<RawAlert>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAlert {
    pub(super) exp_labels: Option<BTreeMap<String, String>>,
    pub(super) exp_annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawExprCase {
    pub(super) expr: String,
    pub(super) eval_time: Option<String>,
    /// How long the step of a TraceQL query is that ends at the time.
    pub(super) range: Option<String>,
    pub(super) exp_samples: Option<Vec<RawSample>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSample {
    pub(super) labels: Option<String>,
    pub(super) value: Option<String>,
    pub(super) histogram: Option<String>,
}

/// One text or a list of texts; numbers count as texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration or a list of durations")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Texts, E> {
                Ok(Texts::default())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Texts, E> {
                Ok(Texts(vec![number.to_string()]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Texts, E> {
                Ok(Texts(vec![number.to_string()]))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Collect)
    }
}

//! Families in the text format 0.0.4.

use super::families::{Family, Kind, Metric, Value};
use super::negotiate::is_plain;
use crate::prometheus::number::write_general;

pub(super) fn write(out: &mut Vec<u8>, family: &Family) {
    let mut text = String::from("# TYPE ");
    write_name(&mut text, &family.name);
    text.push_str(if family.kind == Kind::Untyped { " untyped\n" } else { " histogram\n" });
    for metric in &family.metrics {
        let mut sample = |suffix: &str, bound: Option<f64>, value: f64| write_sample(&mut text, &format!("{}{suffix}", family.name), metric, bound, value);
        match &metric.value {
            Value::Float(value) => sample("", None, *value),
            Value::Classic { count, sum, buckets } => {
                buckets.iter().for_each(|(bound, count)| sample("_bucket", Some(*bound), *count));
                if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
                    sample("_bucket", Some(f64::INFINITY), *count);
                }
                sample("_sum", None, *sum);
                sample("_count", None, *count);
            }
            // Left out before: this format cannot hold it.
            Value::Native(_) => {}
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_sample(out: &mut String, name: &str, metric: &Metric, bound: Option<f64>, value: f64) {
    let is_outside = is_plain(name);
    if is_outside {
        out.push_str(name);
    }
    let begin = out.len();
    let separate = |out: &mut String| out.push(if out.len() == begin { '{' } else { ',' });
    if !is_outside {
        separate(out);
        write_name(out, name);
    }
    for (name, value) in &metric.labels {
        separate(out);
        write_name(out, name);
        out.push_str("=\"");
        write_escaped(out, value);
        out.push('"');
    }
    if let Some(bound) = bound {
        separate(out);
        out.push_str("le=\"");
        write_general(out, bound);
        out.push('"');
    }
    if out.len() > begin {
        out.push('}');
    }
    out.push(' ');
    write_general(out, value);
    out.push(' ');
    out.push_str(&metric.ts_ms.to_string());
    out.push('\n');
}

/// In quotes if need be.
fn write_name(out: &mut String, name: &str) {
    if is_plain(name) {
        out.push_str(name);
    } else {
        out.push('"');
        write_escaped(out, name);
        out.push('"');
    }
}

fn write_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

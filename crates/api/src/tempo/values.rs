//! Values and names of TraceQL on the wire.

use std::fmt::Write as _;

use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Static};
use signalbox_lang::traceql::{KIND_WORDS, STATUS_WORDS};
use signalbox_proto::otlp::common::v1::any_value::Value;
use signalbox_proto::otlp::common::v1::{AnyValue, ArrayValue, KeyValue};

/// A pair of a label or an attribute.
pub(super) fn key_value(key: &str, value: &Static) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any_value(value)), key_strindex: 0 }
}

fn any_value(value: &Static) -> AnyValue {
    let value = match value {
        Static::Int(integer) => Value::IntValue(*integer),
        Static::Float(float) => Value::DoubleValue(*float),
        Static::Bool(truth) => Value::BoolValue(*truth),
        Static::Array(items) => Value::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() }),
        other => Value::StringValue(text(other)),
    };
    AnyValue { value: Some(value) }
}

/// The text of a value, as Tempo shows it.
pub(super) fn text(value: &Static) -> String {
    match value {
        Static::Nil => "nil".to_owned(),
        Static::Int(integer) => integer.to_string(),
        // As a number that is no integer.
        Static::Float(float) => format!("{float:?}"),
        Static::Text(text) => text.clone(),
        Static::Bool(truth) => truth.to_string(),
        Static::Duration(nanoseconds) => go_duration(*nanoseconds),
        Static::Status(code) => word(&STATUS_WORDS, *code),
        Static::Kind(kind) => word(&KIND_WORDS, *kind),
        Static::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
    }
}

fn word(words: &[&str], code: i32) -> String {
    usize::try_from(code).ok().and_then(|code| words.get(code)).map_or_else(|| code.to_string(), |word| (*word).to_owned())
}

/// The type of a value, as listings of values name it.
pub(super) fn type_word(value: &Static) -> &'static str {
    match value {
        Static::Int(_) => "int",
        Static::Float(_) => "float",
        Static::Bool(_) => "bool",
        Static::Duration(_) => "duration",
        Static::Status(_) | Static::Kind(_) => "keyword",
        Static::Nil | Static::Text(_) | Static::Array(_) => "string",
    }
}

/// A duration as Go prints it: `1h0m5.5s`, `1.5ms`, `0s`.
pub(super) fn go_duration(nanoseconds: i64) -> String {
    let (sign, rest) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    let decimal = |unit: u64| {
        let (whole, part) = (rest / unit, rest % unit);
        let digits = unit.ilog10() as usize;
        if part == 0 { whole.to_string() } else { format!("{whole}.{}", format!("{part:0digits$}").trim_end_matches('0')) }
    };
    match rest {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{rest}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let (seconds, part) = (rest / 1_000_000_000, rest % 1_000_000_000);
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let mut text = sign.to_owned();
            // Text grows: writing into it cannot fail.
            let _written = if hours > 0 {
                write!(text, "{hours}h{minutes}m")
            } else if minutes > 0 {
                write!(text, "{minutes}m")
            } else {
                Ok(())
            };
            text.push_str(&(seconds % 60).to_string());
            if part > 0 {
                text.push('.');
                text.push_str(format!("{part:09}").trim_end_matches('0'));
            }
            text.push('s');
            text
        }
    }
}

/// What an attribute of a span that was found is called; `None` for what a span or its trace says anyway.
pub(super) fn key(attribute: &Attribute) -> Option<&str> {
    match attribute {
        Attribute::Named(_, name) => Some(name),
        Attribute::Intrinsic(
            Intrinsic::Name
            | Intrinsic::Duration
            | Intrinsic::SpanId
            | Intrinsic::TraceId
            | Intrinsic::TraceDuration
            | Intrinsic::RootName
            | Intrinsic::RootService,
        ) => None,
        Attribute::Intrinsic(intrinsic) => Some(intrinsic.as_str()),
    }
}

/// Fields that conditions can name, as completion lists them.
pub(super) const INTRINSICS: [&str; 25] = [
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (nanoseconds, want) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (2_000_001, "2.000001ms"),
            (1_000_000_000, "1s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_500_000, "-1.5ms"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(go_duration(nanoseconds), want);
        }
    }
}

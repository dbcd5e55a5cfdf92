//! A syntax tree back to text; the text parses to an equal tree.

use std::fmt;

use signalbox_model::Matcher;

use super::ast::{
    BinaryExpr, BinaryOp, Conversion, Expr, Extraction, Grouping, LabelChoice, LabelFilter, LabelFormatValue, LineFilter, LinePattern, LogExpr, LogRange,
    MetricExpr, Parser, Quantity, RangeAggregation, Stage, Unwrap, VectorAggregation,
};
use crate::text::quote;
use crate::{duration, go_duration};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logs(logs) => logs.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl fmt::Display for LogExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&selector(&self.matchers))?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

pub(super) fn selector(matchers: &[Matcher]) -> String {
    format!("{{{}}}", joined(matchers, ", ", matcher))
}

fn matcher(matcher: &Matcher) -> String {
    format!("{}{}{}", matcher.name, matcher.op.as_str(), quote(&matcher.value))
}

fn joined<T>(items: &[T], separator: &str, text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(separator)
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(filter) => write!(f, "{filter}"),
            Self::Parser(parser) => write!(f, "| {parser}"),
            Self::Label(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Self::LabelFormat(formats) => {
                let text = joined(formats, ",", |format| match &format.value {
                    LabelFormatValue::Rename(label) => format!("{}={label}", format.label),
                    LabelFormatValue::Template(template) => format!("{}={}", format.label, quote(template)),
                });
                write!(f, "| label_format {text}")
            }
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(choices) => write!(f, "| drop {}", joined(choices, ",", choice)),
            Self::Keep(choices) => write!(f, "| keep {}", joined(choices, ",", choice)),
        }
    }
}

fn choice(choice: &LabelChoice) -> String {
    match choice {
        LabelChoice::Name(name) => name.clone(),
        LabelChoice::Matcher(each) => matcher(each),
    }
}

impl fmt::Display for LineFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |pattern: &LinePattern| match pattern {
            LinePattern::Text(text) => quote(text),
            LinePattern::Ip(text) => format!("ip({})", quote(text)),
        };
        write!(f, "{} {}", self.op.as_str(), joined(&self.alternatives, " or ", text))
    }
}

impl fmt::Display for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |extractions: &[Extraction]| joined(extractions, ",", |extraction| format!("{}={}", extraction.label, quote(&extraction.expression)));
        match self {
            Self::Json(extractions) if extractions.is_empty() => f.write_str("json"),
            Self::Json(extractions) => write!(f, "json {}", all(extractions)),
            Self::Logfmt { is_strict, keeps_empty, extractions } => {
                f.write_str("logfmt")?;
                f.write_str(if *is_strict { " --strict" } else { "" })?;
                f.write_str(if *keeps_empty { " --keep-empty" } else { "" })?;
                if extractions.is_empty() { Ok(()) } else { write!(f, " {}", all(extractions)) }
            }
            Self::Regexp(text) => write!(f, "regexp {}", quote(text)),
            Self::Pattern(text) => write!(f, "pattern {}", quote(text)),
            Self::Unpack => f.write_str("unpack"),
        }
    }
}

impl fmt::Display for LabelFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Both associate to the left, `and` binds stronger.
            Self::And(left, right) => {
                parenthesized(f, left, matches!(**left, Self::Or(..)))?;
                f.write_str(" and ")?;
                parenthesized(f, right, matches!(**right, Self::Or(..) | Self::And(..)))
            }
            Self::Or(left, right) => {
                left.fmt(f)?;
                f.write_str(" or ")?;
                parenthesized(f, right, matches!(**right, Self::Or(..)))
            }
            Self::Matcher(each) => f.write_str(&matcher(each)),
            Self::Compare { label, op, value } => write!(f, "{label}{}{value}", op.as_str()),
            Self::Ip { label, is_negative, pattern } => write!(f, "{label}{}ip({})", if *is_negative { "!=" } else { "=" }, quote(pattern)),
        }
    }
}

fn parenthesized(f: &mut fmt::Formatter<'_>, inner: &impl fmt::Display, needs_parentheses: bool) -> fmt::Result {
    if needs_parentheses { write!(f, "({inner})") } else { inner.fmt(f) }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Number(value) => f.write_str(&number(value)),
            Self::Duration(nanoseconds) => f.write_str(&duration_text(nanoseconds)),
            Self::Bytes(bytes) => {
                const UNITS: [(&str, u64); 8] = [
                    ("TiB", 1 << 40),
                    ("TB", 1_000_000_000_000),
                    ("GiB", 1 << 30),
                    ("GB", 1_000_000_000),
                    ("MiB", 1 << 20),
                    ("MB", 1_000_000),
                    ("KiB", 1 << 10),
                    ("KB", 1_000),
                ];
                match UNITS.into_iter().find(|(_, length)| bytes > 0 && bytes % length == 0) {
                    Some((unit, length)) => write!(f, "{}{unit}", bytes / length),
                    None => write!(f, "{bytes}B"),
                }
            }
        }
    }
}

/// A duration as the lexer reads it.
fn duration_text(nanoseconds: i64) -> String {
    if nanoseconds > 0 && nanoseconds % 1_000_000 == 0 { duration::format_ms(nanoseconds / 1_000_000) } else { go_duration::print(nanoseconds) }
}

/// A number that the lexer reads; what none is, is written as what computes to it.
pub(super) fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "(0 / 0)".into(),
        f64::INFINITY => "(1e308 * 10)".into(),
        f64::NEG_INFINITY => "(-1e308 * 10)".into(),
        _ if value != 0.0 && !(1e-4..1e21).contains(&value.abs()) => format!("{value:e}"),
        _ => value.to_string(),
    }
}

impl fmt::Display for MetricExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(aggregation) => aggregation.fmt(f),
            Self::Vector(aggregation) => aggregation.fmt(f),
            Self::Binary(binary) => {
                let (left, right) = parentheses(binary);
                parenthesized(f, &binary.left, left)?;
                write!(f, " {} ", operator(binary, ","))?;
                parenthesized(f, &binary.right, right)
            }
            Self::LabelReplace { expr, dst, replacement, src, regex } => {
                write!(f, "label_replace({expr},{},{},{},{})", quote(dst), quote(replacement), quote(src), quote(regex))
            }
            Self::Literal(value) => f.write_str(&number(*value)),
            Self::Constant(value) => write!(f, "vector({})", number(*value)),
        }
    }
}

/// Whether the operands need parentheses.
pub(super) fn parentheses(binary: &BinaryExpr) -> (bool, bool) {
    let precedence = |operand: &MetricExpr| if let MetricExpr::Binary(inner) = operand { inner.op.precedence() } else { u8::MAX };
    let (own, left, right) = (binary.op.precedence(), precedence(&binary.left), precedence(&binary.right));
    match binary.op {
        BinaryOp::Power => (left <= own, right < own),
        _ => (left < own, right <= own),
    }
}

/// The operator with its modifiers.
pub(super) fn operator(binary: &BinaryExpr, separator: &str) -> String {
    let mut text = binary.op.as_str().to_owned();
    if binary.returns_bool {
        text.push_str(" bool");
    }
    let Some(matching) = &binary.matching else { return text };
    text.push_str(if matching.is_on { " on (" } else { " ignoring (" });
    text.push_str(&matching.labels.join(separator));
    text.push(')');
    if let Some(group) = &matching.group {
        // The empty parentheses keep those of the operand from being taken for labels.
        text.push_str(if group.is_left { " group_left (" } else { " group_right (" });
        text.push_str(&group.include.join(separator));
        text.push(')');
    }
    text
}

impl fmt::Display for RangeAggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{},", number(parameter))?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| f.write_str(&group(grouping, ",")))
    }
}

impl fmt::Display for LogRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.logs.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        f.write_str(&window(self))
    }
}

/// `[5m] offset 1h`
pub(super) fn window(range: &LogRange) -> String {
    let offset = if range.offset_ns == 0 { String::new() } else { format!(" offset {}", duration_text(range.offset_ns)) };
    format!("[{}]{offset}", duration_text(range.range_ns))
}

impl fmt::Display for Unwrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.conversion {
            Conversion::None => write!(f, "| unwrap {}", self.label)?,
            conversion => write!(f, "| unwrap {}({})", conversion.as_str(), self.label)?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl fmt::Display for VectorAggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if let Some(grouping) = &self.grouping {
            f.write_str(&group(grouping, ","))?;
        }
        f.write_str("(")?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter},")?;
        }
        write!(f, "{})", self.expr)
    }
}

/// ` by (a,b)`
pub(super) fn group(grouping: &Grouping, separator: &str) -> String {
    format!(" {} ({})", if grouping.is_without { "without" } else { "by" }, grouping.labels.join(separator))
}

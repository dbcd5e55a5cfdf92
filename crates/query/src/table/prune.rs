//! What the filters of a query say about time, trace and service, so that the store reads less.
//!
//! Everything here is inexact: it may only ever widen, DataFusion filters the rows again.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};
use signalbox_model::{TimeRange, TraceId, schema};

/// What to read at most.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Narrowing {
    pub(crate) range: TimeRange,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) services: Option<Vec<String>>,
}

impl Narrowing {
    const NONE: Self = Self { range: TimeRange::ALL, trace_id: None, services: None };

    /// Of filters that all hold.
    pub(crate) fn of<'a>(filters: impl IntoIterator<Item = &'a Expr>) -> Self {
        let mut narrowing = Self::NONE;
        for filter in filters {
            narrowing.take(filter);
        }
        narrowing
    }

    /// Whether a filter says anything.
    pub(crate) fn is_useful(filter: &Expr) -> bool {
        Self::of([filter]) != Self::NONE
    }

    fn take(&mut self, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(binary) if binary.op == Operator::And => {
                self.take(&binary.left);
                self.take(&binary.right);
            }
            Expr::BinaryExpr(binary) => match (column(&binary.left), literal(&binary.right)) {
                (Some(name), Some(value)) => self.compare(name, binary.op, value),
                _ => {
                    if let (Some(value), Some(name), Some(op)) = (literal(&binary.left), column(&binary.right), binary.op.swap()) {
                        self.compare(name, op, value);
                    }
                }
            },
            Expr::Between(between) if !between.negated => {
                if let Some(name) = column(&between.expr) {
                    if let Some(low) = literal(&between.low) {
                        self.compare(name, Operator::GtEq, low);
                    }
                    if let Some(high) = literal(&between.high) {
                        self.compare(name, Operator::LtEq, high);
                    }
                }
            }
            Expr::InList(list) if !list.negated && column(&list.expr) == Some(schema::SERVICE) => {
                let services: Option<Vec<String>> = list.list.iter().map(|item| literal(item).and_then(text)).collect();
                self.services = self.services.take().or(services);
            }
            _ => {}
        }
    }

    fn compare(&mut self, name: &str, op: Operator, value: &ScalarValue) {
        match (name, op) {
            (schema::TIMESTAMP, Operator::Gt | Operator::GtEq | Operator::Lt | Operator::LtEq | Operator::Eq) => {
                let Some((first_ns, last_ns)) = instant(value) else { return };
                if !matches!(op, Operator::Lt | Operator::LtEq) {
                    self.range.start_ns = self.range.start_ns.max(first_ns);
                }
                if !matches!(op, Operator::Gt | Operator::GtEq) {
                    self.range.end_ns = self.range.end_ns.min(last_ns);
                }
            }
            (schema::TRACE_ID, Operator::Eq) => {
                if let ScalarValue::FixedSizeBinary(_, Some(bytes)) | ScalarValue::Binary(Some(bytes)) | ScalarValue::LargeBinary(Some(bytes)) = value {
                    self.trace_id = self.trace_id.or_else(|| TraceId::from_slice(bytes));
                }
            }
            (schema::SERVICE, Operator::Eq) => {
                let service = text(value).map(|service| vec![service]);
                self.services = self.services.take().or(service);
            }
            _ => {}
        }
    }
}

/// The column of an expression; a cast does not change which rows are near an instant, a trace or a service.
fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        Expr::Cast(cast) => column(&cast.expr),
        Expr::TryCast(cast) => column(&cast.expr),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(ScalarValue::Dictionary(_, value), _) => Some(value),
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => Some(text.clone()),
        ScalarValue::Dictionary(_, value) => text(value),
        _ => None,
    }
}

/// First and last nanosecond that an instant of coarser unit stands for.
fn instant(value: &ScalarValue) -> Option<(i64, i64)> {
    let (count, unit_ns) = match value {
        ScalarValue::TimestampSecond(Some(count), _) => (*count, 1_000_000_000),
        ScalarValue::TimestampMillisecond(Some(count), _) => (*count, 1_000_000),
        ScalarValue::TimestampMicrosecond(Some(count), _) => (*count, 1_000),
        ScalarValue::TimestampNanosecond(Some(count), _) => (*count, 1),
        ScalarValue::Date32(Some(days)) => (i64::from(*days), 86_400_000_000_000),
        _ => return None,
    };
    let first_ns = count.saturating_mul(unit_ns);
    Some((first_ns, first_ns.saturating_add(unit_ns - 1)))
}

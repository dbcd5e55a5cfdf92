//! The search language to a filter.

use signalbox_lang::search::{Bound, Clause, Dialect, Expr, Range, Test};
use signalbox_model::{Error, Result, SpanId, TimeRange, TraceId};

use super::field::Field;
use super::filter::{Bounds, Condition, Filter};
use super::times::{self, Now};

/// How a query is meant.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// What dates are relative to.
    pub now: Now,
    /// The language.
    pub dialect: Dialect,
    /// Where words without a field are looked for; empty means everywhere.
    pub fields: Vec<Field>,
}

impl Meaning {
    /// For people.
    pub fn for_people(now_ns: i64) -> Self {
        Self { now: Now::utc(now_ns), dialect: Dialect::People, fields: Vec::new() }
    }
}

/// What a query asks for.
///
/// # Errors
/// `Invalid` for a value that its field cannot have: a date that is none.
pub fn translate(expr: &Expr, meaning: &Meaning) -> Result<Filter> {
    let each = |exprs: &[Expr]| exprs.iter().map(|expr| translate(expr, meaning)).collect::<Result<Vec<_>>>();
    Ok(match expr {
        Expr::All => Filter::All,
        Expr::And(exprs) => Filter::all_of(each(exprs)?),
        Expr::Or(exprs) => Filter::any_of(each(exprs)?),
        Expr::Not(inner) => translate(inner, meaning)?.negated(),
        Expr::Clause(clause) => translate_clause(clause, meaning)?,
    })
}

fn translate_clause(clause: &Clause, meaning: &Meaning) -> Result<Filter> {
    let Clause { field, test } = clause;
    match field.as_deref() {
        Some("*") | None => {
            let mut filters = Vec::new();
            for field in &meaning.fields {
                filters.push(test_of(field.clone(), test, meaning)?);
            }
            if meaning.fields.is_empty() || meaning.fields.contains(&Field::Any) {
                filters.retain(|filter| !matches!(filter, Filter::Field(Field::Any, _)));
                filters.push(anywhere(test, meaning)?);
            }
            Ok(Filter::any_of(filters))
        }
        Some(name) => match test_of(Field::named(name), test, meaning)? {
            // Not everybody who writes an identifier knows the field for it.
            Filter::Field(Field::TraceId, condition @ Condition::Text(_)) => {
                let attribute = Filter::Field(Field::Attribute("trace_id".into()), condition.clone());
                Ok(Filter::any_of([Filter::Field(Field::TraceId, condition), attribute]))
            }
            filter => Ok(filter),
        },
    }
}

/// A test where words are looked for; what looks like an identifier may be one.
fn anywhere(test: &Test, meaning: &Meaning) -> Result<Filter> {
    let words = test_of(Field::Any, test, meaning)?;
    let (Test::Word(text) | Test::Phrase(text)) = test else { return Ok(words) };
    let is_of = |digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let identifier = if is_of(2 * TraceId::LEN) {
        Field::TraceId
    } else if is_of(2 * SpanId::LEN) {
        Field::SpanId
    } else {
        return Ok(words);
    };
    Ok(Filter::any_of([Filter::Field(identifier, Condition::Text(text.clone())), words]))
}

fn test_of(field: Field, test: &Test, meaning: &Meaning) -> Result<Filter> {
    if field.is_time() && *test != Test::Exists {
        let range = instants(test, meaning)?;
        return Ok(Filter::Field(field, Condition::Instants(range)));
    }
    let condition = match test {
        Test::Word(text) | Test::Phrase(text) => Condition::Text(text.clone()),
        Test::Pattern(pieces) => Condition::Wildcard(pieces.clone()),
        Test::Regex(pattern) if meaning.dialect == Dialect::People => Condition::Regex(pattern.clone()),
        Test::Regex(pattern) => Condition::WholeRegex(pattern.clone()),
        Test::Exists => Condition::Exists,
        Test::Range(range) => Condition::Range(Bounds { low: bound(&range.low), high: bound(&range.high) }),
    };
    Ok(Filter::Field(field, condition))
}

fn bound(bound: &Option<Bound>) -> Option<(String, bool)> {
    bound.as_ref().map(|bound| (bound.value.clone(), bound.is_included))
}

fn instants(test: &Test, meaning: &Meaning) -> Result<TimeRange> {
    match test {
        Test::Word(text) | Test::Phrase(text) => times::parse(text, &meaning.now),
        Test::Range(Range { low, high }) => {
            let date = |bound: &Bound| Ok::<_, Error>((times::parse(&bound.value, &meaning.now)?, bound.is_included));
            Ok(between(low.as_ref().map(date).transpose()?, high.as_ref().map(date).transpose()?))
        }
        _ => Err(Error::invalid("cannot search for a time by a pattern: want a date or a range of dates")),
    }
}

/// The instants between dates: an included date is in it as a whole, another not at all.
pub fn between(low: Option<(TimeRange, bool)>, high: Option<(TimeRange, bool)>) -> TimeRange {
    let start_ns = low.map_or(i64::MIN, |(range, is_included)| if is_included { range.start_ns } else { range.end_ns.saturating_add(1) });
    let end_ns = high.map_or(i64::MAX, |(range, is_included)| if is_included { range.end_ns } else { range.start_ns.saturating_sub(1) });
    TimeRange::from_ns(start_ns, end_ns)
}

//! The query DSL: `bool`, `match`, `match_phrase`, `match_phrase_prefix`, `match_all`, `match_none`, `multi_match`, `term`,
//! `terms`, `range`, `exists`, `prefix`, `wildcard`, `regexp`, `ids`, `query_string`, `simple_query_string`,
//! `constant_score`. Everything else is refused by name. Boosts are read and mean nothing.

use serde_json::{Map, Value};
use signalbox_lang::search::{Dialect, Operator, Piece, parse_as, parse_simple};
use signalbox_model::TimeRange;
use signalbox_query::search::times::{self, Now};
use signalbox_query::search::{Bounds, Condition, Field, Filter, Meaning, between, translate, words_of};

use super::document;
use super::index::{self, pieces};
use super::refusal::{Refusal, Result};

/// Depth of a query; a reader of JSON gives up soon after.
const NESTING_MAX: usize = 40;

/// What a query asks for.
pub(super) fn filter(query: &Value, now_ns: i64) -> Result<Filter> {
    index::located(below(query, now_ns, 0)?)
}

type Object = Map<String, Value>;

fn below(query: &Value, now_ns: i64, depth: usize) -> Result<Filter> {
    if depth > NESTING_MAX {
        return Err(Refusal::parsing(format!("the query nests deeper than {NESTING_MAX}")));
    }
    let Some((name, body)) = query.as_object().filter(|query| query.len() == 1).and_then(|query| query.iter().next()) else {
        return Err(Refusal::parsing("query malformed, want an object of one query by its name"));
    };
    let now = Now::utc(now_ns);
    match name.as_str() {
        "match_all" => Ok(Filter::All),
        "match_none" => Ok(Filter::Nothing),
        "bool" => boolean(object(name, body)?, now_ns, depth),
        "constant_score" => below(member(name, body, "filter")?, now_ns, depth + 1),
        "match" => matching(name, body),
        "match_phrase" => phrase(name, body),
        "match_phrase_prefix" | "match_bool_prefix" => phrase_prefix(name, body),
        "multi_match" => multi_match(object(name, body)?),
        "term" => term(name, body),
        "terms" => terms(object(name, body)?),
        "range" => range(name, body, &now),
        "exists" => Ok(Filter::Field(Field::named(text(name, "field", member(name, body, "field")?)?.as_str()), Condition::Exists)),
        "prefix" => pattern(name, body, "value", |text| vec![Piece::Text(text.to_owned()), Piece::Any]),
        "wildcard" => pattern(name, body, "value", wildcard),
        "regexp" => {
            let (field, options) = field(name, body)?;
            Ok(Filter::Field(field, Condition::WholeRegex(text(name, "value", value_of(options, "value"))?)))
        }
        "ids" => ids(member(name, body, "values")?),
        "query_string" => query_string(object(name, body)?, now_ns),
        "simple_query_string" => simple_query_string(object(name, body)?, now_ns),
        other => Err(Refusal::parsing(format!("unknown query [{other}]"))),
    }
}

fn object<'a>(name: &str, body: &'a Value) -> Result<&'a Object> {
    body.as_object().ok_or_else(|| Refusal::parsing(format!("[{name}] query malformed, no start_object after query name")))
}

fn member<'a>(name: &str, body: &'a Value, member: &str) -> Result<&'a Value> {
    body.get(member).ok_or_else(|| Refusal::parsing(format!("[{name}] query must have [{member}]")))
}

/// Text of a scalar.
fn text(name: &str, member: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(Refusal::parsing(format!("[{name}] query wants a text, a number or a boolean as [{member}]"))),
    }
}

/// `{"field": options}` of a query of one field.
fn field<'a>(name: &str, body: &'a Value) -> Result<(Field, &'a Value)> {
    let mut fields = object(name, body)?.iter().filter(|(field, _)| !matches!(field.as_str(), "boost" | "_name"));
    match (fields.next(), fields.next()) {
        (Some((field, options)), None) => Ok((Field::named(field), options)),
        _ => Err(Refusal::parsing(format!("[{name}] query wants one field"))),
    }
}

/// The value itself, or that member of the options.
fn value_of<'a>(options: &'a Value, member: &str) -> &'a Value {
    if options.is_object() { options.get(member).unwrap_or(&Value::Null) } else { options }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn boolean(body: &Object, now_ns: i64, depth: usize) -> Result<Filter> {
    let (mut all, mut should) = (Vec::new(), Vec::new());
    let mut has_must = false;
    for (member, value) in body {
        let each = || list(value).into_iter().map(|query| below(query, now_ns, depth + 1)).collect::<Result<Vec<_>>>();
        match member.as_str() {
            "must" | "filter" => {
                let filters = each()?;
                has_must |= !filters.is_empty();
                all.extend(filters);
            }
            "must_not" | "mustNot" => all.extend(each()?.into_iter().map(Filter::negated)),
            "should" => should = each()?,
            "minimum_should_match" | "boost" | "_name" | "adjust_pure_negative" => {}
            other => return Err(Refusal::parsing(format!("[bool] query does not support [{other}]"))),
        }
    }
    let count = body.get("minimum_should_match").map_or(Some(usize::from(!has_must)), |count| at_least(count, should.len()));
    let count = count.ok_or_else(|| Refusal::parsing("[bool] query wants a number or a percentage as [minimum_should_match]"))?;
    if !should.is_empty() {
        let total = should.len();
        let some = Filter::at_least(count.min(total), should);
        all.push(some.ok_or_else(|| Refusal::illegal(format!("[minimum_should_match] of {count} of {total} is not supported: want 0, 1 or all")))?);
    }
    Ok(Filter::all_of(all))
}

/// `2`, `-1`, `75%`, of so many.
fn at_least(count: &Value, total: usize) -> Option<usize> {
    let text = count.as_i64().map(|count| count.to_string()).or_else(|| count.as_str().map(str::to_owned))?;
    let total = i64::try_from(total).ok()?;
    let count = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<i64>().ok()?.clamp(-100, 100) * total / 100,
        None => text.parse::<i64>().ok()?,
    };
    usize::try_from(if count < 0 { total.saturating_add(count) } else { count }.max(0)).ok()
}

/// A text in a field: its words if it is prose, else all of it.
fn texts(field: Field, text: &str, operator: Operator) -> Filter {
    if !field.is_prose() {
        return instant(field, text);
    }
    let words = words_of(text).into_iter().map(|word| Filter::Field(field.clone(), Condition::Text(word)));
    match operator {
        Operator::And => Filter::all_of(words),
        Operator::Or => Filter::any_of(words),
    }
}

fn instant(field: Field, text: &str) -> Filter {
    if field.is_time() {
        return match millis_or_date(text, &Now::utc(0)) {
            Ok(range) => Filter::Field(field, Condition::Instants(range)),
            Err(_) => Filter::Nothing,
        };
    }
    Filter::Field(field, Condition::Text(text.to_owned()))
}

fn operator(options: &Value, member: &str) -> Result<Operator> {
    match options.get(member).and_then(Value::as_str).unwrap_or("or") {
        text if text.eq_ignore_ascii_case("or") => Ok(Operator::Or),
        text if text.eq_ignore_ascii_case("and") => Ok(Operator::And),
        other => Err(Refusal::illegal(format!("No enum constant Operator.{other}"))),
    }
}

fn matching(name: &str, body: &Value) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    if options.get("fuzziness").is_some_and(|fuzziness| !matches!(fuzziness.as_str(), Some("0")) && *fuzziness != 0) {
        return Err(Refusal::illegal("[match] query does not support [fuzziness]: nothing is fuzzy here"));
    }
    Ok(texts(field, &text(name, "query", value_of(options, "query"))?, operator(options, "operator")?))
}

fn sequence(field: Field, text: &str) -> Filter {
    if !field.is_prose() {
        return instant(field, text);
    }
    let words = words_of(text);
    if words.is_empty() { Filter::Nothing } else { Filter::Field(field, Condition::Sequence(words)) }
}

fn phrase(name: &str, body: &Value) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    if options.get("slop").is_some_and(|slop| *slop != 0) {
        return Err(Refusal::illegal("[match_phrase] query does not support [slop]"));
    }
    Ok(sequence(field, &text(name, "query", value_of(options, "query"))?))
}

fn phrase_prefix(name: &str, body: &Value) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    let text = text(name, "query", value_of(options, "query"))?;
    if !field.is_prose() {
        return Ok(Filter::Field(field, Condition::Wildcard(vec![Piece::Text(text), Piece::Any])));
    }
    let mut words = words_of(&text);
    let Some(last) = words.pop() else { return Ok(Filter::Nothing) };
    let before = if words.is_empty() { Filter::All } else { Filter::Field(field.clone(), Condition::Sequence(words)) };
    Ok(Filter::all_of([before, Filter::Field(field, Condition::Wildcard(vec![Piece::Text(last), Piece::Any]))]))
}

fn fields_of(body: &Object, default: &str) -> Vec<Field> {
    let named = body.get("fields").map(list).unwrap_or_default();
    let default = body.get(default).into_iter();
    let names = named.into_iter().chain(default).filter_map(Value::as_str).map(|name| name.split('^').next().unwrap_or_default());
    names.map(|name| if name.is_empty() || name.contains('*') { Field::Any } else { Field::named(name) }).collect()
}

fn multi_match(body: &Object) -> Result<Filter> {
    let query = text("multi_match", "query", body.get("query").unwrap_or(&Value::Null))?;
    let mut fields = fields_of(body, "");
    if fields.is_empty() {
        fields.push(Field::Any);
    }
    let operator = operator(&Value::Object(body.clone()), "operator")?;
    let of = |field: Field| match body.get("type").and_then(Value::as_str).unwrap_or("best_fields") {
        "phrase" => Ok(sequence(field, &query)),
        "best_fields" | "most_fields" | "cross_fields" => Ok(texts(field, &query, operator)),
        other => Err(Refusal::illegal(format!("[multi_match] query does not support type [{other}]"))),
    };
    Ok(Filter::any_of(fields.into_iter().map(of).collect::<Result<Vec<_>>>()?))
}

fn term(name: &str, body: &Value) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    let text = text(name, "value", value_of(options, "value"))?;
    if field.is_time() {
        return Ok(instant(field, &text));
    }
    let is_any_case = options.get("case_insensitive").and_then(Value::as_bool) == Some(true);
    Ok(Filter::Field(field, if is_any_case { Condition::Text(text) } else { Condition::OneOf(vec![text]) }))
}

fn terms(body: &Object) -> Result<Filter> {
    let mut found = None;
    for (field, values) in body.iter().filter(|(field, _)| !matches!(field.as_str(), "boost" | "_name")) {
        let Some(values) = values.as_array().filter(|_| found.is_none()) else {
            return Err(Refusal::parsing("[terms] query wants one field with an array of values"));
        };
        let texts = values.iter().map(|value| text("terms", field, value)).collect::<Result<Vec<_>>>()?;
        found = Some((Field::named(field), texts));
    }
    match found {
        None => Err(Refusal::parsing("[terms] query wants one field with an array of values")),
        Some((_, texts)) if texts.is_empty() => Ok(Filter::Nothing),
        Some((field, texts)) if field.is_time() => Ok(Filter::any_of(texts.iter().map(|text| instant(field.clone(), text)))),
        Some((field, texts)) => Ok(Filter::Field(field, Condition::OneOf(texts))),
    }
}

fn range(name: &str, body: &Value, now: &Now) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    let options = object(name, options)?;
    let zone = options.get("time_zone").and_then(Value::as_str);
    let now = Now { zone: zone.map_or(Ok(jiff::tz::TimeZone::UTC), times::zone)?, ..now.clone() };
    let format = options.get("format").and_then(Value::as_str).unwrap_or("");
    let (mut low, mut high) = (None, None);
    for (member, value) in options {
        if value.is_null() {
            continue;
        }
        let is_included = !matches!(member.as_str(), "gt" | "lt");
        let is_included = match member.as_str() {
            "from" => options.get("include_lower").and_then(Value::as_bool).unwrap_or(true),
            "to" => options.get("include_upper").and_then(Value::as_bool).unwrap_or(true),
            _ => is_included,
        };
        match member.as_str() {
            "gt" | "gte" | "from" => low = Some((text(name, member, value)?, is_included)),
            "lt" | "lte" | "to" => high = Some((text(name, member, value)?, is_included)),
            "format" | "time_zone" | "boost" | "relation" | "_name" | "include_lower" | "include_upper" => {}
            other => return Err(Refusal::parsing(format!("[range] query does not support [{other}]"))),
        }
    }
    let is_date = field.is_time() || [&low, &high].into_iter().flatten().any(|(text, _)| text.starts_with("now") || text.contains("||"));
    if !is_date && (format.is_empty() || !format.contains("epoch")) {
        return Ok(Filter::Field(field, Condition::Range(Bounds { low, high })));
    }
    let date = |bound: Option<(String, bool)>| bound.map(|(text, is_included)| Ok::<_, Refusal>((formatted(&text, format, &now)?, is_included))).transpose();
    Ok(Filter::Field(field, Condition::Instants(between(date(low)?, date(high)?))))
}

/// A date as the format says; by default a date, or a count of milliseconds.
pub(super) fn formatted(text: &str, format: &str, now: &Now) -> Result<TimeRange> {
    let count = text.parse::<i64>().ok();
    match (format, count) {
        ("epoch_second", Some(seconds)) => Ok(counted(seconds, 1_000_000_000)),
        _ => millis_or_date(text, now),
    }
}

fn counted(count: i64, unit_ns: i64) -> TimeRange {
    let start_ns = count.saturating_mul(unit_ns);
    TimeRange::from_ns(start_ns, start_ns.saturating_add(unit_ns - 1))
}

/// Numbers are milliseconds, but for years of four digits.
fn millis_or_date(text: &str, now: &Now) -> Result<TimeRange> {
    let millis =
        text.parse::<i64>().ok().filter(|_| text.len() != 4).or_else(|| text.parse::<f64>().ok().filter(|_| text.contains('.')).map(|millis| millis as i64));
    match millis {
        Some(millis) => Ok(counted(millis, 1_000_000)),
        None => Ok(times::parse(text, now)?),
    }
}

fn pattern(name: &str, body: &Value, member: &str, pieces: impl Fn(&str) -> Vec<Piece>) -> Result<Filter> {
    let (field, options) = field(name, body)?;
    let value = if options.get(member).is_some() { member } else { name };
    Ok(Filter::Field(field, Condition::Wildcard(pieces(&text(name, member, value_of(options, value))?))))
}

fn wildcard(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    for (position, part) in text.split('?').enumerate() {
        if position > 0 {
            found.push(Piece::One);
        }
        found.extend(pieces(part));
    }
    found
}

fn ids(values: &Value) -> Result<Filter> {
    let each = list(values).into_iter().map(|value| Ok(document::of_id(&text("ids", "values", value)?)));
    Ok(Filter::any_of(each.collect::<Result<Vec<_>>>()?))
}

fn query_string(body: &Object, now_ns: i64) -> Result<Filter> {
    let query = text("query_string", "query", body.get("query").unwrap_or(&Value::Null))?;
    let dialect = Dialect::QueryString(operator(&Value::Object(body.clone()), "default_operator")?);
    let expr = parse_as(&query, dialect).map_err(|error| Refusal::parsing(format!("Failed to parse query [{query}]: {error}")))?;
    Ok(translate(&expr, &Meaning { now: Now::utc(now_ns), dialect, fields: fields_of(body, "default_field") })?)
}

fn simple_query_string(body: &Object, now_ns: i64) -> Result<Filter> {
    let query = text("simple_query_string", "query", body.get("query").unwrap_or(&Value::Null))?;
    let operator = operator(&Value::Object(body.clone()), "default_operator")?;
    let meaning = Meaning { now: Now::utc(now_ns), dialect: Dialect::QueryString(operator), fields: fields_of(body, "default_field") };
    Ok(translate(&parse_simple(&query, operator)?, &meaning)?)
}

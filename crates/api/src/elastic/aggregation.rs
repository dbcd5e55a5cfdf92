//! The DSL of aggregations: `date_histogram`, `histogram`, `terms`, `filters`, `filter`, `missing`, `range`, `avg`, `min`, `max`,
//! `sum`, `value_count`, `stats`, `extended_stats`, `cardinality`, `percentiles`, `rate`, `top_hits`, `top_metrics`, and the pipelines of
//! [`super::pipeline`]. Everything else, scripts among it, is refused by name.

use serde_json::{Map, Value};
use signalbox_model::TimeRange;
use signalbox_query::search::aggregate::{
    Aggregation, CalendarUnit, DateHistogram, DateRounding, Direction, Histogram, Interval, Kind, Measure, NumberRange, OrderBy, Terms, TopHits, TopMetrics,
};
use signalbox_query::search::times::{self, Now};
use signalbox_query::search::{self, Condition, Field, Filter};

use super::pipeline::Pipeline;
use super::query;
use super::refusal::{Refusal, Result};
use super::request::{self, Source};

/// Depth of aggregations.
const NESTING_MAX: usize = 16;
/// Records of one `top_hits`, as in Elasticsearch.
const TOP_HITS_MAX: u64 = 100;
/// Records of one `top_metrics`, as in Elasticsearch.
const TOP_METRICS_MAX: u64 = 10;
/// Buckets of one `terms`.
const TERMS_MAX: u64 = 65_536;

/// An aggregation and how its answer is written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) aggregation: Aggregation,
    pub(super) shape: Shape,
    pub(super) children: Vec<Plan>,
    /// What is made of its buckets.
    pub(super) pipelines: Vec<Pipeline>,
}

/// How an answer is written.
#[derive(Debug)]
pub(super) enum Shape {
    /// Buckets of time: the format of keys, the zone, whether by key.
    Dates { format: String, zone: jiff::tz::TimeZone, is_keyed: bool },
    /// An array of buckets, or an object of them by key.
    Buckets { is_keyed: bool },
    /// Terms.
    Terms,
    /// One bucket.
    Bucket,
    /// A number; of dates or not; an integer or not.
    Number { is_time: bool, is_count: bool },
    /// A number in so many nanoseconds, of a bucket of time.
    Rate { unit_ns: i64 },
    /// Numbers; extended or not.
    Stats { is_extended: bool, sigma: f64 },
    /// By percent, or an array.
    Percentiles { is_keyed: bool },
    /// Documents.
    Hits(Source),
    /// Numbers of records, by the names of their fields.
    Metrics(Vec<String>),
}

/// Reads `aggs` of a request.
pub(super) fn read(aggs: &Value, now_ns: i64) -> Result<Vec<Plan>> {
    let (plans, pipelines) = below(aggs, now_ns, 0)?;
    if !pipelines.is_empty() {
        return Err(Refusal::illegal("a pipeline aggregation wants buckets around it"));
    }
    if let Some(rate) = plans.iter().find(|plan| matches!(plan.shape, Shape::Rate { .. })) {
        return Err(rateless(&rate.name));
    }
    Ok(plans)
}

fn rateless(name: &str) -> Refusal {
    Refusal::illegal(format!("aggregation [{name}] of type [rate]: want a date_histogram of fixed intervals, minutes, hours, days or weeks around it"))
}

/// What is done, by name.
pub(super) fn asked(plans: &[Plan]) -> Vec<(String, Aggregation)> {
    plans.iter().map(|plan| (plan.name.clone(), plan.aggregation.clone())).collect()
}

fn below(aggs: &Value, now_ns: i64, depth: usize) -> Result<(Vec<Plan>, Vec<Pipeline>)> {
    if depth >= NESTING_MAX {
        return Err(Refusal::parsing(format!("aggregations nest deeper than {NESTING_MAX}")));
    }
    let aggs = aggs.as_object().ok_or_else(|| Refusal::parsing("[aggs] wants an object of aggregations by name"))?;
    let (mut plans, mut pipelines) = (Vec::new(), Vec::new());
    for (name, body) in aggs {
        let pipeline = body.as_object().and_then(|body| body.iter().find(|(kind, _)| Pipeline::takes(kind)));
        match pipeline {
            Some((kind, settings)) => pipelines.push(Pipeline::read(name, kind, &settings.as_object().cloned().unwrap_or_default())?),
            None => plans.push(plan(name, body, now_ns, depth)?),
        }
    }
    Pipeline::check(&pipelines, &plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>())?;
    Ok((plans, pipelines))
}

fn plan(name: &str, body: &Value, now_ns: i64, depth: usize) -> Result<Plan> {
    let body = body.as_object().ok_or_else(|| Refusal::parsing(format!("Aggregation definition for [{name}] wants an object")))?;
    let (mut kind, mut children, mut pipelines) = (None, Vec::new(), Vec::new());
    for (member, value) in body {
        match member.as_str() {
            "aggs" | "aggregations" => (children, pipelines) = below(value, now_ns, depth + 1)?,
            "meta" => {}
            _ if kind.is_some() => return Err(Refusal::parsing(format!("Found two aggregation type definitions in [{name}]"))),
            _ => kind = Some(Reader { name, kind: member, body: value.as_object().cloned().unwrap_or_default(), now_ns }),
        }
    }
    let Some(reader) = kind else { return Err(Refusal::parsing(format!("Missing definition for aggregation [{name}]"))) };
    let (kind, shape) = reader.read()?;
    let has_any = !children.is_empty() || !pipelines.is_empty();
    if has_any && !matches!(shape, Shape::Dates { .. } | Shape::Buckets { .. } | Shape::Terms | Shape::Bucket) {
        return Err(Refusal::parsing(format!("Aggregator [{name}] of type [{}] cannot accept sub-aggregations", reader.kind)));
    }
    if pipelines.iter().any(Pipeline::needs_histogram) && !matches!(kind, Kind::DateHistogram(_) | Kind::Histogram(_)) {
        return Err(Refusal::illegal(format!("aggregation [{name}] of type [{}] has a pipeline that wants a histogram around it", reader.kind)));
    }
    if let Some(rate) = children.iter().find(|plan| matches!(plan.shape, Shape::Rate { .. })).filter(|_| width_ns(&kind).is_none()) {
        return Err(rateless(&rate.name));
    }
    if let Kind::Terms(terms) = &kind {
        let has = |child: &String| children.iter().any(|plan| plan.name == *child);
        if let Some((OrderBy::Child(child, _), _)) = terms.order.iter().find(|(by, _)| matches!(by, OrderBy::Child(child, _) if !has(child))) {
            return Err(Refusal::illegal(format!("Invalid aggregation order path [{child}]: there is no aggregation of that name")));
        }
    }
    Ok(Plan { name: name.to_owned(), aggregation: Aggregation { kind, children: asked(&children) }, shape, children, pipelines })
}

/// How long buckets of time are, if all are as long.
pub(super) fn width_ns(kind: &Kind) -> Option<i64> {
    const MINUTE_NS: i64 = 60_000_000_000;
    let Kind::DateHistogram(histogram) = kind else { return None };
    Some(match histogram.rounding.interval {
        Interval::Fixed(width_ns) => width_ns,
        Interval::Calendar(CalendarUnit::Minute) => MINUTE_NS,
        Interval::Calendar(CalendarUnit::Hour) => 60 * MINUTE_NS,
        Interval::Calendar(CalendarUnit::Day) => 24 * 60 * MINUTE_NS,
        Interval::Calendar(CalendarUnit::Week) => 7 * 24 * 60 * MINUTE_NS,
        Interval::Calendar(_) => return None,
    })
}

struct Reader<'a> {
    name: &'a str,
    kind: &'a str,
    body: Map<String, Value>,
    now_ns: i64,
}

impl Reader<'_> {
    fn read(&self) -> Result<(Kind, Shape)> {
        if self.body.contains_key("script") {
            return Err(Refusal::illegal(format!("aggregation [{}] of type [{}]: scripts are not supported", self.name, self.kind)));
        }
        let measure = |measure| {
            let field = self.field()?;
            let shape = match measure {
                Measure::Stats => Shape::Stats { is_extended: false, sigma: 2.0 },
                Measure::ExtendedStats => Shape::Stats { is_extended: true, sigma: self.number("sigma")?.unwrap_or(2.0) },
                _ => Shape::Number { is_time: field.is_time() && measure != Measure::Count, is_count: measure == Measure::Count },
            };
            Ok((Kind::Measure(field, measure), shape))
        };
        match self.kind {
            "date_histogram" => self.dates(),
            "histogram" => self.histogram(),
            "terms" => self.terms(),
            "filters" => self.filters(),
            "filter" => Ok((Kind::Filter(query::filter(&Value::Object(self.body.clone()), self.now_ns)?), Shape::Bucket)),
            "missing" => Ok((Kind::Filter(Filter::Field(self.field()?, Condition::Exists).negated()), Shape::Bucket)),
            "range" => self.ranges(),
            "avg" => measure(Measure::Average),
            "min" => measure(Measure::Minimum),
            "max" => measure(Measure::Maximum),
            "sum" => measure(Measure::Sum),
            "value_count" => measure(Measure::Count),
            "stats" => measure(Measure::Stats),
            "extended_stats" => measure(Measure::ExtendedStats),
            "cardinality" => Ok((Kind::Cardinality(self.field()?), Shape::Number { is_time: false, is_count: true })),
            "percentiles" => self.percentiles(),
            "rate" => self.rate(),
            "top_hits" => self.top_hits(),
            "top_metrics" => self.top_metrics(),
            other => Err(Refusal::parsing(format!("aggregation type [{other}] of [{}] is not supported", self.name))),
        }
    }

    fn illegal(&self, reason: &str) -> Refusal {
        Refusal::illegal(format!("aggregation [{}] of type [{}]: {reason}", self.name, self.kind))
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// A number, or a text of one.
    fn number(&self, member: &str) -> Result<Option<f64>> {
        match self.body.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => number(value).map(Some).ok_or_else(|| self.illegal(&format!("[{member}] wants a number"))),
        }
    }

    fn count(&self, member: &str, default: u64) -> Result<u64> {
        match self.number(member)? {
            None => Ok(default),
            Some(count) if count >= 0.0 && count.fract() == 0.0 => Ok(count as u64),
            Some(_) => Err(self.illegal(&format!("[{member}] wants a count"))),
        }
    }

    fn size(&self, default: u64, max: u64) -> Result<usize> {
        let size = self.count("size", default)?;
        if size > max {
            return Err(self.illegal(&format!("[size] is {size}: want at most {max}")));
        }
        usize::try_from(size).map_err(|_| self.illegal("[size] is too large"))
    }

    fn field(&self) -> Result<Field> {
        let name = self.text("field").ok_or_else(|| self.illegal("wants a [field]"))?;
        Ok(Field::named(name))
    }

    fn is_keyed(&self, default: bool) -> bool {
        self.body.get("keyed").and_then(Value::as_bool).unwrap_or(default)
    }

    fn direction(&self, value: &Value) -> Result<Direction> {
        match value.as_str() {
            Some(text) if text.eq_ignore_ascii_case("asc") => Ok(Direction::Ascending),
            Some(text) if text.eq_ignore_ascii_case("desc") => Ok(Direction::Descending),
            _ => Err(self.illegal("an order wants asc or desc")),
        }
    }

    fn dates(&self) -> Result<(Kind, Shape)> {
        let text = |member: &str| self.body.get(member).map(|value| value.as_str().map_or_else(|| format!("{value}ms"), str::to_owned));
        let calendar = text("calendar_interval");
        let interval = match (text("fixed_interval"), calendar.or_else(|| text("interval"))) {
            (Some(text), None) => fixed(&text),
            (None, Some(text)) => unit(&text).map(Interval::Calendar).or_else(|| self.body.contains_key("interval").then(|| fixed(&text)).flatten()),
            (Some(_), Some(_)) => return Err(self.illegal("wants one interval")),
            (None, None) => return Err(self.illegal("wants [fixed_interval] or [calendar_interval]")),
        };
        let interval =
            interval.ok_or_else(|| self.illegal("the interval is none: want 30s, 5m, 1h, 1d as fixed, or 1m, 1h, 1d, 1w, 1M, 1q, 1y as calendar interval"))?;
        let zone = times::zone(self.text("time_zone").unwrap_or("UTC"))?;
        let offset_ns = match self.text("offset") {
            None => 0,
            Some(text) => {
                let (sign, text) = text.strip_prefix('-').map_or((1, text.trim_start_matches('+')), |rest| (-1, rest));
                sign * duration_ns(text).ok_or_else(|| self.illegal("[offset] wants a duration"))?
            }
        };
        let format = self.text("format").unwrap_or("").to_owned();
        let now = Now { time_ns: self.now_ns, zone: zone.clone() };
        let date = |value: &Value| query::formatted(&scalar(value), &format, &now);
        let bounds = match self.body.get("extended_bounds").or_else(|| self.body.get("hard_bounds")) {
            None => None,
            Some(bounds) => match (bounds.get("min"), bounds.get("max")) {
                (Some(min), Some(max)) => Some(TimeRange::from_ns(date(min)?.start_ns, date(max)?.start_ns)),
                _ => return Err(self.illegal("[extended_bounds] wants [min] and [max]")),
            },
        };
        let missing_ns = self.body.get("missing").map(|value| date(value).map(|range| range.start_ns)).transpose()?;
        let is_descending =
            self.body.get("order").and_then(|order| order.get("_key")).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case("desc"));
        let histogram = DateHistogram {
            field: self.field()?,
            rounding: DateRounding { interval, zone: zone.clone(), offset_ns },
            count_min: self.count("min_doc_count", 0)?,
            bounds,
            missing_ns,
            is_descending,
        };
        Ok((Kind::DateHistogram(histogram), Shape::Dates { format, zone, is_keyed: self.is_keyed(false) }))
    }

    fn histogram(&self) -> Result<(Kind, Shape)> {
        let interval = self.number("interval")?.filter(|interval| *interval > 0.0).ok_or_else(|| self.illegal("[interval] must be >0"))?;
        let bounds = self.body.get("extended_bounds").and_then(|bounds| Some((number(bounds.get("min")?)?, number(bounds.get("max")?)?)));
        let histogram = Histogram {
            field: self.field()?,
            interval,
            offset: self.number("offset")?.unwrap_or(0.0),
            count_min: self.count("min_doc_count", 0)?,
            bounds,
            missing: self.number("missing")?,
        };
        Ok((Kind::Histogram(histogram), Shape::Buckets { is_keyed: self.is_keyed(false) }))
    }

    fn terms(&self) -> Result<(Kind, Shape)> {
        let list = |member: &str| match self.body.get(member) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items.iter().map(scalar).collect()),
            Some(_) => Err(self.illegal(&format!("[{member}] wants an array of values: patterns and partitions are not supported"))),
        };
        let size = self.size(10, TERMS_MAX)?;
        if size == 0 {
            return Err(self.illegal("[size] must be greater than 0"));
        }
        let terms = Terms {
            field: self.field()?,
            size,
            order: self.order()?,
            count_min: self.count("min_doc_count", 1)?.max(1),
            missing: self.body.get("missing").map(scalar),
            include: list("include")?,
            exclude: list("exclude")?,
        };
        Ok((Kind::Terms(terms), Shape::Terms))
    }

    fn order(&self) -> Result<Vec<(OrderBy, Direction)>> {
        let orders = match self.body.get("order") {
            None => return Ok(vec![(OrderBy::Count, Direction::Descending)]),
            Some(Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
        };
        let mut order = Vec::new();
        for one in &orders {
            let entries = one.as_object().ok_or_else(|| self.illegal("[order] wants an object"))?;
            for (path, direction) in entries {
                let by = match path.as_str() {
                    "_count" => OrderBy::Count,
                    "_key" | "_term" => OrderBy::Key,
                    path => child(path),
                };
                order.push((by, self.direction(direction)?));
            }
        }
        Ok(order)
    }

    fn filters(&self) -> Result<(Kind, Shape)> {
        let of = |query: &Value| query::filter(query, self.now_ns);
        let (mut filters, is_keyed) = match self.body.get("filters") {
            Some(Value::Object(named)) => (named.iter().map(|(name, query)| Ok((name.clone(), of(query)?))).collect::<Result<Vec<_>>>()?, true),
            Some(Value::Array(items)) => (items.iter().map(|query| Ok((String::new(), of(query)?))).collect::<Result<Vec<_>>>()?, false),
            _ => return Err(self.illegal("wants [filters]")),
        };
        let other = self.text("other_bucket_key").or_else(|| (self.body.get("other_bucket") == Some(&Value::Bool(true))).then_some("_other_"));
        if let Some(other) = other {
            let rest = Filter::any_of(filters.iter().map(|(_, filter)| filter.clone())).negated();
            filters.push((other.to_owned(), rest));
        }
        Ok((Kind::Filters(filters), Shape::Buckets { is_keyed }))
    }

    fn ranges(&self) -> Result<(Kind, Shape)> {
        let ranges =
            self.body.get("ranges").and_then(Value::as_array).filter(|ranges| !ranges.is_empty()).ok_or_else(|| self.illegal("No [ranges] specified"))?;
        let range = |range: &Value| {
            let (from, to) = (range.get("from").and_then(number), range.get("to").and_then(number));
            let shown = |bound: Option<f64>| bound.map_or_else(|| "*".to_owned(), |bound| format!("{bound:?}"));
            let key = range.get("key").and_then(Value::as_str).map_or_else(|| format!("{}-{}", shown(from), shown(to)), str::to_owned);
            NumberRange { key, from, to }
        };
        Ok((Kind::Range(self.field()?, ranges.iter().map(range).collect()), Shape::Buckets { is_keyed: self.is_keyed(false) }))
    }

    fn percentiles(&self) -> Result<(Kind, Shape)> {
        let percents = match self.body.get("percents") {
            None => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
            Some(Value::Array(items)) => items.iter().map(number).collect::<Option<Vec<_>>>().unwrap_or_default(),
            Some(one) => number(one).into_iter().collect(),
        };
        if percents.is_empty() || percents.len() > 100 || percents.iter().any(|percent| !(0.0..=100.0).contains(percent)) {
            return Err(self.illegal("[percents] wants numbers from 0 to 100"));
        }
        Ok((Kind::Percentiles(self.field()?, percents), Shape::Percentiles { is_keyed: self.is_keyed(true) }))
    }

    /// Of a field the sum, or how many values; of none how many records.
    fn rate(&self) -> Result<(Kind, Shape)> {
        const SECOND_NS: i64 = 1_000_000_000;
        let unit_ns = match self.text("unit").unwrap_or("second") {
            "second" => SECOND_NS,
            "minute" => 60 * SECOND_NS,
            "hour" => 3_600 * SECOND_NS,
            "day" => 86_400 * SECOND_NS,
            "week" => 7 * 86_400 * SECOND_NS,
            _ => return Err(self.illegal("[unit] wants second, minute, hour, day or week")),
        };
        let measure = match (self.text("field"), self.text("mode")) {
            (None, _) => Kind::Measure(Field::named("@timestamp"), Measure::Count),
            (Some(_), None | Some("sum")) => Kind::Measure(self.field()?, Measure::Sum),
            (Some(_), Some("value_count")) => Kind::Measure(self.field()?, Measure::Count),
            (Some(_), Some(_)) => return Err(self.illegal("[mode] wants sum or value_count")),
        };
        Ok((measure, Shape::Rate { unit_ns }))
    }

    fn top_hits(&self) -> Result<(Kind, Shape)> {
        let sort = request::sort(self.body.get("sort"))?;
        let source = Source::of(self.body.get("_source"))?;
        let direction = sort.first().map_or(search::Direction::Backward, |key| key.direction);
        Ok((Kind::TopHits(TopHits { size: self.size(3, TOP_HITS_MAX)?, direction }), Shape::Hits(source)))
    }

    fn top_metrics(&self) -> Result<(Kind, Shape)> {
        let metrics = match self.body.get("metrics") {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let names: Option<Vec<String>> = metrics.iter().map(|metric| metric.get("field").and_then(Value::as_str).map(str::to_owned)).collect();
        let names = names.filter(|names| !names.is_empty() && names.len() <= 10).ok_or_else(|| self.illegal("[metrics] wants fields"))?;
        let sort = match self.body.get("sort") {
            Some(Value::Array(items)) if items.len() == 1 => &items[0],
            Some(one) => one,
            None => return Err(self.illegal("wants a [sort]")),
        };
        let (field, direction) = match sort {
            Value::String(field) => (field, Direction::Ascending),
            Value::Object(entries) if entries.len() == 1 => {
                let (field, options) = entries.iter().next().ok_or_else(|| self.illegal("wants a [sort]"))?;
                (field, self.direction(options.get("order").unwrap_or(options))?)
            }
            _ => return Err(self.illegal("[sort] wants one field")),
        };
        let fields = names.iter().map(|name| Field::named(name)).collect();
        let top = TopMetrics { fields, sort: Field::named(field), direction, size: self.size(1, TOP_METRICS_MAX)? };
        Ok((Kind::TopMetrics(top), Shape::Metrics(names)))
    }
}

/// `1`, `1.avg`, `1[95.0]`, `1.95.0`.
fn child(path: &str) -> OrderBy {
    let (name, which) = match path.split_once('[') {
        Some((name, which)) => (name, which.trim_end_matches(']')),
        None => path.split_once('.').unwrap_or((path, "value")),
    };
    OrderBy::Child(name.to_owned(), which.to_owned())
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number: &f64| number.is_finite())
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn fixed(text: &str) -> Option<Interval> {
    duration_ns(text).filter(|interval| *interval > 0).map(Interval::Fixed)
}

/// `500ms`, `30s`, `1d`, as Elasticsearch counts.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (count, unit) = (text.get(..digits)?.parse::<i64>().ok()?, text.get(digits..)?);
    count.checked_mul(match unit {
        "nanos" => 1,
        "micros" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    })
}

fn unit(text: &str) -> Option<CalendarUnit> {
    Some(match text {
        "minute" | "1m" => CalendarUnit::Minute,
        "hour" | "1h" => CalendarUnit::Hour,
        "day" | "1d" => CalendarUnit::Day,
        "week" | "1w" => CalendarUnit::Week,
        "month" | "1M" => CalendarUnit::Month,
        "quarter" | "1q" => CalendarUnit::Quarter,
        "year" | "1y" => CalendarUnit::Year,
        _ => return None,
    })
}

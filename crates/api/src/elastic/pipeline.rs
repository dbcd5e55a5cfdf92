//! Pipeline aggregations: numbers made of the numbers that buckets have already, one bucket after another.
//!
//! `cumulative_sum`, `derivative`, `serial_diff`, `moving_fn` and, for older clients, `moving_avg` below histograms; `bucket_script`
//! below anything that makes buckets. A script is arithmetic over the numbers of the paths, a function of `moving_fn` one of
//! Elasticsearch's own; everything else of Painless is refused.

use serde_json::{Map, Value, json};

use super::aggregation::duration_ns;
use super::moving::Function;
use super::refusal::{Refusal, Result};
use super::script::Script;

/// Values that a moving function looks at.
const WINDOW_MAX: u64 = 10_000;
/// Buckets that a difference looks back.
const LAG_MAX: u64 = 10_000;

/// What is made of the buckets of one aggregation.
#[derive(Debug)]
pub(super) struct Pipeline {
    name: String,
    kind: Kind,
    /// What buckets without records count as; `None` passes them over.
    gap: Option<f64>,
    /// Where the numbers are, by the name that a script has for them.
    paths: Vec<(String, Path)>,
}

#[derive(Debug)]
enum Kind {
    Sum,
    /// In milliseconds, what a slope is told by.
    Slope(Option<f64>),
    Difference(usize),
    Moving {
        window: usize,
        shift: i64,
        function: Function,
    },
    Script(Script),
}

/// Where a number of a bucket is.
#[derive(Debug, Clone, PartialEq)]
enum Path {
    Count,
    /// An aggregation, and which of its numbers.
    Of(String, String),
}

impl Path {
    fn read(text: &str) -> Self {
        if text == "_count" {
            return Self::Count;
        }
        let (name, which) = match text.split_once('[') {
            Some((name, which)) => (name, which.trim_end_matches(']')),
            None => text.split_once('.').unwrap_or((text, "value")),
        };
        Self::Of(name.to_owned(), which.to_owned())
    }

    fn number(&self, bucket: &Map<String, Value>) -> Option<f64> {
        let count = bucket.get("doc_count").and_then(Value::as_f64)?;
        match self {
            Self::Count => Some(count),
            // A bucket without records is a gap, whatever its sums are.
            Self::Of(..) if count == 0.0 => None,
            Self::Of(name, which) => {
                let answer = bucket.get(name)?;
                answer.get(which).or_else(|| answer.get("values")?.get(which)).and_then(Value::as_f64).filter(|number| number.is_finite())
            }
        }
    }
}

impl Pipeline {
    /// Whether an aggregation of this type is one.
    pub(super) fn takes(kind: &str) -> bool {
        ["cumulative_sum", "derivative", "serial_diff", "moving_fn", "moving_avg", "bucket_script"].contains(&kind)
    }

    pub(super) fn read(name: &str, kind: &str, body: &Map<String, Value>) -> Result<Self> {
        let illegal = |reason: &str| Refusal::illegal(format!("aggregation [{name}] of type [{kind}]: {reason}"));
        let count = |member: &str, default: u64, max: u64| match body.get(member) {
            None => Ok(default),
            Some(value) => {
                let count = value.as_u64().or_else(|| value.as_f64().filter(|count| count.fract() == 0.0).map(|count| count as u64));
                let count = count.or_else(|| value.as_str()?.parse().ok()).filter(|count| (1..=max).contains(count));
                count.ok_or_else(|| illegal(&format!("[{member}] wants a number from 1 to {max}")))
            }
        };
        let script = || match body.get("script") {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(Value::Object(script)) => {
                script.get("source").or_else(|| script.get("inline")).and_then(Value::as_str).ok_or_else(|| illegal("[script] wants a [source]"))
            }
            _ => Err(illegal("wants a [script]")),
        };
        let read = match kind {
            "cumulative_sum" => Kind::Sum,
            "derivative" => {
                let unit = body.get("unit").and_then(Value::as_str).filter(|unit| !unit.is_empty());
                let unit = unit.map(|text| duration_ns(text).filter(|unit| *unit > 0).ok_or_else(|| illegal("[unit] wants a duration"))).transpose()?;
                Kind::Slope(unit.map(|unit_ns| unit_ns as f64 / 1e6))
            }
            "serial_diff" => Kind::Difference(usize::try_from(count("lag", 1, LAG_MAX)?).unwrap_or(usize::MAX)),
            "moving_fn" => {
                let shift = body.get("shift").map_or(Some(0), |value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
                let function = Function::read(script()?).ok_or_else(|| {
                    illegal("[script] wants MovingFunctions.max, min, sum, stdDev, unweightedAvg, linearWeightedAvg, ewma, holt or holtWinters of values")
                })?;
                let window = usize::try_from(count("window", 5, WINDOW_MAX)?).unwrap_or(usize::MAX);
                function.check(window).map_err(|reason| illegal(&reason))?;
                Kind::Moving { window, shift: shift.ok_or_else(|| illegal("[shift] wants a number"))?, function }
            }
            "moving_avg" => {
                if body.get("predict").is_some_and(|predict| !matches!(predict.as_u64(), Some(0))) {
                    return Err(illegal("[predict] is not supported: buckets end where records do"));
                }
                let function = Function::of_model(body).map_err(|reason| illegal(&reason))?;
                let window = usize::try_from(count("window", 5, WINDOW_MAX)?).unwrap_or(usize::MAX);
                function.check(window).map_err(|reason| illegal(&reason))?;
                Kind::Moving { window, shift: 0, function }
            }
            _ => Kind::Script(Script::read(script()?).map_err(|reason| illegal(&reason))?),
        };
        let text = |value: &Value| value.as_str().map(Path::read).ok_or_else(|| illegal("[buckets_path] wants text"));
        let paths = match (body.get("buckets_path"), &read) {
            (Some(Value::Object(named)), Kind::Script(_)) => named.iter().map(|(name, path)| Ok((name.clone(), text(path)?))).collect::<Result<_>>()?,
            (Some(path), Kind::Sum | Kind::Slope(_) | Kind::Difference(_) | Kind::Moving { .. }) => vec![(String::new(), text(path)?)],
            _ => return Err(illegal("wants a [buckets_path]")),
        };
        if let Kind::Script(script) = &read
            && let Some(unknown) = script.names().find(|name| paths.iter().all(|(known, _)| known != name))
        {
            return Err(illegal(&format!("[script] names [params.{unknown}], which [buckets_path] does not")));
        }
        let gap = match body.get("gap_policy").and_then(Value::as_str) {
            None | Some("skip" | "keep_values") => None,
            Some("insert_zeros") => Some(0.0),
            Some(other) => return Err(illegal(&format!("invalid gap policy: [{other}]"))),
        };
        Ok(Self { name: name.to_owned(), kind: read, gap, paths })
    }

    /// Whether buckets must stand in a row.
    pub(super) fn needs_histogram(&self) -> bool {
        !matches!(self.kind, Kind::Script(_))
    }

    /// Whether it is made of another of these names.
    fn is_made_of(&self, others: &[&Self]) -> bool {
        self.paths.iter().any(|(_, path)| matches!(path, Path::Of(name, _) if others.iter().any(|other| other.name == *name)))
    }

    /// Refuses paths that lead nowhere: to no aggregation of these names, and to none of the others.
    pub(super) fn check(all: &[Self], names: &[&str]) -> Result<()> {
        for pipeline in all {
            for (_, path) in &pipeline.paths {
                if let Path::Of(name, _) = path
                    && !names.contains(&name.as_str())
                    && all.iter().all(|other| other.name != *name || std::ptr::eq(other, pipeline))
                {
                    return Err(Refusal::illegal(format!("No aggregation found for path [{name}] of [{}]", pipeline.name)));
                }
            }
        }
        Ok(())
    }

    fn number(&self, path: usize, bucket: &Map<String, Value>) -> Option<f64> {
        self.paths.get(path).and_then(|(_, path)| path.number(bucket)).or(self.gap)
    }

    fn answers(&self, buckets: &[&Map<String, Value>]) -> Vec<Option<Value>> {
        let numbers = || buckets.iter().map(|bucket| self.number(0, bucket)).collect::<Vec<_>>();
        let shown = |number: Option<f64>| Some(json!({ "value": number }));
        match &self.kind {
            Kind::Sum => {
                let mut sum = 0.0;
                let mut add = |number: Option<f64>| {
                    sum += number.unwrap_or(0.0);
                    sum
                };
                numbers().into_iter().map(|number| shown(Some(add(number)))).collect()
            }
            Kind::Slope(unit_ms) => {
                let (numbers, keys) = (numbers(), buckets.iter().map(|bucket| bucket.get("key").and_then(Value::as_f64)).collect::<Vec<_>>());
                let slope = |at: usize| {
                    let before = at.checked_sub(1)?;
                    let difference = numbers[at].zip(numbers[before]).map(|(now, then)| now - then);
                    let Some(unit_ms) = unit_ms else { return shown(difference) };
                    let units = keys[at].zip(keys[before]).map(|(now, then)| (now - then) / unit_ms);
                    let normalized = difference.zip(units).map(|(difference, units)| difference / units);
                    Some(json!({ "value": difference, "normalized_value": normalized }))
                };
                (0..numbers.len()).map(slope).collect()
            }
            Kind::Difference(lag) => {
                let numbers = numbers();
                (0..numbers.len()).map(|at| numbers[at].zip(*numbers.get(at.checked_sub(*lag)?)?).and_then(|(now, then)| shown(Some(now - then)))).collect()
            }
            Kind::Moving { window, shift, function } => {
                let values: Vec<f64> = numbers().into_iter().flatten().collect();
                let bound = |at: i64| usize::try_from(at).unwrap_or(0).min(values.len());
                let mut at = 0_i64;
                let mut moving = |number: Option<f64>| {
                    // A gap has none, and moves nothing.
                    number?;
                    let (from, to) = (at - i64::try_from(*window).unwrap_or(i64::MAX) + shift, at + shift);
                    at += 1;
                    shown(function.of(values.get(bound(from)..bound(to)).unwrap_or_default()))
                };
                numbers().into_iter().map(&mut moving).collect()
            }
            Kind::Script(script) => {
                let one = |bucket: &&Map<String, Value>| {
                    let mut named = Vec::with_capacity(self.paths.len());
                    for (at, (name, _)) in self.paths.iter().enumerate() {
                        named.push((name.as_str(), self.number(at, bucket)?));
                    }
                    shown(Some(script.of(&named)).filter(|number| number.is_finite()))
                };
                buckets.iter().map(one).collect()
            }
        }
    }
}

/// Puts what pipelines make into the buckets that they are made of.
pub(super) fn apply(pipelines: &[Pipeline], buckets: &mut [(String, Map<String, Value>)]) {
    let mut left: Vec<&Pipeline> = pipelines.iter().collect();
    while !left.is_empty() {
        // What is made of another waits for it; what waits in a circle is made of nothing.
        let waiting: Vec<&Pipeline> = left.iter().copied().filter(|pipeline| pipeline.is_made_of(&left)).collect();
        let now: Vec<&Pipeline> = left.iter().copied().filter(|pipeline| !waiting.iter().any(|other| std::ptr::eq(*other, *pipeline))).collect();
        let (now, next) = if now.is_empty() { (left, Vec::new()) } else { (now, waiting) };
        for pipeline in now {
            let answers = pipeline.answers(&buckets.iter().map(|(_, bucket)| bucket).collect::<Vec<_>>());
            for ((_, bucket), answer) in buckets.iter_mut().zip(answers) {
                bucket.extend(answer.map(|answer| (pipeline.name.clone(), answer)));
            }
        }
        left = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: &str, body: &Value, numbers: &[Option<f64>]) -> Vec<Value> {
        let bucket = |(at, number): (usize, &Option<f64>)| {
            let bucket = json!({ "key": at * 10, "doc_count": if number.is_some() { at + 1 } else { 0 }, "1": { "value": number }, "p": { "values": { "95.0": number } } });
            (String::new(), bucket.as_object().cloned().unwrap_or_default())
        };
        let mut buckets: Vec<_> = numbers.iter().enumerate().map(bucket).collect();
        let pipeline = Pipeline::read("x", kind, body.as_object().unwrap()).unwrap_or_else(|_| panic!("{kind} {body}"));
        apply(&[pipeline], &mut buckets);
        buckets.iter().map(|(_, bucket)| bucket.get("x").map_or(json!("-"), |answer| answer["value"].clone())).collect()
    }

    #[test]
    fn numbers_follow_from_those_of_buckets() {
        let numbers = [Some(1.0), Some(3.0), None, Some(6.0)];
        let path = |rest: Value| {
            let mut body = json!({ "buckets_path": "1" });
            body.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap_or_default());
            body
        };
        for (kind, body, want) in [
            ("cumulative_sum", path(json!({})), json!([1.0, 4.0, 4.0, 10.0])),
            ("cumulative_sum", json!({ "buckets_path": "_count" }), json!([1.0, 3.0, 3.0, 7.0])),
            ("cumulative_sum", json!({ "buckets_path": "p[95.0]" }), json!([1.0, 4.0, 4.0, 10.0])),
            ("derivative", path(json!({})), json!(["-", 2.0, null, null])),
            ("derivative", path(json!({ "gap_policy": "insert_zeros" })), json!(["-", 2.0, -3.0, 6.0])),
            ("serial_diff", path(json!({ "lag": "2" })), json!(["-", "-", "-", 3.0])),
            ("moving_fn", path(json!({ "window": 2, "script": "MovingFunctions.sum(values)" })), json!([0.0, 1.0, "-", 4.0])),
            ("moving_fn", path(json!({ "window": 2, "shift": 1, "script": { "source": "MovingFunctions.max(values)" } })), json!([1.0, 3.0, "-", 6.0])),
            ("moving_fn", path(json!({ "window": 2, "script": "MovingFunctions.min(values)" })), json!([null, 1.0, "-", 1.0])),
            ("moving_avg", path(json!({ "window": 2 })), json!([null, 1.0, "-", 2.0])),
            ("moving_avg", path(json!({ "window": "3", "model": "ewma", "settings": { "alpha": "0.5" }, "minimize": false })), json!([null, 1.0, "-", 2.0])),
            ("bucket_script", json!({ "buckets_path": { "a": "1", "n": "_count" }, "script": "params.a / params.n * 2" }), json!([2.0, 3.0, "-", 3.0])),
        ] {
            assert_eq!(json!(made(kind, &body, &numbers)), want, "{kind} {body}");
        }
    }

    #[test]
    fn pipelines_may_be_made_of_others() {
        let read = |name: &str, kind: &str, path: &str| Pipeline::read(name, kind, json!({ "buckets_path": path }).as_object().unwrap()).ok().unwrap();
        let mut buckets: Vec<_> = (1..4).map(|count| (String::new(), json!({ "key": count, "doc_count": count }).as_object().cloned().unwrap())).collect();
        apply(&[read("b", "derivative", "a"), read("a", "cumulative_sum", "_count")], &mut buckets);
        let values: Vec<&Value> = buckets.iter().map(|(_, bucket)| &bucket["a"]["value"]).collect();
        assert_eq!(json!(values), json!([1.0, 3.0, 6.0]));
        assert_eq!((buckets[0].1.get("b"), &buckets[2].1["b"]["value"]), (None, &json!(3.0)));
        assert!(Pipeline::check(&[read("b", "derivative", "a")], &["1"]).is_err() && Pipeline::check(&[read("b", "derivative", "b")], &[]).is_err());
        assert!(Pipeline::check(&[read("b", "derivative", "1[95.0]")], &["1"]).is_ok());
    }
}

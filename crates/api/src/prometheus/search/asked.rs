//! What a search asks for, with the refusals of Prometheus.

use signalbox_lang::text::quote;
use signalbox_model::{Matcher, TimeRange};

use crate::ApiState;
use crate::http::Params;
use crate::prometheus::params::{self, instant_ms};
use crate::prometheus::refusal::Refusal;

/// Results of an answer and of one of its lines when the request does not say.
const RESULTS_DEFAULT: usize = 100;
/// Terms of one search: the cost of each candidate grows with them.
const TERMS_MAX: usize = 32;
/// Bytes of one term, for the same reason.
const TERM_BYTES_MAX: usize = 1024;
/// How far back is searched when the request does not say, in milliseconds.
const WINDOW_MS: i64 = 3_600_000;

/// How candidates are compared with a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Subsequence,
    JaroWinkler,
}

/// The order of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    /// Best first, then ascending.
    Score,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) sets: Vec<Vec<Matcher>>,
    pub(super) range: TimeRange,
    /// Without empty ones.
    pub(super) terms: Vec<String>,
    /// From 0 to 1.
    pub(super) threshold: f64,
    pub(super) algorithm: Algorithm,
    pub(super) is_case_sensitive: bool,
    pub(super) with_score: bool,
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) batch: usize,
}

impl Asked {
    pub(super) fn new(state: &ApiState, params: &Params, endpoint: &str) -> Result<Self, Refusal> {
        let range = range(state, params)?;
        let sets = params::matcher_sets(params).map_err(Refusal::bad_data)?;
        let terms = terms(params)?;
        let threshold = threshold(params)?;
        let algorithm = match params.get("fuzz_alg") {
            None | Some("subsequence") => Algorithm::Subsequence,
            Some("jarowinkler") => Algorithm::JaroWinkler,
            Some(other) => return Err(Refusal::bad_data(format!("unsupported fuzz_alg {}: must be one of [subsequence jarowinkler]", quote(other)))),
        };
        let is_case_sensitive = params::boolean(params, "case_sensitive", true)?;
        let with_score = params::boolean(params, "include_score", false)?;
        let order = order(params, endpoint)?;
        let results_max = state.prometheus.settings.search_results_max;
        let limit = match params.get("limit") {
            None => RESULTS_DEFAULT.min(results_max),
            Some(text) => positive("limit", text)?,
        };
        if limit > results_max {
            return Err(Refusal::bad_data(format!("limit {limit} exceeds the configured maximum ({results_max}, see --web.search.max-limit)")));
        }
        let batch = params.get("batch_size").map_or(Ok(RESULTS_DEFAULT), |text| positive("batch_size", text))?;
        let terms = terms.into_iter().filter(|term| !term.is_empty()).map(str::to_owned).collect();
        Ok(Self { sets, range, terms, threshold, algorithm, is_case_sensitive, with_score, order, limit, batch })
    }
}

fn range(state: &ApiState, params: &Params) -> Result<TimeRange, Refusal> {
    let now_ms = state.engine.clock().now_ms();
    let instant = |name: &str, default_ms: i64| match params.get(name) {
        None => Ok(default_ms),
        Some(text) => instant_ms(text).map_err(|error| Refusal::bad_data(format!("invalid time value for '{name}': {error}"))),
    };
    let (start_ms, end_ms) = (instant("start", now_ms.saturating_sub(WINDOW_MS))?, instant("end", now_ms)?);
    if end_ms < start_ms {
        return Err(Refusal::bad_data("end timestamp must not be before start timestamp"));
    }
    Ok(TimeRange::from_ms(start_ms, end_ms))
}

fn terms(params: &Params) -> Result<Vec<&str>, Refusal> {
    let terms: Vec<&str> = params.all("search[]").collect();
    if terms.len() > TERMS_MAX {
        return Err(Refusal::bad_data(format!("too many search[] terms: got {}, maximum is {TERMS_MAX}", terms.len())));
    }
    if let Some(long) = terms.iter().find(|term| term.len() > TERM_BYTES_MAX) {
        return Err(Refusal::bad_data(format!("search[] term too long: got {} bytes, maximum is {TERM_BYTES_MAX}", long.len())));
    }
    Ok(terms)
}

fn threshold(params: &Params) -> Result<f64, Refusal> {
    let Some(text) = params.get("fuzz_threshold") else { return Ok(0.0) };
    match text.parse::<i64>() {
        Ok(percent @ 0..=100) => Ok(percent as f64 / 100.0),
        _ => Err(Refusal::bad_data(format!("invalid fuzz_threshold {}: must be 0-100", quote(text)))),
    }
}

fn order(params: &Params, endpoint: &str) -> Result<Order, Refusal> {
    let (by, direction) = (params.get("sort_by"), params.get("sort_dir"));
    match (by, direction) {
        (None, Some(_)) => return Err(Refusal::bad_data("sort_dir is only valid when sort_by is set")),
        (Some("score"), Some(_)) => return Err(Refusal::bad_data("sort_dir is not supported for sort_by=score")),
        (_, Some(other)) if !["asc", "dsc"].contains(&other) => {
            return Err(Refusal::bad_data(format!("invalid sort_dir {}: must be \"asc\" or \"dsc\"", quote(other))));
        }
        (Some("score"), None) if params.all("search[]").next().is_none() => {
            return Err(Refusal::bad_data("sort_by=score requires search[] to be set"));
        }
        _ => {}
    }
    match (by, direction) {
        (Some("alpha"), Some("dsc")) => Ok(Order::Descending),
        (None | Some("alpha"), _) => Ok(Order::Ascending),
        (Some("score"), _) => Ok(Order::Score),
        (Some(other), _) => Err(Refusal::bad_data(format!("invalid sort_by {} for {endpoint}: must be \"alpha\" or \"score\"", quote(other)))),
    }
}

fn positive(name: &str, text: &str) -> Result<usize, Refusal> {
    let number = text.parse::<i64>().ok().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Refusal::bad_data(format!("invalid {name} {}: must be a positive integer", quote(text))))
}

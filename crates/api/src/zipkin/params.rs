//! Parameters as Zipkin reads them. Refusals are plain text.

use signalbox_model::{Error, Result, TimeRange, TraceId};

use super::annotation;
use super::endpoint::is_called;
use crate::http::Params;
pub(super) use crate::http::PlainRefusal as Refusal;
use crate::trace_search::TraceSearch;

/// Zipkin's default.
const LIMIT_DEFAULT: usize = 10;
/// Zipkin's default of how far back questions look that do not say.
pub(super) const LOOKBACK_MS: i64 = 24 * 3_600_000;
/// Identifiers that one request may name.
const IDS_MAX: usize = 1_000;
const NANOS_PER_MICRO: i64 = 1_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A parameter that must be there.
pub(super) fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str> {
    params.get(name).ok_or_else(|| Error::invalid(format!("{name} is required")))
}

fn integer(params: &Params, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| text.parse().map_err(|_| Error::invalid(format!("cannot parse {name} {text:?} as integer")));
    params.get(name).map(parse).transpose()
}

/// From `endTs - lookback` to `endTs`, both in milliseconds.
pub(super) fn range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    let end_ms = integer(params, "endTs")?.unwrap_or(now_ns / NANOS_PER_MILLI);
    let lookback_ms = integer(params, "lookback")?.unwrap_or(LOOKBACK_MS);
    if end_ms <= 0 || lookback_ms <= 0 {
        return Err(Error::invalid("endTs and lookback must be above 0"));
    }
    // The whole last millisecond belongs to the range.
    let end_ns = end_ms.saturating_mul(NANOS_PER_MILLI).saturating_add(NANOS_PER_MILLI - 1);
    Ok(TimeRange::from_ns(end_ms.saturating_sub(lookback_ms).saturating_mul(NANOS_PER_MILLI), end_ns))
}

/// The range before now, for lists of what there is.
pub(super) fn recent(now_ns: i64) -> TimeRange {
    TimeRange::from_ns(now_ns.saturating_sub(LOOKBACK_MS * NANOS_PER_MILLI), now_ns)
}

/// `GET /traces`
pub(super) fn search(params: &Params, now_ns: i64) -> Result<TraceSearch> {
    let micros = |name: &str| match integer(params, name)? {
        Some(micros) if micros <= 0 => Err(Error::invalid(format!("{name} must be above 0 microseconds"))),
        micros => Ok(micros),
    };
    let (min, max) = (micros("minDuration")?, micros("maxDuration")?);
    match (min, max) {
        (None, Some(_)) => return Err(Error::invalid("maxDuration is only valid with minDuration")),
        (Some(min), Some(max)) if max < min => return Err(Error::invalid("maxDuration < minDuration")),
        _ => {}
    }
    // The UI asks for all so.
    let given = |name: &str| params.get(name).filter(|value| *value != "all").map(str::to_owned);
    let mut conditions = params.get("annotationQuery").map(annotation::conditions).transpose()?.unwrap_or_default();
    conditions.extend(given("remoteServiceName").map(|name| is_called(&name)));
    let limit = match integer(params, "limit")? {
        None => LIMIT_DEFAULT,
        Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX),
        Some(_) => return Err(Error::invalid("limit must be above 0")),
    };
    Ok(TraceSearch {
        service: given("serviceName"),
        name: given("spanName"),
        duration_min_ns: min.map(|micros| micros.saturating_mul(NANOS_PER_MICRO)),
        // Durations are shown in whole microseconds.
        duration_max_ns: max.map(|micros| micros.saturating_mul(NANOS_PER_MICRO).saturating_add(NANOS_PER_MICRO - 1)),
        conditions,
        ..TraceSearch::all(range(params, now_ns)?, limit)
    })
}

/// A trace identifier of up to 32 digits.
pub(super) fn trace_id(text: &str) -> Result<TraceId> {
    TraceId::from_hex(text).ok_or_else(|| Error::invalid(format!("{text} should be a 1 to 32 character lower-hex string with no prefix")))
}

/// `traceIds=a,b`: at least two, none twice.
pub(super) fn trace_ids(params: &Params) -> Result<Vec<TraceId>> {
    let ids = required(params, "traceIds")?.split(',').take(IDS_MAX + 1).map(trace_id).collect::<Result<Vec<_>>>()?;
    if ids.len() > IDS_MAX {
        return Err(Error::invalid(format!("traceIds has more than {IDS_MAX} identifiers")));
    }
    if ids.len() < 2 {
        return Err(Error::invalid("traceIds parameter requires at least two identifiers: use /trace/{traceId} for one"));
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < ids.len() { Err(Error::invalid("traceIds has an identifier twice")) } else { Ok(ids) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use signalbox_model::TimeRange;

    use super::{range, search, trace_ids};
    use crate::http::Params;

    const NOW: i64 = 100_000_000_000_000;

    fn asked(query: &str) -> String {
        match search(&Params::parse(query), NOW) {
            Ok(search) => format!("{} limit {}", search.query(), search.limit),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn reads_a_search() {
        let cases = [
            ("", "{} limit 10"),
            ("serviceName=all&spanName=all&limit=2", "{} limit 2"),
            ("serviceName=cart&spanName=get", "{ (resource.service.name = `cart`) && (name = `get`) } limit 10"),
            ("minDuration=5", "{ duration >= 5µs } limit 10"),
            ("minDuration=5&maxDuration=6", "{ (duration >= 5µs) && (duration <= 6.999µs) } limit 10"),
            ("maxDuration=6", "maxDuration is only valid with minDuration"),
            ("minDuration=5&maxDuration=4", "maxDuration < minDuration"),
            ("minDuration=0", "minDuration must be above 0 microseconds"),
            ("minDuration=x", "cannot parse minDuration \"x\" as integer"),
            ("limit=0", "limit must be above 0"),
            ("endTs=0", "endTs and lookback must be above 0"),
        ];
        for (query, want) in cases {
            assert_eq!(asked(query), want, "{query}");
        }
        assert!(asked("annotationQuery=error+and+a%3Db").contains("span.a = `b`"));
        assert!(asked("remoteServiceName=redis").contains("span.peer.service = `redis`"));
    }

    #[test]
    fn reads_the_range() {
        let of = |query: &str| range(&Params::parse(query), NOW).unwrap();
        assert_eq!(of(""), TimeRange::from_ns(NOW - 86_400_000_000_000, NOW + 999_999));
        assert_eq!(of("endTs=5&lookback=2"), TimeRange::from_ns(3_000_000, 5_999_999));
        assert_eq!(of("endTs=9223372036854775807&lookback=1"), TimeRange::from_ns(i64::MAX, i64::MAX));
    }

    #[test]
    fn many_are_at_least_two_different() {
        let of = |query: &str| trace_ids(&Params::parse(query)).map(|ids| ids.len()).map_err(|error| error.message().to_owned());
        assert_eq!(of("traceIds=1,2"), Ok(2));
        for query in ["", "traceIds=1", "traceIds=1,1", "traceIds=1,x", "traceIds=1,", "traceIds=0,1"] {
            assert!(of(query).is_err(), "{query}");
        }
        assert!(of(&format!("traceIds={}", vec!["1"; 1_001].join(","))).unwrap_err().contains("more than"));
    }
}

//! Parameters as questions.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_model::TimeRange;

use super::{TracesQuery, lookback_ns};
use crate::http::Params;

const NOW: i64 = 10_000_000_000_000;

fn asked(query: &str) -> String {
    match TracesQuery::parse(&Params::parse(query), NOW) {
        Ok(TracesQuery::ByIds(ids)) => format!("{ids:?}"),
        Ok(TracesQuery::Search(search)) => format!("{} limit {}", search.query(), search.limit),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn reads_a_search() {
    let cases = [
        ("", "{} limit 100"),
        ("service=cart&limit=3", "{ resource.service.name = `cart` } limit 3"),
        ("service=unknown_service&operation=all", "{ (resource.service.name = nil) && (name = `all`) } limit 100"),
        ("spanKind=client&minDuration=1ms&maxDuration=2s", "{ (kind = client) && (duration >= 1ms) && (duration <= 2s) } limit 100"),
        ("minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("limit=0", "unable to parse param 'limit': want at least 1"),
        ("limit=x", "unable to parse param 'limit': cannot parse \"x\" as integer"),
        ("start=x", "unable to parse param 'start': cannot parse \"x\" as integer"),
        ("spanKind=x", "unable to parse param 'spanKind': unsupported span kind: 'x'"),
        ("minDuration=5", "cannot parse minDuration \"5\": want a duration such as 1.2s, 100ms, 500us"),
        ("tag=a", "malformed 'tag' parameter, expecting key:value, received: a"),
        ("tags=a", "malformed 'tags' parameter, cannot unmarshal JSON: expected value at line 1 column 1"),
        ("traceID=x", "cannot parse trace ID \"x\": want 1 to 32 hexadecimal digits, not all zero"),
        ("traceID=1&traceID=&traceID=ab", "[TraceId(00000000000000000000000000000001), TraceId(000000000000000000000000000000ab)]"),
    ];
    for (query, want) in cases {
        assert_eq!(asked(query), want, "{query}");
    }
}

#[test]
fn a_tag_is_looked_for_in_every_place_and_type() {
    let places = |value: &str| ["span", "resource", "event", "link", "instrumentation"].map(|scope| format!("{scope}.k = {value}")).to_vec();
    let text = asked("tags={\"k\":\"v\"}");
    assert!(places("`v`").iter().all(|place| text.contains(place)), "{text}");
    let number = asked("tag=k:7");
    assert!(places("`7`").iter().chain(&places("7")).all(|place| number.contains(place)), "{number}");
    let truth = asked("tags={\"k\":true}");
    assert!(places("`true`").iter().chain(&places("true")).all(|place| truth.contains(place)), "{truth}");
    for (query, want) in [
        ("tag=error:true", "status = error"),
        ("tag=span.kind:SERVER", "kind = server"),
        ("tag=otel.status_code:OK", "status = ok"),
        ("tag=otel.status_description:no", "statusMessage = `no`"),
        ("tag=otel.scope.name:lib", "instrumentation:name = `lib`"),
        ("tag=otel.scope.language:go", "instrumentation.language = `go`"),
        ("tag=event:boom", "event:name = `boom`"),
    ] {
        assert!(asked(query).contains(want), "{query}: {}", asked(query));
    }
}

#[test]
fn too_many_are_refused() {
    let many = |name: &str, value: &str, count: usize| vec![format!("{name}={value}"); count].join("&");
    let tags: Vec<String> = (0..65).map(|number| format!("tag=k{number}:v")).collect();
    assert!(asked(&tags.join("&")).contains("want at most 64"));
    assert!(asked(&many("traceID", "1", 1_001)).contains("want at most 1000"));
}

#[test]
fn reads_the_range() {
    let range = |query: &str| match TracesQuery::parse(&Params::parse(query), NOW).unwrap() {
        TracesQuery::Search(search) => search.range,
        TracesQuery::ByIds(_) => TimeRange::ALL,
    };
    assert_eq!(range("start=1&end=2"), TimeRange::from_ns(1_000, 2_999));
    assert_eq!(range(""), TimeRange::from_ns(NOW - 3_600_000_000_000, NOW + 999));
    assert_eq!(range("lookback=30m"), TimeRange::from_ns(NOW - 1_800_000_000_000, NOW + 999));
    assert_eq!((lookback_ns("2d"), lookback_ns("1w"), lookback_ns("custom")), (Some(172_800_000_000_000), Some(604_800_000_000_000), None));
    assert_eq!((lookback_ns("99999999999999d"), lookback_ns("-1d"), lookback_ns("d")), (None, None, None));
}

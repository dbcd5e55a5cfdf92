//! Windows and quantiles.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_lang::traceql::tree::{MetricsFunction, Static};
use signalbox_query::traceql::MetricsSeries;

use super::{Asked, quantile_of, timestamp};
use crate::http::Params;

const MS: i64 = 1_000_000;

fn asked(query: &str) -> Asked {
    Asked::parse(&Params::parse(query), 100_000 * MS).unwrap()
}

#[test]
fn asks_for_the_steps_of_all_windows() {
    let asked = asked("service=a&service=unknown_service&lookback=20000&step=5000&ratePer=10000&spanKind=client&groupByOperation=true");
    assert_eq!((asked.steps, asked.grains_per_step, asked.window, asked.start_ns()), (4, 5, 10, 70_000 * MS));
    let request = asked.request(true, |by| MetricsFunction::CountOverTime { by });
    assert_eq!(
        request.query.to_string(),
        "{ ((resource.service.name = `a`) || (resource.service.name = nil)) && (kind = client) && (status = error) } | count_over_time() by (resource.service.name, name)"
    );
    let series = MetricsSeries {
        labels: vec![("resource.service.name".to_owned(), Static::Text("a".to_owned())), ("name".to_owned(), Static::Text("get".to_owned()))],
        points: vec![(75_000 * MS, 1.0), (80_000 * MS, 2.0), (100_000 * MS, 4.0), (200_000 * MS, 8.0)],
        exemplars: Vec::new(),
    };
    assert_eq!(asked.key(&series), ("a".to_owned(), Some("get".to_owned())));
    assert_eq!(asked.windows(&asked.grains_of(&series)), [3.0, 2.0, 0.0, 0.0, 4.0]);
}

#[test]
fn instants_may_be_anywhere() {
    let asked = asked("service=a&endTs=100250&lookback=60000&step=60000&ratePer=60000");
    assert_eq!((asked.steps, asked.grains_per_step, asked.window), (1, 60, 60));
    assert_eq!((asked.start_ns(), asked.last_ns()), (-19_000 * MS, 101_000 * MS));
    // A day by the minute: as fine as the bound allows.
    let day = super::tests::asked("service=a&lookback=86400000&step=60000&ratePer=600000");
    assert_eq!((day.steps, day.grains_per_step, day.window), (1_440, 1, 10));
}

#[test]
fn refuses_what_makes_no_sense() {
    for query in ["", "service=a&step=0", "service=a&step=1", "service=a&lookback=x", "service=a&spanKind=x", "service=a&groupByOperation=2"] {
        assert!(Asked::parse(&Params::parse(query), 0).is_err(), "{query}");
    }
}

#[test]
fn quantiles_lie_within_their_buckets() {
    let buckets = [(1.0, 0.0), (2.0, 4.0), (4.0, 4.0), (8.0, 2.0)];
    let of = |quantile: f64| quantile_of(quantile, buckets.iter().copied());
    assert_eq!((of(0.0), of(0.4), of(0.8), of(1.0)), (Some(1.0), Some(2.0), Some(4.0), Some(8.0)));
    assert_eq!(of(0.6), Some(2.0 * 0.5f64.exp2()));
    assert_eq!(quantile_of(0.5, [(1.0, 0.0)].into_iter()), None);
    assert_eq!(quantile_of(0.5, std::iter::empty()), None);
}

#[test]
fn writes_times_as_protobuf_does() {
    assert_eq!(timestamp(1_500_000_000_000_000_000), "2017-07-14T02:40:00Z");
    assert_eq!(timestamp(1_500_000_000_250_000_000), "2017-07-14T02:40:00.25Z");
}

//! Aggregations against counts made by hand.

use signalbox_model::TimeRange;
use signalbox_query::search::aggregate::{
    Aggregation, Answer, Bucket, DateHistogram, DateRounding, Direction, Histogram, Interval, Key, Kind, Measure, NumberRange, OrderBy, Terms, TopHits,
    TopMetrics,
};
use signalbox_query::search::{Condition, Field, Filter, SearchRequest};

use super::{request, search};
use crate::world::{SECOND, T0, worlds};

fn leaf(kind: Kind) -> Aggregation {
    Aggregation { kind, children: Vec::new() }
}

fn terms(name: &str, size: usize, order: Vec<(OrderBy, Direction)>) -> Terms {
    Terms { field: Field::named(name), size, order, count_min: 1, missing: None, include: Vec::new(), exclude: Vec::new() }
}

fn dates(interval_ns: i64, count_min: u64, bounds: Option<TimeRange>) -> Kind {
    let rounding = DateRounding { interval: Interval::Fixed(interval_ns), zone: signalbox_query::search::times::zone("UTC").unwrap(), offset_ns: 0 };
    Kind::DateHistogram(DateHistogram { field: Field::Timestamp, rounding, count_min, bounds, missing_ns: None, is_descending: false })
}

fn measure(name: &str, measure: Measure) -> Aggregation {
    leaf(Kind::Measure(Field::named(name), measure))
}

/// A bucket as text: its key, its count, and what is in it.
fn shown(answer: &Answer) -> String {
    let key = |key: &Key| match key {
        Key::Time(time) => ((time - T0) / SECOND).to_string(),
        Key::Number(number) => number.to_string(),
        Key::Term(text, _) => text.clone(),
        Key::Name(name, _) => name.clone(),
    };
    let bucket = |bucket: &Bucket| {
        let children: Vec<String> = bucket.children.iter().map(|(_, child)| shown(child)).collect();
        format!("{}={}{}", key(&bucket.key), bucket.count, if children.is_empty() { String::new() } else { format!("({})", children.join(" ")) })
    };
    match answer {
        Answer::Buckets(buckets) => {
            let other = if buckets.other_count > 0 { format!(" +{}", buckets.other_count) } else { String::new() };
            format!("[{}{other}]", buckets.buckets.iter().map(bucket).collect::<Vec<_>>().join(" "))
        }
        Answer::Bucket(one) => bucket(one),
        Answer::Number(number) => number.map_or("-".to_owned(), |number| number.to_string()),
        Answer::Stats(stats) => format!("{}/{}/{}/{}", stats.count, stats.min, stats.max, stats.sum),
        Answer::Percentiles(values) => values.iter().map(|(percent, value)| format!("p{percent}:{}", value.unwrap_or(f64::NAN))).collect::<Vec<_>>().join(","),
        Answer::Hits(records, count) => {
            format!("{}of{count}", records.iter().map(|record| ((record.timestamp_ns - T0) / SECOND).to_string()).collect::<Vec<_>>().join(","))
        }
        Answer::TopMetrics(rows) => rows.iter().map(|(_, numbers)| format!("{:?}", numbers[0])).collect::<Vec<_>>().join(","),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_and_measures_are_what_counting_says() {
    let by_count = || vec![(OrderBy::Count, Direction::Descending)];
    let severity = || measure("severity_number", Measure::Sum);
    let cases: Vec<(&str, Aggregation, &str)> = vec![
        ("*", leaf(dates(100 * SECOND, 0, None)), "[0=100 100=100 200=100]"),
        ("user:(user-3 OR user-250)", leaf(dates(100 * SECOND, 0, None)), "[0=1 100=0 200=1]"),
        ("user:(user-3 OR user-250)", leaf(dates(100 * SECOND, 1, None)), "[0=1 200=1]"),
        ("user:user-3", leaf(dates(100 * SECOND, 0, Some(TimeRange::from_ns(T0 - 100 * SECOND, T0 + 150 * SECOND)))), "[-100=0 0=1 100=0]"),
        ("*", leaf(Kind::Terms(terms("service", 10, by_count()))), "[cart=100 shop=100]"),
        (
            "*",
            leaf(Kind::Terms(Terms { missing: Some("none".to_owned()), ..terms("service", 2, vec![(OrderBy::Key, Direction::Descending)]) })),
            "[shop=100 none=100 +100]",
        ),
        ("*", leaf(Kind::Terms(terms("http.status_code", 10, by_count()))), "[200=240 500=60]"),
        ("*", leaf(Kind::Terms(terms("user", 2, vec![(OrderBy::Key, Direction::Ascending)]))), "[user-0=1 user-1=1 +298]"),
        ("*", leaf(Kind::Terms(Terms { include: vec!["info".to_owned()], ..terms("level", 9, by_count()) })), "[info=240]"),
        (
            "user:user-1*",
            Aggregation {
                kind: Kind::Terms(terms("level", 9, vec![(OrderBy::Child("sum".to_owned(), "value".to_owned()), Direction::Descending)])),
                children: vec![("sum".to_owned(), severity())],
            },
            "[info=89(801) error=22(374)]",
        ),
        (
            "*",
            Aggregation {
                kind: dates(150 * SECOND, 0, None),
                children: vec![(
                    "level".to_owned(),
                    Aggregation { kind: Kind::Terms(terms("level", 9, by_count())), children: vec![("avg".to_owned(), measure("ratio", Measure::Average))] },
                )],
            },
            "[-50=100([info=80(0.5) error=20(0.5)]) 100=150([info=120(0.5) error=30(0.5)]) 250=50([info=40(0.5) error=10(0.5)])]",
        ),
        (
            "*",
            leaf(Kind::Histogram(Histogram {
                field: Field::named("http.status_code"),
                interval: 150.0,
                offset: 0.0,
                count_min: 0,
                bounds: None,
                missing: None,
            })),
            "[150=240 300=0 450=60]",
        ),
        (
            "*",
            leaf(Kind::Range(
                Field::named("http.status_code"),
                vec![NumberRange { key: "ok".to_owned(), from: None, to: Some(400.0) }, NumberRange { key: "bad".to_owned(), from: Some(500.0), to: None }],
            )),
            "[ok=240 bad=60]",
        ),
        (
            "*",
            Aggregation {
                kind: Kind::Filters(vec![
                    ("cart".to_owned(), Filter::Field(Field::Service, Condition::Text("cart".to_owned()))),
                    ("none".to_owned(), Filter::Nothing),
                ]),
                children: vec![("users".to_owned(), leaf(Kind::Cardinality(Field::named("user"))))],
            },
            "[cart=100(100) none=0(0)]",
        ),
        (
            "service:cart",
            Aggregation {
                kind: Kind::Filter(Filter::Field(Field::Level, Condition::Text("error".to_owned()))),
                children: vec![("max".to_owned(), measure("timestamp", Measure::Maximum))],
            },
            "=20(1700000285000)",
        ),
        ("user:user-7", measure("http.status_code", Measure::Stats), "1/200/200/200"),
        ("user:nobody", measure("http.status_code", Measure::Minimum), "-"),
        ("service:cart", measure("user", Measure::Count), "100"),
        ("*", leaf(Kind::Percentiles(Field::named("http.status_code"), vec![50.0, 99.0])), "p50:200,p99:500"),
        ("service:cart", leaf(Kind::TopHits(TopHits { size: 2, direction: signalbox_query::search::Direction::Backward })), "297,294of100"),
        (
            "service:cart",
            leaf(Kind::TopMetrics(TopMetrics {
                fields: vec![Field::named("severity_number")],
                sort: Field::Timestamp,
                direction: Direction::Descending,
                size: 1,
            })),
            "Some(9.0)",
        ),
    ];
    for (place, world) in worlds().await {
        for (query, aggregation, want) in &cases {
            let asked = SearchRequest { aggregations: vec![("a".to_owned(), aggregation.clone())], ..request(query, 0) };
            let answer = search(&world, asked).await;
            let got = shown(&answer.aggregations[0].1);
            assert_eq!(got, *want, "{place}: {query}: {aggregation:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_more_buckets_than_an_answer_may_have() {
    let (_, world) = worlds().await.remove(0);
    let deep =
        (0..20).fold(leaf(Kind::Filter(Filter::All)), |child, _| Aggregation { kind: Kind::Filter(Filter::All), children: vec![("a".to_owned(), child)] });
    let nested = (0..2).fold(leaf(Kind::Terms(terms("user", 1_000, Vec::new()))), |child, _| Aggregation {
        kind: Kind::Terms(Terms { missing: None, ..terms("http.status_code", 10, Vec::new()) }),
        children: vec![("a".to_owned(), child)],
    });
    assert_eq!(
        shown(&search(&world, SearchRequest { aggregations: vec![("a".to_owned(), nested)], ..request("user:user-1", 0) }).await.aggregations[0].1),
        "[200=1([200=1([user-1=1])])]"
    );
    for (aggregation, want) in [(leaf(dates(1_000_000, 0, None)), "too many buckets"), (deep, "levels")] {
        let asked = SearchRequest { aggregations: vec![("a".to_owned(), aggregation)], ..request("*", 0) };
        let error = world.engine.search(&world.tenant, asked, "test").await.unwrap_err();
        assert!(error.message().contains(want), "{error}");
    }
}

//! Search: which records, how many, facets and aggregations, from head, from segments and from both.

mod aggregate;
mod filters;
mod naive;

use signalbox_lang::search::parse;
use signalbox_model::TimeRange;
use signalbox_query::search::{After, Direction, FacetRequest, Meaning, SearchAnswer, SearchRequest, translate};

use crate::world::{SECOND, T0, World, worlds};

pub(crate) fn request(query: &str, limit: usize) -> SearchRequest {
    let filter = translate(&parse(query).unwrap(), &Meaning::for_people(T0 + 3_600 * SECOND)).unwrap();
    SearchRequest::newest(filter, TimeRange::from_ns(T0, T0 + 1_000 * SECOND), limit)
}

pub(crate) async fn search(world: &World, request: SearchRequest) -> SearchAnswer {
    world.engine.search(&world.tenant, request, "test").await.unwrap()
}

/// Values with how many records have them.
type Values = Vec<(String, u64)>;

fn seconds(answer: &SearchAnswer) -> Vec<i64> {
    answer.records.iter().map(|record| (record.timestamp_ns - T0) / SECOND).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_what_people_ask_for() {
    let cases: &[(&str, &[i64])] = &[
        ("*", &[299, 298, 297]),
        ("timeout", &[295, 290, 285]),
        ("TIMEOUT service:cart", &[285, 270, 255]),
        ("\"timeout after 270 ms\"", &[270]),
        ("pattern:\"timeout after <_> ms<_>\"", &[295, 290, 285]),
        ("time", &[]),
        ("time*", &[295, 290, 285]),
        ("\"after 27\"", &[]),
        ("service:cart level:error -timeout", &[]),
        ("service.name:shop AND level:warning", &[]),
        ("service_name:shop level:ERROR", &[295, 280, 265]),
        ("level:>=warn service:shop", &[295, 280, 265]),
        ("user-123", &[123]),
        ("user:user-123", &[123]),
        ("user:USER-12?", &[129, 128, 127]),
        ("user:user-12", &[12]),
        ("http.status_code:500 NOT service:*", &[290, 275, 260]),
        ("http_status_code:>=500 service:(cart OR shop)", &[295, 285, 280]),
        ("http.status_code:[200 TO 500} service:cart", &[297, 294, 291]),
        ("ratio:0.50 user:user-7", &[7]),
        ("k8s.pod.name:shop-*", &[298, 295, 292]),
        ("replicas:3 retrying", &[285, 270, 255]),
        ("resource.replicas:3 attributes.user:user-3", &[3]),
        ("trace_id:03030303030303030303030303030303", &[20]),
        ("03030303030303030303030303030303", &[20]),
        ("03030303030303030303030303030303 nothing", &[]),
        ("span_id:0101010101010101", &[290, 280, 270]),
        ("scope.name:lib scope.attributes.language:rust user:user-1", &[1]),
        ("message:/after\\s(27|28)0/", &[280, 270]),
        ("/^request\\s29[0-9]\\sdone$/", &[299, 298, 297]),
        ("timestamp:[2023-11-14T22:13:25Z TO 2023-11-14T22:13:27Z] request", &[7, 6]),
        ("@timestamp:<2023-11-14T22:13:22Z", &[1, 0]),
        ("_exists_:trace_id service:shop", &[280, 250, 220]),
        ("nothing:*", &[]),
    ];
    for (place, world) in worlds().await {
        for (query, want) in cases {
            assert_eq!(seconds(&search(&world, request(query, 3)).await), *want, "{place}: {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_through_everything_once() {
    for (place, world) in worlds().await {
        for direction in [Direction::Backward, Direction::Forward] {
            let (mut after, mut all) = (None, Vec::new());
            loop {
                let answer =
                    search(&world, SearchRequest { direction, after, count_to: (all.len() == 7).then_some(u64::MAX), ..request("service:cart", 7) }).await;
                assert_eq!(answer.total, (all.len() == 7).then_some(100), "{place}");
                let Some(last) = answer.records.last() else { break };
                after = Some(After::exactly(last.timestamp_ns, last.sequence));
                all.extend(seconds(&answer));
            }
            let mut want: Vec<i64> = (0..100).map(|number| number * 3).collect();
            if direction == Direction::Backward {
                want.reverse();
            }
            assert_eq!(all, want, "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_facets_and_stops_early_when_it_may() {
    for (place, world) in worlds().await {
        let facets = FacetRequest { fields: vec!["service".to_owned(), "level".to_owned(), "user".to_owned()], more: 2, values: 2 };
        let answer = search(&world, SearchRequest { count_to: Some(u64::MAX), facets: Some(facets), ..request("timeout", 1) }).await;
        assert_eq!((answer.total, seconds(&answer)), (Some(60), vec![295]), "{place}");
        let shown: Vec<(String, u64, u64, Values)> = answer
            .facets
            .iter()
            .map(|facet| (facet.field.clone(), facet.count, facet.distinct, facet.values.iter().map(|(text, _, count)| (text.clone(), *count)).collect()))
            .collect();
        let values = |pairs: &[(&str, u64)]| pairs.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect::<Values>();
        assert_eq!(
            shown,
            [
                ("service".to_owned(), 40, 2, values(&[("cart", 20), ("shop", 20)])),
                ("level".to_owned(), 60, 1, values(&[("error", 60)])),
                ("user".to_owned(), 60, 60, values(&[("user-0", 1), ("user-10", 1)])),
                ("http.status_code".to_owned(), 60, 1, values(&[("500", 60)])),
                ("ratio".to_owned(), 60, 1, values(&[("0.5", 60)])),
            ],
            "{place}"
        );
        let answer = search(&world, request("*", 5)).await;
        let most = if place == "segments" { 300 } else { 150 };
        assert!(answer.rows_read <= most, "{place}: read {} rows", answer.rows_read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_trees_too_deep_or_too_large_and_dates_that_are_none() {
    use signalbox_query::search::{Condition, Field, Filter};
    let (_, world) = worlds().await.remove(0);
    let word = || Filter::Field(Field::Any, Condition::Text("a".to_owned()));
    let deep = (0..1_000).fold(word(), |filter, _| Filter::Not(Box::new(filter)));
    let many = Filter::Or(vec![word(); 5_000]);
    for filter in [deep, many, Filter::Field(Field::Body, Condition::Regex("(".to_owned()))] {
        let request = SearchRequest { filter, ..request("*", 1) };
        assert!(world.engine.search(&world.tenant, request, "test").await.is_err());
    }
    for query in ["timestamp:soon", "timestamp:a*", "timestamp:[x TO y]"] {
        assert!(translate(&parse(query).unwrap(), &Meaning::for_people(T0)).is_err(), "{query}");
    }
}

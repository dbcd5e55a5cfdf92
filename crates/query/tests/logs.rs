//! LogQL: which records, in which order, with every field.

use signalbox_lang::logql::{self, Expr};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{ErrorKind, TimeRange};
use signalbox_query::logql::{Direction, LogRequest};

use crate::world::{SECOND, T0, World, span_id, trace_id, worlds};

fn request(query: &str, limit: usize, direction: Direction) -> LogRequest {
    let Expr::Logs(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
    LogRequest { expr, range: TimeRange::from_ns(T0, T0 + 1_000 * SECOND), limit, direction }
}

/// Seconds of the records after the beginning.
async fn seconds(world: &World, request: LogRequest) -> Vec<i64> {
    let answer = world.engine.logs(&world.tenant, request).await.unwrap();
    answer.entries.iter().map(|entry| (entry.record.timestamp_ns - T0) / SECOND).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn selects_the_first_records_that_match() {
    let cases: &[(&str, usize, &[i64])] = &[
        ("{service_name=\"cart\"}", 3, &[297, 294, 291]),
        ("{service_name=~\"cart|shop\"}", 3, &[298, 297, 295]),
        ("{service_name=~\".+\", service_name!=\"cart\"}", 3, &[299, 298, 296]),
        ("{service_name=\"unknown_service\"}", 2, &[299, 296]),
        ("{service_name=\"cart\"} |= \"timeout\"", 2, &[285, 270]),
        ("{service_name=\"cart\"} |= \"timeout\" |= \"after 27\"", 2, &[270]),
        ("{service_name=\"cart\"} != \"timeout\" != \"297\"", 2, &[294, 291]),
        ("{service_name=\"cart\"} |= \"297\" or \"270\"", 9, &[297, 270]),
        ("{service_name=\"cart\"} != \"request\" or \"28\"", 2, &[270, 255]),
        ("{service_name=\"cart\"} |~ \"after (15|30) ms$\"", 9, &[]),
        ("{service_name=\"cart\"} |~ \"(?m)after (15|30) ms$\"", 9, &[30, 15]),
        ("{service_name=\"cart\"} !~ \"^request\"", 2, &[285, 270]),
        ("{k8s_pod_name=\"shop-1\"}", 2, &[298, 295]),
        ("{replicas=\"3\"}", 1, &[297]),
        ("{user=\"user-123\"}", 9, &[123]),
        ("{http_status_code=\"500\", service_name=\"shop\"}", 2, &[295, 280]),
        ("{detected_level=\"error\"}", 2, &[295, 290]),
        ("{level=~\"err.*\", service_name=\"cart\"}", 1, &[285]),
        ("{severity_text=\"ERROR\"}", 1, &[295]),
        ("{trace_id=\"03030303030303030303030303030303\"}", 9, &[20]),
        ("{span_id=\"0101010101010101\"}", 1, &[290]),
        ("{scope_name=\"lib\", nothing=\"\"}", 1, &[299]),
        ("{nothing=~\".+\"}", 1, &[]),
        ("{service_name=\"cart\"} | http_status_code=\"500\"", 2, &[285, 270]),
        ("{service_name=\"cart\"} | http_status_code>=500 |= \"timeout\"", 2, &[285, 270]),
        ("{service_name=\"cart\"} |= \"after 27\" | http_status_code!=200", 2, &[270]),
        ("{service_name=~\".+\"} | http_status_code>300 or user=\"user-299\"", 2, &[299, 295]),
        ("{service_name=~\".+\"} | severity_text=\"ERROR\" | user!=\"user-295\" | ratio=0.5", 1, &[290]),
        ("{service_name=~\".+\"} | replicas=\"3\", user=~\"user-2..\"", 1, &[297]),
        ("{service_name=~\".+\"} | nothing!=\"\"", 1, &[]),
        // What is no number is marked and stays.
        ("{service_name=~\".+\"} | user>5", 2, &[299, 298]),
        ("{service_name=~\".+\"} | user>5 | __error__=\"\"", 2, &[]),
        ("{service_name=~\".+\"} | user=\"user-123\" | json", 2, &[123]),
        ("{service_name=~\".+\"} | language=\"rust\" | scope_name=\"lib\" | user=\"user-7\"", 2, &[7]),
    ];
    for (place, world) in worlds().await {
        for (query, limit, want) in cases {
            assert_eq!(seconds(&world, request(query, *limit, Direction::Backward)).await, *want, "{place}: {query}");
        }
        assert_eq!(seconds(&world, request("{service_name=\"cart\"}", 3, Direction::Forward)).await, [0, 3, 6], "{place}");
        let all = seconds(&world, request("{service_name=~\".+\"}", 1_000, Direction::Backward)).await;
        assert_eq!(all, (0..300).rev().collect::<Vec<_>>(), "{place}");
        assert_eq!(seconds(&world, request("{service_name=~\".+\"}", 0, Direction::Backward)).await, [0; 0], "{place}");
        let mut narrow = request("{service_name=~\".+\"}", 100, Direction::Forward);
        narrow.range = TimeRange::from_ns(T0 + 10 * SECOND, T0 + 12 * SECOND);
        assert_eq!(seconds(&world, narrow).await, [10, 11, 12], "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_comes_back() {
    for (place, world) in worlds().await {
        let answer = world.engine.logs(&world.tenant, request("{user=\"user-10\"}", 1, Direction::Backward)).await.unwrap();
        let record = &answer.entries[0].record;
        assert_eq!(record.timestamp_ns, T0 + 10 * SECOND, "{place}");
        assert_eq!(record.observed_timestamp_ns, Some(T0 + 10 * SECOND + 5), "{place}");
        assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"), "{place}");
        assert_eq!(record.body(), Some(AttributeValue::String("timeout after 10 ms\nretrying".to_owned())), "{place}");
        assert_eq!((record.trace_id, record.span_id, record.flags), (Some(trace_id(2)), Some(span_id(1)), 1), "{place}");
        let attributes = [
            ("http.status_code".to_owned(), AttributeValue::Int(500)),
            ("user".to_owned(), AttributeValue::String("user-10".to_owned())),
            ("ratio".to_owned(), AttributeValue::Double(0.5)),
        ];
        assert_eq!(record.attributes, attributes, "{place}");
        assert_eq!(record.dropped_attributes_count, 1, "{place}");
        assert_eq!((record.scope.name.as_str(), record.scope.version.as_str()), ("lib", "1.2"), "{place}");
        assert_eq!(record.scope.attributes, [("language".to_owned(), AttributeValue::String("rust".to_owned()))], "{place}");
        assert_eq!(record.resource.schema_url, "https://x/1", "{place}");
        assert_eq!(record.resource.get("k8s.pod.name"), Some(&AttributeValue::String("shop-1".to_owned())), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_streams_by_their_labels() {
    for (place, world) in worlds().await {
        let all = TimeRange::ALL;
        let names: Vec<_> = world.engine.log_label_names(&world.tenant, Vec::new(), all).await.unwrap().into_iter().collect();
        assert_eq!(names, ["k8s_pod_name", "replicas", "service_name"], "{place}");
        let services: Vec<_> = world.engine.log_label_values(&world.tenant, "service_name", Vec::new(), all).await.unwrap().into_iter().collect();
        assert_eq!(services, ["cart", "shop", "unknown_service"], "{place}");
        let Expr::Logs(selector) = logql::parse("{user=\"user-5\"}").unwrap() else { panic!() };
        let levels: Vec<_> = world.engine.log_label_values(&world.tenant, "level", vec![selector], all).await.unwrap().into_iter().collect();
        assert_eq!(levels, ["error"], "{place}");
        assert_eq!(world.engine.log_streams(&world.tenant, Vec::new(), all).await.unwrap().len(), 3, "{place}");
        let before = TimeRange::from_ns(0, T0 - 1);
        assert!(world.engine.log_streams(&world.tenant, Vec::new(), before).await.unwrap().is_empty(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_reading_when_no_older_part_can_matter() {
    for (place, world) in worlds().await {
        let answer = world.engine.logs(&world.tenant, request("{service_name=~\".+\"}", 5, Direction::Backward)).await.unwrap();
        let most = if place == "segments" { 300 } else { 150 };
        assert!(answer.rows_read <= most, "{place}: read {} rows", answer.rows_read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_records_are_refused() {
    let (_, world) = worlds().await.remove(0);
    let error = world.engine.logs(&world.tenant, request("{service_name=\"cart\"}", 100_000, Direction::Backward)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

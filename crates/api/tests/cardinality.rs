//! `GET /api/v1/cardinality`.

use axum::body::Body;
use http::Request;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn counts_series_and_says_who_asks_for_them() {
    for world in [World::head().await, World::segments().await] {
        for _ in 0..2 {
            let query = Request::get("/api/v1/query?query=rate(requests_total[5m])").header("user-agent", "Grafana/11").header("x-dashboard-uid", "d1");
            assert_eq!(world.send(query.body(Body::empty()).unwrap()).await.status, 200);
        }
        let answer = world.get("/api/v1/cardinality?top=3").await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        let json = answer.json();
        let series = json["series"].as_u64().unwrap();
        assert!(series > 3 && json["rows"].as_u64().unwrap() >= series, "{json}");
        assert_eq!((json["sampled_one_in"].as_u64(), json["step_ms"].as_u64()), (Some(1), Some(3_600_000)));
        assert_eq!((json["created_by_step"].as_array().unwrap().len(), json["metrics"].as_array().unwrap().len()), (25, 3));
        assert_eq!(json["labels"][0]["values"], json["labels"].as_array().unwrap().iter().map(|label| label["values"].as_u64()).max().unwrap().unwrap());
        let selected = world.get("/api/v1/cardinality?match[]=requests_total&order=bytes").await.json();
        let metric = &selected["metrics"][0];
        assert_eq!((metric["name"].as_str(), metric["queries"].as_u64(), &metric["series"]), (Some("requests_total"), Some(2), &selected["series"]));
        assert_eq!(metric["asked_by"][0]["asker"], "Grafana/11 dashboard d1");
        assert!(metric["last_query_ms"].is_number());
        assert_eq!((selected["usage"]["metrics"].as_u64(), selected["usage"]["most"][0]["name"].as_str()), (Some(1), Some("requests_total")));
        let values = world.get("/api/v1/cardinality?label=__name__&top=1000").await.json();
        let pairs = values["pairs"].as_array().unwrap();
        assert_eq!((Some(pairs.len() as u64), pairs.iter().all(|pair| pair["name"] == "__name__")), (values["metric_names"].as_u64(), true));
        let none = world.get("/api/v1/cardinality?match[]=nothing").await.json();
        assert_eq!((none["series"].as_u64(), none["metrics"].as_array().map(Vec::len)), (Some(0), Some(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_makes_no_sense() {
    let world = World::head().await;
    for bad in ["start=x", "start=2&end=1", "top=0", "top=9999", "order=name", "step=0", "step=nan", "match[]=a{", "match[]=a&match[]=b", "end=inf"] {
        let answer = world.get(&format!("/api/v1/cardinality?{bad}")).await;
        assert_eq!((answer.status, answer.json()["error"]["kind"].as_str()), (400, Some("invalid")), "{bad}");
    }
    // The ends of time are bounded in steps.
    assert_eq!(world.get("/api/v1/cardinality?start=-1e18&end=1e18").await.status, 200);
}

//! Prometheus' dialect beyond the golden files: forms, exact bytes, refusals with their words.

use axum::body::Body;
use http::Request;

use crate::world::{Answer, World};

async fn post(world: &World, path: &str, form: &str) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded").body(Body::from(form.to_owned())).unwrap();
    world.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_prefixes_and_forms_answer_alike() {
    let world = World::head().await;
    for (path, form) in [
        ("labels", "match[]=up&start=1700000000"),
        ("series", "match%5B%5D=up"),
        ("format_query", "query=sum(up)by(job)"),
        ("query", "query=up&time=1700000030"),
        ("query_range", "query=up&start=1700000000&end=1700000030&step=15"),
    ] {
        let want = world.get(&format!("/api/v1/{path}?{}", form.replace("[]", "%5B%5D"))).await;
        assert_eq!(want.status, 200, "{path}: {}", want.text());
        for prefix in ["/api/v1", "/prometheus/api/v1"] {
            assert_eq!(post(&world, &format!("{prefix}/{path}"), form).await.text(), want.text(), "{prefix}/{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_words_of_prometheus() {
    let world = World::head().await;
    let cases = [
        ("query?query=up&limit=x", r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#),
        ("query?query=up&limit=-1", r#"invalid parameter "limit": limit must be non-negative"#),
        ("query?query=up&time=x", r#"invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp"#),
        ("query?query=up&timeout=x", r#"invalid parameter "timeout": cannot parse "x" to a valid duration"#),
        ("query?query=up&lookback_delta=x", r#"error parsing lookback delta duration: cannot parse "x" to a valid duration"#),
        ("query?query=", r#"invalid parameter "query": unknown position: parse error: no expression found in input"#),
        ("query?query=sum(", r#"invalid parameter "query": 1:5: parse error: unclosed left parenthesis"#),
        ("query_range?query=up&start=x", r#"invalid parameter "start": cannot parse "x" to a valid timestamp"#),
        ("query_range?query=up&start=5&end=1&step=1", r#"invalid parameter "end": end timestamp must not be before start time"#),
        (
            "query_range?query=up&start=1&end=5&step=0",
            r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
        ),
        (
            "query_range?query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("series", "no match[] parameter provided"),
        ("series?match%5B%5D=%7B%7D", r#"invalid parameter "match[]": match[] must contain at least one non-empty matcher"#),
        ("labels?match%5B%5D=%7B%7D", "match[] must contain at least one non-empty matcher"),
        ("metadata?limit=x", "limit must be a number"),
        ("query_exemplars?query=up&start=2&end=1", "end timestamp must not be before start timestamp"),
        ("label/U__/values", r#"invalid label name: """#),
    ];
    for (path, want) in cases {
        let answer = world.get(&format!("/api/v1/{path}")).await;
        let json = answer.json();
        assert_eq!((answer.status, json["status"].as_str(), json["errorType"].as_str()), (400, Some("error"), Some("bad_data")), "{path}");
        assert_eq!(json["error"], want, "{path}");
        assert!(json.get("data").is_none(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_those_of_prometheus() {
    let world = World::head().await;
    let cases = [
        ("query?query=1%2B1&time=5.5", r#"{"status":"success","data":{"resultType":"scalar","result":[5.5,"2"]}}"#),
        (
            "query?query=up%7Bjob%3D%22cart%22%7D&time=1700000030.5",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"cart-1:80","job":"cart"},"value":[1700000030.500,"1"]}]}}"#,
        ),
        ("labels?match%5B%5D=nothing", r#"{"status":"success","data":[]}"#),
        ("metadata?metric=nothing", r#"{"status":"success","data":{}}"#),
        ("query_exemplars?query=nothing", r#"{"status":"success","data":[]}"#),
    ];
    for (path, want) in cases {
        assert_eq!(world.get(&format!("/api/v1/{path}")).await.text(), want, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_that_fail_are_no_bad_requests() {
    let world = World::head().await;
    let cases = [("query?query=up%20*%20on()%20up&time=1700000030", 422, "execution"), ("query_range?query=up%5B1m%5D&start=1&end=2&step=1", 400, "bad_data")];
    for (path, status, kind) in cases {
        let answer = world.get(&format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.json()["errorType"].as_str()), (status, Some(kind)), "{path}: {}", answer.text());
    }
}

//! Requests and the answers they have in `testdata/<dialect>/<case>.txt`.

use axum::body::Body;
use http::Request;

use crate::world::{Answer, World};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// Dialect and case, path with `TRACE` for the identifier of the trace, and a header.
const CASES: &[(&str, &str, Option<(&str, &str)>)] = &[
    ("loki/query_range", "/loki/api/v1/query_range?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010&limit=10", None),
    (
        "loki/categorized",
        "/loki/api/v1/query_range?query={service_name%3D\"cart\"}|%3D\"order\"&start=1700000000&limit=1",
        Some(("x-loki-response-encoding-flags", "categorize-labels")),
    ),
    ("loki/forward", "/loki/api/v1/query_range?query={service_name%3D\"cart\"}&start=2023-11-14T22:13:20Z&direction=forward&limit=1", None),
    ("loki/nothing", "/loki/api/v1/query_range?query={service_name%3D\"nobody\"}", None),
    ("loki/health", "/loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4000000000", None),
    ("loki/matrix", "/loki/api/v1/query_range?query=vector(2)&start=1700000000&end=1700000004&step=2", None),
    ("loki/labels", "/loki/api/v1/labels", None),
    ("loki/label_values", "/loki/api/v1/label/detected_level/values", None),
    ("loki/series", "/loki/api/v1/series?match[]={service_name%3D\"cart\"}", None),
    ("loki/buildinfo", "/loki/api/v1/status/buildinfo", None),
    ("loki/parse_error", "/loki/api/v1/query_range?query={service_name%3D}", None),
    ("loki/unsupported", "/loki/api/v1/query_range?query=rate({a%3D\"b\"}[5m])", None),
    ("jaeger/services", "/jaeger/api/services", None),
    ("jaeger/operation_names", "/jaeger/api/services/shop/operations", None),
    ("jaeger/operations", "/jaeger/api/operations?service=cart", None),
    ("jaeger/trace", "/jaeger/api/traces/TRACE", None),
    (
        "jaeger/search",
        "/jaeger/api/traces?service=cart&operation=DECR%20stock&tags={\"db.system\":\"redis\",\"error\":\"true\"}&minDuration=10ms&limit=5",
        None,
    ),
    ("jaeger/search_nothing", "/jaeger/api/traces?service=cart&minDuration=1h", None),
    ("jaeger/dependencies", "/jaeger/api/dependencies?endTs=1700000060000&lookback=3600000", None),
    ("jaeger/not_found", "/jaeger/api/traces/77", None),
    ("jaeger/bad_tag", "/jaeger/api/traces?service=cart&tag=x", None),
    ("tempo/trace", "/tempo/api/traces/TRACE", None),
    ("tempo/trace_v2", "/tempo/api/v2/traces/TRACE", None),
    ("tempo/search", "/tempo/api/search?q={resource.service.name%3D\"cart\"%26%26status%3Derror}", None),
    ("tempo/search_tags", "/tempo/api/search?tags=service.name%3Dshop%20http.status_code%3D500&minDuration=200ms&start=1700000000&end=1700000060&spss=1", None),
    ("tempo/search_nothing", "/tempo/api/search?q={name%3D\"nothing\"}", None),
    ("tempo/tags", "/tempo/api/search/tags", None),
    ("tempo/tags_v2", "/tempo/api/v2/search/tags", None),
    ("tempo/values", "/tempo/api/search/tag/service.name/values", None),
    ("tempo/values_v2", "/tempo/api/v2/search/tag/span.http.status_code/values", None),
    ("tempo/values_name", "/tempo/api/v2/search/tag/name/values", None),
    ("tempo/echo", "/tempo/api/echo", None),
    ("tempo/buildinfo", "/tempo/api/status/buildinfo", None),
    ("tempo/not_found", "/tempo/api/traces/0", None),
    ("tempo/bad_id", "/tempo/api/traces/xyz", None),
    ("tempo/unsupported", "/tempo/api/search?q={}%20|%20count()%20>%202", None),
];

fn render(answer: &Answer) -> String {
    let body = match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap(),
        Err(_) => answer.text(),
    };
    format!("{} {}\n\n{body}\n", answer.status, answer.content_type)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_the_golden_files() {
    let is_blessing = std::env::var("BLESS").is_ok();
    let mut wrong = Vec::new();
    for (place, world) in [("head", World::head().await), ("segments", World::segments().await)] {
        for (name, path, header) in CASES {
            let mut request = Request::get(escape(&path.replace("TRACE", TRACE)));
            if let Some((header, value)) = header {
                request = request.header(*header, *value);
            }
            let got = render(&world.send(request.body(Body::empty()).unwrap()).await);
            let file = format!("{}/testdata/{name}.txt", env!("CARGO_MANIFEST_DIR"));
            if is_blessing && place == "head" {
                std::fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
                std::fs::write(&file, &got).unwrap();
            }
            let want = std::fs::read_to_string(&file).unwrap_or_default();
            if got != want {
                wrong.push(format!("{place} {name}: got {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path that a URI may hold: tests are written to be read.
fn escape(path: &str) -> String {
    path.chars().map(|character| if "{}\"|<>[] ".contains(character) { format!("%{:02X}", u32::from(character)) } else { character.to_string() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_in_protobuf_is_the_trace_in_json() {
    use prost::Message;
    use signalbox_proto::otlp::trace::v1::TracesData;

    let world = World::head().await;
    let request = Request::get(format!("/tempo/api/traces/{TRACE}")).header("accept", "application/protobuf").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/protobuf"));
    let decoded = TracesData::decode(answer.body.as_slice()).unwrap();
    let json = world.get(&format!("/tempo/api/traces/{TRACE}")).await.json();
    assert_eq!(serde_json::to_value(&decoded.resource_spans).unwrap(), json["batches"]);

    let request = Request::get(format!("/tempo/api/v2/traces/{TRACE}")).header("accept", "application/protobuf").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    // Field 1, length-delimited: the same message one level deeper.
    assert_eq!(answer.body[0], 0x0a);
    let inner = prost::encoding::decode_varint(&mut &answer.body[1..]).unwrap() as usize;
    assert_eq!(TracesData::decode(&answer.body[answer.body.len() - inner..]).unwrap(), decoded);
}

#[tokio::test(flavor = "multi_thread")]
async fn loki_reads_forms() {
    let world = World::head().await;
    let body = "query=%7Bservice_name%3D%22cart%22%7D+%7C%3D+%22coffee%22&start=1700000000000000000&end=1700000010000000000";
    let request = Request::post("/loki/api/v1/query_range").header("content-type", "application/x-www-form-urlencoded").body(Body::from(body)).unwrap();
    let answer = world.send(request).await.json();
    assert_eq!(answer["data"]["result"][0]["values"][0][1], "ordered coffee");
}

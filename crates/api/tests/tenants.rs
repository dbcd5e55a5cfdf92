//! Several tenants in one question: every answer is what each has, told apart by `__tenant_id__`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

const BOTH: &str = "red|blue";
const RANGE: &str = "start=1700000000&end=1700000010";

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

async fn loki(world: &World, owners: &str, query: &str, rest: &str) -> Value {
    let uri = format!("/loki/api/v1/query_range?query={}&{RANGE}&{rest}", encoded(query));
    let answer = world.get_as(owners, &uri).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()["data"]["result"].clone()
}

/// Tenant and line of each record.
async fn lines(world: &World, owners: &str, query: &str, rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for stream in loki(world, owners, query, rest).await.as_array().unwrap() {
        let tenant = stream["stream"]["__tenant_id__"].as_str().unwrap_or("-");
        found.extend(stream["values"].as_array().unwrap().iter().map(|value| (tenant.to_owned(), value[1].as_str().unwrap().to_owned())));
    }
    found.sort();
    found
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_several_tenants_name_theirs() {
    let world = World::shared().await;
    let own = lines(&world, "red", "{service_name=~\".+\"}", "").await;
    assert!(own.len() == 4 && own.iter().all(|(tenant, _)| tenant == "-"), "{own:?}");
    assert_eq!(lines(&world, "red|red", "{service_name=~\".+\"}", "").await, own);
    let of = |tenant: &str| own.iter().map(|(_, line)| (tenant.to_owned(), line.clone())).collect::<Vec<_>>();
    let all = [of("blue"), of("red")].concat();
    assert_eq!(lines(&world, BOTH, "{service_name=~\".+\"}", "").await, all);
    for (query, tenant) in [
        ("{__tenant_id__=\"red\"}", "red"),
        ("{service_name=~\".+\", __tenant_id__!=\"red\"}", "blue"),
        ("{service_name=~\".+\", __tenant_id__=~\"bl.*\"}", "blue"),
    ] {
        assert_eq!(lines(&world, BOTH, query, "").await, of(tenant), "{query}");
    }
    let coffee = |tenant: &str| (tenant.to_owned(), "ordered coffee".to_owned());
    assert_eq!(lines(&world, BOTH, "{service_name=\"cart\"} |= \"coffee\"", "").await, [coffee("blue"), coffee("red")]);
    assert_eq!(lines(&world, BOTH, "{service_name=\"cart\"} |= \"coffee\" | __tenant_id__=\"red\"", "").await, [coffee("red")]);
    assert_eq!(lines(&world, BOTH, "{service_name=\"cart\"} |= \"coffee\"", "limit=1").await.len(), 1);
    assert_eq!(lines(&world, "red|nobody", "{service_name=~\".+\"}", "").await, of("red"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_several_tenants_is_the_sum() {
    let world = World::shared().await;
    let counted = loki(&world, BOTH, "sum by (__tenant_id__) (count_over_time({service_name=~\".+\"}[10s]))", "step=10").await;
    let last = |series: &Value| series["values"].as_array().unwrap().last().unwrap()[1].clone();
    let by: Vec<(Value, Value)> = counted.as_array().unwrap().iter().map(|series| (series["metric"]["__tenant_id__"].clone(), last(series))).collect();
    assert_eq!(by, [("blue".into(), "4".into()), ("red".into(), "4".into())]);
    let get = async |owners: &str, path: &str| world.get_as(owners, &format!("/loki/api/v1/{path}&{RANGE}")).await.json();
    let all = encoded("{service_name=~\".+\"}");
    let (one, both) = (get("red", &format!("index/stats?query={all}")).await, get(BOTH, &format!("index/stats?query={all}")).await);
    for figure in ["streams", "entries", "bytes"] {
        assert_eq!(both[figure].as_u64().unwrap(), 2 * one[figure].as_u64().unwrap(), "{figure}");
    }
    let volumes = get(BOTH, &format!("index/volume?query={all}&targetLabels=__tenant_id__")).await["data"]["result"].clone();
    let tenants: BTreeSet<&str> = volumes.as_array().unwrap().iter().map(|series| series["metric"]["__tenant_id__"].as_str().unwrap()).collect();
    assert_eq!(tenants, BTreeSet::from(["blue", "red"]));
    assert!(texts(&get(BOTH, "labels?x=").await["data"]).contains("__tenant_id__") && !texts(&get("red", "labels?x=").await["data"]).contains("__tenant_id__"));
    assert_eq!(get(BOTH, "label/__tenant_id__/values?x=").await["data"], serde_json::json!(["blue", "red"]));
    let streams = async |owners: &str| get(owners, &format!("series?match[]={all}")).await["data"].as_array().unwrap().len();
    assert_eq!(streams(BOTH).await, 2 * streams("red").await);
    let samples = |answer: &Value| -> u64 {
        let series = answer["data"].as_array().unwrap().iter().flat_map(|series| series["samples"].as_array().unwrap());
        series.map(|sample| sample[1].as_u64().unwrap()).sum()
    };
    let (one, both) = (get("red", &format!("patterns?query={all}")).await, get(BOTH, &format!("patterns?query={all}")).await);
    assert_eq!(samples(&both), 2 * samples(&one));
    assert!(samples(&one) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn series_of_several_tenants_name_theirs() {
    let world = World::shared().await;
    let series = async |owners: &str, selector: &str| {
        let uri = format!("/api/v1/series?match[]={}&start=1699990000&end=1700010000", encoded(selector));
        world.get_as(owners, &uri).await.json()["data"].as_array().unwrap().clone()
    };
    let own = series("red", "{__name__=~\".+\"}").await;
    assert!(!own.is_empty() && own.iter().all(|labels| labels.get("__tenant_id__").is_none()));
    let both = series(BOTH, "{__name__=~\".+\"}").await;
    assert_eq!(both.len(), 2 * own.len());
    assert_eq!(series(BOTH, "{__name__=~\".+\",__tenant_id__=\"blue\"}").await.len(), own.len());
    let value = async |owners: &str, query: &str| {
        let answer = world.get_as(owners, &format!("/api/v1/query?query={}&time=1700000060", encoded(query))).await.json();
        answer["data"]["result"].clone()
    };
    let one = value("red", "count({__name__=~\".+\"})").await[0]["value"][1].as_str().unwrap().parse::<u64>().unwrap();
    assert!(one > 0);
    assert_eq!(value(BOTH, "count({__name__=~\".+\"})").await[0]["value"][1], (2 * one).to_string());
    let by = value(BOTH, "sort_by_label(count by (__tenant_id__) ({__name__=~\".+\"}), \"__tenant_id__\")").await;
    assert_eq!((&by[0]["metric"]["__tenant_id__"], &by[1]["metric"]["__tenant_id__"]), (&"blue".into(), &"red".into()));
    assert_eq!(value(BOTH, "count({__name__=~\".+\",__tenant_id__=\"red\"})").await[0]["value"][1], one.to_string());
    // Values are those of each tenant, read apart and not mixed up.
    let sum = async |owners: &str| value(owners, "sum({__name__=~\"up|requests_total\"})").await[0]["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    assert!((sum(BOTH).await - 2.0 * sum("red").await).abs() < 1e-6);
    let names = world.get_as(BOTH, "/api/v1/labels?start=1699990000&end=1700010000").await.json();
    assert!(texts(&names["data"]).contains("__tenant_id__"));
    let tenants = world.get_as(BOTH, "/api/v1/label/__tenant_id__/values?start=1699990000&end=1700010000").await.json();
    assert_eq!(tenants["data"], serde_json::json!(["blue", "red"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_several_tenants_are_found_together() {
    let world = World::shared().await;
    let spans = async |owners: &str| {
        let answer = world.get_as(owners, "/tempo/api/v2/traces/5b8efff798038103d269b633813fc60c").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let trace = answer.json()["trace"]["resourceSpans"].as_array().unwrap().clone();
        let scopes = trace.iter().flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
        scopes.map(|scope| scope["spans"].as_array().unwrap().len()).sum::<usize>()
    };
    assert!(spans("red").await == 2 && spans(BOTH).await >= 2 && spans("blue|nobody").await == 2);
    let found = world.get_as(BOTH, &format!("/tempo/api/search?q={}&{RANGE}", encoded("{}"))).await.json();
    assert_eq!(found["traces"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_knows_of_one_tenant_refuses_several() {
    let world = World::shared().await;
    for path in [
        "/loki/api/v1/delete",
        "/elastic/_search",
        "/jaeger/api/services",
        "/zipkin/api/v2/services",
        "/api/v1/export?language=sql&query=x",
        "/api/v1/status/tsdb",
    ] {
        let answer = world.get_as(BOTH, path).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, "cannot answer for several tenants here: want one name in X-Scope-OrgID"), "{path}");
    }
}

//! The samples in `config/agents/` that no agent of the tests loads are YAML, and what they send to are our doors.

use std::fs;
use std::path::Path;

use serde::Deserialize as _;
use serde_norway::{Deserializer, Value};
use signalbox_app::Config;

fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/agents").join(name)).unwrap();
    Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn port(listen: &str) -> u64 {
    listen.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn istio_sends_to_doors_that_there_are() {
    let receive = Config::default().receive;
    let [mesh, telemetry] = &documents("istio.yaml")[..] else { panic!("want two objects") };
    let providers = mesh["spec"]["meshConfig"]["extensionProviders"].as_sequence().unwrap();
    let ports = [("opentelemetry", port(&receive.otlp.grpc_listen)), ("zipkin", port(&receive.zipkin.listen))];
    for (provider, (kind, port)) in providers.iter().zip(ports) {
        assert_eq!((provider[kind]["port"].as_u64(), provider[kind]["service"].is_string()), (Some(port), true), "{kind}");
    }
    let chosen = &telemetry["spec"]["tracing"][0]["providers"][0]["name"];
    assert!(providers.len() == 2 && providers.iter().any(|provider| provider["name"] == *chosen), "{chosen:?}");
}

#[test]
fn linkerd_sends_to_a_door_that_there_is() {
    let receive = Config::default().receive;
    let values = &documents("linkerd.yaml")[0];
    let tracing = &values["proxy"]["tracing"];
    let port_of_collector = port(tracing["collector"]["endpoint"].as_str().unwrap());
    assert_eq!((tracing["enabled"].as_bool(), port_of_collector), (Some(true), port(&receive.otlp.grpc_listen)));
}

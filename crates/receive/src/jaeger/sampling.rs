//! Which share of traces Jaeger's clients should keep: a file in the format of Jaeger's collector, or one share for all.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use signalbox_model::{Error, Result};
use signalbox_proto::jaeger::sampling::{
    OperationSamplingStrategy, PerOperationSamplingStrategies, ProbabilisticSamplingStrategy, RateLimitingSamplingStrategy, SamplingStrategyResponse,
};

/// Largest file of strategies, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Strategies by service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strategies {
    services: HashMap<String, SamplingStrategyResponse>,
    default: SamplingStrategyResponse,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    service_strategies: Vec<Service>,
    default_strategy: Option<Strategy>,
}

#[derive(Debug, Deserialize)]
struct Service {
    service: String,
    #[serde(flatten)]
    strategy: Strategy,
}

#[derive(Debug, Deserialize)]
struct Strategy {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    param: f64,
    #[serde(default)]
    operation_strategies: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    operation: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    param: f64,
}

impl Strategies {
    /// One share for all.
    pub(super) fn of_share(share: f64) -> Self {
        Self { services: HashMap::new(), default: probabilistic(share) }
    }

    /// From a file; services that it does not name keep the share if it has no default.
    ///
    /// # Errors
    /// `Invalid` if it cannot be read.
    pub(super) fn load(file: &Path, share: f64) -> Result<Self> {
        let refuse = |what: String| Error::invalid(format!("cannot read strategies of sampling from {}: {what}", file.display()));
        let size = std::fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(refuse(format!("it is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read(file).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&text, share).map_err(refuse)
    }

    fn parse(text: &[u8], share: f64) -> std::result::Result<Self, String> {
        let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let default = file.default_strategy.map_or_else(|| Ok(probabilistic(share)), |strategy| strategy.response(&[]))?;
        let shared = default.operation_sampling.as_ref().map(|operations| operations.per_operation_strategies.clone()).unwrap_or_default();
        let services = file.service_strategies.into_iter().map(|Service { service, strategy }| Ok((service, strategy.response(&shared)?)));
        Ok(Self { services: services.collect::<std::result::Result<_, String>>()?, default })
    }

    /// For one service.
    pub(super) fn of(&self, service: &str) -> &SamplingStrategyResponse {
        self.services.get(service).unwrap_or(&self.default)
    }
}

impl Strategy {
    /// `shared`: strategies of operations of the default, which hold for all services.
    fn response(self, shared: &[OperationSamplingStrategy]) -> std::result::Result<SamplingStrategyResponse, String> {
        let mut response = match self.kind.as_str() {
            "probabilistic" => probabilistic(self.param),
            "ratelimiting" => SamplingStrategyResponse {
                strategy_type: 1,
                rate_limiting_sampling: Some(RateLimitingSamplingStrategy { max_traces_per_second: self.param as i32 }),
                ..SamplingStrategyResponse::default()
            },
            other => return Err(format!("unknown type {other:?}: want probabilistic or ratelimiting")),
        };
        let mut operations = Vec::new();
        for Operation { operation, kind, param } in self.operation_strategies {
            if kind != "probabilistic" {
                return Err(format!("strategy of operation {operation:?} has type {kind:?}: want probabilistic"));
            }
            operations.push(OperationSamplingStrategy { operation, probabilistic_sampling: Some(ProbabilisticSamplingStrategy { sampling_rate: param }) });
        }
        for strategy in shared {
            if operations.iter().all(|known| known.operation != strategy.operation) {
                operations.push(strategy.clone());
            }
        }
        if !operations.is_empty() {
            let default = response.probabilistic_sampling.as_ref().map_or(0.001, |strategy| strategy.sampling_rate);
            response.operation_sampling = Some(PerOperationSamplingStrategies {
                default_sampling_probability: default,
                per_operation_strategies: operations,
                ..PerOperationSamplingStrategies::default()
            });
        }
        Ok(response)
    }
}

fn probabilistic(share: f64) -> SamplingStrategyResponse {
    SamplingStrategyResponse {
        strategy_type: 0,
        probabilistic_sampling: Some(ProbabilisticSamplingStrategy { sampling_rate: share }),
        ..SamplingStrategyResponse::default()
    }
}

/// As Jaeger's agent and collector answer over HTTP.
pub(super) fn render(strategy: &SamplingStrategyResponse) -> Json {
    let share = |strategy: &ProbabilisticSamplingStrategy| json!({"samplingRate": strategy.sampling_rate});
    let mut answer = json!({"strategyType": if strategy.strategy_type == 1 { "RATE_LIMITING" } else { "PROBABILISTIC" }});
    if let Some(probabilistic) = &strategy.probabilistic_sampling {
        answer["probabilisticSampling"] = share(probabilistic);
    }
    if let Some(rate) = &strategy.rate_limiting_sampling {
        answer["rateLimitingSampling"] = json!({"maxTracesPerSecond": rate.max_traces_per_second});
    }
    if let Some(operations) = &strategy.operation_sampling {
        let each =
            |one: &OperationSamplingStrategy| json!({"operation": one.operation, "probabilisticSampling": one.probabilistic_sampling.as_ref().map(share)});
        answer["operationSampling"] = json!({
            "defaultSamplingProbability": operations.default_sampling_probability,
            "defaultLowerBoundTracesPerSecond": operations.default_lower_bound_traces_per_second,
            "perOperationStrategies": operations.per_operation_strategies.iter().map(each).collect::<Vec<_>>(),
        });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "service_strategies": [
            {"service": "foo", "type": "probabilistic", "param": 0.8,
             "operation_strategies": [{"operation": "op1", "type": "probabilistic", "param": 0.2}]},
            {"service": "bar", "type": "ratelimiting", "param": 5}
        ],
        "default_strategy": {"type": "probabilistic", "param": 0.5,
            "operation_strategies": [{"operation": "/health", "type": "probabilistic", "param": 0.0}]}
    }"#;

    #[test]
    fn a_file_of_jaegers_says_what_each_service_keeps() {
        let strategies = Strategies::parse(FILE.as_bytes(), 1.0).unwrap();
        let health = json!({"operation": "/health", "probabilisticSampling": {"samplingRate": 0.0}});
        let operations = |default: f64, first: Option<Json>| {
            let all: Vec<Json> = first.into_iter().chain([health.clone()]).collect();
            json!({"defaultSamplingProbability": default, "defaultLowerBoundTracesPerSecond": 0.0, "perOperationStrategies": all})
        };
        let op1 = json!({"operation": "op1", "probabilisticSampling": {"samplingRate": 0.2}});
        let expected =
            json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 0.8}, "operationSampling": operations(0.8, Some(op1))});
        assert_eq!(render(strategies.of("foo")), expected);
        let expected =
            json!({"strategyType": "RATE_LIMITING", "rateLimitingSampling": {"maxTracesPerSecond": 5}, "operationSampling": operations(0.001, None)});
        assert_eq!(render(strategies.of("bar")), expected);
        let expected = json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 0.5}, "operationSampling": operations(0.5, None)});
        assert_eq!(render(strategies.of("other")), expected);
    }

    #[test]
    fn without_a_file_one_share_holds_for_all_and_a_bad_file_is_refused() {
        assert_eq!(render(Strategies::of_share(0.25).of("x")), json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 0.25}}));
        let refused = |text: &str| Strategies::parse(text.as_bytes(), 1.0).unwrap_err();
        assert_eq!(refused(r#"{"default_strategy": {"type": "x"}}"#), "unknown type \"x\": want probabilistic or ratelimiting");
        let bad = r#"{"default_strategy": {"type": "probabilistic", "param": 1, "operation_strategies": [{"operation": "a", "type": "ratelimiting"}]}}"#;
        assert_eq!(refused(bad), "strategy of operation \"a\" has type \"ratelimiting\": want probabilistic");
        assert!(refused("[").contains("EOF"));
        let error = Strategies::load(Path::new("/no/such/file"), 1.0).unwrap_err();
        assert!(error.to_string().starts_with("cannot read strategies of sampling from /no/such/file: "), "{error}");
    }
}

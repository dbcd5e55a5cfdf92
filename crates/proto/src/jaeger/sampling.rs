//! `jaeger.api_v2`, `sampling.proto`: which share of traces clients should keep.

/// A share.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProbabilisticSamplingStrategy {
    /// From 0 to 1.
    #[prost(double, tag = "1")]
    pub sampling_rate: f64,
}

/// A rate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RateLimitingSamplingStrategy {
    /// Traces a second.
    #[prost(int32, tag = "1")]
    pub max_traces_per_second: i32,
}

/// A share for one operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperationSamplingStrategy {
    /// The operation.
    #[prost(string, tag = "1")]
    pub operation: String,
    /// Its share.
    #[prost(message, optional, tag = "2")]
    pub probabilistic_sampling: Option<ProbabilisticSamplingStrategy>,
}

/// Shares by operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PerOperationSamplingStrategies {
    /// The share of operations that are not listed.
    #[prost(double, tag = "1")]
    pub default_sampling_probability: f64,
    /// So many traces a second are kept of every operation.
    #[prost(double, tag = "2")]
    pub default_lower_bound_traces_per_second: f64,
    /// The list.
    #[prost(message, repeated, tag = "3")]
    pub per_operation_strategies: Vec<OperationSamplingStrategy>,
    /// Not more traces a second are kept of any operation.
    #[prost(double, tag = "4")]
    pub default_upper_bound_traces_per_second: f64,
}

/// What a service should do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SamplingStrategyResponse {
    /// 0 for a share, 1 for a rate.
    #[prost(int32, tag = "1")]
    pub strategy_type: i32,
    /// A share.
    #[prost(message, optional, tag = "2")]
    pub probabilistic_sampling: Option<ProbabilisticSamplingStrategy>,
    /// A rate.
    #[prost(message, optional, tag = "3")]
    pub rate_limiting_sampling: Option<RateLimitingSamplingStrategy>,
    /// Shares by operation.
    #[prost(message, optional, tag = "4")]
    pub operation_sampling: Option<PerOperationSamplingStrategies>,
}

/// The question.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SamplingStrategyParameters {
    /// Which service asks.
    #[prost(string, tag = "1")]
    pub service_name: String,
}

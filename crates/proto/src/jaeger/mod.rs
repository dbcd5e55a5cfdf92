//! Messages of Jaeger, transcribed from jaeger-idl: its model of spans, both query services, the storage behind them, and
//! the filters of searches. Traces of the newer services are OTLP.

pub mod api_v2;
pub mod api_v3;
pub mod expression;
pub mod model;
pub mod sampling;
pub mod storage_v2;

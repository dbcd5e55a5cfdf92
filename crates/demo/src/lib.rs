//! Realistic, correlated telemetry of a small shop, sent through OTLP

//! PromQL, LogQL and TraceQL: text to syntax tree and back, pure

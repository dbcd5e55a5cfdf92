//! One folder per inbound protocol: bytes to batch to sink to the protocol's own reply

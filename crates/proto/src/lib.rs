//! Protobuf types of the protocols that are spoken; nobody edits behaviour in here

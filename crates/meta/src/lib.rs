//! Small durable state: alert state, notification log and outbox

//! Tests of the WAL.

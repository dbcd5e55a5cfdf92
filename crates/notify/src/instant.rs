//! Instants as people and programs read them: RFC 3339 in UTC.

/// As Go prints it: with as many digits of a second as are needed.
pub(crate) fn rfc3339(instant_ns: i64) -> String {
    // Every i64 of nanoseconds lies within the years that a timestamp can have.
    jiff::Timestamp::from_nanosecond(i128::from(instant_ns)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn instants_read_as_go_prints_them() {
        for (instant_ns, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_709_210_096_120_000_000, "2024-02-29T12:34:56.12Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(rfc3339(instant_ns), text);
        }
    }
}

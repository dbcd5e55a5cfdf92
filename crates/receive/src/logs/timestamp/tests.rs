use super::*;

/// 2024-05-06T07:08:09Z.
const INSTANT: i64 = 1_714_979_289 * SECOND;
/// 2024-05-07T00:00:00Z.
const NOW: i64 = 1_715_040_000 * SECOND;

#[test]
fn every_format_is_read() {
    for (text, fraction) in [
        ("2024-05-06T07:08:09Z", 0),
        ("2024-05-06T07:08:09", 0),
        ("2024-05-06 07:08:09", 0),
        ("2024/05/06 07:08:09", 0),
        (" 2024-05-06T07:08:09z ", 0),
        ("2024-05-06T07:08:09.123456789123Z", 123_456_789),
        ("2024-05-06 07:08:09,123", 123_000_000),
        ("2024-05-06T09:08:09.5+02:00", 500_000_000),
        ("2024-05-06T09:08:09+0200", 0),
        ("2024-05-06T00:08:09-07", 0),
        ("2024-05-06 09:08:09.000001 +0200 CEST", 1_000),
        ("2024-05-06 07:08:09 UTC", 0),
        ("20240506T070809Z", 0),
        ("20240506T090809.25+0200", 250_000_000),
        ("1714979289", 0),
        ("1714979289.000000001", 1),
        ("1714979289123", 123_000_000),
        ("1714979289123.5", 123_500_000),
        ("1714979289123456", 123_456_000),
        ("1714979289123456789", 123_456_789),
        ("1.714979289e9", 0),
        ("06/May/2024:07:08:09 +0000", 0),
        ("06/May/2024:09:08:09 +0200", 0),
        ("Mon, 06 May 2024 07:08:09 GMT", 0),
        ("Mon, 6 May 2024 09:08:09 +0200", 0),
        ("06 May 24 07:08:09 UTC", 0),
        ("Monday, 06-May-24 07:08:09 GMT", 0),
        ("Mon May  6 07:08:09 2024", 0),
        ("Mon May 06 07:08:09.123456 2024", 123_456_000),
        ("Mon May  6 07:08:09 UTC 2024", 0),
        ("May  6 07:08:09", 0),
        ("May 06 07:08:09.5", 500_000_000),
        ("0506 07:08:09.123456", 123_456_000),
    ] {
        assert_eq!(parse(text, NOW), Some(INSTANT + fraction), "{text}");
    }
}

#[test]
fn what_is_no_time_is_none() {
    for text in [
        "",
        " ",
        "now",
        "2024-13-06T07:08:09Z",
        "2023-02-29T07:08:09Z",
        "2024-05-06T24:08:09Z",
        "2024-05-06T07:08:0",
        "2024-05-06T07:08:09.Z",
        "2024-05-06T07:08:09X",
        "2024-05-06X07:08:09Z",
        "2024-05/06T07:08:09Z",
        "99999999999999999999999999",
        "1e400",
        "NaN",
        "-",
        "12/34/5678",
        "May 06",
        "Foo May  6 07:08:09 2024",
        "May  6 07:08:09 2024 2025 2026 1 2 3 4",
        "20240506T0708",
        "é6/May/2024:07:08:09 +0000",
        "----------",
    ] {
        assert_eq!(parse(text, NOW), None, "{text}");
    }
    assert_eq!(parse("2024", NOW), Some(2024 * SECOND), "a number is an epoch");
}

#[test]
fn a_date_alone_is_midnight() {
    assert_eq!(rfc3339("2024-05-06"), Some(INSTANT.div_euclid(86_400 * SECOND) * 86_400 * SECOND));
    assert_eq!(rfc3339("1969-12-31T23:59:59Z"), Some(-SECOND));
}

#[test]
fn a_date_without_a_year_lies_next_to_now() {
    // 2024-01-01T00:10:00Z.
    let new_year = 1_704_067_800 * SECOND;
    assert_eq!(parse("Dec 31 23:50:00", new_year), Some(new_year - 1_200 * SECOND));
    assert_eq!(parse("Jan  1 00:20:00", new_year), Some(new_year + 600 * SECOND));
    assert_eq!(parse("Feb 29 00:00:00", new_year), rfc3339("2024-02-29"));
}

#[test]
fn the_size_of_a_number_tells_its_unit() {
    assert_eq!(epoch_integer(1_714_979_289), Some(INSTANT));
    assert_eq!(epoch_integer(1_714_979_289_000), Some(INSTANT));
    assert_eq!(epoch_integer(1_714_979_289_000_000), Some(INSTANT));
    assert_eq!(epoch_integer(INSTANT), Some(INSTANT));
    assert_eq!(epoch_integer(-1), Some(-SECOND));
    assert_eq!(epoch_integer(i64::MIN), Some(i64::MIN));
    assert_eq!(epoch_float(1_714_979_289.5), Some(INSTANT + SECOND / 2));
    assert_eq!(epoch_float(f64::INFINITY), None);
    assert_eq!(epoch_float(1e300), None);
    assert_eq!(epoch_text("-1.5"), Some(-3 * SECOND / 2));
}

#[test]
fn days_and_years_agree_over_four_centuries() {
    for year in 1800..2262 {
        for (month, day) in [(1, 1), (2, 28), (3, 1), (12, 31)] {
            if let Some(ns) = days(year, month, day).and_then(|days| instant(days, 0, 0)) {
                assert_eq!(year_of(ns), year, "{year}-{month}-{day}");
            }
        }
    }
}

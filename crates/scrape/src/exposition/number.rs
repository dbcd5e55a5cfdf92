//! Numbers as the exposition formats write them: those that Go's `strconv.ParseFloat` reads, without hexadecimal ones and
//! without underscores, and the form that OpenMetrics gives to the bounds in `le` and `quantile`.

use std::borrow::Cow;

use signalbox_model::MetricKind;

/// Digits of a whole number that every `f64` holds exactly.
const EXACT_DIGITS_MAX: usize = 15;

/// The number that a text says, `None` if it says none or one that is too large.
///
/// Every NaN becomes the one that is no staleness marker: a page cannot end a series.
#[inline]
pub fn parse(text: &[u8]) -> Option<f64> {
    // Most samples are short whole numbers.
    if text.len() <= EXACT_DIGITS_MAX && !text.is_empty() {
        let mut whole = 0u64;
        if text.iter().all(|byte| {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')));
            byte.is_ascii_digit()
        }) {
            return Some(whole as f64);
        }
    }
    parse_any(text)
}

fn parse_any(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    if value.is_finite() {
        return Some(value);
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    if value.is_nan() {
        // Go knows no signed NaN.
        return (unsigned.len() == text.len()).then_some(f64::NAN);
    }
    // A number that overflows is an error, infinity written as such is not.
    unsigned.starts_with(['i', 'I']).then_some(value)
}

/// A moment in seconds, as milliseconds cut off like Prometheus does; `None` if it is no finite number.
pub fn seconds_to_ms(seconds: f64) -> Option<i64> {
    seconds.is_finite().then_some((seconds * 1000.0) as i64)
}

/// The value of a label, with the bound in `le` and `quantile` in the one form that all formats share (`1` is `1.0`): the
/// same bucket is the same series whichever format a scrape was answered in.
pub fn canonical_bound<'a>(kind: MetricKind, label: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    let is_bound = matches!((kind, label), (MetricKind::Histogram, "le") | (MetricKind::Summary, "quantile"));
    if !is_bound {
        return value;
    }
    match parse(value.as_bytes()) {
        Some(bound) => Cow::Owned(format_bound(bound)),
        None => value,
    }
}

/// The shortest text of a number in OpenMetrics' form: Go's `%g` with `.0` where nothing else says that it is no whole number.
pub fn format_bound(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    // The standard library writes the shortest digits that read back to the same number, as Go does.
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go writes an exponent below -4 and from 6 on.
    if (-4..6).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let good: &[(&str, f64)] = &[
            ("0", 0.0),
            ("1", 1.0),
            ("-1", -1.0),
            ("+1.5e3", 1500.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("000000000000001", 1.0),
            ("0000000000000000000000001.2e-1", 0.12),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
            ("1e-400", 0.0),
        ];
        for (text, want) in good {
            assert_eq!(parse(text.as_bytes()), Some(*want), "{text}");
        }
        assert!(parse(b"NaN").is_some_and(f64::is_nan));
        for text in ["", "+", "-", ".", "e5", "1e", "1e999", "1_2", "0x1p-3", "0x10", "0b1", "+NaN", "1 ", " 1", "a", "1\r", "infi", "\u{661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn no_page_can_write_a_staleness_marker() {
        assert!(!signalbox_model::batch::is_stale_nan(parse(b"NaN").unwrap()));
    }

    #[test]
    fn bounds_have_one_form() {
        for (value, want) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (0.005, "0.005"),
            (10.0, "10.0"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (125_000.0, "125000.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1e23, "1e+23"),
            (2.5e-9, "2.5e-09"),
            (1_555_555.555_555_52, "1.55555555555552e+06"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_bound(value), want);
        }
    }

    #[test]
    fn only_bounds_of_their_kind_are_written_anew() {
        let bound = |kind, label, value: &str| canonical_bound(kind, label, Cow::Owned(value.to_owned())).into_owned();
        assert_eq!(bound(MetricKind::Histogram, "le", "1"), "1.0");
        assert_eq!(bound(MetricKind::Summary, "quantile", "0.50"), "0.5");
        assert_eq!(bound(MetricKind::Gauge, "le", "1"), "1");
        assert_eq!(bound(MetricKind::Histogram, "quantile", "1"), "1");
        assert_eq!(bound(MetricKind::Histogram, "le", "many"), "many");
    }
}

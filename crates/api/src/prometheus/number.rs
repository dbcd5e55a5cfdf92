//! Numbers and times as Go's `strconv` and Prometheus' JSON write them.

/// Decimal digits of the shortest text that reads back equal, without a point, and the place of the point from their left.
struct Digits {
    digits: String,
    point: i32,
}

fn digits_of(value: f64) -> Digits {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').map_or((text, 0), |(mantissa, exponent)| (mantissa, exponent.parse().unwrap_or(0)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    let point = i32::try_from(whole.len()).unwrap_or(0) - i32::try_from(leading).unwrap_or(0) + exponent;
    if digits.is_empty() { Digits { digits: "0".into(), point: 1 } } else { Digits { digits: digits.into(), point } }
}

fn write_special(out: &mut String, value: f64) -> bool {
    let word = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => return false,
    };
    out.push_str(word);
    true
}

/// As `strconv.FormatFloat(value, 'f', -1, 64)`: never an exponent.
pub(super) fn write_plain(out: &mut String, value: f64) {
    if write_special(out, value) {
        return;
    }
    // Rust's text of a float is just this.
    out.push_str(&value.to_string());
}

/// As a sample is written: with an exponent from 1e21 on and below 1e-6.
pub(super) fn write_value(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude.is_finite() && magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        write_exponent(out, value);
    } else if value.fract() == 0.0 && magnitude < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        // Most samples are whole numbers.
        write_integer(out, value as i64);
    } else {
        write_plain(out, value);
    }
}

/// As `strconv.FormatFloat(value, 'e', -1, 64)`: two digits of exponent at least.
pub(super) fn write_exponent(out: &mut String, value: f64) {
    if write_special(out, value) {
        return;
    }
    let Digits { digits, point } = digits_of(value.abs());
    if value.is_sign_negative() {
        out.push('-');
    }
    let (first, rest) = digits.split_at(1);
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    let exponent = if value == 0.0 { 0 } else { point - 1 };
    out.push('e');
    out.push(if exponent < 0 { '-' } else { '+' });
    if exponent.abs() < 10 {
        out.push('0');
    }
    write_integer(out, i64::from(exponent.abs()));
}

/// As `strconv.FormatFloat(value, 'g', -1, 64)`, but zero has no sign: as the text format writes a number.
pub(super) fn write_general(out: &mut String, value: f64) {
    if value == 0.0 {
        out.push('0');
    } else if value.is_finite() && !(-4..6).contains(&(digits_of(value.abs()).point - 1)) {
        write_exponent(out, value);
    } else {
        write_plain(out, value);
    }
}

fn write_integer(out: &mut String, value: i64) {
    let mut digits = [0u8; 20];
    let (mut at, mut rest) = (digits.len(), value.unsigned_abs());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// Milliseconds as seconds with no or three decimal places, as the time of a sample is written.
pub(super) fn write_time(out: &mut String, ts_ms: i64) {
    if ts_ms < 0 {
        out.push('-');
    }
    let magnitude = ts_ms.unsigned_abs();
    write_integer(out, (magnitude / 1_000) as i64);
    let fraction = magnitude % 1_000;
    if fraction != 0 {
        out.push('.');
        for digit in [fraction / 100, fraction / 10 % 10, fraction % 10] {
            out.push(char::from(b'0' + digit as u8));
        }
    }
}

/// Milliseconds as seconds without zeros at the end, as the time of a scalar is written.
pub(super) fn write_short_time(out: &mut String, ts_ms: i64) {
    write_time(out, ts_ms);
    if ts_ms % 1_000 != 0 {
        out.truncate(out.trim_end_matches('0').len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(write: fn(&mut String, f64), value: f64) -> String {
        let mut out = String::new();
        write(&mut out, value);
        out
    }

    #[test]
    fn writes_values_as_prometheus_does() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (1.5e-6, "0.0000015"),
            (1e-6, "0.000001"),
            (9.9e-7, "9.9e-07"),
            (5e-324, "5e-324"),
            (-1.25e-7, "-1.25e-07"),
            (123_456_789.125, "123456789.125"),
            (1e15, "1000000000000000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (f64::MAX, "1.7976931348623157e+308"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, want) in cases {
            assert_eq!(with(write_value, value), want);
        }
    }

    #[test]
    fn writes_plain_and_exponent_as_go_does() {
        assert_eq!(with(write_plain, 1e22), "10000000000000000000000");
        assert_eq!(with(write_plain, 1.5e-8), "0.000000015");
        let cases = [
            (0.0, "0e+00"),
            (-0.0, "-0e+00"),
            (1.0, "1e+00"),
            (12.5, "1.25e+01"),
            (0.001, "1e-03"),
            (100.0, "1e+02"),
            (f64::NAN, "NaN"),
            (-2.5e100, "-2.5e+100"),
        ];
        for (value, want) in cases {
            assert_eq!(with(write_exponent, value), want);
        }
    }

    #[test]
    fn writes_numbers_of_the_text_format_as_go_does() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456.5, "123456.5"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (-1_234_567.25, "-1.23456725e+06"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, want) in cases {
            assert_eq!(with(write_general, value), want);
        }
    }

    #[test]
    fn every_value_reads_back() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(state);
            if value.is_finite() {
                for write in [write_plain, write_value, write_exponent] {
                    assert_eq!(with(write, value).parse::<f64>().unwrap().to_bits(), value.to_bits());
                }
            }
        }
    }

    #[test]
    fn writes_times_as_prometheus_does() {
        for (ts_ms, want, short) in [
            (0, "0", "0"),
            (1_000, "1", "1"),
            (1_500, "1.500", "1.5"),
            (-1_001, "-1.001", "-1.001"),
            (1_700_000_000_010, "1700000000.010", "1700000000.01"),
            (-5, "-0.005", "-0.005"),
        ] {
            let (mut time, mut short_time) = (String::new(), String::new());
            write_time(&mut time, ts_ms);
            write_short_time(&mut short_time, ts_ms);
            assert_eq!((time.as_str(), short_time.as_str()), (want, short));
        }
    }
}

//! Floats as Go's `strconv.FormatFloat` writes them.

/// `%e`, with as many digits after the point as asked for, or as few as read back equal.
pub fn exponential(value: f64, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return special(value);
    }
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    with_exponent(mantissa, exponent.parse().unwrap_or(0))
}

/// `%f`.
pub fn plain(value: f64, precision: Option<usize>) -> String {
    match precision {
        _ if !value.is_finite() => special(value),
        Some(precision) => format!("{value:.precision$}"),
        None => format!("{value}"),
    }
}

/// `%g`: significant digits without trailing zeros; an exponent if it is below -4 or not below the precision (6 if the
/// shortest text is asked for).
pub fn general(value: f64, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return special(value);
    }
    let digits = precision.map(|precision| precision.max(1));
    let text = match digits {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let exponent_max = digits.map_or(6, |digits| i32::try_from(digits).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= exponent_max.max(if digits.is_none() { 6 } else { 1 }) {
        return with_exponent(mantissa, exponent);
    }
    move_point(mantissa, exponent)
}

fn special(value: f64) -> String {
    let text = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    text.to_owned()
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// `1.25` and 1 make `12.5`.
fn move_point(mantissa: &str, exponent: i32) -> String {
    let (sign, unsigned) = mantissa.strip_prefix('-').map_or(("", mantissa), |unsigned| ("-", unsigned));
    let digits: String = unsigned.chars().filter(|character| *character != '.').collect();
    match usize::try_from(exponent) {
        Err(_) => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        Ok(exponent) if exponent + 1 >= digits.len() => format!("{sign}{digits}{}", "0".repeat(exponent + 1 - digits.len())),
        Ok(exponent) => format!("{sign}{}.{}", &digits[..=exponent], &digits[exponent + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_floats_as_go_does() {
        let cases = [
            (1.0, "1"),
            (0.5, "0.5"),
            (-0.25, "-0.25"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (12.5, "12.5"),
            (1e100, "1e+100"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, want) in cases {
            assert_eq!(general(value, None), want);
        }
        for (value, want) in [(1234.5678, "1235"), (12345.0, "1.234e+04"), (0.000_123_456, "0.0001235"), (1e5, "1e+05"), (1000.0, "1000"), (9999.9, "1e+04")] {
            assert_eq!(general(value, Some(4)), want);
        }
        assert_eq!((exponential(12.5, None), exponential(1234.0, Some(2))), ("1.25e+01".into(), "1.23e+03".into()));
        assert_eq!((plain(1e21, None), plain(2.5, Some(0)), plain(-3720.01, Some(2))), ("1000000000000000000000".into(), "2".into(), "-3720.01".into()));
    }
}

//! Numbers as text, as Go writes them: annotations and labels carry them.

/// As `%g`: the shortest digits that read back as the number, with an exponent below 1e-4 and from 1e6 on.
pub(super) fn format_g(value: f64) -> String {
    if !value.is_finite() {
        return format_special(value);
    }
    exponential_or_plain(&format!("{value:e}"), 6)
}

/// As `%.2g` with a number of significant digits.
pub(super) fn format_g_digits(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return format_special(value);
    }
    exponential_or_plain(&format!("{value:.*e}", digits - 1), digits as i32)
}

/// As `strconv.FormatFloat(value, 'f', -1, 64)`: never an exponent.
pub(super) fn format_f(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { format_special(value) }
}

/// As OpenMetrics writes values of `le` and `quantile`: whole numbers end in `.0`.
pub(super) fn format_open_metrics(value: f64) -> String {
    let text = format_g(value);
    if text.contains(['.', 'e', 'N', 'I']) { text } else { text + ".0" }
}

fn format_special(value: f64) -> String {
    let text = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    text.to_owned()
}

/// From `d.ddde-5`: trailing zeros go, the exponent has a sign and at least two digits, or there is none.
fn exponential_or_plain(text: &str, exponent_max: i32) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    if exponent < -4 || exponent >= exponent_max {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let value: f64 = format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN);
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_go_writes_them() {
        let cases = [
            (1.0, "1"),
            (0.5, "0.5"),
            (1e21, "1e+21"),
            (1e6, "1e+06"),
            (999999.0, "999999"),
            (123456789.0, "1.23456789e+08"),
            (1e-5, "1e-05"),
            (-1.25e-7, "-1.25e-07"),
        ];
        for (value, text) in cases {
            assert_eq!(format_g(value), text);
        }
        assert_eq!((format_g(f64::NAN), format_g(f64::INFINITY), format_g(f64::NEG_INFINITY)), ("NaN".into(), "+Inf".into(), "-Inf".into()));
        assert_eq!((format_g_digits(3.456, 2), format_g_digits(1234.0, 2), format_g_digits(2.0, 2)), ("3.5".into(), "1.2e+03".into(), "2".into()));
        assert_eq!((format_f(1e22), format_f(0.1)), ("10000000000000000000000".into(), "0.1".into()));
        assert_eq!((format_open_metrics(1.0), format_open_metrics(0.99), format_open_metrics(1e30)), ("1.0".into(), "0.99".into(), "1e+30".into()));
    }
}

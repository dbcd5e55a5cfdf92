//! Instants in parameters, as Prometheus' clients write them.

use signalbox_lang::text::quote;

/// Instants beyond this are no timestamps: sums of instants and durations stay far from the bounds of 64 bits.
const INSTANT_MS_MAX: f64 = 8.64e15;
/// Go's first and last instant as Prometheus' clients send them for "all of time".
pub(crate) const FIRST_INSTANT: &str = "-292273086-05-16T16:47:06Z";
/// The last of them.
pub(crate) const LAST_INSTANT: &str = "292277025-08-18T07:12:54.999999999Z";

/// Milliseconds since the Unix epoch: seconds with a fraction, or RFC 3339.
pub(crate) fn instant_ms(text: &str) -> Result<i64, String> {
    let invalid = || format!("cannot parse {} to a valid timestamp", quote(text));
    if let Ok(seconds) = text.parse::<f64>() {
        // Whole seconds and the fraction apart, as the fraction of a large number is not exact.
        let milliseconds = seconds.trunc() * 1e3 + (seconds.fract() * 1e3).round();
        return if milliseconds.abs() <= INSTANT_MS_MAX { Ok(milliseconds as i64) } else { Err(invalid()) };
    }
    match text {
        FIRST_INSTANT => return Ok(-INSTANT_MS_MAX as i64),
        LAST_INSTANT => return Ok(INSTANT_MS_MAX as i64),
        _ => {}
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
    Ok(timestamp.as_millisecond())
}

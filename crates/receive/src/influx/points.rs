//! Points become samples: the numbers of a line, each in the series of its measurement, tags and field.
//!
//! The key of a series is XXH3-128 over the settings and the database, the head of the line as it is on the wire, and the key
//! of the field. A line whose fields are all known is never parsed: its head is only hashed.

use std::borrow::Cow;

use signalbox_model::time::NANOS_PER_MILLI;
use signalbox_model::{Batch, MetricBatch, SampleColumns, SeriesEntry, SeriesKey};
use xxhash_rust::xxh3::xxh3_128;

use super::line::{Fault, Lines, Value, key_text};
use super::names::{self, Translation};
use crate::door::{Context, Decoded, Rejections};
use crate::series::RequestSeries;

/// Mixed into every key, so that no other protocol can have the same; changes whenever labels are made differently.
const PROTOCOL: &str = "influx/1";
/// Faults that are kept word by word; the rest is counted.
pub const FAULTS_MAX: usize = 100;

/// The unit of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 10^-9 s.
    #[default]
    Nanoseconds,
    /// 10^-6 s.
    Microseconds,
    /// 10^-3 s.
    Milliseconds,
    /// 1 s.
    Seconds,
    /// 60 s.
    Minutes,
    /// 3,600 s.
    Hours,
    /// By its magnitude, as InfluxDB 3 guesses: what is less than 5 * 10^9 counts seconds, less than 5 * 10^12 milliseconds,
    /// less than 5 * 10^15 microseconds.
    Auto,
}

impl Precision {
    /// A timestamp in milliseconds since the Unix epoch; what is finer is cut off. `None` if it is out of range.
    pub fn to_ms(self, time: i64) -> Option<i64> {
        match self {
            Self::Nanoseconds => Some(time.div_euclid(NANOS_PER_MILLI)),
            Self::Microseconds => Some(time.div_euclid(1_000)),
            Self::Milliseconds => Some(time),
            Self::Seconds => time.checked_mul(1_000),
            Self::Minutes => time.checked_mul(60_000),
            Self::Hours => time.checked_mul(3_600_000),
            Self::Auto => match time.unsigned_abs() / 1_000_000_000 {
                0..5 => Self::Seconds.to_ms(time),
                5..5_000 => Self::Milliseconds.to_ms(time),
                5_000..5_000_000 => Self::Microseconds.to_ms(time),
                _ => Self::Nanoseconds.to_ms(time),
            },
        }
    }

    /// The time of a point that has none: arrival, cut to the unit.
    fn arrival_ms(self, now_ns: i64) -> i64 {
        let now_ms = now_ns.div_euclid(NANOS_PER_MILLI);
        let unit_ms = match self {
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
            Self::Hours => 3_600_000,
            Self::Nanoseconds | Self::Microseconds | Self::Milliseconds | Self::Auto => 1,
        };
        now_ms - now_ms.rem_euclid(unit_ms)
    }
}

/// What a request says besides its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Database or bucket; empty if none was named.
    pub database: String,
    /// Unit of timestamps.
    pub precision: Precision,
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Where and why.
    pub fault: Fault,
    /// Whether the line was understood, and only its time is not acceptable.
    pub is_out_of_time: bool,
}

/// What the answer tells of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that were taken.
    pub taken: u64,
    /// Lines that were not, the first [`FAULTS_MAX`] of them.
    pub faults: Vec<LineFault>,
    /// Lines that were not taken.
    pub refused: u64,
    /// Of those, lines that were understood, and only their time is not acceptable.
    pub out_of_time: u64,
    /// Reasons for which they were not: so many entries of [`Decoded::rejected`].
    pub reasons: usize,
    /// Fields of lines that were taken that hold text, for which metrics have no place.
    pub texts: u64,
}

/// Decodes a body. It cannot fail as a whole: every line stands for itself.
pub fn decode(body: &[u8], context: &Context<'_>, target: &Target, translation: &Translation) -> (Decoded, Report) {
    let mut decoder = Decoder::new(context, target, translation);
    let mut lines = Lines::new(body);
    while let Some(read) = lines.advance() {
        match read.map_err(Refused::invalid).and_then(|()| decoder.take(&mut lines)) {
            Ok(()) => decoder.report.taken += 1,
            Err(refused) => decoder.refuse(refused),
        }
    }
    decoder.finish()
}

struct Refused {
    reason: &'static str,
    line: LineFault,
}

impl Refused {
    fn invalid(fault: Fault) -> Self {
        Self { reason: "invalid_line", line: LineFault { fault, is_out_of_time: false } }
    }
}

/// What the new series of a line have in common.
struct Parsed<'a> {
    measurement: Cow<'a, str>,
    base: Vec<(String, String)>,
}

struct Decoder<'c> {
    context: &'c Context<'c>,
    target: &'c Target,
    translation: &'c Translation,
    arrival_ms: i64,
    series: RequestSeries<'c>,
    samples: SampleColumns,
    /// For each series, the row of its latest sample: a field that is twice in a line counts once, the last time.
    latest_row: Vec<usize>,
    /// What is hashed: settings and database, head, and then one field after the other.
    key: Vec<u8>,
    rejections: Rejections,
    report: Report,
}

/// Bytes of the hashes of settings and head at the beginning of a key.
const HASHES: usize = 32;

impl<'c> Decoder<'c> {
    fn new(context: &'c Context<'c>, target: &'c Target, translation: &'c Translation) -> Self {
        let settings = xxh3_128(format!("{PROTOCOL}{translation:?}{:?}", target.database).as_bytes());
        let mut key = settings.to_le_bytes().to_vec();
        key.resize(HASHES, 0);
        Self {
            context,
            target,
            translation,
            arrival_ms: target.precision.arrival_ms(context.now_ns),
            series: RequestSeries::new(context.known),
            samples: SampleColumns::default(),
            latest_row: Vec::new(),
            key,
            rejections: Rejections::default(),
            report: Report::default(),
        }
    }

    fn take(&mut self, lines: &mut Lines<'_>) -> Result<(), Refused> {
        let ts_ms = self.time_ms(lines)?;
        self.key.truncate(HASHES);
        self.key[HASHES / 2..].copy_from_slice(&xxh3_128(lines.head_bytes()).to_le_bytes());
        let first_row = self.samples.len();
        let (mut parsed, mut texts) = (None, 0);
        for at in 0..lines.fields().len() {
            let Some(field) = lines.fields().get(at).copied() else { break };
            let value = match field.value {
                Value::Float(value) => value,
                Value::Integer(value) => value as f64,
                Value::Unsigned(value) => value as f64,
                Value::Boolean(value) => f64::from(u8::from(value)),
                Value::Text(_) => {
                    texts += 1;
                    continue;
                }
            };
            self.key.truncate(HASHES);
            self.key.extend_from_slice(field.key);
            let key = SeriesKey(xxh3_128(&self.key));
            let series = match self.series.find(key) {
                Some(series) => series,
                None => {
                    // Nothing of a line with a bad head is known: there is nothing to take back.
                    let Parsed { measurement, base } = match &mut parsed {
                        Some(parsed) => parsed,
                        None => parsed.insert(self.parse(lines)?),
                    };
                    let name = self.translation.metric_name(measurement, &key_text(field.key).unwrap_or_default());
                    self.series.add(key, SeriesEntry::New { key, labels: names::series(base, &name) })
                }
            };
            self.push(series, first_row, ts_ms, value);
        }
        self.report.texts += texts;
        Ok(())
    }

    fn push(&mut self, series: u32, first_row: usize, ts_ms: i64, value: f64) {
        let at = series as usize;
        if self.latest_row.len() <= at {
            self.latest_row.resize(at + 1, usize::MAX);
        }
        match self.latest_row[at] {
            row if row != usize::MAX && row >= first_row => self.samples.value[row] = value,
            _ => {
                self.latest_row[at] = self.samples.len();
                self.samples.push(series, ts_ms, value);
            }
        }
    }

    fn parse<'a>(&self, lines: &mut Lines<'a>) -> Result<Parsed<'a>, Refused> {
        let head = lines.head().map_err(Refused::invalid)?;
        let base = self.translation.labels(&head, &self.target.database).map_err(|reason| Refused::invalid(lines.fault_of_point(reason)))?;
        Ok(Parsed { measurement: head.measurement, base })
    }

    /// The time of a line, judged before it becomes several rows.
    fn time_ms(&self, lines: &mut Lines<'_>) -> Result<i64, Refused> {
        let Some(time) = lines.time() else { return Ok(self.arrival_ms) };
        let Some(ts_ms) = self.target.precision.to_ms(time) else {
            return Err(Refused::invalid(lines.fault_of_point("timestamp out of range".to_owned())));
        };
        let accepted = self.context.accepted_time;
        let ts_ns = ts_ms.saturating_mul(NANOS_PER_MILLI);
        let (reason, text) = match () {
            () if ts_ns < accepted.start_ns => ("too_old", "older than the server accepts"),
            () if ts_ns > accepted.end_ns => ("too_far_in_future", "further in the future than the server accepts"),
            () => return Ok(ts_ms),
        };
        // InfluxDB's words, which agents look for.
        let fault = lines.fault_of_point(format!("points beyond retention policy: {text}"));
        Err(Refused { reason, line: LineFault { fault, is_out_of_time: true } })
    }

    fn refuse(&mut self, refused: Refused) {
        let Refused { reason, line } = refused;
        self.report.refused += 1;
        self.report.out_of_time += u64::from(line.is_out_of_time);
        self.rejections.add(1, reason, || format!("line {}: {}", line.fault.line, line.fault.reason));
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(line);
        }
    }

    fn finish(mut self) -> (Decoded, Report) {
        let rejected = self.rejections.finish();
        self.report.reasons = rejected.len();
        let batch = MetricBatch { series: self.series.finish(), samples: self.samples, ..MetricBatch::default() };
        let batches = if batch.samples.is_empty() { Vec::new() } else { vec![Batch::Metrics(batch)] };
        (Decoded { batches, rejected, points: None }, self.report)
    }
}

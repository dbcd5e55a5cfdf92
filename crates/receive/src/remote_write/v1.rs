//! `prometheus.WriteRequest`.

use signalbox_model::{MetricMetadata, Result, SeriesEntry, SeriesKey};
use xxhash_rust::xxh3::xxh3_128;

use super::histogram::{WireHistogram, native};
use super::series::{Writer, exemplar, labels, metric_kind};
use crate::door::{Context, Decoded};
use crate::wire::{Reader, WireError};

/// Mixed into every key, so that no other protocol can have the same.
const KEY: &[u8] = b"remote_write/1";

/// Decodes a request, decompressed.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no such message.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut writer = Writer::new(context.known);
    let mut series = Series::default();
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        match field.number {
            1 => {
                series.read(field.message()?)?;
                series.write(&mut writer)?;
            }
            3 => writer.batch.metadata.extend(metadata(field.message()?)?),
            _ => {}
        }
    }
    Ok(writer.finish())
}

/// The parts of one series, in place; the buffers are used again for the next one.
#[derive(Default)]
struct Series<'a> {
    /// Wire bytes of the labels, each after its length: what the key is the hash of.
    key: Vec<u8>,
    labels: Vec<&'a [u8]>,
    samples: Vec<(i64, f64, i64)>,
    exemplars: Vec<&'a [u8]>,
    histograms: Vec<&'a [u8]>,
}

impl<'a> Series<'a> {
    fn read(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        self.key.clear();
        self.key.extend_from_slice(KEY);
        self.labels.clear();
        self.samples.clear();
        self.exemplars.clear();
        self.histograms.clear();
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => {
                    let label = field.bytes()?;
                    self.key.extend_from_slice(&(label.len() as u32).to_le_bytes());
                    self.key.extend_from_slice(label);
                    self.labels.push(label);
                }
                2 => self.samples.push(sample(field.message()?)?),
                3 => self.exemplars.push(field.bytes()?),
                4 => self.histograms.push(field.bytes()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        let key = SeriesKey(xxh3_128(&self.key));
        let index = match writer.series.find(key) {
            Some(index) => index,
            None => match labels(&pairs(&self.labels)?) {
                Ok(labels) => writer.series.add(key, SeriesEntry::New { key, labels }),
                Err((reason, message)) => {
                    let rows = (self.samples.len() + self.histograms.len()).max(1);
                    writer.rejections.add(rows as u64, reason, || message);
                    return Ok(());
                }
            },
        };
        for (ts_ms, value, start_ms) in &self.samples {
            writer.batch.samples.push_started(index, *ts_ms, *value, *start_ms);
        }
        for message in &self.histograms {
            match native(WireHistogram::read(Reader::new(message))?, index, 0) {
                Ok(sample) => writer.batch.histograms.push(sample),
                Err((reason, message)) => writer.rejections.add(1, reason, || message),
            }
        }
        for message in &self.exemplars {
            let (mut wire_labels, mut value, mut ts_ms) = (Vec::new(), 0.0, 0);
            let mut reader = Reader::new(message);
            while let Some(field) = reader.next_field()? {
                match field.number {
                    1 => wire_labels.push(field.bytes()?),
                    2 => value = field.double()?,
                    3 => ts_ms = field.int64()?,
                    _ => {}
                }
            }
            writer.batch.exemplars.push(exemplar(index, ts_ms, value, &pairs(&wire_labels)?));
        }
        Ok(())
    }
}

fn pairs<'a>(labels: &[&'a [u8]]) -> Result<Vec<(&'a str, &'a str)>, WireError> {
    let mut pairs = Vec::with_capacity(labels.len());
    for label in labels {
        let (mut name, mut value) = ("", "");
        let mut reader = Reader::new(label);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => name = field.text()?,
                2 => value = field.text()?,
                _ => {}
            }
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Timestamp, value, start timestamp (which 1.0 does not have and some senders borrow from 2.0).
fn sample(mut reader: Reader<'_>) -> Result<(i64, f64, i64), WireError> {
    let (mut ts_ms, mut value, mut start_ms) = (0, 0.0, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => value = field.double()?,
            2 => ts_ms = field.int64()?,
            3 => start_ms = field.int64()?,
            _ => {}
        }
    }
    Ok((ts_ms, value, start_ms))
}

fn metadata(mut reader: Reader<'_>) -> Result<Option<MetricMetadata>, WireError> {
    let (mut kind, mut name, mut help, mut unit) = (0, "", "", "");
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => kind = field.int32()?,
            2 => name = field.text()?,
            4 => help = field.text()?,
            5 => unit = field.text()?,
            _ => {}
        }
    }
    Ok((!name.is_empty()).then(|| MetricMetadata { name: name.into(), kind: metric_kind(kind), help: help.into(), unit: unit.into() }))
}

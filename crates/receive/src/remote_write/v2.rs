//! `io.prometheus.write.v2.Request`.

use signalbox_model::{Error, Labels, MetricKind, MetricMetadata, Result, SeriesEntry, SeriesKey};
use xxhash_rust::xxh3::xxh3_128;

use super::histogram::{WireHistogram, native};
use super::series::{Fault, Writer, exemplar, labels, metric_kind};
use crate::door::{Context, Decoded};
use crate::wire::{Field, Reader, WireError};

/// Mixed into every key, so that no other protocol can have the same.
const KEY: &[u8] = b"remote_write/2";

/// Decodes a request, decompressed.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no such message, or have no symbols.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut symbols = Symbols::default();
    // Symbols come first by number, but the wire format does not promise an order.
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 4 {
            let text = field.text()?;
            symbols.texts.push(text);
            symbols.hashes.push(xxh3_128(text.as_bytes()));
        }
    }
    let (mut writer, mut series) = (Writer::new(context.known), Series::default());
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 5 {
            if symbols.texts.first().is_none_or(|first| !first.is_empty()) {
                return Err(Error::invalid("cannot decode request: its first symbol is not the empty text"));
            }
            series.read(field.message()?)?;
            series.write(&symbols, &mut writer)?;
        }
    }
    Ok(writer.finish())
}

/// The texts of a request. A key hashes the hashes of its texts, so a text that many series share is hashed once.
#[derive(Default)]
struct Symbols<'a> {
    texts: Vec<&'a str>,
    hashes: Vec<u128>,
}

impl<'a> Symbols<'a> {
    fn text(&self, reference: u32) -> Result<&'a str, Fault> {
        let found = usize::try_from(reference).ok().and_then(|at| self.texts.get(at));
        found.copied().ok_or_else(|| ("invalid_reference", format!("symbol {reference} does not exist")))
    }

    fn pairs(&self, references: &[u32]) -> Result<Vec<(&'a str, &'a str)>, Fault> {
        let (pairs, rest) = references.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(("invalid_reference", "a list of label references has an odd length".into()));
        }
        pairs.iter().map(|[name, value]| Ok((self.text(*name)?, self.text(*value)?))).collect()
    }

    /// Appends what a key is made of; a reference that points nowhere is noticed when the labels are built.
    fn append_hash(&self, key: &mut Vec<u8>, reference: u32) {
        let hash = usize::try_from(reference).ok().and_then(|at| self.hashes.get(at));
        match hash {
            Some(hash) => key.extend_from_slice(&hash.to_le_bytes()),
            None => key.push(0),
        }
    }
}

/// The parts of one series, in place; the buffers are used again for the next one.
#[derive(Default)]
struct Series<'a> {
    key: Vec<u8>,
    references: Vec<u32>,
    samples: Vec<(i64, f64, i64)>,
    histograms: Vec<&'a [u8]>,
    exemplars: Vec<&'a [u8]>,
    kind: i32,
    help: u32,
    unit: u32,
    created_ms: i64,
}

impl<'a> Series<'a> {
    fn read(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        self.references.clear();
        self.samples.clear();
        self.histograms.clear();
        self.exemplars.clear();
        (self.kind, self.help, self.unit, self.created_ms) = (0, 0, 0, 0);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => references(&field, &mut self.references)?,
                2 => self.samples.push(sample(field.message()?)?),
                3 => self.histograms.push(field.bytes()?),
                4 => self.exemplars.push(field.bytes()?),
                5 => self.metadata(field.message()?)?,
                // Where drafts of the specification and Prometheus up to 3.7 have the start of all samples.
                6 => self.created_ms = field.int64()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn metadata(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => self.kind = field.int32()?,
                3 => self.help = field.uint32()?,
                4 => self.unit = field.uint32()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&mut self, symbols: &Symbols<'a>, writer: &mut Writer<'_>) -> Result<(), WireError> {
        let rows = (self.samples.len() + self.histograms.len()) as u64;
        let index = match self.index(symbols, writer) {
            Ok(index) => index,
            Err((reason, message)) => {
                writer.rejections.add(rows.max(1), reason, || message);
                return Ok(());
            }
        };
        let start_or = |start_ms: i64| if start_ms == 0 { self.created_ms } else { start_ms };
        for (ts_ms, value, start_ms) in &self.samples {
            writer.batch.samples.push_started(index, *ts_ms, *value, start_or(*start_ms));
        }
        for message in &self.histograms {
            match native(WireHistogram::read(Reader::new(message))?, index, self.created_ms) {
                Ok(sample) => writer.batch.histograms.push(sample),
                Err((reason, message)) => writer.rejections.add(1, reason, || message),
            }
        }
        for message in &self.exemplars {
            let (mut refs, mut value, mut ts_ms) = (Vec::new(), 0.0, 0);
            let mut reader = Reader::new(message);
            while let Some(field) = reader.next_field()? {
                match field.number {
                    1 => references(&field, &mut refs)?,
                    2 => value = field.double()?,
                    3 => ts_ms = field.int64()?,
                    _ => {}
                }
            }
            match symbols.pairs(&refs) {
                Ok(pairs) => writer.batch.exemplars.push(exemplar(index, ts_ms, value, &pairs)),
                Err((reason, message)) => writer.rejections.add(1, reason, || message),
            }
        }
        Ok(())
    }

    /// The series; metadata is part of the key, so that a known series never hides metadata that has changed.
    fn index(&mut self, symbols: &Symbols<'a>, writer: &mut Writer<'_>) -> Result<u32, Fault> {
        if !self.samples.is_empty() && !self.histograms.is_empty() {
            return Err(("mixed_series", "a series has both samples and histograms".into()));
        }
        // Exemplars alone are taken: Prometheus sends those of a series apart from its samples.
        if self.samples.is_empty() && self.histograms.is_empty() && self.exemplars.is_empty() {
            return Err(("no_samples", "a series has neither samples nor histograms".into()));
        }
        self.key.clear();
        self.key.extend_from_slice(KEY);
        self.key.extend_from_slice(&self.kind.to_le_bytes());
        for reference in [self.help, self.unit].iter().chain(&self.references) {
            symbols.append_hash(&mut self.key, *reference);
        }
        let key = SeriesKey(xxh3_128(&self.key));
        if let Some(index) = writer.series.find(key) {
            return Ok(index);
        }
        let labels = labels(&symbols.pairs(&self.references)?)?;
        let kind = metric_kind(self.kind);
        let (help, unit) = (symbols.text(self.help)?, symbols.text(self.unit)?);
        if kind != MetricKind::Unknown || !help.is_empty() || !unit.is_empty() {
            let metadata = MetricMetadata { name: family(&labels, kind).to_owned(), kind, help: help.to_owned(), unit: unit.to_owned() };
            if !writer.batch.metadata.contains(&metadata) {
                writer.batch.metadata.push(metadata);
            }
        }
        Ok(writer.series.add(key, SeriesEntry::New { key, labels }))
    }
}

/// The family of a series: classic histograms and summaries send the metadata of the family with every part of it.
fn family(labels: &Labels, kind: MetricKind) -> &str {
    let name = labels.metric_name();
    let suffixes: &[&str] = match kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram => &["_bucket", "_count", "_sum"],
        MetricKind::Summary => &["_count", "_sum"],
        _ => &[],
    };
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).filter(|family| !family.is_empty()).unwrap_or(name)
}

fn references(field: &Field<'_>, into: &mut Vec<u32>) -> Result<(), WireError> {
    // A number beyond 32 bits points nowhere.
    field.each_varint(|value| into.push(u32::try_from(value).unwrap_or(u32::MAX)))
}

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

//! The two text formats, line by line and in place.
//!
//! They differ in little: OpenMetrics wants single spaces, commas between labels and `# EOF` at the end, counts timestamps in
//! seconds and has exemplars; Prometheus' format is generous with white space, blank lines and comments, and counts in
//! milliseconds. Both may quote names (`{"http.requests", "le"="1"}`).

mod series;

use std::borrow::Cow;

use signalbox_model::{Error, MetricKind, Result};

pub use series::labels;

use super::{ExemplarText, number};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus' text format.
    Prometheus,
    /// OpenMetrics.
    OpenMetrics,
}

/// What a line says. Names are as they are on the page, without quotes.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'p> {
    /// `# TYPE`
    Kind {
        /// Family.
        family: &'p str,
        /// Type.
        kind: MetricKind,
    },
    /// `# HELP`
    Help {
        /// Family.
        family: &'p str,
        /// Description.
        help: Cow<'p, str>,
    },
    /// `# UNIT`, only in OpenMetrics.
    Unit {
        /// Family.
        family: &'p str,
        /// Unit.
        unit: &'p str,
    },
    /// A sample.
    Sample(Sample<'p>),
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'p> {
    /// The text of the series, for [`labels`]. That its names and values are UTF-8 is looked at there.
    pub series: &'p [u8],
    /// Value.
    pub value: f64,
    /// Milliseconds since the Unix epoch, if the page says a time.
    pub ts_ms: Option<i64>,
    /// Exemplar.
    pub exemplar: Option<Box<ExemplarText>>,
}

/// A page that is being read.
#[derive(Debug, Clone)]
pub struct Page<'p> {
    bytes: &'p [u8],
    at: usize,
    dialect: Dialect,
    was_expected: bool,
}

impl<'p> Page<'p> {
    /// From the start of a page.
    pub fn new(bytes: &'p [u8], dialect: Dialect) -> Self {
        Self { bytes, at: 0, dialect, was_expected: false }
    }

    /// Whether the last event was a sample of the series that was expected.
    #[inline]
    pub fn was_expected(&self) -> bool {
        self.was_expected
    }

    /// How many lines were read.
    pub fn line(&self) -> usize {
        self.bytes.iter().take(self.at).filter(|byte| **byte == b'\n').count()
    }

    /// What the next line says that says something, `None` at the end of the page. A line that begins with the text of the
    /// series `expected` is known to be of that series without being looked at further; an empty text expects nothing.
    ///
    /// # Errors
    /// `Invalid` when the line is wrong; the rest of the page cannot be read then.
    #[inline]
    pub fn next_event(&mut self, expected: &[u8]) -> Result<Option<Event<'p>>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.was_expected = !expected.is_empty() && rest.starts_with(expected) && is_before_value(rest.get(expected.len()..).unwrap_or_default());
        if self.was_expected {
            let start = self.at;
            return self.sample(start, start + expected.len()).map(Some);
        }
        match self.dialect {
            Dialect::Prometheus => self.next_of_prometheus(),
            Dialect::OpenMetrics => self.next_of_open_metrics(),
        }
    }

    fn next_of_prometheus(&mut self) -> Result<Option<Event<'p>>> {
        loop {
            let start = self.at;
            self.skip_blanks();
            match self.peek() {
                // A zero byte ends the page, as it does for Prometheus.
                None | Some(0) => return Ok(None),
                Some(b'\n') => self.at += 1,
                Some(b'#') => {
                    if let Some(event) = self.comment()? {
                        return Ok(Some(event));
                    }
                }
                Some(_) => {
                    let end = series::scan(self.dialect, self.bytes, self.at, &mut |_| {}).map_err(|why| self.wrong(start, why))?;
                    return self.sample(start, end).map(Some);
                }
            }
        }
    }

    /// A line from `#` on: metadata, or a comment that says nothing.
    fn comment(&mut self) -> Result<Option<Event<'p>>> {
        let start = self.at;
        self.at += 1;
        let had_blanks = self.skip_blanks();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_word = |word: &[u8]| had_blanks && rest.starts_with(word) && matches!(rest.get(word.len()), Some(b' ' | b'\t'));
        let is_kind = is_word(b"TYPE");
        if !is_kind && !is_word(b"HELP") {
            self.take_line();
            return Ok(None);
        }
        self.at += 4;
        self.skip_blanks();
        if self.at_line_end() {
            // Says nothing of anything.
            self.take_line();
            return Ok(None);
        }
        let family = self.family(start)?;
        // One character between name and text belongs to neither.
        let line = self.take_line();
        let text = line.get(1..).unwrap_or_default();
        if is_kind { self.kind(start, family, text).map(Some) } else { self.help(start, family, text).map(Some) }
    }

    fn next_of_open_metrics(&mut self) -> Result<Option<Event<'p>>> {
        let start = self.at;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(said) = rest.strip_prefix(b"# ") else {
            if rest.is_empty() {
                return Err(self.wrong(start, "the page does not end with # EOF"));
            }
            let end = series::scan(self.dialect, self.bytes, self.at, &mut |_| {}).map_err(|why| self.wrong(start, why))?;
            return self.sample(start, end).map(Some);
        };
        if let Some(after) = said.strip_prefix(b"EOF") {
            return if matches!(after, b"" | b"\n") { Ok(None) } else { Err(self.wrong(start, "there is something after # EOF")) };
        }
        let word = said.split_at_checked(5).map(|(word, _)| word).unwrap_or_default();
        if ![b"TYPE ", b"HELP ", b"UNIT "].contains(&word.try_into().unwrap_or(b"     ")) {
            return Err(self.wrong(start, "want TYPE, HELP, UNIT or EOF after #"));
        }
        self.at += 7;
        let family = self.family(start)?;
        let (is_ended, line) = (self.bytes.get(self.at..).unwrap_or_default().contains(&b'\n'), self.take_line());
        let Some(text) = line.strip_prefix(b" ").filter(|_| is_ended) else {
            return Err(self.wrong(start, "want a space and a text after the name"));
        };
        match word {
            b"TYPE " => self.kind(start, family, text).map(Some),
            b"HELP " => self.help(start, family, text).map(Some),
            _ => self.unit(start, family, text).map(Some),
        }
    }

    /// The name in a line of metadata.
    fn family(&mut self, start: usize) -> Result<&'p str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (name, length) = if rest.first() == Some(&b'"') {
            let end = series::quoted_end(rest, 0, true).ok_or_else(|| self.wrong(start, "a quoted name has no end"))?;
            (rest.get(1..end - 1).unwrap_or_default(), end)
        } else {
            let end = series::name_end(rest, 0, true);
            (rest.get(..end).unwrap_or_default(), end)
        };
        if length == 0 {
            return Err(self.wrong(start, "want the name of a metric"));
        }
        self.at += length;
        std::str::from_utf8(name).map_err(|_| self.wrong(start, "a name is not UTF-8"))
    }

    fn kind(&self, start: usize, family: &'p str, text: &[u8]) -> Result<Event<'p>> {
        let unknown: &[u8] = match self.dialect {
            Dialect::Prometheus => b"untyped",
            Dialect::OpenMetrics => b"unknown",
        };
        let is_open = self.dialect == Dialect::OpenMetrics;
        let kind = match text {
            b"counter" => MetricKind::Counter,
            b"gauge" => MetricKind::Gauge,
            b"histogram" => MetricKind::Histogram,
            b"summary" => MetricKind::Summary,
            b"gaugehistogram" if is_open => MetricKind::GaugeHistogram,
            b"info" if is_open => MetricKind::Info,
            b"stateset" if is_open => MetricKind::StateSet,
            _ if text == unknown => MetricKind::Unknown,
            _ => return Err(self.wrong(start, "invalid metric type")),
        };
        Ok(Event::Kind { family, kind })
    }

    fn help(&self, start: usize, family: &'p str, text: &'p [u8]) -> Result<Event<'p>> {
        let text = std::str::from_utf8(text).map_err(|_| self.wrong(start, "a help text is not UTF-8"))?;
        Ok(Event::Help { family, help: series::unescape(text, self.dialect == Dialect::OpenMetrics) })
    }

    fn unit(&self, start: usize, family: &'p str, text: &'p [u8]) -> Result<Event<'p>> {
        let unit = std::str::from_utf8(text).map_err(|_| self.wrong(start, "a unit is not UTF-8"))?;
        let is_suffix = unit.is_empty() || family.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'));
        if is_suffix { Ok(Event::Unit { family, unit }) } else { Err(self.wrong(start, "the unit is no suffix of the name")) }
    }

    /// A sample whose series is `start..end`.
    #[inline]
    fn sample(&mut self, start: usize, end: usize) -> Result<Event<'p>> {
        let series = self.bytes.get(start..end).unwrap_or_default();
        self.at = end;
        let sample = match self.dialect {
            Dialect::Prometheus => self.tail_of_prometheus(series),
            Dialect::OpenMetrics => self.tail_of_open_metrics(series),
        };
        sample.map(Event::Sample).map_err(|why| self.wrong(start, why))
    }

    #[inline]
    fn tail_of_prometheus(&mut self, series: &'p [u8]) -> Result<Sample<'p>, &'static str> {
        self.skip_blanks();
        let value = self.token(|byte| !matches!(byte, b'{' | b' ' | b'\t' | b'\n'));
        let value = number::parse(value).ok_or("want a number as value")?;
        self.skip_blanks();
        let mut ts_ms = None;
        if !self.at_line_end() {
            let digits = self.token(|byte| byte.is_ascii_digit() || byte == b'-');
            ts_ms = Some(std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or("want a timestamp in milliseconds or the end of the line")?);
            self.skip_blanks();
        }
        if !self.at_line_end() {
            return Err("want the end of the line");
        }
        self.at += 1;
        Ok(Sample { series, value, ts_ms, exemplar: None })
    }

    #[inline]
    fn tail_of_open_metrics(&mut self, series: &'p [u8]) -> Result<Sample<'p>, &'static str> {
        let value = self.spaced_token().and_then(number::parse).ok_or("want a space and a number as value")?;
        let mut ts_ms = None;
        if self.peek() == Some(b' ') && !self.at_exemplar() {
            let seconds = self.spaced_token().and_then(number::parse).and_then(number::seconds_to_ms);
            ts_ms = Some(seconds.ok_or("want a timestamp in seconds")?);
        }
        let mut exemplar = None;
        if self.at_exemplar() {
            self.at += 3;
            exemplar = Some(Box::new(self.exemplar()?));
        }
        match self.peek() {
            Some(b'\n') => self.at += 1,
            Some(_) => return Err("want the end of the line"),
            None => return Err("the page does not end with # EOF"),
        }
        Ok(Sample { series, value, ts_ms, exemplar })
    }

    /// From the brace on.
    fn exemplar(&mut self) -> Result<ExemplarText, &'static str> {
        let (mut labels, mut fault) = (Vec::new(), None);
        let mut take = |name, value| match series::text(name).and_then(|name| Ok((name.into_owned(), series::text(value)?.into_owned()))) {
            Ok(label) => labels.push(label),
            Err(why) => fault = Some(why),
        };
        self.at = series::scan_exemplar(self.bytes, self.at + 1, &mut take)?;
        if let Some(why) = fault {
            return Err(why);
        }
        let value = self.spaced_token().and_then(number::parse).ok_or("want a number as value of the exemplar")?;
        let mut ts_ms = None;
        if self.peek() == Some(b' ') {
            let seconds = self.spaced_token().and_then(number::parse).and_then(number::seconds_to_ms);
            ts_ms = Some(seconds.ok_or("want a timestamp in seconds after the value of the exemplar")?);
        }
        Ok(ExemplarText { labels, value, ts_ms })
    }

    fn at_exemplar(&self) -> bool {
        self.bytes.get(self.at..).unwrap_or_default().starts_with(b" # {")
    }

    /// What follows one space.
    #[inline]
    fn spaced_token(&mut self) -> Option<&'p [u8]> {
        if self.peek() != Some(b' ') {
            return None;
        }
        self.at += 1;
        Some(self.token(|byte| !matches!(byte, b' ' | b'\n')))
    }

    #[inline]
    fn token(&mut self, belongs: impl Fn(u8) -> bool) -> &'p [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    #[inline]
    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > start
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n'))
    }

    /// The rest of the line, without its end, which is read too.
    fn take_line(&mut self) -> &'p [u8] {
        let line = self.token(|byte| byte != b'\n');
        self.at += 1;
        line
    }

    #[cold]
    fn wrong(&self, start: usize, why: &str) -> Error {
        /// Enough of a line to find it.
        const SHOWN_BYTES_MAX: usize = 100;
        let line = self.bytes.get(..start).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()).min(SHOWN_BYTES_MAX);
        let shown = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        Error::invalid(format!("cannot read line {line} of the page: {why}: found {shown:?}"))
    }
}

/// Whether a series ends where these bytes begin: a brace after blanks would belong to it.
#[inline]
fn is_before_value(rest: &[u8]) -> bool {
    match rest {
        [b' ', b'{' | b' ' | b'\t', ..] => false,
        [b' ', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;

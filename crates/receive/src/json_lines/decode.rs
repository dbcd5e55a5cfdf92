//! Lines or an array of objects to rows.

use crate::door::{Context, Decoded, Rejections};
use crate::logs::document::{Document, DocumentFault};
use crate::logs::json::{Cursor, Fault, Value};
use crate::logs::{Names, Rows, mended};

/// Faults of one request that are told one by one.
pub const FAULTS_MAX: usize = 20;

/// A line (or item of an array) that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Number of the line or item, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What became of the lines of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that became records.
    pub taken: u64,
    /// Lines that did not.
    pub refused: u64,
    /// The first of those.
    pub faults: Vec<LineFault>,
    /// How many reasons the decoder gave; they stand before those of admission.
    pub reasons: usize,
}

/// Decodes a body. It never fails as a whole: each line is judged alone.
pub fn decode(bytes: &[u8], context: &Context<'_>, names: &Names) -> (Decoded, Report) {
    // What is no text is mended and not lost.
    let text = mended(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = Lines { context, document: Document::new(names), rows: Rows::new(context), rejections: Rejections::default(), report: Report::default() };
    if text.bytes().find(|byte| !byte.is_ascii_whitespace()) == Some(b'[') {
        lines.array(text)
    } else {
        lines.all(text)
    }
    let Lines { rows, rejections, mut report, .. } = lines;
    let decoded = rows.finish(rejections);
    report.reasons = decoded.rejected.len();
    (decoded, report)
}

struct Lines<'c, 'a> {
    context: &'c Context<'c>,
    document: Document<'a>,
    rows: Rows<'c>,
    rejections: Rejections,
    report: Report,
}

impl<'a> Lines<'_, 'a> {
    fn all(&mut self, text: &'a str) {
        let (mut start, mut number) = (0, 0);
        for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
            number += 1;
            let line = text.get(start..end).unwrap_or_default();
            start = end + 1;
            let mut cursor = Cursor::new(line);
            if cursor.is_at_end() {
                continue;
            }
            let record = self.record(&mut cursor).and_then(|()| match cursor.is_at_end() {
                true => Ok(()),
                false => Err(cursor.fault("want the end of the line").into()),
            });
            self.close(number, record);
        }
    }

    fn array(&mut self, text: &'a str) {
        let mut cursor = Cursor::new(text);
        let mut number = 0;
        // The bracket was seen by the caller.
        cursor.passes(b'[');
        loop {
            match cursor.item(number == 0) {
                Ok(false) => break,
                Ok(true) => number += 1,
                Err(fault) => return self.close(number + 1, Err(fault.into())),
            }
            let record = self.record(&mut cursor);
            // Behind a fault of the grammar nobody knows where the next item begins.
            let is_lost = matches!(record, Err(DocumentFault::Json(fault)) if fault.what != NO_OBJECT);
            self.close(number, record);
            if is_lost {
                return;
            }
        }
        if !cursor.is_at_end() {
            self.close(number + 1, Err(cursor.fault("want the end of the body").into()));
        }
    }

    fn record(&mut self, cursor: &mut Cursor<'a>) -> Result<(), DocumentFault> {
        self.document.clear();
        let start = cursor.at();
        match cursor.value(self.document.arena())? {
            Value::Object => self.document.read(cursor, self.context.attribute_depth_max),
            value => {
                cursor.rest_of(&value, start)?;
                Err(Fault { at: start, what: NO_OBJECT }.into())
            }
        }
    }

    fn close(&mut self, line: u64, record: Result<(), DocumentFault>) {
        match record.and_then(|()| self.document.close(&mut self.rows, self.context, None)) {
            Ok(()) => self.report.taken += 1,
            Err(fault) => {
                self.report.refused += 1;
                self.rejections.add(1, fault.reason(), || format!("line {line}: {fault}"));
                if self.report.faults.len() < FAULTS_MAX {
                    self.report.faults.push(LineFault { line, reason: fault.to_string() });
                }
            }
        }
    }
}

const NO_OBJECT: &str = "want a JSON object";

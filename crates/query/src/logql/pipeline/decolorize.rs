//! `decolorize`: lines without the sequences that color terminals.

use regex::Regex;
use signalbox_model::{Error, Result};

use super::Flow;

/// Sequences of terminals, as Loki knows them.
const SEQUENCE: &str = "[\u{1b}\u{9b}][\\[\\]()#;?]*(?:(?:(?:[a-zA-Z0-9]*(?:;[a-zA-Z0-9]*)*)?\u{7})|(?:(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PRZcf-ntqry=><~]))";

/// What takes sequences out.
#[derive(Debug)]
pub(super) struct Decolorizer(Regex);

impl Decolorizer {
    pub(super) fn new() -> Result<Self> {
        Regex::new(SEQUENCE).map(Self).map_err(|error| Error::internal(error.to_string()))
    }

    pub(super) fn run(&self, line: &str, written: &mut String) -> Flow {
        if !line.contains(['\u{1b}', '\u{9b}']) {
            return Flow::Stay;
        }
        written.clear();
        let mut at = 0;
        for sequence in self.0.find_iter(line) {
            written.push_str(&line[at..sequence.start()]);
            at = sequence.end();
        }
        written.push_str(&line[at..]);
        Flow::Rewritten
    }
}

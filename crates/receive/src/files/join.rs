//! Lines that belong together: the parts of a line that a container's runtime cut, and the lines of a stack trace.

use std::time::Duration;

use super::container::Line;
use super::source::Lines;

/// A record on its way: where its first byte stands in the file, and what it has so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) text: String,
    pub(super) timestamp_ns: Option<i64>,
    pub(super) stream: &'static str,
    lines: usize,
}

/// Joins the lines of one file, each stream for itself.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    partial: Vec<Piece>,
    group: Vec<Piece>,
    /// When the last line came.
    touched: Duration,
}

impl Joiner {
    /// Takes a line that stands at `start`; appends what is complete. Texts longer than `bytes_max` are cut.
    pub(super) fn push(&mut self, line: Line<'_>, start: u64, lines: Option<&Lines>, bytes_max: usize, now: Duration, out: &mut Vec<Piece>) {
        self.touched = now;
        let at = self.partial.iter().position(|piece| piece.stream == line.stream);
        let mut whole = match at {
            Some(at) => {
                let mut piece = self.partial.swap_remove(at);
                append(&mut piece.text, &line.text, bytes_max);
                piece
            }
            None => {
                let mut text = String::with_capacity(line.text.len());
                append(&mut text, &line.text, bytes_max);
                Piece { start, text, timestamp_ns: line.timestamp_ns, stream: line.stream, lines: 1 }
            }
        };
        if line.is_partial {
            self.partial.push(whole);
            return;
        }
        let Some(lines) = lines else {
            if !whole.text.is_empty() {
                out.push(whole);
            }
            return;
        };
        let known = self.group.iter().position(|piece| piece.stream == whole.stream);
        match known {
            Some(at) if lines.firstline.is_match(&whole.text) || self.group[at].lines >= lines.lines_max => {
                std::mem::swap(&mut self.group[at], &mut whole);
                out.push(whole);
            }
            Some(at) => {
                let group = &mut self.group[at];
                append(&mut group.text, "\n", bytes_max);
                append(&mut group.text, &whole.text, bytes_max);
                group.lines += 1;
            }
            None if whole.text.is_empty() => {}
            None => self.group.push(whole),
        }
    }

    /// Appends records that wait for lines, if none came for long enough.
    pub(super) fn flush_old(&mut self, lines: &Lines, now: Duration, out: &mut Vec<Piece>) {
        if !self.group.is_empty() && now.saturating_sub(self.touched) >= lines.wait {
            out.append(&mut self.group);
        }
    }

    /// Appends everything: the file is at its end for ever.
    pub(super) fn flush(&mut self, out: &mut Vec<Piece>) {
        out.append(&mut self.group);
        out.append(&mut self.partial);
    }

    /// Where the first byte stands that is not in a complete record.
    pub(super) fn start(&self) -> Option<u64> {
        self.partial.iter().chain(&self.group).map(|piece| piece.start).min()
    }
}

fn append(text: &mut String, more: &str, bytes_max: usize) {
    let room = bytes_max.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}

//! The pure part: spans in, calls between numbered services out.

use std::collections::BTreeMap;

pub(super) const SERVER: i32 = 2;
pub(super) const CLIENT: i32 = 3;
pub(super) const PRODUCER: i32 = 4;
pub(super) const CONSUMER: i32 = 5;
const ERROR: i32 = 2;
const SPAN_ID_BYTES: usize = 8;
const NO_PARENT: [u8; SPAN_ID_BYTES] = [0; SPAN_ID_BYTES];

/// What a span says of calls. Small: there may be millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// Trace and span.
    key: [u8; 24],
    kind: i32,
    service: u32,
    peer: u32,
    parent: [u8; SPAN_ID_BYTES],
    is_failed: bool,
    /// Whether the other side of the call sent a span.
    is_answered: bool,
}

/// Calls of one service by another: how many, and how many failed.
pub(super) type Calls = BTreeMap<(u32, u32), (u64, u64)>;

impl Row {
    /// The peer of who names none.
    pub(super) const NOBODY: u32 = u32::MAX;

    pub(super) fn new(key: [u8; 24], parent: Option<[u8; 24]>, (service, peer): (u32, u32), kind: i32, status: i32) -> Self {
        let mut own = NO_PARENT;
        if let Some(parent) = parent {
            own.copy_from_slice(&parent[16..]);
        }
        Self { key, kind, service, peer, parent: own, is_failed: status == ERROR, is_answered: false }
    }

    fn calls(&self) -> bool {
        matches!(self.kind, CLIENT | PRODUCER)
    }

    fn is_called(&self) -> bool {
        matches!(self.kind, SERVER | CONSUMER)
    }

    fn parent_key(&self) -> Option<[u8; 24]> {
        let mut key = self.key;
        key[16..].copy_from_slice(&self.parent);
        (self.parent != NO_PARENT).then_some(key)
    }
}

/// The calls between services.
pub(super) fn links(mut rows: Vec<Row>) -> Calls {
    rows.sort_unstable();
    // A span that was sent twice is one.
    rows.dedup_by(|later, first| (later.key, later.kind, later.service) == (first.key, first.kind, first.service));
    let mut calls = Calls::new();
    for index in 0..rows.len() {
        let row = rows[index];
        match caller(&rows, index) {
            Some(place) => {
                let caller = rows[place];
                if caller.calls() {
                    rows[place].is_answered = true;
                }
                if caller.service != row.service || caller.calls() && row.is_called() {
                    count(&mut calls, (caller.service, row.service), row.is_failed || caller.calls() && caller.is_failed);
                }
            }
            None if row.is_called() && row.peer != Row::NOBODY => count(&mut calls, (row.peer, row.service), row.is_failed),
            None => {}
        }
    }
    for row in rows.iter().filter(|row| row.calls() && !row.is_answered && row.peer != Row::NOBODY) {
        count(&mut calls, (row.service, row.peer), row.is_failed);
    }
    calls
}

fn count(calls: &mut Calls, edge: (u32, u32), is_failed: bool) {
    let (count, errors) = calls.entry(edge).or_default();
    *count += 1;
    *errors += u64::from(is_failed);
}

/// The span that a span is called by. Two spans may share an identifier, as Zipkin's client and server do: then the client
/// calls the server, and what is below belongs to the server.
fn caller(rows: &[Row], index: usize) -> Option<usize> {
    let row = rows[index];
    if row.is_called()
        && let Some(place) = alike(rows, &row.key).find(|place| *place != index && rows[*place].calls())
    {
        return Some(place);
    }
    let parent = row.parent_key().filter(|parent| *parent != row.key)?;
    let found = || alike(rows, &parent);
    found().find(|place| !rows[*place].calls()).or_else(|| found().next())
}

/// Places of the spans with an identifier.
fn alike<'a>(rows: &'a [Row], key: &'a [u8; 24]) -> impl Iterator<Item = usize> + 'a {
    let first = rows.partition_point(|row| row.key < *key);
    (first..rows.len()).take_while(move |place| rows[*place].key == *key)
}

#[cfg(test)]
mod tests {
    use super::{CLIENT, CONSUMER, PRODUCER, Row, SERVER, links};

    const INTERNAL: i32 = 1;
    const A: u32 = 0;
    const B: u32 = 1;
    const DB: u32 = 9;
    const NOBODY: u32 = Row::NOBODY;

    fn key(id: u8) -> [u8; 24] {
        let mut key = [7; 24];
        key[16..].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, id]);
        key
    }

    fn span(id: u8, parent: u8, service: u32, kind: i32) -> Row {
        Row::new(key(id), (parent > 0).then(|| key(parent)), (service, NOBODY), kind, 0)
    }

    fn failed(row: Row) -> Row {
        Row { is_failed: true, ..row }
    }

    fn with_peer(row: Row, peer: u32) -> Row {
        Row { peer, ..row }
    }

    fn found(rows: Vec<Row>) -> Vec<(u32, u32, u64, u64)> {
        links(rows).into_iter().map(|((parent, child), (calls, errors))| (parent, child, calls, errors)).collect()
    }

    #[test]
    fn a_server_below_a_client_is_a_call() {
        assert_eq!(found(vec![span(1, 0, A, CLIENT), span(2, 1, B, SERVER)]), [(A, B, 1, 0)]);
        assert_eq!(found(vec![failed(span(1, 0, A, CLIENT)), span(2, 1, B, SERVER)]), [(A, B, 1, 1)]);
        assert_eq!(found(vec![span(1, 0, A, PRODUCER), failed(span(2, 1, B, CONSUMER)), span(3, 1, B, CONSUMER)]), [(A, B, 2, 1)]);
        // A service may call itself, if it says so.
        assert_eq!(found(vec![span(1, 0, A, CLIENT), span(2, 1, A, SERVER)]), [(A, A, 1, 0)]);
        assert_eq!(found(vec![span(1, 0, A, SERVER), span(2, 1, A, INTERNAL), span(3, 2, A, CLIENT)]), []);
    }

    #[test]
    fn services_that_say_no_kind_are_told_apart_by_name() {
        assert_eq!(found(vec![span(1, 0, A, 0), span(2, 1, B, 0), failed(span(3, 2, A, 0))]), [(A, B, 1, 0), (B, A, 1, 1)]);
    }

    #[test]
    fn spans_that_share_an_identifier_are_a_call() {
        // Zipkin: client and server are one identifier, and the server's own call is below it.
        let rows = vec![span(1, 0, A, SERVER), span(2, 1, A, CLIENT), span(2, 1, B, SERVER), span(3, 2, B, INTERNAL)];
        assert_eq!(found(rows), [(A, B, 1, 0)]);
    }

    #[test]
    fn who_is_named_and_sends_no_spans_is_called() {
        assert_eq!(found(vec![failed(with_peer(span(1, 0, A, CLIENT), DB)), with_peer(span(2, 0, A, PRODUCER), DB)]), [(A, DB, 2, 1)]);
        // Answered: the span of the other side knows better.
        assert_eq!(found(vec![with_peer(span(1, 0, A, CLIENT), DB), span(2, 1, B, SERVER)]), [(A, B, 1, 0)]);
        // Called from outside, the caller is named; below a span that is not there too.
        assert_eq!(found(vec![with_peer(span(1, 0, A, SERVER), B), with_peer(span(2, 8, A, CONSUMER), DB)]), [(B, A, 1, 0), (DB, A, 1, 0)]);
        assert_eq!(found(vec![span(1, 0, A, SERVER), span(2, 0, A, CLIENT)]), []);
    }

    #[test]
    fn a_span_that_was_sent_twice_counts_once() {
        assert_eq!(found(vec![span(1, 0, A, CLIENT), span(2, 1, B, SERVER), span(2, 1, B, SERVER)]), [(A, B, 1, 0)]);
        // Its own parent is nobody's.
        assert_eq!(found(vec![span(1, 1, A, SERVER)]), []);
        assert_eq!(found(Vec::new()), []);
    }
}

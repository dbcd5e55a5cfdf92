//! A trace as a forest: who is whose parent, in an order in which parents come first, with clocks set right.
//!
//! What instrumentation sends is no tree. Spans come twice, with parents that never came, with parents that are their own
//! children, from clocks that disagree; each has one place here, and what had to be guessed is counted.

use std::collections::HashMap;

use signalbox_model::SpanId;

use super::Trace;
use crate::rows::Span;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// A trace as a forest.
#[derive(Debug)]
pub struct Forest<'t> {
    /// Spans, parents before their children, siblings by start.
    pub nodes: Vec<Node<'t>>,
    /// What had to be guessed.
    pub doubts: Doubts,
}

/// What about a trace had to be guessed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Spans whose parent is not there.
    pub orphans: u64,
    /// Spans whose identifier another span has too; they are left out.
    pub duplicates: u64,
    /// Spans that are below themselves; each such ring was cut at one of them.
    pub cycles: u64,
    /// Spans whose clock disagrees with that of their caller; they were moved into its span.
    pub skewed: u64,
}

/// A span in its place.
#[derive(Debug)]
pub struct Node<'t> {
    /// The span.
    pub span: &'t Span,
    /// Index of its place in the trace.
    pub index: usize,
    /// The parent, by index among the nodes.
    pub parent: Option<usize>,
    /// The children, by index among the nodes, by start.
    pub children: Vec<usize>,
    /// How many spans are above it.
    pub depth: u32,
    /// Start by the clock of the root, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// End by the clock of the root, in nanoseconds since the Unix epoch; never before the start.
    pub end_ns: i64,
}

impl Node<'_> {
    /// Nanoseconds, never negative.
    pub fn duration_ns(&self) -> i64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    /// Whether it ended with an error.
    pub fn is_error(&self) -> bool {
        self.span.status_code == 2
    }
}

impl<'t> Forest<'t> {
    /// Arranges the spans of a trace.
    pub fn of(trace: &'t Trace) -> Self {
        let mut doubts = Doubts::default();
        let spans = Self::distinct(trace, &mut doubts);
        // Zipkin's clients give both sides of a call one identifier: the server is below the client, and the rest below the server.
        let (mut by_id, mut callers) = (HashMap::with_capacity(spans.len()), HashMap::new());
        for (at, (_, span)) in spans.iter().enumerate() {
            let Some(id) = span.span_id else { continue };
            if span.kind == SERVER {
                callers.extend(by_id.insert(id, at).map(|caller| (at, caller)));
            } else if let Some(server) = by_id.get(&id) {
                callers.insert(*server, at);
            } else {
                by_id.insert(id, at);
            }
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
        let mut roots = Vec::new();
        for (at, (_, span)) in spans.iter().enumerate() {
            let parent = |parent: SpanId| by_id.get(&parent).copied();
            match callers.get(&at).map(|caller| Some(*caller)).or_else(|| span.parent_span_id.map(parent)) {
                Some(Some(parent)) if parent != at => children[parent].push(at),
                Some(Some(_)) => {
                    doubts.cycles += 1;
                    roots.push(at);
                }
                Some(None) => {
                    doubts.orphans += 1;
                    roots.push(at);
                }
                None => roots.push(at),
            }
        }
        let mut forest = Self { nodes: Vec::with_capacity(spans.len()), doubts };
        let mut is_placed = vec![false; spans.len()];
        forest.place(&spans, &children, roots, &mut is_placed);
        // What no root leads to goes in rings: the first of each is where it is cut.
        for at in 0..spans.len() {
            if !is_placed[at] {
                forest.doubts.cycles += 1;
                forest.place(&spans, &children, vec![at], &mut is_placed);
            }
        }
        forest.set_clocks();
        forest
    }

    /// Spans by start, the longer first, each identifier once.
    fn distinct(trace: &'t Trace, doubts: &mut Doubts) -> Vec<(usize, &'t Span)> {
        let mut seen = std::collections::HashSet::with_capacity(trace.spans.len());
        let mut spans: Vec<(usize, &Span)> = Vec::with_capacity(trace.spans.len());
        for (index, span) in trace.spans.iter().enumerate() {
            // The two sides of a call may have one identifier.
            if span.span_id.is_none_or(|id| seen.insert((id, span.kind == SERVER))) {
                spans.push((index, span));
            } else {
                doubts.duplicates += 1;
            }
        }
        spans.sort_by_key(|(_, span)| (span.start_ns, std::cmp::Reverse(span.duration_ns)));
        spans
    }

    /// Walks without recursion: a trace may be one chain of a hundred thousand spans.
    fn place(&mut self, spans: &[(usize, &'t Span)], children: &[Vec<usize>], roots: Vec<usize>, is_placed: &mut [bool]) {
        let mut waiting: Vec<(usize, Option<usize>)> = roots.into_iter().rev().map(|root| (root, None)).collect();
        while let Some((at, parent)) = waiting.pop() {
            if std::mem::replace(&mut is_placed[at], true) {
                continue;
            }
            let (index, span) = spans[at];
            let node = self.nodes.len();
            let depth = parent.map_or(0, |parent| self.nodes[parent].depth + 1);
            if let Some(parent) = parent {
                self.nodes[parent].children.push(node);
            }
            let end_ns = span.start_ns.saturating_add(span.duration_ns.max(0));
            self.nodes.push(Node { span, index, parent, children: Vec::new(), depth, start_ns: span.start_ns, end_ns });
            waiting.extend(children[at].iter().rev().map(|child| (*child, Some(node))));
        }
    }

    /// The server of a call lies in the span of its client, who waits for it. Where the clocks say otherwise the server and
    /// all below it are moved: into the middle, as what the network took there and back is all that is left to guess.
    fn set_clocks(&mut self) {
        let mut shifts = vec![0i64; self.nodes.len()];
        for at in 0..self.nodes.len() {
            let Some(parent) = self.nodes[at].parent else { continue };
            let mut shift = shifts[parent];
            let (client, server) = (&self.nodes[parent], &self.nodes[at]);
            let (start_ns, end_ns) = (server.start_ns.saturating_add(shift), server.end_ns.saturating_add(shift));
            let is_call = client.span.kind == CLIENT && server.span.kind == SERVER && client.duration_ns() >= server.duration_ns();
            if is_call && (start_ns < client.start_ns || end_ns > client.end_ns) {
                let slack = client.duration_ns() - server.duration_ns();
                shift = client.start_ns.saturating_add(slack / 2).saturating_sub(server.start_ns);
                self.doubts.skewed += 1;
            }
            shifts[at] = shift;
            let node = &mut self.nodes[at];
            node.start_ns = node.start_ns.saturating_add(shift);
            node.end_ns = node.end_ns.saturating_add(shift);
        }
    }

    /// Whether nobody waits for a span: it takes a message that its parent left behind.
    pub fn is_detached(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        node.span.kind == CONSUMER && node.parent.is_some_and(|parent| self.nodes[parent].span.kind == PRODUCER)
    }

    /// Nanoseconds of each span in which none of its children was at work.
    pub fn self_times(&self) -> Vec<i64> {
        let self_time = |node: &Node<'_>| {
            // Children come by start, unless clocks were set right.
            let mut busy: Vec<(i64, i64)> = node.children.iter().map(|child| (self.nodes[*child].start_ns, self.nodes[*child].end_ns)).collect();
            busy.sort_unstable();
            let (mut covered, mut until) = (0i64, node.start_ns);
            for (start_ns, end_ns) in busy {
                let (start_ns, end_ns) = (start_ns.max(until), end_ns.min(node.end_ns));
                if end_ns > start_ns {
                    covered += end_ns - start_ns;
                    until = end_ns;
                }
            }
            node.duration_ns() - covered
        };
        self.nodes.iter().map(self_time).collect()
    }

    /// The root of the whole trace: without a parent if there is one, else the first of those whose parents are missing.
    pub fn root(&self) -> Option<usize> {
        let roots = || self.nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none());
        let first =
            |of: &mut dyn Iterator<Item = (usize, &Node<'_>)>| of.min_by_key(|(_, node)| (node.start_ns, std::cmp::Reverse(node.end_ns))).map(|(at, _)| at);
        first(&mut roots().filter(|(_, node)| node.span.parent_span_id.is_none())).or_else(|| first(&mut roots()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use signalbox_model::TraceId;

    use super::*;
    use crate::rows::{Resource, Scope};

    /// A trace written down: `id parent service name kind start duration [error]`, one span a line, times in milliseconds;
    /// `-` for no parent.
    pub(crate) fn trace(text: &str) -> Trace {
        let trace_id = TraceId::from_hex("01").unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut spans: Vec<Span> = lines
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let number = |at: usize| words[at].parse::<i64>().unwrap();
                span(trace_id, number(0) as u64, words[1].parse().ok(), words[2], words[3], words[4], number(5), number(6), words.get(7) == Some(&"error"))
            })
            .collect();
        spans.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.duration_ns)));
        Trace { trace_id, spans }
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of a line")]
    pub(crate) fn span(trace_id: TraceId, id: u64, parent: Option<u64>, service: &str, name: &str, kind: &str, start_ms: i64, ms: i64, is_error: bool) -> Span {
        let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
        Span {
            trace_id,
            span_id: SpanId::from_slice(&id.to_be_bytes()),
            parent_span_id: parent.and_then(|parent| SpanId::from_slice(&parent.to_be_bytes())),
            start_ns: start_ms * 1_000_000,
            duration_ns: ms * 1_000_000,
            service: service.to_owned(),
            name: name.to_owned(),
            kind: kinds.iter().position(|word| *word == kind).unwrap() as i32,
            status_code: if is_error { 2 } else { 0 },
            status_message: String::new(),
            trace_state: String::new(),
            flags: 0,
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        }
    }

    /// Each node as `id:depth:self time in ms`.
    fn shape(trace: &Trace) -> (String, Doubts) {
        let forest = Forest::of(trace);
        let self_times = forest.self_times();
        let node = |(node, self_ns): (&Node<'_>, &i64)| {
            let id = node.span.span_id.map_or(0, |id| u64::from_be_bytes(*id.as_bytes()));
            format!("{id}:{}:{}", node.depth, self_ns / 1_000_000)
        };
        (forest.nodes.iter().zip(&self_times).map(node).collect::<Vec<_>>().join(" "), forest.doubts)
    }

    #[test]
    fn every_span_has_one_place() {
        let none = Doubts::default();
        for (text, want, doubts) in [
            ("", "", none),
            // Children overlap, and one outlives its parent.
            ("1 - a r server 0 100\n2 1 b x client 10 30\n3 1 b y client 20 40\n4 1 b z internal 90 50", "1:0:40 2:1:30 3:1:40 4:1:50", none),
            // A parent that never came.
            ("1 - a r server 0 10\n2 9 b x server 5 2", "1:0:10 2:0:2", Doubts { orphans: 1, ..none }),
            // The same span twice, and a call of which both sides have one identifier.
            ("1 - a r client 0 10\n1 - a r client 0 10\n1 - b r server 1 2", "1:0:8 1:1:2", Doubts { duplicates: 1, ..none }),
            // Rings.
            ("1 2 a x server 0 10\n2 1 a y server 1 2\n3 3 a z server 5 1", "3:0:1 1:0:8 2:1:2", Doubts { cycles: 2, ..none }),
            // A duration below zero is none.
            ("1 - a r server 0 -5", "1:0:0", none),
        ] {
            assert_eq!(shape(&trace(text)), (want.to_owned(), doubts), "{text}");
        }
    }

    #[test]
    fn clocks_that_disagree_are_set_by_the_caller() {
        let trace = trace("1 - a r client 100 40\n2 1 b s server 500 20\n3 2 b t internal 505 10\n4 1 b u internal 130 50");
        let forest = Forest::of(&trace);
        let times: Vec<(i64, i64)> = forest.nodes.iter().map(|node| (node.start_ns / 1_000_000, node.end_ns / 1_000_000)).collect();
        // What is no call keeps its times, though it lies outside.
        assert_eq!(times, [(100, 140), (130, 180), (110, 130), (115, 125)]);
        assert_eq!(forest.doubts.skewed, 1);
        // A server that took longer than the client waited is not moved: the client gave up.
        let trace = super::tests::trace("1 - a r client 100 40\n2 1 b s server 120 90");
        assert_eq!(Forest::of(&trace).doubts, Doubts::default());
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_spans_is_no_deeper_than_the_stack() {
        let trace_id = TraceId::from_hex("01").unwrap();
        let spans =
            (1..=100_000).map(|id| span(trace_id, id, (id > 1).then(|| id - 1), "a", "x", "internal", id as i64, 200_000 - 2 * id as i64, false)).collect();
        let trace = Trace { trace_id, spans };
        let forest = Forest::of(&trace);
        assert_eq!((forest.nodes.len(), forest.nodes[99_999].depth, forest.root()), (100_000, 99_999, Some(0)));
        assert_eq!(forest.self_times()[0], 2_000_000);
    }
}

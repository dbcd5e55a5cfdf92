//! What a trace waited for: at each instant of its root, the span that had to end for the root to end.
//!
//! It is found from the end: a span waits for its child that ended last, before that child for the one that ended last before
//! the child began, and so on down; what lies between is its own. A child counts as far as it lies in its parent. Spans
//! without their parents hang below the root. A consumer of a message is not waited for by its producer.

use std::collections::{BTreeMap, HashSet};

use signalbox_model::{Result, Tenant};

use super::Trace;
use super::answer::SearchRequest;
use super::forest::{Doubts, Forest};
use crate::Engine;

/// Operations that are told apart; the time of more is counted without a name.
const OPERATIONS_MAX: usize = 10_000;
/// Spans of all traces of one question.
const SPANS_MAX: u64 = 2_000_000;

/// A piece of the critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStep {
    /// Who was waited for, by index among the nodes of the forest.
    pub node: usize,
    /// From when, nanoseconds since the Unix epoch by the clock of the root.
    pub start_ns: i64,
    /// Until when, nanoseconds since the Unix epoch by the clock of the root.
    pub end_ns: i64,
}

/// A span on the way down, and what of it is not explained yet.
struct Frame {
    node: usize,
    /// What of the span counts.
    start_ns: i64,
    end_ns: i64,
    /// All after this is explained.
    until_ns: i64,
    /// Children that may come, the last to end at the end.
    children: Vec<usize>,
}

/// The critical path of a trace, first piece first. The pieces follow each other without gaps and make the whole root.
pub fn critical_path(forest: &Forest<'_>) -> Vec<PathStep> {
    let Some(root) = forest.root() else { return Vec::new() };
    let others = (0..forest.nodes.len()).filter(|at| *at != root && forest.nodes[*at].parent.is_none());
    let (start_ns, end_ns) = (forest.nodes[root].start_ns, forest.nodes[root].end_ns);
    let mut frames = vec![frame(forest, root, (start_ns, end_ns), others)];
    let mut steps = Vec::new();
    while let Some(at) = frames.last_mut() {
        let Some((child, start_ns, end_ns)) = next_child(forest, at) else {
            push(&mut steps, at.node, at.start_ns, at.until_ns);
            frames.pop();
            continue;
        };
        push(&mut steps, at.node, end_ns, at.until_ns);
        at.until_ns = start_ns;
        frames.push(frame(forest, child, (start_ns, end_ns), std::iter::empty()));
    }
    steps.reverse();
    steps
}

fn push(steps: &mut Vec<PathStep>, node: usize, start_ns: i64, end_ns: i64) {
    if start_ns < end_ns {
        steps.push(PathStep { node, start_ns, end_ns });
    }
}

fn frame(forest: &Forest<'_>, node: usize, (start_ns, end_ns): (i64, i64), others: impl Iterator<Item = usize>) -> Frame {
    let mut children: Vec<usize> = forest.nodes[node].children.iter().copied().chain(others).filter(|child| !forest.is_detached(*child)).collect();
    // Of those that end at once the one that began first: it is what the others were short beside.
    children.sort_by_key(|child| (forest.nodes[*child].end_ns.min(end_ns), std::cmp::Reverse(forest.nodes[*child].start_ns)));
    Frame { node, start_ns, end_ns, until_ns: end_ns, children }
}

/// The child that ended last before all that is explained, with what of it counts.
fn next_child(forest: &Forest<'_>, frame: &mut Frame) -> Option<(usize, i64, i64)> {
    while let Some(child) = frame.children.pop() {
        let (start_ns, end_ns) = (forest.nodes[child].start_ns.max(frame.start_ns), forest.nodes[child].end_ns.min(frame.end_ns));
        if start_ns < end_ns && end_ns <= frame.until_ns {
            return Some((child, start_ns, end_ns));
        }
    }
    None
}

/// How much an operation adds to critical paths.
#[derive(Debug, Clone, PartialEq)]
pub struct PathShare {
    /// Service; the empty text for what was too much to be told apart.
    pub service: String,
    /// Name of the spans.
    pub name: String,
    /// OTLP span kind.
    pub kind: i32,
    /// Traces on whose critical path it is.
    pub traces: u64,
    /// Spans on critical paths.
    pub spans: u64,
    /// Nanoseconds of critical paths.
    pub self_ns: i64,
    /// Of all critical paths, between 0 and 1.
    pub share: f64,
    /// The most of one trace, in nanoseconds.
    pub longest_ns: i64,
}

/// Critical paths of many traces.
#[derive(Debug, Clone, Default)]
pub struct CriticalPaths {
    /// How many traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Nanoseconds of all critical paths.
    pub duration_ns: i64,
    /// What had to be guessed about them.
    pub doubts: Doubts,
    by_operation: BTreeMap<(String, String, i32), Sum>,
    /// Whether traces were left out because they have too many spans together.
    pub is_cut: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    traces: u64,
    spans: u64,
    self_ns: i64,
    longest_ns: i64,
}

impl CriticalPaths {
    /// Adds a trace.
    pub fn add(&mut self, trace: &Trace) {
        let forest = Forest::of(trace);
        self.traces += 1;
        self.spans += trace.spans.len() as u64;
        self.doubts.orphans += forest.doubts.orphans;
        self.doubts.duplicates += forest.doubts.duplicates;
        self.doubts.cycles += forest.doubts.cycles;
        self.doubts.skewed += forest.doubts.skewed;
        let mut of_trace: BTreeMap<(&str, &str, i32), (i64, HashSet<usize>)> = BTreeMap::new();
        for step in critical_path(&forest) {
            let span = forest.nodes[step.node].span;
            let (self_ns, nodes) = of_trace.entry((&span.service, &span.name, span.kind)).or_default();
            *self_ns += step.end_ns - step.start_ns;
            nodes.insert(step.node);
        }
        for ((service, name, kind), (self_ns, nodes)) in of_trace {
            let mut key = (service.to_owned(), name.to_owned(), kind);
            if self.by_operation.len() >= OPERATIONS_MAX && !self.by_operation.contains_key(&key) {
                key = (String::new(), String::new(), 0);
            }
            let sum = self.by_operation.entry(key).or_default();
            sum.traces += 1;
            sum.spans += nodes.len() as u64;
            sum.self_ns = sum.self_ns.saturating_add(self_ns);
            sum.longest_ns = sum.longest_ns.max(self_ns);
            self.duration_ns = self.duration_ns.saturating_add(self_ns);
        }
    }

    /// What adds most first.
    pub fn shares(&self) -> Vec<PathShare> {
        let share = |((service, name, kind), sum): (&(String, String, i32), &Sum)| PathShare {
            service: service.clone(),
            name: name.clone(),
            kind: *kind,
            traces: sum.traces,
            spans: sum.spans,
            self_ns: sum.self_ns,
            share: if self.duration_ns > 0 { sum.self_ns as f64 / self.duration_ns as f64 } else { 0.0 },
            longest_ns: sum.longest_ns,
        };
        let mut shares: Vec<PathShare> = self.by_operation.iter().map(share).collect();
        // Stable: equal ones stay sorted by name.
        shares.sort_by_key(|share| std::cmp::Reverse(share.self_ns));
        shares
    }
}

impl Engine {
    /// The critical paths of the traces that a search finds.
    ///
    /// # Errors
    /// Those of the search, and of each trace.
    pub async fn critical_paths(&self, tenant: &Tenant, search: SearchRequest) -> Result<CriticalPaths> {
        let found = self.traceql_search(tenant, SearchRequest { spans_per_set: 1, ..search }).await?;
        let mut paths = CriticalPaths::default();
        for summary in found.traces {
            let expected: u64 = summary.services.iter().map(|service| service.spans).sum();
            if paths.spans + expected > SPANS_MAX {
                paths.is_cut = true;
                break;
            }
            // A trace may have been deleted in the meantime.
            let Some(trace) = self.trace(tenant, summary.trace_id).await? else { continue };
            paths.add(&trace);
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use signalbox_model::TraceId;

    use super::super::forest::tests::{span, trace};
    use super::*;

    /// Pieces as `id:from-to` in milliseconds.
    fn path(trace: &Trace) -> String {
        let forest = Forest::of(trace);
        let id = |node: usize| forest.nodes[node].span.span_id.map_or(0, |id| u64::from_be_bytes(*id.as_bytes()));
        let step = |step: &PathStep| format!("{}:{}-{}", id(step.node), step.start_ns / 1_000_000, step.end_ns / 1_000_000);
        let steps = critical_path(&forest);
        if let (Some(root), Some(first), Some(last)) = (forest.root(), steps.first(), steps.last()) {
            assert_eq!((first.start_ns, last.end_ns), (forest.nodes[root].start_ns, forest.nodes[root].end_ns));
            assert!(steps.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns), "without gaps");
        }
        steps.iter().map(step).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_child_that_ended_last_was_waited_for() {
        for (text, want) in [
            ("", ""),
            ("1 - a r server 0 10", "1:0-10"),
            ("1 - a r server 0 0", ""),
            // One after the other.
            ("1 - a r server 0 100\n2 1 a x internal 10 20\n3 1 a y internal 50 30", "1:0-10 2:10-30 1:30-50 3:50-80 1:80-100"),
            // At once: only the one that ended last, and what ended before it began.
            ("1 - a r server 0 100\n2 1 a x internal 10 50\n3 1 a y internal 20 70\n4 1 a z internal 5 10", "1:0-5 4:5-15 1:15-20 3:20-90 1:90-100"),
            // Down to the leaves.
            (
                "1 - a r server 0 100\n2 1 b s server 10 80\n3 2 b q client 20 30\n4 3 c t server 25 20",
                "1:0-10 2:10-20 3:20-25 4:25-45 3:45-50 2:50-90 1:90-100",
            ),
            // A child that goes on after its parent counts until its end; one that begins later does not.
            ("1 - a r server 0 100\n2 1 a x internal 90 50\n3 1 a y internal 120 50", "1:0-90 2:90-100"),
            // One that began before counts from its start, and so does what is below.
            ("1 - a r internal 50 50\n2 1 b x internal 40 20\n3 2 b y internal 42 10", "3:50-52 2:52-60 1:60-100"),
            // A consumer is not waited for, a producer is.
            ("1 - a r server 0 100\n2 1 a send producer 10 50\n3 2 b take consumer 20 30", "1:0-10 2:10-60 1:60-100"),
            // Without its parent a span hangs below the root.
            ("1 - a r server 0 100\n2 9 b x server 20 30", "1:0-20 2:20-50 1:50-100"),
            // Without any root the first is the root.
            ("2 9 b x server 20 30\n3 9 c y server 30 10\n4 3 c z internal 32 2", "2:20-30 3:30-32 4:32-34 3:34-40 2:40-50"),
            // Clocks: the server of a call is moved into the span of its client.
            ("1 - a r client 0 100\n2 1 b s server 5000 60\n3 2 b t internal 5010 10", "1:0-20 2:20-30 3:30-40 2:40-80 1:80-100"),
            // A ring.
            ("1 2 a x server 0 10\n2 1 a y server 1 2", "1:0-1 2:1-3 1:3-10"),
            // Two that are equal: the time is told once.
            ("1 - a r server 0 10\n2 1 a x internal 2 6\n3 1 a x internal 2 6", "1:0-2 3:2-8 1:8-10"),
        ] {
            assert_eq!(path(&trace(text)), want, "{text}");
        }
    }

    #[test]
    fn what_traces_waited_for_adds_up() {
        let mut paths = CriticalPaths::default();
        paths.add(&trace("1 - a r server 0 100\n2 1 b q client 10 30\n3 1 b q client 50 30"));
        paths.add(&trace("1 - a r server 0 100\n2 1 c w client 10 10"));
        let line = |share: &PathShare| {
            format!("{} {} {} {} {:.3} {}", share.service, share.traces, share.spans, share.self_ns / 1_000_000, share.share, share.longest_ns / 1_000_000)
        };
        assert_eq!(paths.shares().iter().map(line).collect::<Vec<_>>(), ["a 2 2 130 0.650 90", "b 1 2 60 0.300 60", "c 1 1 10 0.050 10"]);
        assert_eq!((paths.traces, paths.spans, paths.duration_ns), (2, 5, 200_000_000));
    }

    #[test]
    fn large_traces_have_a_path() {
        let trace_id = TraceId::from_hex("01").expect("an identifier");
        let root = || span(trace_id, 1, None, "a", "r", "server", 0, 400_000, false);
        // A hundred thousand children one after the other, at once, and each below the one before.
        let row = (2..=100_000).map(|at| span(trace_id, at, Some(1), "a", "x", "internal", 2 * at as i64, 1, false));
        let pile = (2..=100_000).map(|at| span(trace_id, at, Some(1), "a", "x", "internal", at as i64, 200_000, false));
        let chain = (2..=100_000).map(|at| span(trace_id, at, Some(at - 1), "a", "x", "internal", at as i64, 400_000 - 2 * at as i64, false));
        for (spans, want) in [(row.collect::<Vec<_>>(), 2 * 99_999 + 1), (pile.collect(), 3), (chain.collect(), 2 * 99_999 + 1)] {
            let trace = Trace { trace_id, spans: [root()].into_iter().chain(spans).collect() };
            assert_eq!(critical_path(&Forest::of(&trace)).len(), want);
        }
    }
}

//! What differs between two traces: which spans are the same work, and what became of it.
//!
//! Spans are matched by what they do and where: of two that are matched, the children with one service, name and kind are
//! matched in their order. What is left is looked for elsewhere, first below a parent that does the same, then anywhere, so
//! that a span that was put between does not make all below it new. Every step is linear.

use std::collections::{HashMap, VecDeque};

use super::forest::{Forest, Node};

/// What a span does.
type Key<'f> = (&'f str, &'f str, i32);

fn key<'f>(node: &Node<'f>) -> Key<'f> {
    (&node.span.service, &node.span.name, node.span.kind)
}

/// Two spans that are the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// By index among the nodes of the base.
    pub base: usize,
    /// By index among the nodes of the other.
    pub compare: usize,
    /// Whether their parents are no pair.
    pub is_moved: bool,
}

/// Which spans are the same work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matching {
    /// Pairs, in the order of the other trace.
    pub pairs: Vec<Pair>,
    /// What only the base has, by index among its nodes, in order.
    pub removed: Vec<usize>,
    /// What only the other has, by index among its nodes, in order.
    pub added: Vec<usize>,
}

/// Matches the spans of two traces.
pub fn matching(base: &Forest<'_>, compare: &Forest<'_>) -> Matching {
    let mut matcher = Matcher { base, compare, of_base: vec![None; base.nodes.len()], of_compare: vec![None; compare.nodes.len()] };
    let roots = |forest: &Forest<'_>| (0..forest.nodes.len()).filter(|at| forest.nodes[*at].parent.is_none()).collect::<Vec<usize>>();
    let pairs = matcher.siblings(&roots(base), &roots(compare));
    matcher.descend(pairs);
    matcher.elsewhere(|forest, at| (key(&forest.nodes[at]), forest.nodes[at].parent.map(|parent| key(&forest.nodes[parent]))));
    matcher.elsewhere(|forest, at| (key(&forest.nodes[at]), None));
    matcher.done()
}

struct Matcher<'a, 'f> {
    base: &'a Forest<'f>,
    compare: &'a Forest<'f>,
    /// The partner of each node.
    of_base: Vec<Option<usize>>,
    of_compare: Vec<Option<usize>>,
}

impl<'f> Matcher<'_, 'f> {
    /// Matches those of one key in their order, answers the pairs.
    fn siblings(&mut self, base: &[usize], compare: &[usize]) -> Vec<(usize, usize)> {
        let mut free: HashMap<Key<'_>, VecDeque<usize>> = HashMap::new();
        for at in base.iter().copied().filter(|at| self.of_base[*at].is_none()) {
            free.entry(key(&self.base.nodes[at])).or_default().push_back(at);
        }
        let mut pairs = Vec::new();
        for at in compare.iter().copied() {
            if self.of_compare[at].is_some() {
                continue;
            }
            if let Some(partner) = free.get_mut(&key(&self.compare.nodes[at])).and_then(VecDeque::pop_front) {
                self.pair(partner, at);
                pairs.push((partner, at));
            }
        }
        pairs
    }

    fn pair(&mut self, base: usize, compare: usize) {
        self.of_base[base] = Some(compare);
        self.of_compare[compare] = Some(base);
    }

    /// Matches what is below pairs.
    fn descend(&mut self, mut pairs: Vec<(usize, usize)>) {
        let (base, compare) = (self.base, self.compare);
        while let Some((left, right)) = pairs.pop() {
            let (left, right) = (&base.nodes[left].children, &compare.nodes[right].children);
            if !left.is_empty() && !right.is_empty() {
                pairs.extend(self.siblings(left, right));
            }
        }
    }

    /// Matches what is left by a place that is described otherwise, and what is below.
    fn elsewhere(&mut self, place: impl Fn(&Forest<'f>, usize) -> (Key<'f>, Option<Key<'f>>)) {
        let mut free: HashMap<(Key<'_>, Option<Key<'_>>), VecDeque<usize>> = HashMap::new();
        for at in (0..self.base.nodes.len()).filter(|at| self.of_base[*at].is_none()) {
            free.entry(place(self.base, at)).or_default().push_back(at);
        }
        for at in 0..self.compare.nodes.len() {
            if self.of_compare[at].is_some() {
                continue;
            }
            let Some(candidates) = free.get_mut(&place(self.compare, at)) else { continue };
            // Some were taken in the meantime, below a pair.
            while let Some(partner) = candidates.pop_front() {
                if self.of_base[partner].is_none() {
                    self.pair(partner, at);
                    self.descend(vec![(partner, at)]);
                    break;
                }
            }
        }
    }

    fn done(self) -> Matching {
        let parents_are_apart = |base: usize, compare: usize| {
            let parent = self.base.nodes[base].parent.map(|parent| self.of_base[parent]);
            match (parent, self.compare.nodes[compare].parent) {
                (None, None) => false,
                (Some(Some(partner)), Some(parent)) => partner != parent,
                _ => true,
            }
        };
        let pair = |(compare, base): (usize, &Option<usize>)| {
            let base = (*base)?;
            Some(Pair { base, compare, is_moved: parents_are_apart(base, compare) })
        };
        let pairs = self.of_compare.iter().enumerate().filter_map(pair).collect();
        let alone = |partners: &[Option<usize>]| (0..partners.len()).filter(|at| partners[*at].is_none()).collect();
        Matching { pairs, removed: alone(&self.of_base), added: alone(&self.of_compare) }
    }
}

/// The same work in both traces: all spans with one service, name and kind below the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffNode {
    /// What is above, by index; before this one. None for a root.
    pub parent: Option<usize>,
    /// Service.
    pub service: String,
    /// Name of the spans.
    pub name: String,
    /// OTLP span kind.
    pub kind: i32,
    /// Those of the base.
    pub base: NodeStats,
    /// Those of the other.
    pub compare: NodeStats,
}

/// What spans of one place amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeStats {
    /// How many.
    pub count: u64,
    /// With status error.
    pub errors: u64,
    /// Sum of their durations in nanoseconds.
    pub duration_ns: i64,
    /// Sum of what they did themselves, in nanoseconds.
    pub self_ns: i64,
}

/// Both traces laid over each other, parents before what is below them.
pub fn merged(base: &Forest<'_>, compare: &Forest<'_>) -> Vec<DiffNode> {
    let mut nodes: Vec<DiffNode> = Vec::new();
    let mut known: HashMap<(Option<usize>, Key<'_>), usize> = HashMap::new();
    for (forest, is_base) in [(base, true), (compare, false)] {
        let self_times = forest.self_times();
        let mut places: Vec<usize> = Vec::with_capacity(forest.nodes.len());
        for (node, self_ns) in forest.nodes.iter().zip(self_times) {
            let parent = node.parent.map(|parent| places[parent]);
            let place = *known.entry((parent, key(node))).or_insert_with(|| {
                let (service, name, kind) = (node.span.service.clone(), node.span.name.clone(), node.span.kind);
                nodes.push(DiffNode { parent, service, name, kind, base: NodeStats::default(), compare: NodeStats::default() });
                nodes.len() - 1
            });
            places.push(place);
            let stats = if is_base { &mut nodes[place].base } else { &mut nodes[place].compare };
            stats.count += 1;
            stats.errors += u64::from(node.is_error());
            stats.duration_ns = stats.duration_ns.saturating_add(node.duration_ns());
            stats.self_ns = stats.self_ns.saturating_add(self_ns);
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use signalbox_model::TraceId;

    use super::super::Trace;
    use super::super::forest::tests::{span, trace};
    use super::*;

    fn id(node: &Node<'_>) -> u64 {
        node.span.span_id.map_or(0, |id| u64::from_be_bytes(*id.as_bytes()))
    }

    /// `1=11` for a pair, `1~11` for one that moved, `-1` for what is gone, `+11` for what is new.
    fn words(base: &str, compare: &str) -> String {
        let (base, compare) = (trace(base), trace(compare));
        let (base, compare) = (Forest::of(&base), Forest::of(&compare));
        let found = matching(&base, &compare);
        let pair = |pair: &Pair| format!("{}{}{}", id(&base.nodes[pair.base]), if pair.is_moved { "~" } else { "=" }, id(&compare.nodes[pair.compare]));
        let removed = found.removed.iter().map(|at| format!("-{}", id(&base.nodes[*at])));
        let added = found.added.iter().map(|at| format!("+{}", id(&compare.nodes[*at])));
        found.pairs.iter().map(pair).chain(removed).chain(added).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn spans_are_matched_by_what_they_do_and_where() {
        let base = "1 - shop GET server 0 100\n2 1 shop q client 10 10\n3 1 shop q client 30 10\n4 1 cart x server 50 20";
        for (compare, want) in [
            // The same.
            ("11 - shop GET server 0 100\n12 11 shop q client 10 10\n13 11 shop q client 30 10\n14 11 cart x server 50 20", "1=11 2=12 3=13 4=14"),
            // One query less, a new service, and the order is that of the start.
            ("11 - shop GET server 0 100\n13 11 shop q client 30 10\n12 11 pay y server 60 10", "1=11 2=13 -3 -4 +12"),
            // A span between: all below it is as it was.
            ("11 - shop GET server 0 100\n19 11 shop retry internal 5 80\n12 19 shop q client 10 10\n14 11 cart x server 50 20", "1=11 2~12 4=14 -3 +19"),
            // The root is another, what is below is not.
            ("11 - web page client 0 100\n12 11 shop q client 10 10\n14 11 cart x server 50 20", "2~12 4~14 -1 -3 +11"),
            // A kind makes a difference.
            ("11 - shop GET internal 0 100", "-1 -2 -3 -4 +11"),
            ("", "-1 -2 -3 -4"),
        ] {
            assert_eq!(words(base, compare), want, "{compare}");
        }
        assert_eq!(words("", base), "+1 +2 +3 +4");
        // What is below the same comes before what is anywhere.
        let base = "1 - a r server 0 9\n2 1 a x internal 1 3\n3 2 a leaf internal 1 1\n4 1 a y internal 5 3\n5 4 a leaf internal 5 1";
        assert_eq!(words(base, "11 - b r server 0 9\n14 11 a y internal 5 3\n15 14 a leaf internal 5 1"), "4~14 5=15 -1 -2 -3 +11");
    }

    #[test]
    fn work_is_added_up_by_its_place() {
        let base = trace("1 - a r server 0 100\n2 1 a q client 10 10\n3 1 a q client 30 10 error\n4 1 b x server 50 20");
        let compare = trace("1 - a r server 0 200\n2 1 a q client 10 30\n5 1 c y server 50 20");
        let nodes = merged(&Forest::of(&base), &Forest::of(&compare));
        let stats = |stats: &NodeStats| format!("{}/{}/{}/{}", stats.count, stats.errors, stats.duration_ns / 1_000_000, stats.self_ns / 1_000_000);
        let line = |node: &DiffNode| format!("{:?} {} {} {} {}", node.parent, node.service, node.name, stats(&node.base), stats(&node.compare));
        assert_eq!(
            nodes.iter().map(line).collect::<Vec<_>>(),
            ["None a r 1/0/100/60 1/0/200/150", "Some(0) a q 2/1/20/20 1/0/30/30", "Some(0) b x 1/0/20/20 0/0/0/0", "Some(0) c y 0/0/0/0 1/0/20/20",]
        );
    }

    #[test]
    fn large_traces_are_matched() {
        let trace_id = TraceId::from_hex("01").expect("an identifier");
        let large = |shift: u64| {
            // A chain, a fan of equal spans, and a root.
            let chain = (2..50_000).map(|at| span(trace_id, at, Some(at - 1), "a", "chain", "internal", 1, 100, false));
            let fan = (50_000..100_000).map(|at| span(trace_id, at, Some(1), "a", "fan", "client", (at + shift) as i64, 1, false));
            let spans = [span(trace_id, 1, None, "a", "r", "server", 0, 200_000, false)].into_iter().chain(chain).chain(fan).collect();
            Trace { trace_id, spans }
        };
        let (base, compare) = (large(0), large(7));
        let found = matching(&Forest::of(&base), &Forest::of(&compare));
        assert_eq!((found.pairs.len(), found.added.len(), found.removed.len()), (99_999, 0, 0));
        assert!(found.pairs.iter().all(|pair| !pair.is_moved));
        assert_eq!(merged(&Forest::of(&base), &Forest::of(&compare)).len(), 50_000);
    }
}

//! Spans that cannot lie where they do: before their parents, or after these have ended, by the clock of another host.
//!
//! Nothing is moved here; whoever shows a trace says so. What [`super::forest`] moves are calls alone, of which the caller waits.

use super::forest::Forest;
use crate::rows::Resource;
use signalbox_model::attributes::AttributeValue;

/// Clocks of hosts that are kept together by NTP differ by less.
pub const TOLERANCE_NS: i64 = 1_000_000;

const CONSUMER: i32 = 5;

/// Where a span lies that does not lie in the time of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// It starts so many nanoseconds before its parent does.
    Before(i64),
    /// It starts so many nanoseconds after its parent has ended.
    After(i64),
}

impl Skew {
    /// By how much, in nanoseconds.
    pub fn ns(self) -> i64 {
        match self {
            Self::Before(ns) | Self::After(ns) => ns,
        }
    }
}

impl Forest<'_> {
    /// The skew of each node, if it has one. Spans of one host have one clock: what is odd about these is no skew.
    pub fn skews(&self) -> Vec<Option<Skew>> {
        (0..self.nodes.len()).map(|at| self.skew(at)).collect()
    }

    fn skew(&self, at: usize) -> Option<Skew> {
        let child = self.nodes[at].span;
        let parent = self.nodes[self.nodes[at].parent?].span;
        let (before_ns, after_ns) = (parent.start_ns.saturating_sub(child.start_ns), child.start_ns.saturating_sub(parent.end_ns().max(parent.start_ns)));
        let skew = if before_ns > TOLERANCE_NS {
            Skew::Before(before_ns)
        } else if after_ns > TOLERANCE_NS && child.kind != CONSUMER {
            // Messages are taken whenever their consumers come to it.
            Skew::After(after_ns)
        } else {
            return None;
        };
        (!has_one_clock(&child.resource, &parent.resource)).then_some(skew)
    }
}

/// Of resources that name no host, equal ones are taken for one process.
fn has_one_clock(left: &Resource, right: &Resource) -> bool {
    match (host(left), host(right)) {
        (None, None) => left == right,
        (left, right) => left == right,
    }
}

/// What tells one host from another: its identifier, address or name; `None` if nothing does.
pub fn host(resource: &Resource) -> Option<String> {
    let text = match (resource.get("host.id"), resource.get("host.ip"), resource.get("host.name")) {
        (Some(id), _, _) => id.to_text(),
        (None, Some(AttributeValue::Array(addresses)), _) if !addresses.is_empty() => addresses[0].to_text(),
        (None, Some(AttributeValue::String(address)), _) => address.clone(),
        (None, _, name) => name?.to_text(),
    };
    (!text.is_empty()).then_some(text)
}

/// Says of a trace that clocks disagree; `None` if nothing shows that they do.
pub fn warning(skews: &[Option<Skew>]) -> Option<String> {
    let found: Vec<Skew> = skews.iter().copied().flatten().collect();
    let most_ns = found.iter().map(|skew| skew.ns()).max()?;
    let (spans, are) = if found.len() == 1 { ("span lies", "its parent") } else { ("spans lie", "their parents") };
    Some(format!("clocks of hosts disagree: {} {spans} outside of the time of {are}, by {:.3} ms at most", found.len(), most_ns as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::super::Trace;
    use super::super::forest::tests::trace;
    use super::*;

    /// Gives each service a host of its own, and those in upper case one together.
    fn with_hosts(mut trace: Trace) -> Trace {
        for span in &mut trace.spans {
            let host = if span.service == span.service.to_lowercase() { &span.service } else { "one" };
            let attributes = vec![("host.name".to_owned(), AttributeValue::String(host.to_owned()))];
            span.resource = Arc::new(Resource { attributes, ..Resource::default() });
        }
        trace
    }

    fn skews(trace: &Trace) -> Vec<(u64, i64)> {
        let forest = Forest::of(trace);
        let number = |at: usize| u64::from_be_bytes(*forest.nodes[at].span.span_id.unwrap().as_bytes());
        let signed = |skew: Skew| if let Skew::Before(ns) = skew { -ns } else { skew.ns() };
        let mut found: Vec<(u64, i64)> =
            forest.skews().into_iter().enumerate().filter_map(|(at, skew)| Some((number(at), signed(skew?) / 1_000_000))).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn spans_outside_of_the_time_of_their_parents_are_told_unless_they_share_a_clock() {
        for (text, want) in [
            ("1 - a r client 100 40\n2 1 b s server 110 20", vec![]),
            // A millisecond to both sides is nothing.
            ("1 - a r client 100 40\n2 1 b s server 99 20\n3 1 b s server 141 20", vec![]),
            ("1 - a r client 100 40\n2 1 b s server 90 20\n3 1 b s server 150 20", vec![(2, -10), (3, 10)]),
            // It outlives its parent: work goes on.
            ("1 - a r server 100 40\n2 1 b s server 130 90", vec![]),
            // Messages are taken late; none is taken before it is sent.
            ("1 - a r producer 100 40\n2 1 b s consumer 900 20\n3 1 b s consumer 50 20", vec![(3, -50)]),
            // One host.
            ("1 - A r client 100 40\n2 1 B s server 50 20\n3 1 A t internal 500 1", vec![]),
            // Below a span that is off by itself; parents that never came say nothing.
            ("1 - a r client 100 40\n2 1 b s server 50 20\n3 2 c s server 55 1\n4 9 d s server 1 1", vec![(2, -50)]),
        ] {
            assert_eq!(skews(&with_hosts(trace(text))), want, "{text}");
        }
    }

    #[test]
    fn without_hosts_one_resource_is_one_clock() {
        let mut trace = trace("1 - a r client 100 40\n2 1 b s server 50 20");
        assert_eq!(skews(&trace), []);
        let attributes = vec![("service.name".to_owned(), AttributeValue::String("b".to_owned()))];
        for span in trace.spans.iter_mut().filter(|span| span.service == "b") {
            span.resource = Arc::new(Resource { attributes: attributes.clone(), ..Resource::default() });
        }
        assert_eq!(skews(&trace), [(2, -50)]);
        let found = Forest::of(&trace).skews();
        assert_eq!(warning(&found).unwrap(), "clocks of hosts disagree: 1 span lies outside of the time of its parent, by 50.000 ms at most");
        assert_eq!(warning(&[None]), None);
    }
}

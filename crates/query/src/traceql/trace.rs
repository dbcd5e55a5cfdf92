//! The spans of one trace with what a query looks at, and how they hang together.
//!
//! Numbers are those of Tempo: spans are walked from each root down, a span's left number is given on the way in and its
//! right number on the way out; what hangs on no root has none. Nothing here recurses, and parents that go round in circles
//! hang on no root.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use signalbox_lang::traceql::tree::{Attribute, Intrinsic};
use signalbox_model::{SpanId, TraceId};

use super::answer::ServiceSpans;
use super::fields::Fields;
use super::value::Value;

/// Number of the parent of a root.
const ROOT_PARENT: i64 = -1;
/// OTLP kinds of the two sides of a call.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A span of a trace.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) span_id: Option<SpanId>,
    pub(super) parent_id: Option<SpanId>,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    pub(super) kind: i32,
    pub(super) is_error: bool,
    pub(super) service: Arc<str>,
    pub(super) name: Arc<str>,
    /// By slot; those of the trace are not here.
    pub(super) values: Box<[Value]>,
}

/// Place of a span in its trace; zeros where it hangs on no root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Nested {
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) parent: i64,
}

/// One trace.
#[derive(Debug)]
pub(super) struct TraceSpans {
    pub(super) id: TraceId,
    /// By start, then the longer first.
    pub(super) spans: Vec<Member>,
    tree: Option<Tree>,
}

/// How spans hang together.
#[derive(Debug)]
pub(super) struct Tree {
    nested: Vec<Nested>,
    /// Of spans that hang on a root below another span.
    parents: Vec<Option<u32>>,
    children: Vec<u32>,
    /// Spans that hang on a root, parents before children.
    order: Vec<u32>,
}

impl TraceSpans {
    /// `needs_tree` says whether anybody will ask how the spans hang together.
    pub(super) fn new(id: TraceId, mut spans: Vec<Member>, needs_tree: bool) -> Self {
        spans.sort_by_key(|span| (span.start_ns, Reverse(span.duration_ns), span.span_id));
        let tree = needs_tree.then(|| Tree::new(&spans));
        Self { id, spans, tree }
    }

    pub(super) fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// First start of a span.
    pub(super) fn start_ns(&self) -> i64 {
        self.spans.first().map_or(0, |span| span.start_ns)
    }

    /// From the first start to the last end.
    pub(super) fn duration_ns(&self) -> i64 {
        let end_ns = self.spans.iter().map(|span| span.start_ns.saturating_add(span.duration_ns)).max().unwrap_or(0);
        end_ns.saturating_sub(self.start_ns())
    }

    /// The first span without a parent.
    pub(super) fn root(&self) -> Option<&Member> {
        self.spans.iter().find(|span| span.parent_id.is_none())
    }

    /// Spans by service, sorted.
    pub(super) fn services(&self) -> Vec<ServiceSpans> {
        let mut found: HashMap<&Arc<str>, ServiceSpans> = HashMap::new();
        for span in &self.spans {
            let own = found.entry(&span.service).or_insert_with(|| ServiceSpans { service: Arc::clone(&span.service), spans: 0, errors: 0 });
            own.spans += 1;
            own.errors += u64::from(span.is_error);
        }
        let mut services: Vec<ServiceSpans> = found.into_values().collect();
        services.sort_by(|left, right| left.service.cmp(&right.service));
        services
    }

    /// Values that all spans of the trace have alike, by slot.
    pub(super) fn shared_values(&self, fields: &Fields) -> Vec<Option<Value>> {
        let root = |text: fn(&Member) -> &Arc<str>| self.root().map_or_else(|| Value::text(""), |root| Value::Text(Arc::clone(text(root))));
        let value = |attribute: &Attribute| match attribute {
            Attribute::Intrinsic(Intrinsic::TraceDuration) => Some(Value::Duration(self.duration_ns())),
            Attribute::Intrinsic(Intrinsic::RootName) => Some(root(|root| &root.name)),
            Attribute::Intrinsic(Intrinsic::RootService) => Some(root(|root| &root.service)),
            _ => None,
        };
        fields.attributes().iter().map(value).collect()
    }

    /// The value of a slot of a span that needs the tree.
    pub(super) fn placed_value(&self, intrinsic: Intrinsic, span: usize) -> Option<Value> {
        let tree = self.tree.as_ref()?;
        let nested = tree.nested(span);
        Some(Value::Int(match intrinsic {
            Intrinsic::NestedSetLeft => nested.left,
            Intrinsic::NestedSetRight => nested.right,
            Intrinsic::NestedSetParent => nested.parent,
            Intrinsic::ChildCount => i64::from(tree.children.get(span).copied().unwrap_or(0)),
            _ => return None,
        }))
    }
}

impl Tree {
    fn new(spans: &[Member]) -> Self {
        let mut by_id: HashMap<SpanId, Vec<u32>> = HashMap::with_capacity(spans.len());
        for (at, span) in spans.iter().enumerate() {
            if let Some(id) = span.span_id {
                by_id.entry(id).or_default().push(at as u32);
            }
        }
        let parents: Vec<Option<u32>> = spans.iter().enumerate().map(|(at, span)| parent_of(spans, at as u32, span, &by_id)).collect();
        // Children of a span in a row, linked: the first of each span and the next of each child.
        let (mut first, mut next, mut counts) = (vec![None; spans.len()], vec![None; spans.len()], vec![0_u32; spans.len()]);
        for (at, parent) in parents.iter().enumerate().rev() {
            if let Some(parent) = parent {
                let parent = *parent as usize;
                next[at] = first[parent];
                first[parent] = Some(at as u32);
                counts[parent] += 1;
            }
        }
        let mut tree = Self { nested: vec![Nested::default(); spans.len()], parents: vec![None; spans.len()], children: counts, order: Vec::new() };
        let mut number = 1;
        for root in (0..spans.len()).filter(|at| spans[*at].parent_id.is_none()) {
            let mut path: Vec<u32> = Vec::new();
            let mut entering = Some((root as u32, ROOT_PARENT));
            loop {
                if let Some((at, parent)) = entering.take() {
                    tree.nested[at as usize] = Nested { left: number, right: 0, parent };
                    tree.parents[at as usize] = path.last().copied();
                    tree.order.push(at);
                    number += 1;
                    path.push(at);
                }
                let Some(at) = path.last().copied() else { break };
                match first[at as usize] {
                    Some(child) => {
                        first[at as usize] = next[child as usize];
                        entering = Some((child, tree.nested[at as usize].left));
                    }
                    None => {
                        tree.nested[at as usize].right = number;
                        number += 1;
                        path.pop();
                    }
                }
            }
        }
        tree
    }

    pub(super) fn nested(&self, span: usize) -> Nested {
        self.nested.get(span).copied().unwrap_or_default()
    }

    /// The parent of a span that hangs on a root below another.
    pub(super) fn parent(&self, span: u32) -> Option<u32> {
        self.parents.get(span as usize).copied().flatten()
    }

    /// Spans that hang on a root, parents before children.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }
}

/// Where several spans have the identifier, the one of the other side of the call, as Zipkin's shared spans want it; else
/// the first.
fn parent_of(spans: &[Member], at: u32, span: &Member, by_id: &HashMap<SpanId, Vec<u32>>) -> Option<u32> {
    let candidates = by_id.get(&span.parent_id?)?;
    let wanted = if span.kind == SERVER { CLIENT } else { SERVER };
    let others = || candidates.iter().copied().filter(|other| *other != at);
    others().find(|other| candidates.len() > 1 && spans[*other as usize].kind == wanted).or_else(|| others().next())
}

//! How the spans of a trace hang together.

use super::super::spans::Span;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Parents, children and numbers of spans by their place in the trace.
#[derive(Debug)]
pub(super) struct Tree {
    /// The span whose identifier is that of the parent.
    pub(super) parents: Vec<Option<usize>>,
    is_root: Vec<bool>,
    /// Left, right and parent's number; zeros for spans that no root is above of.
    pub(super) numbers: Vec<(i64, i64, i64)>,
}

impl Tree {
    pub(super) fn new(spans: &[Span]) -> Self {
        let parents: Vec<Option<usize>> = (0..spans.len()).map(|at| parent(spans, at)).collect();
        let is_root: Vec<bool> = spans.iter().map(|span| span.parent.is_none()).collect();
        let mut tree = Self { parents, is_root, numbers: vec![(0, 0, 0); spans.len()] };
        let mut next = 1;
        for root in 0..spans.len() {
            if tree.is_root[root] {
                tree.walk(root, -1, &mut next);
            }
        }
        tree
    }

    /// Numbers go up on the way into a span and on the way out.
    fn walk(&mut self, at: usize, parent: i64, next: &mut i64) {
        let left = *next;
        *next += 1;
        for child in 0..self.parents.len() {
            if !self.is_root[child] && self.parents[child] == Some(at) {
                self.walk(child, left, next);
            }
        }
        self.numbers[at] = (left, *next, parent);
        *next += 1;
    }

    /// Whether a root is above the span, or it is one.
    pub(super) fn is_placed(&self, at: usize) -> bool {
        self.numbers[at] != (0, 0, 0)
    }

    pub(super) fn is_child(&self, child: usize, parent: usize) -> bool {
        self.is_placed(child) && !self.is_root[child] && self.parents[child] == Some(parent)
    }

    /// Whether the first is below the second.
    pub(super) fn is_descendant(&self, below: usize, above: usize) -> bool {
        let mut at = below;
        while self.is_placed(at) && !self.is_root[at] {
            match self.parents[at] {
                Some(parent) if parent == above => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    pub(super) fn is_sibling(&self, one: usize, other: usize) -> bool {
        let parent = |at: usize| if self.is_root[at] { None } else { self.parents[at] };
        one != other && self.is_placed(one) && self.is_placed(other) && parent(one) == parent(other)
    }

    /// How many spans name this one as their parent.
    pub(super) fn child_count(&self, at: usize) -> usize {
        self.parents.iter().filter(|parent| **parent == Some(at)).count()
    }
}

/// Where several spans have the identifier (both sides of a call, as Zipkin knows them), the one on the other side; else the
/// first. Never the span itself.
fn parent(spans: &[Span], at: usize) -> Option<usize> {
    let named: Vec<usize> = (0..spans.len()).filter(|other| Some(spans[*other].id) == spans[at].parent).collect();
    let others = named.iter().copied().filter(|other| *other != at);
    let wanted = if spans[at].kind == SERVER { CLIENT } else { SERVER };
    if named.len() > 1
        && let Some(opposite) = others.clone().find(|other| spans[*other].kind == wanted)
    {
        return Some(opposite);
    }
    others.clone().next()
}

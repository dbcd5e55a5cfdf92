//! Structural operators: each in one sweep over the spans of a trace.

use signalbox_lang::traceql::tree::{Answer, Relation};

use super::trace::Tree;

/// The spans that an operator answers, by number, ascending. Both sides are ascending.
pub(super) fn relate(tree: &Tree, spans: usize, relation: Relation, answer: Answer, left: &[u32], right: &[u32]) -> Vec<u32> {
    if right.is_empty() {
        return Vec::new();
    }
    let of_right = standing(tree, spans, relation, left);
    match answer {
        Answer::Right => right.iter().copied().filter(|span| of_right(*span)).collect(),
        Answer::NotRight => right.iter().copied().filter(|span| !of_right(*span)).collect(),
        Answer::Both => {
            let of_left = standing(tree, spans, inverse(relation), right);
            let mut both: Vec<u32> = right.iter().copied().filter(|span| of_right(*span)).collect();
            both.extend(left.iter().copied().filter(|span| of_left(*span)));
            both.sort_unstable();
            both.dedup();
            both
        }
    }
}

fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::Child => Relation::Parent,
        Relation::Parent => Relation::Child,
        Relation::Descendant => Relation::Ancestor,
        Relation::Ancestor => Relation::Descendant,
        Relation::Sibling => Relation::Sibling,
    }
}

/// Whether a span stands so to one of these.
fn standing<'a>(tree: &'a Tree, spans: usize, relation: Relation, to: &[u32]) -> Box<dyn Fn(u32) -> bool + 'a> {
    let mut wanted = vec![false; spans];
    for span in to {
        wanted[*span as usize] = true;
    }
    let mut marked = vec![false; spans];
    match relation {
        Relation::Child => return Box::new(move |span| tree.parent(span).is_some_and(|parent| wanted[parent as usize])),
        Relation::Parent => {
            for parent in to.iter().filter_map(|span| tree.parent(*span)) {
                marked[parent as usize] = true;
            }
        }
        Relation::Descendant => {
            for span in tree.order() {
                marked[*span as usize] = tree.parent(*span).is_some_and(|parent| marked[parent as usize] || wanted[parent as usize]);
            }
        }
        Relation::Ancestor => {
            for span in tree.order().iter().rev() {
                if let Some(parent) = tree.parent(*span)
                    && (marked[*span as usize] || wanted[*span as usize])
                {
                    marked[parent as usize] = true;
                }
            }
        }
        Relation::Sibling => {
            // Roots are siblings of each other.
            let (mut counts, mut roots) = (vec![0_u32; spans], 0_u32);
            let is_placed = |span: u32| tree.nested(span as usize).left != 0;
            for span in to.iter().copied().filter(|span| is_placed(*span)) {
                match tree.parent(span) {
                    Some(parent) => counts[parent as usize] += 1,
                    None => roots += 1,
                }
            }
            return Box::new(move |span| {
                let count = tree.parent(span).map_or(roots, |parent| counts[parent as usize]);
                is_placed(span) && count > u32::from(wanted[span as usize])
            });
        }
    }
    Box::new(move |span| marked[span as usize])
}

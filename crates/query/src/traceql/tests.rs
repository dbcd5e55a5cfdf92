//! How spans hang together: against pairwise loops, and for traces that are deep, broken or circular.

use std::sync::Arc;

use signalbox_lang::traceql::tree::{Answer, Relation};
use signalbox_model::{SpanId, TraceId};

use super::relate::relate;
use super::trace::{Member, Nested, TraceSpans};

fn id(number: u64) -> SpanId {
    SpanId::from_slice(&number.to_be_bytes()).unwrap()
}

fn member(number: u64, parent: Option<u64>, kind: i32) -> Member {
    Member {
        span_id: Some(id(number)),
        parent_id: parent.map(id),
        start_ns: number as i64,
        duration_ns: 1,
        kind,
        is_error: false,
        service: Arc::from("s"),
        name: Arc::from("n"),
        values: Box::default(),
    }
}

fn trace(spans: Vec<Member>) -> TraceSpans {
    TraceSpans::new(TraceId::from_slice(&[7; 16]).unwrap(), spans, true)
}

/// Spans by their parents, of which 0 is none; the first is span 1.
fn of_parents(parents: &[u64]) -> TraceSpans {
    trace(parents.iter().zip(1..).map(|(parent, number)| member(number, (*parent != 0).then_some(*parent), 1)).collect())
}

fn nested(trace: &TraceSpans) -> Vec<(i64, i64, i64)> {
    let tree = trace.tree().unwrap();
    (0..trace.spans.len()).map(|span| tree.nested(span)).map(|Nested { left, right, parent }| (left, right, parent)).collect()
}

#[test]
fn numbers_are_those_of_a_walk_from_the_roots() {
    // 1 has 2 and 4, 2 has 3; 5 is a second root; the parent of 6 is missing; 7 and 8 go round in a circle.
    let found = nested(&of_parents(&[0, 1, 2, 1, 0, 99, 8, 7]));
    assert_eq!(found, [(1, 8, -1), (2, 5, 1), (3, 4, 2), (6, 7, 1), (9, 10, -1), (0, 0, 0), (0, 0, 0), (0, 0, 0)]);
    assert_eq!(nested(&of_parents(&[1, 3, 2])), [(0, 0, 0); 3]);
    assert_eq!(nested(&of_parents(&[])), []);
}

#[test]
fn shared_identifiers_hang_on_the_other_side_of_the_call() {
    // A client and a server span of one identifier, as Zipkin makes them, and a child of the server.
    let mut server = member(2, Some(1), 2);
    server.start_ns = 3;
    let found = nested(&trace(vec![member(1, None, 2), member(2, Some(1), 3), server, member(4, Some(2), 1)]));
    assert_eq!(found, [(1, 8, -1), (2, 3, 1), (4, 7, 1), (5, 6, 4)]);
}

/// Relations by their definition.
fn stands(trace: &TraceSpans, relation: Relation, right: usize, left: usize) -> bool {
    let tree = trace.tree().unwrap();
    let (right_place, left_place) = (tree.nested(right), tree.nested(left));
    if right_place.left == 0 || left_place.left == 0 {
        return false;
    }
    match relation {
        Relation::Child => right_place.parent == left_place.left,
        Relation::Parent => left_place.parent == right_place.left,
        Relation::Descendant => right_place.left > left_place.left && right_place.right < left_place.right,
        Relation::Ancestor => left_place.left > right_place.left && left_place.right < right_place.right,
        Relation::Sibling => right != left && right_place.parent == left_place.parent,
    }
}

#[test]
fn relations_are_what_pairs_say() {
    let mut seed = 11_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..300 {
        let spans = 1 + random(14);
        let parents: Vec<u64> = (1..=spans).map(|own| if random(6) == 0 { 0 } else { random(own + 2) }).collect();
        let trace = of_parents(&parents);
        let pick = |random: &mut dyn FnMut(u64) -> u64| (0..spans as u32).filter(|_| random(3) > 0).collect::<Vec<u32>>();
        let (left, right) = (pick(&mut random), pick(&mut random));
        for relation in [Relation::Child, Relation::Parent, Relation::Descendant, Relation::Ancestor, Relation::Sibling] {
            let is_right = |span: &u32| left.iter().any(|other| stands(&trace, relation, *span as usize, *other as usize));
            let is_left = |span: &u32| right.iter().any(|other| stands(&trace, relation, *other as usize, *span as usize));
            let chosen: Vec<u32> = right.iter().copied().filter(is_right).collect();
            let mut both: Vec<u32> = chosen.iter().copied().chain(left.iter().copied().filter(is_left)).collect();
            both.sort_unstable();
            both.dedup();
            let others: Vec<u32> = right.iter().copied().filter(|span| !is_right(span)).collect();
            for (answer, want) in [(Answer::Right, chosen), (Answer::NotRight, others), (Answer::Both, both)] {
                let found = relate(trace.tree().unwrap(), spans as usize, relation, answer, &left, &right);
                assert_eq!(found, want, "{relation:?} {answer:?} of {parents:?}: {left:?} {right:?}");
            }
        }
    }
}

#[test]
fn deep_and_wide_traces_are_swept_once() {
    let spans = 200_000_u64;
    let deep = of_parents(&(0..spans).collect::<Vec<_>>());
    let all: Vec<u32> = (0..spans as u32).collect();
    for relation in [Relation::Child, Relation::Parent, Relation::Descendant, Relation::Ancestor] {
        let found = relate(deep.tree().unwrap(), spans as usize, relation, Answer::Right, &all, &all);
        assert_eq!(found.len() as u64, spans - 1, "{relation:?}");
    }
    let wide = of_parents(&(0..spans).map(|number| u64::from(number > 0)).collect::<Vec<_>>());
    assert_eq!(relate(wide.tree().unwrap(), spans as usize, Relation::Sibling, Answer::Both, &all, &all).len() as u64, spans - 1);
}

//! Random queries over random traces: the engine against an evaluation by definition.
//!
//! A failure prints the seed, the query, the difference and the spans that are left after all were dropped that it does not
//! need. `SIGNALBOX_TRACEQL_SEED` and `SIGNALBOX_TRACEQL_QUERIES` run others.

mod differences;
mod naive;
mod queries;
mod spans;

use std::sync::Arc;

use signalbox_lang::traceql::parse_query;
use signalbox_lang::traceql::tree::{MetricsExpr, MetricsFunction, Query, Root};
use signalbox_model::{Tenant, TimeRange};
use signalbox_query::traceql::{MetricsRequest, SearchRequest};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;
use signalbox_testkit::mutate::Random;

use self::naive::{NoAnswer, Steps, Trace};
use self::queries::Author;
use self::spans::{SPREAD_NS, Span, chance, pick};
use crate::world::{SECOND, T0};

/// Queries of one placement; there are three.
const QUERIES: usize = 1_000;
/// Queries over the same traces.
const QUERIES_PER_WORLD: usize = 50;
const TRACES_PER_WORLD: usize = 16;
/// Worlds that are made to find which spans a difference needs.
const SHRINK_TRIES: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Placement {
    Head,
    Segments,
    Both,
}

/// A question with its request.
#[derive(Debug, Clone)]
enum Question {
    Search(SearchRequest),
    Metrics(MetricsRequest),
}

struct World {
    engine: Engine,
    tenant: Tenant,
    _dir: tempfile::TempDir,
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_over_the_head() {
    run(Placement::Head, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_over_segments() {
    run(Placement::Segments, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_over_both() {
    run(Placement::Both, 3).await;
}

async fn run(placement: Placement, seed: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("SIGNALBOX_TRACEQL_SEED").unwrap_or(seed);
    let queries = number("SIGNALBOX_TRACEQL_QUERIES").map_or(QUERIES, |queries| queries as usize);
    let mut random = Random::new(seed);
    let (mut compared, mut with_answer, mut worlds) = (0, 0, 0);
    while compared < queries {
        worlds += 1;
        let traces = spans::traces(&mut random, TRACES_PER_WORLD);
        let world = world(&traces, placement).await;
        let sorted: Vec<Trace> = traces.iter().cloned().map(Trace::new).collect();
        let all: Vec<Span> = traces.iter().flatten().cloned().collect();
        for _ in 0..QUERIES_PER_WORLD {
            let question = question(&mut Author { random: &mut random, spans: &all });
            match difference(&world, &sorted, &question).await {
                Ok(has_answer) => {
                    compared += 1;
                    with_answer += usize::from(has_answer);
                }
                Err(Outcome::NoAnswer) => {}
                Err(Outcome::Difference(difference)) => {
                    let (traces, difference) = shrink(traces, placement, &question, difference).await;
                    let spans: Vec<String> = traces.iter().flatten().map(|span| format!("{span:?}")).collect();
                    panic!(
                        "seed {seed}, world {worlds}, {placement:?}\nquery: {}\n{question:?}\n{difference}\nspans:\n{}",
                        query_of(&question),
                        spans.join("\n")
                    );
                }
            }
        }
    }
    eprintln!("{placement:?}: {compared} queries over {worlds} worlds, {with_answer} with an answer");
    assert!(with_answer * 3 > compared, "too few queries have an answer: {with_answer} of {compared}");
}

fn query_of(question: &Question) -> &Query {
    match question {
        Question::Search(request) => &request.query,
        Question::Metrics(request) => &request.query,
    }
}

/// The spans in a store: half and half for [`Placement::Both`], traces torn apart.
async fn world(traces: &[Vec<Span>], placement: Placement) -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 7_200 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    let tenant = Tenant::default();
    let all: Vec<&Span> = traces.iter().flatten().collect();
    let halves: [Vec<&Span>; 2] = [all.iter().copied().step_by(2).collect(), all.iter().copied().skip(1).step_by(2).collect()];
    for (at, half) in halves.into_iter().enumerate().filter(|(_, half)| !half.is_empty()) {
        store.append(&tenant, vec![spans::batch(&half)]).await.unwrap();
        let is_flushed = match placement {
            Placement::Head => false,
            Placement::Segments => true,
            Placement::Both => at == 0,
        };
        if is_flushed {
            store.flush().await.unwrap();
        }
    }
    World { engine: Engine::new(store, clock, Settings { partitions: 2, ..Settings::default() }), tenant, _dir: dir }
}

/// A random query, which is its text, and what is asked with it.
fn question(author: &mut Author<'_>) -> Question {
    let query = match author.random.below(10) {
        0..=4 => author.search(),
        5 => author.compare(),
        _ => author.metrics(),
    };
    let text = query.to_string();
    let parsed = parse_query(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(parsed, query, "{text}");
    let random = &mut *author.random;
    let start_ns = T0 + random.below(SPREAD_NS as usize / 2) as i64;
    let end_ns = start_ns + 1 + random.below(SPREAD_NS as usize) as i64;
    if matches!(query.root, Root::Metrics(_)) {
        let step_ns = if chance(random, 20) { end_ns - start_ns } else { pick(random, &[5 * SECOND, 15 * SECOND, 60 * SECOND, 77 * SECOND + 3]) };
        return Question::Metrics(MetricsRequest { query, start_ns, end_ns, step_ns, exemplars_max: pick(random, &[0, 0, 5, 100]) });
    }
    let is_bounded = |random: &mut Random, bound_ns| if chance(random, 10) { Some(bound_ns) } else { None };
    Question::Search(SearchRequest {
        query,
        range: if chance(random, 50) { TimeRange::ALL } else { TimeRange::from_ns(start_ns, end_ns) },
        trace_duration_min_ns: is_bounded(random, SECOND),
        trace_duration_max_ns: is_bounded(random, 3 * SECOND),
        limit: pick(random, &[1_000, 1_000, 1_000, 3]),
        spans_per_set: pick(random, &[0, 0, 2]),
    })
}

enum Outcome {
    /// What cannot be compared.
    NoAnswer,
    Difference(String),
}

impl From<NoAnswer> for Outcome {
    fn from(_: NoAnswer) -> Self {
        Self::NoAnswer
    }
}

/// Whether there is an answer, if it is the right one.
async fn difference(world: &World, traces: &[Trace], question: &Question) -> Result<bool, Outcome> {
    let failed = |error: signalbox_model::Error| Outcome::Difference(format!("error: {error}"));
    match question {
        Question::Search(request) => {
            let want = differences::expected(traces, request)?;
            let found = world.engine.traceql_search(&world.tenant, request.clone()).await.map_err(failed)?;
            differences::of_search(request, &want, &found).map_or(Ok(!want.is_empty()), |difference| Err(Outcome::Difference(difference)))
        }
        Question::Metrics(request) => {
            let Root::Metrics(expr) = &request.query.root else { return Err(Outcome::NoAnswer) };
            let steps = Steps::new(request.start_ns, request.end_ns, request.step_ns);
            let (want, top) = match expr {
                MetricsExpr::Spans { pipeline, function: function @ MetricsFunction::Compare { top, .. } } => {
                    (naive::compared(traces, pipeline, function, steps)?, Some(*top))
                }
                expr => (naive::metrics(traces, expr, steps)?, None),
            };
            let found = world.engine.traceql_metrics(&world.tenant, request.clone()).await.map_err(failed)?;
            let difference = match top {
                Some(top) => differences::of_compare(top as usize, steps, &want, &found),
                None => differences::of_metrics(steps, &want, &found),
            };
            let difference = difference.or_else(|| differences::of_exemplars(traces, request, steps, &found));
            difference.map_or(Ok(!want.is_empty()), |difference| Err(Outcome::Difference(difference)))
        }
    }
}

/// Drops spans that the difference does not need: halves first, then ever smaller pieces.
async fn shrink(traces: Vec<Vec<Span>>, placement: Placement, question: &Question, first: String) -> (Vec<Vec<Span>>, String) {
    let (mut spans, mut kept): (Vec<Span>, String) = (traces.into_iter().flatten().collect(), first);
    let (mut piece, mut tries) = (spans.len().div_ceil(2), 0);
    while piece > 0 && tries < SHRINK_TRIES {
        let (mut at, before) = (0, spans.len());
        while at < spans.len() && tries < SHRINK_TRIES {
            tries += 1;
            let fewer: Vec<Span> = spans[..at].iter().chain(&spans[(at + piece).min(spans.len())..]).cloned().collect();
            match still_differs(&by_trace(&fewer), placement, question).await {
                Some(difference) => (spans, kept) = (fewer, difference),
                None => at += piece,
            }
        }
        if piece > 1 || spans.len() == before {
            piece /= 2;
        }
    }
    (by_trace(&spans), kept)
}

fn by_trace(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut traces: Vec<Vec<Span>> = Vec::new();
    for span in spans {
        match traces.iter_mut().find(|trace| trace[0].trace_id == span.trace_id) {
            Some(trace) => trace.push(span.clone()),
            None => traces.push(vec![span.clone()]),
        }
    }
    traces
}

async fn still_differs(traces: &[Vec<Span>], placement: Placement, question: &Question) -> Option<String> {
    let sorted: Vec<Trace> = traces.iter().cloned().map(Trace::new).collect();
    match difference(&world(traces, placement).await, &sorted, question).await {
        Err(Outcome::Difference(difference)) => Some(difference),
        _ => None,
    }
}

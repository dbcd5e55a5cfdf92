//! Questions over logs, answered by one thread and by several.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use signalbox_lang::logql::{self, Expr};
use signalbox_model::{Error, ErrorKind, TimeRange};
use signalbox_query::logql::{Direction, LogAnswer, LogRequest, MetricAnswer, MetricRequest};
use signalbox_query::search::aggregate::{Aggregation, Direction as Order, Kind, OrderBy, Terms};
use signalbox_query::search::{FacetRequest, Field, SearchRequest};

use crate::search::{request, search};
use crate::world::{SECOND, T0, World, threaded_worlds};

async fn logs(world: &World, query: &str, limit: usize, direction: Direction) -> Result<LogAnswer, Error> {
    let Expr::Logs(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
    world.engine.logs(&world.tenant, LogRequest { expr, range: TimeRange::from_ns(T0, T0 + 1_000 * SECOND), limit, direction }).await
}

async fn metric(world: &World, query: &str) -> Result<MetricAnswer, Error> {
    let Expr::Metric(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
    world.engine.logql(&world.tenant, MetricRequest { expr, start_ns: T0 + 300 * SECOND, end_ns: T0 + 300 * SECOND, step_ns: 0 }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_with_facets_and_aggregations_are_the_same() {
    let worlds = threaded_worlds().await;
    let facets = || FacetRequest { fields: vec!["service".to_owned(), "user".to_owned()], more: 3, values: 4 };
    let (field, order) = (Field::named("user"), vec![(OrderBy::Count, Order::Descending), (OrderBy::Key, Order::Ascending)]);
    let terms = Terms { field, size: 5, order, count_min: 1, missing: None, include: Vec::new(), exclude: Vec::new() };
    let users = || Aggregation { kind: Kind::Terms(terms.clone()), children: Vec::new() };
    for query in ["*", "timeout", "service:cart -timeout", "user:user-123", "\"request 1\" OR timeout", "03030303030303030303030303030303", "nothing"] {
        for (limit, count_to, all) in [(3, None, false), (50, Some(70), false), (7, Some(u64::MAX), false), (0, Some(u64::MAX), true), (200, Some(20), true)] {
            let asked = || SearchRequest {
                count_to,
                facets: all.then(facets),
                aggregations: if all { vec![("users".to_owned(), users())] } else { Vec::new() },
                ..request(query, limit)
            };
            let mut told = Vec::new();
            for world in &worlds {
                let answer = search(world, asked()).await;
                told.push(format!("{:?} {:?} {:?} {:?}", answer.records, answer.total, answer.facets, answer.aggregations));
            }
            assert!(told.iter().all(|one| *one == told[0]), "{query} {limit} {count_to:?} {all}: {told:#?}");
        }
    }
}

fn segments(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            segments(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_fails_the_question_in_whichever_thread_it_is_read() {
    for index in 0..3 {
        let world = damaged().await.swap_remove(index);
        let count = metric(&world, "sum(count_over_time({service_name=~\".+\"} != \"nothing\" [300s]))").await.unwrap_err();
        assert_eq!(count.kind(), ErrorKind::Corrupt, "{count}");
        // The store puts what is known to be damaged aside, and soon.
        let world = damaged().await.swap_remove(index);
        let all = logs(&world, "{service_name=~\".+\"}", 1_000, Direction::Forward).await.unwrap_err();
        assert_eq!(all.kind(), ErrorKind::Corrupt, "{all}");
        // What does not need it is answered.
        assert_eq!(logs(&world, "{service_name=~\".+\"}", 20, Direction::Backward).await.unwrap().entries.len(), 20);
    }
}

/// The worlds, with a segment damaged that nobody has read yet.
async fn damaged() -> Vec<World> {
    let worlds = threaded_worlds().await;
    let mut files = Vec::new();
    segments(worlds[0].dir.path(), &mut files);
    files.sort();
    assert_eq!(files.len(), 10);
    let mut file = OpenOptions::new().write(true).open(&files[5]).unwrap();
    file.seek(SeekFrom::Start(100)).unwrap();
    file.write_all(&[0xff; 64]).unwrap();
    worlds
}

//! Trees of conditions made by chance, against the plainest evaluation of each record.

use signalbox_lang::search::Piece;
use signalbox_model::TimeRange;
use signalbox_query::search::{Bounds, Condition, Field, Filter, SearchRequest};

use super::{naive, search};
use crate::world::{SECOND, T0, worlds};

struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn field(&mut self) -> Field {
        let names = [
            "message",
            "pattern",
            "level",
            "severity_number",
            "severity_text",
            "service",
            "trace_id",
            "span_id",
            "flags",
            "scope.name",
            "scope_version",
            "scope.attributes.language",
            "resource.replicas",
            "attributes.user",
            "user",
            "http.status_code",
            "http_status_code",
            "replicas",
            "ratio",
            "k8s.pod.name",
            "k8s_pod_name",
            "nothing",
            "event_name",
        ];
        if self.below(4) == 0 { Field::Any } else { Field::named(self.pick(&names)) }
    }

    fn text(&mut self) -> String {
        let texts = [
            "timeout",
            "Timeout",
            "after",
            "request",
            "done",
            "retrying",
            "ms",
            "27",
            "270",
            "500",
            "200",
            "3",
            "0.5",
            "0.50",
            "error",
            "ERROR",
            "info",
            "17",
            "9",
            "cart",
            "shop",
            "Cart",
            "cart-1",
            "user-7",
            "user-70",
            "USER-270",
            "lib",
            "1.2",
            "rust",
            "03030303030303030303030303030303",
            "0101010101010101",
            "timeout after 15 ms",
            "request 7 done",
            "1",
            "-5",
            "",
            "ms\nretrying",
        ];
        self.pick(&texts).to_owned()
    }

    fn condition(&mut self) -> Condition {
        match self.below(6) {
            0 => Condition::Exists,
            1 => Condition::OneOf((0..=self.below(3)).map(|_| self.text()).collect()),
            2 => {
                Condition::Range(Bounds { low: (self.below(3) > 0).then(|| (self.text(), self.below(2) == 0)), high: Some((self.text(), self.below(2) == 0)) })
            }
            3 => {
                let patterns: [&[Piece]; 6] = [
                    &[Piece::Text("tim".to_owned()), Piece::Any],
                    &[Piece::Any, Piece::Text("out".to_owned())],
                    &[Piece::Text("user-2".to_owned()), Piece::One],
                    &[Piece::Text("r".to_owned()), Piece::Any, Piece::Text("t".to_owned())],
                    &[Piece::Any, Piece::Text("0".to_owned()), Piece::Any],
                    &[Piece::One, Piece::Text("art".to_owned()), Piece::Any],
                ];
                Condition::Wildcard(self.pick(&patterns).to_vec())
            }
            _ => Condition::Text(self.text()),
        }
    }

    fn filter(&mut self, depth: usize) -> Filter {
        match self.below(if depth > 3 { 2 } else { 6 }) {
            2 => Filter::And((0..=self.below(3)).map(|_| self.filter(depth + 1)).collect()),
            3 => Filter::Or((0..=self.below(3)).map(|_| self.filter(depth + 1)).collect()),
            4 => Filter::Not(Box::new(self.filter(depth + 1))),
            5 if self.below(4) == 0 => {
                let start = T0 + self.below(300) as i64 * SECOND;
                Filter::Field(Field::Timestamp, Condition::Instants(TimeRange::from_ns(start, start + 100 * SECOND)))
            }
            _ => Filter::Field(self.field(), self.condition()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_made_by_chance_find_what_each_record_says() {
    let worlds = worlds().await;
    let range = TimeRange::from_ns(T0 + 5 * SECOND, T0 + 290 * SECOND);
    let all = search(&worlds[0].1, SearchRequest::newest(Filter::All, range, 1_000)).await.records;
    assert_eq!(all.len(), 286);
    let (mut chance, mut found) = (Chance(7), 0);
    for round in 0..160 {
        let filter = chance.filter(0);
        let want: Vec<i64> = all.iter().filter(|record| naive::fits(&filter, record)).map(|record| record.timestamp_ns).collect();
        found += usize::from(!want.is_empty() && want.len() < all.len());
        let (place, world) = &worlds[round % worlds.len()];
        let answer = search(world, SearchRequest { count_to: Some(u64::MAX), ..SearchRequest::newest(filter.clone(), range, 1_000) }).await;
        let times: Vec<i64> = answer.records.iter().map(|record| record.timestamp_ns).collect();
        assert_eq!(times, want, "{place}, round {round}: {filter:?}");
        assert_eq!(answer.total, Some(want.len() as u64), "{place}, round {round}: {filter:?}");
    }
    assert!(found > 25, "only {found} filters told records apart");
}

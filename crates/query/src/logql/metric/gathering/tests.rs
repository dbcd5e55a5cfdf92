#![allow(clippy::unwrap_used, reason = "tests")]

use signalbox_lang::logql::{Expr, MetricExpr, ast::Grouping, parse};
use signalbox_model::builder::{LogBuilder, LogRow};

use super::super::sampler::Way;
use super::*;
use crate::Settings;
use crate::logql::labels::{Added, LabelSet};

/// Records of three services; as many users as are told.
fn batch(rows: std::ops::Range<i64>, users: i64) -> RecordBatch {
    let mut builder = LogBuilder::default();
    for number in rows {
        let service = format!("service-{}", number % 3);
        builder.set_resource(&format!("{{\"service.name\":\"{service}\"}}"), &service);
        builder.set_scope("{}");
        if number % 7 > 0 {
            builder.attributes().append_string("user", &format!("user-{}", number * 37 % users));
        }
        builder.close_row(&LogRow { timestamp_ns: number, body: Some("a=1"), ..LogRow::default() });
    }
    builder.finish().rows().clone()
}

/// The groups of the rows of batches, each of which one of so many threads made.
fn groups(query: &str, users: i64, threads: usize) -> (Vec<u32>, Vec<LabelSet>) {
    let Expr::Metric(MetricExpr::Vector(vector)) = parse(query).unwrap() else { panic!("{query}") };
    let (MetricExpr::Range(aggregation), Some(grouping)) = (vector.expr.as_ref(), vector.grouping.as_ref()) else { panic!("{query}") };
    let windows = Windows { first_ns: 10_000, step_ns: 1, steps: 1, range_ns: 100_000 };
    let sampling = |number| sampling(aggregation, grouping, windows).of_thread(number);
    let (mut first, mut others) = (sampling(0), Others::default());
    let mut rest: Vec<_> = (0..threads.saturating_sub(1)).map(sampling).collect();
    let mut found = Vec::new();
    for number in 0..20 {
        let (rows, wanted) = (batch(40 * number..40 * number + 40, users), (0..40).collect::<Vec<_>>());
        if (number as usize).is_multiple_of(threads) {
            first.sample(&rows, &wanted).unwrap();
            found.extend(std::mem::take(&mut first.taken.groups));
            continue;
        }
        let other = &mut rest[number as usize % threads - 1];
        let made = other.make(&rows, &wanted).unwrap().unwrap();
        assert!(other.sampler.groups() <= GROUPS_KEPT_MAX + wanted.len(), "a thread holds {} groups", other.sampler.groups());
        found.extend(others.renumber(&made, &mut first.sampler).unwrap());
    }
    let labels = (0..first.sampler.groups()).map(|group| first.sampler.labels(group)).collect();
    (found, labels)
}

fn sampling<'a>(aggregation: &'a RangeAggregation, grouping: &'a Grouping, windows: Windows) -> Sampling<'a> {
    let sampler = Sampler::new(aggregation, Some(grouping), Added::of(&Settings::default()), 0, Way::Columns).unwrap();
    Sampling::new(sampler, aggregation, windows).unwrap()
}

#[test]
fn threads_hold_few_groups_and_number_them_as_one_does() {
    let queries = [
        "sum by (user) (count_over_time({service_name=~\".+\"}[1h]))",
        "sum by (user, service_name) (count_over_time({service_name=~\".+\"}[1h]))",
        "sum by (user, a) (count_over_time({service_name=~\".+\"} | logfmt [1h]))",
        "sum without (service_name) (count_over_time({service_name=~\".+\"}[1h]))",
    ];
    for query in queries {
        for users in [1, 50, 1_000] {
            let one = groups(query, users, 1);
            assert!(one.1.len() as i64 > users / 5, "{query}: {} groups", one.1.len());
            for threads in [2, 5] {
                assert_eq!(groups(query, users, threads), one, "{query}, {users} users, {threads} threads");
            }
        }
    }
}

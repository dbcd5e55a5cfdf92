//! From rule files and what is known of their alerts to evaluators: at the start of the server and when files are read again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use signalbox_model::{Labels, Result};

use crate::evaluate::Evaluator;
use crate::group::Notice;
use crate::rule_file::Group;
use crate::world::World;
use crate::{orphans, record, rule_file, status};

/// Evaluators for groups, with what the database and earlier evaluators know, and what may be told at once. Groups that are kept
/// have evaluators that go on.
pub(crate) async fn resume(groups: Vec<rule_file::Group>, before: &[Evaluator], kept: &[Arc<Group>], world: &World) -> Result<(Vec<Evaluator>, Vec<Notice>)> {
    let now_ms = world.parts.clock.now_ms();
    let stored = world.parts.meta.load_alerts().await?;
    let is_start = !world.is_started.swap(true, Ordering::Relaxed);
    let mut evaluators = Vec::with_capacity(groups.len());
    for group in groups {
        let known = stored.iter().find(|known| known.file == group.file && known.name == group.name);
        let mut evaluator = Evaluator::new(group, known, world, now_ms);
        if let Some(earlier) = before.iter().find(|earlier| is_same(earlier, &evaluator)) {
            evaluator.inherit(earlier);
        } else if let Some(known) = known.filter(|_| is_start) {
            evaluator.go_on_after(known.evaluated_at_ms, now_ms);
        }
        evaluators.push(evaluator);
    }
    let in_force: Vec<Arc<Group>> = evaluators.iter().map(|evaluator| Arc::clone(&evaluator.group)).chain(kept.iter().cloned()).collect();
    let notices = orphans::settle(&stored, &in_force, world, now_ms).await?;
    world.parts.board.keep(|shown| in_force.iter().any(|group| group.file == shown.file && group.name == shown.name));
    before.iter().for_each(|evaluator| evaluator.leave(world));
    for evaluator in &evaluators {
        evaluator.announce(world);
        world.parts.board.show(status::of(evaluator));
    }
    Ok((evaluators, notices))
}

fn is_same(left: &Evaluator, right: &Evaluator) -> bool {
    left.group.file == right.group.file && left.group.name == right.group.name
}

/// Writes staleness markers for series whose rule is gone.
pub(crate) async fn end_series(before: &[Evaluator], now: &[Evaluator], world: &World) -> Result<()> {
    let written = |evaluators: &[Evaluator]| -> BTreeSet<Labels> {
        evaluators.iter().flat_map(|evaluator| &evaluator.rules).flat_map(|rule| rule.written.iter().cloned()).collect()
    };
    let (ended, going_on) = (written(before), written(now));
    let ended: BTreeSet<Labels> = ended.difference(&going_on).cloned().collect();
    world.write(record::batch(&[], &ended, world.parts.clock.now_ms())).await
}

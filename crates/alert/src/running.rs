//! The tasks of the groups: one each, which evaluates at its slots. When rules are put in force again, groups that have not changed
//! are not touched: they keep their state, their timers and the evaluation that they are in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alerting::{LOOK_AGAIN_AFTER, Shared};
use crate::evaluate::Evaluator;
use crate::rule_file::Group;

/// The task of a group.
#[derive(Debug)]
struct Runner {
    group: Arc<Group>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Evaluator>,
}

/// The tasks of the groups.
#[derive(Debug, Default)]
pub(crate) struct Running(Vec<Runner>);

impl Running {
    /// Starts a task for each evaluator, beside those that run.
    pub(crate) fn start(&mut self, evaluators: Vec<Evaluator>, shared: &Arc<Shared>) {
        for evaluator in evaluators {
            let (stop, is_stopping) = watch::channel(false);
            let group = Arc::clone(&evaluator.group);
            self.0.push(Runner { group, stop, task: tokio::spawn(evaluate(evaluator, Arc::clone(shared), is_stopping)) });
        }
    }

    /// The groups that run.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        self.0.iter().map(|runner| Arc::clone(&runner.group)).collect()
    }

    /// Stops those that are not among these groups, or other than they are there. Returns the groups that have no task now, and the
    /// evaluators that were stopped.
    pub(crate) async fn stop_changed(&mut self, mut groups: Vec<Group>) -> (Vec<Group>, Vec<Evaluator>) {
        let (kept, changed) = self.0.drain(..).partition(|runner| {
            let same = groups.iter().position(|group| group.is_same_as(&runner.group)).filter(|_| !runner.task.is_finished());
            same.map(|index| groups.remove(index)).is_some()
        });
        self.0 = kept;
        (groups, stop(changed).await)
    }

    /// Stops all. Returns the evaluators, after the evaluation that each may be in.
    pub(crate) async fn stop(&mut self) -> Vec<Evaluator> {
        stop(std::mem::take(&mut self.0)).await
    }
}

async fn stop(runners: Vec<Runner>) -> Vec<Evaluator> {
    for runner in &runners {
        runner.stop.send_replace(true);
    }
    let mut evaluators = Vec::with_capacity(runners.len());
    for runner in runners {
        match runner.task.await {
            Ok(evaluator) => evaluators.push(evaluator),
            Err(error) => tracing::error!("the task of a rule group died: {error}"),
        }
    }
    evaluators
}

/// The life of one group.
async fn evaluate(mut evaluator: Evaluator, shared: Arc<Shared>, mut is_stopping: watch::Receiver<bool>) -> Evaluator {
    let world = &shared.world;
    let mut moves = world.pace.moves();
    while !*is_stopping.borrow() {
        moves.mark_unchanged();
        let _late = if evaluator.is_late(world) { shared.late.acquire().await.ok() } else { None };
        if let Ok(_permit) = shared.evaluations.acquire().await {
            let notices = evaluator.run_due(world).await;
            if !notices.is_empty() {
                shared.dispatcher.lock().await.update(notices, world.parts.clock.now_ms());
                shared.news.notify_one();
                shared.forwards.notify_waiters();
            }
        }
        // What was made up leaves the slot that is now.
        if evaluator.is_due(world) {
            tokio::task::yield_now().await;
            continue;
        }
        let wait_ms = evaluator.slots.wait_ms(world.parts.clock.now_ms());
        let wait = Duration::from_millis(wait_ms.unsigned_abs()).min(LOOK_AGAIN_AFTER);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // The pace lives as long as the group.
            _ = moves.changed(), if evaluator.waits(world) => {}
            // An error means that nobody can stop the group any more but by ending the process.
            _ = is_stopping.changed() => {}
        }
    }
    evaluator
}

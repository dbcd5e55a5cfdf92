//! Threads of questions. Each question has one; it gets others only while there are fewer than there are cores, so that many
//! questions at once run in one thread each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The threads that questions run in.
#[derive(Debug)]
pub(crate) struct Threads {
    most: usize,
    running: AtomicUsize,
}

/// A thread that runs, until dropped.
#[derive(Debug)]
pub(crate) struct Running(Arc<Threads>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Threads {
    /// So many at most, unless each question has only one.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, running: AtomicUsize::new(0) }
    }

    /// How many one question may have.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// The thread that a question begins in.
    pub(crate) fn first(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// One more for a question that runs, if there are not too many.
    pub(crate) fn another(self: &Arc<Self>) -> Option<Running> {
        let more = |running: usize| (running < self.most).then_some(running + 1);
        self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Running(Arc::clone(self)))
    }
}

impl Running {
    /// Whether there are too many threads, because questions have begun since some got more than one.
    pub(crate) fn are_too_many(&self) -> bool {
        self.0.running.load(Ordering::Relaxed) > self.0.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_gets_more_than_one_thread_only_while_there_are_few() {
        let threads = Arc::new(Threads::new(2));
        let one = threads.first();
        let more = threads.another();
        assert!(more.is_some() && threads.another().is_none() && !one.are_too_many());
        let other = threads.first();
        assert!(one.are_too_many());
        drop(more);
        assert!(!one.are_too_many() && threads.another().is_none());
        drop((one, other));
        assert_eq!(threads.running.load(Ordering::Relaxed), 0);
    }
}

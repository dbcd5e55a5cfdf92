#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use signalbox_model::ErrorKind;
use signalbox_testkit::ManualClock;

use super::*;
use crate::budget::Budget;
use crate::leash::SetOnDrop;
use crate::threads::Threads;

type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

const BATCHES: i64 = 3;

fn leash(threads: usize, budget: u64) -> (Leash, SetOnDrop) {
    let clock = Arc::new(ManualClock::at_ns(0));
    Leash::new(Arc::new(Threads::new(threads)), Arc::new(Budget::new(budget)), clock, Duration::from_secs(60))
}

fn batch(number: i64) -> RecordBatch {
    RecordBatch::try_from_iter([("number", Arc::new(Int64Array::from(vec![number])) as _)]).unwrap()
}

/// Parts of a few batches each with ascending numbers; `begun` counts those that are read.
fn parts(count: i64, begun: &Arc<AtomicUsize>) -> Vec<ScanPart> {
    let part = |part: i64| {
        let begun = Arc::clone(begun);
        let read = move || {
            begun.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new((0..BATCHES).map(move |at| Ok(batch(part * BATCHES + at)))) as Rows)
        };
        ScanPart::new(TimeRange::from_ns(part, part), 1, read)
    };
    (0..count).map(part).collect()
}

/// Doubles numbers, each as so many bytes; odd ones are nothing.
struct Doubling;

impl Make for Doubling {
    type Made = i64;

    fn make(&mut self, part: &Bounds, rows: RecordBatch) -> Result<Option<i64>> {
        let number = rows.column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(part.range.start_ns, number / BATCHES);
        Ok((number % 2 == 0).then_some(2 * number))
    }

    fn bytes(_: &i64) -> usize {
        1 << 20
    }
}

/// Keeps what it takes.
struct Keeping<'a> {
    kept: Vec<i64>,
    /// Parts before this one are wanted.
    wanted: i64,
    ahead: usize,
    each: &'a mut dyn FnMut(i64) -> Result<()>,
}

impl Take<i64> for Keeping<'_> {
    fn wants(&mut self, part: &Bounds) -> bool {
        part.range.start_ns < self.wanted
    }

    fn ahead(&self, rest: &[Bounds]) -> usize {
        self.ahead.min(rest.len() + 7)
    }

    fn take(&mut self, made: i64) -> Result<()> {
        self.kept.push(made);
        (self.each)(made)
    }

    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()> {
        Doubling.make(part, rows)?.map_or(Ok(()), |made| self.take(made))
    }
}

fn run(parts: Vec<ScanPart>, leash: &Leash, taker: &mut Keeping<'_>) -> Result<()> {
    in_order(parts, leash, &|| Ok(Doubling), taker)
}

fn doubled(parts: i64) -> Vec<i64> {
    (0..parts * BATCHES).filter(|number| number % 2 == 0).map(|number| 2 * number).collect()
}

#[test]
fn everything_is_taken_once_and_in_order_by_any_number_of_threads() {
    for threads in [1, 2, 3, 8] {
        for ahead in [0, 1, usize::MAX] {
            // With room for all, and with so little that nothing may be held.
            for budget in [1 << 30, 100] {
                let ((leash, _guard), begun) = (leash(threads, budget), Arc::new(AtomicUsize::new(0)));
                let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead, each: &mut |_| Ok(()) };
                run(parts(60, &begun), &leash, &mut keeping).unwrap();
                assert_eq!((keeping.kept, begun.load(Ordering::Relaxed)), (doubled(60), 60), "{threads} threads, {ahead} ahead, {budget} bytes");
                assert_eq!(leash.budget.used(), 0);
            }
        }
    }
}

#[test]
fn what_is_not_wanted_is_not_read() {
    for threads in [1, 4] {
        for ahead in [0, 2] {
            let ((leash, _guard), begun) = (leash(threads, 1 << 30), Arc::new(AtomicUsize::new(0)));
            let mut keeping = Keeping { kept: Vec::new(), wanted: 10, ahead, each: &mut |_| Ok(()) };
            run(parts(60, &begun), &leash, &mut keeping).unwrap();
            assert_eq!(keeping.kept, doubled(10));
            let begun = begun.load(Ordering::Relaxed);
            assert!((10..=10 + ahead).contains(&begun), "{begun} with {ahead} ahead");
        }
    }
}

#[test]
fn an_error_comes_after_what_is_before_it_and_the_first_one_by_order() {
    for threads in [1, 2, 8] {
        let ((leash, _guard), begun) = (leash(threads, 1 << 30), Arc::new(AtomicUsize::new(0)));
        let mut parts = parts(40, &begun);
        for failing in [30, 20] {
            let rows = move || {
                let error = Error::corrupt(format!("part {failing}"));
                Ok(Box::new([Ok(batch(failing * BATCHES)), Err(error)].into_iter()) as Rows)
            };
            parts[failing as usize] = ScanPart::new(TimeRange::from_ns(failing, failing), 1, rows);
        }
        let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead: usize::MAX, each: &mut |_| Ok(()) };
        let error = run(parts, &leash, &mut keeping).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Corrupt, "part 20"));
        assert_eq!(keeping.kept, doubled(20).into_iter().chain([120]).collect::<Vec<_>>());
        // The taker's own errors end the question too.
        let mut refuse = |made| if made > 100 { Err(Error::limit("enough")) } else { Ok(()) };
        let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead: usize::MAX, each: &mut refuse };
        assert_eq!(run(self::parts(40, &begun), &leash, &mut keeping).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!((keeping.kept.last(), leash.budget.used()), (Some(&104), 0));
    }
}

#[test]
fn a_question_that_is_given_up_ends_in_all_threads() {
    for threads in [1, 2, 8] {
        let ((leash, guard), begun) = (leash(threads, 1 << 30), Arc::new(AtomicUsize::new(0)));
        let mut guard = Some(guard);
        let mut each = |made| {
            if made == 40 {
                guard.take();
            }
            Ok(())
        };
        let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead: usize::MAX, each: &mut each };
        let error = run(parts(1_000, &begun), &leash, &mut keeping).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Canceled);
        let begun = begun.load(Ordering::Relaxed);
        assert!(begun <= 10 + (AHEAD_OF_EACH + 1) * threads, "{begun} parts by {threads} threads");
    }
}

#[test]
fn a_thread_that_dies_takes_the_question_with_it() {
    for threads in [1, 2, 8] {
        let ((leash, _guard), begun) = (leash(threads, 1 << 30), Arc::new(AtomicUsize::new(0)));
        let mut parts = parts(40, &begun);
        parts[20] = ScanPart::new(TimeRange::from_ns(20, 20), 1, || panic!("dies"));
        let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead: usize::MAX, each: &mut |_| Ok(()) };
        assert!(catch_unwind(AssertUnwindSafe(|| run(parts, &leash, &mut keeping))).is_err());
        assert!(keeping.kept.len() <= doubled(20).len());
        assert!(leash.threads.another().is_some(), "no thread is left behind");
    }
}

#[test]
fn threads_that_others_have_are_not_taken() {
    let ((leash, _guard), begun) = (leash(2, 1 << 30), Arc::new(AtomicUsize::new(0)));
    let (_this, _other) = (leash.threads.first(), leash.threads.first());
    let this = std::thread::current().id();
    let mut alone = |_| {
        assert_eq!(std::thread::current().id(), this);
        Ok(())
    };
    let mut keeping = Keeping { kept: Vec::new(), wanted: i64::MAX, ahead: usize::MAX, each: &mut alone };
    let seen = Mutex::new(std::collections::HashSet::new());
    let maker = || {
        seen.lock().insert(std::thread::current().id());
        Ok(Doubling)
    };
    in_order(parts(20, &begun), &leash, &maker, &mut keeping).unwrap();
    assert_eq!((keeping.kept, seen.into_inner().len()), (doubled(20), 0));
}

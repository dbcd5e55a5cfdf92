//! Parts of a scan, read by several threads and taken in their order.
//!
//! The thread of the question takes what is made of each part, the first part first, whoever read it. While it does, others
//! read the parts behind and make of their rows what is to be taken: they look for the rows that fit and for the groups these
//! are in, which is most of the work. So answers are those of one thread to the last bit, sums of floats too.
//!
//! Threads end with the question: they borrow what it reads, and nothing has to be shared for longer. Starting one costs some
//! ten microseconds, a part some milliseconds.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use parking_lot::{Condvar, Mutex};
use signalbox_model::{Error, Result, TimeRange};
use signalbox_store::ScanPart;

use crate::budget::Share;
use crate::leash::Leash;
use crate::threads::Running;

/// So many parts for each thread may be read before it is their turn.
const AHEAD_OF_EACH: usize = 2;
/// What is made before it is its turn, in bytes, about. Whoever would hold more waits.
const HELD_BYTES_MAX: usize = 64 << 20;

/// A part, before it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Its place in the order of the parts.
    pub(crate) number: usize,
    /// Bounds of its times.
    pub(crate) range: TimeRange,
    /// Rows before any filter.
    pub(crate) rows: u64,
}

/// What a thread makes of rows.
pub(crate) trait Make {
    /// What is taken.
    type Made: Send;

    /// Of a batch of a part; `None` if there is nothing to be taken.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn make(&mut self, part: &Bounds, rows: RecordBatch) -> Result<Option<Self::Made>>;

    /// About how many bytes it holds.
    fn bytes(made: &Self::Made) -> usize;
}

/// Takes what was made, in the order of parts and rows.
pub(crate) trait Take<T> {
    /// Whether a part has to be read, now that all before it are taken. After a no there is nothing more.
    fn wants(&mut self, part: &Bounds) -> bool;

    /// How many of the parts behind the first one of `rest`, which is read now, will have to be read as far as can be told.
    fn ahead(&self, rest: &[Bounds]) -> usize;

    /// Takes what another thread made.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn take(&mut self, made: T) -> Result<()>;

    /// Does all that is to be done with a batch.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn read(&mut self, part: &Bounds, rows: RecordBatch) -> Result<()>;
}

/// About how many bytes a batch holds that it does not share with other batches of its part, as dictionaries.
pub(crate) fn own_bytes(rows: &RecordBatch) -> usize {
    let column = |column: &ArrayRef| match column.as_any_dictionary_opt() {
        Some(dictionary) => dictionary.keys().get_array_memory_size(),
        None => column.get_array_memory_size(),
    };
    rows.columns().iter().map(column).sum()
}

/// Reads parts in their order. `maker` is asked once for each thread that works ahead.
///
/// # Errors
/// Of the disk, of making and taking: the first by the order of parts. `Timeout`, `Canceled`.
pub(crate) fn in_order<M: Make>(parts: Vec<ScanPart>, leash: &Leash, maker: &(dyn Fn() -> Result<M> + Sync), taker: &mut dyn Take<M::Made>) -> Result<()> {
    let bounds: Vec<Bounds> = parts.iter().enumerate().map(|(number, part)| Bounds { number, range: part.range, rows: part.rows }).collect();
    let board = Board::new(parts, &bounds, leash);
    std::thread::scope(|scope| {
        let over = Over(&board);
        let mut first = First { board: &board, maker, own: None, others: Vec::new() };
        let result = first.run(scope, taker);
        drop(over);
        for other in first.others {
            other.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        result
    })
}

/// What the threads of a question share.
struct Board<'a, T> {
    bounds: &'a [Bounds],
    leash: &'a Leash,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Those that nobody has begun.
    parts: Vec<Option<ScanPart>>,
    /// The part whose turn it is.
    turn: usize,
    /// The first part that nobody has begun.
    next: usize,
    /// Parts before this one may be begun.
    allowed: usize,
    /// Of parts that others than the first thread read.
    slots: BTreeMap<usize, Slot<T>>,
    /// Bytes in the slots.
    held: usize,
    share: Share,
    is_over: bool,
}

struct Slot<T> {
    made: Vec<T>,
    bytes: usize,
    end: Option<Result<()>>,
}

/// What is next of a part.
enum Next<T> {
    /// To read it.
    Begin(ScanPart),
    /// To take this.
    Take(Vec<T>),
    End(Result<()>),
    /// Others are at it.
    Nothing,
}

impl<'a, T> Board<'a, T> {
    fn new(parts: Vec<ScanPart>, bounds: &'a [Bounds], leash: &'a Leash) -> Self {
        let (parts, slots, share) = (parts.into_iter().map(Some).collect(), BTreeMap::new(), Share::of(&leash.budget));
        let state = State { parts, turn: 0, next: 0, allowed: 0, slots, held: 0, share, is_over: false };
        Self { bounds, leash, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// It is the turn of a part, and those before `allowed` may be begun.
    fn turn_to(&self, turn: usize, allowed: usize) {
        let mut state = self.state.lock();
        (state.turn, state.allowed) = (turn, allowed.min(self.bounds.len()));
        drop(state);
        self.changed.notify_all();
    }

    /// The next part, if it may be begun before its turn.
    fn begin(&self) -> Option<(usize, ScanPart)> {
        self.state.lock().begin()
    }

    /// As [`Self::begin`], as soon as there is one; `None` when there will be none.
    fn begin_or_wait(&self) -> Option<(usize, ScanPart)> {
        let mut state = self.state.lock();
        loop {
            if state.is_over || state.next == self.bounds.len() {
                return None;
            }
            if let Some(begun) = state.begin() {
                return Some(begun);
            }
            self.changed.wait(&mut state);
        }
    }

    /// What is next of the part whose turn it is.
    fn next(&self) -> Next<T> {
        let mut state = self.state.lock();
        let turn = state.turn;
        if state.next == turn {
            state.next += 1;
            return state.parts[turn].take().map_or(Next::Nothing, Next::Begin);
        }
        let Some(slot) = state.slots.get_mut(&turn) else { return Next::Nothing };
        if !slot.made.is_empty() {
            let (made, bytes) = (std::mem::take(&mut slot.made), std::mem::take(&mut slot.bytes));
            state.held -= bytes;
            drop(state);
            self.changed.notify_all();
            return Next::Take(made);
        }
        match slot.end.take() {
            Some(end) => {
                state.slots.remove(&turn);
                Next::End(end)
            }
            None => Next::Nothing,
        }
    }

    /// Waits until there is something of the part whose turn it is.
    fn wait(&self) {
        let mut state = self.state.lock();
        let turn = state.turn;
        while state.slots.get(&turn).is_none_or(|slot| slot.made.is_empty() && slot.end.is_none()) {
            self.changed.wait(&mut state);
        }
    }

    /// Puts what was made of a part where it is taken, if need be as soon as there is room; false if nobody will take it.
    fn put(&self, part: usize, made: T, bytes: usize, is_first: bool) -> bool {
        let mut state = self.state.lock();
        // The first thread is the one that makes room.
        while !is_first && !state.is_over && state.turn != part && !state.has_room(bytes) {
            self.changed.wait(&mut state);
        }
        if state.is_over {
            return false;
        }
        state.held += bytes;
        if let Some(slot) = state.slots.get_mut(&part) {
            slot.made.push(made);
            slot.bytes += bytes;
        }
        let is_awaited = state.turn == part;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
        true
    }

    /// Reads a part before its turn.
    fn read<M: Make<Made = T>>(&self, at: usize, part: ScanPart, maker: &mut M, is_first: bool) {
        let mut end = End { board: self, part: at, result: None };
        let read = || {
            for rows in part.read()? {
                self.leash.check()?;
                if let Some(made) = maker.make(&self.bounds[at], rows?)? {
                    let bytes = M::bytes(&made);
                    if !self.put(at, made, bytes, is_first) {
                        break;
                    }
                }
                if self.state.lock().is_over {
                    break;
                }
            }
            Ok(())
        };
        end.result = Some(read());
    }
}

impl<T> State<T> {
    fn begin(&mut self) -> Option<(usize, ScanPart)> {
        let at = self.next;
        if at >= self.allowed || !self.has_room(0) {
            return None;
        }
        let part = self.parts.get_mut(at)?.take()?;
        self.next += 1;
        self.slots.insert(at, Slot { made: Vec::new(), bytes: 0, end: None });
        Some((at, part))
    }

    fn has_room(&self, bytes: usize) -> bool {
        let all = self.held + bytes;
        all <= HELD_BYTES_MAX && self.share.cover(all as u64).is_ok()
    }
}

/// Ends a part when dropped: a thread that dies has no result.
struct End<'b, 'a, T> {
    board: &'b Board<'a, T>,
    part: usize,
    result: Option<Result<()>>,
}

impl<T> Drop for End<'_, '_, T> {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(Error::internal("cannot answer: a reading thread died")));
        if let Some(slot) = self.board.state.lock().slots.get_mut(&self.part) {
            slot.end = Some(result);
        }
        self.board.changed.notify_all();
    }
}

/// Tells all threads to end when dropped.
struct Over<'b, 'a, T>(&'b Board<'a, T>);

impl<T> Drop for Over<'_, '_, T> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

/// The thread of the question.
struct First<'scope, 'env, M: Make> {
    board: &'scope Board<'env, M::Made>,
    maker: &'scope (dyn Fn() -> Result<M> + Sync),
    /// For parts that it reads before their turn.
    own: Option<M>,
    others: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, M: Make> First<'scope, '_, M> {
    fn run(&mut self, scope: &'scope Scope<'scope, '_>, taker: &mut dyn Take<M::Made>) -> Result<()> {
        let bounds = self.board.bounds;
        let ahead_max = AHEAD_OF_EACH * self.board.leash.threads.most();
        for turn in 0..bounds.len() {
            if !taker.wants(&bounds[turn]) {
                break;
            }
            // Others have made parts by now, and each turn lets them begin another.
            self.board.leash.check()?;
            let ahead = taker.ahead(&bounds[turn..]).min(ahead_max).min(bounds.len() - turn - 1);
            self.board.turn_to(turn, turn + 1 + ahead);
            if ahead > 0 {
                self.get_others(scope);
            }
            self.take(turn, taker)?;
        }
        Ok(())
    }

    /// Starts other threads, as many as there is work for and as there may be.
    fn get_others(&mut self, scope: &'scope Scope<'scope, '_>) {
        let leash = self.board.leash;
        self.others.retain(|other| !other.is_finished());
        let state = self.board.state.lock();
        let parts = state.allowed.saturating_sub(state.next.max(state.turn + 1));
        drop(state);
        while self.others.len() < parts && self.others.len() + 1 < leash.threads.most() {
            let Some(running) = leash.threads.another() else { return };
            let (board, maker, span) = (self.board, self.maker, tracing::Span::current());
            self.others.push(scope.spawn(move || span.in_scope(|| work(board, maker, &running))));
        }
    }

    /// Takes a part to its end.
    fn take(&mut self, turn: usize, taker: &mut dyn Take<M::Made>) -> Result<()> {
        loop {
            match self.board.next() {
                Next::Begin(part) => {
                    for rows in part.read()? {
                        self.board.leash.check()?;
                        taker.read(&self.board.bounds[turn], rows?)?;
                    }
                    return Ok(());
                }
                Next::Take(made) => {
                    for made in made {
                        self.board.leash.check()?;
                        taker.take(made)?;
                    }
                }
                Next::End(result) => return result,
                Next::Nothing => match self.board.begin() {
                    Some((at, part)) => {
                        let own = match &mut self.own {
                            Some(own) => own,
                            none => none.insert((self.maker)()?),
                        };
                        self.board.read(at, part, own, true);
                    }
                    None => self.board.wait(),
                },
            }
        }
    }
}

/// Reads parts before their turn, as long as there are any and not too many threads.
fn work<M: Make>(board: &Board<'_, M::Made>, maker: &(dyn Fn() -> Result<M> + Sync), running: &Running) {
    // What cannot be made here cannot be made by the first thread either, which says so.
    let Ok(mut maker) = maker() else { return };
    while let Some((at, part)) = board.begin_or_wait() {
        board.read(at, part, &mut maker, false);
        if running.are_too_many() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

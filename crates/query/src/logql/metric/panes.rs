//! Rows gathered by group and pane, and the value of each window of them.

use super::series::absent;
use super::states::State;
use super::windows::{Pane, Windows};

/// Takes rows in any order, answers values by window.
pub(super) trait Gather {
    /// Adds rows of a batch.
    fn add(&mut self, rows: &Rows<'_>);

    /// About how many bytes are held.
    fn bytes(&self) -> u64;

    /// Values of the windows of a group, `None` if none has one. A group is asked once.
    fn finish(&mut self, group: usize) -> Option<Vec<f64>>;

    /// The value of the only window of a group.
    fn value(&mut self, group: usize) -> Option<f64> {
        self.finish(group).and_then(|values| values.first().copied())
    }
}

/// Rows of a batch with the groups they are in.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    /// Times of the batch, by row.
    pub(super) times: &'a [i64],
    /// Order of arrival in the batch, by row; empty if the aggregation does not ask.
    pub(super) sequences: &'a [u64],
    /// The rows that count, ascending.
    pub(super) rows: &'a [usize],
    /// The group of each row that counts.
    pub(super) groups: &'a [u32],
    /// The value of each row that counts; empty if rows are only counted.
    pub(super) values: &'a [f64],
}

/// Groups as states of the only window.
pub(super) struct Single<S> {
    windows: Windows,
    groups: Vec<Option<S>>,
}

impl<S: State> Single<S> {
    /// `None` if there are several windows.
    pub(super) fn new(windows: Windows) -> Option<Self> {
        (windows.steps == 1).then_some(Self { windows, groups: Vec::new() })
    }
}

impl<S: State> Gather for Single<S> {
    fn add(&mut self, rows: &Rows<'_>) {
        let (start_ns, end_ns) = self.windows.bounds();
        let most = rows.groups.iter().max().map_or(0, |group| *group as usize + 1);
        if self.groups.len() < most {
            self.groups.resize(most, None);
        }
        for (at, (row, group)) in rows.rows.iter().zip(rows.groups).enumerate() {
            let time_ns = rows.times[*row];
            if time_ns < start_ns || time_ns > end_ns {
                continue;
            }
            let (time, value) = ((time_ns, rows.sequences.get(*row).copied().unwrap_or(0)), rows.values.get(at).copied().unwrap_or(1.0));
            match &mut self.groups[*group as usize] {
                Some(state) => state.add(time, value),
                none => *none = Some(S::of(time, value)),
            }
        }
    }

    fn bytes(&self) -> u64 {
        (self.groups.capacity() * size_of::<Option<S>>()) as u64
    }

    fn finish(&mut self, group: usize) -> Option<Vec<f64>> {
        self.value(group).map(|value| vec![value])
    }

    fn value(&mut self, group: usize) -> Option<f64> {
        self.groups.get_mut(group)?.take().map(|state| state.value())
    }
}

/// A group as the states of its panes.
#[derive(Debug)]
struct Group<S> {
    /// By the number of the pane; ascending up to `sorted`.
    panes: Vec<(u32, S)>,
    /// So many are sorted and distinct.
    sorted: usize,
}

/// Groups as states of panes.
pub(super) struct Panes<S> {
    windows: Windows,
    groups: Vec<Group<S>>,
    /// States held by all groups.
    held: u64,
    /// The pane of the row before: times of neighbours are alike.
    last: Option<Pane>,
}

impl<S: State> Panes<S> {
    pub(super) fn new(windows: Windows) -> Self {
        Self { windows, groups: Vec::new(), held: 0, last: None }
    }

    fn pane(&mut self, time_ns: i64) -> Option<u32> {
        if let Some(last) = self.last.filter(|last| last.contains(time_ns)) {
            return Some(last.number);
        }
        let pane = self.windows.pane_of(time_ns)?;
        self.last = Some(pane);
        Some(pane.number)
    }
}

impl<S: State> Group<S> {
    fn put(&mut self, pane: u32, held: &mut u64, add: impl FnOnce(&mut S), make: impl FnOnce() -> S) {
        match self.panes.last_mut() {
            Some((last, state)) if *last == pane => return add(state),
            _ => {}
        }
        if let Ok(at) = self.panes[..self.sorted].binary_search_by_key(&pane, |(number, _)| *number) {
            return add(&mut self.panes[at].1);
        }
        if self.sorted == self.panes.len() && self.panes.last().is_none_or(|(last, _)| *last < pane) {
            self.sorted += 1;
        } else if self.panes.len() - self.sorted > self.sorted + 16 {
            *held -= self.panes.len() as u64;
            self.sort();
            *held += self.panes.len() as u64;
        }
        self.panes.push((pane, make()));
        *held += 1;
    }

    /// Panes in order, each once.
    fn sort(&mut self) {
        self.panes.sort_by_key(|(number, _)| *number);
        self.panes.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1.merge(&later.1);
            }
            is_same
        });
        self.sorted = self.panes.len();
    }
}

impl<S: State> Gather for Panes<S> {
    fn add(&mut self, rows: &Rows<'_>) {
        // A run of rows of one group and one pane that are only counted is added at once.
        let mut at = 0;
        while at < rows.rows.len() {
            let (row, group) = (rows.rows[at], rows.groups[at]);
            let time_ns = rows.times[row];
            let Some(pane) = self.pane(time_ns) else {
                at += 1;
                continue;
            };
            let first = at;
            at += 1;
            if rows.values.is_empty()
                && let Some(bounds) = self.last
            {
                while at < rows.rows.len() && rows.groups[at] == group && bounds.contains(rows.times[rows.rows[at]]) {
                    at += 1;
                }
            }
            while self.groups.len() <= group as usize {
                self.groups.push(Group { panes: Vec::new(), sorted: 0 });
            }
            let group = &mut self.groups[group as usize];
            let time = (time_ns, rows.sequences.get(row).copied().unwrap_or(0));
            let value = rows.values.get(first).copied().unwrap_or(1.0);
            let more = (at - first - 1) as u64;
            let add = |state: &mut S| {
                state.add(time, value);
                state.add_count(more);
            };
            let make = || {
                let mut state = S::of(time, value);
                state.add_count(more);
                state
            };
            group.put(pane, &mut self.held, add, make);
        }
    }

    fn bytes(&self) -> u64 {
        self.held * size_of::<(u32, S)>() as u64 + (self.groups.len() * size_of::<Group<S>>()) as u64
    }

    fn finish(&mut self, group: usize) -> Option<Vec<f64>> {
        let mut panes = match self.groups.get_mut(group) {
            Some(group) if !group.panes.is_empty() => std::mem::replace(group, Group { panes: Vec::new(), sorted: 0 }),
            _ => return None,
        };
        panes.sort();
        Some(slide(&panes.panes, &self.windows))
    }
}

/// The values of windows over panes in order: two stacks, so that each state is merged a fixed number of times.
fn slide<S: State>(panes: &[(u32, S)], windows: &Windows) -> Vec<f64> {
    let mut values = vec![absent(); windows.steps];
    // Of panes `first..middle`: the state of each with all after it. Of `middle..end`: one state.
    let mut front: Vec<S> = Vec::new();
    let mut back: Option<S> = None;
    let (mut middle, mut end) = (0, 0);
    for (step, value) in values.iter_mut().enumerate() {
        let (first_pane, end_pane) = windows.panes(step);
        while let Some((_, state)) = panes.get(end).filter(|(number, _)| *number < end_pane) {
            match &mut back {
                Some(back) => back.merge(state),
                None => back = Some(state.clone()),
            }
            end += 1;
        }
        let mut first = middle - front.len();
        while first < end && panes[first].0 < first_pane {
            if front.is_empty() {
                for (_, state) in panes[middle..end].iter().rev() {
                    let mut whole = state.clone();
                    if let Some(after) = front.last() {
                        whole.merge(after);
                    }
                    front.push(whole);
                }
                (middle, back) = (end, None);
            }
            front.pop();
            first += 1;
        }
        let whole = match (front.last(), &back) {
            (Some(front), Some(back)) => {
                let mut whole = front.clone();
                whole.merge(back);
                Some(whole)
            }
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        if let Some(whole) = whole {
            *value = whole.value();
        }
    }
    values
}

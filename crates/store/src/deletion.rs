//! Deletions: series over a range of time, or single rows of logs and spans, that are asked for no more.
//!
//! A segment is immutable, so a deletion first hides rows and later has them left out: it names the segments that held the
//! rows when it was made, readers skip what it covers in these, and the next merge of such a segment does not write the rows
//! again. When none of its segments is left, the deletion is forgotten. What is appended afterwards lies in other segments
//! and is not touched, whatever its time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use signalbox_model::{MatchOp, Matcher, Table, Tenant, TimeRange};

use crate::format::SegmentId;
use crate::row_numbers::RowNumbers;

/// What is deleted of one tenant over a range of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Ascending; that of a deletion which is forgotten may come again.
    pub number: u64,
    /// Owner.
    pub tenant: Tenant,
    /// What.
    pub what: Deleted,
    /// Rows with times in here, both ends included.
    pub range: TimeRange,
    /// When it was asked for, nanoseconds since the Unix epoch.
    pub created_at_ns: i64,
    /// The segments that it hides rows of.
    pub segments: Vec<SegmentId>,
}

/// What a deletion hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// Series of metrics that match all of these.
    Series(Vec<Matcher>),
    /// Rows of a table of rows.
    Rows {
        /// Logs or spans.
        table: Table,
        /// Arrival numbers of the rows.
        numbers: RowNumbers,
        /// What was asked for, in the words of whoever asked.
        reason: String,
    },
}

impl Deletion {
    /// The matchers of deleted series.
    pub(crate) fn matchers(&self) -> Option<&[Matcher]> {
        match &self.what {
            Deleted::Series(matchers) => Some(matchers),
            Deleted::Rows { .. } => None,
        }
    }

    /// The numbers of deleted rows.
    pub(crate) fn numbers(&self) -> Option<&RowNumbers> {
        match &self.what {
            Deleted::Series(_) => None,
            Deleted::Rows { numbers, .. } => Some(numbers),
        }
    }

    /// The matchers as JSON: `[["name", "op", "value"], …]`.
    pub(crate) fn matchers_json(&self) -> String {
        let matchers: Vec<[&str; 3]> =
            self.matchers().unwrap_or_default().iter().map(|matcher| [matcher.name.as_str(), matcher.op.as_str(), &matcher.value]).collect();
        serde_json::to_string(&matchers).expect("text always has a JSON form")
    }

    /// The inverse; `None` for anything else.
    pub(crate) fn matchers_from_json(json: &str) -> Option<Vec<Matcher>> {
        const OPS: [MatchOp; 4] = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
        let matchers: Vec<(String, String, String)> = serde_json::from_str(json).ok()?;
        let matcher = |(name, op, value): (String, String, String)| {
            let op = OPS.into_iter().find(|candidate| candidate.as_str() == op)?;
            Matcher::new(name, op, value).ok()
        };
        matchers.into_iter().map(matcher).collect()
    }
}

/// Which deletions may be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undelete {
    /// One of which nothing has left the disk.
    Whole,
    /// One of which something is still there.
    Remains,
}

/// What became of taking a deletion back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeleted {
    /// The rows that were still there are in answers again.
    Back,
    /// Some of its segments were merged, perhaps without its rows: it holds as before.
    PartlyErased,
    /// There is no such deletion, or its rows have left the disk.
    Unknown,
}

/// Whether two handles leave out the same: deletions of one segment, oldest first.
pub(crate) fn are_same(left: &[Arc<Deletion>], right: &[Arc<Deletion>]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| Arc::ptr_eq(left, right))
}

/// Matchers as they stand in a query.
pub(crate) fn selector(matchers: &[Matcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", matchers.join(","))
}

/// What is deleted of each segment, oldest deletion first.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What the catalog has, by number.
    by_number: BTreeMap<u64, Arc<Deletion>>,
    by_segment: HashMap<SegmentId, Arc<[Arc<Deletion>]>>,
}

impl Deletions {
    /// What is deleted of a segment.
    pub(crate) fn of(&self, segment: SegmentId) -> Arc<[Arc<Deletion>]> {
        self.known.read().by_segment.get(&segment).cloned().unwrap_or_default()
    }

    /// Notes a deletion that is durable; one that is known already changes nothing.
    pub(crate) fn note(&self, deletion: &Arc<Deletion>) {
        let mut known = self.known.write();
        known.by_number.insert(deletion.number, Arc::clone(deletion));
        for segment in &deletion.segments {
            let of_segment = known.by_segment.entry(*segment).or_default();
            if of_segment.iter().all(|other| other.number != deletion.number) {
                *of_segment = of_segment.iter().cloned().chain([Arc::clone(deletion)]).collect();
            }
        }
    }

    /// Forgets segments that are no more.
    pub(crate) fn forget_segments(&self, segments: impl Iterator<Item = SegmentId>) {
        let mut known = self.known.write();
        for segment in segments {
            known.by_segment.remove(&segment);
        }
    }

    /// Forgets all other segments: a deletion still names those that were there when it was made.
    pub(crate) fn keep_segments(&self, segments: &HashSet<SegmentId>) {
        self.known.write().by_segment.retain(|segment, _| segments.contains(segment));
    }

    /// Forgets deletions that the catalog has forgotten. Gives the tenants whose segments may show rows again.
    pub(crate) fn forget(&self, numbers: &[u64]) -> BTreeSet<Tenant> {
        let mut tenants = BTreeSet::new();
        let known = &mut *self.known.write();
        for deletion in numbers.iter().filter_map(|number| known.by_number.remove(number)) {
            for segment in &deletion.segments {
                let Some(of_segment) = known.by_segment.get_mut(segment) else { continue };
                *of_segment = of_segment.iter().filter(|other| other.number != deletion.number).cloned().collect();
                if of_segment.is_empty() {
                    known.by_segment.remove(segment);
                }
                tenants.insert(deletion.tenant.clone());
            }
        }
        tenants
    }

    /// Those of a tenant, oldest first.
    pub(crate) fn of_tenant(&self, tenant: &Tenant) -> Vec<Arc<Deletion>> {
        self.known.read().by_number.values().filter(|deletion| deletion.tenant == *tenant).cloned().collect()
    }

    /// How many the catalog has.
    pub(crate) fn len(&self) -> usize {
        self.known.read().by_number.len()
    }

    /// The number of the next one.
    pub(crate) fn next_number(&self) -> u64 {
        self.known.read().by_number.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Numbers of the deletions that hide nothing any more.
    pub(crate) fn spent(&self) -> Vec<u64> {
        let known = self.known.read();
        let hides = |deletion: &Deletion| deletion.segments.iter().any(|segment| known.by_segment.contains_key(segment));
        known.by_number.values().filter(|deletion| !hides(deletion)).map(|deletion| deletion.number).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn matchers_come_back_from_their_text() {
        let matchers = vec![
            Matcher::equal("__name__", "a\"b\\c\n"),
            Matcher::new("job", MatchOp::Regex, "a|b.*").unwrap(),
            Matcher::new("x.y", MatchOp::NotRegex, "").unwrap(),
            Matcher::new("z", MatchOp::NotEqual, "ü").unwrap(),
        ];
        let deletion = Deletion {
            number: 1,
            tenant: Tenant::default(),
            what: Deleted::Series(matchers.clone()),
            range: TimeRange::ALL,
            created_at_ns: 0,
            segments: Vec::new(),
        };
        assert_eq!(Deletion::matchers_from_json(&deletion.matchers_json()).unwrap(), matchers);
        for bad in ["", "[", "[[\"a\",\"=\"]]", "[[\"a\",\"~\",\"b\"]]", "[[\"a\",\"=~\",\"(\"]]", "{}", "[[1,\"=\",\"b\"]]"] {
            assert_eq!(Deletion::matchers_from_json(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_segment_knows_its_deletions_until_it_is_forgotten() {
        let deletions = Deletions::default();
        let id = |number| SegmentId { epoch: 1, number };
        let deletion = |number, segments: &[u32]| {
            let segments = segments.iter().map(|number| id(*number)).collect();
            Arc::new(Deletion { number, tenant: Tenant::default(), what: Deleted::Series(Vec::new()), range: TimeRange::ALL, created_at_ns: 0, segments })
        };
        deletions.note(&deletion(1, &[1, 2]));
        deletions.note(&deletion(2, &[2]));
        deletions.note(&deletion(2, &[2]));
        assert_eq!(deletions.of(id(2)).iter().map(|deletion| deletion.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((deletions.len(), deletions.next_number(), deletions.spent()), (2, 3, Vec::new()));
        deletions.forget_segments([id(2)].into_iter());
        assert_eq!((deletions.of(id(2)).len(), deletions.of(id(1)).len(), deletions.spent()), (0, 1, vec![2]));
        assert!(deletions.forget(&[2]).is_empty(), "its segments show nothing more");
        assert_eq!((deletions.len(), deletions.spent()), (1, Vec::new()));
        let before = deletions.of(id(1));
        deletions.note(&deletion(2, &[1]));
        assert!(!are_same(&before, &deletions.of(id(1))));
        assert_eq!(deletions.forget(&[2]).len(), 1);
        assert!(are_same(&before, &deletions.of(id(1))));
        deletions.forget(&[1]);
        deletions.note(&deletion(1, &[1]));
        assert!(!are_same(&before, &deletions.of(id(1))), "another one with a number that comes again");
    }
}

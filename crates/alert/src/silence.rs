//! Silences, pure: alerts that somebody wants to hear nothing of for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use signalbox_lang::matchers;
use signalbox_meta::StoredSilence;
use signalbox_model::{Error, Labels, MatchOp, Matcher, Result};

use crate::inhibit::is_matched;
use crate::routing;

/// A silence.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Its identity.
    pub id: String,
    /// Sets of matchers: an alert is silenced that matches all of one set.
    pub matchers: Vec<Vec<Matcher>>,
    /// From when, milliseconds since the Unix epoch.
    pub starts_at_ms: i64,
    /// Until when, milliseconds since the Unix epoch.
    pub ends_at_ms: i64,
    /// When it was last changed, milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// More about it, by name.
    pub annotations: BTreeMap<String, String>,
}

/// All silences that are known. Clones share them: who decides what to tell, and who delivers it.
#[derive(Debug, Clone, Default)]
pub struct Silences(Arc<RwLock<BTreeMap<String, Silence>>>);

impl Silences {
    /// All of them, by id.
    pub fn all(&self) -> Vec<Silence> {
        self.0.read().values().cloned().collect()
    }

    /// The one of this id.
    pub fn get(&self, id: &str) -> Option<Silence> {
        self.0.read().get(id).cloned()
    }

    /// Knows these, in place of those of the same ids.
    pub fn put(&self, silences: impl IntoIterator<Item = Silence>) {
        self.0.write().extend(silences.into_iter().map(|silence| (silence.id.clone(), silence)));
    }

    /// Forgets those that ended before an instant.
    pub fn forget(&self, before_ms: i64) {
        self.0.write().retain(|_, silence| silence.ends_at_ms >= before_ms);
    }

    /// How many there are, those that are over included.
    pub fn count(&self) -> usize {
        self.0.read().len()
    }

    /// Ids of those that cover an alert at an instant.
    pub fn covering(&self, labels: &Labels, now_ms: i64) -> Vec<String> {
        let covers = |silence: &&Silence| silence.phase(now_ms) == Phase::Active && silence.covers(labels);
        self.0.read().values().filter(covers).map(|silence| silence.id.clone()).collect()
    }
}

/// How many silences there may be, and how large; by default there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Those that are over included; 0 is no limit.
    pub silences_max: usize,
    /// Bytes of the texts of one; 0 is no limit.
    pub bytes_max: usize,
}

impl Limits {
    /// Refuses what would be one too many or is too large, given those that are known.
    ///
    /// # Errors
    /// `Invalid` in Alertmanager's words.
    pub fn check(self, kept: &[Silence], known: &Silences) -> Result<()> {
        let Self { silences_max, bytes_max } = self;
        let (count, new) = (known.count(), kept.iter().filter(|silence| known.get(&silence.id).is_none()).count());
        if silences_max > 0 && new > 0 && count + new > silences_max {
            return Err(Error::invalid(format!("exceeded maximum number of silences: {count} (limit: {silences_max})")));
        }
        match kept.last().map_or(0, Silence::size_bytes) {
            size if bytes_max > 0 && size > bytes_max => Err(Error::invalid(format!("silence exceeded maximum size: {size} bytes (limit: {bytes_max} bytes)"))),
            _ => Ok(()),
        }
    }
}

/// Where a silence is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It has begun and is not over.
    Active,
    /// It has not begun.
    Pending,
    /// It is over.
    Expired,
}

impl Phase {
    /// The word in Alertmanager's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where it is at an instant.
    pub fn phase(&self, now_ms: i64) -> Phase {
        match now_ms {
            now_ms if now_ms < self.starts_at_ms => Phase::Pending,
            now_ms if now_ms >= self.ends_at_ms => Phase::Expired,
            _ => Phase::Active,
        }
    }

    /// Whether it covers an alert, whatever the time.
    pub fn covers(&self, labels: &Labels) -> bool {
        self.matchers.iter().any(|set| is_matched(set, labels))
    }

    /// The silence as it is when somebody ends it now; `None` if it is over already.
    pub fn expire(&self, now_ms: i64) -> Option<Self> {
        let ended = Self { ends_at_ms: now_ms, updated_at_ms: now_ms, ..self.clone() };
        match self.phase(now_ms) {
            Phase::Active => Some(ended),
            Phase::Pending => Some(Self { starts_at_ms: now_ms, ..ended }),
            Phase::Expired => None,
        }
    }

    /// Bytes of its texts.
    fn size_bytes(&self) -> usize {
        let stored = self.to_stored();
        let annotations = stored.annotations.iter().map(|(name, value)| name.len() + value.len());
        stored.matchers.iter().map(String::len).chain(annotations).sum::<usize>() + stored.id.len() + stored.created_by.len() + stored.comment.len()
    }

    /// Whether another text of this silence may take its place, or must be a silence of its own: what was silenced in the past
    /// does not change.
    fn may_become(&self, other: &Self, now_ms: i64) -> bool {
        let spelt = |silence: &Self| silence.matchers.iter().map(|set| routing::list(set)).collect::<Vec<_>>();
        let keeps_its_past = match self.phase(now_ms) {
            Phase::Active => other.starts_at_ms.div_euclid(1000) == self.starts_at_ms.div_euclid(1000) && other.ends_at_ms >= now_ms,
            Phase::Pending => other.starts_at_ms >= now_ms,
            Phase::Expired => false,
        };
        keeps_its_past && spelt(self) == spelt(other)
    }

    /// What is to be kept so that this silence is set now: itself, in place of an earlier text of it or under a new id, and the
    /// earlier text, ended, if it cannot be changed.
    ///
    /// # Errors
    /// As [`Silence::check`].
    pub fn set(self, earlier: Option<&Self>, new_id: impl FnOnce() -> String, now_ms: i64) -> Result<Vec<Self>> {
        let wanted = Self { updated_at_ms: now_ms, ..self };
        wanted.check_times(now_ms)?;
        if let Some(earlier) = earlier
            && earlier.may_become(&wanted, now_ms)
        {
            wanted.check_matchers()?;
            return Ok(vec![wanted]);
        }
        let wanted = Self { id: new_id(), starts_at_ms: wanted.starts_at_ms.max(now_ms), ..wanted };
        wanted.check_matchers()?;
        let ended = earlier.and_then(|earlier| earlier.expire(now_ms));
        Ok(ended.into_iter().chain([wanted]).collect())
    }

    /// As `meta` keeps it.
    pub fn to_stored(&self) -> StoredSilence {
        StoredSilence {
            id: self.id.clone(),
            matchers: self.matchers.iter().map(|set| routing::list(set)).collect(),
            starts_at_ms: self.starts_at_ms,
            ends_at_ms: self.ends_at_ms,
            updated_at_ms: self.updated_at_ms,
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            annotations: self.annotations.clone(),
        }
    }

    /// From what `meta` keeps.
    ///
    /// # Errors
    /// `Corrupt` if its matchers cannot be read.
    pub fn from_stored(stored: &StoredSilence) -> Result<Self> {
        let read =
            |list: &String| matchers::parse_utf8(list).map_err(|error| Error::corrupt(format!("cannot read silence {}: {}", stored.id, error.message())));
        Ok(Self {
            id: stored.id.clone(),
            matchers: stored.matchers.iter().map(read).collect::<Result<_>>()?,
            starts_at_ms: stored.starts_at_ms,
            ends_at_ms: stored.ends_at_ms,
            updated_at_ms: stored.updated_at_ms,
            created_by: stored.created_by.clone(),
            comment: stored.comment.clone(),
            annotations: stored.annotations.clone(),
        })
    }

    /// Refuses what Alertmanager refuses.
    ///
    /// # Errors
    /// `Invalid` in its words.
    pub fn check(&self, now_ms: i64) -> Result<()> {
        self.check_times(now_ms)?;
        self.check_matchers()
    }

    fn check_times(&self, now_ms: i64) -> Result<()> {
        if self.starts_at_ms >= self.ends_at_ms {
            return Err(Error::invalid("Failed to create silence: start time must be before end time"));
        }
        if self.ends_at_ms < now_ms {
            return Err(Error::invalid("Failed to create silence: end time can't be in the past"));
        }
        Ok(())
    }

    fn check_matchers(&self) -> Result<()> {
        if self.matchers.is_empty() {
            return Err(Error::invalid("invalid silence: at least one matcher set required"));
        }
        for (index, set) in self.matchers.iter().enumerate() {
            if set.is_empty() {
                return Err(Error::invalid(format!("invalid silence: matcher set {index} is empty")));
            }
            // As there, one that is negated counts as one that asks for something.
            let is_anything = |matcher: &Matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex) && matcher.matches("");
            if set.iter().all(is_anything) {
                return Err(Error::invalid(format!("invalid silence: matcher set {index}: at least one matcher must not match the empty string")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use signalbox_lang::matchers::parse;

    use super::*;

    fn silence(sets: &[&str], starts_at_ms: i64, ends_at_ms: i64) -> Silence {
        let matchers = sets.iter().map(|set| parse(set).unwrap()).collect();
        let (created_by, comment, annotations) = (String::new(), String::new(), BTreeMap::new());
        Silence { id: "1".to_owned(), matchers, starts_at_ms, ends_at_ms, updated_at_ms: 0, created_by, comment, annotations }
    }

    #[test]
    fn its_life() {
        let silence = silence(&["a=b"], 10, 20);
        assert_eq!([9, 10, 19, 20].map(|now_ms| silence.phase(now_ms).as_str()), ["pending", "active", "active", "expired"]);
    }

    #[test]
    fn one_set_suffices_and_all_of_it_is_needed() {
        let silence = silence(&["a=b,c=d", "e=~f.*"], 0, 1);
        let covers = |pairs: &[(&str, &str)]| silence.covers(&Labels::from_pairs(pairs.iter().copied()));
        assert!(covers(&[("a", "b"), ("c", "d")]));
        assert!(covers(&[("e", "foo")]));
        assert!(!covers(&[("a", "b")]));
        assert!(!covers(&[]));
    }

    #[test]
    fn what_would_silence_everything_or_nothing_is_refused() {
        let message = |silence: Silence| silence.check(15).map_or_else(|error| error.message().to_owned(), |()| String::new());
        assert_eq!(message(silence(&["a=b"], 10, 20)), "");
        assert!(message(silence(&[], 10, 20)).contains("at least one matcher set required"));
        assert!(message(silence(&["a=~.*"], 10, 20)).contains("must not match the empty string"));
        assert_eq!(message(silence(&["a!=b"], 10, 20)), "");
        assert!(message(silence(&["a=b"], 20, 10)).contains("start time must be before end time"));
        assert!(message(silence(&["a=b"], 10, 14)).contains("past"));
    }

    #[test]
    fn a_silence_changes_in_place_or_makes_way() {
        let id = || "2".to_owned();
        let shown = |silences: Vec<Silence>| {
            silences.iter().map(|silence| format!("{} {}..{}", silence.id, silence.starts_at_ms, silence.ends_at_ms)).collect::<Vec<_>>()
        };
        let active = silence(&["a=b"], 10_000, 20_000);
        let set = |wanted: Silence, earlier: Option<&Silence>| wanted.set(earlier, id, 15_000).map(shown).unwrap();
        assert_eq!(set(silence(&["a=b"], 0, 20_000), None), ["2 15000..20000"]);
        assert_eq!(set(silence(&["a=b"], 10_000, 30_000), Some(&active)), ["1 10000..30000"]);
        assert_eq!(set(silence(&["a=c"], 10_000, 30_000), Some(&active)), ["1 10000..15000", "2 15000..30000"]);
        let pending = silence(&["a=b"], 16_000, 20_000);
        assert_eq!(set(silence(&["a=b"], 17_000, 20_000), Some(&pending)), ["1 17000..20000"]);
        assert_eq!(set(silence(&["a=b"], 14_000, 20_000), Some(&pending)), ["1 15000..15000", "2 15000..20000"]);
        let expired = silence(&["a=b"], 1_000, 2_000);
        assert_eq!(set(silence(&["a=b"], 1_000, 20_000), Some(&expired)), ["2 15000..20000"]);
        assert!(expired.expire(15_000).is_none());
    }

    #[test]
    fn there_are_not_too_many_and_none_is_too_large() {
        let named = |id: &str| Silence { id: id.to_owned(), ..silence(&["a=b"], 0, 1) };
        let known = Silences::default();
        known.put([named("1"), named("2")]);
        let message = |silences_max, bytes_max, kept: &[Silence]| {
            let limits = Limits { silences_max, bytes_max };
            limits.check(kept, &known).map_or_else(|error| error.message().to_owned(), |()| String::new())
        };
        assert_eq!(message(2, 0, &[named("3")]), "exceeded maximum number of silences: 2 (limit: 2)", "those that are over count");
        assert_eq!(message(2, 0, &[named("1")]), "", "one that changes is none more");
        assert_eq!(message(2, 0, &[named("1"), named("3")]), "exceeded maximum number of silences: 2 (limit: 2)");
        assert_eq!(message(3, 8, &[named("3")]), "");
        assert_eq!(message(0, 7, &[named("3")]), "silence exceeded maximum size: 8 bytes (limit: 7 bytes)");
        assert_eq!(message(0, 0, &[named("3")]), "");
    }

    #[test]
    fn it_is_kept_whole() {
        let silence = Silence { comment: "why".to_owned(), ..silence(&["a=b,\"c d\"=~\"e|\\\"f\\\"\"", "g!~h"], 1, 2) };
        let again = Silence::from_stored(&silence.to_stored()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{silence:?}"));
    }
}

//! Silences, pure: alerts that somebody wants to hear nothing of for a while.

use signalbox_model::{Error, Labels, Matcher, Result};

use crate::inhibit::is_matched;

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
    pub annotations: std::collections::BTreeMap<String, String>,
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

    /// Refuses what Alertmanager refuses.
    ///
    /// # Errors
    /// `Invalid` in its words.
    pub fn check(&self, now_ms: i64) -> Result<()> {
        if self.matchers.is_empty() || self.matchers.iter().any(Vec::is_empty) {
            return Err(Error::invalid("invalid silence: at least one matcher required"));
        }
        let matches_something = |set: &Vec<Matcher>| set.iter().any(|matcher| !matcher.matches(""));
        if !self.matchers.iter().all(matches_something) {
            return Err(Error::invalid("invalid silence: at least one matcher must not match the empty string"));
        }
        if self.ends_at_ms < self.starts_at_ms {
            return Err(Error::invalid("invalid silence: end time must not be before start time"));
        }
        if self.starts_at_ms == self.ends_at_ms {
            return Err(Error::invalid("failed to create silence: start time must not be equal to end time"));
        }
        if self.ends_at_ms < now_ms {
            return Err(Error::invalid("failed to create silence: end time can't be in the past"));
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
        let (created_by, comment, annotations) = (String::new(), String::new(), std::collections::BTreeMap::new());
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
        assert!(message(silence(&[], 10, 20)).contains("at least one matcher required"));
        assert!(message(silence(&["a=~.*"], 10, 20)).contains("must not match the empty string"));
        assert!(message(silence(&["a=b"], 20, 10)).contains("before start"));
        assert!(message(silence(&["a=b"], 10, 14)).contains("past"));
    }
}

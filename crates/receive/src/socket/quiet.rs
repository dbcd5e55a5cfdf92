//! Complaints that a sender can provoke at will are logged once a while.

use std::time::Duration;

use parking_lot::Mutex;

/// Between two log lines about the same thing.
const PAUSE: Duration = Duration::from_secs(60);

/// Lets one of many through.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said: Option<Duration>,
    unsaid: u64,
}

impl Quiet {
    /// Whether to speak at this monotonic time, and how much was left unsaid since the last time.
    pub(super) fn speak(&self, now: Duration) -> Option<u64> {
        let mut state = self.0.lock();
        if state.said.is_some_and(|said| now.saturating_sub(said) < PAUSE) {
            state.unsaid += 1;
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_once_a_minute_and_says_how_often_it_did_not() {
        let quiet = Quiet::default();
        let at = |seconds| quiet.speak(Duration::from_secs(seconds));
        assert_eq!([at(5), at(6), at(64), at(65), at(66)], [Some(0), None, None, Some(2), None]);
    }
}

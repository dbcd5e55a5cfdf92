//! The terms of a search together: a candidate that resembles one of them is found.

use super::asked::{Algorithm, Asked};
use super::score;

/// The terms, ready to be compared with many candidates.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    asked: &'a Asked,
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    text: String,
    characters: Vec<char>,
}

impl<'a> Terms<'a> {
    pub(super) fn new(asked: &'a Asked) -> Self {
        let terms = asked.terms.iter().map(|text| {
            let text = if asked.is_case_sensitive { text.clone() } else { text.to_lowercase() };
            Term { characters: text.chars().collect(), text }
        });
        Self { asked, terms: terms.collect() }
    }

    /// How much a candidate resembles the term that it resembles most, up to 1; `None` if it resembles none. Without terms
    /// everything is found.
    pub(super) fn score(&self, candidate: &str) -> Option<f64> {
        if self.terms.is_empty() {
            return Some(1.0);
        }
        let lower;
        let candidate = if self.asked.is_case_sensitive {
            candidate
        } else {
            lower = candidate.to_lowercase();
            &lower
        };
        let characters: Vec<char> = candidate.chars().collect();
        let mut best: Option<f64> = None;
        for term in &self.terms {
            best = match (best, self.score_of(term, candidate, &characters)) {
                (Some(best), Some(score)) => Some(best.max(score)),
                (best, score) => best.or(score),
            };
            if best.is_some_and(|best| best >= 1.0) {
                break;
            }
        }
        best
    }

    fn score_of(&self, term: &Term, candidate: &str, characters: &[char]) -> Option<f64> {
        let threshold = self.asked.threshold;
        match self.asked.algorithm {
            Algorithm::Subsequence => {
                let score = if candidate.starts_with(&term.text) { 1.0 } else { score::subsequence(&term.characters, characters) };
                (score > 0.0 && score >= threshold).then_some(score)
            }
            Algorithm::JaroWinkler => score::substring(&term.text, candidate).or_else(|| {
                let score = if threshold > 0.0 { score::jaro_winkler(&term.characters, characters) } else { return None };
                (score >= threshold).then_some(score)
            }),
        }
    }
}

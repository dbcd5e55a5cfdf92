//! From matchers to series, over any index from labels to ordinals.
//!
//! A matcher is turned into one set of ordinals to keep or to drop. Regular expressions run over the distinct values of a
//! label, not over series; alternatives of plain text become look-ups, and a literal prefix narrows the values.

use roaring::RoaringBitmap;
use signalbox_model::{MatchOp, Matcher};

/// An index from labels to ordinals of series.
pub(crate) trait LabelIndex {
    /// All ordinals.
    fn all(&self) -> RoaringBitmap;
    /// Adds the series that have the label with this value.
    fn add_equal(&self, name: &str, value: &str, found: &mut RoaringBitmap);
    /// Adds the series that have the label with an accepted value that begins with the prefix.
    fn add_values(&self, name: &str, prefix: &str, accept: &mut dyn FnMut(&str) -> bool, found: &mut RoaringBitmap);
}

/// What one matcher says about the series of an index.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// Only these match.
    Keep(RoaringBitmap),
    /// All but these match.
    Drop(RoaringBitmap),
}

/// The series that match all matchers.
pub(crate) fn select(matchers: &[Matcher], index: &dyn LabelIndex, verdict: &mut dyn FnMut(&Matcher) -> std::sync::Arc<Verdict>) -> RoaringBitmap {
    let (mut kept, mut dropped): (Option<RoaringBitmap>, Vec<std::sync::Arc<Verdict>>) = (None, Vec::new());
    // Cheap and narrow ones first, so that an empty intersection ends the work early.
    let mut ordered: Vec<&Matcher> = matchers.iter().collect();
    ordered.sort_by_key(|matcher| (matcher.op != MatchOp::Equal, matcher.name != "__name__"));
    for matcher in ordered {
        let found = verdict(matcher);
        match found.as_ref() {
            Verdict::Keep(series) => {
                let both = match kept {
                    Some(before) => before & series,
                    None => series.clone(),
                };
                if both.is_empty() {
                    return both;
                }
                kept = Some(both);
            }
            Verdict::Drop(series) if series.is_empty() => {}
            Verdict::Drop(_) => dropped.push(found),
        }
    }
    let mut found = kept.unwrap_or_else(|| index.all());
    for verdict in &dropped {
        if let Verdict::Drop(series) = verdict.as_ref() {
            found -= series;
        }
    }
    found
}

/// What a matcher says. A series without the label has the empty value, so a matcher that accepts the empty value drops the
/// series whose value it does not accept, and any other keeps those whose value it accepts.
pub(crate) fn judge(matcher: &Matcher, index: &dyn LabelIndex) -> Verdict {
    let mut found = RoaringBitmap::new();
    let accepts_empty = matcher.matches_empty();
    let wanted = |value: &str| matcher.matches(value) != accepts_empty;
    let is_positive = matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
    // Look-ups find what the positive form of the matcher accepts; that is what is wanted in two of the four cases.
    let lookup = is_positive != accepts_empty;
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual if lookup => index.add_equal(&matcher.name, &matcher.value, &mut found),
        MatchOp::Regex | MatchOp::NotRegex if lookup => match literals(&matcher.value) {
            Some(values) => values.iter().for_each(|value| index.add_equal(&matcher.name, value, &mut found)),
            None => index.add_values(&matcher.name, literal_prefix(&matcher.value), &mut |value| wanted(value), &mut found),
        },
        _ => index.add_values(&matcher.name, "", &mut |value| wanted(value), &mut found),
    }
    if accepts_empty { Verdict::Drop(found) } else { Verdict::Keep(found) }
}

const META: &[char] = &['\\', '.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$', '|'];

/// The texts of a regular expression that is nothing but alternatives of plain text.
fn literals(pattern: &str) -> Option<Vec<&str>> {
    let inner = pattern.strip_prefix("(?:").or_else(|| pattern.strip_prefix('('));
    let body = inner.and_then(|inner| inner.strip_suffix(')')).unwrap_or(pattern);
    let alternatives: Vec<&str> = body.split('|').collect();
    alternatives.iter().all(|text| !text.contains(META)).then_some(alternatives)
}

/// Plain text that every match begins with.
fn literal_prefix(pattern: &str) -> &str {
    if pattern.contains('|') {
        return "";
    }
    let Some(end) = pattern.find(META) else { return pattern };
    // A repetition may also take its character away.
    let optional = pattern[end..].starts_with(['*', '?', '{']);
    let last = pattern[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    &pattern[..if optional { last } else { end }]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use signalbox_model::Labels;

    use super::*;

    struct Plain(Vec<Labels>);

    impl LabelIndex for Plain {
        fn all(&self) -> RoaringBitmap {
            (0..self.0.len() as u32).collect()
        }
        fn add_equal(&self, name: &str, value: &str, found: &mut RoaringBitmap) {
            self.add_values(name, "", &mut |candidate| candidate == value, found);
        }
        fn add_values(&self, name: &str, prefix: &str, accept: &mut dyn FnMut(&str) -> bool, found: &mut RoaringBitmap) {
            for (at, labels) in self.0.iter().enumerate() {
                if labels.get(name).is_some_and(|value| value.starts_with(prefix) && accept(value)) {
                    found.insert(at as u32);
                }
            }
        }
    }

    #[test]
    fn every_matcher_agrees_with_testing_each_series() {
        let series = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
        let index = Plain(vec![
            series(&[("job", "api")]),
            series(&[("job", "apis"), ("pod", "a-1")]),
            series(&[("job", "web"), ("pod", "a-2")]),
            series(&[("job", "ap"), ("pod", "b.1")]),
            series(&[("pod", "ab\nc")]),
            series(&[("job", "a|b")]),
        ]);
        let patterns = [
            "",
            "api",
            "ap",
            "api|web",
            "(api|web)",
            "(?:ap)",
            "api.*",
            "api?",
            "ap+",
            "apis*",
            "a{1}pi",
            ".*",
            ".+",
            "a-.",
            "b\\.1",
            "|web",
            "(ap)(i)",
            "(?i)API",
            "[a-b].*",
            "a.*c",
            "^api$",
            "a\\|b",
            "(ap)|(web)",
        ];
        for op in [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex] {
            for name in ["job", "pod", "none"] {
                for pattern in patterns {
                    let matcher = Matcher::new(name, op, pattern).unwrap();
                    let found = select(std::slice::from_ref(&matcher), &index, &mut |matcher| judge(matcher, &index).into());
                    let want: RoaringBitmap = (0..index.0.len() as u32).filter(|at| matcher.matches_labels(&index.0[*at as usize])).collect();
                    assert_eq!(found, want, "{matcher}");
                }
            }
        }
    }

    #[test]
    fn several_matchers_intersect() {
        let index = Plain((0..100).map(|at| Labels::from_pairs([("a", format!("{}", at % 3)), ("b", format!("{}", at % 5))])).collect());
        let matchers = [Matcher::equal("a", "1"), Matcher::new("b", MatchOp::NotEqual, "2").unwrap(), Matcher::new("b", MatchOp::Regex, "[2-4]").unwrap()];
        let found = select(&matchers, &index, &mut |matcher| judge(matcher, &index).into());
        let want: RoaringBitmap = (0..100u32).filter(|at| matchers.iter().all(|matcher| matcher.matches_labels(&index.0[*at as usize]))).collect();
        assert!(!want.is_empty());
        assert_eq!(found, want);
    }
}

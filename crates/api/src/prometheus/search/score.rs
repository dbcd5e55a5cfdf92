//! How much one text resembles another, from 0 to 1, by the measures of Prometheus' search.

/// Of two texts that are not equal none resembles the other fully.
const NOT_EQUAL: f64 = 0.999;

/// 1 if a term begins a candidate, less the later it begins in it; `None` if it is not in it.
pub(super) fn substring(term: &str, candidate: &str) -> Option<f64> {
    let at = candidate.find(term)?;
    let position = candidate[..at].chars().count();
    let last = candidate.chars().count().saturating_sub(term.chars().count());
    if position == 0 || last == 0 {
        return Some(1.0);
    }
    Some(1.0 - 0.9 * position as f64 / last as f64)
}

/// The characters of a term in their order within a candidate: long runs count much, gaps a little against it. 0 if they are
/// not all there.
pub(super) fn subsequence(term: &[char], candidate: &[char]) -> f64 {
    if term == candidate || term.is_empty() {
        return 1.0;
    }
    if term.len() > candidate.len() {
        return 0.0;
    }
    let mut best = -1.0_f64;
    for start in (0..=candidate.len() - term.len()).filter(|start| candidate[*start] == term[0]) {
        match subsequence_from(term, candidate, start) {
            Some(score) => best = best.max(score),
            // What is not there from here on is not there further on.
            None => break,
        }
    }
    if best < 0.0 { 0.0 } else { best / (term.len() * term.len()) as f64 * NOT_EQUAL }
}

/// The raw score of a match that begins at `start`: the square of each run, less the part of the candidate in gaps. What
/// follows the last run counts half.
fn subsequence_from(term: &[char], candidate: &[char], start: usize) -> Option<f64> {
    let part = 1.0 / candidate.len() as f64;
    let (mut matched, mut at, mut score, mut end_of_last) = (0, start, 0.0, 0);
    while matched < term.len() {
        let from = at + candidate[at..].iter().position(|character| *character == term[matched])?;
        let run = candidate[from..].iter().zip(&term[matched..]).take_while(|(left, right)| left == right).count();
        score -= (from - end_of_last) as f64 * part;
        score += (run * run) as f64;
        matched += run;
        at = from + run;
        end_of_last = at;
    }
    Some(score - (candidate.len() - end_of_last) as f64 * part * 0.5)
}

/// The similarity of Jaro and Winkler: characters in common near one another, with a bonus for a common beginning.
pub(super) fn jaro_winkler(left: &[char], right: &[char]) -> f64 {
    if left == right {
        return 1.0;
    }
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let distance = (long.len() / 2).saturating_sub(1);
    let (mut in_short, mut in_long) = (vec![false; short.len()], vec![false; long.len()]);
    let mut matches = 0.0;
    for (index, character) in short.iter().enumerate() {
        let near = index.saturating_sub(distance)..(index + distance + 1).min(long.len());
        if let Some(found) = near.clone().find(|place| !in_long[*place] && long[*place] == *character) {
            (in_short[index], in_long[found]) = (true, true);
            matches += 1.0;
        }
    }
    if matches == 0.0 {
        return 0.0;
    }
    let matched =
        |text: &[char], is_in: &[bool]| -> Vec<char> { text.iter().zip(is_in).filter(|(_, is_in)| **is_in).map(|(character, _)| *character).collect() };
    let out_of_place = matched(short, &in_short).iter().zip(matched(long, &in_long)).filter(|(left, right)| **left != *right).count() as f64;
    let (per_short, per_long) = (1.0 / short.len() as f64, 1.0 / long.len() as f64);
    let jaro = (matches * per_short + matches * per_long + (matches - out_of_place * 0.5) / matches) / 3.0;
    let prefix = short.iter().zip(long).take(4).take_while(|(left, right)| left == right).count();
    jaro + prefix as f64 * 0.1 * (1.0 - jaro)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn characters(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn substrings_count_more_the_earlier_they_are() {
        assert_eq!(substring("http", "http_requests"), Some(1.0));
        assert_eq!(substring("ab", "xab"), Some(1.0 - 0.9));
        assert_eq!(substring("b", "abc"), Some(1.0 - 0.9 * 1.0 / 2.0));
        assert_eq!(substring("\u{e9}", "a\u{e9}bc"), Some(1.0 - 0.9 * 1.0 / 3.0));
        assert_eq!(substring("z", "abc"), None);
    }

    #[test]
    fn subsequences_count_runs_and_gaps() {
        let of = |term, candidate| subsequence(&characters(term), &characters(candidate));
        assert_eq!(of("abc", "abc"), 1.0);
        assert_eq!(of("abc", "acb"), 0.0);
        assert_eq!(of("abcd", "abc"), 0.0);
        // One run of two at the start, three characters after it.
        assert_eq!(of("ab", "abxyz"), (4.0 - 3.0 * 0.2 * 0.5) / 4.0 * 0.999);
        // Runs of one and one, a gap of one before, of one between, of one after.
        assert_eq!(of("ab", "xayb_"), (-0.2 + 1.0 - 0.2 + 1.0 - 0.2 * 0.5) / 4.0 * 0.999);
        // The best start counts, not the first.
        assert!(of("ab", "a_ab") > of("ab", "a_xb"));
    }

    #[test]
    fn jaro_winkler_knows_the_pairs_of_the_literature() {
        let of = |left, right| (jaro_winkler(&characters(left), &characters(right)) * 1_000.0).round() / 1_000.0;
        for (left, right, want) in
            [("martha", "marhta", 0.961), ("dwayne", "duane", 0.84), ("dixon", "dicksonx", 0.813), ("a", "a", 1.0), ("a", "b", 0.0), ("", "a", 0.0)]
        {
            assert_eq!((of(left, right), of(right, left)), (want, want), "{left} {right}");
        }
    }
}

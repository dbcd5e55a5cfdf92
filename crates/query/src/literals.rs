//! Text that whatever matches a regular expression holds: indexes of text are asked for it, and lines without it need no match.

use regex_syntax::hir::{Class, Hir, HirKind};
use signalbox_model::{Phrase, re2};

/// Shorter texts are on every page.
const BYTES_MIN: usize = 3;
/// Alternatives of one clause; more cost more than they spare.
const ALTERNATIVES_MAX: usize = 32;
/// Groups within groups.
const DEPTH_MAX: usize = 32;

/// What every match of a pattern of Go's language holds somewhere: of each list one of the phrases.
pub(crate) fn required(pattern: &str) -> Vec<Vec<Phrase>> {
    let parsed = re2::translate(pattern).ok().and_then(|pattern| regex_syntax::parse(&pattern).ok());
    parsed.map_or_else(Vec::new, |hir| clauses(&hir, 0))
}

/// A run of characters that stand one behind the other.
#[derive(Debug, Default)]
struct Run {
    text: String,
    /// Whether a letter may be of either case.
    is_folded: bool,
}

impl Run {
    /// Ends the run.
    fn end(&mut self, clauses: &mut Vec<Vec<Phrase>>) {
        let run = std::mem::take(self);
        if run.text.len() >= BYTES_MIN {
            clauses.push(vec![Phrase { is_case_sensitive: !run.is_folded, ..Phrase::anywhere(run.text) }]);
        }
    }
}

fn clauses(hir: &Hir, depth: usize) -> Vec<Vec<Phrase>> {
    let mut found = Vec::new();
    let mut run = Run::default();
    walk(hir, depth, &mut run, &mut found);
    run.end(&mut found);
    found
}

/// Adds what a part holds; the run goes on into it, and out of it.
fn walk(hir: &Hir, depth: usize, run: &mut Run, found: &mut Vec<Vec<Phrase>>) {
    if depth > DEPTH_MAX {
        return run.end(found);
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => run.text.push_str(text),
            Err(_) => run.end(found),
        },
        HirKind::Class(class) => match either_case(class) {
            Some(letter) => {
                run.text.push(letter);
                run.is_folded = true;
            }
            None => run.end(found),
        },
        // A place, not a character.
        HirKind::Look(_) => {}
        HirKind::Capture(capture) => walk(&capture.sub, depth + 1, run, found),
        HirKind::Concat(parts) => parts.iter().for_each(|part| walk(part, depth + 1, run, found)),
        HirKind::Repetition(repetition) => {
            run.end(found);
            if repetition.min > 0 {
                found.extend(clauses(&repetition.sub, depth + 1));
            }
        }
        HirKind::Alternation(parts) => {
            run.end(found);
            // Of each part the clause that says most.
            let best = |part: &Hir| {
                let length = |clause: &Vec<Phrase>| clause.iter().map(|phrase| phrase.text.len()).min();
                clauses(part, depth + 1).into_iter().max_by_key(length)
            };
            let either: Option<Vec<Vec<Phrase>>> = parts.iter().map(best).collect();
            found.extend(either.map(|either| either.concat()).filter(|clause| clause.len() <= ALTERNATIVES_MAX));
        }
    }
}

/// The small letter of a class that is a letter of ASCII in either case and nothing else.
fn either_case(class: &Class) -> Option<char> {
    let letters: Vec<char> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start() == range.end()).then_some(range.start())).collect::<Option<_>>()?,
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start() == range.end()).then_some(char::from(range.start()))).collect::<Option<_>>()?,
    };
    match letters.as_slice() {
        [large, small] if large.is_ascii_uppercase() && large.to_ascii_lowercase() == *small => Some(*small),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pattern: &str) -> Vec<Vec<String>> {
        let text = |phrase: Phrase| format!("{}{}", phrase.text, if phrase.is_case_sensitive { "" } else { "*" });
        required(pattern).into_iter().map(|clause| clause.into_iter().map(text).collect()).collect()
    }

    #[test]
    fn what_every_match_holds_is_found() {
        assert_eq!(texts("timeout"), [["timeout"]]);
        assert_eq!(texts("^checksum (mismatch|error)$"), [vec!["checksum "], vec!["mismatch", "error"]]);
        assert_eq!(texts("(?i)time.?out"), [["time*"], ["out*"]]);
        assert_eq!(texts("user=[0-9]+ failed"), [["user="], [" failed"]]);
        assert_eq!(texts("(abc)+x(defg)*"), [["abc"]]);
        assert_eq!(texts("(?:abcd|x|efgh)"), Vec::<Vec<String>>::new());
        assert_eq!(texts("(abc def|ghi)jkl"), [vec!["abc def", "ghi"], vec!["jkl"]]);
        assert_eq!(texts("a|b"), Vec::<Vec<String>>::new());
        assert_eq!(texts(".*"), Vec::<Vec<String>>::new());
        assert_eq!(texts("Größe"), [["Größe"]]);
        assert_eq!(texts("("), Vec::<Vec<String>>::new());
    }

    #[test]
    fn letters_that_have_more_than_two_cases_end_a_text() {
        // The signs of Kelvin and the long s are others' letters too.
        assert_eq!(texts("(?i)timeskill"), [["time*"], ["ill*"]]);
    }

    #[test]
    fn matches_hold_what_is_required() {
        let patterns = ["ti(me|mb)out", "(?i)error|warn(ing)?", "[a-c]xyz{2}", "(a+bcd|efg)(hij)?k", "\\bword\\b", "(?i)ſtraße", "x{0}abc", "(?s)abc.def|ghi"];
        let lines =
            ["timeout", "timbout", "ERROR", "warning", "WARN", "axyzz", "aabcdhijk", "efgk", "a word here", "STRASSE", "ſtraße", "abc", "abc\ndef", "ghi"];
        for pattern in patterns {
            let regex = regex::Regex::new(pattern).expect("it is one");
            for line in lines.iter().filter(|line| regex.is_match(line)) {
                let holds = |phrase: &Phrase| match phrase.is_case_sensitive {
                    true => line.contains(&phrase.text),
                    false => line.to_ascii_lowercase().contains(&phrase.text.to_ascii_lowercase()),
                };
                assert!(required(pattern).iter().all(|clause| clause.iter().any(holds)), "{pattern} in {line}");
            }
        }
    }
}

//! Says what is wrong with a configuration so that the reader can mend it: the whole key, the line, the nearest known key.

use serde_norway::Error;

/// Edits that still count as a slip of the fingers, for a key of this length.
fn slips_max(length: usize) -> usize {
    (length / 3).max(2)
}

/// The complaint about an error of the YAML reader.
pub(super) fn about(error: &Error) -> String {
    let line = error.location().map(|location| format!("line {}: ", location.line())).unwrap_or_default();
    format!("{line}{}", without_line(error))
}

/// The same about a text whose lines nobody has seen.
pub(super) fn without_line(error: &Error) -> String {
    let text = error.to_string();
    let message = without_location(&text);
    unknown_key(message).unwrap_or_else(|| message.to_owned())
}

/// The reader ends its messages with the place, which stands at the front already.
fn without_location(message: &str) -> &str {
    match message.rfind(" at line ") {
        Some(at) if message[at..].contains(" column ") => &message[..at],
        _ => message,
    }
}

/// Serde's message is `[path: ]unknown field `key`, expected one of `a`, `b``; the names between the last backticks are the
/// known ones.
fn unknown_key(message: &str) -> Option<String> {
    let (path, rest) = match message.split_once(": unknown field `") {
        Some((path, rest)) => (format!("{path}."), rest),
        None => (String::new(), message.strip_prefix("unknown field `")?),
    };
    let (key, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    Some(match nearest(key, &known) {
        Some(near) => format!("unknown key `{path}{key}`: did you mean `{near}`?"),
        None if known.is_empty() => format!("unknown key `{path}{key}`: there are no keys here"),
        None => format!("unknown key `{path}{key}`: want one of {}", known.join(", ")),
    })
}

fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|candidate| (distance(key, candidate), *candidate));
    let (slips, near) = distances.min_by_key(|(slips, _)| *slips)?;
    (slips <= slips_max(key.chars().count())).then_some(near)
}

/// Insertions, deletions and replacements between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_slips() {
        for (left, right, slips) in
            [("listen", "listen", 0), ("lisen", "listen", 1), ("flush_intervall", "flush_interval", 1), ("", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), slips, "{left} {right}");
        }
    }

    #[test]
    fn far_words_are_not_proposed() {
        assert_eq!(nearest("colour", &["listen", "data_dir"]), None);
    }
}

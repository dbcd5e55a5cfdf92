//! Regular expressions that are matched anywhere in a text: TraceQL's are matched with the whole.

use signalbox_model::{Error, Result};

/// The expression that matches the whole of the texts in which another matches anywhere.
///
/// # Errors
/// `Invalid` for what Jaeger refuses too, since its storages do not agree on it: anchors, bounds of words, lazy repetition, flags.
pub(super) fn anywhere(pattern: &str) -> Result<String> {
    let refused = |what: &str| Err(Error::invalid(format!("cannot use regular expression {pattern:?} in a filter: it has {what}")));
    let (mut characters, mut is_in_class, mut is_repeated) = (pattern.chars().peekable(), false, false);
    while let Some(character) = characters.next() {
        let was_repeated = std::mem::replace(&mut is_repeated, false);
        match character {
            '\\' => match characters.next() {
                Some('b' | 'B' | 'A' | 'z' | 'Z') if !is_in_class => return refused("an anchor or a bound of words"),
                Some('Q') => return refused("quoted text"),
                _ => {}
            },
            ']' if is_in_class => is_in_class = false,
            _ if is_in_class => {}
            '[' => {
                is_in_class = true;
                // A bracket that comes first is one of the class.
                characters.next_if_eq(&'^');
                characters.next_if_eq(&']');
            }
            '^' | '$' => return refused("an anchor"),
            '?' if was_repeated => return refused("lazy repetition"),
            '*' | '+' | '?' | '}' => is_repeated = true,
            '(' if characters.next_if_eq(&'?').is_some() && characters.next_if_eq(&':').is_none() => return refused("flags or names"),
            _ => {}
        }
    }
    Ok(format!("(?s:.*)(?:{pattern})(?s:.*)"))
}

#[cfg(test)]
mod tests {
    use super::anywhere;

    #[test]
    fn what_storages_do_not_agree_on_is_refused() {
        for good in ["a", "[^a]", r"\^a\$", "[]^$]", "a?b+c*d{2}", "(?:a|b)", r"[\b]", ""] {
            assert_eq!(anywhere(good).unwrap(), format!("(?s:.*)(?:{good})(?s:.*)"));
        }
        for bad in ["^a", "a$", r"\bword", "a+?", "a??", "a{2}?", "(?i)a", "(?P<n>a)", r"\Qa\E", r"a\z"] {
            assert!(anywhere(bad).is_err(), "{bad}");
        }
    }
}

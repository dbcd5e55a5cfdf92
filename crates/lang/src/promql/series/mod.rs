//! The notation of series in tests of rules and of the language: `metric{label="value"} 1+2x3 _ stale {{schema:1 count:3 buckets:[1 2]}}x2`.

mod histogram;

use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Histogram, Labels, MatchOp};

use crate::duration;
use crate::promql::limits::SERIES_ITEMS_MAX;
use crate::promql::parse_matchers;

pub use histogram::{buckets, histogram_text};

/// One position of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// No sample.
    Gap,
    /// A number, or the staleness marker.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram.
        histogram: Box<Histogram>,
        /// Whether the reset hint was written and counts in a comparison.
        has_hint: bool,
    },
}

/// Labels and what follows them.
///
/// # Errors
/// What is wrong with the labels.
pub fn split_labels(line: &str) -> Result<(Labels, &str), String> {
    let end = labels_end(line)?;
    let (metric, rest) = line.split_at(end);
    Ok((labels(metric.trim())?, rest.trim()))
}

fn labels_end(line: &str) -> Result<usize, String> {
    let name = line.find(|character: char| character == '{' || character.is_whitespace()).unwrap_or(line.len());
    if !line[name..].starts_with('{') {
        return Ok(name);
    }
    let (mut quote, mut escaped) = (None, false);
    for (at, character) in line.char_indices().skip_while(|(at, _)| *at < name) {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '}') => return Ok(at + 1),
            _ => {}
        }
    }
    Err(format!("no end of the labels in {line:?}"))
}

/// Labels as a selector of equalities writes them.
///
/// # Errors
/// What is wrong with them.
pub fn labels(metric: &str) -> Result<Labels, String> {
    if metric.trim().is_empty() {
        return Ok(Labels::empty());
    }
    if metric.replace(' ', "") == "{}" {
        return Ok(Labels::empty());
    }
    let matchers = parse_matchers(metric).map_err(|error| error.message().to_owned())?;
    if let Some(matcher) = matchers.iter().find(|matcher| matcher.op != MatchOp::Equal) {
        return Err(format!("{matcher} is no label: want {}=\"...\"", matcher.name));
    }
    Ok(Labels::from_pairs(matchers.iter().map(|matcher| (&matcher.name, &matcher.value))))
}

/// The items of a series, repetitions written out.
///
/// # Errors
/// What cannot be read, or that there are more items than [`SERIES_ITEMS_MAX`].
pub fn items(text: &str) -> Result<Vec<Item>, String> {
    let (mut items, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let end = item_end(rest)?;
        expand(&rest[..end], &mut items).map_err(|error| format!("{:?}: {error}", &rest[..end]))?;
        rest = rest[end..].trim_start();
    }
    Ok(items)
}

/// Spaces separate items, but not between the braces of a histogram.
fn item_end(text: &str) -> Result<usize, String> {
    let mut depth = 0i32;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if character.is_whitespace() && depth == 0 => return Ok(at),
            _ => {}
        }
    }
    if depth == 0 { Ok(text.len()) } else { Err(format!("unbalanced braces in {text:?}")) }
}

fn expand(item: &str, items: &mut Vec<Item>) -> Result<(), String> {
    if let Some(rest) = item.strip_prefix('_') {
        let times = if rest.is_empty() { 1 } else { repeats(rest)? };
        has_room(items, times)?;
        items.extend(std::iter::repeat_n(Item::Gap, times));
    } else if item.starts_with("{{") {
        expand_histogram(item, items)?;
    } else {
        let (first, rest) = number(item)?;
        if rest.is_empty() {
            items.push(Item::Float(first));
            return Ok(());
        }
        let (step, rest) = if rest.starts_with('x') { (0.0, rest) } else { number(rest)? };
        let (mut value, times) = (first, repeats(rest)?);
        has_room(items, times.saturating_add(1))?;
        for _ in 0..=times {
            items.push(Item::Float(value));
            // A stale marker stays the stale marker: adding would keep it a NaN, not necessarily this one.
            if step != 0.0 {
                value += step;
            }
        }
    }
    Ok(())
}

fn has_room(items: &[Item], more: usize) -> Result<(), String> {
    if items.len().saturating_add(more) > SERIES_ITEMS_MAX { Err(format!("want at most {SERIES_ITEMS_MAX} items")) } else { Ok(()) }
}

fn expand_histogram(item: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let ((mut current, has_hint), rest) = histogram::read(item)?;
    if rest.is_empty() {
        items.push(Item::Histogram { histogram: Box::new(current), has_hint });
        return Ok(());
    }
    let (step, rest) = match rest.split_at_checked(1).unwrap_or_default() {
        ("x", _) => (None, rest),
        ("+", step) => (Some((step, 1.0)), ""),
        ("-", step) => (Some((step, -1.0)), ""),
        _ => return Err(format!("{rest:?} is no repetition")),
    };
    let (step, rest) = match step {
        None => (None, rest),
        Some((text, sign)) => {
            let ((step, _), rest) = histogram::read(text)?;
            (Some((step, sign)), rest)
        }
    };
    let times = repeats(rest)?;
    has_room(items, times.saturating_add(1))?;
    for time in 0..=times {
        items.push(Item::Histogram { histogram: Box::new(current.clone()), has_hint });
        if let Some((step, sign)) = &step
            && time < times
        {
            current = histogram::add(&current, step, *sign)?;
        }
    }
    Ok(())
}

fn repeats(text: &str) -> Result<usize, String> {
    text.strip_prefix('x').and_then(|count| count.parse().ok()).ok_or_else(|| format!("{text:?} is no repetition"))
}

/// A number at the start of a text. `0x5` is the number 0, five times more.
fn number(text: &str) -> Result<(f64, &str), String> {
    if let Some(rest) = text.strip_prefix("stale") {
        return Ok((f64::from_bits(STALE_NAN_BITS), rest));
    }
    let sign = usize::from(text.starts_with(['+', '-']));
    let unsigned = &text[sign..];
    let word = unsigned.get(..3).filter(|word| word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan"));
    let end = match word {
        Some(_) => 3,
        None => {
            let mut previous = ' ';
            let is_part = |character: char| {
                let is_part =
                    character.is_ascii_digit() || matches!(character, '.' | 'e' | 'E') || (matches!(character, '+' | '-') && matches!(previous, 'e' | 'E'));
                previous = character;
                is_part
            };
            unsigned.len() - unsigned.trim_start_matches(is_part).len()
        }
    };
    let value = text[..sign + end].parse().map_err(|_| format!("{text:?} is no number"))?;
    Ok((value, &text[sign + end..]))
}

/// Offsets of start timestamps in milliseconds: `_ -1m -30s-1mx2 *x3`.
///
/// # Errors
/// What cannot be read, or that there are more than [`SERIES_ITEMS_MAX`].
pub fn starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts: Vec<Option<i64>> = Vec::new();
    for item in text.split_whitespace() {
        let previous = starts.iter().rev().find_map(|start| *start).unwrap_or(0);
        let repeats = |text: &str| repeats(text).and_then(|times| starts_have_room(starts.len(), times));
        match item.split_at_checked(1).unwrap_or_default() {
            ("_", "") => starts.push(None),
            ("_", rest) => starts.extend(std::iter::repeat_n(None, repeats(rest)?)),
            ("*", "") => starts.push(Some(previous)),
            ("*", rest) => starts.extend(std::iter::repeat_n(Some(previous), repeats(rest)? + 1)),
            _ => {
                let (first, rest) = offset(item)?;
                if rest.is_empty() {
                    starts.push(Some(first));
                    continue;
                }
                let (step, rest) = if rest.starts_with('x') { (0, rest) } else { offset(rest)? };
                for position in 0..=repeats(rest)? {
                    starts.push(Some(first + step * position as i64));
                }
            }
        }
    }
    Ok(starts)
}

fn starts_have_room(known: usize, more: usize) -> Result<usize, String> {
    if known.saturating_add(more) >= SERIES_ITEMS_MAX { Err(format!("want at most {SERIES_ITEMS_MAX} items")) } else { Ok(more) }
}

fn offset(text: &str) -> Result<(i64, &str), String> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = unsigned.len() - unsigned.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let unit = unsigned[digits..].find(|character: char| !character.is_ascii_alphabetic() || character == 'x').map_or(unsigned.len(), |end| digits + end);
    let length = duration::parse_ms(&unsigned[..unit]).map_err(|error| error.to_string())?;
    Ok((if text.starts_with('-') { -length } else { length }, &unsigned[unit..]))
}

#[cfg(test)]
mod tests;

//! The notation of series: `metric{label="value"} 1+2x3 _ stale {{schema:1 count:3 buckets:[1 2]}}x2`.

use signalbox_lang::duration;
use signalbox_lang::promql::parse_matchers;
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Histogram, Labels};

use super::histogram;

/// One position of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// No sample.
    Gap,
    Float(f64),
    /// `has_hint`: whether the reset hint was written and counts in a comparison.
    Histogram {
        histogram: Histogram,
        has_hint: bool,
    },
}

/// Labels and what follows them.
pub(super) fn split_labels(line: &str) -> Result<(Labels, &str), String> {
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

pub(super) fn labels(metric: &str) -> Result<Labels, String> {
    if metric.replace(' ', "") == "{}" {
        return Ok(Labels::empty());
    }
    let matchers = parse_matchers(metric).map_err(|error| error.to_string())?;
    Ok(Labels::from_pairs(matchers.iter().map(|matcher| (&matcher.name, &matcher.value))))
}

/// The items of a series, repetitions written out.
pub(super) fn items(text: &str) -> Result<Vec<Item>, String> {
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

fn expand_histogram(item: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let ((mut current, has_hint), rest) = histogram::read(item)?;
    if rest.is_empty() {
        items.push(Item::Histogram { histogram: current, has_hint });
        return Ok(());
    }
    let (step, rest) = match rest.split_at(1) {
        ("x", _) => (None, rest),
        (sign, step) => {
            let ((step, _), rest) = histogram::read(step)?;
            (Some((step, if sign == "-" { -1.0 } else { 1.0 })), rest)
        }
    };
    for _ in 0..=repeats(rest)? {
        items.push(Item::Histogram { histogram: current.clone(), has_hint });
        if let Some((step, sign)) = &step {
            current = histogram::add(&current, step, *sign);
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
pub(super) fn starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts: Vec<Option<i64>> = Vec::new();
    for item in text.split_whitespace() {
        let previous = starts.iter().rev().find_map(|start| *start).unwrap_or(0);
        match item.split_at(1) {
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

fn offset(text: &str) -> Result<(i64, &str), String> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = unsigned.len() - unsigned.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let unit = unsigned[digits..].find(|character: char| !character.is_ascii_alphabetic() || character == 'x').map_or(unsigned.len(), |end| digits + end);
    let length = duration::parse_ms(&unsigned[..unit]).map_err(|error| error.to_string())?;
    Ok((if text.starts_with('-') { -length } else { length }, &unsigned[unit..]))
}

#[test]
fn reads_the_notation_of_series() {
    let floats = |text: &str| -> Vec<f64> {
        let item = |item| if let Item::Float(value) = item { value } else { f64::NEG_INFINITY };
        items(text).unwrap().into_iter().map(item).collect()
    };
    assert_eq!(floats("5 2+3x2 _ 0x1 -1-2x1 1e-2x0"), [5.0, 2.0, 5.0, 8.0, f64::NEG_INFINITY, 0.0, 0.0, -1.0, -3.0, 0.01]);
    assert_eq!(floats("_x2 Inf"), [f64::NEG_INFINITY, f64::NEG_INFINITY, f64::INFINITY]);
    assert_eq!(floats("stale stalex1").iter().map(|value| value.to_bits()).collect::<Vec<_>>(), [STALE_NAN_BITS; 3]);
    assert!(floats("NaN")[0].is_nan());
    assert_eq!(
        starts("_ -1m -30s-1mx1 *x1 0 +1ms").unwrap(),
        [None, Some(-60_000), Some(-30_000), Some(-90_000), Some(-90_000), Some(-90_000), Some(0), Some(1)]
    );
    let (labels, rest) = split_labels(r#"m{a="}\" x", b='`'} 1 2"#).unwrap();
    assert_eq!((labels.metric_name(), labels.get("a"), labels.get("b"), rest), ("m", Some("}\" x"), Some("`"), "1 2"));
    for wrong in ["x", "1x", "1+x2", "{{schema:1}", "{{colour:1}}", "stale2"] {
        assert!(items(wrong).is_err(), "{wrong}");
    }
}

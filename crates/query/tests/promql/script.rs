//! Scripts: lines become commands. The grammar is in the README beside the scripts.

use regex::Regex;
use signalbox_lang::duration;
use signalbox_lang::promql::series::{self, Item};
use signalbox_model::Labels;
use signalbox_query::promql::Times;

#[derive(Debug)]
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

#[derive(Debug)]
pub(super) struct Load {
    pub(super) step_ms: i64,
    /// Whether classic histograms are loaded as native ones with custom buckets, too.
    pub(super) with_native: bool,
    /// Labels, items, and the offset of the start timestamp of each.
    pub(super) series: Vec<(Labels, Vec<Item>, Vec<Option<i64>>)>,
}

#[derive(Debug)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) times: Times,
    /// Times of the expected samples when an instant query answers with a range vector.
    pub(super) samples_at: Option<Times>,
    pub(super) is_ordered: bool,
    /// `Some` if it must fail; with what message if that was said.
    pub(super) fails: Option<Pattern>,
    pub(super) warnings: Annotations,
    pub(super) infos: Annotations,
    pub(super) text: Option<String>,
    pub(super) scalar: Option<f64>,
    pub(super) series: Vec<(Labels, Vec<Item>)>,
}

#[derive(Debug, Default)]
pub(super) struct Annotations {
    pub(super) are_forbidden: bool,
    pub(super) patterns: Vec<Pattern>,
}

/// What a message must look like.
#[derive(Debug)]
pub(super) enum Pattern {
    Any,
    Message(String),
    Regex(Regex),
}

impl Pattern {
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(want) => want == message,
            Self::Regex(regex) => regex.is_match(message),
        }
    }

    fn read(kind: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        match kind {
            "" => Ok(Self::Any),
            "msg" => Ok(Self::Message(text.to_owned())),
            _ => Regex::new(text).map(Self::Regex).map_err(|error| error.to_string()),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let (mut commands, mut at) = (Vec::new(), 0);
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let word = line.split_whitespace().next().unwrap_or("");
        if word.is_empty() {
            continue;
        }
        let below = lines[at..].iter().position(|line| line.is_empty()).map_or(lines.len(), |length| at + length);
        let located = |error: String| format!("line {number}: {error}");
        match word {
            "clear" => {
                commands.push(Command::Clear);
                continue;
            }
            "load" | "load_with_nhcb" => commands.push(Command::Load(load(line, &lines[at..below]).map_err(located)?)),
            _ if word.starts_with("eval") => commands.push(Command::Eval(Box::new(eval(number, line, &lines[at..below]).map_err(located)?))),
            _ => return Err(located(format!("unknown command {word:?}"))),
        }
        at = below;
    }
    Ok(commands)
}

fn milliseconds(text: &str) -> Result<i64, String> {
    duration::parse_ms(text.trim()).map_err(|error| error.to_string())
}

fn load(line: &str, below: &[&str]) -> Result<Load, String> {
    let (word, step) = line.split_once(char::is_whitespace).ok_or("no step")?;
    let mut load = Load { step_ms: milliseconds(step)?, with_native: word == "load_with_nhcb", series: Vec::new() };
    let (mut starts_of_next, mut starts_of_all) = (None, Vec::new());
    for line in below {
        let first = line.split_whitespace().next().unwrap_or("");
        if let Some(metric) = first.strip_suffix("@st") {
            let starts = series::starts(&line[first.len()..])?;
            if metric.is_empty() {
                starts_of_all = starts;
            } else {
                starts_of_next = Some((series::labels(metric)?, starts));
            }
            continue;
        }
        let (labels, rest) = series::split_labels(line)?;
        let items = series::items(rest)?;
        let starts = match starts_of_next.take() {
            Some((of, starts)) if of == labels && starts.len() == items.len() => starts,
            Some((of, starts)) => return Err(format!("{} start timestamps of {of} do not fit {} items of {labels}", starts.len(), items.len())),
            None if starts_of_all.is_empty() => vec![None; items.len()],
            None => starts_of_all.iter().copied().cycle().take(items.len()).collect(),
        };
        load.series.push((labels, items, starts));
    }
    Ok(load)
}

fn eval(line: usize, head: &str, below: &[&str]) -> Result<Eval, String> {
    let instant = Regex::new(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$").unwrap();
    let range = Regex::new(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$").unwrap();
    let (found, times, query) = if let Some(found) = instant.captures(head) {
        let times = Times::Instant(milliseconds(&found[2])?);
        let query = found[3].to_owned();
        (found, times, query)
    } else if let Some(found) = range.captures(head) {
        let times = Times::Range { start_ms: milliseconds(&found[2])?, end_ms: milliseconds(&found[3])?, step_ms: milliseconds(&found[4])? };
        let query = found[5].to_owned();
        (found, times, query)
    } else {
        return Err("neither an instant nor a range".into());
    };
    let modifier = found.get(1).map_or("", |modifier| modifier.as_str());
    let any = |word: &str| if modifier == word { vec![Pattern::Any] } else { Vec::new() };
    let mut eval = Eval {
        line,
        query,
        times,
        samples_at: None,
        is_ordered: modifier == "ordered",
        fails: (modifier == "fail").then_some(Pattern::Any),
        warnings: Annotations { are_forbidden: false, patterns: any("warn") },
        infos: Annotations { are_forbidden: false, patterns: any("info") },
        text: None,
        scalar: None,
        series: Vec::new(),
    };
    for line in below {
        expectation(&mut eval, line)?;
    }
    if eval.warnings.are_forbidden && !eval.warnings.patterns.is_empty() || eval.infos.are_forbidden && !eval.infos.patterns.is_empty() {
        return Err("annotations are expected and forbidden".into());
    }
    Ok(eval)
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    let range_vector = Regex::new(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$").unwrap();
    let expect = Regex::new(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$").unwrap();
    if let Some(found) = range_vector.captures(line) {
        let times = Times::Range { start_ms: milliseconds(&found[1])?, end_ms: milliseconds(&found[2])?, step_ms: milliseconds(&found[3])? };
        eval.samples_at = Some(times);
    } else if let Some(literal) = line.strip_prefix("expect string ") {
        eval.text = Some(signalbox_lang::text::read_quoted(literal, 0)?.value);
    } else if let Some(found) = expect.captures(line) {
        let pattern = || Pattern::read(found.get(2).map_or("", |kind| kind.as_str()), found.get(3).map_or("", |text| text.as_str()));
        match &found[1] {
            "ordered" => eval.is_ordered = true,
            "fail" => eval.fails = Some(pattern()?),
            "warn" => eval.warnings.patterns.push(pattern()?),
            "info" => eval.infos.patterns.push(pattern()?),
            "no_warn" => eval.warnings.are_forbidden = true,
            _ => eval.infos.are_forbidden = true,
        }
    } else if line.split(' ').next() == Some("expect") {
        return Err(format!("unknown expectation {line:?}"));
    } else if let Some(message) = line.strip_prefix("expected_fail_message") {
        eval.fails = Some(Pattern::Message(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        eval.fails = Some(Pattern::read("regex", pattern)?);
    } else if let Some(value) = scalar(line) {
        eval.scalar = Some(value);
    } else {
        let (labels, rest) = series::split_labels(line)?;
        let items = series::items(rest)?;
        if items.is_empty() || (items.len() > 1 && matches!(eval.times, Times::Instant(_)) && eval.samples_at.is_none()) {
            return Err(format!("{} values of {labels} at an instant", items.len()));
        }
        eval.series.push((labels, items));
    }
    Ok(())
}

/// A line that is only a number.
fn scalar(line: &str) -> Option<f64> {
    let hexadecimal = line.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
    line.parse().ok().or(hexadecimal.map(|value| value as f64))
}

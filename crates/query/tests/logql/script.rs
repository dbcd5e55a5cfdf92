//! Scripts: lines become commands. The grammar is in the README beside the scripts.

use signalbox_lang::go_duration;

pub(super) enum Command {
    Clear,
    Load(Vec<Entries>),
    Eval(Box<Eval>),
}

/// Entries of one stream.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    pub(super) labels: Vec<(String, String)>,
    pub(super) metadata: Vec<(String, String)>,
    /// `{{.i}}` is the number of the entry.
    pub(super) line: String,
    pub(super) start_ns: i64,
    pub(super) every_ns: i64,
    pub(super) count: i64,
}

#[derive(Debug)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// 0: at an instant.
    pub(super) step_ns: i64,
    pub(super) want: Want,
}

/// Labels, and a point a step.
pub(super) type Wanted = (Vec<(String, String)>, Vec<Option<f64>>);

#[derive(Debug)]
pub(super) enum Want {
    Scalar(f64),
    /// Labels and a point a step.
    Series {
        is_ordered: bool,
        series: Vec<Wanted>,
    },
    Failure(Message),
}

#[derive(Debug)]
pub(super) enum Message {
    Any,
    Holds(String),
    Matches(regex::Regex),
}

/// A text that is read from the front.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self) -> &mut Self {
        self.0 = self.0.trim_start();
        self
    }

    fn takes(&mut self, text: &str) -> bool {
        self.skip();
        let Some(rest) = self.0.strip_prefix(text) else { return false };
        self.0 = rest;
        true
    }

    fn expects(&mut self, text: &str) -> Result<(), String> {
        if self.takes(text) { Ok(()) } else { Err(format!("want {text:?} at {:?}", self.0)) }
    }

    fn word(&mut self) -> &'a str {
        self.skip();
        let end = self.0.find(|character: char| character.is_whitespace() || "=,]}".contains(character)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.skip();
        let quote = self.0.chars().next().filter(|quote| "\"`".contains(*quote)).ok_or_else(|| format!("no quote at {:?}", self.0))?;
        let end = self.0[1..].find(quote).ok_or("an open quote")?;
        let text = &self.0[1..=end];
        self.0 = &self.0[end + 2..];
        Ok(text.to_owned())
    }

    fn duration(&mut self) -> Result<i64, String> {
        duration(self.word())
    }

    /// `name="value"` up to a closing character.
    fn labels(&mut self, close: &str) -> Result<Vec<(String, String)>, String> {
        let mut labels = Vec::new();
        while !self.takes(close) {
            self.takes(",");
            self.skip();
            let name = if self.0.starts_with('"') { self.quoted()? } else { self.word().to_owned() };
            self.expects("=")?;
            labels.push((name, self.quoted()?));
        }
        labels.sort();
        Ok(labels)
    }
}

fn duration(text: &str) -> Result<i64, String> {
    if text == "0" { Ok(0) } else { go_duration::parse(text).ok_or_else(|| format!("no duration: {text:?}")) }
}

/// A line without its comment.
fn bare(line: &str) -> &str {
    let mut quote = None;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return line[..at].trim_end(),
            (None, '"' | '`') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    line.trim_end()
}

pub(super) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(at, line)| (at + 1, line)).collect();
    let (mut commands, mut at) = (Vec::new(), 0);
    while let Some((number, line)) = lines.get(at).copied() {
        at += 1;
        let line = bare(line);
        if line.is_empty() {
            continue;
        }
        let mut below = Vec::new();
        while let Some((_, line)) = lines.get(at).filter(|(_, line)| line.starts_with([' ', '\t']) && !line.trim().is_empty()) {
            at += 1;
            let line = bare(line).trim();
            if !line.is_empty() {
                below.push(line);
            }
        }
        let located = |error: String| format!("line {number}: {error}");
        commands.push(match line {
            "clear" => Command::Clear,
            "load" => Command::Load(below.into_iter().map(entries).collect::<Result<_, _>>().map_err(located)?),
            _ => Command::Eval(Box::new(eval(number, line, &below).map_err(located)?)),
        });
    }
    Ok(commands)
}

fn entries(line: &str) -> Result<Entries, String> {
    let mut cursor = Cursor(line);
    cursor.expects("{")?;
    let labels = cursor.labels("}")?;
    let line = cursor.quoted()?;
    cursor.expects("@")?;
    let mut entries = Entries { labels, metadata: Vec::new(), line, start_ns: cursor.duration()?, every_ns: 0, count: 1 };
    while cursor.takes("[") {
        if cursor.takes("repeat every") {
            entries.every_ns = cursor.duration()?;
            cursor.expects("for")?;
            entries.count = cursor.word().parse().map_err(|_| "no count")?;
            cursor.expects("]")?;
        } else {
            cursor.expects("metadata")?;
            entries.metadata = cursor.labels("]")?;
        }
    }
    if cursor.skip().0.is_empty() { Ok(entries) } else { Err(format!("more than a stream: {:?}", cursor.0)) }
}

fn eval(line: usize, text: &str, below: &[&str]) -> Result<Eval, String> {
    let mut cursor = Cursor(text);
    cursor.expects("eval")?;
    let (start_ns, end_ns, step_ns);
    if cursor.takes("instant at") {
        start_ns = cursor.duration()?;
        (end_ns, step_ns) = (start_ns, 0);
    } else {
        cursor.expects("range from")?;
        start_ns = cursor.duration()?;
        cursor.expects("to")?;
        end_ns = cursor.duration()?;
        cursor.expects("step")?;
        step_ns = cursor.duration()?;
    }
    let query = cursor.skip().0.to_owned();
    let (mut is_ordered, mut series, mut want) = (false, Vec::new(), None);
    for line in below.iter().filter(|line| !line.starts_with("skip ")) {
        let mut cursor = Cursor(line);
        if cursor.takes("expect") {
            if cursor.takes("ordered") {
                is_ordered = true;
            } else if cursor.takes("fail") {
                let message = if cursor.takes("msg:") {
                    Message::Holds(cursor.skip().0.to_owned())
                } else if cursor.takes("regex:") {
                    Message::Matches(regex::Regex::new(cursor.skip().0).map_err(|error| error.to_string())?)
                } else {
                    Message::Any
                };
                want = Some(Want::Failure(message));
            } else {
                cursor.expects("empty")?;
                want = Some(Want::Series { is_ordered: false, series: Vec::new() });
            }
        } else if cursor.takes("{") {
            let labels = cursor.labels("}")?;
            series.push((labels, points(cursor.0)?));
        } else {
            want = Some(Want::Scalar(number(line)?));
        }
    }
    let want = match want {
        Some(want) if series.is_empty() => want,
        None if !series.is_empty() => Want::Series { is_ordered, series },
        _ => return Err("not one kind of result".into()),
    };
    Ok(Eval { line, query, start_ns, end_ns, step_ns, want })
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("no number: {text:?}"))
}

fn points(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut points = Vec::new();
    for word in text.split_whitespace() {
        if word == "_" {
            points.push(None);
        } else if let Some((values, count)) = word.split_once('x') {
            let count: usize = count.parse().map_err(|_| format!("no count: {word:?}"))?;
            let sign = values[1..].rfind(['+', '-']).map(|at| at + 1);
            let (base, step) = match sign {
                Some(at) => (number(&values[..at])?, number(&values[at..])?),
                None => (number(values)?, 0.0),
            };
            points.extend((0..=count).map(|at| Some(base + step * at as f64)));
        } else {
            points.push(Some(number(word)?));
        }
    }
    Ok(points)
}

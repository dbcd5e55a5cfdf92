//! Label matchers: `name op value`, the filter that all three query languages share.

use std::fmt;

use crate::{Error, Labels, Result, re2};

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOp {
    /// The operator as written in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A compiled label matcher. A label that a series lacks has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Label name; `__name__` for the metric name.
    pub name: String,
    /// How to compare.
    pub op: MatchOp,
    /// What to compare with: literal text or the source of the regular expression, as written.
    pub value: String,
    regex: Option<regex::Regex>,
}

impl Matcher {
    /// Bound on the compiled size of one expression: a hostile pattern is refused, not compiled for seconds.
    const REGEX_BYTES_MAX: usize = 1 << 20;
    /// Bound on the length of one pattern.
    const PATTERN_BYTES_MAX: usize = 16 << 10;

    /// A matcher, its regular expression compiled (RE2 syntax, anchored, `.` matches newline as in Prometheus).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] if the regular expression does not parse or is too large.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                if value.len() > Self::PATTERN_BYTES_MAX {
                    return Err(Error::invalid(format!(
                        "cannot compile regular expression of {} bytes: want at most {}",
                        value.len(),
                        Self::PATTERN_BYTES_MAX
                    )));
                }
                let cannot = |why: &str| Error::invalid(format!("cannot compile regular expression {value:?}: {why}"));
                let anchored = format!("^(?s:{})$", re2::translate(&value).map_err(cannot)?);
                let compiled = regex::RegexBuilder::new(&anchored).size_limit(Self::REGEX_BYTES_MAX).build();
                Some(compiled.map_err(|error| cannot(&reason(&error)))?)
            }
        };
        Ok(Self { name, op, value, regex })
    }

    /// A matcher for equality, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Whether a value of the label matches.
    pub fn matches(&self, value: &str) -> bool {
        let regex_matches = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.op {
            MatchOp::Equal => self.value == value,
            MatchOp::NotEqual => self.value != value,
            MatchOp::Regex => regex_matches(),
            MatchOp::NotRegex => !regex_matches(),
        }
    }

    /// Whether a series without the label matches.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Whether a series with these labels matches.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }
}

/// What is wrong with an expression, in one line: the library also draws the expression with our anchors around it.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.op == other.op && self.value == other.value
    }
}

impl Eq for Matcher {}

impl std::hash::Hash for Matcher {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.name, self.op, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

//! What a rule asks, in one of the languages.

use signalbox_lang::promql::{self, Expr, ValueType};
use signalbox_lang::traceql::tree::{Query, Root};
use signalbox_lang::{logql, traceql};
use signalbox_model::Result;
use signalbox_query::sql;

/// The languages that rules are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// Of metrics, as in Prometheus.
    #[default]
    Promql,
    /// Of logs: metric queries.
    Logql,
    /// Of spans: metrics queries.
    Traceql,
    /// Of all three.
    Sql,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Promql, Self::Logql, Self::Traceql, Self::Sql];

    /// The word in rule files and APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promql => "promql",
            Self::Logql => "logql",
            Self::Traceql => "traceql",
            Self::Sql => "sql",
        }
    }

    /// The language that a word names.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == word)
    }
}

/// An expression that answers a vector.
#[derive(Debug, Clone)]
pub enum Expression {
    /// An instant vector or a scalar.
    Promql(Box<Expr>),
    /// A metric query, asked at an instant.
    Logql(Box<logql::MetricExpr>),
    /// A metrics query, asked as one step that ends at an instant.
    Traceql {
        /// The query.
        query: Box<Query>,
        /// How long the step is; the interval of the rule if nothing is said.
        range_ms: Option<i64>,
    },
    /// One `SELECT` with a column `value`.
    Sql(String),
}

impl Expression {
    /// Parses a text and checks that it can answer a vector.
    ///
    /// # Errors
    /// What is wrong, in the words of `promtool`.
    pub(crate) fn parse(language: Language, text: &str, range_ms: Option<i64>) -> Result<Self, String> {
        match language {
            Language::Promql => {
                let expr = parsed(promql::parse(text))?;
                // Prometheus finds this out at every evaluation.
                match expr.value_type() {
                    ValueType::Vector | ValueType::Scalar => Ok(Self::Promql(Box::new(expr))),
                    other => Err(format!("could not use expression: it is a {}: want an instant vector or a scalar", other.as_str())),
                }
            }
            Language::Logql => match parsed(logql::parse(text))? {
                logql::Expr::Metric(expr) => Ok(Self::Logql(Box::new(expr))),
                logql::Expr::Logs(_) => Err("could not use expression: it answers log lines: want a metric query, such as sum(rate({...}[5m]))".to_owned()),
            },
            Language::Traceql => {
                let query = parsed(traceql::parse_query(text))?;
                match query.root {
                    Root::Metrics(_) => Ok(Self::Traceql { query: Box::new(query), range_ms }),
                    Root::Spansets(_) => Err("could not use expression: it answers traces: want a metrics query, such as {...} | rate()".to_owned()),
                }
            }
            Language::Sql => parsed(sql::check_vector(text)).map(|()| Self::Sql(text.trim().to_owned())),
        }
    }

    /// How far back of its instant it looks, where the rule says so and not the expression.
    pub fn range_ms(&self) -> Option<i64> {
        match self {
            Self::Traceql { range_ms, .. } => *range_ms,
            Self::Promql(_) | Self::Logql(_) | Self::Sql(_) => None,
        }
    }

    /// The language that it is written in.
    pub fn language(&self) -> Language {
        match self {
            Self::Promql(_) => Language::Promql,
            Self::Logql(_) => Language::Logql,
            Self::Traceql { .. } => Language::Traceql,
            Self::Sql(_) => Language::Sql,
        }
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Promql(expr) => expr.fmt(f),
            Self::Logql(expr) => expr.fmt(f),
            Self::Traceql { query, .. } => query.fmt(f),
            Self::Sql(text) => f.write_str(text),
        }
    }
}

fn parsed<T>(result: Result<T, signalbox_model::Error>) -> Result<T, String> {
    result.map_err(|error| format!("could not parse expression: {}", error.message()))
}

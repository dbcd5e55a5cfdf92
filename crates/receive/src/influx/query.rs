//! The few statements of InfluxQL that senders make before they write: which databases are there, make one, which retention
//! policies has it. Everything else is refused by name: questions are asked in PromQL.

use serde_json::{Value, json};

/// Longest text of statements, in bytes.
pub const QUERY_BYTES_MAX: usize = 16 << 10;
/// Statements of one request.
const STATEMENTS_MAX: usize = 100;

/// What senders ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `SHOW DATABASES`.
    ShowDatabases,
    /// `CREATE DATABASE name`; retention that it asks for has no effect.
    CreateDatabase {
        /// The name.
        name: String,
        /// Whether it says more than the name.
        has_options: bool,
    },
    /// `SHOW RETENTION POLICIES`, of whatever database.
    ShowRetentionPolicies,
    /// `CREATE RETENTION POLICY` and `ALTER RETENTION POLICY`: has no effect.
    ChangeRetentionPolicy,
}

/// Reads statements.
///
/// # Errors
/// A sentence for the sender, if one is wrong or not among those that are answered.
pub fn parse(text: &str) -> Result<Vec<Statement>, String> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(format!("cannot take query: it has {} bytes: want at most {QUERY_BYTES_MAX}", text.len()));
    }
    let mut statements = Vec::new();
    for tokens in tokens(text)?.split(|token| *token == Token::End).filter(|tokens| !tokens.is_empty()) {
        if statements.len() == STATEMENTS_MAX {
            return Err(format!("cannot take query: want at most {STATEMENTS_MAX} statements"));
        }
        statements.push(statement(tokens)?);
    }
    if statements.is_empty() { Err("missing required parameter \"q\"".to_owned()) } else { Ok(statements) }
}

fn statement(tokens: &[Token]) -> Result<Statement, String> {
    let words: Vec<String> = tokens.iter().take(3).map(Token::keyword).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["SHOW", "DATABASES"] => Ok(Statement::ShowDatabases),
        ["SHOW", "RETENTION", "POLICIES"] => Ok(Statement::ShowRetentionPolicies),
        ["CREATE" | "ALTER", "RETENTION", "POLICY"] => Ok(Statement::ChangeRetentionPolicy),
        ["CREATE", "DATABASE", _] => match &tokens[2] {
            Token::Word(name) | Token::Quoted(name) if !name.is_empty() => Ok(Statement::CreateDatabase { name: name.clone(), has_options: tokens.len() > 3 }),
            _ => Err("error parsing query: found no name of a database".to_owned()),
        },
        _ => Err(format!(
            "cannot answer the InfluxQL statement that begins with {:?}: of InfluxQL only SHOW DATABASES, CREATE DATABASE and SHOW, CREATE or ALTER RETENTION POLICY are answered; ask in PromQL at /api/v1/query",
            words.join(" ").trim_end()
        )),
    }
}

/// The answer to statements. `databases` are those that are known.
pub fn answer(statements: &[Statement], databases: &[String]) -> Value {
    let results: Vec<Value> = statements.iter().enumerate().map(|(at, statement)| result(at, statement, databases)).collect();
    json!({ "results": results })
}

fn result(at: usize, statement: &Statement, databases: &[String]) -> Value {
    let retention = || json!([{"level": "warning", "text": "how long data is kept is set in the configuration of Signalbox: store.retention"}]);
    match statement {
        Statement::ShowDatabases => {
            let names: Vec<[&String; 1]> = databases.iter().map(|name| [name]).collect();
            json!({"statement_id": at, "series": [{"name": "databases", "columns": ["name"], "values": names}]})
        }
        Statement::ShowRetentionPolicies => json!({"statement_id": at, "series": [{
            "columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
            "values": [["autogen", "0s", "168h0m0s", 1, true]],
        }]}),
        Statement::CreateDatabase { has_options: true, .. } | Statement::ChangeRetentionPolicy => json!({"statement_id": at, "messages": retention()}),
        Statement::CreateDatabase { .. } => json!({"statement_id": at}),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// Stood in double quotes.
    Quoted(String),
    /// Any other letter, or a text in single quotes.
    Other(String),
    /// `;`.
    End,
}

impl Token {
    fn keyword(&self) -> String {
        match self {
            Self::Word(word) => word.to_ascii_uppercase(),
            Self::Quoted(name) => format!("\"{name}\""),
            Self::Other(text) => text.clone(),
            Self::End => String::new(),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            ';' => (Token::End, 1),
            '"' | '\'' => {
                let (inner, length) = quoted(rest, first)?;
                (if first == '"' { Token::Quoted(inner) } else { Token::Other(inner) }, length)
            }
            letter if is_word(letter) => {
                let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            other => (Token::Other(other.to_string()), other.len_utf8()),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// What stands in quotes, and how many bytes it takes with them.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut inner = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, 'n')) => inner.push('\n'),
                Some((_, escaped)) => inner.push(escaped),
                None => break,
            },
            _ if letter == quote => return Ok((inner, at + 1)),
            _ => inner.push(letter),
        }
    }
    Err(format!("error parsing query: missing closing {quote}"))
}

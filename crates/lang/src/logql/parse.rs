//! Parser of LogQL: recursive descent over tokens, with bounds on length, nesting and number of filters.

use signalbox_model::{Error, ErrorKind, MatchOp, Matcher, Result};

use super::ast::{BinaryExpr, BinaryOp, Expr, LineFilter, LineOp, LinePattern, LogExpr, MetricExpr, Stage};
use super::lex::{Token, error_at, tokens};
use crate::Span;

/// Bytes of one query.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Depth of parentheses.
pub const NESTING_MAX: usize = 64;
/// Matchers, and filters with their alternatives, of one query.
pub const FILTERS_MAX: usize = 1_000;

/// Functions and aggregations that LogQL has and we do not speak yet.
const FUNCTIONS: [&str; 37] = [
    "rate",
    "rate_counter",
    "count_over_time",
    "bytes_rate",
    "bytes_over_time",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
    "absent_over_time",
    "sum",
    "avg",
    "max",
    "min",
    "count",
    "stddev",
    "stdvar",
    "bottomk",
    "topk",
    "approx_topk",
    "sort",
    "sort_desc",
    "label_replace",
    "variants",
    "on",
    "ignoring",
    "by",
    "without",
    "offset",
    "bool",
    "group_left",
    "group_right",
];

/// Stages behind a `|` that LogQL has and we do not speak yet.
const STAGES: [&str; 13] =
    ["json", "logfmt", "regexp", "pattern", "unpack", "unwrap", "label_format", "line_format", "decolorize", "drop", "keep", "distinct", "label_replace"];

/// Parses a query.
///
/// # Errors
/// `TooLarge` beyond [`TEXT_BYTES_MAX`]; `Invalid` with the place for a text that is no LogQL, and with the words "not
/// supported yet" for what is LogQL and not spoken.
pub fn parse(text: &str) -> Result<Expr> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("cannot parse a query of {} bytes: want at most {TEXT_BYTES_MAX}", text.len())));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, filters: 0 };
    let expr = parser.expr(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.trailing()),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    filters: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        // The last token is the end, and stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(next) if *next == sign);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.accept(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn error(&self, reason: &str) -> Error {
        error_at(self.text, self.tokens[self.at].1, reason)
    }

    fn unexpected(&self, want: &str) -> Error {
        let found = match self.peek() {
            Token::End => "end of query".to_owned(),
            _ => format!("{:?}", self.tokens[self.at].1.of(self.text)),
        };
        self.error(&format!("syntax error: unexpected {found}, want {want}"))
    }

    fn unsupported(&self, what: &str) -> Error {
        self.error(&format!("not supported yet: {what}"))
    }

    /// An operand, and operators that bind stronger than `floor`.
    fn expr(&mut self, floor: u8) -> Result<Expr> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error(&format!("query nests deeper than {NESTING_MAX}")));
        }
        let mut left = self.operand()?;
        while let Some(op) = self.arithmetic_op().filter(|op| op.precedence() > floor) {
            let Expr::Metric(left_operand) = left else { return Err(self.unexpected("the end of the query")) };
            self.next();
            let Expr::Metric(right) = self.expr(op.precedence())? else { return Err(self.unexpected("a vector")) };
            self.filters += 1;
            if self.filters > FILTERS_MAX {
                return Err(self.error(&format!("query has more than {FILTERS_MAX} operators")));
            }
            left = Expr::Metric(MetricExpr::Binary(Box::new(BinaryExpr { op, left: left_operand, right, returns_bool: false, matching: None })));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn arithmetic_op(&self) -> Option<BinaryOp> {
        match self.peek() {
            Token::Sign("+") => Some(BinaryOp::Add),
            Token::Sign("-") => Some(BinaryOp::Subtract),
            Token::Sign("*") => Some(BinaryOp::Multiply),
            Token::Sign("/") => Some(BinaryOp::Divide),
            _ => None,
        }
    }

    fn operand(&mut self) -> Result<Expr> {
        match self.peek().clone() {
            Token::Sign("{") => self.logs().map(Expr::Logs),
            Token::Sign("(") => {
                self.next();
                let inner = self.expr(0)?;
                self.expect(")")?;
                match inner {
                    Expr::Logs(logs) => self.filters(logs).map(Expr::Logs),
                    vector => Ok(vector),
                }
            }
            Token::Name(name) if name == "vector" => {
                self.next();
                self.expect("(")?;
                let is_negative = self.accept("-");
                let Token::Number(value) = *self.peek() else { return Err(self.unexpected("a number")) };
                self.next();
                self.expect(")")?;
                Ok(Expr::Metric(MetricExpr::Constant(if is_negative { -value } else { value })))
            }
            Token::Name(name) if FUNCTIONS.contains(&name.as_str()) => Err(self.unsupported(&format!("{name}()"))),
            Token::Number(_) => Err(self.unsupported("numbers outside vector()")),
            _ => Err(self.unexpected("a selector such as {service_name=\"checkout\"}")),
        }
    }

    fn logs(&mut self) -> Result<LogExpr> {
        self.expect("{")?;
        let mut matchers = Vec::new();
        if !self.accept("}") {
            loop {
                matchers.push(self.matcher()?);
                if matchers.len() > FILTERS_MAX {
                    return Err(self.error(&format!("query has more than {FILTERS_MAX} matchers")));
                }
                if self.accept("}") {
                    break;
                }
                if !self.accept(",") {
                    return Err(self.unexpected(", or }"));
                }
            }
        }
        if matchers.iter().all(Matcher::matches_empty) {
            let reason = "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, \
                          app=~\".*\" does not meet this requirement, but app=~\".+\" will";
            return Err(self.error(reason));
        }
        self.filters(LogExpr { matchers, stages: Vec::new() })
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let Token::Name(name) = self.peek().clone() else { return Err(self.unexpected("the name of a label or }")) };
        self.next();
        let op = match self.peek() {
            Token::Sign("=") => MatchOp::Equal,
            Token::Sign("!=") => MatchOp::NotEqual,
            Token::Sign("=~") => MatchOp::Regex,
            Token::Sign("!~") => MatchOp::NotRegex,
            _ => return Err(self.unexpected("=, !=, =~ or !~")),
        };
        self.next();
        let Token::Text(value) = self.peek().clone() else { return Err(self.unexpected("a string")) };
        let matcher = Matcher::new(name, op, value).map_err(|error| self.error(error.message()))?;
        self.next();
        Ok(matcher)
    }

    fn filters(&mut self, mut logs: LogExpr) -> Result<LogExpr> {
        loop {
            let op = match self.peek() {
                Token::Sign("|=") => LineOp::Contains,
                Token::Sign("!=") => LineOp::NotContains,
                Token::Sign("|~") => LineOp::Matches,
                Token::Sign("!~") => LineOp::NotMatches,
                Token::Sign("|>" | "!>") => return Err(self.unsupported("pattern line filters")),
                Token::Sign("|") => return Err(self.stage()),
                Token::Sign("[") => return Err(self.unsupported("ranges")),
                _ => return Ok(logs),
            };
            self.next();
            let mut alternatives = vec![self.filter_text(op)?];
            while matches!(self.peek(), Token::Name(name) if name == "or") {
                self.next();
                alternatives.push(self.filter_text(op)?);
            }
            logs.stages.push(Stage::Line(LineFilter { op, alternatives }));
        }
    }

    fn filter_text(&mut self, op: LineOp) -> Result<LinePattern> {
        match self.peek().clone() {
            Token::Text(text) => {
                self.filters += 1;
                if self.filters > FILTERS_MAX {
                    return Err(self.error(&format!("query has more than {FILTERS_MAX} line filters")));
                }
                if op.is_regex() {
                    // Only to prove that it is one; who evaluates compiles it for itself.
                    Matcher::new("line", MatchOp::Regex, text.as_str()).map_err(|error| self.error(error.message()))?;
                }
                self.next();
                Ok(LinePattern::Text(text))
            }
            Token::Name(name) if name == "ip" => Err(self.unsupported("ip()")),
            _ => Err(self.unexpected("a string")),
        }
    }

    /// The error for what follows a `|`.
    fn stage(&mut self) -> Error {
        self.next();
        match self.peek() {
            Token::Name(name) if STAGES.contains(&name.as_str()) => self.unsupported(&format!("| {name}")),
            Token::Name(_) | Token::Sign("(") => self.unsupported("label filters"),
            _ => self.unexpected("a stage of the pipeline"),
        }
    }

    /// The error for what follows a complete query.
    fn trailing(&self) -> Error {
        match self.peek() {
            Token::Name(name) if FUNCTIONS.contains(&name.as_str()) => self.unsupported(name),
            Token::Sign(sign @ ("==" | "!=" | ">" | "<" | ">=" | "<=" | "%" | "^")) => self.unsupported(&format!("operator {sign}")),
            Token::Name(name) if matches!(name.as_str(), "and" | "or" | "unless") => self.unsupported(&format!("operator {name}")),
            _ => self.unexpected("the end of the query"),
        }
    }
}

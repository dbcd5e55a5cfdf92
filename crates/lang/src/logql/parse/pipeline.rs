//! Selectors of streams and the stages behind them.

use signalbox_model::{MatchOp, Matcher, Result};

use super::super::ast::{Extraction, LabelChoice, LabelFormat, LabelFormatValue, LineFilter, LineOp, LinePattern, LogExpr, Parser as ParserStage, Stage};
use super::super::lex::Token;
use super::super::pattern;
use super::Parser;

impl Parser<'_> {
    /// Selector and pipeline.
    pub(super) fn logs(&mut self) -> Result<LogExpr> {
        let mut logs = self.selector()?;
        self.pipeline(&mut logs.stages)?;
        Ok(logs)
    }

    pub(super) fn selector(&mut self) -> Result<LogExpr> {
        let place = self.at;
        self.expect("{")?;
        let mut matchers = Vec::new();
        if !self.accept("}") {
            if self.name().is_none() {
                return Err(self.unexpected("IDENTIFIER or }"));
            }
            matchers = self.list(|parser| {
                let label = parser.label()?;
                parser.matcher(label)
            })?;
            if !self.accept("}") {
                return Err(self.unexpected("} or ,"));
            }
        }
        if matchers.iter().all(Matcher::matches_empty) {
            let reason = "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, \
                          app=~\".*\" does not meet this requirement, but app=~\".+\" will";
            return Err(self.error_before(place, reason));
        }
        Ok(LogExpr { matchers, stages: Vec::new() })
    }

    /// Stages, up to what is none.
    pub(super) fn pipeline(&mut self, stages: &mut Vec<Stage>) -> Result<()> {
        loop {
            let op = match self.peek() {
                Token::Sign("|=") => LineOp::Contains,
                Token::Sign("!=") => LineOp::NotContains,
                Token::Sign("|~") => LineOp::Matches,
                Token::Sign("!~") => LineOp::NotMatches,
                Token::Sign("|>") => LineOp::HasPattern,
                Token::Sign("!>") => LineOp::LacksPattern,
                Token::Sign("|") if !self.is_unwrap() => {
                    self.count()?;
                    self.advance();
                    stages.push(self.stage()?);
                    continue;
                }
                _ => return Ok(()),
            };
            self.advance();
            let mut alternatives = vec![self.line_pattern(op)?];
            while self.accept_word("or") {
                alternatives.push(self.line_pattern(op)?);
            }
            stages.push(Stage::Line(LineFilter { op, alternatives }));
        }
    }

    fn line_pattern(&mut self, op: LineOp) -> Result<LinePattern> {
        self.count()?;
        let place = self.at;
        if self.is_word("ip") {
            if !matches!(op, LineOp::Contains | LineOp::NotContains) {
                return Err(self.error(&format!("ip() is not allowed with {}", op.as_str())));
            }
            self.advance();
            return Ok(LinePattern::Ip(self.string_in_parentheses()?));
        }
        let Token::Text(_) = self.peek() else { return Err(self.unexpected("STRING or ip")) };
        let text = self.string()?;
        // Only to prove that they are what they should be; who evaluates compiles them for itself.
        let proof = match op {
            LineOp::Matches | LineOp::NotMatches => Matcher::new("line", MatchOp::Regex, text.as_str()).map(drop),
            LineOp::HasPattern | LineOp::LacksPattern => pattern::parse_filter(&text).map(drop),
            LineOp::Contains | LineOp::NotContains => Ok(()),
        };
        proof.map_err(|error| self.error_before(place, error.message()))?;
        Ok(LinePattern::Text(text))
    }

    pub(super) fn string_in_parentheses(&mut self) -> Result<String> {
        self.expect("(")?;
        let text = self.string()?;
        self.expect(")")?;
        Ok(text)
    }

    /// What follows a `|`.
    fn stage(&mut self) -> Result<Stage> {
        let Some(name) = self.name() else { return self.label_filter().map(Stage::Label) };
        let stage = name.to_ascii_lowercase();
        // A word with a comparison behind it is a label, but for stages after which a line filter may stand.
        let stands_alone = matches!(stage.as_str(), "json" | "logfmt" | "unpack" | "decolorize");
        let is_label = match self.peek_second() {
            Token::Sign("!=" | "!~") => !stands_alone,
            Token::Sign("=" | "=~" | "==" | ">" | ">=" | "<" | "<=") => true,
            _ => false,
        };
        if is_label {
            return self.label_filter().map(Stage::Label);
        }
        match stage.as_str() {
            "json" => {
                self.advance();
                Ok(Stage::Parser(ParserStage::Json(self.extractions()?)))
            }
            "logfmt" => {
                self.advance();
                self.logfmt()
            }
            "regexp" => self.regexp(),
            "pattern" => self.pattern(),
            "unpack" => {
                self.advance();
                Ok(Stage::Parser(ParserStage::Unpack))
            }
            "line_format" => {
                self.advance();
                self.string().map(Stage::LineFormat)
            }
            "label_format" => self.label_format(),
            "decolorize" => {
                self.advance();
                Ok(Stage::Decolorize)
            }
            "drop" => {
                self.advance();
                self.list(Self::label_choice).map(Stage::Drop)
            }
            "keep" => {
                self.advance();
                self.list(Self::label_choice).map(Stage::Keep)
            }
            _ => self.label_filter().map(Stage::Label),
        }
    }

    fn logfmt(&mut self) -> Result<Stage> {
        let (mut is_strict, mut keeps_empty) = (false, false);
        while let Token::Flag(flag) = *self.peek() {
            is_strict |= flag == "--strict";
            keeps_empty |= flag == "--keep-empty";
            self.advance();
        }
        Ok(Stage::Parser(ParserStage::Logfmt { is_strict, keeps_empty, extractions: self.extractions()? }))
    }

    /// `a, b="c"`, if a name follows.
    fn extractions(&mut self) -> Result<Vec<Extraction>> {
        if self.name().is_none() {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let label = parser.label()?.to_owned();
            let expression = if parser.accept("=") { parser.string()? } else { label.clone() };
            Ok(Extraction { label, expression })
        })
    }

    fn regexp(&mut self) -> Result<Stage> {
        self.advance();
        let place = self.at;
        let text = self.string()?;
        let invalid = |reason: &str| self.error_before(place, &format!("invalid regexp parser: {reason}"));
        let mut names = group_names(&text);
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(&format!("duplicate extracted label name '{}'", pair[0])));
        }
        let compiled = Matcher::new("line", MatchOp::Regex, text.as_str());
        compiled.map_err(|error| invalid(&format!("error parsing regexp: {}", error.message())))?;
        if names.is_empty() {
            return Err(invalid("at least one named capture must be supplied"));
        }
        Ok(Stage::Parser(ParserStage::Regexp(text)))
    }

    fn pattern(&mut self) -> Result<Stage> {
        self.advance();
        let place = self.at;
        let text = self.string()?;
        pattern::parse_parser(&text).map_err(|error| self.error_before(place, &format!("invalid pattern parser: {}", error.message())))?;
        Ok(Stage::Parser(ParserStage::Pattern(text)))
    }

    fn label_format(&mut self) -> Result<Stage> {
        self.advance();
        let place = self.at;
        let formats = self.list(|parser| {
            let label = parser.label()?.to_owned();
            parser.expect("=")?;
            let value = match parser.peek() {
                Token::Text(_) => LabelFormatValue::Template(parser.string()?),
                Token::Name => LabelFormatValue::Rename(parser.label()?.to_owned()),
                _ => return Err(parser.unexpected("IDENTIFIER or STRING")),
            };
            Ok(LabelFormat { label, value })
        })?;
        let mut labels: Vec<&str> = formats.iter().map(|format| format.label.as_str()).collect();
        labels.sort_unstable();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.error_before(place, &format!("multiple label name '{}' not allowed in a single format operation", pair[0])));
        }
        if labels.contains(&"__error__") {
            return Err(self.error_before(place, "__error__ cannot be formatted"));
        }
        Ok(Stage::LabelFormat(formats))
    }

    fn label_choice(&mut self) -> Result<LabelChoice> {
        let label = self.label()?;
        if self.match_op().is_none() || !matches!(self.peek_second(), Token::Text(_)) {
            return Ok(LabelChoice::Name(label.to_owned()));
        }
        self.matcher(label).map(LabelChoice::Matcher)
    }
}

/// Names of the groups of a regular expression that compiles.
fn group_names(pattern: &str) -> Vec<&str> {
    let (mut names, mut in_class, mut rest) = (Vec::new(), false, pattern);
    while let Some(at) = rest.find(['\\', '[', ']', '(']) {
        let found = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match found {
            b'\\' => rest = rest.strip_prefix(|_: char| true).unwrap_or(rest),
            b'[' => in_class = true,
            b']' => in_class = false,
            _ if in_class => {}
            _ => {
                let name = rest.strip_prefix("?P<").or_else(|| rest.strip_prefix("?<"));
                names.extend(name.and_then(|name| name.split_once('>')).map(|(name, _)| name));
            }
        }
    }
    names
}

//! The records of a window: selector, pipeline, unwrapped label, length and offset, in the many orders that Loki reads.

use signalbox_model::Result;

use super::super::ast::{Conversion, LogExpr, LogRange, Unwrap};
use super::super::lex::Token;
use super::Parser;

/// A window whose length may not have been read yet.
struct Partial {
    logs: LogExpr,
    unwrap: Option<Unwrap>,
    window: Option<(i64, i64)>,
}

impl Parser<'_> {
    pub(super) fn log_range(&mut self) -> Result<LogRange> {
        let partial = self.partial_range()?;
        match partial.window {
            Some((range_ns, offset_ns)) => Ok(LogRange { logs: partial.logs, unwrap: partial.unwrap, range_ns, offset_ns }),
            // Stages could follow as well: too many to name.
            None => Err(self.unexpected("")),
        }
    }

    fn partial_range(&mut self) -> Result<Partial> {
        let mut partial = if self.is_sign("(") {
            self.enter()?;
            self.advance();
            let inner = self.partial_range()?;
            self.expect(")")?;
            self.leave();
            inner
        } else if self.is_sign("{") {
            let mut partial = Partial { logs: self.selector()?, unwrap: None, window: None };
            self.stages(&mut partial)?;
            partial
        } else {
            return Err(self.unexpected("{ or ("));
        };
        if partial.window.is_none()
            && let Token::Range(range_ns) = *self.peek()
        {
            self.advance();
            partial.window = Some((range_ns, self.offset()?));
            if partial.logs.stages.is_empty() && partial.unwrap.is_none() {
                self.stages(&mut partial)?;
            }
        }
        Ok(partial)
    }

    fn stages(&mut self, partial: &mut Partial) -> Result<()> {
        self.pipeline(&mut partial.logs.stages)?;
        if self.is_unwrap() {
            partial.unwrap = Some(self.unwrap()?);
        }
        Ok(())
    }

    fn offset(&mut self) -> Result<i64> {
        if !self.accept_word("offset") {
            return Ok(0);
        }
        self.duration()
    }

    /// A duration with an optional sign, in nanoseconds.
    pub(super) fn duration(&mut self) -> Result<i64> {
        let is_negative = self.accept("-");
        let Token::Duration(nanoseconds) = *self.peek() else { return Err(self.unexpected("DURATION")) };
        self.advance();
        Ok(if is_negative { -nanoseconds } else { nanoseconds })
    }

    /// Whether `| unwrap label` follows, not a condition on a label of that name.
    pub(super) fn is_unwrap(&self) -> bool {
        let word = |at: usize| {
            self.tokens.get(self.at + at).is_some_and(|(token, span)| *token == Token::Name && (at != 1 || span.of(self.text).eq_ignore_ascii_case("unwrap")))
        };
        self.is_sign("|") && word(1) && word(2)
    }

    fn unwrap(&mut self) -> Result<Unwrap> {
        self.count()?;
        self.advance();
        self.advance();
        let conversion = self.name().and_then(Conversion::of).filter(|_| matches!(self.peek_second(), Token::Sign("(")));
        let (label, conversion) = match conversion {
            Some(conversion) => {
                self.advance();
                self.expect("(")?;
                let label = self.label()?.to_owned();
                self.expect(")")?;
                (label, conversion)
            }
            None => (self.label()?.to_owned(), Conversion::None),
        };
        let mut filters = Vec::new();
        while self.accept("|") {
            filters.push(self.label_filter()?);
        }
        Ok(Unwrap { label, conversion, filters })
    }
}

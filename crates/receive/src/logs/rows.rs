//! Rows of a decoder that writes columns itself, unless rules want to see each record first.

use signalbox_model::Batch;
use signalbox_model::builder::LogBuilder;

use super::Assembler;
use crate::door::{Context, Decoded, Rejections};

/// Columns of the records of one request.
#[derive(Debug)]
pub(crate) enum Rows<'c> {
    /// Written by the decoder, field by field.
    Direct(Box<LogBuilder>),
    /// Handed over as records, for rules.
    Records(Box<Assembler<'c>>),
}

impl<'c> Rows<'c> {
    /// For the rules of a door, if it has any.
    pub(crate) fn new(context: &Context<'c>) -> Self {
        if context.transform.is_some() { Self::Records(Box::new(Assembler::new(context))) } else { Self::Direct(Box::default()) }
    }

    /// Announces the scope of the rows that follow: its JSON form. Rules do not see it.
    pub(crate) fn set_scope(&mut self, json: &str) {
        match self {
            Self::Direct(builder) => builder.set_scope(json),
            Self::Records(assembler) => assembler.set_scope(json),
        }
    }

    /// What a door hands on, with what it refused itself.
    pub(crate) fn finish(self, rejections: Rejections) -> Decoded {
        let mut rejected = rejections.finish();
        match self {
            Self::Direct(builder) => {
                let batches = if builder.is_empty() { Vec::new() } else { vec![Batch::Logs(builder.finish())] };
                Decoded { batches, rejected, points: None }
            }
            Self::Records(assembler) => {
                let decoded = assembler.finish();
                rejected.extend(decoded.rejected);
                Decoded { rejected, ..decoded }
            }
        }
    }
}

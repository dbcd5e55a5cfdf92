//! What a pipeline asks of records before it runs: text that they must hold, and what of them it looks at.

use signalbox_lang::logql::Stage;
use signalbox_lang::logql::ast::{Grouping, Parser};
use signalbox_model::text::TextFilter;

use super::super::lines::phrases;
use super::Compiled;
use super::unwrap::Unwrapper;

/// What a pipeline needs.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// What the line of every record that passes holds.
    pub text: TextFilter,
    /// Names of all labels that the pipeline and its result can look at; `None`: any.
    pub labels: Option<Vec<String>>,
    /// Whether a stage looks at the line. Who answers with lines needs it anyway.
    pub line: bool,
    /// Names of labels that stages look at.
    stage_labels: Option<Vec<String>>,
}

impl Needs {
    pub(super) fn of(stages: &[Stage], compiled: &[Compiled], unwrap: Option<&Unwrapper>) -> Self {
        let mut needs = Self::default();
        let mut names = Vec::new();
        compiled.iter().for_each(|stage| stage.labels(&mut names));
        if let Some(unwrap) = unwrap {
            unwrap.labels(&mut names);
        }
        names.sort_unstable();
        names.dedup();
        needs.stage_labels = Some(names);
        let mut is_original = true;
        for stage in stages {
            match stage {
                Stage::Line(filter) => {
                    needs.line = true;
                    if is_original {
                        needs.text.clauses.extend(phrases(filter));
                    }
                }
                Stage::Parser(parser) => {
                    needs.line = true;
                    is_original &= !matches!(parser, Parser::Unpack);
                }
                // A template may show any label.
                Stage::LabelFormat(_) => (needs.line, needs.stage_labels) = (true, None),
                Stage::LineFormat(_) => (needs.line, needs.stage_labels, is_original) = (true, None, false),
                Stage::Decolorize => (needs.line, is_original) = (true, false),
                Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_) => {}
            }
        }
        needs
    }

    /// Of the result only the labels of a grouping are wanted.
    pub(super) fn keep_grouped(&mut self, grouping: &Grouping) {
        if grouping.is_without {
            return;
        }
        self.labels = self.stage_labels.clone().map(|mut names| {
            names.extend(grouping.labels.iter().cloned());
            names.sort_unstable();
            names.dedup();
            names
        });
    }
}

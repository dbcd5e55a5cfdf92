//! Names and values of labels, from the indexes: of the series that have one, as many are looked at as it takes to find one that
//! is shown, and no labels are put together.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;
use signalbox_model::{Matcher, Result, SeriesRef, TimeRange};

use super::matching::{judge, select};
use super::view::{MetricView, SELECTED, ordinals};

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Listed<'a> {
    /// Names of labels.
    Names,
    /// Values of a label.
    Values(&'a str),
}

impl MetricView {
    /// Names of labels of the series that match one of the sets, of all series if there is none.
    pub(crate) fn label_names(&self, sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
        self.list(sets, range, Listed::Names)
    }

    /// Values of a label of the series that match one of the sets, of all series if there is none.
    pub(crate) fn label_values(&self, name: &str, sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
        self.list(sets, range, Listed::Values(name))
    }

    fn list(&self, sets: &[Vec<Matcher>], range: TimeRange, listed: Listed<'_>) -> Result<BTreeSet<String>> {
        let (everything, mut texts) = ([Vec::new()], BTreeSet::new());
        for matchers in if sets.is_empty() { &everything } else { sets } {
            for segment in self.segments(SELECTED, range) {
                let index = segment.index()?;
                let mask = segment.mask(&index)?;
                let wanted = if matchers.is_empty() { None } else { Some(ordinals(segment, matchers)?) };
                let is_wanted = |ordinal: u32| wanted.as_ref().is_none_or(|wanted| wanted.contains(ordinal));
                for (text, series) in index.listed(listed) {
                    if !texts.contains(text) && series.iter().any(|ordinal| is_wanted(*ordinal) && segment.shows(&index, &mask, *ordinal, range)) {
                        texts.insert(text.to_owned());
                    }
                }
            }
            self.list_head(matchers, range, listed, &mut texts);
        }
        Ok(texts)
    }

    fn list_head(&self, matchers: &[Matcher], range: TimeRange, listed: Listed<'_>, texts: &mut BTreeSet<String>) {
        // What the segments show already is most of it; only the rest is copied while the table is locked.
        let unknown: Vec<(String, RoaringBitmap)> = {
            let table = self.head.table.read();
            let wanted = (!matchers.is_empty()).then(|| select(matchers, &*table, &mut |matcher| judge(matcher, &*table).into()));
            let narrowed = |series: RoaringBitmap| wanted.as_ref().map_or(series.clone(), |wanted| wanted & &series);
            table.listed(listed, &mut |text| !texts.contains(text)).map(|(text, series)| (text.to_owned(), narrowed(series))).collect()
        };
        for (text, series) in unknown {
            let is_shown = |series: u32| self.head.parts.iter().any(|part| part.buffers.has_sample(SeriesRef(series), &part.shown, range));
            if series.into_iter().any(is_shown) {
                texts.insert(text);
            }
        }
    }
}

//! Prometheus' text format: what the clients' own parser refuses.

use std::collections::{HashMap, HashSet};

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{MetricKind, Result};

use super::{Verdict, at_line, refuse};
use crate::exposition::number;
use crate::exposition::text::{Dialect, Event, Page, labels};

pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let mut page = Page::new(bytes, Dialect::Prometheus);
    let mut judge = Judge::default();
    while let Some(event) = page.next_event(b"")? {
        judge.event(event).map_err(|why| at_line(&page, &why))?;
    }
    Ok(())
}

#[derive(Default)]
struct Judge {
    kinds: HashMap<String, MetricKind>,
    helps: HashSet<String>,
    sampled: HashSet<String>,
}

impl Judge {
    fn event(&mut self, event: Event<'_>) -> Verdict {
        match event {
            Event::Kind { family, .. } if self.sampled.contains(family) => refuse("TYPE after the samples of the family"),
            Event::Kind { family, kind } => match self.kinds.insert(family.to_owned(), kind) {
                Some(_) => refuse("a second TYPE of the family"),
                None => Ok(()),
            },
            Event::Help { family, help } if !help.is_empty() && !self.helps.insert(family.to_owned()) => refuse("a second HELP of the family"),
            Event::Help { .. } | Event::Unit { .. } => Ok(()),
            Event::Sample(sample) => self.series(sample.series),
        }
    }

    fn series(&mut self, series: &[u8]) -> Verdict {
        if series.contains(&b'\n') {
            return refuse("a line breaks within a label");
        }
        let mut rest = series.iter();
        while let Some(byte) = rest.next() {
            if *byte == b'\\' && !matches!(rest.next(), Some(b'\\' | b'n' | b'"')) {
                return refuse("a backslash stands before something else than a backslash, a quote or n");
            }
        }
        let labels = labels(series, Dialect::Prometheus, MetricKind::Unknown).map_err(|error| error.to_string())?;
        let get = |name: &str| labels.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str());
        let name = get(METRIC_NAME).unwrap_or_default();
        let family = self.family(name);
        let bound = match self.kinds.get(family) {
            Some(MetricKind::Histogram) if name.ends_with("_bucket") => Some("le"),
            Some(MetricKind::Summary) if name == family => Some("quantile"),
            _ => None,
        };
        if let Some(bound) = bound
            && get(bound).is_some_and(|value| number::parse(value.as_bytes()).is_none())
        {
            return refuse(format!("label {bound:?} is no number"));
        }
        let family = family.to_owned();
        self.sampled.insert(family);
        Ok(())
    }

    /// The family that a name belongs to: a histogram or a summary has names with suffixes.
    fn family<'n>(&self, name: &'n str) -> &'n str {
        let stems = ["_bucket", "_sum", "_count"].into_iter().filter_map(|suffix| name.strip_suffix(suffix));
        stems.into_iter().find(|stem| matches!(self.kinds.get(*stem), Some(MetricKind::Histogram | MetricKind::Summary))).unwrap_or(name)
    }
}

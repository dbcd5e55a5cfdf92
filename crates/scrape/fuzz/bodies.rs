//! What every target does with one input: a plain function, so that the tests run it too, on stable.

use signalbox_model::{ErrorKind, MetricKind, Result};
use signalbox_scrape::exposition::protobuf::{self, Point, Wanted};
use signalbox_scrape::exposition::strict;
use signalbox_scrape::exposition::text::{Dialect, Event, Page, labels};

/// Understood, or refused as wrong.
fn understood_or_refused<T>(result: Result<T>) -> Option<T> {
    result.inspect_err(|error| assert_eq!(error.kind(), ErrorKind::Invalid, "{error}")).ok()
}

/// A page read with and without expectations says the same.
fn text(bytes: &[u8], dialect: Dialect) {
    let (mut page, mut expecting, mut kind) = (Page::new(bytes, dialect), Page::new(bytes, dialect), MetricKind::Unknown);
    let mut expected: Vec<u8> = Vec::new();
    while let Some(Some(event)) = understood_or_refused(page.next_event(b"")) {
        assert_eq!(expecting.next_event(&expected).ok().flatten().map(|event| format!("{event:?}")), Some(format!("{event:?}")));
        match event {
            Event::Kind { kind: new, .. } => kind = new,
            Event::Sample(sample) => {
                understood_or_refused(labels(sample.series, dialect, kind));
                expected = sample.series.to_vec();
            }
            _ => {}
        }
    }
    understood_or_refused(strict::check(bytes, dialect));
}

/// Prometheus' text format.
pub(crate) fn exposition_text(bytes: &[u8]) {
    text(bytes, Dialect::Prometheus);
}

/// OpenMetrics.
pub(crate) fn exposition_open_metrics(bytes: &[u8]) {
    text(bytes, Dialect::OpenMetrics);
}

/// Delimited protobuf, with every way to look at histograms.
pub(crate) fn exposition_protobuf(bytes: &[u8]) {
    for choice in 0..8 {
        let wanted = Wanted { native: choice & 1 > 0, classic_too: choice & 2 > 0, convert: choice & 4 > 0 };
        let mut page = protobuf::Page::new(bytes);
        while let Some(Some(family)) = understood_or_refused(page.next_family()) {
            for metric in family.metrics().map_while(understood_or_refused) {
                let mut series = Vec::new();
                let take = &mut |point: Point<'_>| {
                    family.write_series(&metric, &point, &mut series);
                    family.labels(&metric, &point).map(|_| ())
                };
                understood_or_refused(family.points(&metric, wanted, take));
            }
        }
    }
}

//! `cargo +nightly fuzz run template`: no text makes the parser or the evaluator panic, hang or grow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_alert::template::{Context, Expansion, QueryAnswers, Sample, SampleValue, Template};
use signalbox_model::Labels;

fuzz_target!(|text: &str| {
    let Ok(template) = Template::parse("Fuzz", text) else { return };
    let labels = Labels::from_pairs([("__name__", "up"), ("instance", "a:80"), ("job", "<j>")]);
    let value = SampleValue::Float(1.5);
    let context = Context { labels: &labels, value: &value, now_ms: 1_700_000_000_000, external_labels: &labels, external_url: "http://h/p" };
    let mut answers = QueryAnswers::default();
    while let Expansion::Needs(query) = template.expand(&context, &answers) {
        answers.insert(query, Ok(vec![Sample { labels: labels.clone(), value: value.clone() }]));
    }
});

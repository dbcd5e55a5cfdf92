//! `cargo +nightly fuzz run rule_group`: no text that is set as a group makes it panic, and what is kept can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_alert::rule_text::{self, Implied};

fuzz_target!(|text: &str| {
    for implied in [Implied::Promql, Implied::Either] {
        if let Ok((kept, group)) = rule_text::read("fuzz", text, implied) {
            let (again, same) = rule_text::read("fuzz", &kept, Implied::Promql).expect("what is kept can be read");
            assert_eq!((again, same.name), (kept, group.name));
        }
    }
});

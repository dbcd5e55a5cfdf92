//! `cargo +nightly fuzz run promql`: no input makes the parser panic, and what it accepts prints to text that it accepts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_lang::promql;

fuzz_target!(|text: &str| {
    if let Ok(expr) = promql::parse(text) {
        let printed = expr.to_string();
        let again = promql::parse(&printed).expect("printed text parses");
        assert_eq!(again.to_string(), printed);
        promql::prettify(&expr);
    }
    let _either = promql::parse_matchers(text);
});

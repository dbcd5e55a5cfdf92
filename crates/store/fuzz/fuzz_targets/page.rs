//! Any bytes as a page of a segment: a page or an error, never a panic nor memory by a claim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_store::format::check_page;

fuzz_target!(|data: &[u8]| {
    let _is_page = check_page(data);
});

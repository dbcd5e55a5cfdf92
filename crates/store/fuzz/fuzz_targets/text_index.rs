//! Any bytes as the index of text of a segment: an index or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_store::format::check_text_index;

fuzz_target!(|data: &[u8]| {
    let Some(([pages, prints, grams], rest)) = data.split_first_chunk::<3>() else { return };
    let (prints, rest) = rest.split_at(rest.len().min(usize::from(*prints)));
    let (grams, index) = rest.split_at(rest.len().min(usize::from(*grams)));
    for text in ["timeout", "10.0.0.1", "deadbeef0123", "größe"] {
        let _pages_or_error = check_text_index(index, prints, grams, u64::from(*pages) * 8192, text);
        // Behind a good start, so that the fuzzer gets to what lies there.
        let start = [b"SBXTXT\0\x02\x80\x40".as_slice(), &[*pages], index].concat();
        let _pages_or_error = check_text_index(&start, prints, grams, u64::from(*pages) * 8192, text);
    }
});

//! Any bytes in any encoding: the limit holds, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_receive::Budget;
use signalbox_receive::compression::{Encoding, decompress};

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (which, bytes) = input;
    let encoding = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy][usize::from(which % 4)];
    let mut share = Budget::new(16 << 20).share();
    if let Ok(plain) = decompress(encoding, bytes.into(), 1 << 20, &mut share) {
        assert!(plain.len() <= 1 << 20);
    }
});

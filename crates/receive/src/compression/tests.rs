#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;

use super::*;
use crate::door::Budget;

fn compress(encoding: Encoding, plain: &[u8]) -> Bytes {
    use flate2::Compression;
    match encoding {
        Encoding::Identity => plain.to_vec(),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => zstd::stream::encode_all(plain, 1).unwrap(),
        Encoding::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
    }
    .into()
}

const ALL: [Encoding; 5] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy];

// OTLP-001: none and gzip are the compressions that every server supports.
#[test]
fn every_encoding_gives_back_what_was_compressed() {
    let plain: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
    for encoding in ALL {
        let budget = Budget::new(1 << 20);
        let mut share = budget.share();
        assert_eq!(decompress(encoding, compress(encoding, &plain), plain.len(), &mut share).unwrap(), plain, "{encoding:?}");
        drop(share);
        assert_eq!(budget.taken(), 0, "{encoding:?}");
    }
}

#[test]
fn raw_deflate_is_understood_too() {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"plain").unwrap();
    let mut share = Budget::new(1 << 20).share();
    assert_eq!(decompress(Encoding::Deflate, encoder.finish().unwrap().into(), 10, &mut share).unwrap(), b"plain"[..]);
}

// OTLP-002, OTLP-061: the limit holds after decompression.
#[test]
fn a_bomb_is_refused_without_being_unpacked() {
    let plain = vec![0u8; 50 << 20];
    for encoding in ALL {
        let bomb = compress(encoding, &plain);
        let budget = Budget::new(2 << 20);
        let error = decompress(encoding, bomb, 1 << 20, &mut budget.share()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{encoding:?}");
    }
}

#[test]
fn a_snappy_length_that_lies_costs_nothing() {
    // Declares 4 GiB - 1 and holds nothing.
    let error = decompress(Encoding::Snappy, Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f]), 1 << 20, &mut Budget::new(0).share()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn damaged_and_truncated_bodies_are_invalid() {
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy] {
        let whole = compress(encoding, &[7; 10_000]);
        let mut share = Budget::new(1 << 30).share();
        for damaged in [whole.slice(..whole.len() / 2), Bytes::from_static(b"\xff\xfe\xfdnot compressed at all")] {
            let error = decompress(encoding, damaged, 1 << 20, &mut share).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{encoding:?}: {error}");
        }
    }
}

#[test]
fn a_used_up_budget_refuses_with_a_time_to_retry() {
    let error = decompress(Encoding::Gzip, compress(Encoding::Gzip, &[1; 100]), 1 << 20, &mut Budget::new(10).share()).unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(crate::door::RETRY_AFTER)));
}

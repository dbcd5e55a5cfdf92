//! The place of a series between 0 and 1 that `limit_ratio` goes by: the one that Prometheus gives it, so that the same series
//! stay when a dashboard moves from there.

use signalbox_model::Labels;

/// XXH64 of the labels as Prometheus encodes them, as a share of all hashes.
pub(super) fn place(labels: &Labels) -> f64 {
    let mut block = Vec::with_capacity(labels.as_bytes().len());
    for (name, value) in labels {
        write_text(&mut block, name);
        write_text(&mut block, value);
    }
    xxh64(&block) as f64 / u64::MAX as f64
}

/// The length in one byte, or 255 and three bytes.
fn write_text(block: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length) if length < u8::MAX => block.push(length),
        _ => {
            block.push(u8::MAX);
            block.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
        }
    }
    block.extend_from_slice(text.as_bytes());
}

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// XXH64 with seed 0. Written here because the library would have to be compiled with another feature for one function.
fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.split_at(bytes.len() / 32 * 32);
    let mut hash = PRIME_5;
    if !stripes.is_empty() {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, PRIME_1.wrapping_neg()];
        for stripe in stripes.chunks_exact(32) {
            lanes.iter_mut().zip(stripe.chunks_exact(8)).for_each(|(lane, input)| *lane = round(*lane, word(input)));
        }
        hash = lanes.iter().zip([1, 7, 12, 18]).fold(0u64, |hash, (lane, turns)| hash.wrapping_add(lane.rotate_left(turns)));
        for lane in lanes {
            hash = (hash ^ round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
        }
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut words = rest.chunks_exact(8);
    for input in words.by_ref() {
        hash = (hash ^ round(0, word(input))).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let mut tail = words.remainder();
    if let Some((half, end)) = tail.split_at_checked(4) {
        hash = (hash ^ word(half).wrapping_mul(PRIME_1)).rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
        tail = end;
    }
    for byte in tail {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(PRIME_2);
    hash = (hash ^ hash >> 29).wrapping_mul(PRIME_3);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
        // Longer than a stripe, with words, a half word and bytes at the end.
        assert_eq!(xxh64(b"The quick brown fox jumps over the lazy dog."), 0x44ad_3370_5751_ad73);
    }
}

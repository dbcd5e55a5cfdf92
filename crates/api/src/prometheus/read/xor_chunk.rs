//! Floats in Prometheus' XOR chunks: times as the difference of differences, values as what differs from the one before.

use super::bits::{Bits, Xor, fits};

/// A chunk of floats: as many times as values, at least one and at most 65,535. Times ascend.
pub(super) fn encode(times: &[i64], values: &[f64]) -> Vec<u8> {
    let mut bits = Bits::after(&[0, 0]);
    let (Some((first_ms, later)), Some((first, values))) = (times.split_first(), values.split_first()) else { return bits.finish(0) };
    bits.write_zigzag(*first_ms);
    bits.write_float(*first);
    let (mut last_ms, mut delta, mut xor) = (*first_ms, 0, Xor::after(*first));
    for (index, (ts_ms, value)) in later.iter().zip(values).enumerate() {
        let next = ts_ms.wrapping_sub(last_ms);
        if index == 0 {
            bits.write_varint(next as u64);
        } else {
            write_difference(&mut bits, next.wrapping_sub(delta));
        }
        xor.write(&mut bits, *value);
        (last_ms, delta) = (*ts_ms, next);
    }
    bits.finish(times.len() as u16)
}

fn write_difference(bits: &mut Bits, difference: i64) {
    match difference {
        0 => bits.write(0, 1),
        _ if fits(difference, 14) => {
            bits.write(0b10, 2);
            bits.write(difference as u64, 14);
        }
        _ if fits(difference, 17) => {
            bits.write(0b110, 3);
            bits.write(difference as u64, 17);
        }
        _ if fits(difference, 20) => {
            bits.write(0b1110, 4);
            bits.write(difference as u64, 20);
        }
        _ => {
            bits.write(0b1111, 4);
            bits.write(difference as u64, 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_of_one_sample_is_that_of_prometheus() {
        // As Prometheus 2.42 answers a remote read for a series whose chunk has just begun.
        let theirs = [0, 1, 0xf0, 0xba, 0xfb, 0x9d, 0xc3, 0x68, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(encode(&[1_795_730_403_000], &[1.0]), theirs);
    }
}

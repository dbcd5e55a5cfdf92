//! Hexadecimal digits to bytes, by a table: every record may bring the ids of its trace.

/// What is no digit.
const NONE: u8 = 0xff;
static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// The bytes that `2 * N` digits of either case are; `None` if they are more, fewer or something else.
pub(crate) fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        seen |= high | low;
        *byte = (high << 4) | (low & 0xf);
    }
    (seen < 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_the_crate_of_digits_reads_them() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let digits = [b'0', b'f', first, second];
                let mut expected = [0; 2];
                let is_valid = hex::decode_to_slice(digits, &mut expected).is_ok();
                assert_eq!(bytes::<2>(&digits), is_valid.then_some(expected), "{digits:?}");
            }
        }
        for digits in ["", "0", "0a", "0a0", "0a0b0", "0a0b0c", "é0b"] {
            assert_eq!(bytes::<2>(digits.as_bytes()), None, "{digits}");
        }
    }
}

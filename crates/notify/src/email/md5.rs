//! MD5 (RFC 1321) and HMAC with it, for CRAM-MD5 (RFC 2195) alone: old mail servers ask for nothing else. It protects nothing
//! that is not protected by TLS as well.

const BLOCK: usize = 64;

/// HMAC-MD5 in hexadecimal (RFC 2104).
pub(super) fn hmac_hex(key: &[u8], text: &[u8]) -> String {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..16].copy_from_slice(&digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = digest(&[padded(0x36).as_slice(), text].concat());
    digest(&[padded(0x5c).as_slice(), &inner].concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(text: &[u8]) -> [u8; 16] {
    let mut message = text.to_vec();
    message.push(0x80);
    // Zeros up to the length, whose eight bytes end a block.
    message.resize((message.len() + 8).next_multiple_of(BLOCK), 0);
    let length_at = message.len() - 8;
    message[length_at..].copy_from_slice(&(text.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in message.chunks_exact(BLOCK) {
        let words: Vec<u32> = block.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let rounds = round_all(state, &words);
        for (part, added) in state.iter_mut().zip(rounds) {
            *part = part.wrapping_add(added);
        }
    }
    let mut out = [0; 16];
    for (bytes, part) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    out
}

fn round_all([mut a, mut b, mut c, mut d]: [u32; 4], words: &[u32]) -> [u32; 4] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    for step in 0..64_usize {
        let (mixed, word) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
            2 => (b ^ c ^ d, (3 * step + 5) % 16),
            _ => (c ^ (b | !d), (7 * step) % 16),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(sine(step)).wrapping_add(words[word]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
    }
    [a, b, c, d]
}

/// The whole part of 2³² times the sine of the step, as the specification has it.
fn sine(step: usize) -> u32 {
    let value = (f64::from(u32::try_from(step).unwrap_or(0)) + 1.0).sin().abs() * 4_294_967_296.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sine is at most one, and this one is positive and never whole")]
    let whole = value as u64;
    u32::try_from(whole).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{digest, hmac_hex};

    #[test]
    fn digests_are_those_of_the_specifications() {
        let hex = |text: &str| digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (text, expected) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
            ("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"),
        ] {
            assert_eq!(hex(text), expected, "{text}");
        }
        // Around the end of a block, where the length finds no room.
        for (length, expected) in [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (63, "b06521f39153d618550606be297466d5"),
            (64, "014842d480b571495a4a0363793f7367"),
        ] {
            assert_eq!(hex(&"a".repeat(length)), expected, "{length}");
        }
        assert_eq!(hmac_hex(b"tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>"), "b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(hmac_hex(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First"), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}

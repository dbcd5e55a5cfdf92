//! A stream of bits, highest first, and the ways in which Prometheus' chunks write numbers into it.

/// Bits behind a header of whole bytes.
#[derive(Debug)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl Bits {
    /// Begins behind a header.
    pub(super) fn after(header: &[u8]) -> Self {
        Self { bytes: header.to_vec(), free: 0 }
    }

    /// The lowest bits of a number. Whole bytes that end where a byte ends open the next one, as Prometheus does: a chunk that ends
    /// with them has one byte of zeros more.
    pub(super) fn write(&mut self, value: u64, count: u32) {
        let are_whole_bytes = self.free.is_multiple_of(8) && count.is_multiple_of(8);
        let mut rest = count;
        while rest > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = rest.min(self.free);
            let bits = (value >> (rest - taken)) as u8 & (u8::MAX >> (8 - taken));
            if let Some(last) = self.bytes.last_mut() {
                *last |= bits << (self.free - taken);
            }
            rest -= taken;
            self.free -= taken;
        }
        if are_whole_bytes && count > 0 {
            self.bytes.push(0);
            self.free = 8;
        }
    }

    pub(super) fn write_float(&mut self, value: f64) {
        self.write(value.to_bits(), 64);
    }

    /// Go's `binary.PutUvarint`.
    pub(super) fn write_varint(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.write(rest & 0x7f | 0x80, 8);
            rest >>= 7;
        }
        self.write(rest, 8);
    }

    /// Go's `binary.PutVarint`.
    pub(super) fn write_zigzag(&mut self, value: i64) {
        self.write_varint((value << 1 ^ value >> 63) as u64);
    }

    /// One of the sizes of `putVarbitInt`, small ones for small numbers.
    pub(super) fn write_varbit(&mut self, value: i64) {
        if value == 0 {
            return self.write(0, 1);
        }
        self.write_sized(value as u64, |bits| fits(value, bits));
    }

    /// The same for a number without a sign: `putVarbitUint`.
    pub(super) fn write_varbit_unsigned(&mut self, value: u64) {
        if value == 0 {
            return self.write(0, 1);
        }
        self.write_sized(value, |bits| value >> bits == 0);
    }

    fn write_sized(&mut self, value: u64, fits: impl Fn(u32) -> bool) {
        const SIZES: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];
        let size = SIZES.iter().position(|bits| fits(*bits));
        // A one for each smaller size, then a zero, unless it is the last: then nine bytes.
        match size {
            Some(index) => {
                let prefix = index as u32 + 2;
                self.write((1 << prefix) - 2, prefix);
                self.write(value, SIZES[index]);
            }
            None => {
                self.write(0xff, 8);
                self.write(value, 64);
            }
        }
    }

    /// The chunk, with the number of its samples in the first two bytes.
    pub(super) fn finish(mut self, samples: u16) -> Vec<u8> {
        self.bytes[..2].copy_from_slice(&samples.to_be_bytes());
        self.bytes
    }
}

/// Whether a number lies in the range that Prometheus gives so many bits: one more above zero than below.
pub(super) fn fits(value: i64, bits: u32) -> bool {
    let half = 1_i64 << (bits - 1);
    (-(half - 1)..=half).contains(&value)
}

/// A float as what differs from the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xor {
    value: u64,
    /// Zeros before and behind the bits of the last difference; `None` before the first.
    window: Option<(u32, u32)>,
}

impl Xor {
    /// Begins with a float that was written in full.
    pub(super) fn after(value: f64) -> Self {
        Self { value: value.to_bits(), window: None }
    }

    pub(super) fn write(&mut self, bits: &mut Bits, value: f64) {
        let difference = value.to_bits() ^ self.value;
        self.value = value.to_bits();
        if difference == 0 {
            return bits.write(0, 1);
        }
        bits.write(1, 1);
        // Five bits hold the leading zeros.
        let (leading, trailing) = (difference.leading_zeros().min(31), difference.trailing_zeros());
        if let Some((before, behind)) = self.window.filter(|(before, behind)| leading >= *before && trailing >= *behind) {
            bits.write(0, 1);
            return bits.write(difference >> behind, 64 - before - behind);
        }
        self.window = Some((leading, trailing));
        let significant = 64 - leading - trailing;
        bits.write(1, 1);
        bits.write(u64::from(leading), 5);
        // 64 is written as 0, which cannot be.
        bits.write(u64::from(significant & 63), 6);
        bits.write(difference >> trailing, significant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Bits)) -> Vec<u8> {
        let mut bits = Bits::after(&[]);
        write(&mut bits);
        bits.bytes
    }

    #[test]
    fn bits_fill_bytes_from_the_top() {
        assert_eq!(written(|bits| bits.write(0b101, 3)), [0b1010_0000]);
        let across = written(|bits| {
            bits.write(1, 1);
            bits.write(0xff00_ff00_ff00_ff00, 64);
        });
        assert_eq!(across, [0xff, 0x80, 0x7f, 0x80, 0x7f, 0x80, 0x7f, 0x80, 0]);
        assert_eq!(written(|bits| bits.write_zigzag(-1)), [1, 0], "the next byte is open");
        assert_eq!(written(|bits| bits.write_varint(300)), [0xac, 0x02, 0]);
        let bit_by_bit = written(|bits| (0..8).for_each(|_| bits.write(1, 1)));
        assert_eq!(bit_by_bit, [0xff], "it is not after single bits");
    }

    #[test]
    fn small_numbers_take_few_bits() {
        let signed = |value| written(|bits| bits.write_varbit(value));
        assert_eq!(signed(0), [0]);
        assert_eq!(signed(4), [0b1010_0000]);
        assert_eq!(signed(-3), [0b1010_1000]);
        assert_eq!(signed(-4), [0b1101_1110, 0]);
        assert_eq!(signed(32), [0b1101_0000, 0]);
        assert_eq!(signed(i64::MIN), [0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0]);
        let unsigned = |value| written(|bits| bits.write_varbit_unsigned(value));
        assert_eq!(unsigned(7), [0b1011_1000]);
        assert_eq!(unsigned(8), [0b1100_0100, 0]);
        assert_eq!(unsigned(u64::MAX), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    }
}

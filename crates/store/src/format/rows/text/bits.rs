//! Bits one behind the other, the lowest of a byte first.

/// Appends bits to bytes.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// Appends the lowest bits of a value, at most 32 of them; the others are 0.
    pub(super) fn write(&mut self, value: u64, bits: u32) {
        self.pending |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Appends a number as that many ones and a zero.
    pub(super) fn write_unary(&mut self, mut value: u64) {
        while value >= 32 {
            self.write(u64::from(u32::MAX), 32);
            value -= 32;
        }
        self.write((1 << value) - 1, value as u32 + 1);
    }

    /// Goes on at the next byte.
    pub(super) fn align(&mut self) {
        if self.count > 0 {
            self.write(0, 8 - self.count);
        }
    }

    /// The bytes so far; only aligned ones are whole.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

/// Reads what [`BitWriter`] wrote.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    pending: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, pending: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.pending |= u64::from(*byte) << self.count;
            self.count += 8;
            self.rest = rest;
        }
    }

    /// The next bits, at most 32; `None` if there are not so many.
    pub(super) fn read(&mut self, bits: u32) -> Option<u64> {
        self.fill();
        let value = self.pending & ((1 << bits) - 1);
        self.count = self.count.checked_sub(bits)?;
        self.pending >>= bits;
        Some(value)
    }

    /// The next number of ones and a zero.
    pub(super) fn read_unary(&mut self) -> Option<u64> {
        let mut value = 0;
        loop {
            self.fill();
            let ones = self.pending.trailing_ones().min(self.count);
            value += u64::from(ones);
            if ones < self.count {
                self.pending = self.pending.checked_shr(ones + 1).unwrap_or(0);
                self.count -= ones + 1;
                return Some(value);
            }
            if self.count == 0 {
                return None;
            }
            (self.pending, self.count) = (0, 0);
        }
    }
}

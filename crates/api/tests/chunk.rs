//! Reads Prometheus' chunks, to see what was written into them. A mistake panics: this is no decoder for strangers.

use signalbox_model::histogram::Span;

/// A time and the numbers at it: the value of a float; count, count of zeros, sum and buckets of a histogram.
pub(crate) type Sample = (i64, Vec<f64>);

/// What all histograms of a chunk share.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Layout {
    pub(crate) flag: u8,
    pub(crate) zero_threshold: f64,
    pub(crate) schema: i64,
    pub(crate) positive: Vec<Span>,
    pub(crate) negative: Vec<Span>,
    pub(crate) bounds: Vec<f64>,
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> u64 {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u64::from(self.bytes[self.at / 8] >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        value
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.read(8);
            value |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn zigzag(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    /// Ones up to a zero, at most so many.
    fn ones(&mut self, most: u32) -> u32 {
        (0..most).find(|_| self.read(1) == 0).unwrap_or(most)
    }

    fn varbit_unsigned(&mut self) -> u64 {
        let size = [0, 3, 6, 9, 12, 18, 25, 56, 64][self.ones(8) as usize];
        self.read(size)
    }

    fn varbit(&mut self) -> i64 {
        let size = [0, 3, 6, 9, 12, 18, 25, 56, 64][self.ones(8) as usize];
        let value = self.read(size);
        signed(value, size)
    }

    fn spans(&mut self) -> Vec<Span> {
        let count = self.varbit_unsigned();
        (0..count).map(|_| Span { length: self.varbit_unsigned() as u32, offset: self.varbit() as i32 }).collect()
    }
}

/// The upper half of the range is negative, but for its first number.
fn signed(value: u64, size: u32) -> i64 {
    if size == 0 || size == 64 || value <= 1 << (size - 1) { value as i64 } else { value as i64 - (1 << size) }
}

struct Xor {
    value: u64,
    leading: u32,
    trailing: u32,
}

impl Xor {
    fn read(&mut self, bits: &mut Bits<'_>) -> f64 {
        if bits.read(1) == 1 {
            if bits.read(1) == 1 {
                self.leading = bits.read(5) as u32;
                let significant = match bits.read(6) as u32 {
                    0 => 64,
                    significant => significant,
                };
                self.trailing = 64 - self.leading - significant;
            }
            self.value ^= bits.read(64 - self.leading - self.trailing) << self.trailing;
        }
        f64::from_bits(self.value)
    }
}

pub(crate) fn floats(chunk: &[u8]) -> Vec<Sample> {
    let count = u16::from_be_bytes([chunk[0], chunk[1]]);
    let mut bits = Bits { bytes: &chunk[2..], at: 0 };
    let (mut ts_ms, mut delta) = (bits.zigzag(), 0);
    let mut xor = Xor { value: bits.read(64), leading: 0, trailing: 0 };
    let mut samples = vec![(ts_ms, vec![f64::from_bits(xor.value)])];
    for index in 1..count {
        delta = if index == 1 {
            bits.varint() as i64
        } else {
            let size = [0, 14, 17, 20, 64][bits.ones(4) as usize];
            delta + signed(bits.read(size), size)
        };
        ts_ms += delta;
        samples.push((ts_ms, vec![xor.read(&mut bits)]));
    }
    samples
}

pub(crate) fn histograms(chunk: &[u8]) -> (Layout, Vec<Sample>) {
    let count = u16::from_be_bytes([chunk[0], chunk[1]]);
    let mut bits = Bits { bytes: &chunk[3..], at: 0 };
    let zero_threshold = match bits.read(8) {
        0 => 0.0,
        255 => f64::from_bits(bits.read(64)),
        exponent => 0.5 * (exponent as f64 - 243.0).exp2(),
    };
    let schema = bits.varbit();
    let (positive, negative) = (bits.spans(), bits.spans());
    let mut bounds = Vec::new();
    if schema == -53 {
        let count = bits.varbit_unsigned();
        for _ in 0..count {
            bounds.push(match bits.varbit_unsigned() {
                0 => f64::from_bits(bits.read(64)),
                thousandths => (thousandths - 1) as f64 / 1_000.0,
            });
        }
    }
    let buckets: u32 = positive.iter().chain(&negative).map(|span| span.length).sum();
    let (mut ts_ms, mut delta) = (bits.varbit(), 0);
    let mut numbers: Vec<Xor> = (0..buckets + 3).map(|_| Xor { value: bits.read(64), leading: 0, trailing: 0 }).collect();
    let mut samples = vec![(ts_ms, numbers.iter().map(|xor| f64::from_bits(xor.value)).collect())];
    for _ in 1..count {
        delta += bits.varbit();
        ts_ms += delta;
        samples.push((ts_ms, numbers.iter_mut().map(|xor| xor.read(&mut bits)).collect()));
    }
    (Layout { flag: chunk[2], zero_threshold, schema, positive, negative, bounds }, samples)
}

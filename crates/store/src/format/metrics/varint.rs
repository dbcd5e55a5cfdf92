//! Integers in as many groups of 7 bits as they need (LEB128), as in label blocks and in Parquet.

/// Appends an integer.
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer, small ones short.
pub(crate) fn write_signed(out: &mut Vec<u8>, value: i64) {
    write(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads what [`write`] wrote and moves on; `None` at the end or if it is no such integer.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        value |= low << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Reads what [`write_signed`] wrote.
pub(crate) fn read_signed(bytes: &mut &[u8]) -> Option<i64> {
    read(bytes).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Reads an integer of at most 32 bits.
pub(crate) fn read_u32(bytes: &mut &[u8]) -> Option<u32> {
    read(bytes)?.try_into().ok()
}

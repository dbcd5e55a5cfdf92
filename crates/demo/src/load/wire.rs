//! The few bits of protobuf that a data set needs, written straight: an encoder of messages would take more time than the servers.

pub(super) fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn tag(to: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(to, u64::from(field << 3 | wire_type));
}

/// The head of a field of `length` bytes.
pub(super) fn header(to: &mut Vec<u8>, field: u32, length: usize) {
    tag(to, field, 2);
    varint(to, length as u64);
}

pub(super) fn bytes(to: &mut Vec<u8>, field: u32, value: &[u8]) {
    header(to, field, value.len());
    to.extend_from_slice(value);
}

pub(super) fn number(to: &mut Vec<u8>, field: u32, value: u64) {
    tag(to, field, 0);
    varint(to, value);
}

pub(super) fn double(to: &mut Vec<u8>, field: u32, value: f64) {
    fixed64(to, field, value.to_bits());
}

pub(super) fn fixed64(to: &mut Vec<u8>, field: u32, value: u64) {
    tag(to, field, 1);
    to.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(to: &mut Vec<u8>, field: u32, value: u32) {
    tag(to, field, 5);
    to.extend_from_slice(&value.to_le_bytes());
}

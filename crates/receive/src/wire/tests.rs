#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, WireError> {
    let mut reader = Reader::new(message);
    let mut all = Vec::new();
    while let Some(field) = reader.next_field()? {
        all.push(field);
    }
    Ok(all)
}

#[test]
fn reads_every_wire_type() {
    let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x25, 2, 0, 0, 0];
    let all = fields(&message).unwrap();
    let want = [(1, Value::Varint(150)), (2, Value::Bytes(b"hi")), (3, Value::Fixed64(1)), (4, Value::Fixed32(2))];
    assert_eq!(all, want.map(|(number, value)| Field { number, value }));
}

#[test]
fn refuses_what_is_no_message() {
    let cases: [(&[u8], WireError); 8] = [
        (&[0x08], WireError::Truncated),
        (&[0x0a, 0x05, 1], WireError::Truncated),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], WireError::Truncated),
        (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], WireError::Varint),
        (&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], WireError::Varint),
        (&[0x00, 0x00], WireError::Tag),
        (&[0x0f, 0x00], WireError::Tag),
        (&[0x0b, 0x08, 0x01], WireError::Group),
    ];
    for (message, want) in cases {
        assert_eq!(fields(message), Err(want), "{message:x?}");
    }
}

#[test]
fn skips_groups_and_refuses_deep_ones() {
    assert_eq!(fields(&[0x0b, 0x08, 0x01, 0x0c, 0x10, 0x01]).unwrap(), [Field { number: 2, value: Value::Varint(1) }]);
    assert_eq!(fields(&[0x0b; 1000]), Err(WireError::Group));
}

#[test]
fn signed_numbers_and_packed_lists() {
    let field = |value| Field { number: 1, value };
    assert_eq!(field(Value::Varint(u64::MAX)).int32(), Ok(-1));
    assert_eq!(field(Value::Varint(3)).sint32(), Ok(-2));
    assert_eq!(zigzag(u64::MAX), i64::MIN);
    let (mut varints, mut fixed) = (Vec::new(), Vec::new());
    field(Value::Bytes(&[1, 0x80, 0x01])).each_varint(|value| varints.push(value)).unwrap();
    let double = 1.5f64.to_le_bytes();
    field(Value::Bytes(&double)).each_fixed64(|value| fixed.push(f64::from_bits(value))).unwrap();
    assert_eq!((varints, fixed), (vec![1, 128], vec![1.5]));
    assert_eq!(field(Value::Bytes(&[0; 7])).each_fixed64(|_| ()), Err(WireError::Truncated));
    assert_eq!(field(Value::Bytes(&[0xff])).text(), Err(WireError::Utf8(1)));
}

//! Both wires by the examples of their specifications, and what is no message.

use super::*;

/// Field 1: 64 bits, 2: text, 3: truth, 4: list of 32 bits, 7: a structure to skip, 20: floating point.
const BINARY: &[u8] = b"\x0a\x00\x01\xff\xff\xff\xff\xff\xff\xff\xfe\x0b\x00\x02\x00\x00\x00\x02hi\x02\x00\x03\x01\
    \x0f\x00\x04\x08\x00\x00\x00\x02\x00\x00\x00\x05\xff\xff\xff\xff\
    \x0c\x00\x07\x0d\x00\x01\x0b\x02\x00\x00\x00\x01\x00\x00\x00\x01k\x00\x0e\x00\x02\x06\x00\x00\x00\x01\x00\x07\x00\
    \x04\x00\x14\x3f\xf8\x00\x00\x00\x00\x00\x00\x00";
const COMPACT: &[u8] = b"\x16\x03\x18\x02hi\x11\x19\x25\x0a\x01\x3c\x1b\x01\x81\x01k\x02\x1a\x14\x0e\x00\xd7\x00\x00\x00\x00\x00\x00\xf8\x3f\x00";

type Seen<'a> = (i64, &'a str, bool, Vec<i32>, f64);

fn read<'a>(wire: Wire, bytes: &'a [u8]) -> Result<(Seen<'a>, usize)> {
    let mut seen = (0, "", false, Vec::new(), 0.0);
    let mut reader = Reader::new(wire, bytes);
    reader.structure(|reader, number, kind| {
        match (number, kind) {
            (1, Kind::I64) => seen.0 = reader.i64()?,
            (2, Kind::Text) => seen.1 = reader.text()?,
            (3, Kind::Bool) => seen.2 = reader.bool()?,
            (4, Kind::List) => {
                reader.list(|reader, _| {
                    seen.3.push(reader.i32()?);
                    Ok(())
                })?;
            }
            (20, Kind::Double) => seen.4 = reader.double()?,
            (_, kind) => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok((seen, reader.rest.len()))
}

#[test]
fn both_wires_say_the_same() {
    for (wire, bytes) in [(Wire::Binary, BINARY), (Wire::Compact, COMPACT)] {
        assert_eq!(read(wire, bytes), Ok(((-2, "hi", true, vec![5, -1], 1.5), 0)), "{wire:?}");
        for end in 0..bytes.len() {
            assert!(read(wire, &bytes[..end]).is_err(), "{wire:?} cut at {end}");
        }
    }
}

#[test]
fn heads_of_calls_are_read() {
    let call = |wire, bytes| Reader::new(wire, bytes).call();
    let expected = Ok(Call { method: "emit", is_call: true });
    assert_eq!(call(Wire::Binary, b"\x80\x01\x00\x04\x00\x00\x00\x04emit\x00\x00\x00\x07"), expected);
    assert_eq!(call(Wire::Binary, b"\x00\x00\x00\x04emit\x01\x00\x00\x00\x07"), expected);
    assert_eq!(call(Wire::Compact, b"\x82\x81\x07\x04emit"), expected);
    assert_eq!(call(Wire::Compact, b"\x82\x41\x07\x04emit"), Ok(Call { method: "emit", is_call: false }));
    assert_eq!(call(Wire::Compact, b"\x80\x01\x00\x04"), Err(ThriftError::Message));
    assert_eq!(call(Wire::Binary, b"\x82\x81\x07\x04emit"), Err(ThriftError::Message));
}

#[test]
fn what_claims_more_than_there_is_is_refused_before_anything_is_read() {
    let skip = |wire, bytes: &[u8]| Reader::new(wire, bytes).skip(Kind::List);
    assert_eq!(skip(Wire::Binary, b"\x0a\x7f\xff\xff\xff\0\0\0\0\0\0\0\0"), Err(ThriftError::Length));
    assert_eq!(skip(Wire::Binary, b"\x0a\xff\xff\xff\xff"), Err(ThriftError::Length));
    assert_eq!(skip(Wire::Compact, b"\xf6\xff\xff\xff\xff\x07\0"), Err(ThriftError::Length));
    assert_eq!(skip(Wire::Compact, b"\xf6\xff\xff\xff\xff\xff\x01\0"), Err(ThriftError::Length));
    assert_eq!(Reader::new(Wire::Compact, b"\x05abcd").bytes(), Err(ThriftError::Length));
    assert_eq!(Reader::new(Wire::Compact, &[0xff; 11]).i64(), Err(ThriftError::Varint));
    assert_eq!(Reader::new(Wire::Compact, b"\x80\x80\x80\x80\x20").i32(), Err(ThriftError::Varint));
    assert_eq!(Reader::new(Wire::Compact, b"\x01\xff").text(), Err(ThriftError::Utf8));
    assert_eq!(Reader::new(Wire::Binary, b"\x05\x00\x01").skip(Kind::Struct), Err(ThriftError::Type(5)));
    assert_eq!(Reader::new(Wire::Compact, b"\x1d").skip(Kind::Struct), Err(ThriftError::Type(13)));
}

#[test]
fn nesting_is_bounded() {
    assert_eq!(Reader::new(Wire::Compact, &[0x1c; 1000]).skip(Kind::Struct), Err(ThriftError::Depth));
    assert_eq!(Reader::new(Wire::Compact, &[0x19; 1000]).skip(Kind::List), Err(ThriftError::Depth));
    let deep = b"\x0c\x00\x01".repeat(1000);
    assert_eq!(Reader::new(Wire::Binary, &deep).skip(Kind::Struct), Err(ThriftError::Depth));
}

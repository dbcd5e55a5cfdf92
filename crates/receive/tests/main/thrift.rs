//! Thrift, written: what the tests send.

use signalbox_receive::jaeger::Wire;

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Double(f64),
    I16(i16),
    I32(i32),
    I64(i64),
    Bytes(Vec<u8>),
    /// Fields by ascending number.
    Struct(Vec<(i16, Value)>),
    List(Vec<Value>),
}

pub(crate) fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

impl Value {
    fn code(&self, wire: Wire) -> u8 {
        let (binary, compact) = match self {
            Self::Bool(value) => (2, if *value { 1 } else { 2 }),
            Self::Double(_) => (4, 7),
            Self::I16(_) => (6, 4),
            Self::I32(_) => (8, 5),
            Self::I64(_) => (10, 6),
            Self::Bytes(_) => (11, 8),
            Self::Struct(_) => (12, 12),
            Self::List(_) => (15, 9),
        };
        if wire == Wire::Binary { binary } else { compact }
    }

    /// The bytes of the value.
    pub(crate) fn written(&self, wire: Wire) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(wire, &mut out);
        out
    }

    fn write(&self, wire: Wire, out: &mut Vec<u8>) {
        match (self, wire) {
            (Self::Bool(value), Wire::Binary) => out.push((*value).into()),
            (Self::Bool(value), Wire::Compact) => out.push(if *value { 1 } else { 2 }),
            (Self::Double(value), Wire::Binary) => out.extend(value.to_be_bytes()),
            (Self::Double(value), Wire::Compact) => out.extend(value.to_le_bytes()),
            (Self::I16(value), Wire::Binary) => out.extend(value.to_be_bytes()),
            (Self::I32(value), Wire::Binary) => out.extend(value.to_be_bytes()),
            (Self::I64(value), Wire::Binary) => out.extend(value.to_be_bytes()),
            (Self::I16(value), Wire::Compact) => zigzag(i64::from(*value), out),
            (Self::I32(value), Wire::Compact) => zigzag(i64::from(*value), out),
            (Self::I64(value), Wire::Compact) => zigzag(*value, out),
            (Self::Bytes(bytes), wire) => {
                length(bytes.len(), wire, out);
                out.extend(bytes);
            }
            (Self::Struct(fields), wire) => {
                let mut last = 0;
                for (number, value) in fields {
                    match wire {
                        Wire::Binary => {
                            out.push(value.code(wire));
                            out.extend(number.to_be_bytes());
                        }
                        Wire::Compact if (1..=15).contains(&(number - last)) => out.push(((number - last) as u8) << 4 | value.code(wire)),
                        Wire::Compact => {
                            out.push(value.code(wire));
                            zigzag(i64::from(*number), out);
                        }
                    }
                    last = *number;
                    if !(wire == Wire::Compact && matches!(value, Self::Bool(_))) {
                        value.write(wire, out);
                    }
                }
                out.push(0);
            }
            (Self::List(items), wire) => {
                let code = items.first().map_or(12, |item| item.code(wire));
                match wire {
                    Wire::Compact if items.len() < 15 => out.push((items.len() as u8) << 4 | code),
                    Wire::Compact => {
                        out.push(0xf0 | code);
                        length(items.len(), wire, out);
                    }
                    Wire::Binary => {
                        out.push(code);
                        length(items.len(), wire, out);
                    }
                }
                items.iter().for_each(|item| item.write(wire, out));
            }
        }
    }
}

/// A call without an answer.
pub(crate) fn call(wire: Wire, method: &str, arguments: &Value) -> Vec<u8> {
    let mut out = match wire {
        Wire::Binary => b"\x80\x01\x00\x04".to_vec(),
        Wire::Compact => b"\x82\x81\x07".to_vec(),
    };
    text(method).write(wire, &mut out);
    if wire == Wire::Binary {
        out.extend(7_i32.to_be_bytes());
    }
    arguments.write(wire, &mut out);
    out
}

fn length(length: usize, wire: Wire, out: &mut Vec<u8>) {
    match wire {
        Wire::Binary => out.extend((length as i32).to_be_bytes()),
        Wire::Compact => varint(length as u64, out),
    }
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

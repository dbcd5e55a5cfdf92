//! Trace and span identifiers as OpenTelemetry defines them: 16 and 8 bytes, not all zero.

use std::fmt;

macro_rules! id {
    ($name:ident, $len:literal, $what:literal) => {
        #[doc = concat!("Identifier of a ", $what, "; never all zero.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// From bytes as they are on the wire; `None` if the length is wrong or all bytes are zero.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let bytes: [u8; $len] = bytes.try_into().ok()?;
                bytes.iter().any(|byte| *byte != 0).then_some(Self(bytes))
            }

            /// From hexadecimal digits of either case, short forms are padded with zeros on the left.
            pub fn from_hex(text: &str) -> Option<Self> {
                if text.is_empty() || text.len() > 2 * $len || !text.is_ascii() {
                    return None;
                }
                let padded = format!("{text:0>width$}", width = 2 * $len);
                let mut bytes = [0u8; $len];
                hex::decode_to_slice(padded, &mut bytes).ok()?;
                Self::from_slice(&bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id!(TraceId, 16, "trace");
id!(SpanId, 8, "span");

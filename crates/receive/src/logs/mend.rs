//! Bytes to text.

use std::borrow::Cow;

/// The text that bytes are; what is no UTF-8 in them is replaced. Bytes that are text cost one fast check and no copy.
#[inline]
pub(crate) fn mended(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

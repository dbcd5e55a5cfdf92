//! Content encodings, decoded within a limit: the limit holds for what comes out, and is checked while it comes out.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use signalbox_model::{Error, ErrorKind, Result};

use crate::door::Share;

/// Bytes decoded between two checks of the limit and the budget.
const STEP_BYTES: usize = 64 << 10;
/// RFC 9659: a zstd content encoding may use windows of at most 8 MiB, so a decoder never needs more memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950 as HTTP means it, or RFC 1951 as some clients send it.
    Deflate,
    /// Snappy's block format, as remote write and Loki use it.
    Snappy,
}

impl Encoding {
    /// By the name of a `Content-Encoding` or `grpc-encoding`; `None` for any other, or several.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Deflate),
            "snappy" => Some(Self::Snappy),
            _ => None,
        }
    }
}

/// Decompresses a body to at most `bytes_max`, taking what it needs from the budget.
///
/// # Errors
/// [`ErrorKind::TooLarge`] past the limit, [`ErrorKind::Invalid`] for damaged bytes, `Unavailable` when the budget is used up.
pub fn decompress(encoding: Encoding, body: Bytes, bytes_max: usize, share: &mut Share) -> Result<Bytes> {
    match encoding {
        Encoding::Identity if body.len() > bytes_max => Err(too_large(bytes_max)),
        Encoding::Identity => Ok(body),
        Encoding::Snappy => snappy(&body, bytes_max, share),
        Encoding::Gzip => drain(MultiGzDecoder::new(&*body), "gzip", bytes_max, share),
        Encoding::Deflate if is_zlib(&body) => drain(ZlibDecoder::new(&*body), "deflate", bytes_max, share),
        Encoding::Deflate => drain(DeflateDecoder::new(&*body), "deflate", bytes_max, share),
        Encoding::Zstd => {
            let damaged = |source| Error::invalid("cannot decompress body: not zstd").with_source(source);
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&*body).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            drain(decoder, "zstd", bytes_max, share)
        }
    }
}

fn snappy(body: &[u8], bytes_max: usize, share: &mut Share) -> Result<Bytes> {
    let damaged = |source| Error::invalid("cannot decompress body: not snappy block format").with_source(source);
    // The declared length is checked before a byte is allocated.
    let declared = snap::raw::decompress_len(body).map_err(damaged)?;
    if declared > bytes_max {
        return Err(too_large(bytes_max));
    }
    share.grow(declared)?;
    snap::raw::Decoder::new().decompress_vec(body).map(Bytes::from).map_err(damaged)
}

fn drain(mut decoder: impl Read, name: &str, bytes_max: usize, share: &mut Share) -> Result<Bytes> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        share.grow(STEP_BYTES)?;
        let step = decoder.by_ref().take(STEP_BYTES as u64).read_to_end(&mut out);
        step.map_err(|source| Error::invalid(format!("cannot decompress body: not {name}, or cut short")).with_source(source))?;
        if out.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        if out.len() == before {
            return Ok(Bytes::from(out));
        }
    }
}

/// RFC 1950: compression method 8 and a header that is a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

/// The refusal of a body past its limit.
pub(crate) fn too_large(bytes_max: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("cannot take request: its body is larger than the limit of {bytes_max} bytes"))
}

#[cfg(test)]
mod tests;

//! Files that a rotation compressed with gzip, read as if they were not: offsets are of what comes out. What is in memory is one
//! piece of it, however much comes out.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::positions::FINGERPRINT_BYTES;

/// Bytes of one step over what was read before.
const STEP_BYTES: usize = 64 << 10;

/// A compressed file being read.
#[derive(Debug)]
pub(super) struct Unpacking {
    decoder: MultiGzDecoder<BufReader<File>>,
}

/// What is known of the file that a compressed one was.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// Open while it is read.
    pub(super) open: Option<Unpacking>,
    /// Length of the compressed file when its end came too early: it may still be written.
    pub(super) cut_at: Option<u64>,
    /// Everything was read.
    pub(super) is_complete: bool,
}

/// Whether a path is of a compressed file that can be read.
pub(super) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The first bytes of what comes out.
///
/// # Errors
/// If the file is damaged, or cut within these bytes.
pub(super) fn first_bytes(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(BufReader::new(file)).take(FINGERPRINT_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The size of what comes out, modulo 2^32, as the last bytes say. While the file is being written it is some number.
///
/// # Errors
/// If the file cannot be read or is too short.
pub(super) fn size_of(file: &File) -> io::Result<u32> {
    let mut last = [0; 4];
    let at = file.metadata()?.len().checked_sub(4).ok_or(io::ErrorKind::UnexpectedEof)?;
    file.read_exact_at(&mut last, at)?;
    Ok(u32::from_le_bytes(last))
}

impl Unpacking {
    /// Opens a file and passes over `offset` bytes; also whether the next byte is in the middle of a line.
    ///
    /// # Errors
    /// If the file is damaged or ends before.
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<(Self, bool)> {
        let mut decoder = MultiGzDecoder::new(BufReader::new(File::open(path)?));
        let (mut step, mut left, mut last) = (vec![0; STEP_BYTES], offset, b'\n');
        while left > 0 {
            let length = STEP_BYTES.min(usize::try_from(left).unwrap_or(STEP_BYTES));
            let read = decoder.read(&mut step[..length])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (left, last) = (left - read as u64, step[read - 1]);
        }
        Ok((Self { decoder }, last != b'\n'))
    }

    /// Appends at most `bytes_max` bytes; fewer only at the end.
    ///
    /// # Errors
    /// If the file is damaged or cut.
    pub(super) fn read(&mut self, bytes_max: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        self.decoder.by_ref().take(bytes_max as u64).read_to_end(out)
    }
}

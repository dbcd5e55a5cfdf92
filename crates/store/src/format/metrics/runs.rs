//! Reads columns that are written as runs ([`super::columns::RunColumn`]): as runs, not row by row.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};

use super::varint;

/// A value as the 8 bytes of its physical type, `None` for null, and the number of rows that have it.
pub(crate) type BytesRun = (Option<[u8; 8]>, u32);

/// The runs of all rows of a chunk of 8-byte values that may be null.
///
/// # Errors
/// If it is not written as runs; of the reader of pages.
pub(crate) fn read(pages: &mut dyn PageReader) -> Result<Vec<BytesRun>> {
    let mut runs = Vec::new();
    let mut dictionary = None;
    while let Some(page) = pages.get_next_page()? {
        match page {
            Page::DictionaryPage { buf, encoding: Encoding::PLAIN, .. } => dictionary = Some(buf),
            Page::DataPage { buf, num_values, encoding: Encoding::RLE_DICTIONARY, .. } => {
                let dictionary = dictionary.as_deref().ok_or_else(|| damaged("it has no dictionary"))?;
                read_page(&buf, num_values, dictionary, &mut runs).ok_or_else(|| damaged("a page is none of runs"))?;
            }
            _ => return Err(damaged("a page has another encoding")),
        }
    }
    Ok(runs)
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("cannot read a column of runs: {what}"))
}

/// A page as [`super::columns`] writes it: levels, width, codes, each in runs.
fn read_page(page: &[u8], rows: u32, dictionary: &[u8], runs: &mut Vec<BytesRun>) -> Option<()> {
    let (len, rest) = page.split_first_chunk::<4>()?;
    let (mut levels, codes) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    let (width, mut codes) = codes.split_first()?;
    let code_bytes = usize::from(width.div_ceil(8));
    let (mut left, mut code, mut code_rows) = (rows, [0; 8], 0);
    while left > 0 {
        let (level, mut level_rows) = next_run(&mut levels, 1)?;
        left = left.checked_sub(level_rows)?;
        if level == 0 {
            push(runs, None, level_rows);
            continue;
        }
        while level_rows > 0 {
            if code_rows == 0 {
                let (at, rows) = next_run(&mut codes, code_bytes)?;
                let at = usize::try_from(at).ok()?.checked_mul(8)?;
                code = *dictionary.get(at..)?.first_chunk::<8>()?;
                code_rows = rows;
            }
            let taken = level_rows.min(code_rows);
            push(runs, Some(code), taken);
            (level_rows, code_rows) = (level_rows - taken, code_rows - taken);
        }
    }
    (code_rows == 0 && levels.is_empty() && codes.is_empty()).then_some(())
}

fn push(runs: &mut Vec<BytesRun>, value: Option<[u8; 8]>, rows: u32) {
    match runs.last_mut().filter(|last| last.0 == value) {
        Some(last) => last.1 += rows,
        None => runs.push((value, rows)),
    }
}

/// One run of Parquet's hybrid of run lengths and packed bits; the latter are never written.
fn next_run(bytes: &mut &[u8], value_bytes: usize) -> Option<(u32, u32)> {
    let header = varint::read(bytes)?;
    let rows = u32::try_from(header >> 1).ok().filter(|rows| *rows > 0 && header & 1 == 0)?;
    let (value, rest) = bytes.split_at_checked(value_bytes.min(4))?;
    *bytes = rest;
    let mut wide = [0; 4];
    wide[..value.len()].copy_from_slice(value);
    Some((u32::from_le_bytes(wide), rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Levels 1, 1, 0, 1; codes of one byte 1, 1, 0.
    const PAGE: [u8; 15] = [6, 0, 0, 0, 4, 1, 2, 0, 2, 1, 1, 4, 1, 2, 0];

    fn dictionary() -> Vec<u8> {
        [7u64, 9].iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn runs_come_back_and_neighbours_that_are_equal_are_one() {
        let mut runs = vec![(Some(9u64.to_le_bytes()), 5)];
        read_page(&PAGE, 4, &dictionary(), &mut runs).unwrap();
        assert_eq!(runs, [(Some(9u64.to_le_bytes()), 7), (None, 1), (Some(7u64.to_le_bytes()), 1)]);
        runs.clear();
        read_page(&[0, 0, 0, 0, 1], 0, &[], &mut runs).unwrap();
        assert!(runs.is_empty());
    }

    #[test]
    fn what_is_cut_changed_or_too_long_is_refused() {
        for len in 0..PAGE.len() {
            assert_eq!(read_page(&PAGE[..len], 4, &dictionary(), &mut Vec::new()), None, "{len} bytes");
        }
        for rows in [0, 1, 3, 5, u32::MAX] {
            assert_eq!(read_page(&PAGE, rows, &dictionary(), &mut Vec::new()), None, "{rows} rows");
        }
        assert_eq!(read_page(&PAGE, 4, &dictionary()[..15], &mut Vec::new()), None);
        for at in 0..PAGE.len() {
            for bit in 0..8 {
                let mut page = PAGE;
                page[at] ^= 1 << bit;
                let mut runs = Vec::new();
                if read_page(&page, 4, &dictionary(), &mut runs).is_some() {
                    assert_eq!(runs.iter().map(|run| run.1).sum::<u32>(), 4, "byte {at}, bit {bit}");
                }
            }
        }
    }
}

//! `logproto.PushRequest`, walked in place. Text that is not UTF-8 is mended: agents send lines of files as they are.

use std::borrow::Cow;

use signalbox_model::Result;

use super::entries::Entries;
use crate::logs::mended;
use crate::wire::{Field, Reader, WireError};

/// Reads a request.
pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) -> Result<()> {
    let mut metadata = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            stream(field.bytes()?, entries, &mut metadata)?;
        }
    }
    Ok(())
}

type Metadata<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn stream<'a>(message: &'a [u8], entries: &mut Entries<'_>, metadata: &mut Metadata<'a>) -> Result<()> {
    let mut labels = Cow::Borrowed("");
    let mut has_entries = false;
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => labels = text(&field)?,
            2 => has_entries = true,
            _ => {}
        }
    }
    entries.enter(&labels)?;
    if !has_entries {
        return Ok(());
    }
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        if field.number == 2 {
            entry(field.bytes()?, entries, metadata)?;
        }
    }
    Ok(())
}

fn entry<'a>(message: &'a [u8], entries: &mut Entries<'_>, metadata: &mut Metadata<'a>) -> Result<(), WireError> {
    metadata.clear();
    let (mut seconds, mut nanoseconds, mut line) = (0i64, 0i32, Cow::Borrowed(""));
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                let mut instant = field.message()?;
                while let Some(part) = instant.next_field()? {
                    match part.number {
                        1 => seconds = part.int64()?,
                        2 => nanoseconds = part.int32()?,
                        _ => {}
                    }
                }
            }
            2 => line = text(&field)?,
            3 => metadata.push(pair(field.message()?)?),
            _ => {}
        }
    }
    match seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanoseconds.into())) {
        Some(timestamp_ns) => entries.push(timestamp_ns, &line, metadata.iter().map(|(name, value)| (&**name, &**value))),
        None => entries.refuse_instant(),
    }
    Ok(())
}

fn pair<'a>(mut reader: Reader<'a>) -> Result<(Cow<'a, str>, Cow<'a, str>), WireError> {
    let (mut name, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""));
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => name = text(&field)?,
            2 => value = text(&field)?,
            _ => {}
        }
    }
    Ok((name, value))
}

#[inline]
fn text<'a>(field: &Field<'a>) -> Result<Cow<'a, str>, WireError> {
    field.bytes().map(mended)
}

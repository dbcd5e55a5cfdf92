//! Label sets: the identity of a series.
//!
//! A set is one immutable block of bytes: for each label, sorted by name, the length of the name (LEB128), the name, the
//! length of the value, the value. Equal sets have equal blocks, so comparing and hashing a set is comparing and hashing bytes.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::{Error, Result, SeriesId};

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

/// An immutable label set, sorted by name, without empty values and without duplicate names. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

impl Labels {
    /// The empty set.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// From pairs in any order. Empty values are dropped; of two labels with one name the last wins.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// From pairs that are sorted by name, without empty values and without duplicate names: what only puts together what was
    /// checked before need not check it again.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, room: &mut Vec<u8>) -> Self {
        room.clear();
        for (name, value) in pairs {
            write_text(room, name.as_bytes());
            write_text(room, value.as_bytes());
        }
        Self(room.as_slice().into())
    }

    /// From a block as [`Labels::as_bytes`] gives it, checked: for bytes that come from a disk.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] if the block is not a canonical label set.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::corrupt("cannot read label block: not a canonical label set");
        let (mut rest, mut previous) = (bytes, None::<&str>);
        while !rest.is_empty() {
            let (name, after_name) = read_text(rest).ok_or_else(corrupt)?;
            let (value, after_value) = read_text(after_name).ok_or_else(corrupt)?;
            let name = std::str::from_utf8(name).map_err(|_| corrupt())?;
            std::str::from_utf8(value).map_err(|_| corrupt())?;
            if value.is_empty() || previous.is_some_and(|earlier| earlier >= name) {
                return Err(corrupt());
            }
            (rest, previous) = (after_value, Some(name));
        }
        Ok(Self(bytes.into()))
    }

    /// The canonical block.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The identity of the series with these labels.
    pub fn series_id(&self) -> SeriesId {
        SeriesId::of_block(&self.0)
    }

    /// The labels in order of name.
    pub fn iter(&self) -> LabelsIter<'_> {
        LabelsIter(&self.0)
    }

    /// The labels in order of name, as bytes: for those who only compare.
    pub fn blocks(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Blocks(&self.0)
    }

    /// The value of a label, if the set has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = Blocks(&self.0).find(|(candidate, _)| *candidate == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    /// The metric name, or the empty text.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether the set has no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A builder that starts with these labels.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder { pairs: self.iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// This set without the metric name.
    pub fn without_name(&self) -> Self {
        self.keep(|name| name != METRIC_NAME)
    }

    /// The subset of labels whose name the predicate accepts.
    pub fn keep(&self, mut accept: impl FnMut(&str) -> bool) -> Self {
        let mut block = Vec::with_capacity(self.0.len());
        self.write_kept(&mut accept, &mut block);
        Self(block.into())
    }

    /// Appends the block of [`Labels::keep`].
    pub fn write_kept(&self, mut accept: impl FnMut(&str) -> bool, block: &mut Vec<u8>) {
        for (name, value) in Blocks(&self.0).filter(|(name, _)| accept(std::str::from_utf8(name).unwrap_or(""))) {
            write_text(block, name);
            write_text(block, value);
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Label by label, name before value; a prefix sorts first. This is Prometheus' order.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        // Text sorts as its bytes do.
        Blocks(&self.0).cmp(Blocks(&other.0))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = LabelsIter<'a>;
    fn into_iter(self) -> LabelsIter<'a> {
        self.iter()
    }
}

/// Prometheus' notation: `name{label="value"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let rest: Vec<String> = self.iter().filter(|(name, _)| *name != METRIC_NAME).map(|(name, value)| format!("{name}={value:?}")).collect();
        if rest.is_empty() && !self.is_empty() { Ok(()) } else { write!(f, "{{{}}}", rest.join(", ")) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Iterator over the labels of a set as bytes.
struct Blocks<'a>(&'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = (&'a [u8], &'a [u8]);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = read_text(self.0)?;
        let (value, rest) = read_text(rest)?;
        self.0 = rest;
        Some((name, value))
    }
}

/// Iterator over the labels of a set, in order of name.
#[derive(Debug, Clone)]
pub struct LabelsIter<'a>(&'a [u8]);

impl<'a> Iterator for LabelsIter<'a> {
    type Item = (&'a str, &'a str);
    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = read_text(self.0)?;
        let (value, rest) = read_text(rest)?;
        self.0 = rest;
        // Blocks are built from text or checked by `from_bytes`; the empty text stands for the impossible.
        Some((std::str::from_utf8(name).unwrap_or(""), std::str::from_utf8(value).unwrap_or("")))
    }
}

/// Collects labels in any order and makes the canonical set.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Sets a label, replacing an earlier one of the name; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.iter_mut().find(|(candidate, _)| candidate == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.pairs.push((name.into(), value.into())),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(candidate, _)| candidate != name);
        self
    }

    /// The value set so far for a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(candidate, value)| candidate == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The labels set so far, in order of setting.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Removes the labels whose name the predicate refuses.
    pub fn retain(&mut self, mut accept: impl FnMut(&str) -> bool) {
        self.pairs.retain(|(name, _)| accept(name));
    }

    /// The canonical set.
    pub fn build(mut self) -> Labels {
        self.pairs.sort_unstable();
        let bytes = self.pairs.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut block = Vec::with_capacity(bytes);
        for (name, value) in self.pairs.iter().filter(|(_, value)| !value.is_empty()) {
            write_text(&mut block, name.as_bytes());
            write_text(&mut block, value.as_bytes());
        }
        Labels(block.into())
    }
}

fn write_text(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length >= 0x80 {
        block.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    block.push(length as u8);
    block.extend_from_slice(text);
}

#[inline]
fn read_text(block: &[u8]) -> Option<(&[u8], &[u8])> {
    // Most texts are shorter than 128 bytes.
    if let [length, rest @ ..] = block
        && *length < 0x80
    {
        return rest.split_at_checked(usize::from(*length));
    }
    let (mut length, mut shift, mut at) = (0usize, 0u32, 0usize);
    loop {
        let byte = *block.get(at)?;
        at += 1;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
    let rest = block.get(at..)?;
    (length <= rest.len()).then(|| rest.split_at(length))
}

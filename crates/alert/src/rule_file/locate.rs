//! Where in a YAML text something stands.
//!
//! The deserializer tells places only in errors. So the text is read once more along a path, and an error raised at its end;
//! this happens only when there is something to complain about.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step of a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    /// The document of the text with this number; the first step of every path.
    Document(usize),
    /// The value of a key.
    Key(&'a str),
    /// The element of a list.
    Index(usize),
}

/// Line and column of what a path leads to, both from 1; `None` if it leads nowhere.
pub(super) fn locate(text: &str, path: &[Step<'_>]) -> Option<(usize, usize)> {
    let (Step::Document(index), rest) = path.split_first()? else { return None };
    let document = serde_norway::Deserializer::from_str(text).nth(*index)?;
    let error = Walk(rest).deserialize(document).err()?;
    let location = error.location().filter(|_| error.to_string().contains(FOUND))?;
    Some((location.line(), location.column()))
}

/// What the error at the end of the path says, to tell it from others.
const FOUND: &str = "here it is";

struct Walk<'a>(&'a [Step<'a>]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    /// The end of the path is an error, anything else nothing.
    fn scalar<E: de::Error>(&self) -> Result<(), E> {
        if self.0.is_empty() { Err(E::custom(FOUND)) } else { Ok(()) }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.scalar()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else { return self.scalar() };
        let mut position = 0;
        loop {
            let element = match step {
                Step::Index(wanted) if *wanted == position => list.next_element_seed(Walk(rest))?,
                _ => list.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if element.is_none() {
                return Ok(());
            }
            position += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else { return self.scalar() };
        while let Some(key) = map.next_key::<String>()? {
            match step {
                Step::Key(wanted) if *wanted == key => map.next_value_seed(Walk(rest))?,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }
}

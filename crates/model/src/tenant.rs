//! Who the data belongs to, and what kind of data it is.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Result};

/// Owner of data. Part of every key on disk; data of two tenants never meets in one answer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of a server without authentication.
    pub const DEFAULT: &'static str = "default";

    /// A tenant by name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] unless the name is 1 to 64 of `A-Z a-z 0-9 _ -`: names become paths and keys.
    pub fn new(name: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(Error::invalid(format!("cannot use {name:?} as tenant: want 1 to 64 of A-Z a-z 0-9 _ -")));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.0)
    }
}

/// Whose data one question reads: one tenant, or several whose rows and series an answer tells apart by [`Owners::LABEL`]. At
/// least one; sorted, none twice. Nothing is ever written for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners(Arc<[Tenant]>);

impl Owners {
    /// How many tenants one question may read.
    pub const MAX: usize = 64;
    /// The label that says whose a row or series is, in answers from several tenants; that of Loki and Mimir.
    pub const LABEL: &'static str = "__tenant_id__";
    /// What a label of that name is called that was there before.
    pub const ORIGINAL: &'static str = "original___tenant_id__";

    /// Names of tenants with `|` between them.
    ///
    /// # Errors
    /// As [`Tenant::new`], and [`crate::ErrorKind::Invalid`] for more than [`Owners::MAX`].
    pub fn parse(names: &str) -> Result<Self> {
        let mut tenants = names.split('|').take(Self::MAX + 1).map(Tenant::new).collect::<Result<Vec<Tenant>>>()?;
        if tenants.len() > Self::MAX {
            return Err(Error::invalid(format!("cannot read more than {} tenants at once", Self::MAX)));
        }
        tenants.sort();
        tenants.dedup();
        Ok(Self(tenants.into()))
    }

    /// The tenant, if it is one.
    pub fn only(&self) -> Option<&Tenant> {
        match &*self.0 {
            [tenant] => Some(tenant),
            _ => None,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.0.iter()
    }
}

impl From<Tenant> for Owners {
    fn from(tenant: Tenant) -> Self {
        Self([tenant].into())
    }
}

impl From<&Tenant> for Owners {
    fn from(tenant: &Tenant) -> Self {
        Self::from(tenant.clone())
    }
}

impl From<&Owners> for Owners {
    fn from(owners: &Owners) -> Self {
        owners.clone()
    }
}

impl Default for Owners {
    fn default() -> Self {
        Self::from(Tenant::default())
    }
}

/// The three kinds of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Samples, native histograms, exemplars and metric metadata.
    Metrics,
    /// Log records.
    Logs,
    /// Spans.
    Traces,
}

impl Signal {
    /// All signals, in the order they are listed everywhere.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// The word used in paths, configuration and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }
}

/// One kind of row; each segment holds rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Float samples.
    Samples,
    /// Native histogram samples.
    Histograms,
    /// Exemplars.
    Exemplars,
    /// Log records.
    Logs,
    /// Spans.
    Spans,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 5] = [Self::Samples, Self::Histograms, Self::Exemplars, Self::Logs, Self::Spans];

    /// The word used in paths and in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Histograms => "histograms",
            Self::Exemplars => "exemplars",
            Self::Logs => "logs",
            Self::Spans => "spans",
        }
    }

    /// The table with this word, the inverse of [`Table::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == word)
    }

    /// The signal whose retention and limits govern this table.
    pub fn signal(self) -> Signal {
        match self {
            Self::Samples | Self::Histograms | Self::Exemplars => Signal::Metrics,
            Self::Logs => Signal::Logs,
            Self::Spans => Signal::Traces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_sorted_distinct_and_bounded() {
        let names = |text: &str| Owners::parse(text).map(|owners| owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        for (text, want) in [("b|a|b", "a,b"), ("a", "a"), ("a|a", "a")] {
            assert_eq!(names(text).unwrap(), want);
        }
        for bad in ["", "a|", "|a", "a||b", "a b", "a|../x"] {
            assert!(names(bad).unwrap_err().message().contains("as tenant: want 1 to 64 of A-Z a-z 0-9 _ -"), "{bad}");
        }
        let many = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>().join("|");
        assert!(names(&many(Owners::MAX)).is_ok());
        assert_eq!(names(&many(Owners::MAX + 1)).unwrap_err().message(), "cannot read more than 64 tenants at once");
        assert_eq!(Owners::parse("a|a").unwrap().only(), Some(&Tenant::new("a").unwrap()));
        assert_eq!(Owners::parse("a|b").unwrap().only(), None);
    }
}

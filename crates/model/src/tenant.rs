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

//! How a server is asked who it is, and told who we are: the keys of Alertmanager's `tls_config`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::settings::Secret;

/// How the certificate of a server is checked, and which one it sees of us. Files are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// Certificates (PEM) to trust instead of those of the system: for a server with a certificate of one's own authority.
    pub ca: Option<String>,
    /// A file with them.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), with those between it and its authority, for a server that asks for one.
    pub cert: Option<String>,
    /// A file with it.
    pub cert_file: Option<PathBuf>,
    /// The key of our certificate (PEM).
    pub key: Option<Secret>,
    /// A file with it.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must have, if it is not that of the URL.
    pub server_name: Option<String>,
    /// Oldest version of TLS, `TLS12` or `TLS13`. Older ones are never spoken.
    pub min_version: Option<TlsVersion>,
    /// Newest version of TLS.
    pub max_version: Option<TlsVersion>,
    /// Accept any certificate. Whoever is in the way can read and change everything, passwords too: for tests only.
    pub insecure_skip_verify: bool,
}

/// A version of TLS, in the words of Alertmanager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TlsVersion {
    /// 1.0, which is not spoken: as the oldest one it means 1.2.
    Tls10,
    /// 1.1, which is not spoken either.
    Tls11,
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// What the texts and files of [`TlsSettings`] say now.
#[derive(Default)]
pub(crate) struct TlsMaterial {
    /// Certificates to trust, in PEM.
    pub(crate) ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl TlsSettings {
    /// The same with files beside the file that names them.
    pub(crate) fn beside(self, folder: &Path) -> Self {
        let beside = |file: Option<PathBuf>| file.filter(|file| !file.as_os_str().is_empty()).map(|file| folder.join(file));
        Self { ca_file: beside(self.ca_file), cert_file: beside(self.cert_file), key_file: beside(self.key_file), ..self }
    }

    /// Whether anything of it may change.
    pub(crate) fn has_files(&self) -> bool {
        self.ca_file.is_some() || self.cert_file.is_some() || self.key_file.is_some()
    }

    /// What texts and files say now.
    pub(crate) fn material(&self) -> Result<TlsMaterial, String> {
        let read = |name: &str, text: Option<&str>, file: Option<&PathBuf>| match (text.filter(|text| !text.is_empty()), file) {
            (Some(_), Some(_)) => Err(format!("at most one of tls.{name} & tls.{name}_file must be configured")),
            (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(path)) => std::fs::read(path).map(Some).map_err(|error| format!("tls.{name}_file: cannot read {}: {error}", path.display())),
            (None, None) => Ok(None),
        };
        let material = TlsMaterial {
            ca: read("ca", self.ca.as_deref(), self.ca_file.as_ref())?,
            cert: read("cert", self.cert.as_deref(), self.cert_file.as_ref())?,
            key: read("key", self.key.as_ref().map(Secret::reveal), self.key_file.as_ref())?,
        };
        if material.cert.is_some() != material.key.is_some() {
            return Err("tls: want both of cert and key, or none".into());
        }
        Ok(material)
    }
}

impl TlsMaterial {
    /// Our certificate and its key, if there are any.
    pub(crate) fn identity(&self) -> Option<Vec<u8>> {
        self.cert_and_key().map(|(cert, key)| [key, b"\n".as_slice(), cert].concat())
    }

    /// The same apart.
    pub(crate) fn cert_and_key(&self) -> Option<(&[u8], &[u8])> {
        self.cert.as_deref().zip(self.key.as_deref())
    }

    /// The same for the same texts.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in [&self.ca, &self.cert, &self.key] {
            let part = part.as_deref().unwrap_or_default();
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }
}

//! Certificates of a door.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};
use tokio_rustls::TlsAcceptor;

/// Certificate, key, and who may connect. Read at the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificates of the server, PEM: its own first, then those that signed it.
    pub cert_file: PathBuf,
    /// The private key of the first certificate, PEM.
    pub key_file: PathBuf,
    /// Authorities, PEM, one of which must have signed the certificate of a client. Empty: clients need none.
    pub client_ca_file: PathBuf,
}

impl Tls {
    /// What accepts connections. `setting` is where these settings are, such as `receive.syslog.tls`.
    ///
    /// # Errors
    /// `Invalid` if a file cannot be read or holds nothing of use; the message names it.
    pub(crate) fn acceptor(&self, setting: &str) -> Result<TlsAcceptor> {
        if self.cert_file.as_os_str().is_empty() || self.key_file.as_os_str().is_empty() {
            return Err(Error::invalid(format!("cannot listen with TLS: want {setting}.cert_file and {setting}.key_file")));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key_file).map_err(|error| unusable("private key", &self.key_file, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::internal("cannot set up TLS").with_source(source))?;
        let builder = if self.client_ca_file.as_os_str().is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&self.client_ca_file)? {
                roots.add(certificate).map_err(|error| unusable("certificate of an authority", &self.client_ca_file, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable("certificate of an authority", &self.client_ca_file, &error))?)
        };
        let mut config = builder
            .with_single_cert(certificates(&self.cert_file)?, key)
            .map_err(|error| Error::invalid(format!("cannot use certificate {} with key {}: {error}", self.cert_file.display(), self.key_file.display())))?;
        // Senders that never read find the tickets when they close, and then the system resets the connection: what they sent last and
        // was still on its way is lost. A sender that connects again pays with a whole handshake.
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Paths that are relative are taken from here.
    pub fn resolve(&mut self, folder: &Path) {
        for file in [&mut self.cert_file, &mut self.key_file, &mut self.client_ca_file] {
            if !file.as_os_str().is_empty() {
                *file = folder.join(&*file);
            }
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable("certificate", file, &error))?;
    if certificates.is_empty() {
        return Err(unusable("certificate", file, &"it holds none"));
    }
    Ok(certificates)
}

fn unusable(what: &str, file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("cannot read {what} from {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_or_wrong() {
        let complaint = |tls: &Tls| tls.acceptor("receive.syslog.tls").err().unwrap().to_string();
        assert_eq!(complaint(&Tls::default()), "cannot listen with TLS: want receive.syslog.tls.cert_file and receive.syslog.tls.key_file");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.pem");
        let tls = Tls { cert_file: file.clone(), key_file: file.clone(), ..Tls::default() };
        assert!(complaint(&tls).starts_with(&format!("cannot read private key from {}: ", file.display())), "{}", complaint(&tls));
        std::fs::write(&file, "no key").unwrap();
        assert!(complaint(&tls).starts_with(&format!("cannot read private key from {}: ", file.display())), "{}", complaint(&tls));
    }

    #[test]
    fn files_are_taken_from_the_folder_of_the_configuration() {
        let mut tls = Tls { cert_file: "a.pem".into(), key_file: "/b.pem".into(), ..Tls::default() };
        tls.resolve(Path::new("/etc/signalbox"));
        assert_eq!(tls, Tls { cert_file: "/etc/signalbox/a.pem".into(), key_file: "/b.pem".into(), ..Tls::default() });
    }
}

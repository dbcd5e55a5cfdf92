//! TLS of a client: which certificates are believed, which one is shown, which versions are spoken.

use std::sync::{Arc, OnceLock};

use reqwest::ClientBuilder;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use signalbox_model::{Error, Result};

use crate::config::{TlsConfig, TlsVersion};

/// Bytes of a file with certificates.
const PEM_BYTES_MAX: u64 = 16 << 20;

/// Sets TLS on a client. Where no authority is configured the certificates of the system are believed.
pub(super) fn apply(builder: ClientBuilder, config: &TlsConfig, with_http2: bool) -> Result<ClientBuilder> {
    let mut tls = client_config(config)?;
    tls.alpn_protocols = if with_http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(builder.tls_backend_preconfigured(tls))
}

fn client_config(config: &TlsConfig) -> Result<ClientConfig> {
    let provider = provider();
    let invalid = |what: &str| format!("cannot use tls_config: {what}");
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(config))
        .map_err(|error| Error::invalid(invalid("no version of TLS is left")).with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(config, &provider)?);
    let Some(cert) = pem(&config.cert, &config.cert_file)? else { return Ok(builder.with_no_client_auth()) };
    let key = pem(config.key.reveal(), &config.key_file)?.ok_or_else(|| Error::invalid(invalid("a certificate without a key")))?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&cert).collect();
    let certs = certs.map_err(|error| Error::invalid(invalid("cert is not PEM")).with_source(error))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| Error::invalid(invalid("key is not PEM")).with_source(error))?;
    builder.with_client_auth_cert(certs, key).map_err(|error| Error::invalid(invalid("certificate and key do not fit")).with_source(error))
}

/// The implementation of cryptography that the process has installed, else the one it is built with.
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// TLS 1.0 and 1.1 as a lower bound leave everything that is spoken.
fn versions(config: &TlsConfig) -> Vec<&'static SupportedProtocolVersion> {
    let is_within = |version| config.min_version.is_none_or(|min| version >= min) && config.max_version.is_none_or(|max| version <= max);
    let known = [(TlsVersion::Tls13, &rustls::version::TLS13), (TlsVersion::Tls12, &rustls::version::TLS12)];
    known.into_iter().filter(|(version, _)| is_within(*version)).map(|(_, version)| version).collect()
}

fn verifier(config: &TlsConfig, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if config.insecure_skip_verify {
        return Ok(Arc::new(Anyone(provider.clone())));
    }
    let inner: Arc<dyn ServerCertVerifier> = match pem(&config.ca, &config.ca_file)? {
        Some(ca) => {
            let (mut roots, mut own) = (RootCertStore::empty(), Vec::new());
            let invalid = |error| Error::invalid("cannot use tls_config: ca is not PEM").with_source(error);
            for certificate in CertificateDer::pem_slice_iter(&ca) {
                let certificate = certificate.map_err(invalid)?;
                own.push(certificate.clone());
                roots.add(certificate).map_err(|error| Error::invalid("cannot use tls_config: ca holds no certificate").with_source(error))?;
            }
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            let inner = built.map_err(|error| Error::invalid("cannot use tls_config: ca holds no certificate").with_source(error))?;
            Arc::new(Own { roots: own, inner })
        }
        None => system_verifier(provider)?,
    };
    if config.server_name.is_empty() {
        return Ok(inner);
    }
    let name = ServerName::try_from(config.server_name.clone());
    let name = name.map_err(|_| Error::invalid(format!("cannot use tls_config.server_name {:?}: want the name of a host", config.server_name)))?;
    Ok(Arc::new(Named { name, inner }))
}

/// Believes the certificates of the system, which are read once.
fn system_verifier(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    static SHARED: OnceLock<Arc<rustls_platform_verifier::Verifier>> = OnceLock::new();
    if let Some(known) = SHARED.get() {
        return Ok(known.clone());
    }
    let built = rustls_platform_verifier::Verifier::new(provider.clone());
    let built = built.map_err(|error| Error::unavailable("cannot read the certificates of the system").with_source(error))?;
    Ok(SHARED.get_or_init(|| Arc::new(built)).clone())
}

fn pem(text: &str, file: &str) -> Result<Option<Vec<u8>>> {
    if file.is_empty() {
        return Ok((!text.is_empty()).then(|| text.as_bytes().to_vec()));
    }
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("cannot read {file}: {why}"));
    let bytes = std::fs::metadata(file).map_err(|error| cannot(&error))?.len();
    if bytes > PEM_BYTES_MAX {
        return Err(cannot(&format!("found {bytes} bytes: want at most {PEM_BYTES_MAX}")));
    }
    std::fs::read(file).map(Some).map_err(|error| cannot(&error))
}

/// Believes a server also when its certificate is itself one of the configured authorities, as Go does: a certificate that somebody
/// signed with its own key, and that says of itself that it is an authority. What it may be used for is not looked at: who lists
/// it has said so.
#[derive(Debug)]
struct Own {
    roots: Vec<CertificateDer<'static>>,
    inner: Arc<dyn ServerCertVerifier>,
}

/// Whether a certificate was refused for nothing but being an authority's. Its time has been looked at before, its name not yet.
fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(end, chain, name, ocsp, now);
        if !verified.as_ref().is_err_and(is_authority) || !self.roots.iter().any(|root| root.as_ref() == end.as_ref()) {
            return verified;
        }
        verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Checks certificates for a configured name instead of the host in the address.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    inner: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end, chain, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `insecure_skip_verify`: takes any certificate, of which the server must still hold the key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, end, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, end, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;

    /// After 2026, whatever the clock of this machine says.
    #[derive(Debug)]
    struct Fixed(u64);

    impl rustls::time_provider::TimeProvider for Fixed {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0)))
        }
    }

    const IN_TIME: u64 = 1_900_000_000;

    fn file(name: &str) -> String {
        format!("{}/testdata/tls/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    /// A whole handshake with a server that shows its own certificate: why the client ended it, if it did.
    fn shake_hands(config: &TlsConfig, name: &str, now: u64) -> Result<(), rustls::Error> {
        let certificate = CertificateDer::from_pem_file(file("own.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("own.key")).unwrap();
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let server = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let mut client = client_config(config).unwrap();
        client.time_provider = Arc::new(Fixed(now));
        let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            let mut bytes = bytes.as_slice();
            while !bytes.is_empty() {
                server.read_tls(&mut bytes).unwrap();
                server.process_new_packets()?;
            }
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut bytes = bytes.as_slice();
            while !bytes.is_empty() {
                client.read_tls(&mut bytes).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_certificate_that_is_its_own_authority_is_believed_where_it_is_listed() {
        let listed = TlsConfig { ca_file: file("own.pem"), ..TlsConfig::default() };
        for (min, max) in [(None, None), (None, Some(TlsVersion::Tls12)), (Some(TlsVersion::Tls13), None)] {
            let config = TlsConfig { min_version: min, max_version: max, ..listed.clone() };
            shake_hands(&config, "localhost", IN_TIME).unwrap();
            shake_hands(&config, "127.0.0.1", IN_TIME).unwrap();
        }
        let named = TlsConfig { server_name: "localhost".to_owned(), ..listed.clone() };
        shake_hands(&named, "elsewhere", IN_TIME).unwrap();

        let refused = |config: &TlsConfig, name, now| shake_hands(config, name, now).unwrap_err().to_string();
        let error = refused(&listed, "elsewhere", IN_TIME);
        assert!(error.contains("not valid for name"), "{error}");
        let error = refused(&listed, "localhost", 1_000_000_000);
        assert!(error.contains("not valid yet"), "{error}");
        let error = refused(&listed, "localhost", 5_000_000_000);
        assert!(error.contains("expired"), "{error}");
    }

    #[test]
    fn it_is_believed_nowhere_else() {
        let other = format!("{}/../notify/testdata/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
        let error = shake_hands(&TlsConfig { ca_file: other, ..TlsConfig::default() }, "localhost", IN_TIME).unwrap_err();
        assert!(is_authority(&error), "{error}");
        shake_hands(&TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() }, "elsewhere", IN_TIME).unwrap();
    }
}

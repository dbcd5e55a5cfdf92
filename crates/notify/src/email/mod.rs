//! Mails by SMTP: text and HTML, encrypted unless told otherwise, recognisable when they come twice.
//!
//! The bytes of a mail depend on the message alone: a retry has the same `Message-ID`, date and body, so that a receiver that
//! took the first attempt without our learning of it can tell. All mails about a group refer to one thread.

mod compose;
mod md5;
mod render;
mod session;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Identity, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use serde::{Deserialize, Serialize};

use crate::retry::{self, Failure};
use crate::settings::{Secret, SecretSource};
use crate::tls::{TlsSettings, TlsVersion};
use crate::{Delivery, Receipt};
use compose::Composer;
pub(crate) use compose::{Own, Threading};
use session::Auth;

/// Settings of mails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The mail server as `host:port`: 587 for submission, 465 for implicit TLS, 25 for a relay.
    pub smarthost: String,
    /// Who sends: `alerts@example.org` or `Signalbox <alerts@example.org>`.
    pub from: String,
    /// Who is told: addresses in the same form.
    pub to: Vec<String>,
    /// Tell about resolved alerts too.
    pub send_resolved: bool,
    /// Further headers; `Subject` and `Reply-To` may be replaced as well.
    pub headers: BTreeMap<String, String>,
    /// The name with which the server is greeted (EHLO).
    pub hello: String,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// How the server's certificate is checked.
    pub tls: TlsSettings,
    /// User name; without one there is no authentication.
    pub auth_username: Option<String>,
    /// Password.
    pub auth_password: Option<Secret>,
    /// A file with the password, read at each mail.
    pub auth_password_file: Option<PathBuf>,
    /// On whose behalf to send, where the server wants to know (PLAIN).
    pub auth_identity: Option<String>,
    /// Secret for CRAM-MD5, which is used where no mechanism for the password is offered.
    pub auth_secret: Option<Secret>,
    /// A file with it, read at each mail.
    pub auth_secret_file: Option<PathBuf>,
    /// Mechanisms that may be used for the password, the preferred one first, of those that the server offers.
    pub auth_mechanisms: Vec<AuthMechanism>,
    /// Seconds that one mail may take from connecting to the server's yes.
    pub timeout_seconds: u64,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// STARTTLS, or no mail.
    Starttls,
    /// STARTTLS if the server offers it: whoever is in the way can prevent that.
    Opportunistic,
    /// TLS from the first byte.
    Implicit,
    /// None: everybody on the way can read mails and password.
    None,
}

/// How to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMechanism {
    /// RFC 4616.
    Plain,
    /// Older than any specification, still needed.
    Login,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            smarthost: String::new(),
            from: String::new(),
            to: Vec::new(),
            send_resolved: true,
            headers: BTreeMap::new(),
            hello: "localhost".into(),
            encryption: Encryption::Starttls,
            tls: TlsSettings::default(),
            auth_username: None,
            auth_password: None,
            auth_password_file: None,
            auth_identity: None,
            auth_secret: None,
            auth_secret_file: None,
            auth_mechanisms: vec![AuthMechanism::Plain, AuthMechanism::Login],
            timeout_seconds: 30,
        }
    }
}

impl Settings {
    /// The same with files beside the file that names them.
    pub(crate) fn beside(self, folder: &Path) -> Self {
        let beside = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        let (auth_password_file, auth_secret_file) = (beside(self.auth_password_file), beside(self.auth_secret_file));
        Self { auth_password_file, auth_secret_file, tls: self.tls.beside(folder), ..self }
    }
}

/// A way to mail, ready to be used.
#[derive(Debug)]
pub struct Email {
    host: String,
    port: u16,
    hello: ClientId,
    encryption: Encryption,
    tls: TlsSettings,
    auth: Option<Auth>,
    timeout: Duration,
    composer: Composer,
    sends_resolved: bool,
}

impl Email {
    /// From its settings.
    ///
    /// # Errors
    /// Which key cannot be used, and why.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let (host, port) = host_and_port(&settings.smarthost)?;
        if settings.timeout_seconds == 0 {
            return Err("timeout_seconds: found 0: want at least 1".into());
        }
        if settings.auth_mechanisms.is_empty() {
            return Err("auth_mechanisms: found none: want plain or login".into());
        }
        // What cannot work shows at the start.
        tls(settings.encryption, &settings.tls, &host)?;
        Ok(Self {
            encryption: settings.encryption,
            tls: settings.tls.clone(),
            host,
            port,
            hello: ClientId::Domain(settings.hello.clone()),
            auth: auth(
                settings,
                SecretSource::from_keys("auth_password", settings.auth_password.as_ref(), settings.auth_password_file.as_ref())?,
                SecretSource::from_keys("auth_secret", settings.auth_secret.as_ref(), settings.auth_secret_file.as_ref())?,
            )?,
            timeout: Duration::from_secs(settings.timeout_seconds),
            composer: Composer::new(&settings.from, &settings.to, &settings.headers)?,
            sends_resolved: settings.send_resolved,
        })
    }

    /// The same with this way to say who sends. Files are read when they are needed: they may come later than we.
    pub(crate) fn authenticated(self, settings: &Settings) -> Result<Self, String> {
        if settings.auth_username.as_ref().is_none_or(String::is_empty) {
            // A password of nobody is none: Alertmanager sends without.
            return Ok(Self { auth: None, ..self });
        }
        let source = |text: &Option<Secret>, file: &Option<PathBuf>| match (text, file) {
            (Some(text), _) => Some(SecretSource::Text(text.clone())),
            (None, file) => file.clone().map(SecretSource::File),
        };
        let password = source(&settings.auth_password, &settings.auth_password_file);
        let secret = source(&settings.auth_secret, &settings.auth_secret_file);
        Ok(Self { auth: auth(settings, password, secret)?, ..self })
    }

    /// The same with templates for its texts and headers.
    pub(crate) fn with(self, own: Own) -> Self {
        Self { composer: self.composer.with(own), ..self }
    }

    pub(crate) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(crate) async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        let mail = self.composer.compose(delivery)?;
        match tokio::time::timeout(self.timeout, self.send(&mail)).await {
            Ok(Ok(response)) => {
                let text: Vec<&str> = response.message().collect();
                Ok(Receipt { answer: retry::shortened(format!("{} {}", response.code(), text.join(" "))), handle: None })
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::transient(format!("cannot send mail: no answer within {} s", self.timeout.as_secs()))),
        }
    }
}

/// What the server said decides; without its word (refused connections, broken ones, TLS) another attempt may do better.
fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    let mut text = format!("cannot send mail: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        // The error's own text may already end with its cause.
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = source.source();
    }
    match error.status() {
        Some(code) if !retry::is_smtp_transient(u16::from(code)) => Failure::permanent(text),
        _ => Failure::transient(text),
    }
}

fn host_and_port(smarthost: &str) -> Result<(String, u16), String> {
    let wrong = || format!("smarthost: found {smarthost:?}: want host:port");
    let (host, port) = smarthost.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

fn tls(encryption: Encryption, settings: &TlsSettings, host: &str) -> Result<Tls, String> {
    let material = settings.material()?;
    let name = settings.server_name.as_deref().unwrap_or(host);
    let mut builder = TlsParameters::builder(name.to_owned()).dangerous_accept_invalid_certs(settings.insecure_skip_verify);
    if let Some(pem) = &material.ca {
        let certificate = Certificate::from_pem(pem).map_err(|error| format!("tls.ca_file: {error}"))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    if let Some((cert, key)) = material.cert_and_key() {
        // The error may show what was read: a key.
        builder = builder.identify_with(Identity::from_pem(cert, key).map_err(|_| "tls.cert and tls.key: want a certificate and its key, both PEM")?);
    }
    if settings.min_version == Some(TlsVersion::Tls13) {
        builder = builder.set_min_tls_version(lettre::transport::smtp::client::TlsVersion::Tlsv13);
    }
    if settings.max_version.is_some_and(|max| max < TlsVersion::Tls13) {
        return Err("tls.max_version is not supported for mails: want TLS13".into());
    }
    let parameters = || builder.build().map_err(|error| format!("tls: {error}"));
    Ok(match encryption {
        Encryption::None => Tls::None,
        Encryption::Starttls => Tls::Required(parameters()?),
        Encryption::Opportunistic => Tls::Opportunistic(parameters()?),
        Encryption::Implicit => Tls::Wrapper(parameters()?),
    })
}

fn auth(settings: &Settings, password: Option<SecretSource>, secret: Option<SecretSource>) -> Result<Option<Auth>, String> {
    let mechanism = |mechanism: &AuthMechanism| match mechanism {
        AuthMechanism::Plain => Mechanism::Plain,
        AuthMechanism::Login => Mechanism::Login,
    };
    match (&settings.auth_username, password.is_some() || secret.is_some()) {
        (None, false) => Ok(None),
        (Some(username), true) => Ok(Some(Auth {
            username: username.clone(),
            identity: settings.auth_identity.clone(),
            password,
            secret,
            mechanisms: settings.auth_mechanisms.iter().map(mechanism).collect(),
        })),
        (Some(_), false) => Err("auth_username: found no auth_password and no auth_password_file".into()),
        (None, true) => Err("auth_password: found no auth_username".into()),
    }
}

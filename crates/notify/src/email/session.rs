//! A conversation with a mail server: encryption, authentication, one mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::response::Response;

use super::{Email, failure, md5, tls};
use crate::retry::Failure;
use crate::settings::SecretSource;

/// Who says that he may send.
#[derive(Debug, Clone)]
pub(super) struct Auth {
    pub(super) username: String,
    /// On whose behalf, where that is another (RFC 4616).
    pub(super) identity: Option<String>,
    pub(super) password: Option<SecretSource>,
    /// For CRAM-MD5, which never sends it.
    pub(super) secret: Option<SecretSource>,
    /// For the password, the preferred one first.
    pub(super) mechanisms: Vec<Mechanism>,
}

impl Email {
    /// Sends a mail; the response is the server's word that it took it.
    pub(super) async fn send(&self, mail: &Mail) -> Result<Response, Failure> {
        // Read now, because files may have been replaced.
        let tls = tls(self.encryption, &self.tls, &self.host).map_err(Failure::transient)?;
        let wrapper = if let Tls::Wrapper(parameters) = &tls { Some(parameters.clone()) } else { None };
        let address = (self.host.as_str(), self.port);
        let connected = AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &self.hello, wrapper, None).await;
        let mut connection = connected.map_err(|error| failure(&error))?;
        let result = self.converse(&mut connection, &tls, mail).await;
        // A connection a mail: mails are rare, and servers hang up on idle clients. What is said after the yes changes nothing.
        connection.abort().await;
        result
    }

    async fn converse(&self, connection: &mut AsyncSmtpConnection, tls: &Tls, mail: &Mail) -> Result<Response, Failure> {
        match tls {
            Tls::Required(parameters) => connection.starttls(parameters.clone(), &self.hello).await.map_err(|error| failure(&error))?,
            Tls::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await.map_err(|error| failure(&error))?;
            }
            _ => {}
        }
        if let Some(auth) = &self.auth {
            auth.authenticate(connection).await?;
        }
        connection.send(mail.envelope(), &mail.formatted()).await.map_err(|error| failure(&error))
    }
}

impl Auth {
    async fn authenticate(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
        let offered = self.mechanisms.iter().copied().find(|mechanism| connection.server_info().supports_auth_mechanism(*mechanism));
        let result = match (&self.password, offered, &self.secret) {
            (Some(password), Some(mechanism), _) => {
                let password = password.read().map_err(Failure::transient)?;
                match self.identity.as_deref().filter(|identity| !identity.is_empty()) {
                    Some(identity) if mechanism == Mechanism::Plain => plain(connection, identity, &self.username, password.reveal()).await,
                    _ => connection.auth(&[mechanism], &Credentials::new(self.username.clone(), password.reveal().to_owned())).await,
                }
            }
            (_, _, Some(secret)) => cram_md5(connection, &self.username, secret.read().map_err(Failure::transient)?.reveal()).await,
            _ => return Err(Failure::transient("cannot send mail: the server offers no mechanism of authentication that is configured")),
        };
        result.map(|_| ()).map_err(|error| failure(&error))
    }
}

/// RFC 4616, on behalf of another.
async fn plain(connection: &mut AsyncSmtpConnection, identity: &str, username: &str, password: &str) -> Result<Response, Error> {
    connection.command(format!("AUTH PLAIN {}\r\n", STANDARD.encode(format!("{identity}\0{username}\0{password}")))).await
}

/// RFC 2195: the server's words, signed.
async fn cram_md5(connection: &mut AsyncSmtpConnection, username: &str, secret: &str) -> Result<Response, Error> {
    let asked = connection.command("AUTH CRAM-MD5\r\n").await?;
    let challenge = asked.first_word().and_then(|word| STANDARD.decode(word).ok()).unwrap_or_default();
    let answer = format!("{username} {}", md5::hmac_hex(secret.as_bytes(), &challenge));
    connection.command(format!("{}\r\n", STANDARD.encode(answer))).await
}

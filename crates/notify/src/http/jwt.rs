//! Who asks for a token, said by a signature (RFC 7523, section 2.1): claims signed with the key of the client, RSA with SHA-2.
//! Claims and their defaults are Prometheus': `iss` and `sub` are the id of the client, `aud` is where the token comes from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self, RsaEncoding, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

use crate::settings::SecretSource;

/// The name of the grant.
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is good for.
const LIFE_SECONDS: i64 = 600;

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Algorithm {
    #[default]
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    /// The one of a name; no name is the first.
    pub(crate) fn from_name(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        let found = [Self::Rs256, Self::Rs384, Self::Rs512].into_iter().find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| "valid signature algorithms are RS256, RS384 and RS512".to_owned())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Rs256 => &signature::RSA_PKCS1_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_SHA512,
        }
    }
}

/// What is signed, and with which key.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A private key of RSA in PEM, of at least 2048 bits.
    pub(crate) key: SecretSource,
    /// What the server knows the key by.
    pub(crate) key_id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    /// Claims that replace others of their names.
    pub(crate) claims: Map<String, Value>,
}

impl Settings {
    /// The assertion of a client at an instant, for these scopes.
    pub(crate) fn assertion(&self, client_id: &str, token_url: &str, scopes: &str, now_ns: i64) -> Result<String, String> {
        let wrong = |why: &str| format!("oauth2 client_certificate_key: {why}");
        let pem = self.key.read()?;
        let key = PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(|_| wrong("want a private key in PEM"))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("want a private key of RSA")),
        };
        let pair = pair.map_err(|error| wrong(&format!("want a private key of RSA of 2048 bits or more: {error}")))?;
        let (random, seconds) = (SystemRandom::new(), now_ns.div_euclid(1_000_000_000));
        let or = |own: &str, default: &str| if own.is_empty() { default.to_owned() } else { own.to_owned() };
        let claims = json!({
            "iss": or(&self.issuer, client_id),
            "sub": client_id,
            "jti": identity(&random)?,
            "aud": or(&self.audience, token_url),
            "iat": seconds,
            "exp": seconds.saturating_add(LIFE_SECONDS),
        });
        let mut claims = claims.as_object().cloned().unwrap_or_default();
        if !scopes.is_empty() {
            claims.insert("scope".to_owned(), scopes.into());
        }
        claims.extend(self.claims.clone());
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if !self.key_id.is_empty() {
            header["kid"] = self.key_id.as_str().into();
        }
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()));
        let mut tag = vec![0; pair.public().modulus_len()];
        pair.sign(self.algorithm.encoding(), &random, signed.as_bytes(), &mut tag).map_err(|_| wrong("it cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }
}

/// A UUID by chance (RFC 9562, version 4): no assertion is taken twice.
fn identity(random: &SystemRandom) -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes).map_err(|_| "there is no randomness".to_owned())?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

//! What all dialects share: who asks, with which parameters, and what status an error has.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use signalbox_model::{Error, ErrorKind, Owners, Tenant};

/// What is said to who names several tenants where one is known only.
const ONE_TENANT: &str = "cannot answer for several tenants here: want one name in X-Scope-OrgID";

/// What is taken of a header that says who asks.
const CALLER_BYTES_MAX: usize = 256;

/// Bytes of a form body that are read at most; the query languages bound their texts far below.
pub const FORM_BYTES_MAX: usize = 4 << 20;

/// The tenant that the server found behind the credential; the default tenant on a server without authentication. Who asks for
/// several is told that these paths know of one only.
#[derive(Debug, Clone)]
pub struct Asker(pub Tenant);

/// The tenants that the server found behind the credential, for paths that can read several at once.
#[derive(Debug, Clone)]
pub struct Askers(pub Owners);

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        only(&owners(&parts.extensions)).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Askers {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(owners(&parts.extensions)))
    }
}

/// The address that a connection comes from, which the server finds out.
#[derive(Debug, Clone, Copy)]
pub struct RemoteAddress(pub SocketAddr);

/// Who asks, as far as a server without accounts knows, for people to read: the address, whom a proxy asks for, and what the
/// client calls itself.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let said = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map_or("", |text| text.get(..CALLER_BYTES_MAX).unwrap_or(text));
        let mut caller = parts.extensions.get::<RemoteAddress>().map_or_else(|| "unknown".to_owned(), |address| address.0.to_string());
        for (before, name) in [(" for ", "x-forwarded-for"), (", ", "user-agent")] {
            if !said(name).is_empty() {
                caller.extend([before, said(name)]);
            }
        }
        Ok(Self(caller))
    }
}

/// Whose data a request reads.
pub(crate) fn owners(extensions: &http::Extensions) -> Owners {
    extensions.get::<Owners>().cloned().unwrap_or_default()
}

/// The tenant of a request that names one; else the refusal.
pub(crate) fn only(owners: &Owners) -> Result<Tenant, (StatusCode, &'static str)> {
    owners.only().cloned().ok_or((StatusCode::BAD_REQUEST, ONE_TENANT))
}

/// Parameters of a request: those of the URL, then those of a form body. A name may appear more than once.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// From URL-encoded text, of a query string or a form.
    pub fn parse(text: &str) -> Self {
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(decode_pair).collect())
    }

    /// From names and values.
    pub fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The first value of a parameter that is not the empty text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(candidate, value)| candidate == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// Names of all parameters that are not the empty text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// All parameters, the first value of each.
    pub fn to_map(&self) -> HashMap<&str, &str> {
        let mut map = HashMap::new();
        for (name, value) in &self.0 {
            map.entry(name.as_str()).or_insert(value.as_str());
        }
        map
    }
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = (StatusCode, String);

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let mut params = Self::parse(request.uri().query().unwrap_or(""));
        if is_form(request.headers()) {
            let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX)
                .await
                .map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, format!("cannot read form: want at most {FORM_BYTES_MAX} bytes")))?;
            params.0.extend(Self::parse(&text(&body)).0);
        }
        Ok(params)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    content_type.starts_with("application/x-www-form-urlencoded")
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn decode_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (percent_decode(name), percent_decode(value))
}

/// Decodes `%41` and `+`; what is no valid escape stays as it is, bad UTF-8 becomes the replacement character.
pub fn percent_decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', _, _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A refusal in plain text.
#[derive(Debug)]
pub(crate) struct PlainRefusal(Error);

impl From<Error> for PlainRefusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for PlainRefusal {
    fn into_response(self) -> Response {
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a request: {}", self.0);
        }
        (status(&self.0), self.0.message().to_owned()).into_response()
    }
}

/// The status that says to any HTTP client what the kind of an error says to a caller.
pub fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Limit => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unavailable | ErrorKind::Timeout => StatusCode::SERVICE_UNAVAILABLE,
        // 499 is nginx' "client closed request": nobody reads the answer.
        ErrorKind::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

//! One mail: headers, the same bytes for the same message.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use lettre::Message as Mail;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Mailboxes, MultiPart, SinglePart};

use super::render;
use crate::Delivery;
use crate::message::Message;
use crate::retry::Failure;
use crate::template::{Renderer, Templates};

/// Headers that a mail has of its own and that must not be replaced.
const OWN_HEADERS: &[&str] = &["from", "to", "date", "message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"];

/// What all mails of a receiver share.
#[derive(Debug)]
pub(super) struct Composer {
    from: Addresses,
    to: Vec<Addresses>,
    headers: Vec<(HeaderName, String)>,
    own: Option<Own>,
}

/// Addresses as they are, or a template of them.
#[derive(Debug)]
enum Addresses {
    Known(Mailbox),
    Template(String),
}

/// What mails are threaded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threading {
    /// All about a group.
    Group,
    /// All about a group of one day.
    Daily,
}

/// Templates that replace the texts of a mail. With them, values of headers are templates too.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) templates: Templates,
    /// The HTML, instead of that of every mail.
    pub(crate) html: Option<String>,
    /// The plain text, instead of that of every mail.
    pub(crate) text: Option<String>,
    /// What mails are threaded by.
    pub(crate) threading: Threading,
}

impl Composer {
    pub(super) fn new(from: &str, to: &[String], headers: &BTreeMap<String, String>) -> Result<Self, String> {
        let address = |key: &str, text: &str| {
            if text.contains("{{") {
                return Ok(Addresses::Template(text.to_owned()));
            }
            text.parse().map(Addresses::Known).map_err(|error| format!("{key}: found {text:?}: want an address: {error}"))
        };
        if to.is_empty() {
            return Err("to: found no address".into());
        }
        let header = |(name, value): (&String, &String)| {
            let parsed = HeaderName::new_from_ascii(name.clone()).map_err(|_| format!("headers: found {name:?}: want the name of a header"))?;
            if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!("headers: found {name}: every mail has that of its own"));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("headers: found a control character in the value of {name}"));
            }
            Ok((parsed, value.clone()))
        };
        Ok(Self {
            from: address("from", from)?,
            to: to.iter().map(|text| address("to", text)).collect::<Result<_, _>>()?,
            headers: headers.iter().map(header).collect::<Result<_, _>>()?,
            own: None,
        })
    }

    /// The same with templates.
    pub(super) fn with(self, own: Own) -> Self {
        Self { own: Some(own), ..self }
    }

    pub(super) fn compose(&self, delivery: Delivery<'_>) -> Result<Mail, Failure> {
        let message = delivery.message;
        let (from, to) = self.addresses(delivery)?;
        let domain = from.email.domain().to_owned();
        let thread = match self.own.as_ref().map(|own| own.threading) {
            Some(Threading::Daily) => {
                let day = crate::instant::rfc3339(delivery.enqueued_at_ns);
                format!("<group.{:016x}.{}@{domain}>", hash(&message.group_key), day.get(..10).unwrap_or_default())
            }
            _ => format!("<group.{:016x}@{domain}>", hash(&message.group_key)),
        };
        let enqueued_at = UNIX_EPOCH + Duration::from_nanos(u64::try_from(delivery.enqueued_at_ns).unwrap_or(0));
        let mut mail = Mail::builder()
            .from(from)
            .date(enqueued_at)
            .subject(one_line(&message.subject()))
            .message_id(Some(format!("<{}.{:016x}@{domain}>", delivery.key(), hash(&message.group_key))))
            .in_reply_to(thread.clone())
            .references(thread)
            .user_agent(concat!("Signalbox/", env!("CARGO_PKG_VERSION")).to_owned());
        for to in to {
            mail = mail.to(to);
        }
        // No answers from out-of-office robots (RFC 3834).
        for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Signalbox-Status", message.status().as_str())] {
            mail = mail.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()));
        }
        let (mut text, mut html) = (None, None);
        let mut headers = self.headers.clone();
        if let Some(own) = &self.own {
            let renderer = Renderer::new(&own.templates, message, delivery.now_ns);
            text = own.text.as_deref().map(|text| renderer.text(text)).transpose()?;
            html = own.html.as_deref().map(|html| renderer.html(html)).transpose()?;
            for (_, value) in &mut headers {
                *value = one_line(&renderer.text(value)?);
            }
        }
        for (name, value) in headers {
            mail = mail.raw_header(HeaderValue::new(name, value));
        }
        let bodies = [text.unwrap_or_else(|| render::text(message)), html.unwrap_or_else(|| render::html(message))];
        let composed = mail.multipart(alternatives(message, &delivery.key(), bodies));
        composed.map_err(|error| Failure::permanent(format!("cannot compose mail: {error}")))
    }
}

impl Composer {
    /// Who sends, and who is told; templates are expanded.
    fn addresses(&self, delivery: Delivery<'_>) -> Result<(Mailbox, Vec<Mailbox>), Failure> {
        let expand = |key: &str, addresses: &Addresses| {
            let template = match addresses {
                Addresses::Known(mailbox) => return Ok(vec![mailbox.clone()]),
                Addresses::Template(template) => template,
            };
            let own = self.own.as_ref().ok_or_else(|| Failure::permanent(format!("{key}: templates are not supported here")))?;
            let text = one_line(&Renderer::new(&own.templates, delivery.message, delivery.now_ns).text(template)?);
            let parsed: Mailboxes = text.trim().parse().map_err(|error| Failure::permanent(format!("{key}: found {text:?}: want an address: {error}")))?;
            Ok(parsed.into_iter().collect())
        };
        let from = expand("from", &self.from)?.into_iter().next().ok_or_else(|| Failure::permanent("from: found no address"))?;
        let mut to = Vec::new();
        for addresses in &self.to {
            to.extend(expand("to", addresses)?);
        }
        if to.is_empty() { Err(Failure::permanent("to: found no address")) } else { Ok((from, to)) }
    }
}

/// Text and HTML; the preferred alternative is the last one (RFC 2046, section 5.1.4).
fn alternatives(message: &Message, key: &str, [text, html]: [String; 2]) -> MultiPart {
    let part = |content_type: ContentType, body: String| {
        // Quoted-printable whatever is inside: lines stay short and seven bits wide, and equal texts give equal bytes.
        let encoded = Body::new_with_encoding(body, ContentTransferEncoding::QuotedPrintable);
        let encoded = encoded.unwrap_or_else(|body| Body::new(String::from_utf8_lossy(&body).into_owned()));
        SinglePart::builder().header(content_type).body(encoded)
    };
    MultiPart::alternative()
        .boundary(format!("signalbox.{key}.{:016x}", hash(&message.group_key)))
        .singlepart(part(ContentType::TEXT_PLAIN, text))
        .singlepart(part(ContentType::TEXT_HTML, html))
}

/// Labels may hold line breaks; a header must not.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn hash(text: &str) -> u64 {
    crate::message::fingerprint([(&"group".to_owned(), &text.to_owned())])
}

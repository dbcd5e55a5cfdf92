//! Pushover: a form to its message API (<https://pushover.net/api>). What Alertmanager puts into the URL goes into the body here:
//! it holds the token and the user's key.
//!
//! Lengths are those of <https://pushover.net/api#limits>, and Alertmanager's. By <https://pushover.net/api#friendly> 4xx is
//! never tried again, also not 429, which says that the messages of the month are used up; after 5xx it is, not before five
//! seconds.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use signalbox_lang::template::query_escape;

use crate::hosted::Service;
use crate::http::{Answer, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate};

/// Where messages are taken.
const URL: &str = "https://api.pushover.net/1/messages.json";
/// Characters of title, message, URL and its title: Pushover refuses more.
const TITLE_CHARACTERS_MAX: usize = 250;
const MESSAGE_CHARACTERS_MAX: usize = 1_024;
const URL_CHARACTERS_MAX: usize = 512;
const URL_TITLE_CHARACTERS_MAX: usize = 100;

/// Shortest wait after a failure of the server.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(5);

/// Keys of `pushover_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) user_key: Option<Secret>,
    pub(crate) user_key_file: Option<PathBuf>,
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<PathBuf>,
    title: String,
    message: String,
    url: String,
    url_title: String,
    device: String,
    sound: String,
    priority: String,
    /// Durations, as `1m`.
    pub(crate) retry: String,
    pub(crate) expire: String,
    pub(crate) ttl: String,
    html: bool,
    monospace: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"pushover.default.{name}\" . }}}}");
        Self {
            user_key: None,
            user_key_file: None,
            token: None,
            token_file: None,
            title: template("title"),
            message: template("message"),
            url: template("url"),
            url_title: String::new(),
            device: String::new(),
            sound: String::new(),
            // An emergency until somebody has seen it.
            priority: r#"{{ if eq .Status "firing" }}2{{ else }}0{{ end }}"#.to_owned(),
            retry: "1m".to_owned(),
            expire: "1h".to_owned(),
            ttl: String::new(),
            html: false,
            monospace: false,
        }
    }
}

impl Settings {
    /// What Alertmanager refuses too.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.html && self.monospace { Err("at most one of monospace & html must be configured".to_owned()) } else { Ok(()) }
    }
}

/// Pushover, with who sends and who is told.
#[derive(Debug)]
pub(crate) struct Pushover {
    pub(crate) settings: Settings,
    pub(crate) user_key: SecretSource,
    pub(crate) token: SecretSource,
    /// Seconds between repetitions of an emergency, until they end, and until a message vanishes (0: never).
    pub(crate) retry_s: u64,
    pub(crate) expire_s: u64,
    pub(crate) ttl_s: u64,
}

impl Service for Pushover {
    fn kind(&self) -> &'static str {
        "pushover"
    }

    fn name(&self) -> &'static str {
        "Pushover"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let secret = |source: &SecretSource| renderer.text(source.read().map_err(Failure::transient)?.reveal());
        let message = if settings.html { renderer.html(&settings.message)? } else { renderer.text(&settings.message)? };
        let message = truncate(&message, MESSAGE_CHARACTERS_MAX);
        // An empty message is refused.
        let message = if message.trim().is_empty() { "(no details)" } else { message.trim() };
        let mut form = vec![
            ("token", secret(&self.token)?),
            ("user", secret(&self.user_key)?),
            ("title", truncate(&renderer.text(&settings.title)?, TITLE_CHARACTERS_MAX)),
            ("message", message.to_owned()),
            ("url", truncate(&renderer.text(&settings.url)?, URL_CHARACTERS_MAX)),
            ("url_title", truncate(&renderer.text(&settings.url_title)?, URL_TITLE_CHARACTERS_MAX)),
            ("priority", renderer.text(&settings.priority)?),
            ("retry", self.retry_s.to_string()),
            ("expire", self.expire_s.to_string()),
            ("device", renderer.text(&settings.device)?),
            ("sound", renderer.text(&settings.sound)?),
        ];
        for (name, is_on, value) in [("html", settings.html, 1), ("monospace", settings.monospace, 1), ("ttl", self.ttl_s > 0, self.ttl_s)] {
            if is_on {
                form.push((name, value.to_string()));
            }
        }
        let body = form.iter().map(|(name, value)| format!("{name}={}", query_escape(value))).collect::<Vec<_>>().join("&");
        let content_type = "application/x-www-form-urlencoded";
        Ok(vec![Request { method: "POST", url: Secret::new(URL), headers: Vec::new(), content_type: content_type.to_owned(), body }])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check().map_err(|failure| {
            let is_transient = failure.is_transient && answer.status >= 500;
            Failure { is_transient, retry_after: is_transient.then_some(failure.retry_after.unwrap_or_default().max(RETRY_AFTER_MIN)), ..failure }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::message::{Pairs, Reason};
    use crate::template::Templates;

    #[test]
    fn a_form_says_who_is_told_what() {
        let text = |text: &str| SecretSource::Text(Secret::new(text));
        let url_title = format!("{{{{ printf \"%0{}d\" 1 }}}}", URL_TITLE_CHARACTERS_MAX + 1);
        let settings = Settings { message: " {{ .Status }} & <b> ".to_owned(), url_title, html: true, ..Settings::default() };
        let pushover = Pushover { settings, user_key: text("u"), token: text("t"), retry_s: 60, expire_s: 3_600, ttl_s: 5 };
        let message = Message {
            receiver: "ops".to_owned(),
            reason: Reason::FirstNotification,
            group_key: String::new(),
            group_labels: Pairs::new(),
            alerts: Vec::new(),
            external_url: "http://sb".to_owned(),
            route_labels: std::collections::BTreeMap::new(),
            truncated_alerts: 0,
        };
        let templates = Templates::load(&[]).unwrap();
        let requests = pushover.requests(&message, &Renderer::new(&templates, &message, 0)).unwrap();
        assert_eq!((requests[0].method, requests[0].url.reveal(), requests[0].content_type.as_str()), ("POST", URL, "application/x-www-form-urlencoded"));
        let expected = format!(
            "token=t&user=u&title=%5BRESOLVED%5D++&message=resolved+%26+%3Cb%3E&url=http%3A%2F%2Fsb%2F%23%2Falerts%3Freceiver%3Dops&url_title={}%E2%80%A6\
             &priority=0&retry=60&expire=3600&device=&sound=&html=1&ttl=5",
            "0".repeat(URL_TITLE_CHARACTERS_MAX - 1)
        );
        assert_eq!(requests[0].body, expected);
        let answer = |status| Answer { status, body: String::new(), retry_after: None };
        assert_eq!([429, 500, 400].map(|status| pushover.judge(&answer(status)).unwrap_err().is_transient), [false, true, false]);
        assert_eq!(pushover.judge(&answer(503)).unwrap_err().retry_after, Some(RETRY_AFTER_MIN));
        pushover.judge(&answer(200)).unwrap();
    }
}

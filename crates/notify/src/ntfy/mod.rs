//! ntfy: a message to a topic, as JSON (<https://docs.ntfy.sh/publish/#publish-as-json>). Who may publish stands in `http_config`.
//!
//! A yes is 200. How many bytes a message may have is `message-size-limit` of the server, by default that of ntfy.sh
//! (<https://docs.ntfy.sh/publish/#limitations>). A longer title, and longer tags, are refused since 2.28
//! (40057, 40058: <https://docs.ntfy.sh/releases/#ntfy-server-v2280>). 429 passes: of requests in seconds, of the messages of a day (42908) with the day.

use serde::Deserialize;
use serde_json::json;

use crate::hosted::{Service, split};
use crate::http::Request;
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::Secret;
use crate::template::{Renderer, truncate_bytes};

/// Bytes of a message: a longer one becomes an attachment, or is refused where there are none.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// Bytes of a title.
const TITLE_BYTES_MAX: usize = 1_024;
/// Bytes of all tags with the commas between them.
const TAGS_BYTES_MAX: usize = 512;

/// Keys of `ntfy_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) url: Option<Secret>,
    /// Who knows it may read it.
    pub(crate) topic: Secret,
    title: String,
    message: String,
    priority: String,
    tags: String,
    click: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            topic: Secret::new(""),
            title: r#"{{ template "__subject" . }}"#.to_owned(),
            message: r#"{{ .CommonAnnotations.SortedPairs.Values | join " " }}{{ template "__firing_and_resolved" . }}"#.to_owned(),
            priority: r#"{{ if eq .Status "firing" }}4{{ else }}3{{ end }}"#.to_owned(),
            tags: String::new(),
            click: r#"{{ .ExternalURL }}"#.to_owned(),
        }
    }
}

/// ntfy, with the server to post to.
#[derive(Debug)]
pub(crate) struct Ntfy {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
}

impl Service for Ntfy {
    fn kind(&self) -> &'static str {
        "ntfy"
    }

    fn name(&self) -> &'static str {
        "ntfy"
    }

    fn requests(&self, _message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let priority = renderer.text(&settings.priority)?;
        let level = priority.trim().parse::<u8>().ok().filter(|level| (1..=5).contains(level));
        let level = level.ok_or_else(|| Failure::permanent(format!("priority: found {priority:?}: want 1 to 5")))?;
        let body = json!({
            "topic": renderer.text(settings.topic.reveal())?,
            "title": truncate_bytes(&renderer.text(&settings.title)?, TITLE_BYTES_MAX),
            "message": truncate_bytes(renderer.text(&settings.message)?.trim(), MESSAGE_BYTES_MAX),
            "priority": level,
            "tags": tags(&renderer.text(&settings.tags)?),
            "click": renderer.text(&settings.click)?,
        });
        Ok(vec![Request::json(self.url.clone(), &body)])
    }
}

/// The tags of a text, as many of the first ones as may be there.
fn tags(text: &str) -> Vec<&str> {
    let mut bytes = 0;
    let fits = |tag: &&str| {
        bytes += tag.len() + 1;
        bytes <= TAGS_BYTES_MAX + 1
    };
    split(text).into_iter().take_while(fits).collect()
}

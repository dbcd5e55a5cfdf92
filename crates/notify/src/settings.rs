//! Who is told, and how: the receivers of the configuration, and what channels are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_norway::Value;
use signalbox_model::{Error, Result};

use crate::template::Templates;
use crate::{Channel, Internal, Network, Policy, alertmanager, email, webhook};

/// Most receivers of a configuration: each channel is a task with a connection.
const RECEIVERS_MAX: usize = 1_000;
/// Seconds of failing after which the fallback is told, where the receiver does not say so itself.
const FALLBACK_AFTER_SECONDS: u64 = 900;

/// Settings of notifications.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who can be told. A name may occur once; each receiver needs at least one channel.
    pub receivers: Vec<Receiver>,
    /// Whether requests of channels may go to internal addresses (loopback, private, carrier-grade NAT): `refused`; `named`
    /// if the configuration itself names an internal host, by its address or by a name that is none of the internet
    /// (`localhost`, `bot`, `bot.monitoring.svc`, `nas.lan`); `allowed`. Mail servers are reached wherever they are.
    pub internal_addresses: Internal,
    /// Networks that requests may go to whatever they are, as `10.0.0.0/8`. Link-local and metadata addresses are reached in
    /// no other way.
    pub internal_networks: Vec<Network>,
    /// Files with templates that receivers may call, as `templates` of `alertmanager.yml`; `*` is a pattern.
    pub templates: Vec<String>,
    /// The folder of AWS' shared files `credentials` and `config`, whose keys sign for `sns_configs` that have none of their own
    /// (`profile`). Empty: `.aws` in the home of whoever runs the server.
    pub aws_folder: PathBuf,
    /// Where files of receivers lie that are not absolute.
    #[serde(skip)]
    folder: PathBuf,
}

/// One receiver: a name and the channels through which it is told. The keys of entries of `*_configs` are those of
/// `alertmanager.yml`, texts are templates, files lie beside the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receiver {
    /// The name that routes refer to.
    pub name: String,
    /// The receiver that is told instead, by name, when a channel gave a message up or failed for long.
    pub fallback: Option<String>,
    /// After how many seconds of failing the fallback is told too, while the channel is tried on; 0 means 900.
    pub fallback_after_seconds: u64,
    /// Mails to these addresses.
    pub email: Option<email::Settings>,
    /// A request to this URL.
    pub webhook: Option<webhook::Settings>,
    /// Mails, with the keys of Alertmanager.
    pub email_configs: Vec<Entry>,
    /// Requests to URLs, with the keys of Alertmanager.
    pub webhook_configs: Vec<Entry>,
    /// Slack, by an incoming webhook or as an app.
    pub slack_configs: Vec<Entry>,
    /// PagerDuty, by the Events API v2.
    pub pagerduty_configs: Vec<Entry>,
    /// Opsgenie.
    pub opsgenie_configs: Vec<Entry>,
    /// Microsoft Teams, by a connector (old).
    pub msteams_configs: Vec<Entry>,
    /// Microsoft Teams, by a workflow.
    pub msteamsv2_configs: Vec<Entry>,
    /// Telegram.
    pub telegram_configs: Vec<Entry>,
    /// Discord.
    pub discord_configs: Vec<Entry>,
    /// Mattermost.
    pub mattermost_configs: Vec<Entry>,
    /// Pushover.
    pub pushover_configs: Vec<Entry>,
    /// Amazon SNS.
    pub sns_configs: Vec<Entry>,
    /// Webex.
    pub webex_configs: Vec<Entry>,
    /// VictorOps, also called Splunk On-Call.
    pub victorops_configs: Vec<Entry>,
    /// Rocket.Chat.
    pub rocketchat_configs: Vec<Entry>,
    /// Jira: an issue for each group.
    pub jira_configs: Vec<Entry>,
    /// incident.io.
    pub incidentio_configs: Vec<Entry>,
    /// WeChat.
    pub wechat_configs: Vec<Entry>,
    /// ntfy: `topic`, and `url`, `title`, `message`, `priority` (1 to 5), `tags`, `click`.
    pub ntfy_configs: Vec<Entry>,
    /// Matrix: `url`, `room_id` (or an alias), `access_token`, and `message`.
    pub matrix_configs: Vec<Entry>,
    /// Gotify: `url`, `token`, and `title`, `message`, `priority`.
    pub gotify_configs: Vec<Entry>,
    /// Google Chat: `webhook_url`, and `message`.
    pub googlechat_configs: Vec<Entry>,
    /// Feishu, also called Lark: `webhook_url`, and `secret`, `message`.
    pub feishu_configs: Vec<Entry>,
    /// DingTalk: `webhook_url`, and `secret`, `title`, `message`.
    pub dingtalk_configs: Vec<Entry>,
}

/// One entry of a channel, with the keys that `alertmanager.yml` has for it. It may hold secrets, so its values are not shown.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Entry(Value);

impl Entry {
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.as_mapping().into_iter().flat_map(|mapping| mapping.keys().filter_map(Value::as_str))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.keys().map(|key| (key, "<hidden>"))).finish()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.keys().map(|key| (key, "<hidden>")))
    }
}

/// What is told instead of a channel that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The channels, by name.
    pub channels: Vec<String>,
    /// After how long of failing they are told too.
    pub after: Duration,
}

impl Settings {
    /// The same with files beside the file that names them.
    #[must_use]
    pub fn beside(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// The same with AWS' shared files in a home, unless the settings say where they are.
    #[must_use]
    pub fn at_home(mut self, home: Option<String>) -> Self {
        if let Some(home) = home.filter(|_| self.aws_folder.as_os_str().is_empty()) {
            self.aws_folder = Path::new(&home).join(".aws");
        }
        self
    }

    /// What channels may use that is not part of them: where requests may go, and files of others.
    pub fn policy(&self) -> Policy {
        let is_given = !self.aws_folder.as_os_str().is_empty();
        let aws_folder = if is_given { self.folder.join(&self.aws_folder) } else { PathBuf::new() };
        Policy { internal: self.internal_addresses, networks: self.internal_networks.clone(), aws_folder }
    }

    /// Names of the channels of a receiver, to enqueue a message for each; empty if there is no such receiver.
    pub fn channels_of(&self, receiver: &str) -> Vec<String> {
        let found = self.receivers.iter().find(|candidate| candidate.name == receiver);
        found.map(Receiver::channel_names).unwrap_or_default()
    }

    /// What is told instead of each channel, by its name; channels without any are missing.
    pub fn fallbacks(&self) -> BTreeMap<String, Fallback> {
        let mut fallbacks = BTreeMap::new();
        for receiver in &self.receivers {
            let Some(fallback) = &receiver.fallback else { continue };
            let fallback = Fallback { channels: self.channels_of(fallback), after: Duration::from_secs(receiver.fallback_after()) };
            fallbacks.extend(receiver.channel_names().into_iter().map(|name| (name, fallback.clone())));
        }
        fallbacks
    }

    /// All channels by name.
    ///
    /// # Errors
    /// `Invalid` with the receiver's name and the key, if a channel cannot work as configured.
    pub fn channels(&self) -> Result<Vec<(String, Channel)>> {
        if self.receivers.len() > RECEIVERS_MAX {
            return Err(Error::invalid(format!("cannot use notify.receivers: found {}: want at most {RECEIVERS_MAX}", self.receivers.len())));
        }
        let patterns: Vec<PathBuf> = self.templates.iter().map(|pattern| self.folder.join(pattern)).collect();
        let templates = Templates::load(&patterns).map_err(|error| Error::invalid(format!("cannot use notify.{error}")))?;
        let mut names = BTreeSet::new();
        let mut channels = Vec::new();
        for receiver in &self.receivers {
            if receiver.name.is_empty() {
                return Err(Error::invalid("cannot use a receiver in notify.receivers: found no name"));
            }
            if !names.insert(&receiver.name) {
                return Err(unusable(receiver, "name", &"found a second receiver of this name"));
            }
            self.check_fallback(receiver)?;
            let before = channels.len();
            self.channels_with(receiver, &templates, &mut channels)?;
            if channels.len() == before {
                return Err(unusable(receiver, "channels", &"found none: want email, webhook or entries of one of the others, such as slack_configs"));
            }
        }
        Ok(channels)
    }

    fn channels_with(&self, receiver: &Receiver, templates: &Templates, channels: &mut Vec<(String, Channel)>) -> Result<()> {
        if let Some(settings) = &receiver.email {
            let email = email::Email::new(&settings.clone().beside(&self.folder)).map_err(|error| unusable(receiver, "email", &error))?;
            channels.push((channel_name(&receiver.name, "email"), Channel::Email(Arc::new(email))));
        }
        if let Some(settings) = &receiver.webhook {
            let webhook = webhook::Webhook::new(&settings.clone().beside(&self.folder), templates.clone(), &self.policy());
            let webhook = webhook.map_err(|error| unusable(receiver, "webhook", &error))?;
            channels.push((channel_name(&receiver.name, "webhook"), Channel::Webhook(Arc::new(webhook))));
        }
        for (key, entries) in receiver.entries() {
            for (index, entry) in entries.iter().enumerate() {
                let channel = alertmanager::entry(key, &entry.0, &self.folder, templates, &self.policy());
                let channel = channel.map_err(|error| unusable(receiver, &format!("{key}[{index}]"), &error))?;
                channels.push((entry_name(&receiver.name, key, index), channel));
            }
        }
        Ok(())
    }

    /// A fallback is another receiver, and leads to an end.
    fn check_fallback(&self, receiver: &Receiver) -> Result<()> {
        let mut passed = BTreeSet::from([receiver.name.as_str()]);
        let mut next = receiver.fallback.as_deref();
        while let Some(name) = next {
            if !passed.insert(name) {
                return Err(unusable(receiver, "fallback", &format!("found a circle through {name:?}")));
            }
            let found = self.receivers.iter().find(|candidate| candidate.name == name);
            let found = found.ok_or_else(|| unusable(receiver, "fallback", &format!("found {name:?}: want the name of a receiver")))?;
            next = found.fallback.as_deref();
        }
        Ok(())
    }
}

impl Receiver {
    fn fallback_after(&self) -> u64 {
        if self.fallback_after_seconds == 0 { FALLBACK_AFTER_SECONDS } else { self.fallback_after_seconds }
    }

    /// The channels that have Alertmanager's keys, in the order of their names in the code.
    fn entries(&self) -> [(&'static str, &[Entry]); 24] {
        [
            ("email_configs", &self.email_configs),
            ("webhook_configs", &self.webhook_configs),
            ("slack_configs", &self.slack_configs),
            ("pagerduty_configs", &self.pagerduty_configs),
            ("opsgenie_configs", &self.opsgenie_configs),
            ("msteams_configs", &self.msteams_configs),
            ("msteamsv2_configs", &self.msteamsv2_configs),
            ("telegram_configs", &self.telegram_configs),
            ("discord_configs", &self.discord_configs),
            ("mattermost_configs", &self.mattermost_configs),
            ("pushover_configs", &self.pushover_configs),
            ("sns_configs", &self.sns_configs),
            ("webex_configs", &self.webex_configs),
            ("victorops_configs", &self.victorops_configs),
            ("rocketchat_configs", &self.rocketchat_configs),
            ("jira_configs", &self.jira_configs),
            ("incidentio_configs", &self.incidentio_configs),
            ("wechat_configs", &self.wechat_configs),
            ("ntfy_configs", &self.ntfy_configs),
            ("matrix_configs", &self.matrix_configs),
            ("gotify_configs", &self.gotify_configs),
            ("googlechat_configs", &self.googlechat_configs),
            ("feishu_configs", &self.feishu_configs),
            ("dingtalk_configs", &self.dingtalk_configs),
        ]
    }

    fn channel_names(&self) -> Vec<String> {
        let own = [self.email.is_some().then_some("email"), self.webhook.is_some().then_some("webhook")];
        let own = own.into_iter().flatten().map(|kind| channel_name(&self.name, kind));
        let entries = self.entries();
        let others = entries.iter().flat_map(|(key, entries)| (0..entries.len()).map(|index| entry_name(&self.name, key, index)));
        own.chain(others).collect()
    }
}

/// The name of one of many channels of a kind, as channels of `alertmanager.yml` have it.
fn entry_name(receiver: &str, key: &str, index: usize) -> String {
    format!("{receiver}/{}[{index}]", key.trim_end_matches("_configs"))
}

/// The name of a channel: unique, and stable over restarts, because the outbox has it.
fn channel_name(receiver: &str, kind: &str) -> String {
    format!("{receiver}/{kind}")
}

fn unusable(receiver: &Receiver, what: &str, why: &dyn fmt::Display) -> Error {
    Error::invalid(format!("cannot use {what} of receiver {:?} in notify.receivers: {why}", receiver.name))
}

/// A text that is not shown: neither in logs nor where the configuration is displayed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<secret>")
    }
}

/// A secret in the configuration itself or in a file of its own. The file is read at each use, so that it may be rotated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SecretSource {
    Text(Secret),
    File(std::path::PathBuf),
}

impl SecretSource {
    /// From the two keys of a secret, `key` and `key_file`; `None` if neither is set. A file must be readable now.
    pub(crate) fn from_keys(key: &str, text: Option<&Secret>, file: Option<&std::path::PathBuf>) -> Result<Option<Self>, String> {
        let source = match (text, file) {
            (Some(_), Some(_)) => return Err(format!("found both {key} and {key}_file: want one")),
            (Some(text), None) => Self::Text(text.clone()),
            (None, Some(file)) => Self::File(file.clone()),
            (None, None) => return Ok(None),
        };
        source.read().map_err(|error| format!("{key}_file: {error}"))?;
        Ok(Some(source))
    }

    /// The text, without white space around it if it comes from a file.
    pub(crate) fn read(&self) -> Result<Secret, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                Ok(Secret::new(text.trim()))
            }
        }
    }
}

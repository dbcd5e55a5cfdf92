//! Who is told, and how: the receivers of the configuration, and what channels are made of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use signalbox_model::{Error, Result};

use crate::template::Templates;
use crate::{Channel, Internal, Network, Policy, email, webhook};

/// Most receivers of a configuration: each channel is a task with a connection.
const RECEIVERS_MAX: usize = 1_000;

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
}

/// One receiver: a name and the channels through which it is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// The name that routes refer to.
    pub name: String,
    /// Mails to these addresses.
    #[serde(default)]
    pub email: Option<email::Settings>,
    /// Alertmanager's JSON to this URL.
    #[serde(default)]
    pub webhook: Option<webhook::Settings>,
}

impl Settings {
    /// Where requests may go.
    pub fn policy(&self) -> Policy {
        Policy { internal: self.internal_addresses, networks: self.internal_networks.clone() }
    }

    /// Names of the channels of a receiver, to enqueue a message for each; empty if there is no such receiver.
    pub fn channels_of(&self, receiver: &str) -> Vec<String> {
        let found = self.receivers.iter().find(|candidate| candidate.name == receiver);
        found.map(|receiver| receiver.kinds().map(|kind| channel_name(&receiver.name, kind)).collect()).unwrap_or_default()
    }

    /// All channels by name.
    ///
    /// # Errors
    /// `Invalid` with the receiver's name and the key, if a channel cannot work as configured.
    pub fn channels(&self) -> Result<Vec<(String, Channel)>> {
        if self.receivers.len() > RECEIVERS_MAX {
            return Err(Error::invalid(format!("cannot use notify.receivers: found {}: want at most {RECEIVERS_MAX}", self.receivers.len())));
        }
        let templates = Templates::load(&[]).map_err(Error::invalid)?;
        let mut names = BTreeSet::new();
        let mut channels = Vec::new();
        for receiver in &self.receivers {
            if receiver.name.is_empty() {
                return Err(Error::invalid("cannot use a receiver in notify.receivers: found no name"));
            }
            if !names.insert(&receiver.name) {
                return Err(unusable(receiver, "name", &"found a second receiver of this name"));
            }
            if receiver.kinds().next().is_none() {
                return Err(unusable(receiver, "channels", &"found none: want email or webhook"));
            }
            if let Some(settings) = &receiver.email {
                let email = email::Email::new(settings).map_err(|error| unusable(receiver, "email", &error))?;
                channels.push((channel_name(&receiver.name, "email"), Channel::Email(Arc::new(email))));
            }
            if let Some(settings) = &receiver.webhook {
                let webhook = webhook::Webhook::new(settings, templates.clone(), &self.policy()).map_err(|error| unusable(receiver, "webhook", &error))?;
                channels.push((channel_name(&receiver.name, "webhook"), Channel::Webhook(Arc::new(webhook))));
            }
        }
        Ok(channels)
    }
}

impl Receiver {
    fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.email.is_some().then_some("email").into_iter().chain(self.webhook.is_some().then_some("webhook"))
    }
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

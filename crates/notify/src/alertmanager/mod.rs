//! The receivers of `alertmanager.yml`, and the defaults that its `global` section gives them:
//! <https://prometheus.io/docs/alerting/latest/configuration/#receiver-integration-settings>.
//!
//! What a channel does not support is refused by name: a receiver that would be told less than its file says is worse than a
//! start that fails.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_norway::{Mapping, Value};
use signalbox_model::Error;

use crate::template::Templates;
use crate::{Channel, Policy};

mod email;
mod http;
mod services;
mod webhook;

use email::GlobalSmtp;
use http::HttpConfig;
use services::{GlobalServices, Reader};

/// A receiver with the channels through which it is told, each with the name that outbox and log know.
#[derive(Debug)]
pub struct NamedReceiver {
    /// The name that routes refer to.
    pub name: String,
    /// Its channels; a receiver without any hears nothing.
    pub channels: Vec<(String, Channel)>,
}

/// What `global` says about receivers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Global {
    #[serde(flatten)]
    smtp: GlobalSmtp,
    #[serde(flatten)]
    services: GlobalServices,
    http_config: Option<HttpConfig>,
}

/// Keys of `global` that say something about channels that are not there, or about other things than receivers.
const GLOBAL_OTHERS: [&str; 30] = [
    "resolve_timeout",
    "http_config",
    "slack_api_url",
    "slack_api_url_file",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "pagerduty_url",
    "opsgenie_api_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "webex_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "jira_api_url",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
];

/// The receivers of a file that lies in a folder, with the patterns of the files of its templates. They reach what the policy
/// lets them.
///
/// # Errors
/// `Invalid` with the receiver, the key, and what is wrong with it or not supported.
pub fn receivers(global: &Value, receivers: &[Value], folder: &Path, templates: &[PathBuf], policy: &Policy) -> signalbox_model::Result<Vec<NamedReceiver>> {
    let templates = Templates::load(templates).map_err(Error::invalid)?;
    receivers_with(global, receivers, folder, &templates, policy)
}

/// The same with templates that were read.
///
/// # Errors
/// As [`receivers`].
pub fn receivers_with(
    global: &Value,
    receivers: &[Value],
    folder: &Path,
    templates: &Templates,
    policy: &Policy,
) -> signalbox_model::Result<Vec<NamedReceiver>> {
    let global = read_global(global, folder)?;
    let reader = Reader { global: &global, folder, templates, policy };
    receivers.iter().map(|receiver| read(receiver, &reader)).collect()
}

fn read_global(value: &Value, folder: &Path) -> signalbox_model::Result<Global> {
    let Some(mapping) = value.as_mapping() else {
        return if value.is_null() { Ok(Global::default()) } else { Err(Error::invalid("global: want names and values")) };
    };
    if let Some(path) = secret_ref(value, "") {
        return Err(Error::invalid(format!("global: {path}: there is no secret manager")));
    }
    for key in mapping.keys().filter_map(Value::as_str) {
        if !GlobalSmtp::KEYS.contains(&key) && !GLOBAL_OTHERS.contains(&key) {
            return Err(Error::invalid(format!("global: field {key} not found")));
        }
    }
    let mut global: Global = from(value).map_err(|error| Error::invalid(format!("global: {error}")))?;
    global.smtp.resolve(folder).map_err(Error::invalid)?;
    global.services.check().map_err(Error::invalid)?;
    Ok(global)
}

/// One entry of `*_configs`, without anything from `global`.
pub(crate) fn entry(key: &str, config: &Value, folder: &Path, templates: &Templates, policy: &Policy) -> Result<Channel, String> {
    Reader { global: &Global::default(), folder, templates, policy }.channel(key, config)
}

fn read(receiver: &Value, reader: &Reader<'_>) -> signalbox_model::Result<NamedReceiver> {
    let empty = Mapping::new();
    let mapping = receiver.as_mapping().unwrap_or(&empty);
    let name = mapping.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wrong = |what: &str, why: &str| Error::invalid(format!("receiver {name:?}: {what}: {why}"));
    let mut channels = Vec::new();
    for (key, value) in mapping {
        let Some(key) = key.as_str() else { return Err(wrong("key", "want a text")) };
        let configs = value.as_sequence().map(Vec::as_slice).unwrap_or_default();
        for (index, config) in configs.iter().enumerate() {
            let channel = match secret_ref(config, "") {
                Some(path) => Err(format!("{path}: there is no secret manager")),
                None => reader.channel(key, config),
            };
            let channel = channel.map_err(|why| wrong(&format!("{key}[{index}]"), &why))?;
            channels.push((format!("{name}/{}[{index}]", channel.kind()), channel));
        }
        if configs.is_empty() && !key.ends_with("_configs") && key != "name" && key != "labels" {
            return Err(wrong(key, "field not found"));
        }
    }
    Ok(NamedReceiver { name, channels })
}

/// Keys that name a secret of a manager of secrets, for programs that are built with one. Alertmanager, which has none, refuses them
/// when it makes its clients ("cannot use secret ref without manager").
const SECRET_REFS: [&str; 7] = ["username_ref", "password_ref", "credentials_ref", "client_secret_ref", "ca_ref", "cert_ref", "key_ref"];

/// The path of the first such key that has a value.
fn secret_ref(value: &Value, path: &str) -> Option<String> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    value.as_mapping()?.iter().find_map(|(key, value)| {
        let key = key.as_str()?;
        let is_named = SECRET_REFS.contains(&key) && value.as_str().is_some_and(|text| !text.is_empty());
        if is_named { Some(below(key)) } else { secret_ref(value, &below(key)) }
    })
}

fn from<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_norway::from_value(value.clone()).map_err(|error| error.to_string())
}

/// A duration as Prometheus writes it, in whole seconds, at least one.
fn seconds(text: &str) -> Result<u64, String> {
    let ms = signalbox_lang::promql::parse_duration(text).map_err(|error| format!("timeout: {}", error.message()))?;
    Ok(u64::try_from(ms).unwrap_or(0).div_ceil(1000).max(1))
}

#[cfg(test)]
mod tests;

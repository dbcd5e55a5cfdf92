//! The `*_configs` of services on the web: their keys, with what `global` says where they say nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_norway::{Mapping, Value};

use super::email::EmailConfig;
use super::http::HttpConfig;
use super::webhook::WebhookConfig;
use super::{Global, from, seconds};
use crate::Channel;
use crate::hosted::{Hosted, Service};
use crate::http::Client;
use crate::http::address::Policy;
use crate::settings::{Secret, SecretSource};
use crate::template::Templates;
use crate::{dingtalk, feishu, googlechat, gotify, incidentio, jira, matrix, ntfy, sns};
use crate::{discord, mattermost, msteams, opsgenie, pagerduty, pushover, rocketchat, slack, telegram, victorops, webex, wechat};

/// What `global` says about services.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct GlobalServices {
    slack_api_url: Option<Secret>,
    slack_api_url_file: Option<PathBuf>,
    slack_app_token: Option<Secret>,
    slack_app_token_file: Option<PathBuf>,
    slack_app_url: Option<Secret>,
    pagerduty_url: Option<Secret>,
    opsgenie_api_url: Option<Secret>,
    opsgenie_api_key: Option<Secret>,
    opsgenie_api_key_file: Option<PathBuf>,
    wechat_api_url: Option<Secret>,
    wechat_api_corp_id: Option<String>,
    wechat_api_secret: Option<Secret>,
    wechat_api_secret_file: Option<PathBuf>,
    victorops_api_url: Option<Secret>,
    victorops_api_key: Option<Secret>,
    victorops_api_key_file: Option<PathBuf>,
    telegram_api_url: Option<Secret>,
    telegram_bot_token: Option<Secret>,
    telegram_bot_token_file: Option<PathBuf>,
    rocketchat_api_url: Option<Secret>,
    webex_api_url: Option<Secret>,
    rocketchat_token: Option<Secret>,
    rocketchat_token_file: Option<PathBuf>,
    rocketchat_token_id: Option<Secret>,
    rocketchat_token_id_file: Option<PathBuf>,
    mattermost_webhook_url: Option<Secret>,
    mattermost_webhook_url_file: Option<PathBuf>,
    jira_api_url: Option<Secret>,
}

/// A secret as two keys say it, of which at most one may.
type Pair<'a> = (&'a Option<Secret>, &'a Option<PathBuf>);

fn is_given(pair: Pair<'_>) -> bool {
    pair.0.as_ref().is_some_and(|secret| !secret.reveal().is_empty()) || pair.1.as_ref().is_some_and(|file| !file.as_os_str().is_empty())
}

fn at_most_one(name: &str, pair: Pair<'_>) -> Result<(), String> {
    let is_both = is_given((pair.0, &None)) && is_given((&None, pair.1));
    if is_both { Err(format!("at most one of {name} & {name}_file must be configured")) } else { Ok(()) }
}

impl GlobalServices {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self) -> Result<(), String> {
        at_most_one("slack_app_token", (&self.slack_app_token, &self.slack_app_token_file))?;
        at_most_one("slack_api_url", (&self.slack_api_url, &self.slack_api_url_file))?;
        if is_given((&self.slack_app_token, &self.slack_app_token_file)) && is_given((&self.slack_api_url, &self.slack_api_url_file)) {
            // One place to post to that stands in both ways is one.
            let app_url = self.slack_app_url.as_ref().map_or(SLACK_APP_URL, Secret::reveal);
            if self.slack_api_url.as_ref().map(Secret::reveal) != Some(app_url) {
                return Err("at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured".to_owned());
            }
        }
        at_most_one("opsgenie_api_key", (&self.opsgenie_api_key, &self.opsgenie_api_key_file))?;
        at_most_one("victorops_api_key", (&self.victorops_api_key, &self.victorops_api_key_file))?;
        at_most_one("telegram_bot_token", (&self.telegram_bot_token, &self.telegram_bot_token_file))?;
        at_most_one("rocketchat_token", (&self.rocketchat_token, &self.rocketchat_token_file))?;
        at_most_one("rocketchat_token_id", (&self.rocketchat_token_id, &self.rocketchat_token_id_file))?;
        at_most_one("wechat_api_secret", (&self.wechat_api_secret, &self.wechat_api_secret_file))?;
        at_most_one("mattermost_webhook_url", (&self.mattermost_webhook_url, &self.mattermost_webhook_url_file))
    }
}

const SLACK_APP_URL: &str = "https://slack.com/api/chat.postMessage";
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
const PAGERDUTY_ONE_URL: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";
const OPSGENIE_URL: &str = "https://api.opsgenie.com/";
const TELEGRAM_URL: &str = "https://api.telegram.org";
const ROCKETCHAT_URL: &str = "https://open.rocket.chat/";
const WEBEX_URL: &str = "https://webexapis.com/v1/messages";
const VICTOROPS_URL: &str = "https://alert.victorops.com/integrations/generic/20131114/alert/";
const NTFY_URL: &str = "https://ntfy.sh/";
const WECHAT_URL: &str = "https://qyapi.weixin.qq.com/cgi-bin/";

/// Keys of a receiver that this knows, with whether Alertmanager tells about resolved alerts unless told otherwise.
const KINDS: [(&str, bool); 22] = [
    ("slack_configs", false),
    ("pagerduty_configs", true),
    ("discord_configs", true),
    ("telegram_configs", true),
    ("msteams_configs", true),
    ("msteamsv2_configs", true),
    ("opsgenie_configs", true),
    ("mattermost_configs", true),
    ("pushover_configs", true),
    ("rocketchat_configs", false),
    ("webex_configs", true),
    ("victorops_configs", true),
    ("wechat_configs", false),
    ("incidentio_configs", true),
    ("sns_configs", true),
    ("jira_configs", true),
    // Those that Alertmanager does not know.
    ("ntfy_configs", true),
    ("gotify_configs", true),
    ("matrix_configs", true),
    ("googlechat_configs", true),
    ("feishu_configs", true),
    ("dingtalk_configs", true),
];

/// All keys of receivers that this knows.
fn known() -> impl Iterator<Item = (&'static str, bool)> {
    KINDS.into_iter()
}

/// Reads one entry of such a key.
pub(super) struct Reader<'a> {
    pub(super) global: &'a Global,
    pub(super) folder: &'a Path,
    pub(super) templates: &'a Templates,
    pub(super) policy: &'a Policy,
}

impl Reader<'_> {
    /// The channel of one entry of a key.
    pub(super) fn channel(&self, key: &str, config: &Value) -> Result<Channel, String> {
        match key {
            "email_configs" => {
                let email = from::<EmailConfig>(config)?.channel(&self.global.smtp, self.folder, self.templates)?;
                Ok(Channel::Email(Arc::new(email)))
            }
            "webhook_configs" => {
                let webhook = from::<WebhookConfig>(config)?.channel(self.global.http_config.as_ref(), self.folder, self.templates, self.policy)?;
                Ok(Channel::Webhook(Arc::new(webhook)))
            }
            _ => match known().find(|(known, _)| *known == key) {
                Some((_, is_resolved_sent)) => Ok(Channel::Hosted(Arc::new(self.hosted(key, is_resolved_sent, config)?))),
                None if key.ends_with("_configs") => Err("not supported".to_owned()),
                None => Err("field not found".to_owned()),
            },
        }
    }

    fn hosted(&self, key: &str, is_resolved_sent: bool, config: &Value) -> Result<Hosted, String> {
        let mut keys = match config {
            Value::Null => Mapping::new(),
            Value::Mapping(mapping) => mapping.clone(),
            _ => return Err("want names and values".to_owned()),
        };
        check_templates(config)?;
        let sends_resolved = take::<bool>(&mut keys, "send_resolved")?.unwrap_or(is_resolved_sent);
        let own_http = take::<HttpConfig>(&mut keys, "http_config")?;
        let timeout = if matches!(key, "slack_configs" | "pagerduty_configs" | "incidentio_configs") { take::<String>(&mut keys, "timeout")? } else { None };
        let global_http = self.global.http_config.clone();
        let mut http = own_http.or_else(|| global_http.clone()).unwrap_or_default();
        if let ("msteamsv2_configs", Some(global)) = (key, global_http) {
            http.inherit_proxy(global);
        }
        let keys = Value::Mapping(keys);
        let service: Box<dyn Service> = match key {
            "slack_configs" => Box::new(self.slack(from(&keys)?, &mut http)?),
            "pagerduty_configs" => Box::new(self.pagerduty(from(&keys)?)?),
            "discord_configs" => Box::new(self.discord(from(&keys)?)?),
            "telegram_configs" => Box::new(self.telegram(from(&keys)?)?),
            "msteams_configs" => Box::new(self.teams(from(&keys)?, msteams::Card::Message)?),
            "msteamsv2_configs" => Box::new(self.teams(from(&keys)?, msteams::Card::Adaptive)?),
            "opsgenie_configs" => Box::new(self.opsgenie(from(&keys)?)?),
            "mattermost_configs" => Box::new(self.mattermost(from(&keys)?)?),
            "pushover_configs" => Box::new(self.pushover(from(&keys)?)?),
            "rocketchat_configs" => Box::new(self.rocketchat(from(&keys)?)?),
            "webex_configs" => Box::new(self.webex(from(&keys)?, &http)?),
            "victorops_configs" => Box::new(self.victorops(from(&keys)?)?),
            "incidentio_configs" => Box::new(self.incidentio(&from(&keys)?, &mut http)?),
            "sns_configs" => Box::new(sns::Sns::new(from(&keys)?, &self.policy.aws_folder)?),
            "jira_configs" => Box::new(self.jira(from(&keys)?)?),
            "wechat_configs" => Box::new(self.wechat(from(&keys)?)?),
            _ => self.beyond_alertmanager(key, &keys)?,
        };
        let mut options = http.options(self.folder, self.policy)?;
        if let Some(timeout) = timeout.filter(|timeout| timeout != "0s" && timeout != "0") {
            options.timeout = std::time::Duration::from_secs(seconds(&timeout)?);
        }
        Ok(Hosted::new(service, Client::new(options)?, self.templates.clone(), sends_resolved))
    }

    fn source(&self, pair: Pair<'_>) -> Option<SecretSource> {
        match pair {
            (Some(secret), _) if !secret.reveal().is_empty() => Some(SecretSource::Text(secret.clone())),
            (_, Some(file)) if !file.as_os_str().is_empty() => Some(SecretSource::File(self.folder.join(file))),
            _ => None,
        }
    }

    /// A secret of an entry, or that of `global` if the entry says nothing.
    fn secret(&self, name: &str, own: Pair<'_>, global: Pair<'_>) -> Result<Option<SecretSource>, String> {
        at_most_one(name, own)?;
        Ok(self.source(own).or_else(|| self.source(global)))
    }

    fn slack(&self, settings: slack::Settings, http: &mut HttpConfig) -> Result<slack::Slack, String> {
        let global = &self.global.services;
        let (url, token) = ((&settings.api_url, &settings.api_url_file), (&settings.app_token, &settings.app_token_file));
        at_most_one("api_url", url)?;
        at_most_one("app_token", token)?;
        if is_given(url) && is_given(token) {
            return Err("at most one of api_url/api_url_file & app_token/app_token_file must be configured".to_owned());
        }
        // A place of its own needs no token of others.
        let global_token = (&global.slack_app_token, &global.slack_app_token_file);
        let token = self.source(token).or_else(|| if is_given(url) || http.has_authorization() { None } else { self.source(global_token) });
        let url = match token {
            Some(token) => {
                if http.has_authorization() {
                    return Err("http authorization can't be set when using Slack App tokens".to_owned());
                }
                http.set_token(token);
                let app_url = settings.app_url.as_ref().or(global.slack_app_url.as_ref()).cloned();
                Some(SecretSource::Text(app_url.unwrap_or_else(|| Secret::new(SLACK_APP_URL))))
            }
            None => self.source(url).or_else(|| self.source((&global.slack_api_url, &global.slack_api_url_file))),
        };
        let url = checked(url.ok_or("no Slack API URL nor App token set either inline or in a file")?)?;
        slack::Slack::new(settings, url)
    }

    fn pagerduty(&self, settings: pagerduty::Settings) -> Result<pagerduty::PagerDuty, String> {
        at_most_one("routing_key", (&settings.routing_key, &settings.routing_key_file))?;
        at_most_one("service_key", (&settings.service_key, &settings.service_key_file))?;
        if let Some(key) = self.source((&settings.service_key, &settings.service_key_file)) {
            // The URL of `global` is that of version 2.
            let url = place(settings.url.as_ref(), None, PAGERDUTY_ONE_URL)?;
            return Ok(pagerduty::PagerDuty { settings, url, key, version: pagerduty::Version::One });
        }
        let key = self.source((&settings.routing_key, &settings.routing_key_file)).ok_or("missing service or routing key in PagerDuty config")?;
        let url = place(settings.url.as_ref(), self.global.services.pagerduty_url.as_ref(), PAGERDUTY_URL)?;
        Ok(pagerduty::PagerDuty { settings, url, key, version: pagerduty::Version::Two })
    }

    fn discord(&self, settings: discord::Settings) -> Result<discord::Discord, String> {
        let url = self.webhook_url((&settings.webhook_url, &settings.webhook_url_file))?;
        Ok(discord::Discord { settings, url })
    }

    fn teams(&self, settings: msteams::Settings, card: msteams::Card) -> Result<msteams::Teams, String> {
        if card == msteams::Card::Adaptive && settings.summary.is_some() {
            return Err("field summary not found".to_owned());
        }
        let url = self.webhook_url((&settings.webhook_url, &settings.webhook_url_file))?;
        Ok(msteams::Teams { settings, card, url })
    }

    fn webhook_url(&self, own: Pair<'_>) -> Result<SecretSource, String> {
        at_most_one("webhook_url", own)?;
        checked(self.source(own).ok_or("one of webhook_url or webhook_url_file must be configured")?)
    }

    fn telegram(&self, mut settings: telegram::Settings) -> Result<telegram::Telegram, String> {
        settings.check()?;
        settings.chat_id_file = settings.chat_id_file.map(|file| self.folder.join(file));
        let global = &self.global.services;
        let own = (&settings.bot_token, &settings.bot_token_file);
        let token = self.secret("bot_token", own, (&global.telegram_bot_token, &global.telegram_bot_token_file))?;
        let bot_token = token.ok_or("missing bot_token or bot_token_file on telegram_config")?;
        let url = place(settings.api_url.as_ref(), global.telegram_api_url.as_ref(), TELEGRAM_URL)?;
        Ok(telegram::Telegram { settings, url, bot_token })
    }

    fn opsgenie(&self, settings: opsgenie::Settings) -> Result<opsgenie::Opsgenie, String> {
        settings.check()?;
        let global = &self.global.services;
        let key = self.secret("api_key", (&settings.api_key, &settings.api_key_file), (&global.opsgenie_api_key, &global.opsgenie_api_key_file))?;
        let api_key = key.ok_or("no global OpsGenie API Key set either inline or in a file")?;
        let url = place(settings.api_url.as_ref(), global.opsgenie_api_url.as_ref(), OPSGENIE_URL)?;
        Ok(opsgenie::Opsgenie { settings, url, api_key })
    }
}

impl Reader<'_> {
    fn mattermost(&self, settings: mattermost::Settings) -> Result<mattermost::Mattermost, String> {
        let global = &self.global.services;
        let own = (&settings.webhook_url, &settings.webhook_url_file);
        let url = self.secret("webhook_url", own, (&global.mattermost_webhook_url, &global.mattermost_webhook_url_file))?;
        let url = checked(url.ok_or("missing webhook_url or webhook_url_file on mattermost_config")?)?;
        Ok(mattermost::Mattermost { settings, url })
    }

    fn pushover(&self, settings: pushover::Settings) -> Result<pushover::Pushover, String> {
        settings.check()?;
        let (user_key, token) = ((&settings.user_key, &settings.user_key_file), (&settings.token, &settings.token_file));
        at_most_one("user_key", user_key)?;
        at_most_one("token", token)?;
        let user_key = self.source(user_key).ok_or("one of user_key or user_key_file must be configured")?;
        let token = self.source(token).ok_or("one of token or token_file must be configured")?;
        let whole = |text: &str| if matches!(text, "" | "0" | "0s") { Ok(0) } else { seconds(text) };
        let (retry_s, expire_s, ttl_s) = (whole(&settings.retry)?, whole(&settings.expire)?, whole(&settings.ttl)?);
        Ok(pushover::Pushover { settings, user_key, token, retry_s, expire_s, ttl_s })
    }

    fn rocketchat(&self, settings: rocketchat::Settings) -> Result<rocketchat::RocketChat, String> {
        let global = &self.global.services;
        let token = self.secret("token", (&settings.token, &settings.token_file), (&global.rocketchat_token, &global.rocketchat_token_file))?;
        let own_id = (&settings.token_id, &settings.token_id_file);
        let token_id = self.secret("token_id", own_id, (&global.rocketchat_token_id, &global.rocketchat_token_id_file))?;
        // Alertmanager asks for the id first, but its files without both are about the token.
        let token_id = token_id.ok_or("no global Rocketchat TokenID set either inline or in a file");
        let token = token.ok_or("no global Rocketchat Token set either inline or in a file")?;
        let url = place(settings.api_url.as_ref(), global.rocketchat_api_url.as_ref(), ROCKETCHAT_URL)?;
        Ok(rocketchat::RocketChat { settings, url, token_id: token_id?, token })
    }

    fn webex(&self, settings: webex::Settings, http: &HttpConfig) -> Result<webex::Webex, String> {
        if settings.room_id.is_empty() {
            return Err("missing room_id on webex_config".to_owned());
        }
        if !http.has_authorization() {
            return Err("missing webex_configs.http_config.authorization".to_owned());
        }
        let url = place(settings.api_url.as_ref(), self.global.services.webex_api_url.as_ref(), WEBEX_URL)?;
        Ok(webex::Webex { settings, url })
    }

    fn victorops(&self, settings: victorops::Settings) -> Result<victorops::VictorOps, String> {
        settings.check()?;
        let global = &self.global.services;
        let key = self.secret("api_key", (&settings.api_key, &settings.api_key_file), (&global.victorops_api_key, &global.victorops_api_key_file))?;
        let api_key = key.ok_or("no global VictorOps API Key set")?;
        let url = place(settings.api_url.as_ref(), global.victorops_api_url.as_ref(), VICTOROPS_URL)?;
        Ok(victorops::VictorOps { settings, url, api_key })
    }

    fn incidentio(&self, settings: &incidentio::Settings, http: &mut HttpConfig) -> Result<incidentio::IncidentIo, String> {
        let url = checked(self.needed("url", (&settings.url, &settings.url_file))?)?;
        let token = self.secret("alert_source_token", (&settings.alert_source_token, &settings.alert_source_token_file), (&None, &None))?;
        match token {
            Some(_) if http.has_authorization() => {
                return Err("cannot specify alert_source_token or alert_source_token_file when using http_config.authorization".to_owned());
            }
            Some(token) => http.set_token(token),
            None if http.has_authorization() => {}
            None => return Err("at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured".to_owned()),
        }
        Ok(incidentio::IncidentIo { url, max_alerts: settings.max_alerts })
    }

    fn jira(&self, settings: jira::Settings) -> Result<jira::Jira, String> {
        settings.check()?;
        let url = settings.api_url.as_ref().or(self.global.services.jira_api_url.as_ref()).cloned().ok_or("no global Jira Cloud URL set")?;
        crate::http::parse_url(url.reveal())?;
        let reopen_minutes = if settings.reopen_duration.is_empty() { 0 } else { seconds(&settings.reopen_duration)? / 60 };
        Ok(jira::Jira { settings, url, reopen_minutes })
    }

    fn wechat(&self, settings: wechat::Settings) -> Result<wechat::WeChat, String> {
        settings.check()?;
        let global = &self.global.services;
        let own = (&settings.api_secret, &settings.api_secret_file);
        let secret = self.secret("api_secret", own, (&global.wechat_api_secret, &global.wechat_api_secret_file))?;
        let secret = secret.ok_or("no global Wechat Api Secret set either inline or in a file")?;
        let corp_id = settings.corp_id.as_ref().or(global.wechat_api_corp_id.as_ref()).filter(|id| !id.is_empty()).cloned();
        let corp_id = corp_id.ok_or("no global Wechat CorpID set")?;
        let url = place(settings.api_url.as_ref(), global.wechat_api_url.as_ref(), WECHAT_URL)?;
        Ok(wechat::WeChat { settings, url, corp_id, secret })
    }
}

/// The services that Alertmanager does not know.
impl Reader<'_> {
    fn beyond_alertmanager(&self, key: &str, keys: &Value) -> Result<Box<dyn Service>, String> {
        Ok(match key {
            "ntfy_configs" => {
                let settings: ntfy::Settings = from(keys)?;
                if settings.topic.reveal().is_empty() {
                    return Err("missing topic on ntfy_config".to_owned());
                }
                let url = place(settings.url.as_ref(), None, NTFY_URL)?;
                Box::new(ntfy::Ntfy { settings, url })
            }
            "gotify_configs" => {
                let settings: gotify::Settings = from(keys)?;
                let token = self.needed("token", (&settings.token, &settings.token_file))?;
                let url = own_place(settings.url.as_ref())?;
                Box::new(gotify::Gotify { settings, url, token })
            }
            "matrix_configs" => {
                let settings: matrix::Settings = from(keys)?;
                if settings.room_id.is_empty() {
                    return Err("missing room_id on matrix_config".to_owned());
                }
                let access_token = self.needed("access_token", (&settings.access_token, &settings.access_token_file))?;
                let url = own_place(settings.url.as_ref())?;
                Box::new(matrix::Matrix { settings, url, access_token })
            }
            "googlechat_configs" => {
                let settings: googlechat::Settings = from(keys)?;
                let url = self.webhook_url((&settings.webhook_url, &settings.webhook_url_file))?;
                Box::new(googlechat::GoogleChat { settings, url })
            }
            "feishu_configs" => {
                let settings: feishu::Settings = from(keys)?;
                let url = self.webhook_url((&settings.webhook_url, &settings.webhook_url_file))?;
                let secret = self.secret("secret", (&settings.secret, &settings.secret_file), (&None, &None))?;
                Box::new(feishu::Feishu { settings, url, secret })
            }
            "dingtalk_configs" => {
                let settings: dingtalk::Settings = from(keys)?;
                let url = self.webhook_url((&settings.webhook_url, &settings.webhook_url_file))?;
                let secret = self.secret("secret", (&settings.secret, &settings.secret_file), (&None, &None))?;
                Box::new(dingtalk::DingTalk { settings, url, secret })
            }
            _ => return Err("not supported".to_owned()),
        })
    }

    fn needed(&self, name: &str, own: Pair<'_>) -> Result<SecretSource, String> {
        at_most_one(name, own)?;
        self.source(own).ok_or_else(|| format!("one of {name} or {name}_file must be configured"))
    }
}

fn own_place(url: Option<&Secret>) -> Result<Secret, String> {
    let url = url.ok_or("missing url")?;
    crate::http::parse_url(url.reveal())?;
    Ok(url.clone())
}

/// The URL of an entry, that of `global`, or that of the service.
fn place(own: Option<&Secret>, global: Option<&Secret>, service: &str) -> Result<Secret, String> {
    let url = own.or(global).cloned().unwrap_or_else(|| Secret::new(service));
    crate::http::parse_url(url.reveal())?;
    Ok(url)
}

/// A place to post to that is one, as far as can be told: a file is read when it is needed.
fn checked(source: SecretSource) -> Result<SecretSource, String> {
    if let SecretSource::Text(url) = &source {
        crate::http::parse_url(url.reveal())?;
    }
    Ok(source)
}

fn take<T: DeserializeOwned>(keys: &mut Mapping, name: &str) -> Result<Option<T>, String> {
    match keys.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => from(&value).map(Some).map_err(|error| format!("{name}: {error}")),
    }
}

/// Whether all texts that are templates can be parsed: what is wrong shows at the start, not at night.
pub(super) fn check_templates(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.contains("{{") => Templates::check(text),
        Value::Sequence(list) => list.iter().try_for_each(check_templates),
        Value::Mapping(mapping) => mapping.values().try_for_each(check_templates),
        _ => Ok(()),
    }
}

//! `email_configs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::email::{Email, Encryption, Own, Settings, Threading};
use crate::settings::Secret;
use crate::template::Templates;
use crate::tls::TlsSettings;

/// The keys of `global` for mails.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct GlobalSmtp {
    smtp_from: Option<String>,
    smtp_smarthost: Option<String>,
    smtp_hello: Option<String>,
    smtp_auth_username: Option<String>,
    smtp_auth_password: Option<Secret>,
    smtp_auth_password_file: Option<PathBuf>,
    smtp_auth_identity: Option<String>,
    smtp_auth_secret: Option<Secret>,
    smtp_auth_secret_file: Option<PathBuf>,
    smtp_require_tls: Option<bool>,
    smtp_force_implicit_tls: Option<bool>,
    smtp_tls_config: Option<TlsSettings>,
}

impl GlobalSmtp {
    pub(super) const KEYS: [&str; 12] = [
        "smtp_from",
        "smtp_smarthost",
        "smtp_hello",
        "smtp_auth_username",
        "smtp_auth_password",
        "smtp_auth_password_file",
        "smtp_auth_identity",
        "smtp_auth_secret",
        "smtp_auth_secret_file",
        "smtp_require_tls",
        "smtp_force_implicit_tls",
        "smtp_tls_config",
    ];

    /// Refuses what contradicts itself, and finds files beside the file that names them.
    pub(super) fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        if self.smtp_auth_password.is_some() && self.smtp_auth_password_file.is_some() {
            return Err("at most one of smtp_auth_password & smtp_auth_password_file must be configured".to_owned());
        }
        if self.smtp_auth_secret.is_some() && self.smtp_auth_secret_file.is_some() {
            return Err("at most one of smtp_auth_secret & smtp_auth_secret_file must be configured".to_owned());
        }
        self.smtp_auth_secret_file = self.smtp_auth_secret_file.take().map(|file| folder.join(file));
        self.smtp_auth_password_file = self.smtp_auth_password_file.take().map(|file| folder.join(file));
        Ok(())
    }
}

/// One entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EmailConfig {
    to: Option<String>,
    from: Option<String>,
    smarthost: Option<String>,
    hello: Option<String>,
    auth_username: Option<String>,
    auth_password: Option<Secret>,
    auth_password_file: Option<PathBuf>,
    auth_identity: Option<String>,
    auth_secret: Option<Secret>,
    auth_secret_file: Option<PathBuf>,
    headers: Option<BTreeMap<String, String>>,
    html: Option<String>,
    text: Option<String>,
    require_tls: Option<bool>,
    force_implicit_tls: Option<bool>,
    tls_config: Option<TlsSettings>,
    send_resolved: Option<bool>,
    threading: Option<ThreadingConfig>,
}

/// By what mails are threaded. Mails about a group always are; this may part them by the day.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ThreadingConfig {
    enabled: bool,
    thread_by_date: String,
}

impl ThreadingConfig {
    fn resolve(&self, headers: &BTreeMap<String, String>) -> Result<Threading, String> {
        if !self.enabled {
            return Ok(Threading::Group);
        }
        if let Some(name) = ["References", "In-Reply-To"].into_iter().find(|name| headers.keys().any(|key| key.eq_ignore_ascii_case(name))) {
            return Err(format!("conflicting configuration: threading.enabled conflicts with custom {name} header"));
        }
        match self.thread_by_date.as_str() {
            "none" => Ok(Threading::Group),
            "daily" => Ok(Threading::Daily),
            _ => Err("threading.thread_by_date must be either 'none' or 'daily'".to_owned()),
        }
    }
}

impl EmailConfig {
    pub(super) fn channel(self, global: &GlobalSmtp, folder: &Path, templates: &Templates) -> Result<Email, String> {
        if self.auth_secret.is_some() && self.auth_secret_file.is_some() {
            return Err("at most one of auth_secret & auth_secret_file must be configured".to_owned());
        }
        if self.auth_password.is_some() && self.auth_password_file.is_some() {
            return Err("at most one of auth_password & auth_password_file must be configured".to_owned());
        }
        let headers = self.headers.unwrap_or_default();
        let mut names = BTreeSet::new();
        if let Some(twice) = headers.keys().find(|name| !names.insert(name.to_lowercase())) {
            return Err(format!("duplicate header {twice:?} in email config"));
        }
        let to = self.to.ok_or("missing to address in email config")?;
        [Some(&to), self.from.as_ref()].into_iter().flatten().filter(|text| text.contains("{{")).try_for_each(|text| Templates::check(text))?;
        let threading = self.threading.unwrap_or_default().resolve(&headers)?;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (html, text) = (given(self.html), given(self.text));
        headers.values().chain(&html).chain(&text).filter(|text| text.contains("{{")).try_for_each(|text| Templates::check(text))?;
        let smarthost = self.smarthost.or_else(|| global.smtp_smarthost.clone()).ok_or("no global SMTP smarthost set")?;
        let has_own_password = self.auth_password.is_some() || self.auth_password_file.is_some();
        let (auth_password, auth_password_file) = match has_own_password {
            true => (self.auth_password, self.auth_password_file.map(|file| folder.join(file))),
            false => (global.smtp_auth_password.clone(), global.smtp_auth_password_file.clone()),
        };
        let has_own_secret = self.auth_secret.is_some() || self.auth_secret_file.is_some();
        let (auth_secret, auth_secret_file) = match has_own_secret {
            true => (self.auth_secret, self.auth_secret_file.map(|file| folder.join(file))),
            false => (global.smtp_auth_secret.clone(), global.smtp_auth_secret_file.clone()),
        };
        let is_implicit = self.force_implicit_tls.or(global.smtp_force_implicit_tls).unwrap_or_else(|| smarthost.ends_with(":465"));
        let encryption = match (is_implicit, self.require_tls.or(global.smtp_require_tls).unwrap_or(true)) {
            (true, _) => Encryption::Implicit,
            (false, true) => Encryption::Starttls,
            (false, false) => Encryption::Opportunistic,
        };
        let defaults = Settings::default();
        let email = Email::new(&Settings {
            from: self.from.or_else(|| global.smtp_from.clone()).ok_or("no global SMTP from set")?,
            // A template may hold commas of its own; what it makes is taken apart later.
            to: if to.contains("{{") { vec![to] } else { to.split(',').map(|address| address.trim().to_owned()).collect() },
            smarthost,
            hello: self.hello.or_else(|| global.smtp_hello.clone()).unwrap_or(defaults.hello.clone()),
            send_resolved: self.send_resolved.unwrap_or(false),
            headers,
            encryption,
            tls: self.tls_config.or_else(|| global.smtp_tls_config.clone()).unwrap_or_default().beside(folder),
            ..defaults.clone()
        })?;
        let email = email.authenticated(&Settings {
            auth_username: self.auth_username.or_else(|| global.smtp_auth_username.clone()),
            auth_password,
            auth_password_file,
            auth_identity: self.auth_identity.or_else(|| global.smtp_auth_identity.clone()),
            auth_secret,
            auth_secret_file,
            ..defaults
        })?;
        Ok(email.with(Own { templates: templates.clone(), html, text, threading }))
    }
}

//! Who is told, how, and when not: as `alertmanager.yml` says, as was set over HTTP where there is no such file, or as the settings
//! say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use signalbox_meta::StoredAlertmanagerConfig;
use signalbox_model::{Error, Result};
use signalbox_notify::template::Templates;
use signalbox_notify::{Channel, Policy};

use crate::alertmanager_config;
use crate::alertmanager_file::AlertmanagerFile;
use crate::builtin;
use crate::dispatch::{Plan, Target};
use crate::mute::Muting;
use crate::settings::Settings;

/// What is known of an `alertmanager.yml` beside who is told.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    pub(crate) text: String,
    /// How long an alert of another ruler goes on that has no end of its own.
    pub(crate) resolve_timeout_ms: i64,
}

/// Who is told, how, and when not.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) plan: Plan,
    pub(super) muting: Muting,
    pub(super) channels: Vec<(String, Channel)>,
    pub(super) original: Option<Original>,
}

/// Who is told, and when not, as `alertmanager.yml` says, or the settings if there is none.
///
/// # Errors
/// `Invalid` or `NotFound` with what is wrong with it.
pub(crate) fn plan(settings: &Settings, notify: &signalbox_notify::Settings) -> Result<(Plan, Muting)> {
    told(settings, notify, None).map(|told| (told.plan, told.muting))
}

/// Whether a configuration that was set can be in force.
///
/// # Errors
/// `Invalid` with what is wrong with it.
pub(crate) fn check(settings: &Settings, notify: &signalbox_notify::Settings, set: &StoredAlertmanagerConfig) -> Result<()> {
    told(settings, notify, Some(set)).map(|_| ())
}

/// What is told instead of channels that fail; `alertmanager.yml` has no word for it.
pub(super) fn fallbacks(original: Option<&Original>, notify: &signalbox_notify::Settings) -> BTreeMap<String, signalbox_notify::Fallback> {
    if original.is_some() { BTreeMap::new() } else { notify.fallbacks() }
}

/// As `alertmanager.yml` says, as was set if there is no such file, or the settings.
///
/// # Errors
/// `Invalid` or `NotFound` with what is wrong with it.
pub(super) fn told(settings: &Settings, notify: &signalbox_notify::Settings, set: Option<&StoredAlertmanagerConfig>) -> Result<Told> {
    let path = &settings.alertmanager_config_file;
    if !path.as_os_str().is_empty() {
        let file = AlertmanagerFile::load(path)?;
        let about_file = |error: Error| Error::invalid(format!("{}: {}", path.display(), error.message()));
        let templates = Templates::load(&file.templates).map_err(Error::invalid).map_err(about_file)?;
        return of_file(file, path.parent().unwrap_or(Path::new("")), templates, settings, &notify.policy()).map_err(about_file);
    }
    if let Some(set) = set {
        let (file, templates) = alertmanager_config::read(&set.text, &set.templates)?;
        // Who may reach the API does not thereby reach the network behind this server.
        return of_file(file, Path::new(""), templates, settings, &notify.policy().strict());
    }
    let channels = notify.channels()?;
    let mut told = targets(&channels, &settings.receivers)?;
    // Who is told of everything because nobody is named does not mean the one that waits for the watchdog.
    told.retain(|target| !settings.receivers.is_empty() || target.receiver != settings.watchdog.receiver);
    let plan = Plan::flat(settings.route(), told);
    let plan = builtin::route_watchdog(plan, settings, &targets(&channels, &[])?)?;
    Ok(Told { plan, muting: Muting::default(), channels, original: None })
}

fn of_file(file: AlertmanagerFile, folder: &Path, templates: Templates, settings: &Settings, policy: &Policy) -> Result<Told> {
    let named = signalbox_notify::alertmanager::receivers_with(&file.global, &file.receivers, folder, &templates, policy)?;
    let (mut receivers, mut channels) = (BTreeMap::new(), Vec::new());
    for receiver in named {
        let target =
            |(name, channel): &(String, Channel)| Target { receiver: receiver.name.clone(), channel: name.clone(), sends_resolved: channel.sends_resolved() };
        receivers.insert(receiver.name.clone(), receiver.channels.iter().map(target).collect());
        channels.extend(receiver.channels);
    }
    let muting = Muting { inhibitions: file.inhibitions, intervals: file.intervals, ..Muting::default() };
    let all: Vec<Target> = receivers.values().flatten().cloned().collect();
    let plan = Plan { root: file.route, receivers, receiver_labels: file.receiver_labels, templates: Some(templates) };
    let plan = builtin::route_watchdog(plan, settings, &all)?;
    Ok(Told { plan, muting, channels, original: Some(Original { text: file.original, resolve_timeout_ms: file.resolve_timeout_ms }) })
}

/// All channels of the receivers with these names; no name means all receivers.
fn targets(channels: &[(String, Channel)], receivers: &[String]) -> Result<Vec<Target>> {
    let receiver_of = |channel: &str| channel.rsplit_once('/').map_or(channel, |(receiver, _)| receiver).to_owned();
    let known: BTreeSet<String> = channels.iter().map(|(name, _)| receiver_of(name)).collect();
    if let Some(unknown) = receivers.iter().find(|name| !known.contains(*name)) {
        return Err(Error::invalid(format!("cannot use setting alert.receivers: found {unknown:?}: want names of notify.receivers, {known:?}")));
    }
    let target = |(name, channel): &(String, Channel)| Target { receiver: receiver_of(name), channel: name.clone(), sends_resolved: channel.sends_resolved() };
    Ok(channels.iter().map(target).filter(|target| receivers.is_empty() || receivers.contains(&target.receiver)).collect())
}

//! Alerting as the server runs it: a task for each group, one that tells, and the deliverer behind the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_meta::{Meta, StoredAlertmanagerConfig};
use signalbox_model::Result;
use signalbox_notify::{Channel, Deliverer};
use tokio::sync::{Mutex, MutexGuard, Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::alertmanager_config;
use crate::builtin;
use crate::dispatch::Dispatcher;
use crate::limits::{EVALUATIONS_MAX, LATE_EVALUATIONS_MAX};
use crate::mute::Muting;
use crate::outbox::MetaOutbox;
use crate::relabel::Relabelling;
use crate::resume::{end_series, resume};
use crate::rule_file::Group;
use crate::ruler::Sources;
use crate::running::Running;
use crate::settings::Settings;
use crate::severity::Ranks;
use crate::silence::Silences;
use crate::world::{Parts, World};

mod peers;
mod told;

pub use peers::Peer;
use peers::Peers;
pub(crate) use told::{Original, check, plan};
use told::{Told, fallbacks, told};

/// How long a task sleeps at most, so that a clock that is set does not delay it for longer.
pub(crate) const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How often it is written up to when rules were evaluated.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// How often the log is cleaned.
const CLEAN_EVERY: Duration = Duration::from_secs(3600);

/// Running rules. One per process.
#[derive(Debug)]
pub struct Alerting {
    settings: Settings,
    notify: signalbox_notify::Settings,
    shared: Arc<Shared>,
    delivering: Arc<Mutex<Delivering>>,
    /// The rule files in force.
    sources: parking_lot::Mutex<Arc<Sources>>,
    /// Rules were set or deleted by API.
    rules_changed: Notify,
    setting_rules: Mutex<()>,
    setting_config: Mutex<()>,
    /// The `alertmanager.yml` in force.
    original: parking_lot::Mutex<Option<Original>>,
    running: Mutex<Running>,
    dispatching: Mutex<Option<JoinHandle<()>>>,
    stop_dispatching: watch::Sender<bool>,
    /// Other Alertmanagers.
    peers: Peers,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: World,
    silences: Silences,
    pub(crate) dispatcher: Mutex<Dispatcher>,
    /// Groups have news.
    pub(crate) news: Notify,
    /// Other Alertmanagers have news.
    pub(crate) forwards: Notify,
    pub(crate) evaluations: Semaphore,
    /// Groups that make up for what they missed need one of these as well: those that are on time go before them.
    pub(crate) late: Semaphore,
}

/// The channels, and the tasks that empty the outbox into them.
#[derive(Debug)]
struct Delivering {
    channels: Vec<(String, Channel)>,
    /// What is told instead of channels that fail, by their names.
    fallbacks: BTreeMap<String, signalbox_notify::Fallback>,
    /// `None` while the database cannot be read: it is tried again until it can.
    deliverer: Option<Deliverer>,
}

impl Delivering {
    /// Starts the tasks unless they run.
    async fn start(&mut self, world: &World, silences: &Silences) -> Result<()> {
        if self.deliverer.is_none() {
            let outbox = Arc::new(MetaOutbox::new(Arc::clone(&world.parts.meta), silences.clone()));
            self.deliverer = Some(Deliverer::start(self.channels.clone(), self.fallbacks.clone(), outbox, Arc::clone(&world.parts.clock)).await?);
        }
        Ok(())
    }

    /// Stops the tasks; attempts that run come to their end.
    async fn stop(&mut self) {
        if let Some(deliverer) = self.deliverer.take() {
            deliverer.stop().await;
        }
    }
}

impl Alerting {
    /// Loads the rule files, resumes what the database knows of their alerts, and starts evaluating and delivering.
    ///
    /// # Errors
    /// `Invalid` or `NotFound` if a rule file or a setting is wrong, `Unavailable` or `Corrupt` of the database.
    pub async fn start(settings: Settings, notify: &signalbox_notify::Settings, parts: Parts) -> Result<Self> {
        settings.check()?;
        let set = alertmanager_config::stored(&settings, notify, &parts.meta).await?;
        let Told { plan, muting, channels, original } = told(&settings, notify, set.as_ref())?;
        let sources = Sources::load(&settings.rule_files)?;
        let groups = all_groups(&sources, &parts.meta, &settings).await?;
        let muting = Muting { ranks: Ranks::of(&groups), ..muting };
        let peers = Peers::new(&settings, notify)?;
        let world = World::new(parts, &settings);
        let now_ms = world.parts.clock.now_ms();
        let mut dispatcher = Dispatcher::resume(plan, muting, world.asker.external_url.clone(), &world.parts.meta, now_ms).await?;
        dispatcher.relabel(world.parts.relabelling.clone().sparing(builtin::spared(&settings)), now_ms);
        let silences = dispatcher.muting.silences.clone();
        let mut delivering = Delivering { channels, fallbacks: fallbacks(original.as_ref(), notify), deliverer: None };
        delivering.start(&world, &silences).await?;
        let shared = Arc::new(Shared {
            world,
            silences,
            dispatcher: Mutex::new(dispatcher),
            news: Notify::new(),
            forwards: Notify::new(),
            evaluations: Semaphore::new(EVALUATIONS_MAX),
            late: Semaphore::new(LATE_EVALUATIONS_MAX),
        });
        let (evaluators, notices) = resume(groups, &[], &[], &shared.world).await?;
        shared.dispatcher.lock().await.update(notices, shared.world.parts.clock.now_ms());
        let (stop_dispatching, is_stopping) = watch::channel(false);
        peers.tell(BTreeMap::new(), &shared);
        let delivering = Arc::new(Mutex::new(delivering));
        let dispatching = Mutex::new(Some(tokio::spawn(dispatch(Arc::clone(&shared), Arc::clone(&delivering), is_stopping))));
        let mut running = Running::default();
        running.start(evaluators, &shared);
        let running = Mutex::new(running);
        let original = parking_lot::Mutex::new(original);
        Ok(Self {
            settings,
            notify: notify.clone(),
            shared,
            running,
            delivering,
            peers,
            dispatching,
            stop_dispatching,
            sources: parking_lot::Mutex::new(Arc::new(sources)),
            rules_changed: Notify::new(),
            setting_rules: Mutex::new(()),
            setting_config: Mutex::new(()),
            original,
        })
    }

    /// Reads the rule files again. Alerts of rules that are still there go on; those of rules that are gone are resolved.
    ///
    /// # Errors
    /// As [`Alerting::start`]; then the rules in force stay in force.
    pub async fn reload(&self) -> Result<()> {
        self.reload_files(&self.settings.rule_files).await
    }

    /// Whether `alertmanager.yml` could be put in force.
    ///
    /// # Errors
    /// `Invalid` or `NotFound` with what is wrong with it.
    pub fn check(&self) -> Result<()> {
        if self.settings.has_alertmanager_file() { told(&self.settings, &self.notify, None).map(|_| ()) } else { Ok(()) }
    }

    /// The same with other rule files than those of the settings.
    ///
    /// # Errors
    /// As [`Alerting::reload`].
    pub async fn reload_files(&self, rule_files: &[String]) -> Result<()> {
        let sources = Sources::load(rule_files)?;
        let told = self.settings.has_alertmanager_file().then(|| told(&self.settings, &self.notify, None)).transpose()?;
        self.apply(Some(sources)).await?;
        if let Some(told) = told {
            self.replan(told).await?;
        }
        self.shared.news.notify_one();
        Ok(())
    }

    /// Reads only the rule files again, those that were read before and those that their patterns find now.
    ///
    /// # Errors
    /// As [`Alerting::reload`].
    pub async fn reload_rules(&self) -> Result<()> {
        let sources = Sources::load(&self.sources().patterns)?;
        self.apply(Some(sources)).await
    }

    /// Puts in force what was set by API, beside the files as they were read last.
    ///
    /// # Errors
    /// Of the database; then the rules in force stay in force.
    pub async fn apply_set_rules(&self) -> Result<()> {
        self.apply(None).await
    }

    /// Puts rules in force: of these files or of those in force, and those that were set. Groups that did not change go on undisturbed;
    /// in others, alerts of rules that are still there go on.
    async fn apply(&self, sources: Option<Sources>) -> Result<()> {
        let mut running = self.running.lock().await;
        let sources = sources.map_or_else(|| self.sources(), Arc::new);
        let groups = all_groups(&sources, self.meta(), &self.settings).await?;
        let ranks = Ranks::of(&groups);
        let (changed, before) = running.stop_changed(groups).await;
        let world = &self.shared.world;
        let (evaluators, notices) = match resume(changed, &before, &running.groups(), world).await {
            Ok(resumed) => resumed,
            Err(error) => {
                running.start(before, &self.shared);
                return Err(error);
            }
        };
        if let Err(error) = end_series(&before, &evaluators, world).await {
            tracing::warn!("cannot mark the series of removed rules as ended: {error}");
        }
        let mut dispatcher = self.shared.dispatcher.lock().await;
        dispatcher.muting.ranks = ranks;
        dispatcher.update(notices, world.parts.clock.now_ms());
        drop(dispatcher);
        running.start(evaluators, &self.shared);
        *self.sources.lock() = sources;
        self.shared.news.notify_one();
        Ok(())
    }

    /// Puts an Alertmanager configuration in force, or the settings without one.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with it; then nothing changes.
    pub(crate) async fn put_config(&self, set: Option<&StoredAlertmanagerConfig>) -> Result<()> {
        let told = told(&self.settings, &self.notify, set)?;
        if let Err(error) = self.replan(told).await {
            tracing::error!("cannot deliver notifications, trying again: {error}");
        }
        self.shared.news.notify_one();
        Ok(())
    }

    /// Refuses an Alertmanager configuration that could not be put in force.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with it.
    pub(crate) fn check_config(&self, set: &StoredAlertmanagerConfig) -> Result<()> {
        check(&self.settings, &self.notify, set)
    }

    /// Nobody else sets the Alertmanager configuration for as long as the guard lives.
    pub(crate) async fn setting_config(&self) -> MutexGuard<'_, ()> {
        self.setting_config.lock().await
    }

    /// Puts another plan in force: other channels deliver, groups are made anew.
    async fn replan(&self, told: Told) -> Result<()> {
        let world = &self.shared.world;
        let mut delivering = self.delivering.lock().await;
        delivering.stop().await;
        delivering.channels = told.channels;
        delivering.fallbacks = fallbacks(told.original.as_ref(), &self.notify);
        self.shared.dispatcher.lock().await.replan(told.plan, told.muting, world.parts.clock.now_ms());
        *self.original.lock() = told.original;
        // Where the database fails, the task that dispatches tries again.
        delivering.start(world, &self.shared.silences).await
    }

    /// The rule files in force.
    pub(crate) fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources.lock())
    }

    /// Told when rules were set or deleted by API.
    pub(crate) fn rules_changed(&self) -> &Notify {
        &self.rules_changed
    }

    /// Nobody else sets rules for as long as the guard lives.
    pub(crate) async fn setting_rules(&self) -> MutexGuard<'_, ()> {
        self.setting_rules.lock().await
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The `alertmanager.yml` in force, if there is one.
    pub(crate) fn original(&self) -> Option<Original> {
        self.original.lock().clone()
    }

    /// Names of the receivers of the settings that are told of everything.
    pub(crate) fn receiver_names(&self) -> Vec<String> {
        let all = self.notify.receivers.iter().map(|receiver| receiver.name.clone());
        match self.settings.receivers.is_empty() {
            true => all.filter(|name| *name != self.settings.watchdog.receiver).collect(),
            false => self.settings.receivers.clone(),
        }
    }

    /// The dispatcher, for as long as the guard lives.
    pub(crate) async fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.shared.dispatcher.lock().await
    }

    /// Where what must survive is kept.
    pub(crate) fn meta(&self) -> &Meta {
        &self.shared.world.parts.meta
    }

    /// Now, in milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.shared.world.parts.clock.now_ms()
    }

    /// The channels in force, by name.
    pub(crate) async fn channels(&self) -> Vec<(String, Channel)> {
        self.delivering.lock().await.channels.clone()
    }

    /// Where people reach this server.
    pub(crate) fn external_url(&self) -> &str {
        &self.shared.world.asker.external_url
    }

    /// Where alerts are posted for other Alertmanagers.
    pub fn alertmanagers(&self) -> Vec<String> {
        self.peers.urls()
    }

    /// Tells these Alertmanagers of our own rules' alerts from now on, beside those of the settings; by what tells one from the others.
    pub fn forward_to(&self, found: BTreeMap<String, Arc<dyn Peer>>) {
        self.peers.tell(found, &self.shared);
    }

    /// Tells of the alerts of our own rules with other labels from now on, here and to other Alertmanagers. What was told otherwise is
    /// told to be over.
    pub async fn relabel(&self, relabelling: Relabelling) {
        let now_ms = self.now_ms();
        self.dispatcher().await.relabel(relabelling.sparing(builtin::spared(&self.settings)), now_ms);
        self.shared.news.notify_one();
        self.shared.forwards.notify_waiters();
    }

    /// Says that the dispatcher has something new.
    pub(crate) fn news(&self) {
        self.shared.news.notify_one();
    }

    /// Stops: evaluations and deliveries that run come to their end, the state is durable.
    pub async fn shutdown(&self) {
        self.running.lock().await.stop().await;
        self.stop_dispatching.send_replace(true);
        let dispatching = self.dispatching.lock().await.take();
        if let Some(dispatching) = dispatching
            && let Err(error) = dispatching.await
        {
            tracing::error!("the task that notifies died: {error}");
        }
        self.peers.stop().await;
    }
}

/// The rules of files, those that were set by API, and those that every server has.
async fn all_groups(sources: &Sources, meta: &Meta, settings: &Settings) -> Result<Vec<Group>> {
    let mut groups = sources.all_groups(meta).await?;
    groups.extend(builtin::groups(settings)?);
    Ok(groups)
}

/// Tells about groups that are due, until the server stops.
async fn dispatch(shared: Arc<Shared>, delivering: Arc<Mutex<Delivering>>, mut is_stopping: watch::Receiver<bool>) {
    let clock = &shared.world.parts.clock;
    let (mut cleaned_at, mut noted_at) = (None, None);
    while !*is_stopping.borrow() {
        let now_ms = clock.now_ms();
        let next_at_ms = {
            let mut dispatcher = shared.dispatcher.lock().await;
            let has_watchdog = dispatcher.plan.root.routes.first().is_some_and(|route| builtin::is_watchdog(route));
            dispatcher.muting.is_stalled = has_watchdog && builtin::is_stalled(&shared.world.parts.board.groups(), now_ms);
            let enqueued = dispatcher.run_due(&shared.world.parts.meta, now_ms).await;
            let next_at_ms = dispatcher.next_at_ms();
            drop(dispatcher);
            let mut delivering = delivering.lock().await;
            if let Err(error) = delivering.start(&shared.world, &shared.silences).await {
                tracing::error!("cannot deliver notifications, trying again: {error}");
            }
            if let Some(deliverer) = delivering.deliverer.as_ref().filter(|_| enqueued > 0) {
                deliverer.wake();
            }
            next_at_ms
        };
        if cleaned_at.is_none_or(|at: Duration| clock.monotonic().saturating_sub(at) >= CLEAN_EVERY) {
            cleaned_at = Some(clock.monotonic());
            clean(&shared, clock.now_ns()).await;
        }
        if noted_at.is_none_or(|at: Duration| clock.monotonic().saturating_sub(at) >= NOTE_EVERY) {
            noted_at = Some(clock.monotonic());
            note_progress(&shared).await;
        }
        let wait_ms = next_at_ms.map_or(i64::MAX, |at_ms| at_ms.saturating_sub(clock.now_ms())).max(1);
        let wait = Duration::from_millis(wait_ms.unsigned_abs()).min(LOOK_AGAIN_AFTER);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.news.notified() => {}
            // An error means that nobody can stop the task any more but by ending the process.
            _ = is_stopping.changed() => {}
        }
    }
    note_progress(&shared).await;
    delivering.lock().await.stop().await;
}

async fn note_progress(shared: &Shared) {
    if let Err(error) = shared.world.progress.save(&shared.world.parts.meta).await {
        tracing::warn!("cannot write up to when rules were evaluated; after a crash more is evaluated again: {error}");
    }
}

async fn clean(shared: &Shared, now_ns: i64) {
    let (meta, now_ms) = (&shared.world.parts.meta, now_ns.div_euclid(1_000_000));
    let history_before_ms = now_ms.saturating_sub(shared.world.history_ms);
    if let Err(error) = meta.forget_notifications(history_before_ms.saturating_mul(1_000_000)).await {
        tracing::warn!("cannot forget old notifications, trying again in an hour: {error}");
    }
    if let Err(error) = meta.forget_alert_history(history_before_ms).await {
        tracing::warn!("cannot forget the old history of alerts, trying again in an hour: {error}");
    }
    let dispatcher = shared.dispatcher.lock().await;
    let before_ms = now_ms.saturating_sub(shared.world.silences_kept_ms);
    match meta.forget_silences(before_ms).await {
        Ok(_) => dispatcher.muting.silences.forget(before_ms),
        Err(error) => tracing::warn!("cannot forget old silences, trying again in an hour: {error}"),
    }
    // Who was told that they fire has been told that they are over by then.
    let outside_before_ms = now_ms.saturating_sub(shared.world.asker.retention_ms);
    if let Err(error) = meta.forget_outside_alerts(outside_before_ms).await {
        tracing::warn!("cannot forget old alerts from outside, trying again in an hour: {error}");
    }
}

#[cfg(test)]
mod tests;

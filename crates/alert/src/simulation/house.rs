//! The server of a simulation: the real evaluators, dispatcher, database and deliverers, driven step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_meta::{AlertBoard, Meta};
use signalbox_model::{Clock, Result};
use signalbox_notify::{Channel, Deliverer};
use signalbox_testkit::ManualClock;

use super::faults::Faults;
use super::plans::RULE_FILE;
use super::posts::{Post, PostOutbox, Way};
use super::truth::Truth;
use crate::alertmanager_file::AlertmanagerFile;
use crate::dispatch::{Dispatcher, Plan, Target};
use crate::evaluate::Evaluator;
use crate::mute::Muting;
use crate::outbox::MetaOutbox;
use crate::relabel::Relabelling;
use crate::resume::{end_series, resume};
use crate::rule_file;
use crate::settings::Settings;
use crate::silence::Silences;
use crate::world::{Parts, World};

/// What lies outside of the process, and outlives it.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: ManualClock,
    pub(super) truth: Arc<Truth>,
    pub(super) faults: Arc<Faults>,
    /// All channels that any plan knows, by name; `a/1` is one of receiver `a`.
    pub(super) posts: BTreeMap<String, Arc<Post>>,
    pub(super) settings: Settings,
}

/// The process.
#[derive(Debug)]
pub(super) struct House {
    pub(super) world: World,
    pub(super) evaluators: Vec<Evaluator>,
    pub(super) dispatcher: Dispatcher,
    deliverers: Vec<(Arc<Post>, Deliverer)>,
}

impl Outside {
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn plan(&self, file: &AlertmanagerFile) -> (Plan, Muting) {
        let receiver_of = |channel: &str| channel.split('/').next().unwrap_or_default().to_owned();
        let mut receivers: BTreeMap<String, Vec<Target>> = BTreeMap::new();
        for value in &file.receivers {
            let name = value.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
            let posts = self.posts.values().filter(|post| receiver_of(&post.name) == name);
            let target = |post: &Arc<Post>| Target { receiver: name.clone(), channel: post.name.clone(), sends_resolved: post.sends_resolved() };
            receivers.insert(name.clone(), posts.map(target).collect());
        }
        let muting = Muting { inhibitions: file.inhibitions.clone(), intervals: file.intervals.clone(), ..Muting::default() };
        (Plan { root: Arc::clone(&file.route), receivers, receiver_labels: BTreeMap::new(), templates: None }, muting)
    }

    /// Starts a process, as `Alerting::start` does.
    pub(super) async fn start(&self, plan: &AlertmanagerFile) -> Result<House> {
        for post in self.posts.values() {
            post.restart();
        }
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let meta = Arc::new(Meta::open(self.dir.path().join("state.db")).await?.behind(self.faults.clone()));
        let parts =
            Parts { engine: self.truth.clone(), sink: self.truth.clone(), meta, board: AlertBoard::default(), relabelling: Relabelling::default(), clock };
        let world = World::new(parts, &self.settings);
        match self.furnish(world, plan).await {
            Ok(house) => Ok(house),
            Err((world, error)) => {
                world.parts.meta.close().await;
                Err(error)
            }
        }
    }

    async fn furnish(&self, world: World, plan: &AlertmanagerFile) -> std::result::Result<House, (World, signalbox_model::Error)> {
        let made = async {
            let (plan, muting) = self.plan(plan);
            let now_ms = self.now_ms();
            let mut dispatcher = Dispatcher::resume(plan, muting, world.asker.external_url.clone(), &world.parts.meta, now_ms).await?;
            let deliverers = self.open_posts(&dispatcher.plan, &dispatcher.muting.silences, &world.parts.meta).await?;
            let (evaluators, notices) = resume(rule_file::parse("rules.yaml", RULE_FILE)?, &[], &[], &world).await?;
            dispatcher.update(notices, now_ms);
            Ok((evaluators, dispatcher, deliverers))
        };
        match made.await {
            Ok((evaluators, dispatcher, deliverers)) => Ok(House { world, evaluators, dispatcher, deliverers }),
            Err(error) => Err((world, error)),
        }
    }

    /// A deliverer for each channel, so that one settles after the other and a seed is always the same story.
    async fn open_posts(&self, plan: &Plan, silences: &Silences, meta: &Arc<Meta>) -> Result<Vec<(Arc<Post>, Deliverer)>> {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let names: Vec<&str> = plan.receivers.values().flatten().map(|target| target.channel.as_str()).collect();
        for name in meta.waiting_messages().await?.into_iter().map(|(name, _)| name).filter(|name| !names.contains(&name.as_str())) {
            while let signalbox_meta::Next::Due(waiting) = meta.next_message(&name, i64::MAX).await? {
                meta.message_dead(waiting.id, "its channel is not configured any more", self.clock.now_ns()).await?;
            }
        }
        let mut deliverers = Vec::new();
        for name in names {
            let post = Arc::clone(&self.posts[name]);
            post.restart();
            let outbox = PostOutbox { post: Arc::clone(&post), outbox: MetaOutbox::new(Arc::clone(meta), silences.clone()) };
            let channel = Channel::Carrier(Arc::new(Way(Arc::clone(&post))));
            deliverers.push((post, Deliverer::start(vec![(name.to_owned(), channel)], BTreeMap::new(), Arc::new(outbox), Arc::clone(&clock)).await?));
        }
        Ok(deliverers)
    }
}

impl House {
    /// What the tasks that deliver do now. `None` if the process died.
    pub(super) async fn deliver(&self, faults: &Faults, has_news: bool) -> Option<()> {
        for (post, deliverer) in &self.deliverers {
            if post.wake(has_news, || deliverer.wake()) {
                faults.alive(post.settled()).await?;
            }
        }
        Some(())
    }

    /// Reads the files again, as `Alerting::reload` does.
    pub(super) async fn reload(&mut self, outside: &Outside, plan: &AlertmanagerFile) -> Result<()> {
        let groups = rule_file::parse("rules.yaml", RULE_FILE)?;
        let (evaluators, notices) = resume(groups, &self.evaluators, &[], &self.world).await?;
        // A store that fails does not stop a reload.
        let _ended = end_series(&self.evaluators, &evaluators, &self.world).await;
        self.dispatcher.update(notices, outside.now_ms());
        self.evaluators = evaluators;
        for (_, deliverer) in self.deliverers.drain(..) {
            deliverer.stop().await;
        }
        let (plan, muting) = outside.plan(plan);
        self.deliverers = outside.open_posts(&plan, &self.dispatcher.muting.silences, &self.world.parts.meta).await?;
        self.dispatcher.replan(plan, muting, outside.now_ms());
        Ok(())
    }

    /// Nothing remains but what is on the disk.
    pub(super) async fn die(self) {
        let Self { world, evaluators, dispatcher, deliverers } = self;
        drop((evaluators, dispatcher, deliverers));
        tokio::task::yield_now().await;
        world.parts.meta.close().await;
    }
}

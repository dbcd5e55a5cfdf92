//! What is made up after an outage is as if the server had been there: the same life is lived by two servers, of which one is away
//! for a while and its senders wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use signalbox_meta::{AlertBoard, Meta, Next};
use signalbox_model::Labels;
use signalbox_notify::{Message, Status};
use signalbox_testkit::ManualClock;
use signalbox_testkit::mutate::Random;

use super::plans::{INSTANCES, RULE_FILE, RULES};
use super::truth::{Away, Recorded, Truth};
use super::{STEP, T0_MS};
use crate::dispatch::{Dispatcher, Plan, Target};
use crate::evaluate::Evaluator;
use crate::group::GroupBy;
use crate::mute::Muting;
use crate::relabel::Relabelling;
use crate::resume::resume;
use crate::routing::Route;
use crate::rule_file;
use crate::settings::Settings;
use crate::state::{Alert, State};
use crate::world::{Parts, World};

const SEEDS: u64 = 10;
const STEP_MS: i64 = STEP.as_millis() as i64;
/// Steps of a life.
const STEPS: usize = 180;
/// Steps at its end in which the server is there.
const AFTER: usize = 12;

/// A word of the channel: the alert, when it began, whether it is over; and when it was said.
type Word = (Labels, i64, Status, i64);
type Times = (State, i64, Option<i64>, Option<i64>, Option<i64>);

struct Server {
    world: World,
    evaluators: Vec<Evaluator>,
    dispatcher: Dispatcher,
}

impl Server {
    async fn start(dir: &Path, truth: &Arc<Truth>, clock: &ManualClock) -> Self {
        let meta = Arc::new(Meta::open(dir.join("state.db")).await.unwrap());
        let parts = Parts {
            engine: truth.clone(),
            sink: truth.clone(),
            meta,
            board: AlertBoard::default(),
            relabelling: Relabelling::default(),
            clock: Arc::new(clock.clone()),
        };
        let world = World::new(parts, &Settings::default());
        let target = Target { receiver: "all".to_owned(), channel: "all/0".to_owned(), sends_resolved: true };
        let route = Route { group_by: GroupBy::Everything, wait_ms: 0, interval_ms: 10_000, repeat_ms: 86_400_000, ..Route::root("all".to_owned()) };
        let dispatcher = Dispatcher::new(Plan::flat(route, vec![target]), Muting::default(), String::new());
        let (evaluators, _) = resume(rule_file::parse("rules.yaml", RULE_FILE).unwrap(), &[], &[], &world).await.unwrap();
        Self { world, evaluators, dispatcher }
    }

    /// What it does at an instant. Returns what was said.
    async fn step(&mut self, now_ms: i64) -> Vec<Word> {
        loop {
            for evaluator in &mut self.evaluators {
                let notices = evaluator.run_due(&self.world).await;
                self.dispatcher.update(notices, now_ms);
            }
            if !self.evaluators.iter().any(|evaluator| evaluator.is_due(&self.world)) {
                break;
            }
        }
        let meta = &self.world.parts.meta;
        self.dispatcher.run_due(meta, now_ms).await;
        self.world.progress.save(meta).await.unwrap();
        let mut words = Vec::new();
        while let Next::Due(waiting) = meta.next_message("all/0", i64::MAX).await.unwrap() {
            let message: Message = serde_json::from_str(&waiting.payload).unwrap();
            meta.message_delivered(waiting.id, "200", now_ms * 1_000_000).await.unwrap();
            words.extend(message.alerts.iter().map(|alert| (Labels::from_pairs(&alert.labels), alert.starts_at_ns / 1_000_000, alert.status, now_ms)));
        }
        words
    }

    fn alerts(&self) -> BTreeMap<Labels, Times> {
        let times = |alert: &Alert| (alert.state, alert.active_at_ms, alert.fired_at_ms, alert.resolved_at_ms, alert.keep_firing_since_ms);
        let rules = self.evaluators.iter().flat_map(|evaluator| &evaluator.rules);
        rules.flat_map(|rule| rule.alerts.iter().map(move |(labels, alert)| (labels.clone(), times(alert)))).collect()
    }
}

/// What turns at each step: metric and instance.
fn turns(random: &mut Random) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut turns = Vec::new();
    for _ in 0..STEPS {
        let all = RULES.iter().flat_map(|rule| INSTANCES.iter().map(move |instance| (rule.source, *instance)));
        turns.push(all.filter(|(_, instance)| random.below(if *instance == "a" { 6 } else { 25 }) == 0).collect());
    }
    turns
}

/// What a life leaves.
struct Legacy {
    /// The alerts at its end.
    alerts: BTreeMap<Labels, Times>,
    /// What was said.
    words: Vec<Word>,
    /// What rules recorded.
    recorded: Recorded,
}

/// Lives a life, away in some steps.
async fn live(turns: &[Vec<(&str, &str)>], away: std::ops::Range<usize>) -> Legacy {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (truth, clock) = (Arc::new(Truth::new(Away::Sent)), ManualClock::at_ms(T0_MS));
    let mut server = Some(Server::start(dir.path(), &truth, &clock).await);
    let mut words = Vec::new();
    for (step, turned) in turns.iter().enumerate() {
        clock.advance(STEP);
        for (metric, instance) in turned {
            truth.flip(metric, instance);
        }
        let (is_away, now_ms) = (away.contains(&step), T0_MS + STEP_MS * (step as i64 + 1));
        truth.observe(now_ms, is_away);
        if is_away {
            server = None;
            continue;
        }
        let mut there = match server.take() {
            Some(there) => there,
            None => Server::start(dir.path(), &truth, &clock).await,
        };
        words.extend(there.step(now_ms).await);
        server = Some(there);
    }
    Legacy { alerts: server.unwrap().alerts(), words, recorded: truth.recorded() }
}

#[tokio::test]
async fn what_is_made_up_is_as_if_nobody_had_been_away() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let turns = turns(&mut random);
        let begins = 10 + random.below(100);
        let away = begins..(begins + 1 + random.below(STEPS - AFTER - begins));
        let Legacy { alerts: there, words: said, recorded } = live(&turns, 0..0).await;
        let Legacy { alerts: made_up, words: told, recorded: late } = live(&turns, away.clone()).await;
        assert!(recorded.values().flatten().count() > 0);
        assert_eq!(late, recorded, "seed {seed}, away in {away:?}");
        assert_eq!(made_up, there, "seed {seed}, away in {away:?}");
        let back_ms = T0_MS + STEP_MS * (away.end as i64 + 6);
        for (index, (labels, starts_at_ms, status, at_ms)) in told.iter().enumerate() {
            let is_same = |word: &&Word| (&word.0, word.1, word.2) == (labels, *starts_at_ms, *status);
            assert_eq!(told[..index].iter().find(is_same), None, "seed {seed}, away in {away:?}: said twice");
            // Who was there all the time said that it fires, and when it was told by the other it did.
            let ended = said.iter().find(|word| (&word.0, word.1, word.2) == (labels, *starts_at_ms, Status::Resolved));
            let fired = said.iter().any(|word| (&word.0, word.1, word.2) == (labels, *starts_at_ms, Status::Firing));
            assert!(fired, "seed {seed}, away in {away:?}: {labels} since {starts_at_ms} was never said to fire");
            let is_over = ended.is_some_and(|(.., ended_at_ms)| ended_at_ms < at_ms);
            assert!(*status == Status::Resolved || !is_over, "seed {seed}, away in {away:?}: {labels} since {starts_at_ms} fires at {at_ms}, and is over");
        }
        // The latest firing of each alert is told, whatever became of it.
        for (labels, (_, _, fired_at_ms, ..)) in &made_up {
            let Some(fired_at_ms) = fired_at_ms.filter(|fired_at_ms| *fired_at_ms < back_ms) else { continue };
            let is_told = told.iter().any(|word| &word.0 == labels && word.1 == fired_at_ms);
            assert!(is_told, "seed {seed}, away in {away:?}: {labels} since {fired_at_ms} was not told");
        }
    }
}

//! A thousand lives of a server: rules are evaluated, alerts routed, messages delivered by the real code, while the process
//! dies at any call of the database, the database fails, clocks are set, channels are slow and refuse, silences come and go,
//! and the routes are read again. Each life is told by its seed alone, so that a broken promise can be looked at again:
//!
//! `SIGNALBOX_SEED=7 cargo test -p signalbox-alert simulation -- --nocapture`, and `SIGNALBOX_SEED=200-399` for a part of them
//!
//! Promised is: no alert is missed, a silenced one pages nobody, `for` is off by an interval at most, "over" follows "fires",
//! messages about a group come in their order, nobody is told twice but when the process died or an answer was lost,
//! nothing is told that was never true, and what is recorded is what was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Clock, Labels};
use signalbox_notify::Status;
use signalbox_notify::message::group_key;
use signalbox_testkit::ManualClock;
use signalbox_testkit::mutate::Random;

use crate::evaluate::pairs;
use crate::settings::Settings;
use crate::silence::{Limits, Silence};
use crate::state::State;
use faults::Faults;
use house::{House, Outside};
use plans::{CHANNELS, INSTANCES, OUTSIDE, RECORDED, RECORDED_EVERY_MS, REPEAT_MIN_MS, RULES, is_quiet};
use posts::{Post, Weather};
use rulers::Ruler;
use truth::{Away, Truth};
use witness::{Believed, Witness};

mod faults;
mod house;
mod made_up;
mod plans;
mod posts;
mod rulers;
mod truth;
mod witness;

const SEEDS: u64 = 1_000;
/// So many where nobody integrates.
const SEEDS_AT_HAND: u64 = 150;
/// 2023-11-14T22:13:20Z
const T0_MS: i64 = 1_700_000_000_000;
/// Steps in which things go wrong.
const MISHAPS: usize = 24;
const STEP: Duration = Duration::from_secs(10);
/// A step while nothing goes wrong.
const CALM_STEP: Duration = Duration::from_secs(20);
/// How long all is well before every alert must be where it belongs: the longest delay of a retry, evaluations, and intervals of groups.
const SETTLED_AFTER: Duration = Duration::from_secs(300 + 120 + 200);

/// How long after a quiet time everybody knows what was kept from them.
const LOUD_AGAIN_MS: i64 = 100_000;

struct Life {
    random: Random,
    outside: Outside,
    house: Option<House>,
    witness: Witness,
    ruler: Ruler,
    plan: usize,
    /// How often routes were read.
    plans_read: usize,
    /// When rules were last evaluated with success, by metric.
    evaluated: BTreeMap<String, i64>,
    /// Silences that may have ended: whoever ended them was answered with an error.
    doubtful: BTreeSet<String>,
    story: Vec<String>,
    /// The clock was set ahead by more than alerts that are over stay known.
    was_set_ahead: bool,
    was_set_back: bool,
    /// When the process last died.
    died_at_ms: Option<i64>,
    /// The story is printed as it goes.
    is_told: bool,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // In memory where that is possible: thousands of databases are made.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let clock = ManualClock::at_ms(T0_MS);
        let posts = CHANNELS.map(|(name, sends_resolved)| (name.to_owned(), Arc::new(Post::new(name, sends_resolved, &clock, random.next_u64()))));
        let settings = Settings { catch_up_horizon_seconds: [0, 120, 3_600][random.below(3)], ..Settings::default() };
        let truth = Truth::new(if random.below(3) == 0 { Away::Lost } else { Away::Sent });
        let faults = Arc::new(Faults::new(random.next_u64()));
        let outside = Outside { dir, clock, truth: Arc::new(truth), faults, posts: posts.into(), settings };
        let ruler = Ruler::new(random.below(2) == 0);
        Self {
            random,
            outside,
            house: None,
            ruler,
            witness: Witness::default(),
            plan: 0,
            plans_read: 0,
            evaluated: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            story: Vec::new(),
            was_set_ahead: false,
            was_set_back: false,
            died_at_ms: None,
            is_told: replayed().is_some_and(|seeds| seeds.start() == seeds.end()),
        }
    }

    fn happens(&mut self, one_in: usize) -> bool {
        self.random.below(one_in) == 0
    }

    fn note(&mut self, what: impl Into<String>) {
        let seconds = (self.outside.now_ms() - T0_MS) as f64 / 1000.0;
        let line = format!("{seconds:>8} {}", what.into());
        if self.is_told {
            println!("{line}");
        }
        self.story.push(line);
    }

    async fn live(&mut self) -> Result<(), String> {
        // Some live on after the first calm.
        for _ in 0..if self.happens(4) { 2 } else { 1 } {
            for _ in 0..MISHAPS {
                self.mishap().await?;
                self.step(STEP).await?;
            }
            self.heal().await?;
            for _ in 0..SETTLED_AFTER.as_secs() / CALM_STEP.as_secs() {
                self.step(CALM_STEP).await?;
            }
            while is_quiet(self.outside.now_ms()) || is_quiet(self.outside.now_ms() - LOUD_AGAIN_MS) {
                self.step(CALM_STEP).await?;
            }
            self.all_is_told()?;
        }
        Ok(())
    }

    /// Something goes wrong, or somebody does something.
    async fn mishap(&mut self) -> Result<(), String> {
        for rule in RULES {
            for instance in INSTANCES {
                // Some flap, others stay for long.
                if self.random.below(if instance == "a" { 4 } else { 15 }) == 0 {
                    self.outside.truth.flip(rule.source, instance);
                    self.note(format!("{} of {instance} turns", rule.source));
                } else if self.happens(60) {
                    self.outside.truth.vanish(rule.source, instance);
                    self.note(format!("{} of {instance} vanishes", rule.source));
                }
            }
        }
        if self.happens(10) {
            let instance = self.random.below(INSTANCES.len());
            self.ruler.turn(instance, self.outside.now_ms(), self.outside.clock.monotonic());
            self.note(format!("the outside alert of {} turns", INSTANCES[instance]));
        }
        if self.happens(12) {
            let is_failing = self.random.below(2) == 0;
            self.outside.truth.fail(is_failing);
            self.note(format!("engine fails: {is_failing}"));
        }
        if self.happens(12) {
            let is_failing = self.random.below(2) == 0;
            self.outside.faults.fail(is_failing);
            self.note(format!("database fails: {is_failing}"));
        }
        if self.happens(4) {
            let (name, _) = CHANNELS[self.random.below(CHANNELS.len())];
            let weather = [Weather::Fair, Weather::Rough, Weather::Down][self.random.below(3)];
            self.outside.posts[name].weather(weather);
            self.note(format!("{name} is {weather:?}"));
        }
        if self.happens(40) {
            let minutes = [-60, -5, -1, 1, 5, 60][self.random.below(6)];
            self.outside.clock.step_to_ns(self.outside.clock.now_ns() + minutes * 60_000_000_000);
            self.was_set_ahead |= minutes > 15;
            self.was_set_back |= minutes < 0;
            self.note(format!("clock set by {minutes} minutes"));
        }
        if self.happens(15) {
            let calls = self.random.below(12);
            self.outside.faults.kill_after(calls);
            self.note(format!("dies after {calls} calls"));
        }
        if self.house.is_some() {
            self.operate().await?;
        }
        Ok(())
    }

    /// Somebody works on silences or on the routes.
    async fn operate(&mut self) -> Result<(), String> {
        let (silences, expires, reloads) = (self.happens(10), self.happens(15), self.happens(25));
        let choice = self.random.below(100);
        let Some(house) = &mut self.house else { return Ok(()) };
        let (now_ms, meta) = (self.outside.now_ms(), Arc::clone(&house.world.parts.meta));
        if silences {
            let matchers = ["alertname=Errors", "instance=a", "instance=b,alertname=Down", "team=infra"][choice % 4];
            let silence = Silence {
                id: String::new(),
                matchers: vec![signalbox_lang::matchers::parse(matchers).unwrap()],
                starts_at_ms: now_ms,
                ends_at_ms: now_ms + 60_000 * (1 + choice as i64 % 5),
                updated_at_ms: now_ms,
                created_by: "me".to_owned(),
                comment: "why".to_owned(),
                annotations: BTreeMap::new(),
            };
            let ends_at_ms = silence.ends_at_ms;
            match self.outside.faults.alive(house.dispatcher.set_silence(silence, Limits::default(), &meta, now_ms)).await {
                None => return self.die().await,
                Some(set) => self.note(format!("silence {matchers} until {}: {:?}", (ends_at_ms - T0_MS) / 1000, set.map(|_| ()))),
            }
            self.acknowledge();
        }
        let Some(house) = &mut self.house else { return Ok(()) };
        let known: Vec<String> =
            house.dispatcher.muting.silences.all().into_iter().filter(|silence| silence.ends_at_ms > now_ms).map(|silence| silence.id).collect();
        if expires && !known.is_empty() {
            let id = &known[choice % known.len()];
            match self.outside.faults.alive(house.dispatcher.expire_silence(id, &meta, now_ms)).await {
                None => return self.die().await,
                Some(expired) => {
                    if expired.is_err() {
                        self.doubtful.insert(id.clone());
                    }
                    self.note(format!("a silence ends: {:?}", expired));
                }
            }
            self.acknowledge();
        }
        if reloads && !self.outside.faults.is_failing() && !self.outside.posts.values().any(|post| post.is_slow()) {
            self.reload(choice % 2).await?;
        }
        Ok(())
    }

    async fn reload(&mut self, plan: usize) -> Result<(), String> {
        let Some(house) = &mut self.house else { return Ok(()) };
        match self.outside.faults.alive(house.reload(&self.outside, plans::plan(plan))).await {
            Some(Ok(())) => {
                self.plans_read += usize::from(plan != self.plan);
                self.plan = plan;
                self.note(format!("routes of plan {plan}"));
                self.look().await
            }
            // Half a reload is mended by a restart in this simulation.
            Some(Err(error)) => {
                self.note(format!("cannot reload: {error}"));
                self.outside.faults.kill_after(0);
                self.die().await
            }
            None => self.die().await,
        }
    }

    /// Silences that are known to be durable hold from now on. One of which an error said that it may not have ended may be over.
    fn acknowledge(&mut self) {
        if let Some(house) = &self.house {
            let silences = house.dispatcher.muting.silences.all().into_iter().filter(|silence| !self.doubtful.contains(&silence.id));
            let silences: Vec<Silence> = silences.collect();
            for post in self.outside.posts.values() {
                post.silences(silences.clone());
            }
        }
    }

    /// Nothing goes wrong any more.
    async fn heal(&mut self) -> Result<(), String> {
        self.note("all is well");
        self.outside.truth.fail(false);
        self.outside.faults.fail(false);
        for post in self.outside.posts.values() {
            post.weather(Weather::Fair);
        }
        self.step(STEP).await?;
        let now_ms = self.outside.now_ms();
        let Some(house) = &mut self.house else { return Ok(()) };
        let meta = Arc::clone(&house.world.parts.meta);
        let known: Vec<String> =
            house.dispatcher.muting.silences.all().into_iter().filter(|silence| silence.ends_at_ms > now_ms).map(|silence| silence.id).collect();
        for id in known {
            // One that does not want to end is over.
            let _ended = self.outside.faults.alive(house.dispatcher.expire_silence(&id, &meta, now_ms)).await;
        }
        self.acknowledge();
        Ok(())
    }

    /// Time passes, and the tasks of the server do what is due.
    async fn step(&mut self, time: Duration) -> Result<(), String> {
        self.outside.clock.advance(time);
        self.outside.truth.observe(self.outside.now_ms(), self.house.is_none());
        if self.house.is_none() {
            if self.outside.faults.is_failing() || self.happens(3) {
                return Ok(());
            }
            self.start().await?;
        }
        let faults = Arc::clone(&self.outside.faults);
        let Some(house) = &mut self.house else { return Ok(()) };
        let mut notices = Vec::new();
        for evaluator in &mut house.evaluators {
            let evaluate = async {
                let mut news = Vec::new();
                while evaluator.is_late(&house.world) {
                    news.extend(evaluator.run_due(&house.world).await);
                }
                news.extend(evaluator.run_due(&house.world).await);
                news
            };
            match faults.alive(evaluate).await {
                Some(news) => notices.push(news),
                None => {
                    self.witness.hear_answers(self.outside.truth.take_asked());
                    return self.die().await;
                }
            }
        }
        self.look().await?;
        let now_ms = self.outside.now_ms();
        let Some(house) = &mut self.house else { return Ok(()) };
        for news in notices {
            house.dispatcher.update(news, now_ms);
        }
        let meta = Arc::clone(&house.world.parts.meta);
        let now = self.outside.clock.monotonic();
        let posted = self.ruler.due(now_ms, now);
        if !posted.is_empty() {
            match faults.alive(house.dispatcher.post(posted.clone(), &meta, now_ms)).await {
                Some(Ok(())) => self.ruler.taken(&posted, now),
                Some(Err(_)) => {}
                None => return self.die().await,
            }
        }
        self.ruler.look(now_ms);
        self.witness.before_messages(now_ms, self.plan, &self.ruler);
        let Some(enqueued) = faults.alive(house.dispatcher.run_due(&meta, now_ms)).await else { return self.die().await };
        let is_alive = house.deliver(&faults, enqueued > 0 || now_ms % 60_000 == 0).await.is_some();
        self.hear()?;
        if !is_alive {
            return self.die().await;
        }
        let Some(house) = &self.house else { return Ok(()) };
        match faults.alive(house.world.progress.save(&meta)).await {
            Some(_saved_or_again) => Ok(()),
            None => self.die().await,
        }
    }

    /// Looks at the alerts after evaluations.
    async fn look(&mut self) -> Result<(), String> {
        let asked = self.outside.truth.take_asked();
        let answered: Vec<_> = asked.iter().filter(|asked| asked.found.is_some()).map(|asked| (asked.metric.clone(), asked.at_ms)).collect();
        self.evaluated.extend(answered);
        self.witness.hear_answers(asked);
        match &self.house {
            Some(house) => self.witness.look_at_alerts(&house.evaluators, &self.evaluated),
            None => Ok(()),
        }
    }

    /// Listens to what receivers were told.
    fn hear(&mut self) -> Result<(), String> {
        for (name, post) in self.outside.posts.clone() {
            for got in post.take_got() {
                let shown: Vec<String> = got
                    .message
                    .alerts
                    .iter()
                    .map(|alert| {
                        format!(
                            "{}/{} {:?} {}",
                            alert.labels["alertname"],
                            alert.labels["instance"],
                            alert.status,
                            (alert.starts_at_ns / 1_000_000 - T0_MS) / 1000
                        )
                    })
                    .collect();
                self.note(format!("{name} <- {} {:?} {} [{}]", got.id, got.message.reason, got.message.group_key, shown.join(", ")));
                self.witness.hear(&post, &got, REPEAT_MIN_MS, self.plans_read, &self.ruler)?;
            }
        }
        Ok(())
    }

    /// The process is gone.
    async fn die(&mut self) -> Result<(), String> {
        self.note("dies");
        self.died_at_ms = Some(self.outside.now_ms());
        self.hear()?;
        if let Some(house) = self.house.take() {
            self.witness.die_evaluating(&house.evaluators);
            self.evaluated.clear();
            house.die().await;
        }
        self.outside.faults.revive();
        Ok(())
    }

    async fn start(&mut self) -> Result<(), String> {
        let started = self.outside.faults.alive(self.outside.start(plans::plan(self.plan))).await;
        match started {
            Some(Ok(house)) => {
                self.note("starts");
                let Some(stored) = self.outside.faults.alive(house.world.parts.meta.load_alerts()).await else {
                    self.house = Some(house);
                    return self.die().await;
                };
                let last_ms = stored.ok().into_iter().flatten().map(|group| group.evaluated_at_ms).min();
                let is_long_ago = last_ms.is_none_or(|last_ms| self.outside.now_ms() - last_ms > 3_600_000);
                self.witness.resume(&house.evaluators, is_long_ago)?;
                self.house = Some(house);
                self.acknowledge();
            }
            Some(Err(error)) => self.note(format!("cannot start: {error}")),
            None => {
                self.note("dies while it starts");
                self.outside.faults.revive();
            }
        }
        Ok(())
    }

    /// After a long calm, everybody knows what is.
    fn all_is_told(&mut self) -> Result<(), String> {
        let house = self.house.as_ref().ok_or("the server did not start")?;
        let (now_ms, root) = (self.outside.now_ms(), &house.dispatcher.plan.root);
        let late_ms = RECORDED_EVERY_MS + CALM_STEP.as_millis() as i64;
        self.outside.truth.is_recorded("load", RECORDED, now_ms - late_ms).map_err(|why| format!("{why} at {now_ms}"))?;
        if !self.was_set_back {
            self.outside.truth.is_recorded_as_it_was("load", RECORDED).map_err(|why| format!("{why} at {now_ms}"))?;
        }
        let mut firing: BTreeMap<Labels, i64> = BTreeMap::new();
        for alert in house.evaluators.iter().flat_map(|evaluator| &evaluator.rules).flat_map(|rule| &rule.alerts) {
            if let (labels, crate::state::Alert { state: State::Firing, fired_at_ms: Some(fired_at_ms), .. }) = alert {
                firing.insert(labels.clone(), *fired_at_ms);
            }
        }
        let outside: BTreeSet<Labels> = self.ruler.fires().map(|instance| Labels::from_pairs(rulers::labels(instance))).collect();
        let fires_since = |labels: &Labels, starts_at_ms: i64| match labels.get("alertname") {
            // An end that was posted and then lies ahead, because the clock was set back, is to be believed.
            Some(OUTSIDE) => self.ruler.may_fire(labels.get("instance").unwrap_or_default(), starts_at_ms, now_ms),
            _ => firing.get(labels) == Some(&starts_at_ms),
        };
        let key_of = |route: &crate::routing::Route, labels: &Labels| group_key(&route.key, &pairs(&route.group_by.key(labels)));
        for labels in firing.keys().chain(&outside).filter(|labels| !house.dispatcher.muted(labels, now_ms).is_muted()) {
            for route in root.find(labels) {
                for target in &house.dispatcher.plan.receivers[&route.receiver] {
                    let word = self.witness.word(&target.channel, &key_of(route, labels), labels);
                    if !matches!(word, Some((known_ms, Status::Firing, ..)) if fires_since(labels, known_ms)) {
                        let fired_at_ms = firing.get(labels);
                        return Err(format!(
                            "missed: {labels} fires since {fired_at_ms:?}, and {} knows {word:?} in {}",
                            target.channel,
                            key_of(route, labels)
                        ));
                    }
                }
            }
        }
        for Believed { channel, group_key, labels, starts_at_ms, plan, id } in self.witness.believed() {
            let post = &self.outside.posts[&channel];
            // Heard when the process died, and silenced before it was sent again: nobody knows that it was heard.
            let is_of_plan = plan == self.plans_read && root.find(&labels).iter().any(|route| key_of(route, &labels) == group_key);
            // The end was forgotten at once when the clock was set far ahead, and the process died before it was told.
            let is_of_plan = is_of_plan && !self.was_set_ahead && post.sends_resolved() && !post.is_unrecorded(id);
            // Its end was muted for longer than alerts that are over stay known, and then the process died.
            let is_forgotten = |(died_at_ms, ended_at_ms): (i64, i64)| died_at_ms - ended_at_ms > self.outside.settings.retention_ms();
            let is_of_plan = is_of_plan && !self.died_at_ms.zip(self.witness.ended(&labels)).is_some_and(is_forgotten);
            let is_muted = house.dispatcher.muted(&labels, now_ms).is_muted();
            if is_of_plan && !is_muted && !fires_since(&labels, starts_at_ms) {
                return Err(format!("{channel} believes that {labels} fires since {starts_at_ms} in {group_key}; it does since {:?}", firing.get(&labels)));
            }
        }
        Ok(())
    }
}

/// The lives that are looked at again: one, or those from one seed to another.
#[allow(clippy::disallowed_methods, reason = "tests read which lives are looked at again")]
fn replayed() -> Option<RangeInclusive<u64>> {
    let text = std::env::var("SIGNALBOX_SEED").ok()?;
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// A life, and what was broken in it.
fn life(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut life = Life::new(seed);
        let lived = life.live().await;
        if let Some(house) = life.house.take() {
            house.die().await;
        }
        lived.map_err(|broken| format!("{}\nseed {seed}: {broken}", life.story.join("\n")))
    })
}

#[test]
fn whatever_happens_promises_are_kept() {
    let seeds = if std::env::var_os("CI").is_some() { SEEDS } else { SEEDS_AT_HAND };
    let seeds: Vec<u64> = replayed().unwrap_or(0..=seeds - 1).collect();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let lives = |first: usize| seeds.iter().skip(first).step_by(threads).filter_map(|seed| life(*seed).err()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || lives(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let verdicts: Vec<&str> = broken.iter().filter_map(|story| story.lines().next_back()).collect();
    assert!(
        broken.is_empty(),
        "{}\n\n{} of {} lives broke a promise:\n{}\nreplay: SIGNALBOX_SEED=<seed> cargo test -p signalbox-alert simulation -- --nocapture",
        broken[0],
        broken.len(),
        seeds.len(),
        verdicts.join("\n")
    );
}

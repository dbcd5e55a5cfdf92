//! The whole flow: samples in, rules evaluated on a clock in the test's hand, messages out; with crashes in between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signalbox_ingest::Ingester;
use signalbox_lang::promql;
use signalbox_meta::{AlertBoard, HistoryFilter, Meta, Next, RuleKind};
use signalbox_model::{Batch, Labels, Tenant};
use signalbox_notify::{Message, Reason, Status};
use signalbox_query::Engine;
use signalbox_query::promql::{Point, VectorSample};
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_testkit::ManualClock;
use signalbox_testkit::mutate::Random;

use crate::dispatch::{Dispatcher, Plan, Target};
use crate::evaluate::Evaluator;
use crate::mute::Muting;
use crate::record::{self, Sample};
use crate::relabel::Relabelling;
use crate::resume::{end_series, resume};
use crate::rule_file;
use crate::settings::Settings;
use crate::world::{Parts, World};

mod languages;
mod late;
mod own;
mod policies;
mod severities;

/// 2023-11-14T22:13:20Z
const T0_MS: i64 = 1_700_000_000_000;
const CHANNEL: &str = "ops/fake";

struct Server {
    dir: tempfile::TempDir,
    clock: ManualClock,
    settings: Settings,
    world: World,
    evaluators: Vec<Evaluator>,
    dispatcher: Dispatcher,
}

/// The parts that a crash takes away, made anew over the same directory.
pub(crate) async fn parts(dir: &Path, clock: &ManualClock) -> Parts {
    let clock: Arc<ManualClock> = Arc::new(clock.clone());
    let mut settings = signalbox_store::Settings::default();
    // A start prepares files of the WAL; these tests start often.
    (settings.wal.file_bytes, settings.wal.spare_files) = (1 << 20, 0);
    let store = Store::open(settings, dir, Arc::new(RealDisk::new(dir)), clock.clone()).await.unwrap();
    Parts {
        engine: Arc::new(Engine::new(store.clone(), clock.clone(), signalbox_query::Settings { partitions: 1, ..signalbox_query::Settings::default() })),
        sink: Arc::new(Ingester::new(store, signalbox_ingest::Settings::default(), clock.clone())),
        meta: Arc::new(Meta::open(dir.join("state.db")).await.unwrap()),
        board: AlertBoard::default(),
        relabelling: Relabelling::default(),
        clock,
    }
}

fn target() -> Target {
    Target { receiver: "ops".into(), channel: CHANNEL.into(), sends_resolved: true }
}

impl Server {
    async fn new(rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("rules.yaml"), rules).unwrap();
        let clock = ManualClock::at_ms(T0_MS);
        let settings = Settings {
            rule_files: vec![dir.path().join("rules.yaml").display().to_string()],
            evaluation_interval_seconds: 10,
            group_wait_seconds: 30,
            group_interval_seconds: 60,
            ..Settings::default()
        };
        let world = World::new(parts(dir.path(), &clock).await, &settings);
        let dispatcher = Dispatcher::new(Plan::flat(settings.route(), vec![target()]), Muting::default(), world.asker.external_url.clone());
        let mut server = Self { dir, clock, settings, world, evaluators: Vec::new(), dispatcher };
        server.load().await;
        server
    }

    /// Reads the rule files and resumes, as start and reload do.
    async fn load(&mut self) {
        let groups = rule_file::load_all(&self.settings.rule_files).unwrap();
        let (evaluators, notices) = resume(groups, &self.evaluators, &[], &self.world).await.unwrap();
        end_series(&self.evaluators, &evaluators, &self.world).await.unwrap();
        self.evaluators = evaluators;
        self.dispatcher.update(notices, self.now_ms());
    }

    /// Kills the process and starts it again: nothing remains but the directory.
    async fn restart(mut self) -> Self {
        self.evaluators.clear();
        let Self { dir, clock, settings, world, .. } = self;
        drop(world);
        let world = World::new(parts(dir.path(), &clock).await, &settings);
        let plan = Plan::flat(settings.route(), vec![target()]);
        let (meta, now_ms) = (&world.parts.meta, world.parts.clock.now_ms());
        let dispatcher = Dispatcher::resume(plan, Muting::default(), world.asker.external_url.clone(), meta, now_ms).await.unwrap();
        let mut server = Self { dir, clock, settings, world, evaluators: Vec::new(), dispatcher };
        server.load().await;
        server
    }

    fn now_ms(&self) -> i64 {
        self.world.parts.clock.now_ms()
    }

    /// What the tasks of groups do at an instant.
    async fn evaluate(&mut self) {
        loop {
            for evaluator in &mut self.evaluators {
                let notices = evaluator.run_due(&self.world).await;
                self.dispatcher.update(notices, self.world.parts.clock.now_ms());
            }
            if !self.evaluators.iter().any(|evaluator| evaluator.is_due(&self.world)) {
                break;
            }
        }
    }

    /// What the running tasks do at an instant.
    async fn turn(&mut self) {
        self.evaluate().await;
        if self.now_ms() / 1000 % 10 == 0 {
            self.world.progress.save(&self.world.parts.meta).await.unwrap();
        }
        self.dispatcher.run_due(&self.world.parts.meta, self.world.parts.clock.now_ms()).await;
    }

    /// Lets seconds pass, one after another, while `up` of instance `a` has a value.
    async fn pass(&mut self, seconds: u32, up: f64) {
        for second in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            if second % 5 == 0 {
                self.write("up", &[("instance", "a"), ("job", "shop")], up).await;
            }
            self.turn().await;
        }
    }

    async fn write(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels = Labels::from_pairs(labels.iter().copied().chain([("__name__", name)]));
        let batch = record::batch(&[Sample { labels, point: Point::Float(value) }], &[].into(), self.now_ms());
        self.world.parts.sink.write(&Tenant::default(), vec![Batch::Metrics(batch)]).await.unwrap();
    }

    async fn ask(&self, query: &str) -> Vec<VectorSample> {
        self.world.asker.ask(promql::parse(query).unwrap(), query, self.now_ms(), Duration::from_secs(10)).await.unwrap()
    }

    async fn values(&self, query: &str) -> Vec<f64> {
        let value = |sample: VectorSample| match sample.point {
            Point::Float(value) => value,
            Point::Histogram(_) => panic!("a histogram"),
        };
        self.ask(query).await.into_iter().map(value).collect()
    }

    /// Takes the messages that wait, as a channel does that always works.
    async fn messages(&self) -> Vec<Message> {
        let (meta, mut messages) = (&self.world.parts.meta, Vec::new());
        while let Next::Due(pending) = meta.next_message(CHANNEL, i64::MAX).await.unwrap() {
            messages.push(serde_json::from_str(&pending.payload).unwrap());
            meta.message_delivered(pending.id, "200", self.world.parts.clock.now_ns()).await.unwrap();
        }
        messages
    }

    /// `FirstNotification a+` for a message with the instances that are on and over.
    async fn told(&self) -> Vec<String> {
        let show = |message: &Message| {
            let alerts: Vec<String> =
                message.alerts.iter().map(|alert| format!("{}{}", alert.labels["instance"], if alert.status == Status::Firing { '+' } else { '-' })).collect();
            format!("{:?} {}", message.reason, alerts.join(" "))
        };
        self.messages().await.iter().map(show).collect()
    }

    fn rule(&self, name: &str) -> signalbox_meta::RuleStatus {
        let groups = self.world.parts.board.groups();
        groups.iter().flat_map(|group| &group.rules).find(|rule| rule.name == name).unwrap().clone()
    }

    fn active(&self, name: &str) -> Vec<signalbox_meta::ActiveAlert> {
        match self.rule(name).kind {
            RuleKind::Alerting(alerting) => alerting.alerts,
            RuleKind::Recording => panic!("it records"),
        }
    }
}

const DOWN: &str = "
groups:
- name: shop
  rules:
  - record: shop:down:count
    expr: count(up{job=\"shop\"} == 0)
    labels: {team: shop}
  - alert: Down
    expr: up == 0 and on() shop:down:count > 0
    for: 1m
    labels: {severity: page, job: '{{ $labels.job | toUpper }}'}
    annotations:
      summary: '{{ $labels.instance }} is down, {{ with query \"shop:down:count\" }}{{ . | first | value }}{{ end }} in all, from {{ $externalLabels.cluster }}'
";

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_and_resolves() {
    let mut server = Server::new(DOWN).await;
    server.settings.external_labels.insert("cluster".into(), "c1".into());
    server = server.restart().await;
    server.pass(20, 1.0).await;
    assert_eq!(server.active("Down"), []);
    assert_eq!((server.rule("Down").health.as_str(), server.rule("shop:down:count").last_error), ("ok", None));

    server.pass(15, 0.0).await;
    let pending = server.active("Down");
    assert_eq!((pending.len(), pending[0].is_firing), (1, false));
    assert_eq!(pending[0].labels, Labels::from_pairs([("alertname", "Down"), ("instance", "a"), ("job", "SHOP"), ("severity", "page")]));
    assert_eq!(server.values("shop:down:count{team=\"shop\"}").await, [1.0], "a rule sees what the one before it recorded");
    assert_eq!(server.values("ALERTS{alertname=\"Down\", alertstate=\"pending\", instance=\"a\"}").await, [1.0]);
    assert_eq!(server.values("ALERTS_FOR_STATE{alertname=\"Down\"}").await, [(pending[0].active_at_ms / 1000) as f64]);

    server.pass(60, 0.0).await;
    assert!(server.active("Down")[0].is_firing);
    assert_eq!(server.values("ALERTS{alertstate=\"firing\"}").await, [1.0]);
    assert_eq!(server.ask("ALERTS{alertstate=\"pending\"}").await, [], "the old state ended at once");
    assert_eq!(server.messages().await, [], "the group waits for more");

    server.pass(30, 0.0).await;
    let messages = server.messages().await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let alert = &message.alerts[0];
    assert_eq!((message.reason, message.subject().as_str()), (Reason::FirstNotification, "[FIRING:1] Down (c1 a SHOP page)"));
    assert_eq!((message.group_key.as_str(), message.receiver.as_str()), ("{}:{alertname=\"Down\"}", "ops"));
    assert_eq!(alert.annotations["summary"], "a is down, 1 in all, from c1");
    assert_eq!(alert.labels["cluster"], "c1", "labels of the server are added for receivers");
    assert_eq!(alert.starts_at_ns / 1_000_000 - pending[0].active_at_ms, 60_000, "it starts when it fires");
    assert!(alert.generator_url.starts_with("http://127.0.0.1:4400/ui/metrics?q=up+%3D%3D+0"), "{}", alert.generator_url);

    server.pass(90, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
    assert_eq!(server.active("Down"), []);
    assert_eq!(server.ask("ALERTS").await, []);
    assert_eq!(server.ask("shop:down:count").await, [], "a recorded series ends with its last value");
    server.pass(120, 1.0).await;
    assert_eq!(server.told().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_neither_restarts_the_clock_of_an_alert_nor_tells_twice() {
    let mut server = Server::new(DOWN).await;
    server.pass(30, 0.0).await;
    let active_at_ms = server.active("Down")[0].active_at_ms;

    // Pending: the clock goes on, also over the time in which nothing ran.
    server = server.restart().await;
    assert_eq!(server.active("Down")[0].active_at_ms, active_at_ms, "shown before the first evaluation");
    server.clock.advance(Duration::from_secs(15));
    server.pass(30, 0.0).await;
    let firing = server.active("Down");
    assert_eq!((firing[0].is_firing, firing[0].active_at_ms), (true, active_at_ms));
    assert_eq!(server.told().await, [""; 0]);

    // Firing, not yet told: told once.
    server = server.restart().await;
    server.pass(45, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);

    // Told: never again, however often it starts.
    for _ in 0..3 {
        server = server.restart().await;
        server.pass(70, 0.0).await;
        assert_eq!(server.told().await, [""; 0]);
    }

    // Over, not yet told: told once.
    server.pass(15, 1.0).await;
    server = server.restart().await;
    server.pass(70, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
    server = server.restart().await;
    server.pass(70, 1.0).await;
    assert_eq!(server.told().await, [""; 0]);

    // Again: that is news.
    server.pass(140, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_ended_while_the_server_was_away_is_told_to_be_over() {
    let mut server = Server::new(DOWN).await;
    server.pass(120, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
    server = server.restart().await;
    server.clock.advance(Duration::from_secs(7200));
    server.pass(100, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_outage_a_pending_alert_starts_over() {
    let mut server = Server::new(DOWN).await;
    server.pass(30, 0.0).await;
    let active_at_ms = server.active("Down")[0].active_at_ms;
    server = server.restart().await;
    server.clock.advance(Duration::from_secs(2 * 3600));
    server = server.restart().await;
    server.pass(15, 0.0).await;
    let pending = server.active("Down");
    assert!(!pending[0].is_firing && pending[0].active_at_ms > active_at_ms + 7_200_000, "{pending:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn firings_between_two_messages_are_no_news_and_remembered() {
    // As in Alertmanager: what came and went while its group waited is not told; of an alert that was told the end is, once.
    let mut server = Server::new("groups: [{name: g, interval: 5s, rules: [{alert: Down, expr: up == 0}]}]").await;
    for up in [1.0, 0.0, 1.0, 0.0, 1.0] {
        server.pass(5, up).await;
    }
    server.pass(30, 1.0).await;
    assert_eq!(server.told().await, [""; 0]);
    let words = async |server: &Server| {
        let events = server.world.parts.meta.alert_history(&HistoryFilter { limit: 100, ..HistoryFilter::default() }).await.unwrap();
        events.iter().rev().map(|event| event.change.clone()).collect::<Vec<_>>()
    };
    let [fired, over, untold] = ["firing", "resolved", "untold"];
    assert_eq!(words(&server).await, [fired, over, fired, over, untold, untold]);
    server.pass(60, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
    for up in [1.0, 0.0, 1.0] {
        server.pass(5, up).await;
    }
    server.pass(60, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
    server.pass(120, 1.0).await;
    assert_eq!(server.told().await, [""; 0]);
    let all = words(&server).await;
    assert_eq!(all[6..], [fired, over, fired, over, untold], "the second firing after the message");
    // A restart remembers nothing twice.
    let mut server = server.restart().await;
    server.pass(120, 1.0).await;
    assert_eq!(words(&server).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_a_rule_that_is_gone_are_resolved() {
    let mut server = Server::new(DOWN).await;
    server.pass(120, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
    let rules = server.dir.path().join("rules.yaml");
    std::fs::write(&rules, "groups: [{name: shop, rules: [{record: 'other', expr: '1'}]}]").unwrap();
    server.load().await;
    server.pass(1, 0.0).await;
    assert_eq!(server.ask("ALERTS or shop:down:count").await, [], "their series ended");
    // Not even a crash before it was told hides that.
    server = server.restart().await;
    server.pass(100, 0.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
    server.clock.advance(Duration::from_secs(3600));
    server = server.restart().await;
    assert_eq!(server.world.parts.meta.load_alerts().await.unwrap().iter().map(|group| group.alerts.len()).sum::<usize>(), 0, "forgotten in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_what_goes_on() {
    let mut server = Server::new(DOWN).await;
    server.pass(120, 0.0).await;
    let before = server.active("Down");
    std::fs::write(server.dir.path().join("rules.yaml"), DOWN.replace("for: 1m", "for: 30s")).unwrap();
    server.load().await;
    assert_eq!(server.active("Down"), before);
    server.pass(70, 0.0).await;
    assert_eq!(server.active("Down")[0].active_at_ms, before[0].active_at_ms);
    assert_eq!(server.told().await, ["FirstNotification a+"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_says_so_and_resolves_nothing() {
    let rules = "
groups:
- name: g
  limit: 1
  rules:
  - alert: Down
    expr: up == 0
    annotations: {summary: '{{ query \"nothing_here\" | first }}'}
  - record: broken
    expr: up * on(job) group_right vector(1)
";
    let mut server = Server::new(rules).await;
    server.pass(60, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
    assert_eq!(server.rule("broken").health.as_str(), "ok", "nothing matches");
    let summary = server.active("Down")[0].annotations.get("summary").unwrap().to_owned();
    assert!(
        summary.starts_with("<error expanding template: error executing template __alert_Down: template: __alert_Down:1:")
            && summary.ends_with("error calling first: first() called on vector with no elements>"),
        "{summary}"
    );
    for _ in 0..60 {
        server.write("up", &[("instance", "b"), ("job", "shop")], 0.0).await;
        server.pass(1, 0.0).await;
    }
    assert_eq!(server.rule("Down").last_error.as_deref(), Some("exceeded limit of 1 with 2 alerts"));
    assert_eq!(server.rule("Down").health.as_str(), "err");
    assert_eq!(server.active("Down").len(), 1, "what fired goes on");
    assert_eq!(server.told().await, [""; 0]);
}

/// Lets seconds pass and kills the process now and then: before an evaluation, between the evaluation and its telling, after it.
async fn pass_with_crashes(mut server: Server, random: &mut Random, seconds: u32, up: f64) -> Server {
    for second in 0..seconds {
        server.clock.advance(Duration::from_secs(1));
        if second % 5 == 0 {
            server.write("up", &[("instance", "a"), ("job", "shop")], up).await;
        }
        match random.below(40) {
            0 => server = server.restart().await,
            1 => {
                for evaluator in &mut server.evaluators {
                    evaluator.run_due(&server.world).await;
                }
                server = server.restart().await;
            }
            2 => {
                server.turn().await;
                server = server.restart().await;
            }
            _ => server.turn().await,
        }
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_crashes_each_episode_is_told_once() {
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let mut server = Server::new(&DOWN.replace("for: 1m", "for: 20s")).await;
        (server.settings.group_wait_seconds, server.settings.group_interval_seconds) = (5, 10);
        server = server.restart().await;
        let mut told = Vec::new();
        for _ in 0..2 {
            server = pass_with_crashes(server, &mut random, 110, 0.0).await;
            told.extend(server.told().await);
            server = pass_with_crashes(server, &mut random, 80, 1.0).await;
            told.extend(server.told().await);
        }
        let once = ["FirstNotification a+", "AllAlertsResolved a-"];
        assert_eq!(told, [once, once].concat(), "seed {seed}");
    }
}

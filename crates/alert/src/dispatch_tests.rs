//! Routes, silences, inhibition and alerts of other rulers, from the alert to the message in the outbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use signalbox_lang::matchers::parse;
use signalbox_meta::{Meta, Next, OutsideAlert};
use signalbox_model::Labels;
use signalbox_notify::{Message, Status};

use crate::alertmanager_file::AlertmanagerFile;
use crate::dispatch::{Dispatcher, Plan, Target};
use crate::mute::Muting;
use crate::silence::Silence;

const FILE: &str = "
route:
  receiver: all
  group_by: [alertname]
  group_wait: 10s
  group_interval: 30s
  repeat_interval: 1h
  routes:
  - {matchers: ['team=db'], receiver: db, continue: true}
  - {matchers: ['team=~\"db|web\"'], receiver: pager, group_by: ['...'], mute_time_intervals: [first-minute]}
time_intervals:
- {name: first-minute, time_intervals: [{times: [{start_time: '22:13', end_time: '22:14'}]}]}
inhibit_rules:
- {source_matchers: ['severity=critical'], target_matchers: ['severity=warning'], equal: [alertname]}
receivers: [{name: all}, {name: db}, {name: pager}]
";
/// 2023-11-14T22:13:20Z
const T0_MS: i64 = 1_700_000_000_000;

struct World {
    dir: tempfile::TempDir,
    meta: Meta,
    dispatcher: Dispatcher,
    now_ms: i64,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
        Self { meta, dir, dispatcher: dispatcher(), now_ms: T0_MS }
    }

    /// As after kill -9.
    async fn restart(mut self) -> Self {
        self.meta.close().await;
        self.meta = Meta::open(self.dir.path().join("state.db")).await.unwrap();
        self.dispatcher = dispatcher();
        self.dispatcher.hear(self.meta.outside_alerts().await.unwrap(), self.now_ms);
        self
    }

    async fn post(&mut self, labels: &[(&str, &str)], for_s: i64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (starts_at_ms, ends_at_ms) = (self.now_ms, self.now_ms + for_s * 1000);
        let alert = OutsideAlert { labels, annotations: BTreeMap::new(), generator_url: String::new(), starts_at_ms, ends_at_ms, updated_at_ms: self.now_ms };
        self.meta.save_outside_alerts(std::slice::from_ref(&alert)).await.unwrap();
        self.dispatcher.hear(vec![alert], self.now_ms);
    }

    fn silence(&mut self, matchers: &str, for_s: i64) {
        let silence = Silence {
            id: "s".to_owned(),
            matchers: vec![parse(matchers).unwrap()],
            starts_at_ms: self.now_ms,
            ends_at_ms: self.now_ms + for_s * 1000,
            updated_at_ms: self.now_ms,
            created_by: String::new(),
            comment: String::new(),
            annotations: BTreeMap::new(),
        };
        self.dispatcher.muting.silences.put([silence]);
    }

    /// Lets seconds pass, and says what was told: `12 db A+ B-`.
    async fn pass(&mut self, seconds: i64) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..seconds {
            self.now_ms += 1000;
            self.dispatcher.run_due(&self.meta, self.now_ms).await;
            for receiver in ["all", "db", "pager"] {
                while let Next::Due(pending) = self.meta.next_message(&format!("{receiver}/fake"), i64::MAX).await.unwrap() {
                    let message: Message = serde_json::from_str(&pending.payload).unwrap();
                    let sign = |status| if status == Status::Firing { '+' } else { '-' };
                    let alerts: Vec<String> = message.alerts.iter().map(|alert| format!("{}{}", alert.labels["alertname"], sign(alert.status))).collect();
                    told.push(format!("{} {receiver} {}", (self.now_ms - T0_MS) / 1000, alerts.join(" ")));
                    self.meta.message_delivered(pending.id, "200", self.now_ms * 1_000_000).await.unwrap();
                }
            }
        }
        told
    }
}

fn dispatcher() -> Dispatcher {
    let file = AlertmanagerFile::parse(FILE, Path::new("")).unwrap();
    let target = |receiver: &str| Target { receiver: receiver.to_owned(), channel: format!("{receiver}/fake"), sends_resolved: true };
    let receivers = ["all", "db", "pager"].map(|receiver| (receiver.to_owned(), vec![target(receiver)])).into();
    let muting = Muting { inhibitions: file.inhibitions, intervals: file.intervals, ..Muting::default() };
    Dispatcher::new(Plan { root: Arc::clone(&file.route), receivers, receiver_labels: BTreeMap::new(), templates: None }, muting, "http://here".to_owned())
}

#[tokio::test]
async fn an_alert_goes_its_ways_and_ends_when_nothing_is_heard() {
    let mut world = World::new().await;
    world.post(&[("alertname", "A"), ("team", "db")], 60).await;
    world.post(&[("alertname", "B")], 100).await;
    // 22:13:20 to 22:14 is muted for the pager, whose group looks again 30 s after it first did.
    assert_eq!(world.pass(41).await, ["10 all B+", "10 db A+", "40 pager A+"]);
    let mut world = world.restart().await;
    assert_eq!(world.pass(59).await, ["72 db A-", "72 pager A-"], "groups are made anew, and look at once");
    assert_eq!(world.pass(31).await, ["102 all B-"]);
    assert!(world.dispatcher.outside.is_empty() && world.dispatcher.firing.is_empty());
}

#[tokio::test]
async fn what_is_silenced_or_inhibited_is_told_afterwards() {
    let mut world = World::new().await;
    world.silence("alertname=A", 25);
    world.post(&[("alertname", "A")], 1000).await;
    assert_eq!(world.dispatcher.muted(&Labels::from_pairs([("alertname", "A")]), world.now_ms).silenced_by, ["s"]);
    assert_eq!(world.pass(45).await, ["40 all A+"]);
    world.post(&[("alertname", "W"), ("severity", "warning")], 1000).await;
    world.post(&[("alertname", "W"), ("severity", "critical")], 20).await;
    assert_eq!(world.pass(10).await, ["55 all W+"], "one of the two");
    assert_eq!(world.pass(30).await, ["85 all W- W+"], "the critical one is over");
}

/// What became of a message.
#[derive(Clone, Copy)]
enum End {
    Refused,
    WornOut,
}

impl World {
    /// Lets minutes pass in which all messages end in some way; says in which minutes there were any.
    async fn fail(&mut self, minutes: i64, end: End) -> Vec<i64> {
        let mut tried = Vec::new();
        for _ in 0..minutes * 6 {
            self.now_ms += 10_000;
            self.dispatcher.run_due(&self.meta, self.now_ms).await;
            while let Next::Due(pending) = self.meta.next_message("all/fake", i64::MAX).await.unwrap() {
                tried.push((self.now_ms - T0_MS) / 60_000);
                let at_ns = self.now_ms * 1_000_000;
                let ended = match end {
                    End::Refused => self.meta.message_refused(pending.id, "401", at_ns).await,
                    End::WornOut => self.meta.message_dead(pending.id, "503", at_ns).await,
                };
                ended.unwrap();
            }
        }
        tried
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_told_again_ever_more_seldom() {
    let mut world = World::new().await;
    world.post(&[("alertname", "A")], 100_000).await;
    assert_eq!(world.fail(100, End::Refused).await, [0, 0, 1, 3, 7, 15, 31, 61, 91]);
    world.post(&[("alertname", "A"), ("instance", "b")], 100_000).await;
    assert_eq!(world.fail(1, End::Refused).await, [100, 100], "what is new is told at once, and rests as long as at first");
    // A new configuration, or a new process, may have mended it.
    let plan = world.dispatcher.plan.clone();
    world.dispatcher.replan(plan, Muting::default(), world.now_ms);
    assert_eq!(world.pass(60).await.len(), 1);
    assert_eq!(world.pass(100).await.len(), 0, "it was told");
}

#[tokio::test]
async fn what_was_given_up_for_its_age_is_told_again_when_its_group_is_due() {
    let mut world = World::new().await;
    world.post(&[("alertname", "A")], 100_000).await;
    assert_eq!(world.fail(3, End::WornOut).await, [0, 0, 1, 1, 2, 2]);
    assert_eq!(world.pass(30).await.len(), 1);
}

#[tokio::test]
async fn the_end_of_an_alert_is_told_after_its_channel_refused_it_for_hours() {
    let mut world = World::new().await;
    world.post(&[("alertname", "A")], 60).await;
    assert_eq!(world.pass(20).await, ["10 all A+"]);
    assert_eq!(world.fail(120, End::Refused).await.len(), 9);
    assert_eq!(world.pass(1_800).await.len(), 1, "nobody goes on believing that it fires");
    assert!(world.dispatcher.groups.is_empty());
}

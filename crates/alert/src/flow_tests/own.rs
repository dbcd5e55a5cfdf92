//! The built-in rules over metrics as a server writes them about itself.

use std::collections::BTreeMap;

use async_trait::async_trait;
use signalbox_notify::retry::Failure;
use signalbox_notify::{Carrier, Channel, Deliverer, Delivery, Fallback, Receipt};
use tokio::sync::mpsc;

use super::*;
use crate::builtin;
use crate::outbox::MetaOutbox;
use crate::silence::Silences;

/// The own metrics of a moment.
#[derive(Clone, Copy)]
struct Own {
    rows: f64,
    sync_errors: f64,
    available: f64,
    dead: Option<f64>,
    waiting: f64,
    steps: f64,
}

impl Server {
    /// Lets minutes pass; metrics change by what `pass` says every fifteen seconds.
    async fn live(&mut self, minutes: u32, own: &mut Own, change: impl Fn(&mut Own)) {
        for _ in 0..minutes * 4 {
            self.clock.advance(Duration::from_secs(15));
            change(own);
            self.write("signalbox_receive_rows_total", &[("protocol", "otlp"), ("signal", "logs")], own.rows).await;
            self.write("signalbox_store_wal_sync_errors_total", &[], own.sync_errors).await;
            self.write("signalbox_store_disk_available_bytes", &[], own.available).await;
            self.write("signalbox_store_disk_total_bytes", &[], 100.0).await;
            self.write("signalbox_telemetry_clock_steps_total", &[], own.steps).await;
            self.write("signalbox_alert_evaluations_missed_total", &[], 0.0).await;
            if let Some(dead) = own.dead {
                self.write("signalbox_notify_messages_total", &[("channel", "webhook"), ("outcome", "dead"), ("receiver", "ops")], dead).await;
            }
            self.write("signalbox_notify_waiting_seconds", &[("channel", "slack"), ("receiver", "ops")], own.waiting).await;
            self.turn().await;
        }
    }

    fn firing(&self) -> Vec<String> {
        let mut names: Vec<String> = self.dispatcher.firing.keys().map(|labels| labels.get("alertname").unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_about_the_server_are_quiet_when_it_is_well_and_loud_when_it_is_not() {
    let mut server = Server::new("groups: []").await;
    let groups = builtin::groups(&server.settings).unwrap();
    server.evaluators = resume(groups, &[], &[], &server.world).await.unwrap().0;
    server.clock.advance(Duration::from_secs(300));
    server.turn().await;
    let unwell = |server: &Server| {
        let groups = server.world.parts.board.groups();
        groups.iter().flat_map(|group| &group.rules).filter_map(|rule| rule.last_error.clone()).collect::<Vec<_>>()
    };
    assert_eq!((server.firing(), unwell(&server)), (vec![], vec![]), "an empty server is well");

    let mut own = Own { rows: 0.0, sync_errors: 0.0, available: 50.0, dead: None, waiting: 0.0, steps: 0.0 };
    server.live(20, &mut own, |own| own.rows += 10.0).await;
    assert_eq!((server.firing(), unwell(&server)), (vec![], vec![]));

    (own.available, own.dead) = (4.0, Some(1.0));
    server.live(18, &mut own, |own| (own.sync_errors, own.steps) = (own.sync_errors + 1.0, own.steps + 1.0)).await;
    let told = |server: &Server, name: &str| {
        let found = server.dispatcher.firing.keys().find(|labels| labels.get("alertname") == Some(name)).cloned();
        found.map(|labels| (labels.get("integration").map(str::to_owned), labels.get("receiver").map(str::to_owned)))
    };
    let of = |integration: &str| Some((Some(integration.to_owned()), Some("ops".to_owned())));
    assert_eq!(told(&server, "SignalboxNotificationsFail"), of("webhook"), "so that a route can send it elsewhere");
    let all = ["SignalboxClockStepped", "SignalboxDiskFails", "SignalboxDiskNearlyFull", "SignalboxIngestStalled", "SignalboxNotificationsFail"];
    assert_eq!((server.firing(), unwell(&server)), (all.map(str::to_owned).to_vec(), vec![]));

    (own.available, own.waiting) = (6.0, 301.0);
    server.live(15, &mut own, |own| own.rows += 10.0).await;
    let some = ["SignalboxDiskNearlyFull", "SignalboxNotificationsDelayed", "SignalboxNotificationsFail"];
    assert_eq!(server.firing(), some, "an hour has not passed; the disk is not yet well");
    assert_eq!(told(&server, "SignalboxNotificationsDelayed"), of("slack"));
    (own.available, own.waiting) = (8.0, 0.0);
    server.live(2, &mut own, |own| own.rows += 10.0).await;
    assert_eq!(server.firing(), ["SignalboxNotificationsFail"]);
}

/// A channel that says what it was told, and may be dead.
#[derive(Debug)]
struct Line {
    name: &'static str,
    is_dead: bool,
    told: mpsc::Sender<(&'static str, String)>,
}

#[async_trait]
impl Carrier for Line {
    fn kind(&self) -> &'static str {
        self.name
    }

    fn sends_resolved(&self) -> bool {
        true
    }

    async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        self.told.send((self.name, delivery.message.subject())).await.unwrap();
        if self.is_dead { Err(Failure::transient("no answer")) } else { Ok(Receipt { answer: "200".to_owned(), handle: None }) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_about_a_dead_channel_reaches_its_fallback() {
    let mut server = Server::new("groups: []").await;
    server.evaluators = resume(builtin::groups(&server.settings).unwrap(), &[], &[], &server.world).await.unwrap().0;
    let (told, mut heard) = mpsc::channel(100);
    let line = |channel: &str, name, is_dead| (channel.to_owned(), Channel::Carrier(Arc::new(Line { name, is_dead, told: told.clone() })));
    let channels = vec![line(CHANNEL, "dead", true), line("duty/fake", "duty", false)];
    let fallback = Fallback { channels: vec!["duty/fake".to_owned()], after: Duration::from_secs(60) };
    let outbox = Arc::new(MetaOutbox::new(Arc::clone(&server.world.parts.meta), Silences::default()));
    let deliverer = Deliverer::start(channels, BTreeMap::from([(CHANNEL.to_owned(), fallback)]), outbox, Arc::new(server.clock.clone())).await.unwrap();
    let mut own = Own { rows: 0.0, sync_errors: 0.0, available: 50.0, dead: None, waiting: 301.0, steps: 0.0 };
    server.live(3, &mut own, |own| own.rows += 1.0).await;
    let subject = "[FIRING:1] SignalboxNotificationsDelayed (slack ops critical)".to_owned();
    deliverer.wake();
    assert_eq!(heard.recv().await, Some(("dead", subject.clone())));
    // The channel is tried on, and after a minute its fallback is told as well.
    let told = loop {
        server.clock.advance(Duration::from_secs(10));
        deliverer.wake();
        match tokio::time::timeout(Duration::from_millis(20), heard.recv()).await {
            Ok(Some(("dead", _))) | Err(_) => {}
            Ok(told) => break told,
        }
    };
    assert_eq!(told, Some(("duty", subject)));
    deliverer.stop().await;
}

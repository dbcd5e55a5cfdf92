//! The built-in rules over metrics as a server writes them about itself.

use super::*;
use crate::builtin;

/// The own metrics of a moment.
#[derive(Clone, Copy)]
struct Own {
    rows: f64,
    sync_errors: f64,
    available: f64,
    dead: Option<f64>,
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
                self.write("signalbox_notify_messages_total", &[("channel", "webhook"), ("outcome", "dead")], dead).await;
            }
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
    server.evaluators = resume(groups, &[], &server.world).await.unwrap().0;
    server.clock.advance(Duration::from_secs(300));
    server.turn().await;
    let unwell = |server: &Server| {
        let groups = server.world.parts.board.groups();
        groups.iter().flat_map(|group| &group.rules).filter_map(|rule| rule.last_error.clone()).collect::<Vec<_>>()
    };
    assert_eq!((server.firing(), unwell(&server)), (vec![], vec![]), "an empty server is well");

    let mut own = Own { rows: 0.0, sync_errors: 0.0, available: 50.0, dead: None, steps: 0.0 };
    server.live(20, &mut own, |own| own.rows += 10.0).await;
    assert_eq!((server.firing(), unwell(&server)), (vec![], vec![]));

    (own.available, own.dead) = (4.0, Some(1.0));
    server.live(18, &mut own, |own| (own.sync_errors, own.steps) = (own.sync_errors + 1.0, own.steps + 1.0)).await;
    let all = ["SignalboxClockStepped", "SignalboxDiskFails", "SignalboxDiskNearlyFull", "SignalboxIngestStalled", "SignalboxNotificationsFail"];
    assert_eq!((server.firing(), unwell(&server)), (all.map(str::to_owned).to_vec(), vec![]));

    own.available = 6.0;
    server.live(15, &mut own, |own| own.rows += 10.0).await;
    assert_eq!(server.firing(), ["SignalboxDiskNearlyFull", "SignalboxNotificationsFail"], "an hour has not passed; the disk is not yet well");
    own.available = 8.0;
    server.live(2, &mut own, |own| own.rows += 10.0).await;
    assert_eq!(server.firing(), ["SignalboxNotificationsFail"]);
}

//! Evaluations that were missed are made up: what was stored for the time of an outage is seen at its own instants.

use super::*;

const SHOP_DOWN: &str = "
groups:
- name: shop
  rules:
  - record: shop:down:count
    expr: count(up == 0)
  - alert: Down
    expr: up == 0 and on () shop:down:count > 0
    for: 20s
";

impl Server {
    /// Samples of `up` that come late: one every five seconds from one second of the outage to another.
    async fn backfill(&self, from_ms: i64, seconds: std::ops::Range<i64>, up: f64) {
        for second in seconds.step_by(5) {
            let labels = Labels::from_pairs([("__name__", "up"), ("instance", "a"), ("job", "shop")]);
            let batch = record::batch(&[Sample { labels, point: Point::Float(up) }], &[].into(), from_ms + second * 1000);
            self.world.parts.sink.write(&Tenant::default(), vec![Batch::Metrics(batch)]).await.unwrap();
        }
    }

    async fn values_at(&self, query: &str, at_ms: i64) -> Vec<f64> {
        let vector = self.world.asker.ask(promql::parse(query).unwrap(), query, at_ms, Duration::from_secs(10)).await.unwrap();
        vector.iter().map(|sample| if let Point::Float(value) = sample.point { value } else { f64::NAN }).collect()
    }

    /// Healthy for a minute, then away for ten; returns when it went.
    async fn outage(rules: &str) -> (Self, i64) {
        let mut server = Self::new(rules).await;
        server.pass(60, 1.0).await;
        let from_ms = server.now_ms();
        let server = server.restart().await;
        server.clock.advance(Duration::from_secs(600));
        (server.restart().await, from_ms)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_came_and_went_during_an_outage_is_told_once_as_it_was() {
    let (mut server, from_ms) = Server::outage(SHOP_DOWN).await;
    server.backfill(from_ms, 0..100, 1.0).await;
    server.backfill(from_ms, 100..200, 0.0).await;
    server.backfill(from_ms, 200..600, 1.0).await;
    // Not all at once: it crashes on the way.
    server.clock.advance(Duration::from_secs(10));
    for _ in 0..25 {
        for evaluator in &mut server.evaluators {
            assert_eq!(evaluator.run_due(&server.world).await, [], "nothing is told on the way");
        }
    }
    server = server.restart().await;
    server.pass(60, 1.0).await;
    let messages = server.messages().await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let [alert] = &message.alerts[..] else { panic!("{message:?}") };
    assert_eq!((message.reason, alert.status), (Reason::AllAlertsResolved, Status::Resolved));
    let seconds = |at_ns: i64| (at_ns / 1_000_000 - from_ms) / 1000;
    let (starts_s, ends_s) = (seconds(alert.starts_at_ns), seconds(alert.ends_at_ns.unwrap()));
    assert!((120..=130).contains(&starts_s) && (200..=210).contains(&ends_s), "{starts_s} {ends_s}");
    let late = &alert.annotations["late"];
    assert!(late.starts_with("found 8m") && late.ends_with("s after it began to fire: rules were not evaluated then"), "{late}");

    // Series are those of the instants.
    assert_eq!(server.values_at("shop:down:count", from_ms + 150_000).await, [1.0]);
    assert_eq!(server.values_at("shop:down:count", from_ms + 250_000).await, [0.0; 0]);
    let alerts = "ALERTS{alertname=\"Down\", alertstate=\"firing\"}";
    assert_eq!(server.values_at(alerts, from_ms + 90_000).await, [0.0; 0]);
    assert_eq!(server.values_at(alerts, from_ms + 160_000).await, [1.0]);
    assert_eq!(server.values_at(alerts, from_ms + 250_000).await, [0.0; 0]);
    let since = server.values_at("ALERTS_FOR_STATE{alertname=\"Down\"}", from_ms + 160_000).await;
    assert_eq!(since, [(alert.starts_at_ns / 1_000_000_000 - 20) as f64]);

    // Told once, also by a server that forgot that it told.
    server = server.restart().await;
    server.pass(90, 1.0).await;
    assert_eq!(server.told().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_began_during_an_outage_and_fires_still_began_then() {
    let (mut server, from_ms) = Server::outage(SHOP_DOWN).await;
    server.backfill(from_ms, 0..300, 1.0).await;
    server.backfill(from_ms, 300..600, 0.0).await;
    server.pass(60, 0.0).await;
    let messages = server.messages().await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let starts_s = (message.alerts[0].starts_at_ns / 1_000_000 - from_ms) / 1000;
    assert!(message.reason == Reason::FirstNotification && (320..=330).contains(&starts_s), "{message:?}");
    assert!(message.alerts[0].annotations.contains_key("late"));
    assert!(((300 * 1000)..=(310 * 1000)).contains(&(server.active("Down")[0].active_at_ms - from_ms)));
    server.pass(90, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_which_nothing_is_known_ends_no_alert_and_begins_none() {
    let rules = format!("{SHOP_DOWN}  - {{alert: Blind, expr: up == 5, no_data: no_data}}\n");
    let mut server = Server::new(&rules).await;
    server.pass(90, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
    server = server.restart().await;
    server.clock.advance(Duration::from_secs(1200));
    server = server.restart().await;
    server.write("up", &[("instance", "a"), ("job", "shop")], 0.0).await;
    server.pass(90, 0.0).await;
    assert_eq!(server.told().await, [""; 0], "it fired all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_a_busy_server_misses_are_made_up_and_those_before_the_horizon_are_lost() {
    let mut server = Server::new(SHOP_DOWN).await;
    server.pass(15, 1.0).await;
    let (missed, late) = (server.world.missed.get(), server.world.late.get());
    server.clock.advance(Duration::from_secs(45));
    server.turn().await;
    // Other tests count as well.
    assert!(server.world.late.get() >= late + 3);
    server.settings.catch_up_horizon_seconds = 0;
    server = server.restart().await;
    server.clock.advance(Duration::from_secs(45));
    server.turn().await;
    assert!(server.world.missed.get() >= missed + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_new_missed_nothing() {
    let mut server = Server::new(SHOP_DOWN).await;
    server.pass(30, 0.0).await;
    server.clock.advance(Duration::from_secs(300));
    std::fs::write(server.dir.path().join("rules.yaml"), SHOP_DOWN.replace("name: shop", "name: other")).unwrap();
    server = server.restart().await;
    server.pass(12, 0.0).await;
    assert!(server.now_ms() - server.active("Down")[0].active_at_ms <= 12_000);
}

/// The group that reads stands before the one that records.
const IN_STEP: &str = "
groups:
- name: alerts
  rules:
  - {alert: Down, expr: 'shop:down:sum > 0', for: 20s}
- name: sums
  interval: 15s
  rules:
  - {record: 'shop:down:sum', expr: sum(1 - up)}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_reads_what_another_records_finds_it_when_both_make_up() {
    let (mut server, from_ms) = Server::outage(IN_STEP).await;
    server.backfill(from_ms, 0..100, 1.0).await;
    server.backfill(from_ms, 100..200, 0.0).await;
    server.backfill(from_ms, 200..600, 1.0).await;
    server.pass(90, 1.0).await;
    let messages = server.messages().await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let alert = &message.alerts[0];
    let seconds = |at_ns: i64| (at_ns / 1_000_000 - from_ms) / 1000;
    let (starts_s, ends_s) = (seconds(alert.starts_at_ns), seconds(alert.ends_at_ns.unwrap()));
    // As it would have been: each group may see what is new an interval later.
    assert!((120..=145).contains(&starts_s) && (200..=225).contains(&ends_s), "{starts_s} {ends_s}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_went_is_told_once_also_if_the_clock_is_set_back() {
    let (mut server, from_ms) = Server::outage(SHOP_DOWN).await;
    server.backfill(from_ms, 0..500, 1.0).await;
    server.backfill(from_ms, 500..560, 0.0).await;
    server.backfill(from_ms, 560..600, 1.0).await;
    server.clock.advance(Duration::from_secs(10));
    server.evaluate().await;
    server.clock.step_to_ns((from_ms - 600_000) * 1_000_000);
    server.pass(40, 1.0).await;
    assert_eq!(server.told().await, ["AllAlertsResolved a-"]);
    server = server.restart().await;
    server.pass(150, 1.0).await;
    assert_eq!(server.told().await, [""; 0], "it was told before it began, says the clock");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_to_hear_what_is_over_is_not_told_of_what_came_and_went() {
    let (mut server, from_ms) = Server::outage(SHOP_DOWN).await;
    let deaf = Target { sends_resolved: false, ..target() };
    server.dispatcher.plan = Plan::flat(server.settings.route(), vec![deaf]);
    server.backfill(from_ms, 0..100, 1.0).await;
    server.backfill(from_ms, 100..200, 0.0).await;
    server.backfill(from_ms, 200..600, 1.0).await;
    server.pass(90, 1.0).await;
    assert_eq!(server.told().await, [""; 0], "it would be a page about nothing");
    server.pass(120, 0.0).await;
    assert_eq!(server.told().await, ["FirstNotification a+"]);
}

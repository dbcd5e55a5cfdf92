//! What rules say about no data, errors and the way back, on a server whose series come and go.

use super::*;

/// Rooms and their temperature.
type Rooms<'a> = &'a [(&'a str, f64)];

impl Server {
    /// Lets seconds pass while rooms have a temperature.
    async fn heat(&mut self, seconds: u32, rooms: Rooms<'_>) {
        for second in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            if second % 5 == 0 {
                for (room, value) in rooms {
                    self.write("temperature", &[("room", room)], *value).await;
                }
            }
            self.turn().await;
        }
    }

    /// `Ok{room="a"} F, …` of all alerts of a rule; P is pending.
    fn shown(&self, rule: &str) -> String {
        let show = |alert: &signalbox_meta::ActiveAlert| {
            let name = alert.labels.get("alertname").unwrap();
            format!("{name}{} {}", alert.labels.keep(|name| name != "alertname"), if alert.is_firing { 'F' } else { 'P' })
        };
        self.active(rule).iter().map(show).collect::<Vec<_>>().join(", ")
    }

    fn all(&self, rules: &[&str]) -> Vec<String> {
        rules.iter().map(|rule| self.shown(rule)).collect()
    }
}

const HOT: &str = "
groups:
- name: heat
  no_data: keep_last
  rules:
  - {alert: Fine, expr: 'avg_over_time(temperature[20s]) > 80', for: 20s, no_data: ok}
  - {alert: Kept, expr: 'avg_over_time(temperature[20s]) > 80', for: 20s}
  - {alert: Loud, expr: 'avg_over_time(temperature[20s]) > 80', for: 20s, no_data: alert, labels: {team: '{{ $labels.room }}x'}, annotations: {summary: '{{ $value }} in {{ $labels.room }}'}}
  - {alert: Told, expr: 'avg_over_time(temperature[20s]) > 80', for: 20s, no_data: no_data, labels: {team: x}}
";
const POLICIES: [&str; 4] = ["Fine", "Kept", "Loud", "Told"];

#[tokio::test(flavor = "multi_thread")]
async fn without_data_alerts_become_what_their_rule_says() {
    let mut server = Server::new(HOT).await;
    server.heat(60, &[("a", 50.0)]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "", ""], "a condition that does not hold is not a lack of data");
    server.heat(60, &[("a", 90.0)]).await;
    let hot = ["Fine{room=\"a\"} F", "Kept{room=\"a\"} F", "Loud{room=\"a\", team=\"ax\"} F", "Told{room=\"a\", team=\"x\"} F"];
    assert_eq!(server.all(&POLICIES), hot);
    server.heat(60, &[]).await;
    let blind = ["", hot[1], hot[2], "NoData{rulename=\"Told\", team=\"x\"} F, Told{room=\"a\", team=\"x\"} F"];
    assert_eq!(server.all(&POLICIES), blind);
    server.heat(30, &[("a", 50.0)]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "", ""]);
    server.heat(30, &[]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "Loud{team=\"x\"} P", "NoData{rulename=\"Told\", team=\"x\"} P"], "it takes as long as `for` says");
    server.heat(30, &[]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "Loud{team=\"x\"} F", "NoData{rulename=\"Told\", team=\"x\"} F"]);
    let annotations = server.active("Loud")[0].annotations.to_string();
    assert_eq!(annotations, "{reason=\"no data\", summary=\"NaN in \"}");
    server.heat(30, &[("a", 50.0)]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_series_vanishes_among_others_is_kept_alone() {
    let mut server = Server::new(HOT).await;
    server.heat(60, &[("a", 90.0), ("b", 90.0)]).await;
    assert_eq!(server.all(&["Fine", "Kept"]), ["Fine{room=\"a\"} F, Fine{room=\"b\"} F", "Kept{room=\"a\"} F, Kept{room=\"b\"} F"]);
    server.heat(60, &[("a", 50.0)]).await;
    assert_eq!(server.all(&POLICIES), ["", "Kept{room=\"b\"} F", "", ""]);
    server.heat(30, &[("a", 50.0), ("b", 50.0)]).await;
    assert_eq!(server.all(&POLICIES), ["", "", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rule_fails_its_alerts_become_what_it_says() {
    let rules = "
groups:
- name: heat
  rules:
  - {alert: Kept, expr: 'avg_over_time(temperature[20s]) > on () last_over_time(most[20s])'}
  - {alert: Fine, expr: 'avg_over_time(temperature[20s]) > on () last_over_time(most[20s])', on_error: ok}
  - {alert: Loud, expr: 'avg_over_time(temperature[20s]) > on () last_over_time(most[20s])', on_error: alert, for: 10s}
";
    let names = ["Kept", "Fine", "Loud"];
    let mut server = Server::new(rules).await;
    for (temperature, limits, want) in [
        (50.0, 1, ["", "", ""]),
        (50.0, 2, ["", "", "Loud{} F"]),
        (50.0, 1, ["", "", ""]),
        (90.0, 1, ["Kept{} F", "Fine{} F", "Loud{} F"]),
        (90.0, 2, ["Kept{} F", "", "Loud{} F"]),
        (50.0, 2, ["Kept{} F", "", "Loud{} F"]),
        (50.0, 1, ["", "", ""]),
    ] {
        for _ in 0..10 {
            for limit in 0..limits {
                server.write("most", &[("of", &limit.to_string())], 80.0).await;
            }
            server.heat(5, &[("a", temperature)]).await;
        }
        assert_eq!(server.all(&names), want, "{temperature} {limits}");
        let health = if limits == 2 { "err" } else { "ok" };
        assert!(names.iter().all(|name| server.rule(name).health.as_str() == health));
        if (temperature, limits) == (50.0, 2) && want[0].is_empty() {
            let reason = server.active("Loud")[0].annotations.get("reason").unwrap().to_owned();
            assert!(reason.starts_with("evaluation failed: "), "{reason}");
        }
        if want[0] == "Kept{} F" {
            assert_eq!(server.values("ALERTS{alertname=\"Kept\", alertstate=\"firing\"}").await, [1.0], "it is an alert also while its rule fails");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_with_another_way_back_takes_that() {
    let rules = "
groups:
- name: heat
  rules:
  - alert: Hot
    expr: avg_over_time(temperature[10s]) > 80
    recovery_expr: avg_over_time(temperature[10s]) < 60
    labels: {level: '{{ if gt $value 100.0 }}high{{ else }}low{{ end }}', room: 'room {{ $labels.room }}'}
";
    let mut server = Server::new(rules).await;
    for (temperature, want) in
        [(70.0, ""), (90.0, "Hot{level=\"low\", room=\"room a\"} F"), (70.0, "Hot{level=\"low\", room=\"room a\"} F"), (50.0, ""), (70.0, "")]
    {
        server.heat(40, &[("a", temperature), ("b", 50.0)]).await;
        assert_eq!(server.shown("Hot"), want, "{temperature}");
    }
    // What is in between is held while it is there.
    server.heat(40, &[("a", 90.0)]).await;
    server.heat(40, &[("a", 70.0)]).await;
    assert_eq!(server.shown("Hot"), "Hot{level=\"low\", room=\"room a\"} F");
    server.heat(40, &[("b", 50.0)]).await;
    assert_eq!(server.shown("Hot"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_lines_have_no_data_and_lines_that_no_filter_passes_are_data() {
    let rules = "
groups:
- name: logs
  lang: logql
  no_data: no_data
  rules:
  - {alert: Failing, expr: 'sum(count_over_time({service_name=\"shop\"} |= `failed` [10s])) > 2'}
";
    let mut server = Server::new(rules).await;
    server.pass_with_traffic(30, false).await;
    assert_eq!(server.shown("Failing"), "");
    server.pass(30, 1.0).await;
    assert_eq!(server.shown("Failing"), "NoData{rulename=\"Failing\"} F");
    server.pass_with_traffic(30, true).await;
    assert_eq!(server.shown("Failing"), "Failing{} F");
}

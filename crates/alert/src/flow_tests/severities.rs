//! Rules of several severities, from samples to messages.

use super::*;
use crate::severity::Ranks;

const QUEUE: &str = "
groups:
- name: queues
  rules:
  - alert: QueueGrows
    expr: depth or depth
    annotations: {summary: '{{ $value }} waiting'}
    severities:
    - {severity: critical, threshold: '> 100', recovery_threshold: '< 80', labels: {pager: 'yes'}}
    - {severity: warning, threshold: '> 10', for: 10s}
";

#[tokio::test(flavor = "multi_thread")]
async fn the_higher_severity_is_told_in_place_of_the_lower() {
    is_told_in_place_of_the_lower("severity", Relabelling::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn severities_go_by_the_labels_that_alerts_have_of_their_own() {
    let renamed = Relabelling::new(|labels| {
        let mut renamed = labels.keep(|name| name != "severity").to_builder();
        renamed.set("level", labels.get("severity").unwrap_or_default());
        Some(renamed.build())
    });
    is_told_in_place_of_the_lower("level", renamed).await;
}

async fn is_told_in_place_of_the_lower(label: &str, relabelling: Relabelling) {
    let mut server = Server::new(QUEUE).await;
    server.dispatcher.relabel(relabelling, T0_MS);
    server.dispatcher.muting.ranks = Ranks::of(&rule_file::load_all(&server.settings.rule_files).unwrap());
    let mut told = Vec::new();
    for (depth, seconds) in [(5.0, 60), (50.0, 120), (500.0, 120), (90.0, 120), (50.0, 120), (5.0, 120)] {
        for second in 0..seconds {
            if second % 5 == 0 {
                server.write("depth", &[("instance", "a"), ("queue", "q")], depth).await;
            }
            server.pass(1, 1.0).await;
        }
        let show = |message: &Message| {
            let alerts: Vec<String> =
                message.alerts.iter().map(|alert| format!("{}{}", alert.labels[label], if alert.status == Status::Firing { '+' } else { '-' })).collect();
            alerts.join(" ")
        };
        told.push(server.messages().await.iter().map(show).collect::<Vec<_>>());
        let firing = server.values("count(ALERTS{alertstate=\"firing\"})").await;
        assert_eq!(
            firing,
            if depth > 80.0 {
                vec![2.0]
            } else if depth > 10.0 {
                vec![1.0]
            } else {
                vec![]
            },
            "{depth}"
        );
    }
    assert_eq!(told[0], [""; 0]);
    assert_eq!(told[1], ["warning+"]);
    assert_eq!(told[2], ["critical+"]);
    assert_eq!(told[3], [""; 0], "it is not yet back");
    let both = told[4].join(" ");
    assert!(both.contains("critical-") && both.contains("warning+") && !both.contains("critical+"), "{told:?}");
    assert_eq!(told[5], ["warning-"]);
}

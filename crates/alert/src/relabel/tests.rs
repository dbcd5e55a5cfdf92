use super::*;

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(' ').filter_map(|pair| pair.split_once('=')))
}

fn notice(text: &str, starts_at_ms: i64, ends_at_ms: Option<i64>) -> Notice {
    let annotations = Labels::from_pairs([("from", text)]);
    Notice { labels: labels(text), annotations, starts_at_ms, ends_at_ms, generator_url: String::new(), is_late: false }
}

/// Without the replica, and nothing about tests.
fn without_replica() -> Relabelling {
    Relabelling::new(|labels| (labels.get("env") != Some("test")).then(|| labels.keep(|name| name != "replica")))
}

fn shown(told: Vec<Notice>) -> Vec<String> {
    let mut shown: Vec<String> = told
        .iter()
        .map(|notice| {
            let labels: Vec<String> = notice.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let end = notice.ends_at_ms.map_or_else(String::new, |ends_at_ms| ends_at_ms.to_string());
            format!("{} {}-{end} of {}", labels.join(" "), notice.starts_at_ms, notice.annotations.get("from").unwrap())
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn an_alert_is_told_with_its_new_labels_or_not_at_all() {
    let mut aliases = Aliases::default();
    aliases.relabel(without_replica(), Vec::new, 0);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=x", 5, None), notice("a=2 env=test", 5, None)])), ["a=1 5- of a=1 replica=x"]);
    assert_eq!(aliases.own(&labels("a=1")).cloned().collect::<Vec<_>>(), [labels("a=1 replica=x")]);
    assert_eq!(aliases.own(&labels("a=3")).cloned().collect::<Vec<_>>(), [labels("a=3")]);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=x", 5, Some(9)), notice("a=2 env=test", 5, Some(9))])), ["a=1 5-9 of a=1 replica=x"]);
    assert!(aliases.firing.is_empty() && aliases.told.is_empty());
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=x", 3, Some(4))])), ["a=1 3-4 of a=1 replica=x"], "one that is over already");
}

#[test]
fn alerts_that_became_the_same_are_one_from_the_first_to_the_last() {
    let mut aliases = Aliases::default();
    aliases.relabel(without_replica(), Vec::new, 0);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=x", 5, None)])), ["a=1 5- of a=1 replica=x"]);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=w", 7, None)])), [""; 0], "the first speaks for both");
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=x", 5, Some(9))])), [""; 0]);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=w", 7, None)])), ["a=1 5- of a=1 replica=w"]);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=w", 7, Some(12))])), ["a=1 5-12 of a=1 replica=w"]);
    assert_eq!(shown(aliases.take(vec![notice("a=1 replica=w", 20, None)])), ["a=1 20- of a=1 replica=w"], "another firing");
    // Both come in whatever order.
    let both = vec![notice("a=1 replica=w", 30, None), notice("a=1 replica=w", 20, Some(25))];
    assert_eq!(shown(aliases.take(both)), ["a=1 20-25 of a=1 replica=w", "a=1 30- of a=1 replica=w"]);
    assert_eq!(
        shown(aliases.take(vec![notice("a=1 replica=w", 40, None)])),
        ["a=1 30-40 of a=1 replica=w", "a=1 40- of a=1 replica=w"],
        "an end that nobody said"
    );
}

#[test]
fn other_rules_end_what_is_not_told_any_more_as_it_was() {
    let mut aliases = Aliases::default();
    let own = || vec![notice("a=1 replica=x", 5, None), notice("a=1 replica=w", 7, None), notice("a=2 env=test", 6, None), notice("a=3", 8, None)];
    assert_eq!(shown(aliases.take(own())).len(), 4, "without rules they are told as they are");
    let told = aliases.relabel(without_replica(), own, 10);
    assert_eq!(
        shown(told),
        [
            "a=1 5- of a=1 replica=x",
            "a=1 replica=w 7-10 of a=1 replica=w",
            "a=1 replica=x 5-10 of a=1 replica=x",
            "a=2 env=test 6-10 of a=2 env=test",
            "a=3 8- of a=3"
        ]
    );
    aliases.take(vec![notice("a=1 replica=x", 5, Some(11))]);
    let told = aliases.relabel(without_replica(), Vec::new, 12);
    assert_eq!(shown(told), ["a=1 5- of a=1 replica=w", "a=3 8- of a=3"], "the same rules change nothing: it goes on since it was told");
    let told = aliases.relabel(Relabelling::default(), Vec::new, 13);
    assert_eq!(shown(told), ["a=1 5-13 of a=1 replica=w", "a=1 replica=w 7- of a=1 replica=w", "a=2 env=test 6- of a=2 env=test", "a=3 8- of a=3"]);
    assert!(aliases.firing.is_empty() && aliases.told.is_empty(), "nothing is kept without rules");
}

#[test]
fn an_alert_without_labels_is_none_and_one_that_is_spared_stays() {
    let nothing = Relabelling::new(|_| Some(Labels::empty())).sparing(Some("Watchdog"));
    assert_eq!(nothing.told(&labels("alertname=Down")), None);
    assert_eq!(nothing.told(&labels("alertname=Watchdog")), Some(labels("alertname=Watchdog")));
}

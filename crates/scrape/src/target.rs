//! A target: where it is, how often it is asked, and under which labels its series are stored. Made of what discovery found
//! and what the job says, by relabelling; the order of the steps is Prometheus'.

use std::fmt::Write as _;
use std::time::Duration;

use signalbox_model::Labels;
use signalbox_model::labels::LabelsBuilder;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{ScrapeConfig, parse_duration, show_duration};
use crate::discovery::TargetGroup;
use crate::exposition::protobuf::Wanted;
use crate::relabel;

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";
const META: &str = "__meta_";
/// Labels with this in front are for the scrape, not for the series.
const RESERVED: &str = "__";
const CONVERT: &str = "__convert_classic_histograms_to_nhcb__";
const CLASSIC_TOO: &str = "__always_scrape_classic_histograms__";
const NATIVE: &str = "__scrape_native_histograms__";
const UNIX_SOCKET: &str = "__unix_socket__";

/// What is scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Labels as discovery found them, with those of the job.
    pub discovered: Labels,
    /// Labels of its series.
    pub labels: Labels,
    /// Where its page is.
    pub url: String,
    /// Time between two scrapes.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
    /// What is wanted of histograms.
    pub wanted: Wanted,
    /// What tells it from all other targets of its job.
    pub id: u64,
}

/// What became of a target that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is scraped.
    Scraped(Box<Target>),
    /// Relabelling dropped it; the labels as they were found.
    Dropped(Labels),
    /// It makes no sense, and why.
    Failed(String),
}

/// All targets of a group.
pub fn place<'a>(group: &'a TargetGroup, job: &'a ScrapeConfig) -> impl Iterator<Item = Placed> + use<'a> {
    group.targets.iter().map(move |own| {
        let discovered = discovered(own, &group.labels, job);
        match relabelled(&discovered, job) {
            Ok(Some(target)) => Placed::Scraped(Box::new(target)),
            Ok(None) => Placed::Dropped(discovered),
            Err(why) => Placed::Failed(why),
        }
    })
}

/// The labels of a target before relabelling.
pub fn discovered(own: &Labels, of_group: &Labels, job: &ScrapeConfig) -> Labels {
    let mut labels = of_group.to_builder();
    for (name, value) in own {
        labels.set(name, value);
    }
    let defaults = [
        ("job", job.job_name.clone()),
        (INTERVAL, show_duration(job.scrape_interval)),
        (TIMEOUT, show_duration(job.scrape_timeout)),
        (METRICS_PATH, job.metrics_path.clone()),
        (SCHEME, job.scheme.clone()),
        (CONVERT, job.converts_classic_histograms().to_string()),
        (CLASSIC_TOO, job.always_takes_classic_histograms().to_string()),
        (NATIVE, job.takes_native_histograms().to_string()),
    ];
    let params = job.params.iter().filter_map(|(name, values)| Some((format!("{PARAM}{name}"), values.first()?.clone())));
    for (name, value) in defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(params) {
        if labels.get(&name).is_none() {
            labels.set(&name, &value);
        }
    }
    labels.build()
}

fn relabelled(discovered: &Labels, job: &ScrapeConfig) -> Result<Option<Target>, String> {
    let mut labels = discovered.to_builder();
    if !relabel::apply_to(&job.relabel_configs, &mut labels) {
        return Ok(None);
    }
    let address = labels.get(ADDRESS).unwrap_or_default().to_owned();
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    if labels.get(UNIX_SOCKET).is_some() {
        return Err(format!("cannot scrape {address}: {UNIX_SOCKET} is not supported"));
    }
    let interval = span(&labels, INTERVAL, "interval")?;
    let timeout = span(&labels, TIMEOUT, "timeout")?;
    if timeout > interval {
        let shown = |name| labels.get(name).unwrap_or_default();
        return Err(format!("scrape timeout cannot be greater than scrape interval ({:?} > {:?})", shown(TIMEOUT), shown(INTERVAL)));
    }
    let wanted = Wanted {
        native: choice(&labels, NATIVE, job.takes_native_histograms(), "scrape native histograms")?,
        classic_too: choice(&labels, CLASSIC_TOO, job.always_takes_classic_histograms(), "always scrape classic histograms")?,
        convert: choice(&labels, CONVERT, job.converts_classic_histograms(), "convert classic histograms to nhcb")?,
    };
    if labels.get("instance").is_none() {
        labels.set("instance", &address);
    }
    let all = labels.build().keep(|name| !name.starts_with(META));
    let url = url(&all, job, &address);
    let mut identity = all.as_bytes().to_vec();
    identity.extend_from_slice(url.as_bytes());
    let labels = all.keep(|name| !name.starts_with(RESERVED));
    Ok(Some(Target { discovered: discovered.clone(), labels, url, interval, timeout, wanted, id: xxh3_64(&identity) }))
}

fn span(labels: &LabelsBuilder, name: &str, what: &str) -> Result<Duration, String> {
    let text = labels.get(name).unwrap_or_default();
    // The empty text is no duration here, though it is "not set" in a file.
    let span = if text.is_empty() { Err("empty duration string".to_owned()) } else { parse_duration(text) };
    let span = span.map_err(|why| format!("error parsing scrape {what}: {why}"))?;
    if span.is_zero() { Err(format!("scrape {what} cannot be 0")) } else { Ok(span) }
}

/// A label that is true or false as Go reads it.
fn choice(labels: &LabelsBuilder, name: &str, default: bool, what: &str) -> Result<bool, String> {
    match labels.get(name) {
        None => Ok(default),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("error parsing {what}: {other:?} is neither true nor false")),
    }
}

/// The address of the page, as Go writes it: parameters sorted by name.
fn url(labels: &Labels, job: &ScrapeConfig, address: &str) -> String {
    let mut params = job.params.clone();
    for (name, value) in labels {
        let Some(name) = name.strip_prefix(PARAM) else { continue };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => value.clone_into(first),
            None => values.push(value.to_owned()),
        }
    }
    let mut url = format!("{}://{address}", labels.get(SCHEME).unwrap_or_default());
    let path = labels.get(METRICS_PATH).unwrap_or_default();
    if !path.is_empty() && !path.starts_with('/') {
        url.push('/');
    }
    escape_path(&mut url, path);
    let pairs = params.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    for (number, (name, value)) in pairs.enumerate() {
        url.push(if number == 0 { '?' } else { '&' });
        escape(&mut url, name, b"-_.~", true);
        url.push('=');
        escape(&mut url, value, b"-_.~", true);
    }
    url
}

/// A path as Go's `url.URL` writes it.
pub(crate) fn escape_path(out: &mut String, path: &str) {
    escape(out, path, b"-_.~$&+,/:;=@!'()*", false);
}

fn escape(out: &mut String, text: &str, kept: &[u8], is_query: bool) {
    for byte in text.bytes() {
        match byte {
            b' ' if is_query => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => out.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::relabel::{Action, Pattern, RelabelConfig};

    fn job() -> ScrapeConfig {
        ScrapeConfig { job_name: "j".into(), scrape_interval: Duration::from_secs(15), scrape_timeout: Duration::from_secs(10), ..ScrapeConfig::default() }
    }

    fn group(labels: &[(&str, &str)]) -> TargetGroup {
        TargetGroup {
            source: "s".into(),
            targets: vec![Labels::from_pairs(labels.iter().copied())],
            labels: Labels::from_pairs([("env", "prod"), ("own", "no")]),
        }
    }

    fn placed(labels: &[(&str, &str)], job: &ScrapeConfig) -> Placed {
        place(&group(labels), job).next().expect("the group has one target")
    }

    fn target(labels: &[(&str, &str)], job: &ScrapeConfig) -> Target {
        match placed(labels, job) {
            Placed::Scraped(target) => *target,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_target_is_what_was_found_and_what_the_job_says() {
        let found = target(&[(ADDRESS, "h:9"), ("own", "yes"), ("__meta_x", "1")], &job());
        assert_eq!(found.labels, Labels::from_pairs([("env", "prod"), ("own", "yes"), ("job", "j"), ("instance", "h:9")]));
        assert_eq!((found.url.as_str(), found.interval.as_secs(), found.timeout.as_secs()), ("http://h:9/metrics", 15, 10));
        assert_eq!(found.discovered.get(INTERVAL), Some("15s"));
        assert_eq!(found.discovered.get("__meta_x"), Some("1"));
        // No port is made up: that of the scheme is meant.
        assert_eq!(target(&[(ADDRESS, "h")], &job()).url, "http://h/metrics");
    }

    #[test]
    fn labels_of_the_scrape_change_it() {
        let mut job = job();
        job.params = BTreeMap::from([("module".into(), vec!["a b".into(), "c&d".into()]), ("z".into(), vec!["1".into()])]);
        let found = target(
            &[(ADDRESS, "h:9"), (SCHEME, "https"), (METRICS_PATH, "/a b?c"), (INTERVAL, "1m"), (TIMEOUT, "1s"), ("__param_z", "2"), ("__param_target", "x/y")],
            &job,
        );
        assert_eq!(found.url, "https://h:9/a%20b%3Fc?module=a+b&module=c%26d&target=x%2Fy&z=2");
        assert_eq!((found.interval.as_secs(), found.timeout.as_secs()), (60, 1));
        assert!(target(&[(ADDRESS, "h:9"), (NATIVE, "true")], &job).wanted.native);
    }

    #[test]
    fn the_usual_relabelling_of_a_prober_works() {
        let mut job = job();
        let rule = |source: &str, target: &str, replacement: &str| RelabelConfig {
            source_labels: if source.is_empty() { Vec::new() } else { vec![source.into()] },
            target_label: target.into(),
            replacement: replacement.into(),
            ..RelabelConfig::default()
        };
        job.relabel_configs = vec![rule(ADDRESS, "__param_target", "$1"), rule("__param_target", "instance", "$1"), rule("", ADDRESS, "prober:9115")];
        let found = target(&[(ADDRESS, "https://example.org")], &job);
        assert_eq!(
            (found.url.as_str(), found.labels.get("instance")),
            ("http://prober:9115/metrics?target=https%3A%2F%2Fexample.org", Some("https://example.org"))
        );
    }

    #[test]
    fn targets_are_dropped_or_fail() {
        let mut dropping = job();
        dropping.relabel_configs =
            vec![RelabelConfig { source_labels: vec!["own".into()], regex: Pattern::new("yes").unwrap(), action: Action::Drop, ..RelabelConfig::default() }];
        assert!(matches!(placed(&[(ADDRESS, "h"), ("own", "yes")], &dropping), Placed::Dropped(labels) if labels.get("job") == Some("j")));
        for (labels, why) in [
            (vec![], "no address"),
            (vec![(ADDRESS, "a/b")], "not a valid hostname"),
            (vec![(ADDRESS, "h"), (INTERVAL, "x")], "error parsing scrape interval"),
            (vec![(ADDRESS, "h"), (INTERVAL, "0")], "scrape interval cannot be 0"),
            (vec![(ADDRESS, "h"), (TIMEOUT, "16s")], "scrape timeout cannot be greater than scrape interval (\"16s\" > \"15s\")"),
            (vec![(ADDRESS, "h"), (NATIVE, "maybe")], "error parsing scrape native histograms"),
        ] {
            assert!(matches!(placed(&labels, &job()), Placed::Failed(said) if said.contains(why)), "{why}");
        }
    }

    #[test]
    fn targets_differ_by_what_is_asked_of_them() {
        let id = |labels: &[(&str, &str)]| target(labels, &job()).id;
        assert_eq!(id(&[(ADDRESS, "h")]), id(&[(ADDRESS, "h"), ("__meta_x", "1")]));
        assert_ne!(id(&[(ADDRESS, "h")]), id(&[(ADDRESS, "h"), ("__param_x", "1")]));
        assert_ne!(id(&[(ADDRESS, "h")]), id(&[(ADDRESS, "h"), ("x", "1")]));
    }
}

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use signalbox_model::batch::is_stale_nan;
use signalbox_model::{Batch, KnownSeries, Labels, MetricBatch, SeriesEntry, SeriesKey, SeriesRef};

use super::*;
use crate::config::ScrapeConfig;
use crate::exposition::Format;

/// A head that remembers every series it was told.
#[derive(Default)]
struct Head(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_key: HashMap<SeriesKey, u32>,
    labels: Vec<Labels>,
}

impl KnownSeries for Head {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.0.lock().unwrap().by_key.get(&key).copied().map(SeriesRef)
    }
}

impl Head {
    /// Takes a batch; what it says, by series: `value@time`, `stale` in place of the marker.
    fn take(&self, batch: MetricBatch) -> BTreeMap<String, Vec<String>> {
        let mut known = self.0.lock().unwrap();
        let labels: Vec<Labels> = batch
            .series
            .iter()
            .map(|entry| match entry {
                SeriesEntry::Known(series) => known.labels[series.0 as usize].clone(),
                SeriesEntry::New { key, labels } => {
                    let new = known.labels.len() as u32;
                    assert_eq!(known.by_key.insert(*key, new), None, "announced twice: {labels}");
                    known.labels.push(labels.clone());
                    labels.clone()
                }
            })
            .collect();
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut say = |series: u32, text: String| said.entry(labels[series as usize].to_string()).or_default().push(text);
        let columns = &batch.samples;
        for (row, series) in columns.series.iter().enumerate() {
            let start = columns.start_ms.get(row).filter(|start| **start != 0).map(|start| format!(" from {start}")).unwrap_or_default();
            let value = if is_stale_nan(columns.value[row]) { "stale".to_owned() } else { columns.value[row].to_string() };
            say(*series, format!("{value}@{}{start}", columns.ts_ms[row]));
        }
        for sample in &batch.histograms {
            let start = if sample.start_ms == 0 { String::new() } else { format!(" from {}", sample.start_ms) };
            let value = if is_stale_nan(sample.histogram.sum) { "stale".to_owned() } else { format!("{:?}", sample.histogram.positive_buckets) };
            say(sample.series, format!("{value}@{}{start}", sample.ts_ms));
        }
        for exemplar in &batch.exemplars {
            say(exemplar.series, format!("exemplar {} {}@{}", exemplar.labels, exemplar.value, exemplar.ts_ms));
        }
        said
    }
}

/// A target that is scraped every second with pages that the test gives.
struct World {
    head: Head,
    cache: Cache,
    rules: Rules,
    target: Labels,
    now_s: u64,
}

impl World {
    fn new(change: impl FnOnce(&mut ScrapeConfig)) -> Self {
        let mut job = ScrapeConfig::default();
        change(&mut job);
        let target = Labels::from_pairs([("instance", "i"), ("job", "j")]);
        Self { head: Head::default(), cache: Cache::default(), rules: Rules::of(&job), target, now_s: 0 }
    }

    fn moment(&self) -> Moment {
        Moment { now_ms: self.now_s as i64 * 1000, monotonic: Duration::from_secs(self.now_s) }
    }

    fn outcome(&mut self, format: Format, page: &str) -> Outcome {
        self.now_s += 1;
        let moment = self.moment();
        write(&mut self.cache, Page { format, bytes: page.as_bytes() }, &self.rules, &self.target, &self.head, moment)
    }

    fn scrape_format(&mut self, format: Format, page: &str) -> BTreeMap<String, Vec<String>> {
        let outcome = self.outcome(format, page);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        self.finish(outcome)
    }

    fn finish(&mut self, outcome: Outcome) -> BTreeMap<String, Vec<String>> {
        let moment = self.moment();
        let said = self.head.take(outcome.batch);
        self.cache.commit(moment.monotonic, outcome.had_page);
        said
    }

    fn scrape(&mut self, page: &str) -> Vec<String> {
        flat(self.scrape_format(Format::Text, page))
    }

    fn scrape_open(&mut self, page: &str) -> Vec<String> {
        flat(self.scrape_format(Format::OpenMetrics, &format!("{page}# EOF\n")))
    }

    fn fail(&mut self, page: &str) -> (String, Vec<String>) {
        let outcome = self.outcome(Format::Text, page);
        let error = outcome.error.as_ref().map(ToString::to_string).unwrap_or_default();
        (error, flat(self.finish(outcome)))
    }
}

/// One line a series, the labels of the target left out.
fn flat(said: BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut lines: Vec<String> =
        said.into_iter().map(|(series, said)| format!("{} {}", series.replace("instance=\"i\", job=\"j\"", ""), said.join(" "))).collect();
    lines.sort();
    lines
}

#[test]
fn a_page_is_a_batch_with_the_labels_of_the_target() {
    let mut world = World::new(|_| {});
    assert_eq!(world.scrape("a 1\nb{x=\"y\"} 2 500\n"), ["a{} 1@1000", "b{, x=\"y\"} 2@500"]);
    assert_eq!(world.scrape("a 2\nb{x=\"y\"} 2 500\n"), ["a{} 2@2000"], "the same sample with a timestamp is stored once");
    assert_eq!(world.scrape("b{x=\"y\"} 3 600\na 3\n"), ["a{} 3@3000", "b{, x=\"y\"} 3@600"], "the order does not matter");
    assert_eq!(world.cache.len(), 2);
}

#[test]
fn series_that_disappear_are_marked_stale_once() {
    let mut world = World::new(|_| {});
    world.scrape("a 1\nb 1\nc 1 900\n");
    assert_eq!(world.scrape("a 2\n"), ["a{} 2@2000", "b{} stale@2000"], "c had a timestamp of its own");
    assert_eq!(world.scrape("a 3\n"), ["a{} 3@3000"]);
    assert_eq!(world.scrape("a 4\nb 4\n"), ["a{} 4@4000", "b{} 4@4000"]);
    assert_eq!(world.scrape(""), ["a{} stale@5000", "b{} stale@5000"], "an empty page is no failure");
    assert_eq!(world.scrape(""), Vec::<String>::new());
}

#[test]
fn timestamps_are_honoured_tracked_or_not() {
    let mut world = World::new(|job| job.track_timestamps_staleness = true);
    world.scrape("a 1 900\n");
    assert_eq!(world.scrape("b 1\n"), ["a{} stale@2000", "b{} 1@2000"]);
    let mut world = World::new(|job| job.honor_timestamps = false);
    assert_eq!(world.scrape("a 1 900\n"), ["a{} 1@1000"]);
    assert_eq!(world.scrape("b 1\n"), ["a{} stale@2000", "b{} 1@2000"]);
}

#[test]
fn a_page_that_fails_stores_nothing_of_itself_and_ends_everything() {
    let mut world = World::new(|_| {});
    world.scrape("a 1\nb 1\nt 1 500\n");
    let (error, said) = world.fail("a 2\nc 2\nt 2 600\nb x\n");
    assert!(error.contains("line 4"), "{error}");
    assert_eq!(said, ["a{} stale@2000", "b{} stale@2000"]);
    assert_eq!(world.scrape("a 3\nc 3\nt 2 600\n"), ["a{} 3@3000", "c{} 3@3000", "t{} 2@600"], "t was not stored by the page that failed");
    let outcome = world.outcome(Format::Text, "a 4\nc 4\nd 4\n");
    assert_eq!((outcome.samples_scraped, outcome.samples_kept, outcome.series_added), (3, 3, 1));
    // What was not written is written the next time.
    world.cache.roll_back();
    assert_eq!(world.scrape("a 5\n"), ["a{} 5@5000", "c{} stale@5000"]);
}

#[test]
fn duplicates_within_a_page_are_left_out() {
    let mut world = World::new(|job| {
        let rule = crate::relabel::RelabelConfig {
            action: crate::relabel::Action::LabelDrop,
            regex: crate::relabel::Pattern::new("drop").unwrap(),
            ..Default::default()
        };
        job.metric_relabel_configs = vec![rule];
    });
    for round in 1..3 {
        let outcome = world.outcome(Format::Text, "a 1\na 2\nb{drop=\"1\"} 1\nb{drop=\"2\"} 2\nc 1 100\nc 2 200\nc 3 200\n");
        let added = if round == 1 { 3 } else { 0 };
        assert_eq!((outcome.duplicates, outcome.samples_kept, outcome.series_added), (3, 7, added), "{round}");
        let said = flat(world.finish(outcome));
        assert_eq!(said, [format!("a{{}} 1@{round}000"), format!("b{{}} 1@{round}000"), "c{} 1@100 2@200".to_owned()]);
    }
}

#[test]
fn labels_of_page_and_target_meet() {
    let page = "a{job=\"x\",exported_job=\"y\",instance=\"\"} 1\n";
    let labels = |honor| {
        let mut world = World::new(|job| job.honor_labels = honor);
        world.scrape_format(Format::Text, page).into_keys().next().unwrap()
    };
    assert_eq!(labels(false), "a{exported_exported_job=\"x\", exported_job=\"y\", instance=\"i\", job=\"j\"}");
    assert_eq!(labels(true), "a{exported_job=\"y\", job=\"x\"}");
}

#[test]
fn relabelling_drops_and_renames() {
    use crate::relabel::{Action, Pattern, RelabelConfig};
    let rule = |action, regex: &str| RelabelConfig {
        source_labels: vec!["__name__".into()],
        regex: Pattern::new(regex).unwrap(),
        action,
        target_label: if action == Action::Replace { "__name__".into() } else { String::new() },
        replacement: "new_$1".into(),
        ..Default::default()
    };
    let mut world = World::new(|job| job.metric_relabel_configs = vec![rule(Action::Drop, "a"), rule(Action::Replace, "(b)")]);
    for round in 1..3 {
        let outcome = world.outcome(Format::Text, "a 1\nb 2\n");
        assert_eq!((outcome.samples_scraped, outcome.samples_kept), (2, 1));
        assert_eq!(flat(world.finish(outcome)), [format!("new_b{{}} 2@{round}000")]);
    }
}

#[test]
fn limits_fail_the_scrape() {
    let mut world = World::new(|job| job.sample_limit = 2);
    assert_eq!(world.scrape("a 1\nb 1\n").len(), 2);
    let outcome = world.outcome(Format::Text, "a 1\nb 1\nc 1\nd 1\n");
    assert_eq!((outcome.samples_scraped, outcome.samples_kept, outcome.series_added), (4, 4, 0));
    assert_eq!(outcome.error.as_ref().unwrap().to_string(), "sample limit exceeded");
    assert_eq!(flat(world.finish(outcome)), ["a{} stale@2000", "b{} stale@2000"]);
    let error = |change: fn(&mut ScrapeConfig)| World::new(change).fail("name{label=\"value\"} 1\n").0;
    assert_eq!(error(|job| job.label_limit = 3), "label_limit exceeded (metric: name, number of labels: 4, limit: 3)");
    assert_eq!(error(|job| job.label_name_length_limit = 7), "label_name_length_limit exceeded (metric: name, label name: __name__, length: 8, limit: 7)");
    assert_eq!(
        error(|job| job.label_value_length_limit = 4),
        "label_value_length_limit exceeded (metric: name, label name: label, value: \"value\", length: 5, limit: 4)"
    );
    let legacy = |job: &mut ScrapeConfig| job.metric_name_validation_scheme = Some(crate::config::NameScheme::Legacy);
    assert!(World::new(legacy).fail("{\"a.b\"} 1\n").0.starts_with("invalid metric name"));
}

#[test]
fn created_gives_all_series_of_its_metric_their_start() {
    let mut world = World::new(|_| {});
    world.now_s = 99;
    let page = "# TYPE c counter\nc_total{x=\"1\"} 5\nc_created{x=\"1\"} 7.5\nc_total{x=\"2\"} 6\n\
        # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\nh_created 8\n# TYPE g gauge\ng 1\n# TYPE g_created gauge\ng_created 3\n";
    for round in [100, 101] {
        let now = format!("@{round}000");
        let want = [
            format!("c_created{{, x=\"1\"}} 7.5{now}"),
            format!("c_total{{, x=\"1\"}} 5{now} from 7500"),
            format!("c_total{{, x=\"2\"}} 6{now}"),
            format!("g_created{{}} 3{now}"),
            format!("g{{}} 1{now}"),
            format!("h_bucket{{, le=\"+Inf\"}} 2{now} from 8000"),
            format!("h_bucket{{, le=\"1.0\"}} 1{now} from 8000"),
            format!("h_count{{}} 2{now} from 8000"),
            format!("h_created{{}} 8{now}"),
            format!("h_sum{{}} 3{now} from 8000"),
        ];
        assert_eq!(world.scrape_open(page), want);
    }
}

#[test]
fn classic_histograms_are_converted() {
    let page = "# TYPE h histogram\nh_bucket{x=\"1\",le=\"1\"} 1 # {a=\"b\"} 0.5 1\nh_bucket{x=\"1\",le=\"+Inf\"} 3 # {a=\"b\"} 2\nh_count{x=\"1\"} 3\nh_sum{x=\"1\"} 3\nh_created{x=\"1\"} 1\n\
        h_bucket{x=\"2\",le=\"+Inf\"} 4\n# TYPE other counter\nother_total 1\n";
    let mut world = World::new(|job| job.convert_classic_histograms_to_nhcb = Some(true));
    let native = |ts_ms, exemplar| {
        vec![
            format!("h_created{{, x=\"1\"}} 1@{ts_ms}"),
            format!("h{{, x=\"1\"}} [1.0, 2.0]@{ts_ms} from 1000{exemplar}"),
            format!("h{{, x=\"2\"}} [4.0]@{ts_ms}"),
            format!("other_total{{}} 1@{ts_ms}"),
        ]
    };
    assert_eq!(world.scrape_open(page), native(1000, " exemplar {a=\"b\"} 0.5@1000"));
    assert_eq!(world.scrape_open(page), native(2000, ""), "an exemplar is stored once");
    let gone = world.scrape_open("# TYPE other counter\nother_total 1\n");
    assert_eq!(gone, ["h_created{, x=\"1\"} stale@3000", "h{, x=\"1\"} stale@3000", "h{, x=\"2\"} stale@3000", "other_total{} 1@3000"]);
    // Both, where both are wanted.
    let mut world = World::new(|job| (job.convert_classic_histograms_to_nhcb, job.always_scrape_classic_histograms) = (Some(true), Some(true)));
    assert_eq!(world.scrape(&page.replace(" # {a=\"b\"} 0.5 1", "").replace(" # {a=\"b\"} 2", "")).len(), 5 + 4);
}

#[test]
fn exemplars_are_stored_once() {
    let mut world = World::new(|_| {});
    let page = "# TYPE c counter\nc_total 5 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",a=\"b\"} 2\n";
    assert_eq!(world.scrape_open(page), ["c_total{} 5@1000 exemplar {a=\"b\"} 2@1000"]);
    assert_eq!(world.scrape_open(page), ["c_total{} 5@2000"]);
    assert_eq!(world.scrape_open(&page.replace("} 2", "} 3 2.5")), ["c_total{} 5@3000 exemplar {a=\"b\"} 3@2500"]);
    let long = page.replace("\"b\"", &format!("\"{}\"", "b".repeat(200)));
    assert_eq!(world.scrape_open(&long), ["c_total{} 5@4000"]);
}

#[test]
fn metadata_is_told_when_it_is_new() {
    let mut world = World::new(|_| {});
    let page = "# TYPE a counter\n# HELP a Help.\na_total 1\n";
    let outcome = world.outcome(Format::Text, page);
    assert_eq!(
        outcome.batch.metadata.iter().map(|one| (one.name.as_str(), one.kind.as_str(), one.help.as_str())).collect::<Vec<_>>(),
        [("a", "counter", "Help.")]
    );
    world.finish(outcome);
    assert!(world.outcome(Format::Text, page).batch.metadata.is_empty());
    assert_eq!(world.outcome(Format::Text, &page.replace("Help", "More")).batch.metadata.len(), 1);
    assert_eq!(world.cache.metadata().lock()["a"].help, "More.");
}

#[test]
fn what_is_not_seen_any_more_is_forgotten() {
    let mut world = World::new(|_| {});
    let page = |from: usize| (from..from + 200).map(|number| format!("a{{n=\"{number}\"}} 1\n")).collect::<String>();
    for from in 0..20 {
        world.scrape(&page(from * 200));
        assert!(world.cache.len() <= 400 && world.cache.series.len() <= 400, "{} {}", world.cache.len(), world.cache.series.len());
    }
    // Neither do pages that fail fill the memory.
    for from in 20..40 {
        world.fail(&format!("{}x\n", page(from * 200)));
        assert!(world.cache.len() <= 1800 && world.cache.series.len() <= 1800, "{}", world.cache.len());
    }
    let outcome = world.outcome(Format::Text, &page(0));
    assert_eq!(outcome.series_added, 200);
}

#[test]
fn reports_say_how_the_scrape_went() {
    let mut world = World::new(|job| job.extra_scrape_metrics = Some(true));
    let report = Report {
        is_up: true,
        duration_seconds: 0.25,
        samples_scraped: 1,
        samples_kept: 1,
        series_added: 1,
        timeout_seconds: 10.0,
        sample_limit: 0,
        body_bytes: 4,
    };
    let mut outcome = world.outcome(Format::Text, "a 1\nup 7\n");
    outcome.add_report(&mut world.cache, &world.rules, &world.target, &world.head, Moment { now_ms: 1000, monotonic: Duration::ZERO }, &report);
    assert_eq!(Batch::Metrics(outcome.batch.clone()).rows(), 2 + 8);
    let end = write_end(&mut world.cache, &world.head, world_moment(), |_| true, Some((&world.rules, &world.target)));
    let said = flat(world.head.take(end.batch));
    assert_eq!(said.len(), 8, "the batch was never committed, so only the reports end: {said:?}");
    assert!(said.iter().all(|said| said.ends_with("stale@9000")));
}

fn world_moment() -> Moment {
    Moment { now_ms: 9000, monotonic: Duration::from_secs(9) }
}

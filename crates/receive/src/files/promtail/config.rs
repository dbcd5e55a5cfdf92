//! The YAML of promtail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_norway::Value;
use signalbox_model::Tenant;

use super::super::source::{Compiled, Lines, Work};
use super::super::{Compressed, LineFormat, Multiline, Start, paths};
use super::relabel::Relabel;
use super::stages::Stages;
use super::{Loaded, stage};

/// Bytes of a line, as promtail has by default with `max_line_size` of Loki.
const LINE_BYTES_MAX: usize = 256 << 10;
/// Files that `file_sd_configs` may name.
const SD_FILES_MAX: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    scrape_configs: Vec<Scrape>,
    positions: Option<Positions>,
    server: Option<Value>,
    client: Option<Value>,
    clients: Option<Value>,
    target_config: Option<Value>,
    limits_config: Option<Value>,
    options: Option<Value>,
    tracing: Option<Value>,
    global: Option<Value>,
    wal: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Positions {
    filename: Option<PathBuf>,
    #[serde(rename = "sync_period")]
    _sync_period: Option<Value>,
    #[serde(default)]
    ignore_invalid_yaml: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scrape {
    #[serde(rename = "job_name")]
    _job_name: Option<String>,
    #[serde(default)]
    pipeline_stages: Vec<Value>,
    #[serde(default)]
    static_configs: Vec<Group>,
    #[serde(default)]
    file_sd_configs: Vec<FileDiscovery>,
    #[serde(default)]
    relabel_configs: Vec<Relabel>,
    encoding: Option<String>,
    decompression: Option<Decompression>,
    kubernetes_sd_configs: Option<Value>,
    docker_sd_configs: Option<Value>,
    consul_sd_configs: Option<Value>,
    consulagent_sd_configs: Option<Value>,
    journal: Option<Value>,
    syslog: Option<Value>,
    loki_push_api: Option<Value>,
    windows_events: Option<Value>,
    gcplog: Option<Value>,
    azure_event_hubs: Option<Value>,
    kafka: Option<Value>,
    gelf: Option<Value>,
    cloudflare: Option<Value>,
    heroku_drain: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decompression {
    #[serde(default)]
    enabled: bool,
    #[serde(rename = "initial_delay")]
    _initial_delay: Option<Value>,
    #[serde(default)]
    format: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default, rename = "targets")]
    _targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDiscovery {
    files: Vec<String>,
    #[serde(rename = "refresh_interval")]
    _refresh_interval: Option<Value>,
}

/// Reads the text of a file that lies in a folder.
pub(super) fn read(text: &str, folder: &Path) -> Result<Loaded, String> {
    let document: Document = serde_norway::from_str(text).map_err(|error| error.to_string())?;
    let positions = document.positions.and_then(|positions| Some((positions.filename?, positions.ignore_invalid_yaml)));
    let mut loaded = Loaded { positions, ..Loaded::default() };
    let passed_over = [
        ("clients", document.clients.is_some() || document.client.is_some(), "records go to this store"),
        ("server", document.server.is_some(), "`http.listen` has the address"),
        ("limits_config", document.limits_config.is_some(), "`ingest` has the limits"),
        ("target_config", document.target_config.is_some(), "files are looked for once a second"),
        ("options", document.options.is_some(), "there are no such limits"),
        ("tracing", document.tracing.is_some(), "`telemetry` has it"),
        ("global", document.global.is_some(), "files are looked for once a second"),
        ("wal", document.wal.is_some(), "the store has its own"),
    ];
    for (block, is_there, why) in passed_over {
        if is_there {
            loaded.notes.push(format!("promtail's `{block}` is passed over: {why}"));
        }
    }
    for (number, scrape) in document.scrape_configs.into_iter().enumerate() {
        let place = format!("scrape_configs[{number}]");
        add(&mut loaded, scrape, &place, folder)?;
    }
    Ok(loaded)
}

fn add(loaded: &mut Loaded, scrape: Scrape, place: &str, folder: &Path) -> Result<(), String> {
    let refused = [
        (
            "kubernetes_sd_configs",
            scrape.kubernetes_sd_configs.is_some(),
            "give static_configs the label `__path__: /var/log/pods/*/*/*.log`, or use receive.files, which takes the names of pods from the path",
        ),
        ("docker_sd_configs", scrape.docker_sd_configs.is_some(), "give static_configs the label `__path__: /var/lib/docker/containers/*/*-json.log`"),
        ("consul_sd_configs", scrape.consul_sd_configs.is_some(), "use static_configs or file_sd_configs"),
        ("consulagent_sd_configs", scrape.consulagent_sd_configs.is_some(), "use static_configs or file_sd_configs"),
        ("journal", scrape.journal.is_some(), "send the journal with an agent, over OTLP or syslog"),
        ("syslog", scrape.syslog.is_some(), "use receive.syslog"),
        ("loki_push_api", scrape.loki_push_api.is_some(), "use receive.loki"),
        ("windows_events", scrape.windows_events.is_some(), "send events with an agent"),
        ("gcplog", scrape.gcplog.is_some(), "send records with an agent"),
        ("azure_event_hubs", scrape.azure_event_hubs.is_some(), "send records with an agent"),
        ("kafka", scrape.kafka.is_some(), "send records with an agent"),
        ("gelf", scrape.gelf.is_some(), "use receive.gelf"),
        ("cloudflare", scrape.cloudflare.is_some(), "send records with an agent"),
        ("heroku_drain", scrape.heroku_drain.is_some(), "send records with an agent"),
    ];
    for (key, is_there, advice) in refused {
        if is_there {
            return Err(format!("{place}.{key}: not supported: {advice}"));
        }
    }
    if let Some(encoding) = &scrape.encoding
        && !encoding.is_empty()
        && !encoding.eq_ignore_ascii_case("utf-8")
    {
        return Err(format!("{place}.encoding: {encoding:?} is not supported: want UTF-8"));
    }
    let compressed = match &scrape.decompression {
        Some(wanted) if wanted.enabled && wanted.format != "gz" => {
            return Err(format!("{place}.decompression.format: {:?} is not supported: want gz", wanted.format));
        }
        Some(wanted) if wanted.enabled => Compressed::Once,
        _ => Compressed::Ignore,
    };
    for (number, rule) in scrape.relabel_configs.iter().enumerate() {
        rule.check(&format!("{place}.relabel_configs[{number}]"))?;
    }
    let mut groups = scrape.static_configs;
    for discovery in &scrape.file_sd_configs {
        discover(discovery, folder, &mut groups, place)?;
    }
    for group in groups {
        let mut labels: Vec<(String, String)> = group.labels.into_iter().collect();
        if !scrape.relabel_configs.iter().all(|rule| rule.run(&mut labels)) {
            continue;
        }
        let take = |name: &str| labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let Some(path) = take("__path__") else { return Err(format!("{place}: a group of targets without the label `__path__`")) };
        let exclude: Vec<String> = take("__path_exclude__").into_iter().collect();
        labels.retain(|(name, _)| !name.starts_with("__"));
        let source = source(&path, &exclude, labels, &scrape.pipeline_stages, place)?;
        loaded.sources.push(Compiled { compressed, ..source });
    }
    Ok(())
}

/// A source of one pattern; its first stages may be about the format of lines, which reading does.
fn source(path: &str, exclude: &[String], labels: Vec<(String, String)>, stages: &[Value], place: &str) -> Result<Compiled, String> {
    let text = |error: signalbox_model::Error| error.to_string();
    let (mut format, mut multiline, mut first) = (LineFormat::Plain, None, 0);
    for (number, value) in stages.iter().enumerate() {
        let place = format!("{place}.pipeline_stages[{number}]");
        let (name, settings) = stage::named(value, &place)?;
        match name {
            "docker" if format == LineFormat::Plain && multiline.is_none() => format = LineFormat::Docker,
            "cri" if format == LineFormat::Plain && multiline.is_none() => format = LineFormat::Cri,
            "multiline" if multiline.is_none() => {
                let settings: MultilineStage = stage::settings(settings, &place, name)?;
                let wait_ms =
                    stage::duration(settings.max_wait_time.as_deref().unwrap_or("3s"), &format!("{place}.multiline.max_wait_time"))?.as_millis() as u64;
                let settings = Multiline { firstline: settings.firstline, lines_max: settings.max_lines.unwrap_or(128), wait_ms };
                multiline = Some(Lines::new(&settings, &format!("{place}.multiline")).map_err(text)?);
            }
            _ => break,
        }
        first = number + 1;
    }
    let compiled = Stages::new(&stages[first..], &format!("{place}.pipeline_stages"), first)?;
    Ok(Compiled {
        patterns: paths::checked(&[path.to_owned()], &format!("{place}: __path__")).map_err(text)?,
        exclude: paths::patterns(exclude, &format!("{place}: __path_exclude__")).map_err(text)?,
        format,
        multiline,
        labels,
        reads_path: false,
        service: String::new(),
        tenant: Tenant::default(),
        start: Start::Beginning,
        compressed: Compressed::Ignore,
        line_bytes_max: LINE_BYTES_MAX,
        work: Work::Stages(compiled),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MultilineStage {
    firstline: String,
    max_lines: Option<usize>,
    max_wait_time: Option<String>,
}

fn discover(discovery: &FileDiscovery, folder: &Path, groups: &mut Vec<Group>, place: &str) -> Result<(), String> {
    for pattern in &discovery.files {
        let pattern = folder.join(pattern).display().to_string();
        let found = glob::glob(&pattern).map_err(|error| format!("{place}.file_sd_configs: cannot read pattern {pattern:?}: {}", error.msg))?;
        for path in found.flatten().take(SD_FILES_MAX) {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{place}.file_sd_configs: cannot read {}: {error}", path.display()))?;
            // JSON is YAML.
            let read: Vec<Group> =
                serde_norway::from_str(&text).map_err(|error| format!("{place}.file_sd_configs: cannot read {}: {error}", path.display()))?;
            groups.extend(read);
        }
    }
    Ok(())
}

//! The configuration: one section a crate, each section the `Settings` of its crate.
//!
//! Nothing else reads files of settings or the environment. Paths in a configuration file are taken from the folder of the
//! file, paths of flags and defaults from the working directory.

mod complaint;
mod variables;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signalbox_lang::promql;
use signalbox_model::{Error, Result};

use crate::cli::Flags;
use crate::serve;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of everything that is kept. One process at a time uses it.
    pub data_dir: PathBuf,
    /// Listening and serving.
    pub http: serve::Settings,
    /// What comes in.
    pub receive: signalbox_receive::Settings,
    /// What is pulled, as Prometheus does.
    pub scrape: signalbox_scrape::Settings,
    /// What is admitted.
    pub ingest: signalbox_ingest::Settings,
    /// What is kept, and how long.
    pub store: signalbox_store::Settings,
    /// What questions may cost.
    pub query: signalbox_query::Settings,
    /// How questions are answered.
    pub api: signalbox_api::Settings,
    /// Rules, alerts and when they are told.
    pub alert: signalbox_alert::Settings,
    /// Who is told, and how.
    pub notify: signalbox_notify::Settings,
    /// What Signalbox says about itself.
    pub telemetry: signalbox_telemetry::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            http: serve::Settings::default(),
            receive: signalbox_receive::Settings::default(),
            scrape: signalbox_scrape::Settings::default(),
            ingest: signalbox_ingest::Settings::default(),
            store: signalbox_store::Settings::default(),
            query: signalbox_query::Settings::default(),
            api: signalbox_api::Settings::default(),
            alert: signalbox_alert::Settings::default(),
            notify: signalbox_notify::Settings::default(),
            telemetry: signalbox_telemetry::Settings::default(),
        }
    }
}

impl Config {
    /// Reads a file. `environment` gives the value of a variable for `${NAME}`.
    ///
    /// # Errors
    /// `Invalid`, with the name of the file, the line where known, and for an unknown key the nearest known one.
    pub fn load(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let place = file.display();
        let text = std::fs::read_to_string(file).map_err(|source| Error::invalid(format!("cannot read configuration {place}")).with_source(source))?;
        let mut config = Self::parse(&text, &environment).map_err(|message| Error::invalid(format!("cannot use configuration {place}: {message}")))?;
        let has_own_data_dir = config.data_dir != Self::default().data_dir;
        let folder = file.parent().unwrap_or(Path::new(""));
        if has_own_data_dir {
            config.data_dir = folder.join(&config.data_dir);
        }
        if let Some(spill_dir) = &mut config.query.spill_dir {
            *spill_dir = folder.join(&*spill_dir);
        }
        if !config.scrape.config_file.as_os_str().is_empty() {
            config.scrape.config_file = folder.join(&config.scrape.config_file);
        }
        let receive = &mut config.receive;
        for tls in [&mut receive.syslog.tls, &mut receive.gelf.tls, &mut receive.forward.tls] {
            tls.resolve(folder);
        }
        if !config.receive.jaeger.sampling_strategies_file.as_os_str().is_empty() {
            config.receive.jaeger.sampling_strategies_file = folder.join(&config.receive.jaeger.sampling_strategies_file);
        }
        if !config.receive.files_promtail_config.as_os_str().is_empty() {
            config.receive.files_promtail_config = folder.join(&config.receive.files_promtail_config);
        }
        for source in &mut config.receive.files {
            for path in source.paths.iter_mut().chain(&mut source.exclude) {
                *path = folder.join(&*path).display().to_string();
            }
        }
        config.notify = config.notify.beside(folder).at_home(environment("HOME"));
        for rule_files in &mut config.alert.rule_files {
            *rule_files = folder.join(&*rule_files).display().to_string();
        }
        Ok(config)
    }

    /// From YAML; paths stay as they are.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut config = Self::read(text, environment)?;
        for (number, rule) in config.store.retention.selectors.iter_mut().enumerate() {
            let parsed = promql::parse_matchers(&rule.selector);
            rule.matchers = parsed.map_err(|error| format!("store.retention.selectors[{number}].selector: {}", error.message()))?;
        }
        for (number, rule) in config.store.rollups.iter_mut().enumerate() {
            let parsed = promql::parse_matchers(&rule.selector);
            rule.matchers = parsed.map_err(|error| format!("store.rollups[{number}].selector: {}", error.message()))?;
        }
        Ok(config)
    }

    /// What works, and may surprise: for people, one a line.
    pub fn warnings(&self) -> Vec<String> {
        let lookback_seconds = self.query.promql_lookback_seconds;
        let is_far = |resolution_seconds: u64| resolution_seconds.saturating_mul(2) > lookback_seconds;
        let far = self.store.rollups.iter().enumerate().filter(|(_, rule)| is_far(rule.resolution_seconds));
        far.map(|(number, rule)| {
            format!(
                "store.rollups[{number}] leaves samples {} seconds apart, query.promql_lookback_seconds is {lookback_seconds}: instant selectors over what is \
                 rolled up have gaps; want at least {} there, or as lookback_delta of such queries",
                rule.resolution_seconds,
                rule.resolution_seconds.saturating_mul(2)
            )
        })
        .collect()
    }

    fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let is_blank = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if is_blank {
            return Ok(Self::default());
        }
        if !variables::are_in(text) {
            return serde_norway::from_str(text).map_err(|error| complaint::about(&error));
        }
        let mut value: serde_norway::Value = serde_norway::from_str(text).map_err(|error| complaint::about(&error))?;
        variables::expand(&mut value, &mut Vec::new(), &environment)?;
        // Written down again, because only reading text tells the path of a mistake; its lines are not those of the file.
        let expanded = serde_norway::to_string(&value).map_err(|error| error.to_string())?;
        serde_norway::from_str(&expanded).map_err(|error| complaint::without_line(&error))
    }

    /// Flags win over the file.
    pub fn apply(&mut self, flags: &Flags) {
        let Flags { data_dir, http_listen, otlp_grpc_listen, otlp_http_listen, prometheus_config, .. } = flags.clone();
        let Flags { syslog_listen, gelf_listen, forward_listen, zipkin_listen, jaeger_listen, .. } = flags.clone();
        let otlp = &mut self.receive.otlp;
        data_dir.into_iter().for_each(|dir| self.data_dir = dir);
        prometheus_config.into_iter().for_each(|file| self.scrape.config_file = file);
        http_listen.into_iter().for_each(|address| self.http.listen = address);
        otlp_grpc_listen.into_iter().for_each(|address| otlp.grpc_listen = address);
        otlp_http_listen.into_iter().for_each(|address| otlp.http_listen = address);
        syslog_listen.into_iter().for_each(|address| self.receive.syslog.listen = address);
        gelf_listen.into_iter().for_each(|address| self.receive.gelf.listen = address);
        forward_listen.into_iter().for_each(|address| self.receive.forward.listen = address);
        zipkin_listen.into_iter().for_each(|address| self.receive.zipkin.listen = address);
        jaeger_listen.into_iter().for_each(|address| self.receive.jaeger.listen_on(&address));
    }
}

/// A variable of the environment; the only place that looks.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

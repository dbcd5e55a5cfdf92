//! Files around a configuration: where relative paths start, and the files with further jobs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use signalbox_model::{Error, Result};

use super::http::{HttpClientConfig, TlsConfig};
use super::scrape::ScrapeConfig;
use super::{Complaint, PrometheusConfig, check, document, from_text};
use crate::discovery::DiscoveryConfigs;

/// Files that all patterns of `scrape_config_files` may find together.
const JOB_FILES_MAX: usize = 10_000;

/// Reads a file within the limit of size.
pub(crate) fn read(file: &Path) -> Result<String> {
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("cannot read {}: {why}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| cannot(&error))?.len();
    if size > document::BYTES_MAX as u64 {
        return Err(cannot(&format!("found {size} bytes: want at most {}", document::BYTES_MAX)));
    }
    std::fs::read_to_string(file).map_err(|error| cannot(&error))
}

/// What a file of `scrape_config_files` holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct JobFile {
    scrape_configs: Vec<ScrapeConfig>,
}

/// Adds the jobs of all files that the patterns find.
pub(super) fn add_jobs(config: &mut PrometheusConfig) -> Result<()> {
    let mut known: BTreeMap<String, String> = config.scrape_configs.iter().map(|job| (job.job_name.clone(), "main config file".to_owned())).collect();
    let mut files_read = 0;
    for pattern in config.scrape_config_files.clone() {
        let found = glob::glob(&pattern).map_err(|error| Error::invalid(format!("error retrieving scrape config files for {pattern:?}: {error}")))?;
        for file in found.flatten().filter(|file| file.is_file()) {
            files_read += 1;
            if files_read > JOB_FILES_MAX {
                return Err(Error::invalid(format!("found more than {JOB_FILES_MAX} scrape config files")));
            }
            let jobs = read_jobs(&file, config)?;
            for job in jobs {
                let place = format!("{:?}", file.display().to_string());
                if let Some(first) = known.insert(job.job_name.clone(), place.clone()) {
                    let name = &job.job_name;
                    return Err(Error::invalid(format!("{place}: found multiple scrape configs with job name {name:?}, first found in {first}")));
                }
                config.scrape_configs.push(job);
            }
        }
    }
    Ok(())
}

fn read_jobs(file: &Path, config: &PrometheusConfig) -> Result<Vec<ScrapeConfig>> {
    let text = read(file)?;
    let named = |complaint: Complaint| Error::invalid(format!("cannot use {}: {complaint}", file.display()));
    let (mut jobs, document) = from_text::<JobFile>(&text).map_err(named)?;
    check::jobs(&mut jobs.scrape_configs, &config.global).map_err(|complaint| named(complaint.located(&document)))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    jobs.scrape_configs.iter_mut().for_each(|job| resolve_job(job, folder));
    Ok(jobs.scrape_configs)
}

/// Takes relative paths from a folder.
pub(super) fn resolve(config: &mut PrometheusConfig, folder: &Path) {
    join(folder, &mut config.global.query_log_file);
    join(folder, &mut config.global.scrape_failure_log_file);
    config.rule_files.iter_mut().chain(&mut config.scrape_config_files).for_each(|path| join(folder, path));
    config.scrape_configs.iter_mut().for_each(|job| resolve_job(job, folder));
    for manager in &mut config.alerting.alertmanagers {
        resolve_discovery(&mut manager.discovery, folder);
        resolve_http(&mut manager.http, folder);
    }
    config.tracing.iter_mut().for_each(|tracing| resolve_tls(&mut tracing.tls_config, folder));
    config.remote_write.iter_mut().for_each(|remote| resolve_http(&mut remote.http, folder));
    config.remote_read.iter_mut().for_each(|remote| resolve_http(&mut remote.http, folder));
}

fn resolve_job(job: &mut ScrapeConfig, folder: &Path) {
    join(folder, &mut job.scrape_failure_log_file);
    resolve_discovery(&mut job.discovery, folder);
    resolve_http(&mut job.http, folder);
}

fn resolve_discovery(configs: &mut DiscoveryConfigs, folder: &Path) {
    configs.files.iter_mut().flat_map(|config| &mut config.files).for_each(|path| join(folder, path));
    configs.https.iter_mut().for_each(|config| resolve_http(&mut config.http, folder));
    for config in &mut configs.kubernetes {
        resolve_http(&mut config.http, folder);
        join(folder, &mut config.kubeconfig_file);
    }
}

fn resolve_http(config: &mut HttpClientConfig, folder: &Path) {
    resolve_tls(&mut config.tls_config, folder);
    join(folder, &mut config.bearer_token_file);
    if let Some(basic) = &mut config.basic_auth {
        join(folder, &mut basic.username_file);
        join(folder, &mut basic.password_file);
    }
    if let Some(authorization) = &mut config.authorization {
        join(folder, &mut authorization.credentials_file);
    }
    if let Some(oauth2) = &mut config.oauth2 {
        join(folder, &mut oauth2.client_secret_file);
        join(folder, &mut oauth2.client_certificate_key_file);
        resolve_tls(&mut oauth2.tls_config, folder);
    }
    config.http_headers.values_mut().flat_map(|header| &mut header.files).for_each(|path| join(folder, path));
}

fn resolve_tls(config: &mut TlsConfig, folder: &Path) {
    for path in [&mut config.ca_file, &mut config.cert_file, &mut config.key_file] {
        join(folder, path);
    }
}

fn join(folder: &Path, path: &mut String) {
    if !path.is_empty() {
        *path = folder.join(&*path).display().to_string();
    }
}

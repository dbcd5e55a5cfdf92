//! What the types cannot say: Prometheus' rules for a configuration, in its order and words, and what options inherit.

use std::collections::BTreeSet;
use std::time::Duration;

use super::complaint::Complaint;
use super::http::{HttpClientConfig, OAuth2, ProxyConfig, TlsConfig};
use super::scrape::{GlobalConfig, ScrapeConfig};
use super::sections::{AlertingConfig, OtlpConfig, QueueConfig, RemoteReadConfig, RemoteWriteConfig, StorageConfig, TracingConfig};
use super::values::{EscapingScheme, NameScheme, ScrapeProtocol};
use super::{JWT_GRANT, PrometheusConfig};
use crate::relabel::RelabelConfig;

type Checked = Result<(), Complaint>;

fn refuse(message: impl Into<String>) -> Checked {
    Err(Complaint::new(message))
}

/// Checks a whole configuration and fills in what its parts inherit.
pub(super) fn whole(config: &mut PrometheusConfig) -> Checked {
    global(&mut config.global).map_err(|complaint| complaint.at("global"))?;
    for (index, pattern) in config.rule_files.iter().enumerate() {
        if !is_rule_path(pattern) {
            return Err(Complaint::new(format!("invalid rule file path {pattern:?}")).within("rule_files", index));
        }
    }
    for (index, pattern) in config.scrape_config_files.iter().enumerate() {
        if !is_rule_path(pattern) {
            return Err(Complaint::new(format!("invalid scrape config file path {pattern:?}")).within("scrape_config_files", index));
        }
    }
    jobs(&mut config.scrape_configs, &config.global)?;
    let names = config.global.metric_name_validation_scheme;
    alerting(&mut config.alerting, names).map_err(|complaint| complaint.at("alerting"))?;
    storage(&config.storage).map_err(|complaint| complaint.at("storage"))?;
    if let Some(section) = &config.tracing {
        tracing(section).map_err(|complaint| complaint.at("tracing"))?;
    }
    remote_writes(&mut config.remote_write, names)?;
    remote_reads(&mut config.remote_read)?;
    otlp(&config.otlp, names).map_err(|complaint| complaint.at("otlp"))
}

/// Checks jobs, each alone and that no two have one name.
pub(super) fn jobs(configs: &mut [ScrapeConfig], global: &GlobalConfig) -> Checked {
    let mut known = BTreeSet::new();
    for (index, config) in configs.iter_mut().enumerate() {
        let within = |complaint: Complaint| complaint.within("scrape_configs", index);
        job(config, global).map_err(within)?;
        if !known.insert(config.job_name.clone()) {
            return Err(within(Complaint::new(format!("found multiple scrape configs with job name {:?}", config.job_name)).at("job_name")));
        }
    }
    Ok(())
}

/// Only the last part of a path may hold a star, and it has no further one before its end.
fn is_rule_path(pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => true,
        Some((_, behind)) => !behind.contains('/'),
    }
}

fn global(config: &mut GlobalConfig) -> Checked {
    let names = config.metric_name_validation_scheme;
    if let Some(name) = config.external_labels.keys().find(|name| !names.accepts_label(name)) {
        return Err(Complaint::new(format!("{name:?} is not a valid label name")).at(name).at("external_labels"));
    }
    if config.scrape_interval.is_zero() {
        config.scrape_interval = GlobalConfig::SCRAPE_INTERVAL;
    }
    if config.scrape_timeout > config.scrape_interval {
        return Err(Complaint::new("global scrape timeout greater than scrape interval").at("scrape_timeout"));
    }
    if config.scrape_timeout.is_zero() {
        config.scrape_timeout = GlobalConfig::SCRAPE_TIMEOUT.min(config.scrape_interval);
    }
    if config.evaluation_interval.is_zero() {
        config.evaluation_interval = GlobalConfig::EVALUATION_INTERVAL;
    }
    match &config.scrape_protocols {
        Some(protocols) => protocols_are_good(protocols).map_err(|complaint| complaint.at("scrape_protocols")),
        None => Ok(()),
    }
}

fn protocols_are_good(protocols: &[ScrapeProtocol]) -> Checked {
    if protocols.is_empty() {
        return refuse("scrape_protocols cannot be empty");
    }
    let has_twice = protocols.iter().enumerate().any(|(index, protocol)| protocols[..index].contains(protocol));
    if has_twice {
        let names: Vec<&str> = protocols.iter().map(|protocol| protocol.name()).collect();
        return refuse(format!("duplicated protocol in scrape_protocols, got [{}]", names.join(" ")));
    }
    Ok(())
}

fn job(config: &mut ScrapeConfig, global: &GlobalConfig) -> Checked {
    super::discover::check(&mut config.discovery, config.relabel_configs.is_empty())?;
    if config.job_name.is_empty() {
        return refuse("job_name is empty");
    }
    http(&mut config.http)?;
    inherit(config, global);
    if config.scrape_timeout > config.scrape_interval {
        let message = format!("scrape timeout greater than scrape interval for scrape config with job name {:?}", config.job_name);
        return Err(Complaint::new(message).at("scrape_timeout"));
    }
    if config.scrape_timeout.is_zero() {
        config.scrape_timeout = global.scrape_timeout.min(config.scrape_interval);
    }
    protocols_are_good(config.protocols()).map_err(|complaint| complaint.at("scrape_protocols"))?;
    names_and_escaping(config, global)?;
    if !matches!(config.scheme.as_str(), "http" | "https") {
        return Err(Complaint::new(format!("found {:?}: want http or https", config.scheme)).at("scheme"));
    }
    let names = config.names();
    relabelling(&mut config.relabel_configs, names, "relabel_configs")?;
    relabelling(&mut config.metric_relabel_configs, names, "metric_relabel_configs")
}

fn inherit(config: &mut ScrapeConfig, global: &GlobalConfig) {
    let inherit_limit = |own: &mut u64, from: u64| {
        if *own == 0 {
            *own = from;
        }
    };
    if config.scrape_interval == Duration::ZERO {
        config.scrape_interval = global.scrape_interval;
    }
    if config.body_size_limit == 0 {
        config.body_size_limit = global.body_size_limit;
    }
    inherit_limit(&mut config.sample_limit, global.sample_limit);
    inherit_limit(&mut config.target_limit, global.target_limit);
    inherit_limit(&mut config.label_limit, global.label_limit);
    inherit_limit(&mut config.label_name_length_limit, global.label_name_length_limit);
    inherit_limit(&mut config.label_value_length_limit, global.label_value_length_limit);
    inherit_limit(&mut config.keep_dropped_targets, global.keep_dropped_targets);
    if config.scrape_failure_log_file.is_empty() {
        config.scrape_failure_log_file.clone_from(&global.scrape_failure_log_file);
    }
    let takes_native = *config.scrape_native_histograms.get_or_insert(global.scrape_native_histograms);
    config.extra_scrape_metrics.get_or_insert(global.extra_scrape_metrics);
    config.convert_classic_histograms_to_nhcb.get_or_insert(global.convert_classic_histograms_to_nhcb);
    config.always_scrape_classic_histograms.get_or_insert(global.always_scrape_classic_histograms);
    config.scrape_protocols.get_or_insert_with(|| match &global.scrape_protocols {
        Some(protocols) => protocols.clone(),
        None if takes_native => ScrapeProtocol::PROTO_FIRST.to_vec(),
        None => ScrapeProtocol::DEFAULT.to_vec(),
    });
}

/// The escaping of a job follows its own names if it says which are valid, else the global escaping.
fn names_and_escaping(config: &mut ScrapeConfig, global: &GlobalConfig) -> Checked {
    let fitting = |names| if names == NameScheme::Legacy { EscapingScheme::Underscores } else { EscapingScheme::AllowUtf8 };
    let escaping = config.metric_name_escaping_scheme.unwrap_or_else(|| match config.metric_name_validation_scheme {
        Some(names) => fitting(names),
        None => global.metric_name_escaping_scheme.unwrap_or_else(|| fitting(global.metric_name_validation_scheme)),
    });
    let names = *config.metric_name_validation_scheme.get_or_insert(global.metric_name_validation_scheme);
    config.metric_name_escaping_scheme = Some(escaping);
    if escaping == EscapingScheme::AllowUtf8 && names == NameScheme::Legacy {
        return Err(Complaint::new("utf8 metric names requested but validation scheme is not set to UTF8").at("metric_name_escaping_scheme"));
    }
    Ok(())
}

fn relabelling(rules: &mut [RelabelConfig], names: NameScheme, key: &str) -> Checked {
    let mut numbered = rules.iter_mut().enumerate();
    numbered.try_for_each(|(index, rule)| rule.check(names).map_err(|problem| Complaint::new(problem).within(key, index)))
}

/// Checks a client of HTTP, and moves the deprecated bearer tokens to `authorization`.
pub(super) fn http(config: &mut HttpClientConfig) -> Checked {
    let has_bearer = !config.bearer_token.is_empty() || !config.bearer_token_file.is_empty();
    if !config.bearer_token.is_empty() && !config.bearer_token_file.is_empty() {
        return refuse("at most one of bearer_token & bearer_token_file must be configured");
    }
    if (config.basic_auth.is_some() || config.oauth2.is_some()) && has_bearer {
        return refuse("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
    }
    if let Some(basic) = &config.basic_auth {
        if several([!basic.username.is_empty(), !basic.username_file.is_empty(), !basic.username_ref.is_empty()]) {
            return refuse("at most one of basic_auth username, username_file & username_ref must be configured");
        }
        if several([!basic.password.is_empty(), !basic.password_file.is_empty(), !basic.password_ref.is_empty()]) {
            return refuse("at most one of basic_auth password, password_file & password_ref must be configured");
        }
    }
    authorization(config, has_bearer)?;
    tls(&config.tls_config).map_err(|complaint| complaint.at("tls_config"))?;
    if let Some(section) = &config.oauth2 {
        if config.basic_auth.is_some() {
            return refuse("at most one of basic_auth, oauth2 & authorization must be configured");
        }
        oauth2(section).map_err(|complaint| complaint.at("oauth2"))?;
    }
    proxy(&config.proxy)?;
    match config.http_headers.keys().find(|name| is_reserved_for_client(name)) {
        Some(name) => Err(Complaint::new(format!("setting header {name:?} is not allowed")).at(name).at("http_headers")),
        None => Ok(()),
    }
}

fn authorization(config: &mut HttpClientConfig, has_bearer: bool) -> Checked {
    let Some(section) = &mut config.authorization else {
        if has_bearer {
            config.authorization = Some(super::http::Authorization {
                kind: "Bearer".to_owned(),
                credentials: std::mem::take(&mut config.bearer_token),
                credentials_file: std::mem::take(&mut config.bearer_token_file),
                credentials_ref: String::new(),
            });
        }
        return Ok(());
    };
    if has_bearer {
        return refuse("authorization is not compatible with bearer_token & bearer_token_file");
    }
    if several([!section.credentials.is_empty(), !section.credentials_file.is_empty(), !section.credentials_ref.is_empty()]) {
        return refuse("at most one of authorization credentials & credentials_file must be configured");
    }
    let kind = section.kind.trim().to_owned();
    section.kind = if kind.is_empty() { "Bearer".to_owned() } else { kind };
    if section.kind.eq_ignore_ascii_case("basic") {
        return refuse("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
    if config.basic_auth.is_some() || config.oauth2.is_some() {
        return refuse("at most one of basic_auth, oauth2 & authorization must be configured");
    }
    Ok(())
}

fn oauth2(config: &OAuth2) -> Checked {
    if config.client_id.is_empty() {
        return refuse("oauth2 client_id must be configured");
    }
    if config.token_url.is_empty() {
        return refuse("oauth2 token_url must be configured");
    }
    if config.grant_type == JWT_GRANT {
        let keys = [!config.client_certificate_key.is_empty(), !config.client_certificate_key_file.is_empty(), !config.client_certificate_key_ref.is_empty()];
        if several(keys) {
            return refuse(format!(
                "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type={JWT_GRANT}"
            ));
        }
        if !matches!(config.signature_algorithm.as_str(), "" | "RS256" | "RS384" | "RS512") {
            return refuse("valid signature algorithms are RS256, RS384 and RS512");
        }
    } else if several([!config.client_secret.is_empty(), !config.client_secret_file.is_empty(), !config.client_secret_ref.is_empty()]) {
        return refuse("at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials");
    }
    tls(&config.tls_config).map_err(|complaint| complaint.at("tls_config"))?;
    proxy(&config.proxy)
}

/// Checks TLS.
pub(super) fn tls(config: &TlsConfig) -> Checked {
    let (cas, certs) = ([&config.ca, &config.ca_file, &config.ca_ref], [&config.cert, &config.cert_file, &config.cert_ref]);
    let keys = [!config.key.is_empty(), !config.key_file.is_empty(), !config.key_ref.is_empty()];
    if several(cas.map(|text| !text.is_empty())) {
        return refuse("at most one of ca, ca_file & ca_ref must be configured");
    }
    let certs = certs.map(|text| !text.is_empty());
    if several(certs) {
        return refuse("at most one of cert, cert_file & cert_ref must be configured");
    }
    if several(keys) {
        return refuse("at most one of key and key_file must be configured");
    }
    match (certs.contains(&true), keys.contains(&true)) {
        (true, false) => refuse("exactly one of key or key_file must be configured when a client certificate is configured"),
        (false, true) => refuse("exactly one of cert or cert_file must be configured when a client key is configured"),
        _ => match (config.min_version, config.max_version) {
            (Some(min), Some(max)) if min > max => {
                refuse("tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified")
            }
            _ => Ok(()),
        },
    }
}

fn proxy(config: &ProxyConfig) -> Checked {
    let has_url = !config.proxy_url.is_empty();
    if !config.proxy_connect_header.is_empty() && !config.proxy_from_environment && !has_url {
        return refuse("if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
    }
    if config.proxy_from_environment && has_url {
        return refuse("if proxy_from_environment is configured, proxy_url must not be configured");
    }
    if config.proxy_from_environment && !config.no_proxy.is_empty() {
        return refuse("if proxy_from_environment is configured, no_proxy must not be configured");
    }
    if !has_url && !config.no_proxy.is_empty() {
        return refuse("if no_proxy is configured, proxy_url must also be configured");
    }
    Ok(())
}

fn several<const N: usize>(are_set: [bool; N]) -> bool {
    are_set.into_iter().filter(|is_set| *is_set).count() > 1
}

/// Headers that a connection, Signalbox or a signature sets.
const RESERVED: [&str; 16] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
];

fn is_reserved(header: &str) -> bool {
    let lower = header.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str()) || lower == "x-amz-content-sha256"
}

fn is_reserved_for_client(header: &str) -> bool {
    is_reserved(header) || header.eq_ignore_ascii_case("x-prometheus-scrape-timeout-seconds")
}

fn remote_headers<'a>(headers: impl Iterator<Item = &'a String>, on_authorization: &str) -> Checked {
    for header in headers {
        if header.eq_ignore_ascii_case("authorization") {
            return Err(Complaint::new(on_authorization).at(header).at("headers"));
        }
        if is_reserved(header) {
            return Err(Complaint::new(format!("{header} is a reserved header. It must not be changed")).at(header).at("headers"));
        }
    }
    Ok(())
}

const USE_PARAMETERS: &str = "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter";

fn alerting(config: &mut AlertingConfig, names: NameScheme) -> Checked {
    relabelling(&mut config.alert_relabel_configs, names, "alert_relabel_configs")?;
    for (index, manager) in config.alertmanagers.iter_mut().enumerate() {
        let within = |complaint: Complaint| complaint.within("alertmanagers", index);
        http(&mut manager.http).map_err(within)?;
        let has_auth = manager.http.basic_auth.is_some() || manager.http.authorization.is_some() || manager.http.oauth2.is_some();
        if has_auth && manager.sigv4.is_some() {
            return Err(within(Complaint::new("at most one of basic_auth, authorization, oauth2, & sigv4 must be configured")));
        }
        super::discover::check(&mut manager.discovery, manager.relabel_configs.is_empty()).map_err(within)?;
        relabelling(&mut manager.alert_relabel_configs, names, "alert_relabel_configs").map_err(within)?;
        relabelling(&mut manager.relabel_configs, names, "relabel_configs").map_err(within)?;
    }
    Ok(())
}

fn storage(config: &StorageConfig) -> Checked {
    let (retention, tsdb) = (&config.tsdb.retention, &config.tsdb);
    let in_retention = |message: String, key: &str| Err(Complaint::new(message).at(key).at("retention").at("tsdb"));
    if retention.size < 0 {
        let message = format!("'storage.tsdb.retention.size' must be greater than or equal to 0, got {}", super::show_bytes(retention.size));
        return in_retention(message, "size");
    }
    if !(0.0..=100.0).contains(&retention.percentage) {
        return in_retention(format!("'storage.tsdb.retention.percentage' must be in the range [0, 100], got {}", retention.percentage), "percentage");
    }
    match tsdb.chunk_encoding.floats.as_str() {
        "" | "xor" | "xor2" => Ok(()),
        other => {
            let message = format!("'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got {other:?}");
            Err(Complaint::new(message).at("floats").at("chunk_encoding").at("tsdb"))
        }
    }
}

fn tracing(config: &TracingConfig) -> Checked {
    remote_headers(config.headers.keys(), "custom authorization header configuration is not yet supported")?;
    tls(&config.tls_config).map_err(|complaint| complaint.at("tls_config"))?;
    if config.endpoint.is_empty() {
        return refuse("tracing endpoint must be set");
    }
    if !matches!(config.compression.as_str(), "" | "gzip") {
        let message = format!("invalid compression type {} provided, valid options: gzip", config.compression);
        return Err(Complaint::new(message).at("compression"));
    }
    Ok(())
}

fn remote_writes(configs: &mut [RemoteWriteConfig], names: NameScheme) -> Checked {
    let mut known = BTreeSet::new();
    for (index, config) in configs.iter_mut().enumerate() {
        let within = |complaint: Complaint| complaint.within("remote_write", index);
        remote_write(config, names).map_err(within)?;
        if !config.name.is_empty() && !known.insert(config.name.clone()) {
            return Err(within(Complaint::new(format!("found multiple remote write configs with job name {:?}", config.name)).at("name")));
        }
    }
    Ok(())
}

fn remote_write(config: &mut RemoteWriteConfig, names: NameScheme) -> Checked {
    if config.url.is_empty() {
        return refuse("url for remote_write is empty");
    }
    remote_headers(config.headers.keys(), USE_PARAMETERS)?;
    if !matches!(config.protobuf_message.as_str(), "prometheus.WriteRequest" | "io.prometheus.write.v2.Request") {
        let message = format!(
            "invalid protobuf_message value: unknown type for remote write protobuf message {}, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
            config.protobuf_message
        );
        return Err(Complaint::new(message).at("protobuf_message"));
    }
    http(&mut config.http)?;
    queue(&config.queue_config).map_err(|complaint| complaint.at("queue_config"))?;
    let auths = [
        config.http.basic_auth.is_some(),
        config.http.authorization.is_some(),
        config.http.oauth2.is_some(),
        config.sigv4.is_some(),
        config.azuread.is_some(),
        config.google_iam.is_some(),
    ];
    if several(auths) {
        return refuse("at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured");
    }
    relabelling(&mut config.write_relabel_configs, names, "write_relabel_configs")
}

fn queue(config: &QueueConfig) -> Checked {
    let positive = [
        ("max_shards", config.max_shards),
        ("min_shards", config.min_shards),
        ("max_samples_per_send", config.max_samples_per_send),
        ("capacity", config.capacity),
    ];
    if let Some((key, _)) = positive.into_iter().find(|(_, number)| *number <= 0) {
        return Err(Complaint::new(format!("remote write queue {key} must be positive")).at(key));
    }
    if config.min_shards > config.max_shards {
        return Err(Complaint::new("remote write queue min_shards must not be greater than max_shards").at("min_shards"));
    }
    if config.max_backoff < config.min_backoff {
        return Err(Complaint::new("remote write queue max_backoff must not be less than min_backoff").at("max_backoff"));
    }
    Ok(())
}

fn remote_reads(configs: &mut [RemoteReadConfig]) -> Checked {
    let mut known = BTreeSet::new();
    for (index, config) in configs.iter_mut().enumerate() {
        let within = |complaint: Complaint| complaint.within("remote_read", index);
        if config.url.is_empty() {
            return Err(within(Complaint::new("url for remote_read is empty")));
        }
        remote_headers(config.headers.keys(), USE_PARAMETERS).map_err(within)?;
        http(&mut config.http).map_err(within)?;
        if !config.name.is_empty() && !known.insert(config.name.clone()) {
            return Err(within(Complaint::new(format!("found multiple remote read configs with job name {:?}", config.name)).at("name")));
        }
    }
    Ok(())
}

fn otlp(config: &OtlpConfig, names: NameScheme) -> Checked {
    if config.promote_all_resource_attributes {
        if !config.promote_resource_attributes.is_empty() {
            return refuse("'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
        }
        attributes(&config.ignore_resource_attributes, "ignored", "ignore_resource_attributes")?;
    } else {
        if !config.ignore_resource_attributes.is_empty() {
            return refuse("'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
        }
        attributes(&config.promote_resource_attributes, "promoted", "promote_resource_attributes")?;
    }
    let strategy = config.translation_strategy.as_str();
    let complain = |message: String| Err(Complaint::new(message).at("translation_strategy"));
    match strategy {
        "" | "UnderscoreEscapingWithSuffixes" | "UnderscoreEscapingWithoutSuffixes" => Ok(()),
        "NoTranslation" | "NoUTF8EscapingWithSuffixes" if names == NameScheme::Legacy => {
            complain(format!("OTLP translation strategy {strategy:?} is not allowed when UTF8 is disabled"))
        }
        "NoTranslation" | "NoUTF8EscapingWithSuffixes" => Ok(()),
        _ => complain(format!("unsupported OTLP translation strategy {strategy:?}")),
    }
}

fn attributes(list: &[String], adjective: &str, key: &str) -> Checked {
    let mut known = BTreeSet::new();
    for (index, attribute) in list.iter().enumerate() {
        let trimmed = attribute.trim();
        let complain = |message: String| Err(Complaint::new(format!("invalid '{key}': {message}")).within(key, index));
        if trimmed.is_empty() {
            return complain(format!("empty {adjective} OTel resource attribute"));
        }
        if !known.insert(trimmed) {
            return complain(format!("duplicated {adjective} OTel resource attribute {trimmed:?}"));
        }
    }
    Ok(())
}

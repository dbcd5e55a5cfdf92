//! Prometheus' rules for the options of discovery, in its order and words.

use std::collections::BTreeSet;

use super::check;
use super::complaint::Complaint;
use super::http::HttpClientConfig;
use crate::discovery::{DiscoveryConfigs, DnsConfig, DnsRecord, FileConfig, HttpConfig, KubernetesConfig, Role};

type Checked = Result<(), Complaint>;

/// Checks all ways of finding of one job. Without relabelling, addresses are used as they are and must be hosts.
pub(super) fn check(configs: &mut DiscoveryConfigs, are_addresses_final: bool) -> Checked {
    for (index, group) in configs.statics.iter().enumerate() {
        let bad = group.targets.iter().enumerate().find(|(_, target)| are_addresses_final && target.contains('/'));
        if let Some((position, target)) = bad {
            let complaint = Complaint::new(format!("{target:?} is not a valid hostname")).within("targets", position);
            return Err(complaint.within("static_configs", index));
        }
    }
    for (index, config) in configs.files.iter().enumerate() {
        file(config).map_err(|complaint| complaint.within("file_sd_configs", index))?;
    }
    for (index, config) in configs.https.iter_mut().enumerate() {
        http(config).map_err(|complaint| complaint.within("http_sd_configs", index))?;
    }
    for (index, config) in configs.dns.iter().enumerate() {
        dns(config).map_err(|complaint| complaint.within("dns_sd_configs", index))?;
    }
    for (index, config) in configs.kubernetes.iter_mut().enumerate() {
        kubernetes(config).map_err(|complaint| complaint.within("kubernetes_sd_configs", index))?;
    }
    Ok(())
}

fn refuse(message: impl Into<String>) -> Checked {
    Err(Complaint::new(message))
}

fn file(config: &FileConfig) -> Checked {
    if config.files.is_empty() {
        return refuse("file service discovery config must contain at least one path name");
    }
    match config.files.iter().enumerate().find(|(_, name)| !is_file_pattern(name)) {
        Some((index, name)) => Err(Complaint::new(format!("path name {name:?} is not valid for file discovery")).within("files", index)),
        None => Ok(()),
    }
}

/// One star, in the last part, and an ending that says how the file is written.
fn is_file_pattern(name: &str) -> bool {
    let endings = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let Some(stem) = endings.iter().find_map(|ending| name.strip_suffix(ending)) else { return false };
    stem.split_once('*').is_none_or(|(_, behind)| !behind.contains('/'))
}

fn http(config: &mut HttpConfig) -> Checked {
    if config.url.is_empty() {
        return refuse("URL is missing");
    }
    let complain = |message: &str| Err(Complaint::new(message).at("url"));
    let Some(rest) = config.url.strip_prefix("http://").or_else(|| config.url.strip_prefix("https://")) else {
        return complain("URL scheme must be 'http' or 'https'");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return complain("host is missing in URL");
    }
    if reqwest::Url::parse(&config.url).is_err() {
        return complain("URL is not valid");
    }
    check::http(&mut config.http)
}

fn dns(config: &DnsConfig) -> Checked {
    if config.names.is_empty() {
        return refuse("DNS-SD config must contain at least one SRV record name");
    }
    if config.record != DnsRecord::Srv && config.port == 0 {
        return refuse("a port is required in DNS-SD configs for all record types except SRV");
    }
    Ok(())
}

fn kubernetes(config: &mut KubernetesConfig) -> Checked {
    let Some(role) = config.role else {
        return refuse("role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
    };
    let has_http = config.http != HttpClientConfig::default();
    check::http(&mut config.http)?;
    let (has_server, has_file) = (!config.api_server.is_empty(), !config.kubeconfig_file.is_empty());
    if has_server && has_file {
        return refuse("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    }
    if has_file && has_http {
        return refuse("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
    }
    if !has_server && has_http {
        return refuse("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
    }
    if has_server && config.namespaces.own_namespace {
        return refuse("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    }
    if has_file && config.namespaces.own_namespace {
        return refuse("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
    }
    let allowed = selectors_of(role);
    let mut known = BTreeSet::new();
    for (index, selector) in config.selectors.iter().enumerate() {
        let complain = |message: String| Err(Complaint::new(message).within("selectors", index));
        if !known.insert(selector.role) {
            return complain(format!("duplicated selector role: {}", selector.role.map_or("", Role::name)));
        }
        if !selector.role.is_some_and(|role| allowed.contains(&role)) {
            let names: Vec<&str> = allowed.iter().map(|role| role.name()).collect();
            return complain(format!("{} role supports only {} selectors", role.name(), names.join(", ")));
        }
        if let Some(problem) = field_selector_problem(&selector.field).or_else(|| label_selector_problem(&selector.label)) {
            return complain(problem);
        }
    }
    Ok(())
}

/// The kinds of objects that a role asks for.
fn selectors_of(role: Role) -> &'static [Role] {
    match role {
        Role::Pod => &[Role::Pod, Role::Node],
        Role::Service => &[Role::Service],
        Role::EndpointSlice => &[Role::Pod, Role::Service, Role::EndpointSlice],
        Role::Endpoints => &[Role::Pod, Role::Service, Role::Endpoints],
        Role::Node => &[Role::Node],
        Role::Ingress => &[Role::Ingress],
    }
}

/// A selector of fields is `path=value`, `path==value` or `path!=value`, with commas between several.
fn field_selector_problem(selector: &str) -> Option<String> {
    let terms = selector.split(',').filter(|term| !term.is_empty());
    let bad = terms.into_iter().find(|term| !term.contains('='))?;
    Some(format!("invalid selector: {bad:?}; can't understand {bad:?}"))
}

/// A selector of labels is a list of `key`, `!key`, `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`. The API server
/// reads it whole; here only brackets that do not fit are found.
fn label_selector_problem(selector: &str) -> Option<String> {
    let mut depth = 0i32;
    for character in selector.chars() {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if !(0..=1).contains(&depth) {
            break;
        }
    }
    (depth != 0).then(|| format!("unable to parse requirement: found {selector:?}"))
}

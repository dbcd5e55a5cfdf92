//! What strangers say about targets, read without asking them: files, HTTP servers, name servers, API servers.
//!
//! These are the doors that the fuzzers knock at. Discovery itself reads by the same functions.

use serde_json::value::RawValue;
use signalbox_model::Labels;

use super::{AttachMetadata, DnsConfig, DnsRecord, Role, TargetGroup, dns, file, kubernetes};

/// The groups in a file, YAML.
///
/// # Errors
/// What is wrong, with the line.
pub fn yaml(text: &str) -> Result<Vec<TargetGroup>, String> {
    file::parse_yaml(text).map(|groups| file::with_source(&groups, "", "__meta_filepath"))
}

/// The groups in a file or an answer, JSON.
///
/// # Errors
/// What is wrong, with line and column.
pub fn json(bytes: &[u8]) -> Result<Vec<TargetGroup>, String> {
    file::parse_json(bytes).map(|groups| file::with_source(&groups, "", "__meta_url"))
}

/// The targets in an answer of a name server to the question with this number.
///
/// # Errors
/// What is wrong.
pub fn dns(bytes: &[u8], id: u16, record: DnsRecord) -> Result<Vec<Labels>, String> {
    let config = DnsConfig { record, port: 80, ..DnsConfig::default() };
    dns::Finder::new(&config).read("name", bytes, id)
}

/// The groups that come of objects of a cluster: a JSON list of them for a role.
///
/// # Errors
/// What is wrong.
pub fn kubernetes(role: Role, attach: AttachMetadata, list: &str) -> Result<Vec<TargetGroup>, String> {
    let objects: Vec<&RawValue> = serde_json::from_str(list).map_err(|error| error.to_string())?;
    kubernetes::groups_of(role, attach, objects.into_iter().map(RawValue::get)).map_err(|error| error.to_string())
}

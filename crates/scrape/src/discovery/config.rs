//! The options of discovery: `static_configs` and the `*_sd_configs`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::HttpClientConfig;
use crate::config::values::duration;

/// The ways of finding that Prometheus knows and Signalbox does not. They are read as far as to be refused by name.
const UNSUPPORTED: [&str; 32] = [
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "docker",
    "dockerswarm",
    "ec2",
    "ecs",
    "elasticache",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

/// The keys of the ways of finding that are supported.
const KEYS: [&str; 5] = ["static_configs", "file_sd_configs", "http_sd_configs", "dns_sd_configs", "kubernetes_sd_configs"];

/// All ways of finding of one job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DiscoveryConfigs {
    /// `static_configs`: the targets stand in the configuration.
    pub statics: Vec<StaticGroup>,
    /// `file_sd_configs`.
    pub files: Vec<FileConfig>,
    /// `http_sd_configs`.
    pub https: Vec<HttpConfig>,
    /// `dns_sd_configs`.
    pub dns: Vec<DnsConfig>,
    /// `kubernetes_sd_configs`.
    pub kubernetes: Vec<KubernetesConfig>,
    /// What Prometheus knows and Signalbox does not.
    pub unsupported: Vec<Unsupported>,
}

/// A way of finding that is not supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The key, for example `ec2_sd_configs`.
    pub key: String,
    /// How many there are.
    pub count: usize,
}

/// Targets that stand in a configuration or a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaticGroup {
    /// Addresses, each host and port.
    pub targets: Vec<String>,
    /// Labels of all of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Groups in files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileConfig {
    /// Paths; the last part may hold stars. They end in `.json`, `.yml` or `.yaml`.
    pub files: Vec<String>,
    /// How often all are read even if nothing seems to have changed.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval: Duration::from_secs(300) }
    }
}

/// Groups from an HTTP server.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where a JSON list of groups is.
    pub url: String,
    /// How often it is fetched.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// How it is asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { url: String::new(), refresh_interval: Duration::from_secs(60), http: HttpClientConfig::default() }
    }
}

/// Targets from records of the DNS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsConfig {
    /// Names to look up.
    pub names: Vec<String>,
    /// How often they are looked up.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// Which records.
    #[serde(rename = "type")]
    pub record: DnsRecord,
    /// The port of targets; SRV records bring their own.
    pub port: u16,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self { names: Vec::new(), refresh_interval: Duration::from_secs(30), record: DnsRecord::Srv, port: 0 }
    }
}

/// A type of records of the DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecord {
    /// Hosts with ports.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
}

impl<'de> Deserialize<'de> for DnsRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.to_uppercase().as_str() {
            "SRV" => Ok(Self::Srv),
            "A" => Ok(Self::A),
            "AAAA" => Ok(Self::Aaaa),
            "MX" => Ok(Self::Mx),
            "NS" => Ok(Self::Ns),
            _ => Err(de::Error::custom(format!("invalid DNS-SD records type {name}"))),
        }
    }
}

/// Targets from objects of a Kubernetes cluster.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesConfig {
    /// Address of the API server; without it and without `kubeconfig_file` we run in the cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_server: String,
    /// Which objects become targets. `None` never passes the check.
    pub role: Option<Role>,
    /// File with address and credentials.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kubeconfig_file: String,
    /// Where objects are looked for; everywhere if nothing is said.
    pub namespaces: Namespaces,
    /// Which objects are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<Selector>,
    /// What of other objects becomes labels.
    pub attach_metadata: AttachMetadata,
    /// How the API server is asked.
    #[serde(rename = "$http")]
    pub http: HttpClientConfig,
}

/// Objects that become targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [Self::Node, Self::Pod, Self::Service, Self::Endpoints, Self::EndpointSlice, Self::Ingress];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Ingress => "ingress",
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|role| role.name() == name);
        known.ok_or_else(|| de::Error::custom(format!("unknown Kubernetes SD role {name:?}")))
    }
}

/// Namespaces of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Namespaces {
    /// The one we run in.
    pub own_namespace: bool,
    /// These.
    pub names: Vec<String>,
}

/// Which objects of a role are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// The kind of objects. `None` never passes the check.
    pub role: Option<Role>,
    /// Selector of labels.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Selector of fields.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// What of other objects becomes labels of targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttachMetadata {
    /// Labels and annotations of the node; for pod, endpoints, endpointslice.
    pub node: bool,
    /// Labels and annotations of the namespace.
    pub namespace: bool,
    /// The name of the deployment of a pod.
    pub deployment: bool,
    /// The name of the job of a pod.
    pub job: bool,
    /// The name of the cron job of a pod.
    pub cronjob: bool,
}

impl<'de> Deserialize<'de> for DiscoveryConfigs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = DiscoveryConfigs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ways of finding targets")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DiscoveryConfigs, A::Error> {
                let mut found = DiscoveryConfigs::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "static_configs" => found.statics = map.next_value()?,
                        "file_sd_configs" => found.files = map.next_value()?,
                        "http_sd_configs" => found.https = map.next_value()?,
                        "dns_sd_configs" => found.dns = map.next_value()?,
                        "kubernetes_sd_configs" => found.kubernetes = map.next_value()?,
                        _ if key.strip_suffix("_sd_configs").is_some_and(|name| UNSUPPORTED.contains(&name)) => {
                            let count = map.next_value::<Vec<IgnoredAny>>()?.len();
                            found.unsupported.extend((count > 0).then_some(Unsupported { key, count }));
                        }
                        _ => return Err(de::Error::unknown_field(&key, &KEYS)),
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Serialize for DiscoveryConfigs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn entry<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, list: &[T]) -> Result<(), M::Error> {
            if list.is_empty() { Ok(()) } else { map.serialize_entry(key, list) }
        }
        let mut map = serializer.serialize_map(None)?;
        entry(&mut map, "static_configs", &self.statics)?;
        entry(&mut map, "file_sd_configs", &self.files)?;
        entry(&mut map, "http_sd_configs", &self.https)?;
        entry(&mut map, "dns_sd_configs", &self.dns)?;
        entry(&mut map, "kubernetes_sd_configs", &self.kubernetes)?;
        for unsupported in &self.unsupported {
            map.serialize_entry(&unsupported.key, &vec![BTreeMap::<String, String>::new(); unsupported.count])?;
        }
        map.end()
    }
}

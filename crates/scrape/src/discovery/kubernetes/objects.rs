//! Objects of a cluster, as far as targets come of them, from the JSON of the API server.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

/// Text by text.
pub(super) type Texts = BTreeMap<String, String>;

/// The API server writes `null` for empty lists and maps.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

macro_rules! objects {
    ($($(#[doc = $doc:literal])* $name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "or_default")] pub(super) $field: $kind,)*
        }
    )*};
}

objects! {
    /// What every object has.
    Meta { name: String, namespace: String, uid: String, labels: Texts, annotations: Texts, owner_references: Vec<Owner>, }
    /// Who made an object.
    Owner { kind: String, name: String, controller: bool, }
    /// An object of which only the name and the owner matter.
    Bare { metadata: Meta, }

    Pod { metadata: Meta, spec: PodSpec, status: PodStatus, }
    PodSpec { node_name: String, containers: Vec<Container>, init_containers: Vec<Container>, }
    Container { name: String, image: String, ports: Vec<ContainerPort>, }
    ContainerPort { name: String, container_port: u32, protocol: String, }
    /// State of a pod.
    PodStatus {
        pod_i_p: String,
        host_i_p: String,
        phase: String,
        conditions: Vec<Condition>,
        container_statuses: Vec<ContainerStatus>,
        init_container_statuses: Vec<ContainerStatus>,
    }
    ContainerStatus { name: String, container_i_d: String, }

    Node { metadata: Meta, spec: NodeSpec, status: NodeStatus, }
    NodeSpec { provider_i_d: String, }
    NodeStatus { conditions: Vec<Condition>, addresses: Vec<NodeAddress>, daemon_endpoints: DaemonEndpoints, }
    NodeAddress { r#type: String, address: String, }
    DaemonEndpoints { kubelet_endpoint: KubeletEndpoint, }
    Condition { r#type: String, status: String, }

    Service { metadata: Meta, spec: ServiceSpec, status: ServiceStatus, }
    /// What a service offers.
    ServiceSpec {
        r#type: String,
        cluster_i_p: String,
        external_name: String,
        load_balancer_i_p: String,
        ports: Vec<ServicePort>,
        ip_family_policy: String,
        ip_families: Vec<String>,
    }
    ServicePort { name: String, port: u32, protocol: String, }
    ServiceStatus { load_balancer: LoadBalancer, }
    LoadBalancer { ingress: Vec<LoadBalancerIngress>, }
    LoadBalancerIngress { ip: String, }

    Endpoints { metadata: Meta, subsets: Vec<Subset>, }
    Subset { addresses: Vec<EndpointAddress>, not_ready_addresses: Vec<EndpointAddress>, ports: Vec<EndpointPort>, }
    EndpointAddress { ip: String, hostname: String, node_name: Option<String>, target_ref: Option<TargetRef>, }
    EndpointPort { name: String, port: u32, protocol: String, }
    TargetRef { kind: String, name: String, namespace: String, }

    EndpointSlice { metadata: Meta, address_type: String, endpoints: Vec<SliceEndpoint>, ports: Vec<SlicePort>, }
    /// One backend of a slice.
    SliceEndpoint {
        addresses: Vec<String>,
        conditions: SliceConditions,
        hostname: Option<String>,
        node_name: Option<String>,
        zone: Option<String>,
        target_ref: Option<TargetRef>,
        deprecated_topology: Texts,
    }
    SliceConditions { ready: Option<bool>, serving: Option<bool>, terminating: Option<bool>, }
    SlicePort { name: Option<String>, port: Option<u32>, protocol: Option<String>, app_protocol: Option<String>, }

    Ingress { metadata: Meta, spec: IngressSpec, }
    IngressSpec { ingress_class_name: Option<String>, rules: Vec<IngressRule>, tls: Vec<IngressTls>, }
    IngressRule { host: String, http: Option<IngressHttp>, }
    IngressHttp { paths: Vec<IngressPath>, }
    IngressPath { path: String, }
    IngressTls { hosts: Vec<String>, }
}

/// Where the kubelet of a node listens; the API server writes `Port`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct KubeletEndpoint {
    #[serde(rename = "Port")]
    pub(super) port: u32,
}

impl Meta {
    /// What an object is known by among its kind.
    pub(super) fn key(&self) -> String {
        key(&self.namespace, &self.name)
    }

    /// The owner that controls the object.
    pub(super) fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// `namespace/name`, or the name of what is in no namespace.
pub(super) fn key(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Pod,
    Node,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
    Namespace,
    ReplicaSet,
    Job,
}

impl Kind {
    /// The group of the API, and the name of the kind in paths.
    fn path_parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("api/v1", "pods"),
            Self::Node => ("api/v1", "nodes"),
            Self::Service => ("api/v1", "services"),
            Self::Endpoints => ("api/v1", "endpoints"),
            Self::Namespace => ("api/v1", "namespaces"),
            Self::EndpointSlice => ("apis/discovery.k8s.io/v1", "endpointslices"),
            Self::Ingress => ("apis/networking.k8s.io/v1", "ingresses"),
            Self::ReplicaSet => ("apis/apps/v1", "replicasets"),
            Self::Job => ("apis/batch/v1", "jobs"),
        }
    }

    /// The path of all objects of the kind in a namespace; the empty one stands for all.
    pub(super) fn path(self, namespace: &str) -> String {
        let (group, name) = self.path_parts();
        if namespace.is_empty() { format!("{group}/{name}") } else { format!("{group}/namespaces/{namespace}/{name}") }
    }

    /// Whether objects of the kind are in namespaces.
    pub(super) fn is_namespaced(self) -> bool {
        !matches!(self, Self::Node | Self::Namespace)
    }

    /// The name of the kind for people.
    pub(super) fn name(self) -> &'static str {
        self.path_parts().1
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    Pod(Arc<Pod>),
    Node(Arc<Node>),
    Service(Arc<Service>),
    Endpoints(Arc<Endpoints>),
    EndpointSlice(Arc<EndpointSlice>),
    Ingress(Arc<Ingress>),
    Bare(Arc<Bare>),
}

impl Object {
    /// Reads an object of a kind.
    pub(super) fn read(kind: Kind, json: &str) -> Result<Self, serde_json::Error> {
        fn arc<'a, T: Deserialize<'a>>(json: &'a str) -> Result<Arc<T>, serde_json::Error> {
            serde_json::from_str(json).map(Arc::new)
        }
        Ok(match kind {
            Kind::Pod => Self::Pod(arc(json)?),
            Kind::Node => Self::Node(arc(json)?),
            Kind::Service => Self::Service(arc(json)?),
            Kind::Endpoints => Self::Endpoints(arc(json)?),
            Kind::EndpointSlice => Self::EndpointSlice(arc(json)?),
            Kind::Ingress => Self::Ingress(arc(json)?),
            Kind::Namespace | Kind::ReplicaSet | Kind::Job => Self::Bare(arc(json)?),
        })
    }

    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::Pod(object) => &object.metadata,
            Self::Node(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::Endpoints(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::Ingress(object) => &object.metadata,
            Self::Bare(object) => &object.metadata,
        }
    }
}

/// All objects that are watched, by kind and key.
#[derive(Debug, Default)]
pub(super) struct Objects(BTreeMap<(Kind, String), Object>);

impl Objects {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, kind: Kind, object: Object) -> Option<Object> {
        self.0.insert((kind, object.meta().key()), object)
    }

    pub(super) fn remove(&mut self, kind: Kind, key: &str) -> Option<Object> {
        self.0.remove(&(kind, key.to_owned()))
    }

    /// Objects of a kind in order of key.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Object)> {
        self.0.range((kind, String::new())..).take_while(move |((known, _), _)| *known == kind).map(|((_, key), object)| (key.as_str(), object))
    }

    pub(super) fn get(&self, kind: Kind, key: &str) -> Option<&Object> {
        self.0.get(&(kind, key.to_owned()))
    }

    pub(super) fn pod(&self, key: &str) -> Option<&Arc<Pod>> {
        match self.get(Kind::Pod, key) {
            Some(Object::Pod(pod)) => Some(pod),
            _ => None,
        }
    }

    pub(super) fn service(&self, key: &str) -> Option<&Arc<Service>> {
        match self.get(Kind::Service, key) {
            Some(Object::Service(service)) => Some(service),
            _ => None,
        }
    }

    pub(super) fn meta(&self, kind: Kind, key: &str) -> Option<&Meta> {
        self.get(kind, key).map(Object::meta)
    }
}

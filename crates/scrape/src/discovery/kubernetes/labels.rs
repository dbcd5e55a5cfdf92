//! From objects to groups of targets with the labels that Prometheus documents for each role.

use std::collections::BTreeMap;

use signalbox_model::Labels;

use super::super::{ADDRESS, AttachMetadata, Role, TargetGroup};
use super::objects::{Container, Ingress, Kind, Meta, Node, Object, Objects, Pod, Service, Texts};

const PREFIX: &str = "__meta_kubernetes_";

/// Labels in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Set(BTreeMap<String, String>);

impl Set {
    /// Sets a label of the cluster.
    pub(super) fn meta(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(format!("{PREFIX}{name}"), value.into());
    }

    pub(super) fn meta_if(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.meta(name, value);
        }
    }

    pub(super) fn address(address: String) -> Self {
        Self(BTreeMap::from([(ADDRESS.to_owned(), address)]))
    }

    /// Labels and annotations of an object.
    pub(super) fn texts(&mut self, resource: &str, meta: &Meta) {
        let mut each = |kind: &str, texts: &Texts| {
            for (name, value) in texts {
                let name = sanitized(name);
                self.meta(&format!("{resource}_{kind}_{name}"), value);
                self.meta(&format!("{resource}_{kind}present_{name}"), "true");
            }
        };
        each("label", &meta.labels);
        each("annotation", &meta.annotations);
    }

    /// Name, labels and annotations of an object.
    pub(super) fn object(&mut self, resource: &str, meta: &Meta) {
        self.meta(&format!("{resource}_name"), &meta.name);
        self.texts(resource, meta);
    }

    pub(super) fn build(self) -> Labels {
        Labels::from_pairs(self.0)
    }
}

/// A name that a label may have.
fn sanitized(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

pub(super) fn host_port(host: &str, port: u32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Makes groups of objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) objects: &'a Objects,
    pub(super) attach: AttachMetadata,
}

/// The source of the group of an object.
pub(super) fn source(role: Role, key: &str) -> String {
    let kind = if role == Role::Service { "svc" } else { role.name() };
    format!("{kind}/{key}")
}

impl Builder<'_> {
    /// The group of an object; without targets if none come of it.
    pub(super) fn group(&self, role: Role, key: &str, object: &Object) -> TargetGroup {
        let (labels, targets) = match object {
            Object::Pod(pod) => self.pod(pod),
            Object::Node(node) => Self::node(node),
            Object::Service(service) => self.service(service),
            Object::Endpoints(endpoints) => self.endpoints(endpoints),
            Object::EndpointSlice(slice) => self.endpoint_slice(slice),
            Object::Ingress(ingress) => self.ingress(ingress),
            Object::Bare(_) => Default::default(),
        };
        TargetGroup { source: source(role, key), targets: targets.into_iter().map(Set::build).collect(), labels: labels.build() }
    }

    pub(super) fn attach_namespace(&self, set: &mut Set, namespace: &str) {
        if self.attach.namespace
            && let Some(meta) = self.objects.meta(Kind::Namespace, namespace)
        {
            set.texts("namespace", meta);
        }
    }

    pub(super) fn attach_node(&self, set: &mut Set, node: Option<&String>) {
        if self.attach.node
            && let Some(meta) = node.and_then(|node| self.objects.meta(Kind::Node, node))
        {
            set.object("node", meta);
        }
    }

    fn node(node: &Node) -> (Set, Vec<Set>) {
        let mut labels = Set::default();
        labels.meta("node_provider_id", &node.spec.provider_i_d);
        for condition in &node.status.conditions {
            labels.meta(&format!("node_condition_{}", sanitized(&condition.r#type.to_lowercase())), condition.status.to_lowercase());
        }
        labels.object("node", &node.metadata);
        let addresses = &node.status.addresses;
        let first_of = |kind: &str| addresses.iter().find(|address| address.r#type == kind);
        let best = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"].into_iter().find_map(first_of);
        let Some(best) = best else { return (labels, Vec::new()) };
        let mut target = Set::address(host_port(&best.address, node.status.daemon_endpoints.kubelet_endpoint.port));
        target.0.insert("instance".to_owned(), node.metadata.name.clone());
        // Of several addresses of one type the first counts.
        for address in addresses.iter().rev() {
            target.meta(&sanitized(&format!("node_address_{}", address.r#type)), &address.address);
        }
        (labels, vec![target])
    }

    fn service(&self, service: &Service) -> (Set, Vec<Set>) {
        let (meta, spec) = (&service.metadata, &service.spec);
        let mut labels = Set::default();
        service_labels(&mut labels, meta);
        self.attach_namespace(&mut labels, &meta.namespace);
        let target = |port: &super::objects::ServicePort| {
            let mut target = Set::address(host_port(&format!("{}.{}.svc", meta.name, meta.namespace), port.port));
            target.meta("service_port_name", &port.name);
            target.meta("service_port_number", port.port.to_string());
            target.meta("service_port_protocol", &port.protocol);
            target.meta("service_type", &spec.r#type);
            if spec.r#type == "ExternalName" {
                target.meta("service_external_name", &spec.external_name);
            } else {
                target.meta("service_cluster_ip", &spec.cluster_i_p);
            }
            if spec.r#type == "LoadBalancer" {
                let ips: Vec<&str> = service.status.load_balancer.ingress.iter().map(|one| one.ip.as_str()).filter(|ip| !ip.is_empty()).collect();
                target.meta("service_loadbalancer_ip", if ips.is_empty() { spec.load_balancer_i_p.clone() } else { ips.join(",") });
            }
            target
        };
        (labels, spec.ports.iter().map(target).collect())
    }

    fn ingress(&self, ingress: &Ingress) -> (Set, Vec<Set>) {
        let (meta, spec) = (&ingress.metadata, &ingress.spec);
        let mut labels = Set::default();
        labels.meta("namespace", &meta.namespace);
        labels.meta_if("ingress_class_name", spec.ingress_class_name.as_ref());
        labels.object("ingress", meta);
        self.attach_namespace(&mut labels, &meta.namespace);
        let mut targets = Vec::new();
        for rule in &spec.rules {
            let has_tls = spec.tls.iter().flat_map(|tls| &tls.hosts).any(|pattern| matches_host(pattern, &rule.host));
            let paths: Vec<&str> = match &rule.http {
                Some(http) => http.paths.iter().map(|path| path.path.as_str()).collect(),
                None => vec!["/"],
            };
            for path in paths {
                let mut target = Set::address(rule.host.clone());
                target.meta("ingress_scheme", if has_tls { "https" } else { "http" });
                target.meta("ingress_host", &rule.host);
                target.meta("ingress_path", if path.is_empty() { "/" } else { path });
                targets.push(target);
            }
        }
        (labels, targets)
    }

    fn pod(&self, pod: &Pod) -> (Set, Vec<Set>) {
        // A pod that starts or was evicted has no address; one on a node that was not asked for is left out.
        let is_on_known_node = !self.attach.node || self.objects.get(Kind::Node, &pod.spec.node_name).is_some();
        if pod.status.pod_i_p.is_empty() || !is_on_known_node {
            return Default::default();
        }
        let mut labels = Set::default();
        self.pod_labels(&mut labels, pod);
        labels.meta("namespace", &pod.metadata.namespace);
        self.attach_node(&mut labels, Some(&pod.spec.node_name));
        self.attach_namespace(&mut labels, &pod.metadata.namespace);
        let mut targets = Vec::new();
        for (container, is_init) in containers(pod) {
            let statuses = if is_init { &pod.status.init_container_statuses } else { &pod.status.container_statuses };
            let id = statuses.iter().find(|status| status.name == container.name).map(|status| status.container_i_d.clone()).unwrap_or_default();
            let with_container = |mut target: Set| {
                target.meta("pod_container_name", &container.name);
                target.meta("pod_container_id", &id);
                target.meta("pod_container_image", &container.image);
                target.meta("pod_container_init", is_init.to_string());
                target
            };
            if container.ports.is_empty() {
                targets.push(with_container(Set::address(pod.status.pod_i_p.clone())));
            }
            for port in &container.ports {
                let mut target = with_container(Set::address(host_port(&pod.status.pod_i_p, port.container_port)));
                target.meta("pod_container_port_number", port.container_port.to_string());
                target.meta("pod_container_port_name", &port.name);
                target.meta("pod_container_port_protocol", &port.protocol);
                targets.push(target);
            }
        }
        (labels, targets)
    }

    /// The labels of a pod itself.
    pub(super) fn pod_labels(&self, set: &mut Set, pod: &Pod) {
        let (meta, status) = (&pod.metadata, &pod.status);
        let ready =
            status.conditions.iter().find(|condition| condition.r#type == "Ready").map_or("unknown".to_owned(), |condition| condition.status.to_lowercase());
        set.meta("pod_ip", &status.pod_i_p);
        set.meta("pod_ready", ready);
        set.meta("pod_phase", &status.phase);
        set.meta("pod_node_name", &pod.spec.node_name);
        set.meta("pod_host_ip", &status.host_i_p);
        set.meta("pod_uid", &meta.uid);
        set.object("pod", meta);
        let Some(controller) = meta.controller() else { return };
        set.meta("pod_controller_kind", &controller.kind);
        set.meta("pod_controller_name", &controller.name);
        let owner_of = |kind: Kind, wanted: &str| {
            let owned = self.objects.meta(kind, &super::objects::key(&meta.namespace, &controller.name));
            owned.and_then(Meta::controller).filter(|owner| owner.kind == wanted).map(|owner| &owner.name)
        };
        match controller.kind.as_str() {
            "ReplicaSet" if self.attach.deployment => set.meta_if("pod_deployment_name", owner_of(Kind::ReplicaSet, "Deployment")),
            "Job" => {
                if self.attach.job {
                    set.meta("pod_job_name", &controller.name);
                }
                if self.attach.cronjob {
                    set.meta_if("pod_cronjob_name", owner_of(Kind::Job, "CronJob"));
                }
            }
            _ => {}
        }
    }
}

/// Containers of a pod, and whether each runs only at its start.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = (&Container, bool)> {
    let running = pod.spec.containers.iter().map(|container| (container, false));
    running.chain(pod.spec.init_containers.iter().map(|container| (container, true)))
}

/// Namespace, name, labels and annotations of a service.
pub(super) fn service_labels(set: &mut Set, meta: &Meta) {
    set.meta("namespace", &meta.namespace);
    set.object("service", meta);
}

/// Whether a host is the pattern, or one label in front of it where the pattern starts with `*.`.
fn matches_host(pattern: &str, host: &str) -> bool {
    pattern == host || pattern.strip_prefix("*.").is_some_and(|suffix| host.split_once('.').is_some_and(|(_, rest)| rest == suffix))
}

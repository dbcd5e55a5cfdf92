//! Groups of the roles `endpoints` and `endpointslice`: the backends of services, with the pods behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::{Builder, Set, containers, host_port, service_labels};
use super::objects::{EndpointAddress, EndpointPort, EndpointSlice, Endpoints, Pod, Service, SliceEndpoint, SlicePort, TargetRef, key};

/// The pods behind the backends of one object, and which of their ports are targets already.
type Seen = BTreeMap<String, (Arc<Pod>, Vec<u32>)>;

impl Builder<'_> {
    pub(super) fn endpoints(&self, endpoints: &Endpoints) -> (Set, Vec<Set>) {
        let meta = &endpoints.metadata;
        let mut labels = Set::default();
        labels.meta("namespace", &meta.namespace);
        if let Some(service) = self.objects.service(&meta.key()) {
            service_labels(&mut labels, &service.metadata);
        }
        labels.object("endpoints", meta);
        self.attach_namespace(&mut labels, &meta.namespace);
        let (mut targets, mut seen) = (Vec::new(), Seen::new());
        for subset in &endpoints.subsets {
            for port in &subset.ports {
                targets.extend(subset.addresses.iter().map(|address| self.endpoint(address, port, true, &mut seen)));
                targets.extend(subset.not_ready_addresses.iter().map(|address| self.endpoint(address, port, false, &mut seen)));
            }
        }
        self.other_ports(seen, &mut targets);
        (labels, targets)
    }

    fn endpoint(&self, address: &EndpointAddress, port: &EndpointPort, is_ready: bool, seen: &mut Seen) -> Set {
        let mut target = Set::address(host_port(&address.ip, port.port));
        target.meta("endpoint_port_name", &port.name);
        target.meta("endpoint_port_protocol", &port.protocol);
        target.meta("endpoint_ready", is_ready.to_string());
        if let Some(reference) = &address.target_ref {
            target.meta("endpoint_address_target_kind", &reference.kind);
            target.meta("endpoint_address_target_name", &reference.name);
        }
        target.meta_if("endpoint_node_name", address.node_name.as_ref());
        target.meta_if("endpoint_hostname", Some(&address.hostname).filter(|hostname| !hostname.is_empty()));
        let referred_node = address.target_ref.as_ref().filter(|reference| reference.kind == "Node").map(|reference| &reference.name);
        self.attach_node(&mut target, address.node_name.as_ref().or(referred_node));
        self.add_pod(&mut target, address.target_ref.as_ref(), Some(port.port), seen);
        target
    }

    pub(super) fn endpoint_slice(&self, slice: &EndpointSlice) -> (Set, Vec<Set>) {
        let meta = &slice.metadata;
        let mut labels = Set::default();
        labels.meta("namespace", &meta.namespace);
        labels.meta("endpointslice_address_type", &slice.address_type);
        labels.object("endpointslice", meta);
        let name = meta.labels.get("kubernetes.io/service-name");
        let service = name.and_then(|name| self.objects.service(&key(&meta.namespace, name)));
        if let Some(service) = service {
            service_labels(&mut labels, &service.metadata);
        }
        self.attach_namespace(&mut labels, &meta.namespace);
        if service.is_some_and(|service| is_second_family(service, slice)) {
            return (labels, Vec::new());
        }
        let (mut targets, mut seen) = (Vec::new(), Seen::new());
        for endpoint in &slice.endpoints {
            for port in &slice.ports {
                targets.extend(endpoint.addresses.iter().map(|address| self.slice_endpoint(address, endpoint, port, &mut seen)));
            }
        }
        self.other_ports(seen, &mut targets);
        (labels, targets)
    }

    fn slice_endpoint(&self, address: &str, endpoint: &SliceEndpoint, port: &SlicePort, seen: &mut Seen) -> Set {
        let mut target = Set::address(port.port.map_or_else(|| address.to_owned(), |port| host_port(address, port)));
        target.meta_if("endpointslice_port_name", port.name.as_ref());
        target.meta_if("endpointslice_port_protocol", port.protocol.as_ref());
        target.meta_if("endpointslice_port", port.port.map(|port| port.to_string()).as_ref());
        target.meta_if("endpointslice_port_app_protocol", port.app_protocol.as_ref());
        let conditions = &endpoint.conditions;
        for (name, condition) in [("ready", conditions.ready), ("serving", conditions.serving), ("terminating", conditions.terminating)] {
            target.meta_if(&format!("endpointslice_endpoint_conditions_{name}"), condition.map(|is_so| is_so.to_string()).as_ref());
        }
        target.meta_if("endpointslice_endpoint_hostname", endpoint.hostname.as_ref());
        if let Some(reference) = &endpoint.target_ref {
            target.meta("endpointslice_address_target_kind", &reference.kind);
            target.meta("endpointslice_address_target_name", &reference.name);
        }
        target.meta_if("endpointslice_endpoint_node_name", endpoint.node_name.as_ref());
        target.meta_if("endpointslice_endpoint_zone", endpoint.zone.as_ref());
        for (name, value) in &endpoint.deprecated_topology {
            let name: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
            target.meta(&format!("endpointslice_endpoint_topology_{name}"), value);
            target.meta(&format!("endpointslice_endpoint_topology_present_{name}"), "true");
        }
        let referred_node = endpoint.target_ref.as_ref().filter(|reference| reference.kind == "Node").map(|reference| &reference.name);
        self.attach_node(&mut target, referred_node.or(endpoint.node_name.as_ref()));
        self.add_pod(&mut target, endpoint.target_ref.as_ref(), port.port, seen);
        target
    }

    /// Adds the labels of the pod behind a backend, and of its container with the port.
    fn add_pod(&self, target: &mut Set, reference: Option<&TargetRef>, port: Option<u32>, seen: &mut Seen) {
        let Some(reference) = reference.filter(|reference| reference.kind == "Pod") else { return };
        let Some(pod) = self.objects.pod(&key(&reference.namespace, &reference.name)) else { return };
        let entry = seen.entry(pod.metadata.key()).or_insert_with(|| (pod.clone(), Vec::new()));
        entry.1.extend(port);
        self.pod_labels(target, pod);
        for (container, is_init) in containers(pod) {
            if let Some(known) = container.ports.iter().find(|known| Some(known.container_port) == port) {
                add_container(target, container, known, is_init);
            }
        }
    }

    /// The ports of the pods that are no backend of the service are targets too, without labels of a backend.
    fn other_ports(&self, seen: Seen, targets: &mut Vec<Set>) {
        for (pod, ports) in seen.into_values().filter(|(pod, _)| !pod.status.pod_i_p.is_empty()) {
            for (container, is_init) in containers(&pod) {
                for port in container.ports.iter().filter(|port| !ports.contains(&port.container_port)) {
                    let mut target = Set::address(host_port(&pod.status.pod_i_p, port.container_port));
                    add_container(&mut target, container, port, is_init);
                    self.pod_labels(&mut target, &pod);
                    targets.push(target);
                }
            }
        }
    }
}

fn add_container(target: &mut Set, container: &super::objects::Container, port: &super::objects::ContainerPort, is_init: bool) {
    target.meta("pod_container_name", &container.name);
    target.meta("pod_container_image", &container.image);
    target.meta("pod_container_port_name", &port.name);
    target.meta("pod_container_port_number", port.container_port.to_string());
    target.meta("pod_container_port_protocol", &port.protocol);
    target.meta("pod_container_init", is_init.to_string());
}

/// Whether the slice holds the backends of a service a second time, under addresses of its other family.
fn is_second_family(service: &Service, slice: &EndpointSlice) -> bool {
    let spec = &service.spec;
    let is_dual = matches!(spec.ip_family_policy.as_str(), "PreferDualStack" | "RequireDualStack");
    is_dual && spec.ip_families.first().is_some_and(|first| *first != slice.address_type)
}

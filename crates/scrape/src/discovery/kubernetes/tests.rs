//! Discovery against a small API server of the tests, written from the public documentation of the API.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use signalbox_model::Labels;
use signalbox_testkit::ManualClock;

use super::super::{ADDRESS, Found, KubernetesConfig, Updates};
use super::*;
use crate::config::from_text;
use crate::serve::{Answer, Asked, Server};

/// An API server: lists what it holds, and lets a test speak into its watches.
#[derive(Default)]
struct Api {
    /// Objects by the last part of the path.
    lists: BTreeMap<String, Vec<Value>>,
    /// Open watches by the last part of the path.
    watches: BTreeMap<String, mpsc::Sender<String>>,
    /// Answers that come before any other, by the last part of the path.
    scripted: BTreeMap<String, Vec<u16>>,
    version: u64,
}

struct Cluster {
    server: Server,
    api: Arc<Mutex<Api>>,
}

impl Cluster {
    async fn start(objects: &[(&str, Value)]) -> Self {
        let api = Arc::new(Mutex::new(Api { version: 10, ..Api::default() }));
        for (kind, object) in objects {
            api.lock().lists.entry((*kind).to_owned()).or_default().push(object.clone());
        }
        let shared = api.clone();
        let server = Server::start(move |asked| answer(&mut shared.lock(), asked)).await;
        Self { server, api }
    }

    /// Speaks into a watch once it is open.
    async fn tell(&self, kind: &str, event: &str, object: Value) {
        loop {
            let sent = self.api.lock().watches.get(kind).is_some_and(|watch| watch.try_send(json!({"type": event, "object": object}).to_string()).is_ok());
            if sent {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn config(&self, yaml: &str) -> KubernetesConfig {
        from_text(&format!("{{api_server: '{}', {yaml}}}", self.server.url(""))).unwrap().0
    }

    /// Runs discovery and gives what it tells.
    fn find(&self, yaml: &str) -> Told {
        let around = Surroundings::new(Arc::new(ManualClock::default()), |_| None);
        let mut finder = Finder::new(&self.config(yaml), &around).unwrap();
        finder.pace = Pace { first: Duration::from_millis(1), most: Duration::from_millis(5) };
        let (sender, receiver) = mpsc::channel(8);
        let task = tokio::spawn(finder.run(Updates { provider: 0, sender }));
        Told { receiver, found: Found::default(), _task: task.abort_handle() }
    }

    fn asked(&self, kind: &str) -> Vec<Asked> {
        self.server.asked().into_iter().filter(|asked| kind_of(&asked.path) == kind).collect()
    }
}

struct Told {
    receiver: mpsc::Receiver<super::super::Update>,
    found: Found,
    _task: tokio::task::AbortHandle,
}

impl Told {
    /// The groups by source, once they are as wanted.
    async fn until(&mut self, wanted: impl Fn(&BTreeMap<String, Arc<TargetGroup>>) -> bool) -> BTreeMap<String, Arc<TargetGroup>> {
        loop {
            self.found.apply(self.receiver.recv().await.unwrap());
            let groups = self.found.all().iter().map(|group| (group.source.clone(), group.clone())).collect();
            if wanted(&groups) {
                return groups;
            }
        }
    }

    async fn first(&mut self) -> BTreeMap<String, Arc<TargetGroup>> {
        self.until(|_| true).await
    }
}

fn kind_of(path: &str) -> &str {
    path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default()
}

fn answer(api: &mut Api, asked: &Asked) -> Answer {
    let kind = kind_of(&asked.path).to_owned();
    if let Some(status) = api.scripted.get_mut(&kind).filter(|statuses| !statuses.is_empty()).map(|statuses| statuses.remove(0)) {
        return Answer::status(status);
    }
    let (_, query) = asked.path.split_once('?').unwrap_or_default();
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default();
    if parameter("watch") == "true" {
        let (sender, receiver) = mpsc::channel(16);
        api.watches.insert(kind, sender);
        return Answer::lines(receiver);
    }
    let namespace =
        asked.path.split_once("/namespaces/").map(|(_, rest)| rest.split('/').next().unwrap_or_default().to_owned()).filter(|_| kind != "namespaces");
    let all: Vec<Value> = api.lists.get(&kind).cloned().unwrap_or_default();
    let here: Vec<Value> = all.into_iter().filter(|object| namespace.as_ref().is_none_or(|namespace| object["metadata"]["namespace"] == *namespace)).collect();
    // Two objects a page, whatever limit was asked for.
    let start: usize = parameter("continue").parse().unwrap_or(0);
    let page: Vec<Value> = here.iter().skip(start).take(2).cloned().collect();
    let rest = if start + 2 < here.len() { (start + 2).to_string() } else { String::new() };
    Answer::json(json!({"kind": "List", "metadata": {"resourceVersion": api.version.to_string(), "continue": rest}, "items": page}))
}

fn pod(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "ns", "uid": "u-1", "resourceVersion": "5",
            "labels": {"app.kubernetes.io/name": "web"}, "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [{"kind": "Other", "name": "x"}, {"kind": "ReplicaSet", "name": "web-7d", "controller": true}],
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9100, "protocol": "TCP"}]},
                {"name": "side", "image": "side:1"},
            ],
            "initContainers": [{"name": "init", "image": "init:1", "ports": [{"containerPort": 1, "protocol": "UDP"}]}],
        },
        "status": {
            "phase": "Running", "podIP": "10.1.0.7", "hostIP": "192.168.0.1",
            "conditions": [{"type": "PodScheduled", "status": "False"}, {"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "web", "containerID": "containerd://abc"}], "initContainerStatuses": null,
        },
    })
}

fn node() -> Value {
    json!({
        "metadata": {"name": "node-1", "labels": {"zone": "a"}, "annotations": {"x/y": "z"}},
        "spec": {"providerID": "aws:///i-1"},
        "status": {
            "addresses": [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "fd00::1"}, {"type": "InternalIP", "address": "192.168.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    })
}

fn service() -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "ns", "labels": {"tier": "front"}},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.9", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "x"}, {"ip": "1.2.3.5"}]}},
    })
}

fn namespace() -> Value {
    json!({"metadata": {"name": "ns", "labels": {"team": "shop"}}})
}

/// Labels without the common front, the address first.
fn short(labels: &Labels) -> Vec<String> {
    labels.iter().map(|(name, value)| format!("{}={value}", name.trim_start_matches("__meta_kubernetes_"))).collect()
}

fn has(labels: &Labels, wanted: &[(&str, &str)]) {
    for (name, value) in wanted {
        let full = format!("__meta_kubernetes_{name}");
        assert_eq!(labels.get(&full), Some(*value), "{name} in {:?}", short(labels));
    }
}

#[tokio::test]
async fn nodes_are_targets_at_their_kubelet() {
    let cluster = Cluster::start(&[("nodes", node())]).await;
    let groups = cluster.find("role: node").first().await;
    let group = &groups["node/node-1"];
    assert_eq!(short(&group.targets[0]), ["__address__=[fd00::1]:10250", "node_address_Hostname=n1", "node_address_InternalIP=fd00::1", "instance=node-1"]);
    has(
        &group.labels,
        &[
            ("node_name", "node-1"),
            ("node_provider_id", "aws:///i-1"),
            ("node_label_zone", "a"),
            ("node_labelpresent_zone", "true"),
            ("node_annotation_x_y", "z"),
            ("node_annotationpresent_x_y", "true"),
            ("node_condition_ready", "true"),
            ("node_condition_diskpressure", "false"),
        ],
    );
}

#[tokio::test]
async fn pods_are_targets_by_container_and_port() {
    let replica_set =
        json!({"metadata": {"name": "web-7d", "namespace": "ns", "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true}]}});
    let mut starting = pod("starting");
    starting["status"]["podIP"] = json!("");
    let mut elsewhere = pod("elsewhere");
    elsewhere["spec"]["nodeName"] = json!("node-2");
    let cluster = Cluster::start(&[
        ("pods", pod("web-1")),
        ("pods", starting),
        ("pods", elsewhere),
        ("nodes", node()),
        ("namespaces", namespace()),
        ("replicasets", replica_set),
    ])
    .await;
    let groups = cluster.find("role: pod, attach_metadata: {node: true, namespace: true, deployment: true}").first().await;
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["pod/ns/web-1"], "not one without address, nor one on a node that is not asked for");
    let group = &groups["pod/ns/web-1"];
    let addresses: Vec<&str> = group.targets.iter().filter_map(|target| target.get(ADDRESS)).collect();
    assert_eq!(addresses, ["10.1.0.7:8080", "10.1.0.7:9100", "10.1.0.7", "10.1.0.7:1"]);
    assert_eq!(
        short(&group.targets[1]),
        [
            "__address__=10.1.0.7:9100",
            "pod_container_id=containerd://abc",
            "pod_container_image=web:1",
            "pod_container_init=false",
            "pod_container_name=web",
            "pod_container_port_name=metrics",
            "pod_container_port_number=9100",
            "pod_container_port_protocol=TCP",
        ]
    );
    has(&group.targets[3], &[("pod_container_init", "true"), ("pod_container_port_protocol", "UDP")]);
    has(
        &group.labels,
        &[
            ("namespace", "ns"),
            ("pod_name", "web-1"),
            ("pod_ip", "10.1.0.7"),
            ("pod_host_ip", "192.168.0.1"),
            ("pod_node_name", "node-1"),
            ("pod_phase", "Running"),
            ("pod_ready", "true"),
            ("pod_uid", "u-1"),
            ("pod_controller_kind", "ReplicaSet"),
            ("pod_controller_name", "web-7d"),
            ("pod_deployment_name", "web"),
            ("pod_label_app_kubernetes_io_name", "web"),
            ("pod_labelpresent_app_kubernetes_io_name", "true"),
            ("pod_annotation_prometheus_io_scrape", "true"),
            ("pod_annotationpresent_prometheus_io_scrape", "true"),
            ("node_name", "node-1"),
            ("node_label_zone", "a"),
            ("namespace_label_team", "shop"),
        ],
    );
}

#[tokio::test]
async fn pods_of_jobs_name_the_job_and_its_cron_job() {
    let mut worker = pod("worker");
    worker["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "backup-1", "controller": true}]);
    let job = json!({"metadata": {"name": "backup-1", "namespace": "ns", "ownerReferences": [{"kind": "CronJob", "name": "backup", "controller": true}]}});
    let cluster = Cluster::start(&[("pods", worker), ("jobs", job)]).await;
    let groups = cluster.find("role: pod, attach_metadata: {job: true, cronjob: true}").first().await;
    has(&groups["pod/ns/worker"].labels, &[("pod_job_name", "backup-1"), ("pod_cronjob_name", "backup")]);
}

#[tokio::test]
async fn services_are_targets_by_port() {
    let external =
        json!({"metadata": {"name": "ext", "namespace": "ns"}, "spec": {"type": "ExternalName", "externalName": "db.example", "ports": [{"port": 5432}]}});
    let cluster = Cluster::start(&[("services", service()), ("services", external)]).await;
    let groups = cluster.find("role: service").first().await;
    let group = &groups["svc/ns/web"];
    assert_eq!(
        short(&group.targets[0]),
        [
            "__address__=web.ns.svc:80",
            "service_cluster_ip=10.0.0.9",
            "service_loadbalancer_ip=1.2.3.4,1.2.3.5",
            "service_port_name=http",
            "service_port_number=80",
            "service_port_protocol=TCP",
            "service_type=LoadBalancer",
        ]
    );
    assert_eq!(short(&group.labels), ["namespace=ns", "service_label_tier=front", "service_labelpresent_tier=true", "service_name=web"]);
    has(&groups["svc/ns/ext"].targets[0], &[("service_external_name", "db.example"), ("service_type", "ExternalName")]);
}

#[tokio::test]
async fn ingresses_are_targets_by_path() {
    let ingress = json!({
        "metadata": {"name": "in", "namespace": "ns"},
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["*.shop.example"]}],
            "rules": [{"host": "a.shop.example", "http": {"paths": [{"path": "/x"}, {}]}}, {"host": "b.c.shop.example"}],
        },
    });
    let cluster = Cluster::start(&[("ingresses", ingress)]).await;
    let groups = cluster.find("role: ingress").first().await;
    let group = &groups["ingress/ns/in"];
    let shown: Vec<String> = group.targets.iter().map(|target| short(target).join(" ")).collect();
    assert_eq!(
        shown,
        [
            "__address__=a.shop.example ingress_host=a.shop.example ingress_path=/x ingress_scheme=https",
            "__address__=a.shop.example ingress_host=a.shop.example ingress_path=/ ingress_scheme=https",
            "__address__=b.c.shop.example ingress_host=b.c.shop.example ingress_path=/ ingress_scheme=http",
        ]
    );
    assert_eq!(short(&group.labels), ["ingress_class_name=nginx", "ingress_name=in", "namespace=ns"]);
}

#[tokio::test]
async fn endpoints_are_targets_with_service_and_pod() {
    let endpoints = json!({
        "metadata": {"name": "web", "namespace": "ns", "labels": {"e": "f"}},
        "subsets": [{
            "addresses": [{"ip": "10.1.0.7", "nodeName": "node-1", "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "ns"}}, {"ip": "9.9.9.9", "hostname": "h"}],
            "notReadyAddresses": [{"ip": "9.9.9.8"}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }],
    });
    let cluster = Cluster::start(&[("endpoints", endpoints), ("services", service()), ("pods", pod("web-1")), ("nodes", node())]).await;
    let groups = cluster.find("role: endpoints, attach_metadata: {node: true}").first().await;
    let group = &groups["endpoints/ns/web"];
    let addresses: Vec<&str> = group.targets.iter().filter_map(|target| target.get(ADDRESS)).collect();
    // The other ports of the pod are targets too.
    assert_eq!(addresses, ["10.1.0.7:8080", "9.9.9.9:8080", "9.9.9.8:8080", "10.1.0.7:9100", "10.1.0.7:1"]);
    has(&group.labels, &[("namespace", "ns"), ("endpoints_name", "web"), ("endpoints_label_e", "f"), ("service_name", "web"), ("service_label_tier", "front")]);
    has(
        &group.targets[0],
        &[
            ("endpoint_port_name", "http"),
            ("endpoint_port_protocol", "TCP"),
            ("endpoint_ready", "true"),
            ("endpoint_node_name", "node-1"),
            ("endpoint_address_target_kind", "Pod"),
            ("endpoint_address_target_name", "web-1"),
            ("node_label_zone", "a"),
            ("pod_name", "web-1"),
            ("pod_container_name", "web"),
            ("pod_container_port_name", "http"),
            ("pod_container_port_number", "8080"),
        ],
    );
    has(&group.targets[1], &[("endpoint_hostname", "h"), ("endpoint_ready", "true")]);
    has(&group.targets[2], &[("endpoint_ready", "false")]);
    has(&group.targets[3], &[("pod_container_port_name", "metrics"), ("pod_name", "web-1")]);
    assert_eq!(group.targets[3].get("__meta_kubernetes_endpoint_ready"), None);
}

#[tokio::test]
async fn slices_are_targets_with_their_conditions() {
    let slice = |name: &str, family: &str, address: &str| {
        json!({
            "metadata": {"name": name, "namespace": "ns", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": family,
            "endpoints": [{
                "addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false}, "hostname": "h", "nodeName": "node-1", "zone": "z",
                "deprecatedTopology": {"topology.kubernetes.io/region": "r"}, "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "ns"},
            }],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "h2c"}],
        })
    };
    let mut dual = service();
    dual["spec"]["ipFamilyPolicy"] = json!("PreferDualStack");
    dual["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
    let cluster = Cluster::start(&[
        ("endpointslices", slice("web-4", "IPv4", "10.1.0.7")),
        ("endpointslices", slice("web-6", "IPv6", "fd00::7")),
        ("services", dual),
        ("pods", pod("web-1")),
    ])
    .await;
    let groups = cluster.find("role: endpointslice").first().await;
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["endpointslice/ns/web-4"], "the second family would be the same targets again");
    let group = &groups["endpointslice/ns/web-4"];
    has(&group.labels, &[("endpointslice_name", "web-4"), ("endpointslice_address_type", "IPv4"), ("service_name", "web")]);
    has(
        &group.targets[0],
        &[
            ("endpointslice_port_name", "http"),
            ("endpointslice_port_protocol", "TCP"),
            ("endpointslice_port", "8080"),
            ("endpointslice_port_app_protocol", "h2c"),
            ("endpointslice_endpoint_conditions_ready", "true"),
            ("endpointslice_endpoint_conditions_serving", "true"),
            ("endpointslice_endpoint_conditions_terminating", "false"),
            ("endpointslice_endpoint_hostname", "h"),
            ("endpointslice_endpoint_node_name", "node-1"),
            ("endpointslice_endpoint_zone", "z"),
            ("endpointslice_endpoint_topology_topology_kubernetes_io_region", "r"),
            ("endpointslice_endpoint_topology_present_topology_kubernetes_io_region", "true"),
            ("endpointslice_address_target_kind", "Pod"),
            ("endpointslice_address_target_name", "web-1"),
            ("pod_container_name", "web"),
        ],
    );
    assert_eq!(group.targets.len(), 3);
}

#[tokio::test]
async fn changes_are_followed_and_gone_objects_are_forgotten() {
    let cluster = Cluster::start(&[("pods", pod("a")), ("pods", pod("b")), ("pods", pod("c"))]).await;
    let mut told = cluster.find("role: pod, selectors: [{role: pod, label: 'app=web', field: 'status.phase=Running'}]");
    let groups = told.first().await;
    assert_eq!(groups.len(), 3, "all pages of the list");
    cluster.tell("pods", "ADDED", pod("d")).await;
    let mut changed = pod("a");
    changed["status"]["podIP"] = json!("10.9.9.9");
    cluster.tell("pods", "MODIFIED", changed).await;
    cluster.tell("pods", "DELETED", pod("b")).await;
    let is_there = |groups: &BTreeMap<String, Arc<TargetGroup>>| groups.keys().map(String::as_str).collect::<Vec<_>>() == ["pod/ns/a", "pod/ns/c", "pod/ns/d"];
    let groups = told.until(|groups| is_there(groups) && groups["pod/ns/a"].targets[2].get(ADDRESS) == Some("10.9.9.9")).await;
    has(&groups["pod/ns/a"].labels, &[("pod_ip", "10.9.9.9")]);
    let asked = cluster.asked("pods");
    assert!(
        asked.iter().all(|asked| asked.path.contains("labelSelector=app%3Dweb") && asked.path.contains("fieldSelector=status.phase%3DRunning")),
        "{asked:?}"
    );
    assert!(asked.last().unwrap().path.contains("resourceVersion=10"));
}

#[tokio::test]
async fn a_watch_goes_on_where_it_ended_and_starts_anew_when_its_version_is_forgotten() {
    let cluster = Cluster::start(&[("pods", pod("a"))]).await;
    let mut told = cluster.find("role: pod");
    told.first().await;
    cluster.tell("pods", "BOOKMARK", json!({"metadata": {"resourceVersion": "77"}})).await;
    // The server closes the watch: it is taken up at the bookmark.
    cluster.api.lock().watches.clear();
    cluster.tell("pods", "ADDED", pod("b")).await;
    told.until(|groups| groups.len() == 2).await;
    assert!(cluster.asked("pods").iter().any(|asked| asked.path.contains("resourceVersion=77")));
    cluster.api.lock().lists.insert("pods".to_owned(), vec![pod("c")]);
    cluster.tell("pods", "ERROR", json!({"kind": "Status", "code": 410, "message": "too old resource version"})).await;
    told.until(|groups| groups.keys().map(String::as_str).collect::<Vec<_>>() == ["pod/ns/c"]).await;
    // The same said by the status of the answer, after failures of other kinds.
    cluster.api.lock().lists.insert("pods".to_owned(), vec![pod("d")]);
    cluster.api.lock().scripted.insert("pods".to_owned(), vec![500, 403, 410, 500]);
    cluster.api.lock().watches.clear();
    told.until(|groups| groups.keys().map(String::as_str).collect::<Vec<_>>() == ["pod/ns/d"]).await;
}

#[tokio::test]
async fn only_the_named_namespaces_are_asked() {
    let mut other = pod("other");
    other["metadata"]["namespace"] = json!("two");
    let mut foreign = pod("foreign");
    foreign["metadata"]["namespace"] = json!("three");
    let cluster = Cluster::start(&[("pods", pod("a")), ("pods", other), ("pods", foreign)]).await;
    let groups = cluster.find("role: pod, namespaces: {names: [ns, two]}").first().await;
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["pod/ns/a", "pod/two/other"]);
    assert!(cluster.asked("pods").iter().all(|asked| asked.path.starts_with("/api/v1/namespaces/")));
}

#[tokio::test]
async fn a_change_of_a_node_that_no_label_shows_is_no_news() {
    let objects = || Objects::default();
    let mut view = View { role: Role::Pod, attach: AttachMetadata { node: true, ..AttachMetadata::default() }, objects: objects(), dirty: Dirty::default() };
    let event = |value: Value| Event::Changed { kind: Kind::Node, object: Object::read(Kind::Node, &value.to_string()).unwrap() };
    view.take(event(node()), &mut BTreeSet::new());
    assert!(std::mem::take(&mut view.dirty).is_all);
    let mut busy = node();
    busy["status"]["conditions"] = json!([]);
    view.take(event(busy.clone()), &mut BTreeSet::new());
    assert!(!view.dirty.is_all, "only its state");
    busy["metadata"]["labels"] = json!({"zone": "b"});
    view.take(event(busy), &mut BTreeSet::new());
    assert!(view.dirty.is_all);
}

#[tokio::test]
async fn a_pod_finds_its_server_by_the_environment_and_a_user_by_a_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let around = |environment| Surroundings { service_account: folder.path().to_owned(), ..Surroundings::new(Arc::new(ManualClock::default()), environment) };
    let (config, _): (KubernetesConfig, _) = from_text("{role: pod, namespaces: {own_namespace: true}}").unwrap();
    let error = Finder::new(&config, &around(|_| None)).unwrap_err().to_string();
    assert!(error.contains("KUBERNETES_SERVICE_HOST"), "{error}");
    let in_cluster = || around(|name| Some(if name.ends_with("HOST") { "127.0.0.1".to_owned() } else { "1".to_owned() }));
    let error = Finder::new(&config, &in_cluster()).unwrap_err().to_string();
    assert!(error.contains("ca.crt"), "{error}");
    let cluster = Cluster::start(&[("pods", pod("a"))]).await;
    write("token", "t\n");
    let kubeconfig = format!(
        "apiVersion: v1\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\nclusters: [{{name: k, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {{tokenFile: token}}}}]\n",
        cluster.server.url("")
    );
    write("kubeconfig", &kubeconfig);
    let file: PathBuf = folder.path().join("kubeconfig");
    let (config, _): (KubernetesConfig, _) = from_text(&format!("{{role: pod, kubeconfig_file: {}}}", file.display())).unwrap();
    let finder = Finder::new(&config, &around(|_| None)).unwrap();
    let (sender, mut receiver) = mpsc::channel(8);
    tokio::spawn(finder.run(Updates { provider: 0, sender }));
    assert_eq!(receiver.recv().await.unwrap().groups.len(), 1);
    assert_eq!(cluster.asked("pods")[0].headers["authorization"], "Bearer t");
    write("kubeconfig", &kubeconfig.replace("tokenFile: token", "exec: {command: aws}, token: hidden"));
    let error = Finder::new(&config, &around(|_| None)).unwrap_err().to_string();
    assert!(error.contains("exec and auth-provider are not supported") && !error.contains("hidden"), "{error}");
}

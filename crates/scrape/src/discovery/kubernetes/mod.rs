//! Targets from objects of a Kubernetes cluster: nodes, pods, services, endpoints, slices of endpoints, ingresses.
//!
//! | what | where |
//! |---|---|
//! | who the API server is and who we are to it | `server` |
//! | list and watch of one kind | `watch` |
//! | objects and their store | `objects` |
//! | from an object to a group with its `__meta_kubernetes_*` labels | `labels`, `endpoints` |
//!
//! Watches put what they see into one channel; here it goes into the store, and the groups that it may change are made anew.
//! Nothing is told before every kind was listed once: a pod without its node would have half its labels.

mod endpoints;
mod labels;
mod objects;
mod server;
mod watch;

use std::collections::BTreeSet;
use std::time::Duration;

use signalbox_model::Result;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{AttachMetadata, KubernetesConfig, Role, Surroundings, TargetGroup, Updates};
use labels::{Builder, source};
use objects::{Kind, Object, Objects};
use server::ApiServer;
use watch::{Event, Pace, Watch};

/// Events that may wait to be taken in.
const EVENTS_WAITING_MAX: usize = 1024;
/// How long changes are collected before groups are made anew.
const COLLECT: Duration = Duration::from_millis(200);
/// Objects of all kinds; beyond it new ones are left out, loudly.
const OBJECTS_MAX: usize = 2_000_000;
const PACE: Pace = Pace { first: Duration::from_secs(1), most: Duration::from_secs(30) };

/// Finds targets in one cluster.
#[derive(Debug)]
pub(super) struct Finder {
    role: Role,
    attach: AttachMetadata,
    server: ApiServer,
    watches: Vec<Watch>,
    pace: Pace,
}

impl Finder {
    pub(super) fn new(config: &KubernetesConfig, around: &Surroundings) -> Result<Self> {
        let role = config.role.unwrap_or(Role::Pod);
        let server = ApiServer::new(config, around)?;
        Ok(Self { role, attach: config.attach_metadata, server, watches: watches(config, role, around)?, pace: PACE })
    }

    /// Finds until nobody wants to know.
    pub(super) async fn run(self, updates: Updates) {
        let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
        let mut tasks = JoinSet::new();
        let mut missing: BTreeSet<(Kind, String)> = self.watches.iter().map(|watch| (watch.kind, watch.namespace.clone())).collect();
        for watch in self.watches {
            tasks.spawn(watch.run(self.server.clone(), sender.clone(), self.pace));
        }
        drop(sender);
        let mut view = View { role: self.role, attach: self.attach, objects: Objects::default(), dirty: Dirty::default() };
        let mut was_told = false;
        while let Some(event) = events.recv().await {
            view.take(event, &mut missing);
            if missing.is_empty() && was_told {
                tokio::time::sleep(COLLECT).await;
            }
            while let Ok(event) = events.try_recv() {
                view.take(event, &mut missing);
            }
            if !missing.is_empty() {
                continue;
            }
            let is_listening = if view.dirty.is_all { updates.replace(view.all()).await } else { updates.merge(view.changed()).await };
            if !is_listening {
                return;
            }
            (view.dirty, was_told) = (Dirty::default(), true);
        }
    }
}

/// The groups of objects of the kind of a role, each of which may also be what stands behind another.
pub(super) fn groups_of<'a>(role: Role, attach: AttachMetadata, objects: impl Iterator<Item = &'a str>) -> Result<Vec<TargetGroup>, serde_json::Error> {
    let mut view = View { role, attach, objects: Objects::default(), dirty: Dirty::default() };
    for json in objects {
        // Pods and services stand behind endpoints: what fits is taken as such too.
        for kind in [Kind::Pod, Kind::Service, Kind::Node, Kind::Namespace] {
            if let Ok(object) = Object::read(kind, json) {
                view.objects.insert(kind, object);
            }
        }
        view.objects.insert(primary(role), Object::read(primary(role), json)?);
    }
    Ok(view.all())
}

/// What is watched for a configuration.
fn watches(config: &KubernetesConfig, role: Role, around: &Surroundings) -> Result<Vec<Watch>> {
    let mut namespaces = config.namespaces.names.clone();
    if config.namespaces.own_namespace {
        namespaces.push(server::own_namespace(around)?);
    }
    if namespaces.is_empty() {
        namespaces.push(String::new());
    }
    namespaces.sort();
    namespaces.dedup();
    let attach = config.attach_metadata;
    let has_pods = matches!(role, Role::Pod | Role::Endpoints | Role::EndpointSlice);
    let mut kinds = vec![primary(role)];
    if matches!(role, Role::Endpoints | Role::EndpointSlice) {
        kinds.extend([Kind::Service, Kind::Pod]);
    }
    kinds.extend((has_pods && attach.node).then_some(Kind::Node));
    kinds.extend((has_pods && attach.deployment).then_some(Kind::ReplicaSet));
    kinds.extend((has_pods && attach.cronjob).then_some(Kind::Job));
    kinds.extend((role != Role::Node && attach.namespace).then_some(Kind::Namespace));
    let mut watches = Vec::new();
    for kind in kinds {
        let selector = config.selectors.iter().find(|selector| selector.role.map(primary) == Some(kind)).cloned().unwrap_or_default();
        let of_kind = if kind.is_namespaced() { namespaces.clone() } else { vec![String::new()] };
        watches.extend(of_kind.into_iter().map(|namespace| Watch {
            kind,
            namespace,
            label_selector: selector.label.clone(),
            field_selector: selector.field.clone(),
        }));
    }
    Ok(watches)
}

/// The kind of objects that become groups.
fn primary(role: Role) -> Kind {
    match role {
        Role::Node => Kind::Node,
        Role::Pod => Kind::Pod,
        Role::Service => Kind::Service,
        Role::Endpoints => Kind::Endpoints,
        Role::EndpointSlice => Kind::EndpointSlice,
        Role::Ingress => Kind::Ingress,
    }
}

/// Which groups must be made anew.
#[derive(Debug, Default)]
struct Dirty {
    is_all: bool,
    /// Keys of objects that become groups.
    keys: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

/// The cluster as far as it is known.
#[derive(Debug)]
struct View {
    role: Role,
    attach: AttachMetadata,
    objects: Objects,
    dirty: Dirty,
}

impl View {
    fn take(&mut self, event: Event, missing: &mut BTreeSet<(Kind, String)>) {
        match event {
            Event::Listed { kind, namespace, objects } => {
                let is_here = |key: &str| namespace.is_empty() || key.split_once('/').is_some_and(|(known, _)| known == namespace);
                let gone: Vec<String> = self.objects.of(kind).map(|(key, _)| key).filter(|key| is_here(key)).map(str::to_owned).collect();
                gone.iter().for_each(|key| drop(self.objects.remove(kind, key)));
                for object in objects.into_iter().take(OBJECTS_MAX.saturating_sub(self.objects.len())) {
                    self.objects.insert(kind, object);
                }
                self.dirty.is_all = true;
                missing.remove(&(kind, namespace));
            }
            Event::Changed { kind, object } => {
                let key = object.meta().key();
                if self.objects.len() >= OBJECTS_MAX && self.objects.get(kind, &key).is_none() {
                    tracing::warn!(key, "an object of kubernetes is left out: there are {OBJECTS_MAX} already");
                    return;
                }
                let old = self.objects.insert(kind, object);
                // The state of a node changes every few seconds, and only its labels are attached.
                let new = self.objects.get(kind, &key);
                let texts = |object: Option<&Object>| object.map(|object| (object.meta().labels.clone(), object.meta().annotations.clone()));
                let is_only_attached = matches!(kind, Kind::Node | Kind::Namespace) && kind != primary(self.role);
                if !is_only_attached || texts(old.as_ref()) != texts(new) {
                    self.touch(kind, &key);
                }
            }
            Event::Gone { kind, key } => {
                if self.objects.remove(kind, &key).is_some() {
                    self.touch(kind, &key);
                }
            }
        }
    }

    /// Marks the groups that an object has a part in.
    fn touch(&mut self, kind: Kind, key: &str) {
        if kind == primary(self.role) {
            self.dirty.keys.insert(key.to_owned());
        } else if kind == Kind::Node {
            self.dirty.is_all = true;
        } else {
            self.dirty.namespaces.insert(key.split_once('/').map_or(key, |(namespace, _)| namespace).to_owned());
        }
    }

    fn builder(&self) -> Builder<'_> {
        Builder { objects: &self.objects, attach: self.attach }
    }

    fn all(&self) -> Vec<TargetGroup> {
        self.objects.of(primary(self.role)).map(|(key, object)| self.builder().group(self.role, key, object)).collect()
    }

    fn changed(&self) -> Vec<TargetGroup> {
        let is_touched = |key: &str| {
            let namespace = key.split_once('/').map_or("", |(namespace, _)| namespace);
            self.dirty.keys.contains(key) || self.dirty.namespaces.contains(namespace)
        };
        let known = self.objects.of(primary(self.role)).filter(|(key, _)| is_touched(key));
        let mut groups: Vec<TargetGroup> = known.map(|(key, object)| self.builder().group(self.role, key, object)).collect();
        let gone = self.dirty.keys.iter().filter(|key| self.objects.get(primary(self.role), key).is_none());
        groups.extend(gone.map(|key| TargetGroup { source: source(self.role, key), targets: Vec::new(), labels: Default::default() }));
        groups
    }
}

#[cfg(test)]
mod tests;

//! Targets from records of the DNS: SRV with hosts and ports, A and AAAA with addresses, MX and NS with hosts.

mod resolve;

use std::net::SocketAddr;
use std::time::Duration;

use signalbox_model::{Labels, Result};

use super::{ADDRESS, DnsConfig, TargetGroup, Updates};
use resolve::{Answer, Servers};

/// Looks names up.
#[derive(Debug)]
pub(super) struct Finder {
    config: DnsConfig,
    /// Asked instead of the servers of the system.
    servers: Option<Servers>,
}

impl Finder {
    pub(super) fn new(config: &DnsConfig) -> Self {
        Self { config: config.clone(), servers: None }
    }

    /// Looks up until nobody wants to know.
    pub(super) async fn run(self, updates: Updates) {
        loop {
            if !updates.merge(self.look_up().await).await {
                return;
            }
            tokio::time::sleep(self.config.refresh_interval.max(Duration::from_millis(1))).await;
        }
    }

    /// One group for each name that got an answer. That a name does not exist is an answer.
    async fn look_up(&self) -> Vec<TargetGroup> {
        let lookups = self.config.names.iter().map(|name| async move {
            let group = self.look_up_one(name).await;
            group.inspect_err(|error| tracing::error!(name, "targets stay as they were: {error}")).ok()
        });
        futures::future::join_all(lookups).await.into_iter().flatten().collect()
    }

    async fn look_up_one(&self, name: &str) -> Result<TargetGroup> {
        let servers = self.servers.clone().map_or_else(Servers::of_system, Ok)?;
        let answers = servers.look_up(name, self.config.record).await?;
        let targets = answers.into_iter().map(|answer| self.target(name, answer)).collect();
        Ok(TargetGroup { source: name.to_owned(), targets, labels: Labels::empty() })
    }

    /// The targets in an answer to the question with this number.
    pub(super) fn read(&self, name: &str, bytes: &[u8], id: u16) -> Result<Vec<Labels>, String> {
        let answers = resolve::read(bytes, id, self.config.record)?;
        Ok(answers.unwrap_or_default().into_iter().map(|answer| self.target(name, answer)).collect())
    }

    fn target(&self, name: &str, answer: Answer) -> Labels {
        let port = self.config.port;
        let host = |target: &str| target.trim_end_matches('.').to_owned();
        let (address, further) = match answer {
            Answer::Srv { target, port } => {
                let address = format!("{}:{port}", host(&target));
                (address, vec![("__meta_dns_srv_record_target", target), ("__meta_dns_srv_record_port", port.to_string())])
            }
            Answer::Address(address) => (SocketAddr::new(address, port).to_string(), Vec::new()),
            Answer::Mx(target) => (format!("{}:{port}", host(&target)), vec![("__meta_dns_mx_record_target", target)]),
            Answer::Ns(target) => (format!("{}:{port}", host(&target)), vec![("__meta_dns_ns_record_target", target)]),
        };
        Labels::from_pairs([(ADDRESS, address), ("__meta_dns_name", name.to_owned())].into_iter().chain(further))
    }
}

#[cfg(test)]
mod tests;

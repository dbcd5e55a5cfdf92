//! Origins by host and service, each made once.

use std::sync::Arc;

use hashbrown::HashMap;

use super::record::Origin;

/// Origins that are remembered; senders make up more only by inventing names.
const ORIGINS_MAX: usize = 4096;

/// Remembers who sent, so that the records of one sender share their origin.
#[derive(Debug, Default)]
pub struct Origins {
    known: HashMap<String, Arc<Origin>>,
    key: String,
}

impl Origins {
    /// The origin of a host and a service; empty names are left out.
    pub fn of(&mut self, host: &str, service: &str) -> Arc<Origin> {
        self.key.clear();
        self.key.push_str(host);
        // No name has a NUL.
        self.key.push('\0');
        self.key.push_str(service);
        if let Some(origin) = self.known.get(self.key.as_str()) {
            return Arc::clone(origin);
        }
        if self.known.len() >= ORIGINS_MAX {
            self.known.clear();
        }
        let mut origin = Origin::default();
        for (name, value) in [("host.name", host), ("service.name", service)] {
            if !value.is_empty() {
                origin.set(name, value);
            }
        }
        let origin = Arc::new(origin);
        self.known.insert(self.key.clone(), Arc::clone(&origin));
        origin
    }
}

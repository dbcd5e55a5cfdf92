//! Retention by selector: series that are kept for less long than the rest.
//!
//! A segment whose newest row is too old for a selector is looked at once. If it has such series, they are deleted of it like
//! any deletion (durable, hidden at once), due to be purged in the same round: the segment is written anew without them. So a
//! segment is rewritten once for each selector that applies to it, and nothing new can lose rows.

use std::collections::HashSet;

use signalbox_model::{ErrorKind, Result, Table, Tenant};
use signalbox_telemetry::{names, registry};

use super::Maintainer;
use crate::deletion::selector;
use crate::format::SegmentId;
use crate::settings::SelectorRetention;
use crate::tenants::TenantStore;

impl Maintainer {
    /// Deletes what the selectors keep no longer.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is deleted then.
    pub(super) async fn retain_selected(&self) -> Result<()> {
        for (number, rule) in self.settings.retention.selectors.iter().enumerate() {
            for (tenant, store) in self.tenants.all() {
                let expired = self.expired(&store, number, rule)?;
                if expired.is_empty() {
                    continue;
                }
                match self.publisher.expire(&tenant, &rule.matchers, &expired).await {
                    Ok(segments) => Self::report(&tenant, rule, segments),
                    Err(error) => {
                        let mut looked_up = self.looked_up.lock();
                        for segment in expired {
                            looked_up.remove(&(segment, number));
                        }
                        drop(looked_up);
                        // Purging what waits makes room: the next round goes on.
                        return if error.kind() == ErrorKind::Limit { Ok(()) } else { Err(error) };
                    }
                }
            }
        }
        let live: HashSet<SegmentId> = self.tenants.segments().iter().map(|segment| segment.record().id).collect();
        self.looked_up.lock().retain(|(segment, _)| live.contains(segment));
        Ok(())
    }

    /// The segments of a tenant that are too old for a rule and have such series, each looked at once.
    fn expired(&self, store: &TenantStore, number: usize, rule: &SelectorRetention) -> Result<Vec<SegmentId>> {
        let oldest_ns = self.oldest_ns(rule.max_age_seconds);
        let mut expired = Vec::new();
        for segment in [Table::Samples, Table::Histograms, Table::Exemplars].into_iter().flat_map(|table| store.segments(table)) {
            let record = segment.record();
            if record.range.end_ns >= oldest_ns || !self.looked_up.lock().insert((record.id, number)) {
                continue;
            }
            match segment.has_series(&rule.matchers) {
                Ok(true) => expired.push(record.id),
                Ok(false) => {}
                // The quarantine sees to it.
                Err(error) if error.kind() == ErrorKind::Corrupt => {}
                Err(error) => {
                    self.looked_up.lock().remove(&(record.id, number));
                    return Err(error);
                }
            }
        }
        Ok(expired)
    }

    fn oldest_ns(&self, max_age_seconds: u64) -> i64 {
        let max_age_ns = i64::try_from(u128::from(max_age_seconds) * 1_000_000_000).unwrap_or(i64::MAX);
        self.clock.now_ns().saturating_sub(max_age_ns)
    }

    fn report(tenant: &Tenant, rule: &SelectorRetention, segments: usize) {
        registry().counter(names::STORE_DELETIONS_TOTAL, &[]).add(1);
        let selector = selector(&rule.matchers);
        tracing::info!(%tenant, selector, segments, max_age_seconds = rule.max_age_seconds, "retention deleted series {selector} of {segments} segments");
    }
}

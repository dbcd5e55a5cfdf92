//! Keeping a trace for longer than the rest, because somebody says so: Jaeger's "Archive Trace".
//!
//! Jaeger copies the trace into another storage. Here it is marked, and a policy of the retention keeps what is marked; so it is found where
//! it was, by all dialects.

use std::fmt;

use async_trait::async_trait;
use signalbox_model::{Error, ErrorKind, Result, Tenant, TraceId};

use crate::ApiState;

/// Whoever keeps traces that are archived.
#[async_trait]
pub trait Archive: Send + Sync + fmt::Debug {
    /// Marks a trace; durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the mark cannot be written, or nothing keeps what is marked.
    async fn archive(&self, tenant: &Tenant, trace_id: TraceId) -> Result<()>;
}

/// Of a server whose retention keeps no archived traces.
#[derive(Debug)]
pub struct NoArchive;

#[async_trait]
impl Archive for NoArchive {
    async fn archive(&self, _tenant: &Tenant, _trace_id: TraceId) -> Result<()> {
        Err(Error::unavailable("archive span storage was not configured: want a policy with archived: true in store.retention.kept_traces"))
    }
}

/// Archives a trace that is there.
pub(super) async fn archive(state: &ApiState, tenant: &Tenant, trace_id: TraceId) -> Result<()> {
    state.engine.trace(tenant, trace_id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "trace not found"))?;
    state.archive.archive(tenant, trace_id).await
}

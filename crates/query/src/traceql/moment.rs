//! Several questions about traces over one snapshot: a search, and then the traces that it found.

use signalbox_model::{Owners, Result, TraceId};
use signalbox_store::Snapshot;

use super::search::search;
use super::{SearchAnswer, SearchRequest, Trace, fetch};
use crate::Engine;
use crate::budget::Share;
use crate::rows::Shared;

/// What some tenants have at one instant. Keeps alive what it shows: hold it no longer than an answer takes.
#[derive(Debug, Clone)]
pub struct Moment {
    snapshot: Snapshot,
}

impl Engine {
    /// What tenants have now.
    pub fn moment(&self, owners: impl Into<Owners>) -> Moment {
        Moment { snapshot: self.store.snapshot(owners) }
    }

    /// As [`Engine::trace`], of a moment.
    ///
    /// # Errors
    /// Those of [`Engine::trace`].
    pub async fn trace_at(&self, moment: &Moment, trace_id: TraceId) -> Result<Option<Trace>> {
        let snapshot = moment.snapshot.clone();
        let question = self.blocking(move |leash| {
            let trace = fetch(&snapshot, trace_id, &mut Shared::default(), leash)?;
            Ok((!trace.spans.is_empty()).then_some(trace))
        });
        self.watched("trace", trace_id, question).await
    }

    /// As [`Engine::traceql_search`], of a moment.
    ///
    /// # Errors
    /// Those of [`Engine::traceql_search`].
    pub async fn traceql_search_at(&self, moment: &Moment, request: SearchRequest) -> Result<SearchAnswer> {
        request.check(&self.settings)?;
        let (snapshot, share) = (moment.snapshot.clone(), Share::of(&self.budget));
        let text = request.query.to_string();
        let question = self.blocking(move |leash| search(&snapshot, &request, leash, &share));
        self.watched("traceql", text, question).await
    }
}

//! Deletions of log records from the request to the day on which the records have left the disk, each step written down.
//!
//! | state | said by | means |
//! |---|---|---|
//! | `asked` | whoever asks | written down; nothing may be deleted without that |
//! | `masked` | the store | the records are in no answer any more |
//! | `erased` | the store | no segment holds them any more |
//! | `cancelling`, `cancelled` | whoever asks, the store | what had not left the disk is back |
//! | `failed` | the engine | nothing was deleted |
//!
//! The store has the deletion itself, under a reason that names the request: what it has decides what a step that a crash
//! broke off came to. So [`settle_at_start`] must run before anybody can ask for a deletion.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::logql::LogExpr;
use signalbox_meta::{LogDeletion, LogDeletionFilter, LogDeletionState as State, LogDeletionStep, Meta};
use signalbox_model::{Error, ErrorKind, Result, Tenant, TimeRange};
use signalbox_query::Engine;
use signalbox_query::admin::{self, Undelete, Undeleted};
use tokio::sync::Mutex;
use tracing::Instrument as _;

use crate::ApiState;

const DAY_NS: i64 = 86_400_000_000_000;
/// How often deletions that are too old are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(3_600);
/// Names that are tried for a request before there must be something wrong with them.
const NAMES_MAX: u32 = 100;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) tenant: &'a Tenant,
    /// The query, and its text as it was written.
    pub(crate) expr: LogExpr,
    pub(crate) query: &'a str,
    pub(crate) range: TimeRange,
    /// Who asks.
    pub(crate) asker: &'a str,
}

/// What became of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// The records are in answers again.
    Done,
    /// Some may have left the disk; nothing was done.
    PartlyErased,
    /// There is nothing to bring back.
    TooLate,
    /// There is no such request.
    Unknown,
}

/// Keeps the steps of different callers apart.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<()>);

/// Where a request is written down.
fn book(state: &ApiState) -> Result<Arc<Meta>> {
    state.meta.clone().ok_or_else(|| Error::unavailable("cannot delete log records: this server has nowhere to write the request down"))
}

/// The reason of a deletion in the store.
fn reason(deletion: &LogDeletion) -> String {
    format!("request {} from {} to {}: {}", deletion.request, deletion.start_ns, deletion.end_ns, deletion.query)
}

/// Deletes records, and gives the name of the request. Durable when it returns, and then in no later answer. It is done to its
/// end even if nobody waits for it.
///
/// # Errors
/// As [`Engine::delete_logs`]; `Unavailable` if the request cannot be written down, and then nothing is deleted.
pub(crate) async fn delete(state: &ApiState, order: Order<'_>) -> Result<String> {
    let (meta, now_ns) = (book(state)?, state.engine.clock().now_ns());
    let Order { tenant, expr, query, range, asker } = order;
    let mut deletion = LogDeletion {
        request: String::new(),
        tenant: tenant.to_string(),
        query: query.to_owned(),
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        asked_at_ns: now_ns,
        asker: asker.to_owned(),
        state: State::Asked,
        records: None,
        masked_at_ns: None,
        ended_at_ns: None,
        note: String::new(),
    };
    let mut names = (0..NAMES_MAX).map(|attempt| format!("{:08x}", crc32c::crc32c(format!("{now_ns} {attempt} {tenant} {range:?} {query}").as_bytes())));
    loop {
        deletion.request = names.next().ok_or_else(|| Error::internal("cannot find a name for a delete request: all are taken"))?;
        if meta.add_log_deletion(&deletion).await? {
            break;
        }
    }
    let request = deletion.request.clone();
    let carried_out = carry_out(Arc::clone(&state.engine), meta, tenant.clone(), expr, deletion).in_current_span();
    tokio::spawn(carried_out).await.map_err(|error| Error::internal("a deletion ended in a panic").with_source(error))??;
    Ok(request)
}

async fn carry_out(engine: Arc<Engine>, meta: Arc<Meta>, tenant: Tenant, expr: LogExpr, deletion: LogDeletion) -> Result<()> {
    let range = TimeRange::from_ns(deletion.start_ns, deletion.end_ns);
    let deleted = engine.delete_logs(&tenant, expr, range, &reason(&deletion)).await;
    let step = Step { meta: &meta, deletion: &deletion, at_ns: engine.clock().now_ns() };
    match deleted {
        Ok(records) => {
            let LogDeletion { request, query, start_ns, end_ns, asker, .. } = &deletion;
            tracing::info!(
                %tenant, request, query, start_ns, end_ns, records, asker,
                "delete request {request} of tenant {tenant} deleted {records} log records, asked for by {asker}"
            );
            step.take(State::Asked, State::Masked, Some(records), "").await?;
            if records == 0 { step.take(State::Masked, State::Erased, None, "").await } else { Ok(()) }
        }
        Err(error) => {
            // What the disk refused may hold after all: `settle` finds out.
            let to = if error.kind() == ErrorKind::Unavailable { State::Asked } else { State::Failed };
            step.take(State::Asked, to, None, error.message()).await?;
            Err(error)
        }
    }
}

/// One step of a deletion at an instant.
struct Step<'a> {
    meta: &'a Meta,
    deletion: &'a LogDeletion,
    at_ns: i64,
}

impl Step<'_> {
    /// Writes it down; somebody else may have done so before.
    async fn take(&self, from: State, to: State, records: Option<u64>, note: &str) -> Result<()> {
        let (tenant, request, at_ns) = (&self.deletion.tenant, &self.deletion.request, self.at_ns);
        self.meta.move_log_deletion(&LogDeletionStep { tenant, request, from, to, at_ns, records, note }).await.map(|_| ())
    }
}

/// Has the records of a request in answers again. It is done to its end even if nobody waits for it.
///
/// # Errors
/// Of the state database; `Unavailable` if the disk refuses.
pub(crate) async fn cancel(state: &ApiState, tenant: &Tenant, request: &str, which: Undelete, asker: &str) -> Result<Cancelled> {
    let (state, tenant, request, asker) = (state.clone(), tenant.clone(), request.to_owned(), asker.to_owned());
    let done = async move {
        let _turn = state.turns.0.lock().await;
        let meta = book(&state)?;
        settle_in_turn(&state.engine, &meta, Moment::Now).await?;
        let filter = LogDeletionFilter { tenant: Some(tenant.to_string()), request: Some(request), limit: 1, ..LogDeletionFilter::default() };
        let Some(deletion) = meta.log_deletions(&filter).await?.pop() else { return Ok(Cancelled::Unknown) };
        let step = Step { meta: &meta, deletion: &deletion, at_ns: state.engine.clock().now_ns() };
        match deletion.state {
            State::Masked => step.take(State::Masked, State::Cancelling, None, "").await?,
            State::Cancelling => {}
            State::Asked | State::Erased => return Ok(Cancelled::TooLate),
            State::Cancelled | State::Failed => return Ok(Cancelled::Unknown),
        }
        let undeleted = state.engine.undelete_logs(&tenant, &reason(&deletion), which).await?;
        match undeleted {
            Undeleted::Back => {
                let what = if which == Undelete::Whole { "" } else { ", as far as they had not left the disk" };
                step.take(State::Cancelling, State::Cancelled, None, &format!("cancelled by {asker}{what}")).await?;
                tracing::info!(%tenant, request = deletion.request, asker, "delete request {} of tenant {tenant} was cancelled by {asker}", deletion.request);
                Ok(Cancelled::Done)
            }
            Undeleted::PartlyErased => step.take(State::Cancelling, State::Masked, None, "").await.map(|()| Cancelled::PartlyErased),
            Undeleted::Unknown => step.take(State::Cancelling, State::Erased, None, "").await.map(|()| Cancelled::TooLate),
        }
    };
    tokio::spawn(done.in_current_span()).await.map_err(|error| Error::internal("a cancellation ended in a panic").with_source(error))?
}

/// Deletions as of now, newest first.
///
/// # Errors
/// Of the state database; `Unavailable` if there is none.
pub(crate) async fn list(state: &ApiState, filter: &LogDeletionFilter) -> Result<Vec<LogDeletion>> {
    let meta = book(state)?;
    settle(state, &meta, Moment::Now).await?;
    meta.log_deletions(filter).await
}

/// Whether something may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Start,
    Now,
}

async fn settle(state: &ApiState, meta: &Meta, moment: Moment) -> Result<()> {
    let _turn = state.turns.0.lock().await;
    settle_in_turn(&state.engine, meta, moment).await
}

/// Writes down what became of deletions that are not over.
async fn settle_in_turn(engine: &Engine, meta: &Meta, moment: Moment) -> Result<()> {
    let states = vec![State::Asked, State::Masked, State::Cancelling];
    // Before the store is looked at: what is masked now was there then.
    let open = meta.log_deletions(&LogDeletionFilter { states, limit: u32::MAX, ..LogDeletionFilter::default() }).await?;
    let mut held: HashMap<&str, HashMap<String, admin::LogDeletion>> = HashMap::new();
    for deletion in &open {
        if !held.contains_key(deletion.tenant.as_str()) {
            let of_tenant = engine.log_deletions(&Tenant::new(&deletion.tenant)?);
            held.insert(&deletion.tenant, of_tenant.into_iter().map(|held| (held.reason.clone(), held)).collect());
        }
    }
    let at_ns = engine.clock().now_ns();
    for deletion in &open {
        let held = held.get(deletion.tenant.as_str()).and_then(|held| held.get(&reason(deletion)));
        let step = Step { meta, deletion, at_ns };
        match (deletion.state, held) {
            (State::Asked, Some(held)) => Step { at_ns: held.created_at_ns, ..step }.take(State::Asked, State::Masked, Some(held.rows), "").await?,
            (State::Asked, None) if moment == Moment::Start => {
                step.take(State::Asked, State::Failed, None, "the server stopped before anything was deleted").await?;
            }
            (State::Masked, None) => {
                step.take(State::Masked, State::Erased, None, "").await?;
                let LogDeletion { request, tenant, .. } = deletion;
                tracing::info!(tenant, request, "the records of delete request {request} of tenant {tenant} have left the disk");
            }
            (State::Cancelling, None) => step.take(State::Cancelling, State::Cancelled, None, "").await?,
            (State::Cancelling, Some(_)) if moment == Moment::Start => step.take(State::Cancelling, State::Masked, None, "").await?,
            _ => {}
        }
    }
    Ok(())
}

/// Writes down what became of deletions that an earlier process left in the middle. To be called once, before requests are
/// answered.
///
/// # Errors
/// Of the state database.
pub async fn settle_at_start(state: &ApiState) -> Result<()> {
    match &state.meta {
        Some(meta) => settle(state, meta, Moment::Start).await,
        None => Ok(()),
    }
}

/// Writes down when the records of deletions have left the disk, and forgets deletions that were over for as long as the settings
/// say. Runs until it is dropped.
pub async fn follow(state: ApiState) {
    let Some(meta) = &state.meta else { return };
    let kept_ns = i64::try_from(state.loki.settings.deletions_kept_days).unwrap_or(i64::MAX).saturating_mul(DAY_NS);
    let mut forgotten = state.engine.deletions_forgotten();
    let mut hourly = tokio::time::interval(FORGET_INTERVAL);
    loop {
        tokio::select! {
            changed = forgotten.changed() => if changed.is_err() { return },
            _ = hourly.tick() => {
                let before_ns = state.engine.clock().now_ns().saturating_sub(kept_ns);
                if let Err(error) = meta.forget_log_deletions(before_ns).await {
                    tracing::warn!(%error, "cannot forget old deletions of log records: {error}");
                }
            }
        }
        if let Err(error) = settle(&state, meta, Moment::Now).await {
            tracing::warn!(%error, "cannot write down what became of deletions of log records: {error}");
        }
    }
}

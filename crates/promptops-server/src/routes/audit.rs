//! `GET /v1/audit/head` and `/v1/audit/entries`: who did what.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::json::{InQuery, MAX_NUMBER, Now};
use crate::refusal::Refusal;
use crate::schema::{self, AuditEntry, AuditHead, AuditPage};
use crate::state::Shared;

/// Batches on a page when nothing is said, and at most.
const MAX_LIMIT: usize = 100;

/// Shows the head of the audit log's tree.
#[utoipa::path(get, operation_id = "readAuditHead", path = "/v1/audit/head", tag = "audit", responses(
    (status = 200, body = AuditHead),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn head(State(state): State<Shared>) -> Result<Now<AuditHead>, Refusal> {
    Ok(Now(AuditHead { head: state.registry.log_head().await?.map(|head| head.to_string()) }))
}

/// Which entries are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryQuery {
    /// The number of the first batch.
    #[param(nullable = false, minimum = 1)]
    first: Option<u64>,
    /// How many batches at most.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// Lists entries of the audit log, oldest first, a page at a time.
#[utoipa::path(get, operation_id = "listAuditEntries", path = "/v1/audit/entries", tag = "audit", params(EntryQuery), responses(
    (status = 200, body = AuditPage),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn entries(State(state): State<Shared>, InQuery(query): InQuery<EntryQuery>) -> Result<Now<AuditPage>, Refusal> {
    let (first, limit) = (query.first.unwrap_or(1), query.limit.unwrap_or(MAX_LIMIT));
    if first == 0 || first > MAX_NUMBER || limit == 0 || limit > MAX_LIMIT {
        return Err(Refusal::bad_request(format!("`first` is from 1, `limit` from 1 to {MAX_LIMIT}")));
    }
    let batches = state.registry.log_batches(first, limit).await?;
    let next = batches.last().filter(|_| batches.len() == limit).map(|batch| batch.sequence.saturating_add(1));
    let numbered = batches.into_iter().flat_map(|batch| batch.entries.into_iter().map(move |entry| (batch.sequence, entry)));
    let entries = numbered.map(|(batch, entry)| AuditEntry {
        batch,
        time: entry.time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        actor: entry.actor,
        action: entry.action.name(),
        subject: entry.subject,
        digest: entry.digest.to_string(),
        details: entry.details,
    });
    Ok(Now(AuditPage { entries: entries.collect(), next }))
}

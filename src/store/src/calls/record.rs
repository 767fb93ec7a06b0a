//! Writes calls: the data that any message can contain, and the data that only the report contains.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value as Bind};
use serde_json::Value;
use uuid::Uuid;

use crate::insertion::{Insertion, insert_rows};
use crate::sql::{owned, statement};

/// Data about a call that a message of any type can contain.
#[derive(Debug, Clone, Default)]
pub struct CallTouch<'a> {
    pub id: &'a str,
    pub status: &'a str,
    /// Rank of the state. The stored rank never decreases.
    pub status_rank: i64,
    pub started_at: Option<DateTime<Utc>>,
    /// End of the call, if the state is final.
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_reason: Option<&'a str>,
    pub customer_number: Option<&'a str>,
    pub customer_name: Option<&'a str>,
    /// The number that was called.
    pub phone_number: Option<&'a str>,
    pub assistant_id: Option<&'a str>,
}

/// Inserts the call, or advances its state, and locks its row until the transaction ends. The state never goes back.
/// Returns false if the caller was erased, even by a concurrent transaction.
///
/// # Errors
/// When the database fails.
pub async fn touch(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call: &CallTouch<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    Ok(touch_each(tx, rulebook_id, &[(call, now)]).await? == 1)
}

/// Does the same as [`touch`] for several calls. `calls` contains each call with the time of its message. Returns how
/// many calls were written.
///
/// # Errors
/// When the database fails.
pub async fn touch_each(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    calls: &[(&CallTouch<'_>, DateTime<Utc>)],
) -> Result<usize, DbErr> {
    const INSERT: &str = "INSERT INTO calls (rulebook_id, id, status, status_rank, started_at, ended_at, ended_reason, \
        customer_number, customer_name, phone_number, assistant_id, first_seen_at, updated_at)";
    const THEN: &str = "ON CONFLICT (rulebook_id, id) DO UPDATE SET \
        status = CASE WHEN (excluded.status_rank, excluded.status) > (calls.status_rank, calls.status) \
            THEN excluded.status ELSE calls.status END, \
        status_rank = CASE WHEN excluded.status_rank > calls.status_rank THEN excluded.status_rank ELSE calls.status_rank END, \
        started_at = coalesce(calls.started_at, excluded.started_at), \
        ended_at = coalesce(calls.ended_at, excluded.ended_at), \
        ended_reason = coalesce(calls.ended_reason, excluded.ended_reason), \
        customer_number = coalesce(calls.customer_number, excluded.customer_number), \
        customer_name = coalesce(calls.customer_name, excluded.customer_name), \
        phone_number = coalesce(calls.phone_number, excluded.phone_number), \
        assistant_id = coalesce(calls.assistant_id, excluded.assistant_id), \
        updated_at = excluded.updated_at \
        WHERE calls.erased_at IS NULL RETURNING id";
    let rows = calls
        .iter()
        .map(|(call, now)| touched(rulebook_id, call, *now))
        .collect();
    Ok(insert_rows(tx, INSERT, rows, THEN).await?.len())
}

fn touched(rulebook_id: Uuid, call: &CallTouch<'_>, now: DateTime<Utc>) -> [Bind; 13] {
    [
        rulebook_id.into(),
        call.id.into(),
        call.status.into(),
        call.status_rank.into(),
        call.started_at.into(),
        call.ended_at.into(),
        owned(call.ended_reason),
        owned(call.customer_number),
        owned(call.customer_name),
        owned(call.phone_number),
        owned(call.assistant_id),
        now.into(),
        now.into(),
    ]
}

/// Data about a call that only its report contains.
#[derive(Debug, Clone, Default)]
pub struct ReportedCall<'a> {
    pub touch: CallTouch<'a>,
    pub duration_ms: Option<i64>,
    pub summary: Option<&'a str>,
    pub recording_url: Option<&'a str>,
    /// The cost of the call, in millionths of a dollar.
    pub cost_micros: Option<i64>,
    /// The address of the job.
    pub address: Option<&'a str>,
    pub city: Option<&'a str>,
    pub postal_code: Option<&'a str>,
    pub service: Option<&'a str>,
    pub language: Option<&'a str>,
    pub analysis: Option<&'a Value>,
    /// Time of the report. If a call has several reports, the latest is used.
    pub report_at: DateTime<Utc>,
    /// SHA-256 of the report's body. If two reports have the same time, the report with the greater hash is used.
    pub report_hash: [u8; 32],
}

/// Fills the call from its report, unless a later report was recorded or the caller was erased. Returns whether the
/// call was filled.
///
/// # Errors
/// When the database fails.
pub async fn record_report(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call: &ReportedCall<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let filled = report_insertion(rulebook_id, [(call, now)].into_iter()).run(tx).await?;
    Ok(!filled.is_empty())
}

/// Builds the insertion of calls that have a report. The statement returns the ids of the calls that it filled.
pub(crate) fn report_insertion<'a>(
    rulebook_id: Uuid,
    calls: impl Iterator<Item = (&'a ReportedCall<'a>, DateTime<Utc>)>,
) -> Insertion {
    const INSERT: &str = "INSERT INTO calls (rulebook_id, id, status, status_rank, started_at, ended_at, ended_reason, \
        customer_number, customer_name, phone_number, assistant_id, first_seen_at, updated_at, duration_ms, summary, \
        recording_url, cost_micros, address, city, postal_code, service, language, analysis, report_at, report_hash)";
    const THEN: &str = "ON CONFLICT (rulebook_id, id) DO UPDATE SET \
        status = excluded.status, status_rank = excluded.status_rank, \
        started_at = coalesce(excluded.started_at, calls.started_at), ended_at = coalesce(excluded.ended_at, calls.ended_at), \
        ended_reason = coalesce(excluded.ended_reason, calls.ended_reason), \
        customer_number = coalesce(excluded.customer_number, calls.customer_number), \
        customer_name = coalesce(excluded.customer_name, calls.customer_name), \
        phone_number = coalesce(excluded.phone_number, calls.phone_number), \
        assistant_id = coalesce(excluded.assistant_id, calls.assistant_id), updated_at = excluded.updated_at, \
        duration_ms = excluded.duration_ms, summary = excluded.summary, recording_url = excluded.recording_url, \
        cost_micros = excluded.cost_micros, address = excluded.address, city = excluded.city, \
        postal_code = excluded.postal_code, service = excluded.service, language = excluded.language, \
        analysis = excluded.analysis, report_at = excluded.report_at, report_hash = excluded.report_hash \
        WHERE calls.erased_at IS NULL AND (calls.report_at IS NULL \
        OR (excluded.report_at, excluded.report_hash) > (calls.report_at, calls.report_hash)) RETURNING id";
    let rows = calls.map(|(call, now)| reported(rulebook_id, call, now));
    Insertion::of_values(INSERT, rows, THEN)
}

fn reported(rulebook_id: Uuid, call: &ReportedCall<'_>, now: DateTime<Utc>) -> [Bind; 25] {
    let touch = &call.touch;
    [
        rulebook_id.into(),
        touch.id.into(),
        touch.status.into(),
        touch.status_rank.into(),
        touch.started_at.into(),
        touch.ended_at.into(),
        owned(touch.ended_reason),
        owned(touch.customer_number),
        owned(touch.customer_name),
        owned(touch.phone_number),
        owned(touch.assistant_id),
        now.into(),
        now.into(),
        call.duration_ms.into(),
        owned(call.summary),
        owned(call.recording_url),
        call.cost_micros.into(),
        owned(call.address),
        owned(call.city),
        owned(call.postal_code),
        owned(call.service),
        owned(call.language),
        call.analysis.cloned().into(),
        call.report_at.into(),
        call.report_hash.to_vec().into(),
    ]
}

/// Stores a decision as the last quote of its call.
///
/// # Errors
/// When the database fails.
pub async fn pin_quote(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    decision_id: Uuid,
) -> Result<(), DbErr> {
    const SQL: &str =
        "UPDATE calls SET quote_decision_id = $3 WHERE rulebook_id = $1 AND id = $2 AND erased_at IS NULL";
    tx.execute_raw(statement(
        tx,
        SQL,
        [rulebook_id.into(), call_id.into(), decision_id.into()],
    ))
    .await?;
    Ok(())
}

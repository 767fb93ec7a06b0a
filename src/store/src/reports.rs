//! Writes the first reports of calls: the calls, their turns, the decisions and the leads.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr, FromQueryResult as _};
use uuid::Uuid;

use crate::call_transcripts::{self, Turns};
use crate::calls::{self, ReportedCall};
use crate::decisions::{self, NewDecision};
use crate::insertion::MAX_ROWS;
use crate::leads::{self, NewLead};

/// Whether the database server rejects a statement that inserts into several tables. Citus, for example, rejects it.
static SEPARATELY: AtomicBool = AtomicBool::new(false);

/// The first report of a call.
#[derive(Debug)]
pub struct NewReport<'a> {
    pub call: ReportedCall<'a>,
    /// When Ringbook received the report.
    pub now: DateTime<Utc>,
    pub turns: Turns<'a>,
    pub decision: NewDecision<'a>,
    /// The lead of the call. The price of the lead must be determined.
    pub lead: NewLead<'a>,
}

/// Writes reports of different calls of a rulebook, and returns the leads of these calls. Returns `None` if one of the
/// calls has a later report or an erased caller. The transaction must then be rolled back. The transaction must already
/// have locked the rows of existing calls.
///
/// On `PostgreSQL`, one statement writes all tables, because each statement costs a transaction a network round trip.
///
/// # Errors
/// When the database fails.
pub async fn record(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    mut reports: Vec<NewReport<'_>>,
) -> Result<Option<Vec<leads::Model>>, DbErr> {
    let mut leads = Vec::with_capacity(reports.len());
    while !reports.is_empty() {
        let rest = reports.split_off(reports.len().min(MAX_ROWS));
        match record_some(tx, rulebook_id, reports).await? {
            Some(mut some) => leads.append(&mut some),
            None => return Ok(None),
        }
        reports = rest;
    }
    Ok(Some(leads))
}

async fn record_some(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reports: Vec<NewReport<'_>>,
) -> Result<Option<Vec<leads::Model>>, DbErr> {
    let count = reports.len();
    let (mut turns, mut decisions, mut leads) = (Vec::new(), Vec::new(), Vec::new());
    let mut calls = Vec::with_capacity(count);
    for report in reports {
        calls.push((report.call, report.now));
        turns.push(report.turns);
        decisions.push(report.decision);
        leads.push(report.lead);
    }
    let calls = calls::report_insertion(rulebook_id, calls.iter().map(|(call, now)| (call, *now)));
    call_transcripts::clear(tx, rulebook_id, &turns).await?;
    let turns = call_transcripts::insertion(tx, rulebook_id, turns)?;
    let decisions = decisions::insertion(decisions.into_iter());
    let leads = leads::insertion(rulebook_id, &leads);
    let written = if writes_at_once(tx) {
        leads.run_after(tx, (calls, count), [turns, decisions]).await?
    } else {
        if calls.run(tx).await?.len() < count {
            return Ok(None);
        }
        turns.run(tx).await?;
        decisions.run(tx).await?;
        leads.run(tx).await?
    };
    if written.is_empty() {
        return Ok(None);
    }
    let leads: Result<Vec<_>, _> = written
        .iter()
        .map(|row| leads::Model::from_query_result(row, ""))
        .collect();
    leads.map(Some)
}

fn writes_at_once(tx: &DatabaseTransaction) -> bool {
    tx.get_database_backend() == DatabaseBackend::Postgres && !SEPARATELY.load(Ordering::Relaxed)
}

/// Makes all further reports write each table with a separate statement.
pub(crate) fn write_separately() {
    SEPARATELY.store(true, Ordering::Relaxed);
}

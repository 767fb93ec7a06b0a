//! Reads the calls, leads and SMS messages of a period and counts them by day.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect as _};
use uuid::Uuid;

use super::{Figures, sum};
use crate::leads::is_late;
use rules::money::Money;
use rules::segments::segments;
use store::{calls, escalations, leads, sms_messages};
use web::problem::Problem;

/// Maximum number of rows of each kind in one statement.
const MAX_ROWS: u64 = 20_000;
/// Maximum number of call ids per query.
const CHUNK: usize = 512;

/// A call: id, time, duration in milliseconds, and cost in millionths of a US dollar.
type CallRow = (String, DateTime<Utc>, Option<i64>, Option<i64>);
/// An SMS message: call id, time, state, Twilio's id, and text.
type MessageRow = (Option<String>, DateTime<Utc>, String, Option<String>, String);

/// What to count.
pub struct Scope {
    pub rulebook_id: Uuid,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub zone: Tz,
    pub simulated: bool,
    pub now: DateTime<Utc>,
}

impl Scope {
    fn day<'a>(&self, days: &'a mut BTreeMap<NaiveDate, Figures>, at: DateTime<Utc>) -> Option<&'a mut Figures> {
        days.get_mut(&at.with_timezone(&self.zone).date_naive())
    }

    /// Whether a call counts.
    fn counts(&self, call_id: Option<&str>) -> bool {
        self.simulated || !calls::is_simulated(call_id)
    }
}

/// Adds the calls, leads and messages to their days.
///
/// # Errors
/// 422 if there are more than `MAX_ROWS` rows of a kind.
pub async fn count(
    db: &DatabaseConnection,
    scope: &Scope,
    days: &mut BTreeMap<NaiveDate, Figures>,
) -> Result<(), Problem> {
    count_calls(db, scope, days).await?;
    count_leads(db, scope, days).await?;
    count_messages(db, scope, days).await
}

async fn count_calls(
    db: &DatabaseConnection,
    scope: &Scope,
    days: &mut BTreeMap<NaiveDate, Figures>,
) -> Result<(), Problem> {
    let rows: Vec<CallRow> = calls::Entity::find()
        .select_only()
        .columns([
            calls::Column::Id,
            calls::Column::FirstSeenAt,
            calls::Column::DurationMs,
            calls::Column::CostMicros,
        ])
        .filter(calls::Column::RulebookId.eq(scope.rulebook_id))
        .filter(calls::Column::FirstSeenAt.gte(scope.since))
        .filter(calls::Column::FirstSeenAt.lt(scope.until))
        .limit(MAX_ROWS + 1)
        .into_tuple()
        .all(db)
        .await?;
    bounded(rows.len())?;
    let counted = rows.into_iter().filter(|(id, ..)| scope.counts(Some(id)));
    for (_, at, duration_ms, cost_micros) in counted {
        let Some(day) = scope.day(days, at) else { continue };
        day.calls += 1;
        day.seconds = day.seconds.saturating_add(duration_ms.unwrap_or_default() / 1000);
        match cost_micros {
            Some(cost) => day.cost_micros = day.cost_micros.saturating_add(cost),
            None => day.calls_without_cost += 1,
        }
    }
    Ok(())
}

async fn count_leads(
    db: &DatabaseConnection,
    scope: &Scope,
    days: &mut BTreeMap<NaiveDate, Figures>,
) -> Result<(), Problem> {
    let rows = leads::Entity::find()
        .filter(leads::Column::RulebookId.eq(scope.rulebook_id))
        .filter(leads::Column::CreatedAt.gte(scope.since))
        .filter(leads::Column::CreatedAt.lt(scope.until))
        .limit(MAX_ROWS + 1)
        .all(db)
        .await?;
    bounded(rows.len())?;
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| scope.counts(Some(&row.call_id)))
        .collect();
    for chunk in rows.chunks(CHUNK) {
        let calls = chunk.iter().map(|row| row.call_id.as_str()).collect();
        let handed_on = escalations::of_calls(db, scope.rulebook_id, calls).await?;
        let by_call: BTreeMap<&str, &escalations::Model> = handed_on
            .iter()
            .filter_map(|one| Some((one.call_id.as_deref()?, one)))
            .collect();
        for row in chunk {
            let Some(day) = scope.day(days, row.created_at) else {
                continue;
            };
            let handed_on = by_call.get(row.call_id.as_str()).copied();
            day.leads += 1;
            if let Some(priority) = &row.priority {
                *day.leads_by_priority.entry(priority.clone()).or_default() += 1;
            }
            day.answered_late += u64::from(is_late(row, handed_on, scope.now));
            day.not_taken += u64::from(handed_on.is_none_or(|one| one.acknowledged_at.is_none()));
            let is_ours = row.currency.as_ref() == Some(&day.currency);
            if let Some((from, to)) = row.price_from.zip(row.price_to).filter(|_| is_ours) {
                day.quoted_leads += 1;
                day.quoted_from = sum(day.quoted_from, Money::from_minor(from));
                day.quoted_to = sum(day.quoted_to, Money::from_minor(to));
            }
        }
    }
    Ok(())
}

async fn count_messages(
    db: &DatabaseConnection,
    scope: &Scope,
    days: &mut BTreeMap<NaiveDate, Figures>,
) -> Result<(), Problem> {
    let rows: Vec<MessageRow> = sms_messages::Entity::find()
        .select_only()
        .columns([
            sms_messages::Column::CallId,
            sms_messages::Column::CreatedAt,
            sms_messages::Column::State,
            sms_messages::Column::ProviderId,
            sms_messages::Column::Body,
        ])
        .filter(sms_messages::Column::RulebookId.eq(scope.rulebook_id))
        .filter(sms_messages::Column::CreatedAt.gte(scope.since))
        .filter(sms_messages::Column::CreatedAt.lt(scope.until))
        .limit(MAX_ROWS + 1)
        .into_tuple()
        .all(db)
        .await?;
    bounded(rows.len())?;
    let counted = rows
        .into_iter()
        .filter(|(call_id, ..)| scope.counts(call_id.as_deref()));
    for (_, at, state, provider_id, body) in counted {
        let Some(day) = scope.day(days, at) else { continue };
        day.sms_messages += 1;
        *day.sms_by_state.entry(state).or_default() += 1;
        if provider_id.is_some() {
            day.segments += segments(&body).count as u64;
        }
    }
    Ok(())
}

fn bounded(rows: usize) -> Result<(), Problem> {
    if u64::try_from(rows).is_ok_and(|rows| rows <= MAX_ROWS) {
        return Ok(());
    }
    let detail =
        format!("One statement counts {MAX_ROWS} calls, leads and SMS messages at most: read the days of the month.");
    Err(Problem::fault("period", "too_large", detail))
}

//! Finds the calls without a service, optionally with what was said and grouped by common words.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::auth::Caller;
use super::masking;
use super::rule_hits::{UnmatchedCall, UnmatchedGroup};
use super::state::AdminState;
use authoring::backtest::stored_facts;
use authoring::unmatched::groups;
use rules::hearing::callers_words;
use store::decisions::pages::least_id;
use store::{calls, decisions};
use web::problem::Problem;

/// Maximum number of unmatched calls in a response.
const MAX_CALLS: u64 = 100;
/// At most this many calls with a service are read; their words are excluded from the groups.
const MAX_MATCHED: u64 = 100;
/// The response contains at most this many characters of what a caller said.
const MAX_SAID: usize = 600;

/// Returns the newest unmatched calls, without what was said.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn calls(
    state: &AdminState,
    rulebook_id: Uuid,
    earliest: DateTime<Utc>,
) -> Result<Vec<UnmatchedCall>, Problem> {
    let found = of_callers(rulebook_id, earliest)
        .select_only()
        .columns([
            decisions::Column::CallId,
            decisions::Column::Id,
            decisions::Column::Purpose,
            decisions::Column::CreatedAt,
        ])
        .filter(decisions::Column::Service.is_null())
        .limit(MAX_CALLS)
        .into_tuple::<(Option<String>, Uuid, String, DateTime<Utc>)>()
        .all(state.read())
        .await?;
    let call = |(call_id, decision_id, purpose, at)| UnmatchedCall {
        call_id,
        decision_id,
        purpose,
        at,
        said: None,
        language: None,
    };
    Ok(found.into_iter().map(call).collect())
}

/// Returns the newest unmatched calls that have a report, and groups of these calls. The calls contain what was said,
/// masked if needed for this API caller.
///
/// # Errors
/// Returns an error if the database fails or the threads are busy.
pub(super) async fn with_words(
    state: &AdminState,
    caller: &Caller,
    rulebook_id: Uuid,
    earliest: DateTime<Utc>,
) -> Result<(Vec<UnmatchedCall>, Vec<UnmatchedGroup>), Problem> {
    let reports = || of_callers(rulebook_id, earliest).filter(decisions::Column::Purpose.eq("report"));
    let unmatched = reports()
        .filter(decisions::Column::Service.is_null())
        .limit(MAX_CALLS)
        .all(state.read())
        .await?;
    let matched = reports()
        .filter(decisions::Column::Service.is_not_null())
        .limit(MAX_MATCHED)
        .all(state.read())
        .await?;
    let work = move || {
        let said = |rows: &[decisions::Model]| rows.iter().map(words).collect::<Result<Vec<_>, _>>();
        let (said, known) = (said(&unmatched)?, said(&matched)?);
        let found = groups(&said, &known);
        Ok::<_, serde_json::Error>((unmatched, said, found))
    };
    let (unmatched, said, found) = state
        .study(rulebook_id, work)
        .await?
        .map_err(|error| Problem::internal(&error))?;
    let ids = |places: Vec<usize>| {
        let rows = places.into_iter().filter_map(|place| unmatched.get(place));
        rows.filter_map(|row| row.call_id.clone()).collect()
    };
    let found = found.into_iter().map(|group| UnmatchedGroup {
        phrase: masking::text(caller, Some(group.phrase)).unwrap_or_default(),
        call_ids: ids(group.calls),
    });
    let found = found.collect();
    let shown = unmatched.iter().zip(said).map(|(row, said)| UnmatchedCall {
        call_id: row.call_id.clone(),
        decision_id: row.id,
        purpose: row.purpose.clone(),
        at: row.created_at,
        said: masking::text(caller, Some(said.chars().take(MAX_SAID).collect())),
        language: row.result["language"].as_str().map(ToOwned::to_owned),
    });
    Ok((shown.collect(), found))
}

/// Selects decisions for real callers, the newest first, without simulated calls.
fn of_callers(rulebook_id: Uuid, earliest: DateTime<Utc>) -> Select<decisions::Entity> {
    decisions::Entity::find()
        .filter(decisions::Column::RulebookId.eq(rulebook_id))
        .filter(decisions::Column::CreatedAt.gte(earliest))
        // The query reads rows by id, so this condition limits the ids. The hour of slack is for instances whose clocks
        // differ.
        .filter(decisions::Column::Id.gte(least_id(earliest - TimeDelta::hours(1))))
        .filter(calls::simulated(&decisions::Column::CallId, false))
        .order_by_desc(decisions::Column::Id)
}

/// Returns what the caller said, or an empty string if the words were erased.
fn words(row: &decisions::Model) -> Result<String, serde_json::Error> {
    let facts = stored_facts(&row.extracted.to_string())?;
    Ok(facts.map_or_else(String::new, |facts| callers_words(&facts.said).into_owned()))
}

//! Decisions, with the facts that they are based on.

pub mod pages;
mod record;

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseBackend, DatabaseTransaction};
use serde_json::json;

use crate::sql::statement;

pub(crate) use self::record::insertion;
pub use self::record::{NewDecision, insert};

/// A row of `decisions`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decisions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub event_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub purpose: String,
    pub revision: i64,
    pub decided_for: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub extracted: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub result: Json,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub priority: String,
    pub price_from: Option<i64>,
    pub price_to: Option<i64>,
    pub degraded: bool,
    pub duration_us: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A quote or a booking of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct SpokenDecision {
    pub id: Uuid,
    /// `quote` or `booking`.
    pub purpose: String,
    /// The facts extracted from the message.
    pub extracted: Json,
    /// The decision with derived facts and the trace.
    pub result: Json,
}

/// Returns the latest 20 quotes and bookings of each of these calls, newest first.
///
/// # Errors
/// When the database fails.
pub async fn spoken(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_ids: &[&str],
) -> Result<HashMap<String, Vec<SpokenDecision>>, DbErr> {
    const POSTGRES: &str = "SELECT d.* FROM jsonb_array_elements_text($2) AS asked (id) \
        CROSS JOIN LATERAL (SELECT call_id, id, purpose, extracted, result FROM decisions \
        WHERE rulebook_id = $1 AND call_id = asked.id AND purpose IN ('quote', 'booking') \
        ORDER BY created_at DESC, id DESC LIMIT 20) AS d";
    const SQLITE: &str = "SELECT call_id, id, purpose, extracted, result FROM (SELECT call_id, id, purpose, extracted, result, \
        row_number() OVER (PARTITION BY call_id ORDER BY created_at DESC, id DESC) AS place FROM decisions \
        WHERE rulebook_id = $1 AND call_id IN (SELECT value FROM json_each($2)) AND purpose IN ('quote', 'booking')) AS spoken \
        WHERE place <= 20 ORDER BY call_id, place";
    if call_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let asked = statement(tx, sql, [rulebook_id.into(), json!(call_ids).into()]);
    let mut spoken: HashMap<String, Vec<SpokenDecision>> = HashMap::new();
    for row in tx.query_all_raw(asked).await? {
        spoken
            .entry(row.try_get("", "call_id")?)
            .or_default()
            .push(SpokenDecision {
                id: row.try_get("", "id")?,
                purpose: row.try_get("", "purpose")?,
                extracted: row.try_get("", "extracted")?,
                result: row.try_get("", "result")?,
            });
    }
    Ok(spoken)
}

/// The value of `extracted` for an erased caller, as SQL.
pub(super) const ERASED: &str = "'{\"facts\":{},\"erased\":true}'";

/// The `SET` clause that erases a caller from decisions, in the dialect of this database. The clause removes the facts,
/// the spoken text, and the trace texts of scripts and concepts, because all of them may contain the caller's words.
/// Codes, amounts and effects on the price stay.
pub(super) fn forgotten(db: &impl ConnectionTrait) -> String {
    const SQLITE: &str = "json_set(result, '$.say', '', '$.trace', json((SELECT json_group_array(json(\
        CASE WHEN json_extract(s.value, '$.resource') IN ('scripts', 'concepts') THEN json_set(s.value, '$.did', '') ELSE s.value END)) \
        FROM json_each(decisions.result, '$.trace') s)))";
    const POSTGRES: &str = "jsonb_set(jsonb_set(result, '{say}', '\"\"'), '{trace}', coalesce((SELECT jsonb_agg(\
        CASE WHEN s.step ->> 'resource' IN ('scripts', 'concepts') THEN jsonb_set(s.step, '{did}', '\"\"') ELSE s.step END ORDER BY s.place) \
        FROM jsonb_array_elements(result -> 'trace') WITH ORDINALITY AS s (step, place)), '[]'))";
    let result = if db.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    format!("extracted = {ERASED}, result = {result}")
}

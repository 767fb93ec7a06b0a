//! Calls, with the data from their messages.

mod record;

use std::collections::HashSet;

use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};

pub(crate) use self::record::report_insertion;
pub use self::record::{CallTouch, ReportedCall, pin_quote, record_report, touch, touch_each};

/// Ids per statement.
const CHUNK: usize = 100;

/// A row of `calls`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub status_rank: i64,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub duration_ms: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub ended_reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub summary: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub recording_url: Option<String>,
    pub cost_micros: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub customer_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub phone_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub assistant_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub city: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub postal_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub language: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub analysis: Option<Json>,
    pub report_at: Option<DateTimeUtc>,
    pub report_hash: Option<Vec<u8>>,
    pub quote_decision_id: Option<Uuid>,
    pub first_seen_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub erased_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns which of these calls need no report, because their report is recorded or their caller is erased.
pub async fn settled<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, ids: &[String]) -> Result<HashSet<String>, DbErr> {
    let reported = Condition::any()
        .add(Column::ReportAt.is_not_null())
        .add(Column::ErasedAt.is_not_null());
    let mut settled = HashSet::new();
    for chunk in ids.chunks(CHUNK) {
        let found = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::Id.is_in(chunk.iter().map(String::as_str)))
            .filter(reported.clone())
            .into_tuple::<String>()
            .all(db)
            .await?;
        settled.extend(found);
    }
    Ok(settled)
}

/// Prefix of the ids of simulated calls. Vapi's ids are UUIDs, so the prefix marks all rows of a simulated call.
/// Simulated calls send no SMS messages and do not count in statistics.
pub const SIMULATED_PREFIX: &str = "simulated-";

#[must_use]
pub fn is_simulated(call_id: Option<&str>) -> bool {
    call_id.is_some_and(|call_id| call_id.starts_with(SIMULATED_PREFIX))
}

/// Builds a condition on a column of call ids. The condition selects simulated calls if `simulated` is true, and all
/// other calls otherwise. It contains the prefix as a constant, because a query planner uses the partial indexes on
/// simulated rows only for a constant.
pub fn simulated<C: ColumnTrait>(call_id: &C, simulated: bool) -> Condition {
    let (table, column) = (call_id.entity_name(), call_id.as_str());
    let column = format!("\"{}\".\"{column}\"", table.inner());
    if simulated {
        Condition::all().add(Expr::cust(format!("{column} LIKE '{SIMULATED_PREFIX}%'")))
    } else {
        let real = Condition::any().add(call_id.is_null());
        real.add(Expr::cust(format!("{column} NOT LIKE '{SIMULATED_PREFIX}%'")))
    }
}

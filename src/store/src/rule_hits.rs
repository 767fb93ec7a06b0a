//! Counts how often decisions used each rule row, per day and revision.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, SimpleExpr};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, RuntimeErr};
use uuid::Uuid;

use rules::rows::Resource;

/// Number of days for which counts are stored.
pub const KEPT_DAYS: u32 = 400;
/// Rows per statement.
const CHUNK: usize = 50;
/// The resource name under which all decisions are counted.
pub const DECISIONS: &str = "decisions";

/// The key of a counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HitKey {
    pub rulebook_id: Uuid,
    /// The day in UTC, as `2026-11-24`.
    pub day: String,
    pub revision: i64,
    /// The resource's path name, or [`DECISIONS`].
    pub resource: &'static str,
    /// The row's code. It is empty in the counter of decisions that used no row of the resource.
    pub code: String,
}

/// The value of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hits {
    pub hits: i64,
    /// The last use, to the second.
    pub last_at: DateTime<Utc>,
}

/// Adds `counted` to the stored counters.
///
/// # Errors
/// When the database fails.
pub async fn add(tx: &DatabaseTransaction, counted: &[(HitKey, Hits)]) -> Result<(), DbErr> {
    for chunk in counted.chunks(CHUNK) {
        let mut insert = Query::insert();
        insert
            .into_table(Alias::new("rule_hits"))
            .columns(["rulebook_id", "day", "revision", "resource", "code", "hits", "last_at"].map(Alias::new));
        for (key, hits) in chunk {
            let values: [SimpleExpr; 7] = [
                key.rulebook_id.into(),
                key.day.as_str().into(),
                key.revision.into(),
                key.resource.into(),
                key.code.as_str().into(),
                hits.hits.into(),
                hits.last_at.into(),
            ];
            insert
                .values(values)
                .map_err(|error| DbErr::Query(RuntimeErr::Internal(error.to_string())))?;
        }
        let mut conflict = sea_orm::sea_query::OnConflict::columns(
            ["rulebook_id", "day", "revision", "resource", "code"].map(Alias::new),
        );
        conflict
            .value(Alias::new("hits"), Expr::cust("rule_hits.hits + excluded.hits"))
            .value(
                Alias::new("last_at"),
                Expr::cust(
                    "CASE WHEN excluded.last_at > rule_hits.last_at THEN excluded.last_at ELSE rule_hits.last_at END",
                ),
            );
        insert.on_conflict(conflict);
        tx.execute(&insert).await?;
    }
    Ok(())
}

/// Deletes the counters of all days before `before`.
///
/// # Errors
/// When the database fails.
pub async fn forget(tx: &DatabaseTransaction, before: &str) -> Result<(), DbErr> {
    let mut delete = Query::delete();
    delete
        .from_table(Alias::new("rule_hits"))
        .and_where(Expr::col(Alias::new("day")).lt(before));
    tx.execute(&delete).await?;
    Ok(())
}

/// The counters of a rulebook.
#[derive(Debug, Clone, Default)]
pub struct HitCounts {
    /// The counts by resource and code, summed over the days.
    pub rows: HashMap<(String, String), Hits>,
    /// The first day with any counter.
    pub first_day: Option<String>,
    /// The first day with a counter of a concept. Concepts have been counted for a shorter time than other rows.
    pub first_concept_day: Option<String>,
}

impl HitCounts {
    #[must_use]
    pub fn of(&self, resource: Resource, code: &str) -> Option<Hits> {
        self.rows.get(&(resource.path().to_owned(), code.to_owned())).copied()
    }

    #[must_use]
    pub fn decisions(&self) -> i64 {
        self.rows
            .get(&(DECISIONS.to_owned(), String::new()))
            .map_or(0, |hits| hits.hits)
    }
}

/// The counters of a rulebook since a day.
///
/// # Errors
/// When the database fails.
pub async fn since(db: &impl ConnectionTrait, rulebook_id: Uuid, day: &str) -> Result<HitCounts, DbErr> {
    let of_rulebook = || Expr::col(Alias::new("rulebook_id")).eq(rulebook_id);
    let mut select = Query::select();
    select
        .from(Alias::new("rule_hits"))
        .column(Alias::new("resource"))
        .column(Alias::new("code"))
        .expr_as(Expr::cust("CAST(SUM(hits) AS bigint)"), Alias::new("hits"))
        .expr_as(Expr::cust("MAX(last_at)"), Alias::new("last_at"))
        .and_where(of_rulebook())
        .and_where(Expr::col(Alias::new("day")).gte(day))
        .group_by_columns(["resource", "code"].map(Alias::new));
    let mut rows = HashMap::new();
    for found in db.query_all(&select).await? {
        let hits = Hits {
            hits: found.try_get("", "hits")?,
            last_at: found.try_get("", "last_at")?,
        };
        rows.insert((found.try_get("", "resource")?, found.try_get("", "code")?), hits);
    }
    let first = |resource: Option<Resource>| {
        let mut select = Query::select();
        select
            .from(Alias::new("rule_hits"))
            .expr_as(Expr::cust("MIN(day)"), Alias::new("first_day"))
            .and_where(of_rulebook());
        if let Some(resource) = resource {
            select.and_where(Expr::col(Alias::new("resource")).eq(resource.path()));
        }
        select
    };
    let day = |found: Option<QueryResult>| match found {
        Some(found) => found.try_get("", "first_day"),
        None => Ok(None),
    };
    Ok(HitCounts {
        rows,
        first_day: day(db.query_one(&first(None)).await?)?,
        first_concept_day: day(db.query_one(&first(Some(Resource::Concepts))).await?)?,
    })
}

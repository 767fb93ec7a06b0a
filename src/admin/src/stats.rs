//! Serves statistics: calls, leads, decisions by priority, SMS messages by state, and open notices.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select};

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::ReadResponse;
use super::scope::{RULEBOOK, rulebooks};
use super::state::AdminState;
use store::{calls, decisions, leads, notices, sms_messages};

/// The filters. This is not a list, so `limit`, `cursor` and `sort` have no effect.
pub const LIST: ListSpec = ListSpec {
    sorts: &[],
    filters: &[
        RULEBOOK,
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "From this instant on; by default the last 24 hours.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Before this instant; by default now.",
        },
        Filter {
            name: "simulated",
            kind: FilterType::Boolean,
            doc: "`true` also counts what `ringbook simulate` has played.",
        },
    ],
};

/// The operation that reads the statistics.
pub struct StatsApi(pub AdminState);

/// Statistics since an instant, for the selected rulebooks.
#[derive(Debug, Object)]
pub struct Stats {
    /// The beginning of the counted period.
    since: DateTime<Utc>,
    /// New calls; each call counts once.
    calls: u64,
    /// New leads: one per call that ended with a report.
    leads: u64,
    /// The new leads by current priority.
    leads_by_priority: BTreeMap<String, i64>,
    /// Decisions by priority. A call can have a decision for its report and for each tool call that requested one.
    decisions: BTreeMap<String, i64>,
    /// SMS messages by state.
    sms_messages: BTreeMap<String, i64>,
    /// All open notices, even if they began before `since`.
    open_notices: u64,
}

#[OpenApi(prefix_path = "/admin/v1/stats")]
impl StatsApi {
    /// Read the statistics
    #[oai(path = "/", method = "get")]
    async fn get_stats(&self, key: Key<Viewer>, query: ListQuery) -> Result<ReadResponse<Stats>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let since = listing
            .time("since")
            .unwrap_or_else(|| self.0.clock.now() - TimeDelta::hours(24));
        let until = listing.time("until").unwrap_or(DateTime::<Utc>::MAX_UTC);
        let until = until.min(self.0.clock.now() + TimeDelta::days(1));
        let simulated = listing.boolean("simulated").unwrap_or_default();
        let db = self.0.read();
        let calls = calls::Entity::find()
            .filter(seen.filter(calls::Column::RulebookId))
            .filter(calls::Column::FirstSeenAt.gte(since))
            .filter(calls::Column::FirstSeenAt.lt(until));
        let leads = leads::Entity::find()
            .filter(seen.filter(leads::Column::RulebookId))
            .filter(leads::Column::CreatedAt.gte(since))
            .filter(leads::Column::CreatedAt.lt(until));
        let decisions = decisions::Entity::find()
            .filter(seen.filter(decisions::Column::RulebookId))
            .filter(decisions::Column::CreatedAt.gte(since))
            .filter(decisions::Column::CreatedAt.lt(until));
        let texts = sms_messages::Entity::find()
            .filter(seen.filter(sms_messages::Column::RulebookId))
            .filter(sms_messages::Column::CreatedAt.gte(since))
            .filter(sms_messages::Column::CreatedAt.lt(until));
        let notices = notices::Entity::find()
            .filter(seen.filter(notices::Column::RulebookId))
            .filter(notices::Column::ResolvedAt.is_null());
        let (calls, leads, decisions, texts, open_notices) = tokio::try_join!(
            count(db, calls, &calls::Column::Id, None, simulated),
            count(
                db,
                leads,
                &leads::Column::CallId,
                Some(leads::Column::Priority),
                simulated
            ),
            count(
                db,
                decisions,
                &decisions::Column::CallId,
                Some(decisions::Column::Priority),
                simulated
            ),
            count(
                db,
                texts,
                &sms_messages::Column::CallId,
                Some(sms_messages::Column::State),
                simulated
            ),
            notices.count(db),
        )?;
        let total = |counts: &Counts| u64::try_from(counts.values().sum::<i64>()).unwrap_or_default();
        Ok(ReadResponse::new(Stats {
            since,
            calls: total(&calls),
            leads: total(&leads),
            leads_by_priority: named(leads),
            decisions: named(decisions),
            sms_messages: named(texts),
            open_notices,
        }))
    }
}

/// The number of rows for each value of a column; or the number of all rows, under the key `None`.
type Counts = BTreeMap<Option<String>, i64>;

/// Counts the selected rows, for each value of the column `by` if there is one. A second query counts the simulated
/// rows to subtract them. So both queries read only an index.
async fn count<E: EntityTrait>(
    db: &DatabaseConnection,
    select: Select<E>,
    call_id: &E::Column,
    by: Option<E::Column>,
    with_simulated: bool,
) -> Result<Counts, DbErr> {
    let simulated = select.clone().filter(calls::simulated(call_id, true));
    let mut counts = count_all(db, select, by).await?;
    if !with_simulated {
        for (value, count) in count_all(db, simulated, by).await? {
            *counts.entry(value).or_default() -= count;
        }
    }
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

async fn count_all<E: EntityTrait>(
    db: &DatabaseConnection,
    select: Select<E>,
    by: Option<E::Column>,
) -> Result<Counts, DbErr> {
    let select = select.select_only();
    let select = match by {
        Some(by) => select.column_as(by, "value").group_by(by),
        None => select.column_as(Expr::cust("CAST(NULL AS text)"), "value"),
    };
    let rows = select
        .column_as(Expr::cust("COUNT(*)"), "n")
        .into_tuple::<(Option<String>, i64)>()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

fn named(counts: Counts) -> BTreeMap<String, i64> {
    let named = counts.into_iter().filter_map(|(value, count)| Some((value?, count)));
    named.collect()
}

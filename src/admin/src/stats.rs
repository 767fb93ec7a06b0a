//! Statistics: calls, leads, decisions by priority, SMS messages by state, and open notices.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

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

/// The operation.
pub struct StatsApi(pub AdminState);

/// Statistics since an instant, for the selected rulebooks.
#[derive(Debug, Object)]
pub struct Stats {
    /// The beginning.
    since: DateTime<Utc>,
    /// New calls, each once.
    calls: u64,
    /// New leads: one per call that ended with a report.
    leads: u64,
    /// These leads by their current priority.
    leads_by_priority: BTreeMap<String, i64>,
    /// Decisions by priority. A call can have several: one per tool call that requested one, and one for its report.
    decisions: BTreeMap<String, i64>,
    /// SMS messages by state.
    sms_messages: BTreeMap<String, i64>,
    /// All open notices, whenever they began.
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
        let real = |call_id: Condition| if simulated { Condition::all() } else { call_id };
        let db = self.0.read();
        let calls = calls::Entity::find()
            .filter(seen.filter(calls::Column::RulebookId))
            .filter(calls::Column::FirstSeenAt.gte(since))
            .filter(calls::Column::FirstSeenAt.lt(until))
            .filter(real(calls::simulated(&calls::Column::Id, false)))
            .count(db)
            .await?;
        let leads = leads::Entity::find()
            .filter(seen.filter(leads::Column::RulebookId))
            .filter(leads::Column::CreatedAt.gte(since))
            .filter(leads::Column::CreatedAt.lt(until))
            .filter(real(calls::simulated(&leads::Column::CallId, false)))
            .count(db)
            .await?;
        let by_priority = leads::Entity::find()
            .select_only()
            .column(leads::Column::Priority)
            .column_as(leads::Column::Id.count(), "n")
            .filter(seen.filter(leads::Column::RulebookId))
            .filter(leads::Column::CreatedAt.gte(since))
            .filter(leads::Column::CreatedAt.lt(until))
            .filter(real(calls::simulated(&leads::Column::CallId, false)))
            .filter(leads::Column::Priority.is_not_null())
            .group_by(leads::Column::Priority)
            .into_tuple::<(String, i64)>()
            .all(db)
            .await?;
        let open_notices = notices::Entity::find()
            .filter(seen.filter(notices::Column::RulebookId))
            .filter(notices::Column::ResolvedAt.is_null())
            .count(db)
            .await?;
        let decisions = decisions::Entity::find()
            .select_only()
            .column(decisions::Column::Priority)
            .column_as(decisions::Column::Id.count(), "n")
            .filter(seen.filter(decisions::Column::RulebookId))
            .filter(decisions::Column::CreatedAt.gte(since))
            .filter(decisions::Column::CreatedAt.lt(until))
            .filter(real(calls::simulated(&decisions::Column::CallId, false)))
            .group_by(decisions::Column::Priority)
            .into_tuple::<(String, i64)>()
            .all(db)
            .await?;
        let texts = sms_messages::Entity::find()
            .select_only()
            .column(sms_messages::Column::State)
            .column_as(sms_messages::Column::Id.count(), "n")
            .filter(seen.filter(sms_messages::Column::RulebookId))
            .filter(sms_messages::Column::CreatedAt.gte(since))
            .filter(sms_messages::Column::CreatedAt.lt(until))
            .filter(real(calls::simulated(&sms_messages::Column::CallId, false)))
            .group_by(sms_messages::Column::State)
            .into_tuple::<(String, i64)>()
            .all(db)
            .await?;
        Ok(ReadResponse::new(Stats {
            since,
            calls,
            leads,
            leads_by_priority: by_priority.into_iter().collect(),
            decisions: decisions.into_iter().collect(),
            sms_messages: texts.into_iter().collect(),
            open_notices,
        }))
    }
}

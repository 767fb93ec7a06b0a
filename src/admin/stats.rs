//! Numbers at a glance: how many calls, decisions by priority, texts by state, and what is open.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::across::{RULEBOOK, rulebooks};
use super::answer::Found;
use super::auth::{Key, Viewer};
use super::fails::{Fails, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::state::AdminState;
use crate::store::{calls, decisions, leads, notices, sms_messages};

/// What can be asked; it is no list, so that limit, cursor and sort have no effect.
pub const LIST: ListSpec = ListSpec {
    sorts: &[],
    filters: &[
        RULEBOOK,
        Filter {
            name: "since",
            kind: Kind::Time,
            doc: "From this instant on; else the last 24 hours.",
        },
    ],
};

/// The operation.
pub struct StatsApi(pub AdminState);

/// What happened since an instant, over the rulebooks asked for.
#[derive(Debug, Object)]
pub struct Stats {
    /// From this instant on.
    since: DateTime<Utc>,
    /// Calls first heard of.
    calls: u64,
    /// Leads made.
    leads: u64,
    /// Decisions by priority.
    decisions: BTreeMap<String, i64>,
    /// Texts by state.
    sms_messages: BTreeMap<String, i64>,
    /// Notices that are still open, whenever they began.
    open_notices: u64,
}

#[OpenApi(prefix_path = "/admin/v1/stats")]
impl StatsApi {
    /// Read the numbers at a glance
    #[oai(path = "/", method = "get")]
    async fn get_stats(&self, key: Key<Viewer>, query: ListQuery) -> Result<Found<Stats>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let since = listing
            .time("since")
            .unwrap_or_else(|| self.0.clock.now() - TimeDelta::hours(24));
        let db = &self.0.read;
        let calls = calls::Entity::find()
            .filter(seen.filter(calls::Column::RulebookId))
            .filter(calls::Column::FirstSeenAt.gte(since))
            .count(db)
            .await?;
        let leads = leads::Entity::find()
            .filter(seen.filter(leads::Column::RulebookId))
            .filter(leads::Column::CreatedAt.gte(since))
            .count(db)
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
            .group_by(sms_messages::Column::State)
            .into_tuple::<(String, i64)>()
            .all(db)
            .await?;
        Ok(Found::new(Stats {
            since,
            calls,
            leads,
            decisions: decisions.into_iter().collect(),
            sms_messages: texts.into_iter().collect(),
            open_notices,
        }))
    }
}

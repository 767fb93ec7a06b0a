//! Serves a health overview of all rulebooks: open P1 leads, unsent SMS messages, open notices, and the last call.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::leads::NOT_ACKNOWLEDGED;
use super::responses::ReadResponse;
use super::state::AdminState;
use store::{calls, leads, notices, rulebooks, sms_messages};

/// How far back leads and SMS messages are counted.
const DAYS: TimeDelta = TimeDelta::days(7);
/// How far back the search for the last call goes.
const CALL_DAYS: TimeDelta = TimeDelta::days(30);
/// The state of an SMS message that Ringbook no longer tries to send.
const DEAD: &str = "dead";

pub struct RulebookHealthApi(pub AdminState);

/// The health of a business.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RulebookHealth {
    /// The rulebook's code.
    rulebook: String,
    /// The rulebook's display name.
    name: Option<String>,
    /// P1 leads of the last seven days that nobody has acknowledged.
    open_p1: u64,
    /// SMS messages of the last seven days that are dead letters.
    sms_not_sent: u64,
    /// Notices that are open.
    open_notices: u64,
    /// The time of the last call; absent if there was no call within 30 days. Simulated calls do not count.
    last_call_at: Option<DateTime<Utc>>,
}

/// The health of all businesses that the key may see.
#[derive(Debug, Object)]
pub struct RulebooksHealth {
    /// One entry per rulebook, by code; archived rulebooks are omitted.
    items: Vec<RulebookHealth>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebook-health")]
impl RulebookHealthApi {
    /// Read the health of the businesses
    ///
    /// For each rulebook that the key may see: unacknowledged P1 leads, unsent SMS messages, open notices, and the last
    /// call.
    #[oai(path = "/", method = "get")]
    async fn list_rulebook_health(
        &self,
        key: Key<Viewer>,
    ) -> Result<ReadResponse<RulebooksHealth>, Fails<NoExtraErrors>> {
        let (db, now) = (self.0.read(), self.0.clock.now());
        let mut all = rulebooks::Entity::find().filter(rulebooks::Column::ArchivedAt.is_null());
        if let Some(own) = key.rulebook_id {
            all = all.filter(rulebooks::Column::Id.eq(own));
        }
        let all = all.order_by_asc(rulebooks::Column::Code).all(db).await?;
        let open_p1 = leads::Entity::find()
            .select_only()
            .column(leads::Column::RulebookId)
            .column_as(leads::Column::Id.count(), "n")
            .filter(leads::Column::CreatedAt.gte(now - DAYS))
            .filter(leads::Column::Priority.eq("P1"))
            .filter(calls::simulated(&leads::Column::CallId, false))
            .filter(Expr::cust(NOT_ACKNOWLEDGED))
            .group_by(leads::Column::RulebookId)
            .into_tuple()
            .all(db)
            .await?;
        let not_sent = sms_messages::Entity::find()
            .select_only()
            .column(sms_messages::Column::RulebookId)
            .column_as(sms_messages::Column::Id.count(), "n")
            .filter(sms_messages::Column::CreatedAt.gte(now - DAYS))
            .filter(sms_messages::Column::State.eq(DEAD))
            .group_by(sms_messages::Column::RulebookId)
            .into_tuple()
            .all(db)
            .await?;
        let open_notices = notices::Entity::find()
            .select_only()
            .column(notices::Column::RulebookId)
            .column_as(notices::Column::Id.count(), "n")
            .filter(notices::Column::ResolvedAt.is_null())
            .group_by(notices::Column::RulebookId)
            .into_tuple()
            .all(db)
            .await?;
        let last_calls: Vec<(Uuid, DateTime<Utc>)> = calls::Entity::find()
            .select_only()
            .column(calls::Column::RulebookId)
            .column_as(calls::Column::FirstSeenAt.max(), "last")
            .filter(calls::Column::FirstSeenAt.gte(now - CALL_DAYS))
            .filter(calls::simulated(&calls::Column::Id, false))
            .group_by(calls::Column::RulebookId)
            .into_tuple()
            .all(db)
            .await?;
        let (open_p1, not_sent, open_notices) = (counts(open_p1), counts(not_sent), counts(open_notices));
        let last_calls: HashMap<_, _> = last_calls.into_iter().collect();
        let of = |counts: &HashMap<Uuid, u64>, id: &Uuid| counts.get(id).copied().unwrap_or_default();
        let items = all.into_iter().map(|row| RulebookHealth {
            open_p1: of(&open_p1, &row.id),
            sms_not_sent: of(&not_sent, &row.id),
            open_notices: of(&open_notices, &row.id),
            last_call_at: last_calls.get(&row.id).copied(),
            rulebook: row.code,
            name: row.name,
        });
        Ok(ReadResponse::new(RulebooksHealth { items: items.collect() }))
    }
}

fn counts(rows: Vec<(Uuid, i64)>) -> HashMap<Uuid, u64> {
    let counted = |(id, count): (Uuid, i64)| (id, u64::try_from(count).unwrap_or_default());
    rows.into_iter().map(counted).collect()
}

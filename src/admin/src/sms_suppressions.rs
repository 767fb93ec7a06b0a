//! Lists suppressed phone numbers, and lifts suppressions.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Admin, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::masking;
use super::responses::{DeleteResponse, Page, ReadResponse};
use super::scope::{RULEBOOK, rulebooks};
use super::state::AdminState;
use store::{notices, sms_messages, sms_suppressions};
use web::problem::Problem;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "lifted",
            kind: FilterType::Boolean,
            doc: "Whether the suppression was lifted.",
        },
    ],
};

pub struct SmsSuppressionsApi(pub AdminState);

/// A suppressed phone number; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SmsSuppression {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// The number; masked for viewers.
    number: String,
    /// Who reported the suppression: `reply` is the number's owner, `provider` is Twilio.
    source: String,
    /// Since when the number is suppressed.
    since: DateTime<Utc>,
    /// When the suppression ended.
    lifted_at: Option<DateTime<Utc>>,
    /// Who ended the suppression: the name of a key, or `reply` if the number's owner replied START.
    lifted_by: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1/sms-suppressions")]
impl SmsSuppressionsApi {
    /// List the suppressed numbers
    ///
    /// The owners of these numbers replied STOP or a similar word. A message to such a number becomes a dead letter
    /// with a notice.
    #[oai(path = "/", method = "get")]
    async fn list_sms_suppressions(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<SmsSuppression>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = sms_suppressions::Entity::find().filter(seen.filter(sms_suppressions::Column::RulebookId));
        match listing.boolean("lifted") {
            Some(true) => select = select.filter(sms_suppressions::Column::LiftedAt.is_not_null()),
            Some(false) => select = select.filter(sms_suppressions::Column::LiftedAt.is_null()),
            None => {}
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, sms_suppressions::Column::Id)
            .await?;
        let view = |row: sms_suppressions::Model| SmsSuppression {
            id: row.id,
            rulebook: seen.code(row.rulebook_id),
            number: masking::number(&key, Some(row.number)).unwrap_or_default(),
            source: row.source,
            since: row.since,
            lifted_at: row.lifted_at,
            lifted_by: row.lifted_by,
        };
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            view,
        )))
    }

    /// Lift a suppression
    ///
    /// Do this only if the number's owner wants it. Twilio may refuse messages until the owner replies START; a refusal
    /// suppresses the number again.
    #[oai(path = "/:id", method = "delete")]
    async fn lift_sms_suppression(
        &self,
        key: Key<Admin>,
        /// The suppression's id.
        id: Path<Uuid>,
    ) -> Result<DeleteResponse, Fails<NoExtraErrors>> {
        let missing = || Problem::not_found(format!("SMS suppression `{}` that is in force", id.0));
        let found = sms_suppressions::Entity::find()
            .filter(sms_suppressions::Column::Id.eq(id.0))
            .filter(sms_suppressions::Column::LiftedAt.is_null())
            .one(self.0.latest())
            .await?;
        let row = found.filter(|row| key.sees(row.rulebook_id)).ok_or_else(missing)?;
        let told = (Some(json!({"suppressed": true})), Some(json!({"suppressed": false})));
        let what = ("lift", "sms-suppressions", &*row.id.to_string());
        let entry = audited_write::entry(&self.0, &key, Some(row.rulebook_id), what, told.0, told.1);
        let (now, by) = (self.0.clock.now(), key.name.clone());
        let lift = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                if !sms_suppressions::lift_id(tx, row.rulebook_id, row.id, &by, now).await? {
                    return Ok(false);
                }
                if let Some(last) = sms_messages::newest_to(tx, row.rulebook_id, &row.number).await? {
                    let subject = notices::of_contact(&last.contact);
                    notices::resolve(tx, row.rulebook_id, notices::OPTED_OUT, &subject, now).await?;
                }
                Ok(true)
            })
        });
        if lift.await? {
            Ok(DeleteResponse::Gone)
        } else {
            Err(missing().into())
        }
    }
}

//! Lists, creates and revokes the secret URLs at which calendar programs read the shifts.
//!
//! A calendar program cannot send an API key, so the feed's URL contains a secret. The endpoint is in
//! [`super::calendar_feed`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Caller, Editor, Key, Viewer};
use super::body::Body;
use super::calendar_feed::{FeedToken, address_of};
use super::errors::{CreatesFeed, Fails, NoExtraErrors};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{DeleteResponse, Json, Page, ReadResponse};
use super::rule_rows::missing;
use super::state::{AdminState, RulebookInPath};
use rules::rows::Resource;
use store::{audit_log, calendar_feeds};
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[Filter {
        name: "revoked",
        kind: FilterType::Boolean,
        doc: "Whether the feed was revoked.",
    }],
};

pub struct CalendarFeedsApi(pub AdminState);

/// A calendar feed without its URL; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarFeed {
    id: Uuid,
    /// The feed's display name.
    name: String,
    /// The code of the contact whose shifts the feed shows; absent: all contacts.
    contact: Option<String>,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

/// A calendar feed to create.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewCalendarFeed {
    /// The feed's display name: 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// The code of the contact whose shifts the feed shows; absent: all contacts.
    #[serde(default)]
    contact: Option<String>,
}

/// A calendar feed that was created.
#[derive(Debug, Object)]
pub struct CreatedCalendarFeed {
    /// The feed's URL on this server, shown only this once. Anyone who knows the URL can read the shifts.
    address: String,
    /// The stored feed.
    feed: CalendarFeed,
}

/// The response after a calendar feed was created.
#[derive(ApiResponse)]
pub enum CreateFeedResponse {
    /// The feed with its URL, shown only this once.
    #[oai(status = 201)]
    Created(Json<CreatedCalendarFeed>),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/calendar-feeds")]
impl CalendarFeedsApi {
    /// List the calendar feeds
    ///
    /// The list does not contain the feeds' URLs.
    #[oai(path = "/", method = "get")]
    async fn list_calendar_feeds(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<CalendarFeed>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = calendar_feeds::Entity::find().filter(calendar_feeds::Column::RulebookId.eq(rulebook_id));
        match listing.boolean("revoked") {
            Some(true) => select = select.filter(calendar_feeds::Column::RevokedAt.is_not_null()),
            Some(false) => select = select.filter(calendar_feeds::Column::RevokedAt.is_null()),
            None => {}
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, calendar_feeds::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            view,
        )))
    }

    /// Create a calendar feed
    ///
    /// The feed's URL shows the shifts of the next 60 days as iCalendar (RFC 5545). It needs no API key and shows no
    /// phone numbers. A rulebook has at most 50 feeds that are not revoked.
    #[oai(path = "/", method = "post")]
    async fn create_calendar_feed(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<NewCalendarFeed>,
    ) -> Result<IdempotentResponse<CreateFeedResponse>, Fails<CreatesFeed>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let rulebook_id = head_rows.rulebook_id;
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let NewCalendarFeed { name, contact } = body.0;
        if let Some(code) = contact
            .as_deref()
            .filter(|code| !head_rows.rows().contacts.contains_key(*code))
        {
            let detail = missing(Resource::Contacts, code).detail().to_owned();
            return Err(Problem::fault("/contact", "not_found", detail).into());
        }
        let token = FeedToken::random().map_err(|error| Problem::internal(&error))?;
        let row = calendar_feeds::Model {
            id: self.0.clock.new_id(),
            rulebook_id,
            name,
            contact,
            prefix: token.prefix.clone(),
            hash: token.hash.clone(),
            created_at: self.0.clock.now(),
            revoked_at: None,
        };
        let entry = self.entry(&key, &row, "create", None, Some(audited_as(&row)));
        let answer = IdempotentResponse::new(CreateFeedResponse::Created(Json(CreatedCalendarFeed {
            address: address_of(&token.text),
            feed: view(row.clone()),
        })))
        .await?;
        let kept = claim.seal(&answer)?;
        let is_full = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&is_full);
        let done = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                if !claim.take(tx).await? {
                    return Ok(false);
                }
                if !calendar_feeds::has_room(tx, row.rulebook_id).await? {
                    noted.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                calendar_feeds::insert(tx, row).await?;
                kept.write(tx).await?;
                Ok(true)
            })
        });
        if done.await? {
            Ok(answer)
        } else if is_full.load(Ordering::Relaxed) {
            let most = calendar_feeds::MAX_ACTIVE;
            let detail = format!("The rulebook has {most} calendar feeds that are not revoked: revoke one first.");
            Err(Problem::new(Code::Conflict, detail).into())
        } else {
            Ok(once.again(&self.0, &key).await?)
        }
    }

    /// Revoke a calendar feed
    ///
    /// The feed's URL returns 404 from now on.
    #[oai(path = "/:id", method = "delete")]
    async fn revoke_calendar_feed(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The feed's id.
        id: Path<Uuid>,
    ) -> Result<DeleteResponse, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let missing = || Problem::not_found(format!("active calendar feed `{}`", id.0));
        let found = calendar_feeds::active(self.0.latest(), rulebook_id, id.0).await?;
        let row = found.ok_or_else(missing)?;
        let now = self.0.clock.now();
        let entry = self.entry(&key, &row, "revoke", Some(audited_as(&row)), None);
        let revoke = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { calendar_feeds::revoke(tx, row.id, now).await })
        });
        if revoke.await? {
            Ok(DeleteResponse::Gone)
        } else {
            Err(missing().into())
        }
    }
}

impl CalendarFeedsApi {
    fn entry(
        &self,
        caller: &Caller,
        feed: &calendar_feeds::Model,
        action: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> audit_log::NewEntry {
        let code = feed.id.to_string();
        let what = (action, "calendar-feeds", code.as_str());
        audited_write::entry(&self.0, caller, Some(feed.rulebook_id), what, before, after)
    }
}

fn audited_as(feed: &calendar_feeds::Model) -> Value {
    json!({"name": feed.name, "contact": feed.contact})
}

fn view(row: calendar_feeds::Model) -> CalendarFeed {
    CalendarFeed {
        id: row.id,
        name: row.name,
        contact: row.contact,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    }
}

//! Lists and ends console sessions.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _};
use serde_json::{Value, json};
use store::{api_keys, console_sessions};
use uuid::Uuid;
use web::problem::Problem;

use super::audited_write;
use super::auth::{Admin, Caller, Key};
use super::errors::{Fails, NoExtraErrors};
use super::list::{ListQuery, ListSpec};
use super::responses::{DeleteResponse, Page, ReadResponse};
use super::scope::{RULEBOOK, rulebooks};
use super::state::AdminState;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[RULEBOOK],
};

/// The operations on console sessions.
pub struct ConsoleSessionsApi(pub AdminState);

/// A console session with the rights of its API key.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ConsoleSession {
    id: Uuid,
    /// The id of the API key that opened the session.
    api_key: Uuid,
    /// The key's display name.
    name: String,
    /// The key's role.
    role: String,
    /// The only rulebook that the session may see; absent: all rulebooks.
    rulebook: Option<String>,
    created_at: DateTime<Utc>,
    /// When the session was last used, to the minute. It ends after twelve hours without use.
    last_used_at: DateTime<Utc>,
    /// When the session ends, even if it is in use.
    expires_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/admin/v1/console-sessions")]
impl ConsoleSessionsApi {
    /// List the console sessions
    ///
    /// The list may contain ended sessions until somebody signs in: a sign-in deletes them.
    #[oai(path = "/", method = "get", operation_id = "list_console_sessions")]
    async fn list_console_sessions(
        &self,
        key: Key<Admin>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<ConsoleSession>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let keys = api_keys::Entity::find().filter(seen.filter(api_keys::Column::RulebookId));
        let ids = keys.clone().select_only().column(api_keys::Column::Id).into_query();
        let select = console_sessions::Entity::find().filter(console_sessions::Column::KeyId.in_subquery(ids));
        let db = self.0.latest();
        let rows = listing.rows_by_id(db, select, console_sessions::Column::Id).await?;
        let keys: HashMap<Uuid, api_keys::Model> = keys
            .filter(api_keys::Column::Id.is_in(rows.iter().map(|row| row.key_id)))
            .all(db)
            .await?
            .into_iter()
            .map(|key| (key.id, key))
            .collect();
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| {
                let key = keys.get(&row.key_id);
                ConsoleSession {
                    id: row.id,
                    api_key: row.key_id,
                    name: key.map(|key| key.name.clone()).unwrap_or_default(),
                    role: key.map(|key| key.role.clone()).unwrap_or_default(),
                    rulebook: key.and_then(|key| key.rulebook_id).map(|id| seen.code(id)),
                    created_at: row.created_at,
                    last_used_at: row.last_used_at,
                    expires_at: row.expires_at,
                }
            },
        )))
    }

    /// End a console session
    ///
    /// The user of the session must sign in again. The API key stays valid: revoke the key to lock somebody out.
    #[oai(path = "/:id", method = "delete", operation_id = "end_console_session")]
    async fn end_console_session(
        &self,
        key: Key<Admin>,
        /// The session's id.
        id: Path<Uuid>,
    ) -> Result<DeleteResponse, Fails<NoExtraErrors>> {
        let missing = || Problem::not_found(format!("console session `{}`", id.0));
        let (db, caller) = (self.0.latest(), Caller::clone(&key));
        let row = console_sessions::by_id(db, id.0).await?.ok_or_else(missing)?;
        let owner = api_keys::by_id(db, row.key_id).await?.ok_or_else(missing)?;
        if caller.rulebook_id.is_some() && caller.rulebook_id != owner.rulebook_id {
            return Err(missing().into());
        }
        let code = row.id.to_string();
        let before = json!({"name": owner.name, "role": owner.role, "api_key": owner.id});
        let what = ("end", "console-sessions", code.as_str());
        let entry = audited_write::entry(&self.0, &caller, owner.rulebook_id, what, Some(before), None);
        audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                console_sessions::end(tx, row.id).await?;
                Ok(true)
            })
        })
        .await?;
        Ok(DeleteResponse::Gone)
    }
}

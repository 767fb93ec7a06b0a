//! Lists, creates and revokes API keys. A revoked key never becomes valid again.
//!
//! Only the response that creates a key contains its secret. Each change writes an audit entry in the same transaction.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api_key_format::NewKey;
use super::audited_write;
use super::auth::{Admin, Caller, Key, Role};
use super::body::Body;
use super::errors::{CreatesKey, Fails, NoExtraErrors, RevokesKey};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{DeleteResponse, Json, Page, ReadResponse};
use super::scope::{RULEBOOK, Rulebooks, rulebooks};
use super::state::AdminState;
use store::{api_keys, audit_log, quotas};
use web::problem::{Code, FieldFault, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "role",
            kind: FilterType::Choice(&["viewer", "dispatcher", "editor", "publisher", "admin", "owner"]),
            doc: "The key's role.",
        },
        Filter {
            name: "revoked",
            kind: FilterType::Boolean,
            doc: "Whether the key was revoked.",
        },
    ],
};

/// The operations on API keys.
pub struct ApiKeysApi(pub AdminState);

/// A key without its secret; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ApiKey {
    id: Uuid,
    /// The key's display name.
    name: String,
    /// The beginning of the key, after `rb_`.
    prefix: String,
    /// The role.
    role: String,
    /// The only rulebook that the key may see; absent: all rulebooks.
    rulebook: Option<String>,
    /// The key's owner: two keys of one owner count as one person for approvals.
    owner: String,
    /// The id of the key that created this key; absent for the first key.
    made_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    /// When the key expires.
    expires_at: Option<DateTime<Utc>>,
    /// When the key was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// A key to create.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// The key's display name: 1 to 100 characters.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// The role.
    role: Role,
    /// The code of the only rulebook that the key may see; absent: all rulebooks.
    rulebook: Option<String>,
    /// The key's owner: 1 to 100 characters; by default the key's name. A key cannot approve changes by its owner or by
    /// its creator.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 100))]
    owner: Option<String>,
    /// When the key expires; by default never.
    expires_at: Option<DateTime<Utc>>,
}

/// A key that was created.
#[derive(Debug, Object)]
pub struct MadeApiKey {
    /// The key, shown only this once: send it as `Authorization: Bearer KEY`.
    key: String,
    /// The stored key.
    api_key: ApiKey,
}

/// The response after a key was created.
#[derive(ApiResponse)]
pub enum CreateKeyResponse {
    /// The key, shown only this once.
    #[oai(status = 201)]
    Created(Json<MadeApiKey>),
}

#[OpenApi(prefix_path = "/admin/v1/api-keys")]
impl ApiKeysApi {
    /// List the API keys
    #[oai(path = "/", method = "get")]
    async fn list_api_keys(
        &self,
        key: Key<Admin>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<ApiKey>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = api_keys::Entity::find().filter(seen.filter(api_keys::Column::RulebookId));
        if let Some(role) = listing.text("role") {
            select = select.filter(api_keys::Column::Role.eq(role));
        }
        match listing.boolean("revoked") {
            Some(true) => select = select.filter(api_keys::Column::RevokedAt.is_not_null()),
            Some(false) => select = select.filter(api_keys::Column::RevokedAt.is_null()),
            None => {}
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, api_keys::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&seen, row),
        )))
    }

    /// Create an API key
    #[oai(path = "/", method = "post")]
    async fn create_api_key(
        &self,
        key: Key<Admin>,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<NewApiKey>,
    ) -> Result<IdempotentResponse<CreateKeyResponse>, Fails<CreatesKey>> {
        let claim = match once.begin(&self.0, &key, None).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let seen = rulebooks(&self.0, &key, None).await?;
        let now = self.0.clock.now();
        let rulebook_id = checked(&body.0, &key, &seen, now)?;
        let new = NewKey::random().map_err(|error| Problem::internal(&error))?;
        let row = api_keys::Model {
            id: self.0.clock.new_id(),
            owner: Some(body.0.owner.unwrap_or_else(|| body.0.name.clone())),
            made_by: Some(key.key_id),
            name: body.0.name,
            prefix: new.prefix.clone(),
            hash: new.hash.clone(),
            role: body.0.role.name().to_owned(),
            rulebook_id,
            created_at: now,
            expires_at: body.0.expires_at.map(base::clock::to_micros),
            last_used_at: None,
            revoked_at: None,
        };
        let after = json!({
            "name": row.name, "role": row.role, "prefix": row.prefix, "expires_at": row.expires_at,
            "owner": row.owner(), "made_by": key.key_id, "maker": key.name,
        });
        let entry = self.entry(&key, &row, "create", None, Some(after));
        let made = CreateKeyResponse::Created(Json(MadeApiKey {
            key: new.text,
            api_key: view(&seen, row.clone()),
        }));
        let answer = IdempotentResponse::new(made).await?;
        let kept = claim.seal(&answer)?;
        let reached = Arc::new(OnceLock::new());
        let told = Arc::clone(&reached);
        let done = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                if !claim.take(tx).await? {
                    return Ok(false);
                }
                if let Some(quota) = quotas::api_key(tx, row.rulebook_id, now).await? {
                    return Ok(told.set(quota).is_err());
                }
                api_keys::insert(tx, row).await?;
                kept.write(tx).await?;
                Ok(true)
            })
        });
        if done.await? {
            Ok(answer)
        } else if let Some(quota) = reached.get() {
            Err(Problem::quota(*quota).into())
        } else {
            Ok(once.again(&self.0, &key).await?)
        }
    }

    /// Revoke an API key
    ///
    /// The key stops working immediately. The key stays in the list, for the audit log. No key can revoke itself, so at
    /// least one key always remains.
    #[oai(path = "/:id", method = "delete")]
    async fn revoke_api_key(
        &self,
        key: Key<Admin>,
        /// The key's id.
        id: Path<Uuid>,
    ) -> Result<DeleteResponse, Fails<RevokesKey>> {
        if id.0 == key.key_id {
            let detail = "A key cannot revoke itself: use another key.";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let missing = || Problem::not_found(format!("API key `{}`", id.0));
        let row = api_keys::by_id(self.0.latest(), id.0).await?.ok_or_else(missing)?;
        if key.rulebook_id.is_some() && key.rulebook_id != row.rulebook_id {
            return Err(missing().into());
        }
        let now = self.0.clock.now();
        let entry = self.entry(
            &key,
            &row,
            "revoke",
            Some(json!({"name": row.name, "role": row.role, "owner": row.owner(), "made_by": row.made_by})),
            None,
        );
        let revoke = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { api_keys::revoke(tx, row.id, now).await })
        });
        revoke.await?;
        Ok(DeleteResponse::Gone)
    }
}

impl ApiKeysApi {
    fn entry(
        &self,
        caller: &Caller,
        key: &api_keys::Model,
        action: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> audit_log::NewEntry {
        let code = key.id.to_string();
        audited_write::entry(
            &self.0,
            caller,
            key.rulebook_id,
            (action, "api-keys", &code),
            before,
            after,
        )
    }
}

/// Validates a new key and returns its rulebook. A caller whose key is bound to a rulebook can create keys only for
/// that rulebook.
fn checked(new: &NewApiKey, caller: &Caller, seen: &Rulebooks, now: DateTime<Utc>) -> Result<Option<Uuid>, Problem> {
    let mut faults = Vec::new();
    for (field, text) in [("name", Some(&new.name)), ("owner", new.owner.as_ref())] {
        let is_sound = |text: &String| {
            !text.trim().is_empty() && text.chars().count() <= 100 && !text.chars().any(char::is_control)
        };
        if !text.is_none_or(is_sound) {
            let detail = format!("`{field}` must have 1 to 100 characters, none of them control characters.");
            faults.push(FieldFault::new(format!("/{field}"), "invalid_value", detail));
        }
    }
    if new
        .expires_at
        .is_some_and(|at| at <= now || chrono::Datelike::year(&at) > 9999)
    {
        faults.push(FieldFault::new(
            "/expires_at",
            "invalid_value",
            "`expires_at` must be in the future.",
        ));
    }
    let rulebook_id = new
        .rulebook
        .as_deref()
        .and_then(|code| seen.id(code))
        .or(caller.rulebook_id);
    if let Some(code) = new.rulebook.as_deref()
        && seen.id(code).is_none()
    {
        let detail = format!("There is no rulebook `{}`.", super::state::shortened(code));
        faults.push(FieldFault::new("/rulebook", "not_found", detail));
    }
    if faults.is_empty() {
        Ok(rulebook_id)
    } else {
        Err(Problem::unprocessable(faults))
    }
}

fn view(seen: &Rulebooks, row: api_keys::Model) -> ApiKey {
    ApiKey {
        id: row.id,
        owner: row.owner().to_owned(),
        made_by: row.made_by,
        name: row.name,
        prefix: row.prefix,
        role: row.role,
        rulebook: row.rulebook_id.map(|id| seen.code(id)),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    }
}

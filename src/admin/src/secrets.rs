//! Lists, stores and retires the secrets of a rulebook: webhook secrets, and the rulebook's own Twilio and Vapi
//! credentials.
//!
//! Values are encrypted before they are stored. No audit entry contains a value. A response contains a value only if the
//! server has just generated it. Old and new secrets are accepted together until the old ones are retired, so a rotation
//! loses no call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Admin, Caller, Key};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, StoresSecret};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{DeleteResponse, Json, Page, ReadResponse};
use super::state::{AdminState, RulebookInPath};
use base::keys::random;
use store::secrets::{is_account_sid, is_messaging_service_sid, is_number};
use store::{audit_log, page, secrets};
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        Filter {
            name: "purpose",
            kind: FilterType::Choice(&[
                "webhook",
                "twilio_account_sid",
                "twilio_auth_token",
                "twilio_from",
                "twilio_messaging_service_sid",
                "vapi_api_key",
            ]),
            doc: "What the secret is for.",
        },
        Filter {
            name: "retired",
            kind: FilterType::Boolean,
            doc: "Whether the secret was retired.",
        },
    ],
};

pub struct SecretsApi(pub AdminState);

/// The purpose of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Purpose {
    /// Vapi signs its messages with this secret; every active webhook secret is accepted.
    Webhook,
    /// The Twilio account that sends the rulebook's SMS messages. If several are active, the newest is used.
    TwilioAccountSid,
    /// The auth token of the Twilio account.
    TwilioAuthToken,
    /// The sender's number.
    TwilioFrom,
    /// The sender's messaging service, instead of a number.
    TwilioMessagingServiceSid,
    /// The private key for Vapi's list of calls. If several are active, the newest is used.
    VapiApiKey,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Webhook => secrets::WEBHOOK,
            Self::TwilioAccountSid => "twilio_account_sid",
            Self::TwilioAuthToken => "twilio_auth_token",
            Self::TwilioFrom => "twilio_from",
            Self::TwilioMessagingServiceSid => "twilio_messaging_service_sid",
            Self::VapiApiKey => "vapi_api_key",
        }
    }
}

/// A secret without its value; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StoredSecret {
    id: Uuid,
    /// What the secret is for.
    purpose: String,
    created_at: DateTime<Utc>,
    /// Since when the secret is no longer accepted.
    retired_at: Option<DateTime<Utc>>,
}

/// A secret to store.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// What the secret is for.
    purpose: Purpose,
    /// The value of the secret, without spaces at its ends and without control characters. A webhook secret has 24
    /// characters or more. If you omit the value, Ringbook generates a webhook secret and shows it once, in the
    /// response.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 500), write_only)]
    value: Option<String>,
}

/// A secret that was stored, with its value if it was generated.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CreatedSecret {
    id: Uuid,
    /// What the secret is for.
    purpose: String,
    created_at: DateTime<Utc>,
    /// The generated value, shown only this once: give it to Vapi. Absent if the request had a value.
    value: Option<String>,
}

/// The response after a secret was stored.
#[derive(ApiResponse)]
pub enum StoreSecretResponse {
    /// The secret; the next message may use it.
    #[oai(status = 201)]
    Created(Json<CreatedSecret>),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/secrets")]
impl SecretsApi {
    /// List the secrets of a rulebook
    ///
    /// Values are not shown. `RINGBOOK_VAPI_SECRET` and the server's Twilio settings, which the rulebook `default`
    /// uses, are not listed.
    #[oai(path = "/", method = "get")]
    async fn list_secrets(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<StoredSecret>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = secrets::Entity::find().filter(secrets::Column::RulebookId.eq(rulebook_id));
        if let Some(purpose) = listing.text("purpose") {
            select = select.filter(secrets::Column::Purpose.eq(purpose));
        }
        match listing.boolean("retired") {
            Some(true) => select = select.filter(secrets::Column::RetiredAt.is_not_null()),
            Some(false) => select = select.filter(secrets::Column::RetiredAt.is_null()),
            None => {}
        }
        let sorting = page::Sorting {
            by: secrets::Column::Id,
            id: secrets::Column::Id,
            descending: listing.descending,
        };
        let after = listing.after_id()?.map(|id| (id.into(), id.into()));
        let rows = page::rows(self.0.latest(), select, sorting, after, listing.limit).await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            view,
        )))
    }

    /// Store a secret
    ///
    /// The new secret is accepted together with the existing secrets: give Vapi the new secret, then retire the old
    /// secret. A rulebook has at most five active secrets per purpose.
    #[oai(path = "/", method = "post")]
    async fn create_secret(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<NewSecret>,
    ) -> Result<IdempotentResponse<StoreSecretResponse>, Fails<StoresSecret>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        check(&body.0)?;
        let NewSecret { purpose, value } = body.0;
        let made = value.is_none();
        let value = match value {
            Some(value) => value,
            None => hex::encode(random::<32>().map_err(|error| Problem::internal(&error))?),
        };
        let id = self.0.clock.new_id();
        let sealed = self.0.key.seal(rulebook_id, id, value.as_bytes());
        let row = secrets::Model {
            rulebook_id,
            id,
            purpose: purpose.name().to_owned(),
            sealed: sealed.map_err(|error| Problem::internal(&error))?,
            created_at: self.0.clock.now(),
            retired_at: None,
        };
        let entry = self.entry(&key, &row, "create");
        let answer = IdempotentResponse::new(StoreSecretResponse::Created(Json(CreatedSecret {
            id,
            purpose: row.purpose.clone(),
            created_at: row.created_at,
            value: made.then_some(value),
        })))
        .await?;
        let kept = claim.seal(&answer)?;
        let is_full = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_full);
        let done = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                if !claim.take(tx).await? {
                    return Ok(false);
                }
                if !secrets::has_room(tx, row.rulebook_id, &row.purpose).await? {
                    told.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                secrets::add(tx, row).await?;
                kept.write(tx).await?;
                Ok(true)
            })
        });
        if done.await? {
            Ok(answer)
        } else if is_full.load(Ordering::Relaxed) {
            let detail = format!(
                "The rulebook has {} secrets for `{}` that are not retired: retire one before you store another.",
                secrets::MAX_ACTIVE,
                purpose.name()
            );
            Err(Problem::new(Code::Conflict, detail).into())
        } else {
            Ok(once.again(&self.0, &key).await?)
        }
    }

    /// Retire a secret
    ///
    /// From now on, messages signed with the secret are rejected. The secret stays in the list, for the audit log.
    #[oai(path = "/:id", method = "delete")]
    async fn retire_secret(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The secret's id.
        id: Path<Uuid>,
    ) -> Result<DeleteResponse, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let found = secrets::Entity::find_by_id((rulebook_id, id.0))
            .one(self.0.latest())
            .await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("secret `{}`", id.0)))?;
        let entry = self.entry(&key, &row, "retire");
        let now = self.0.clock.now();
        let retire = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { secrets::retire(tx, row.rulebook_id, row.id, now).await })
        });
        retire.await?;
        Ok(DeleteResponse::Gone)
    }
}

impl SecretsApi {
    /// Builds the audit entry. The entry contains the author and the purpose, but never the value.
    fn entry(&self, caller: &Caller, secret: &secrets::Model, action: &str) -> audit_log::NewEntry {
        let told = json!({"purpose": secret.purpose});
        let (before, after) = if action == "create" {
            (None, Some(told))
        } else {
            (Some(told), None)
        };
        audited_write::entry(
            &self.0,
            caller,
            Some(secret.rulebook_id),
            (action, "secrets", &secret.id.to_string()),
            before,
            after,
        )
    }
}

/// Well-known values from examples and placeholders.
const PUBLIC: &[&str] = &[
    "the secret that vapi has too",
    "webhook_secret",
    "vapi_secret",
    "your secret",
    "your webhook secret",
    "your server secret",
    "secret",
    "password",
    "changeme",
    "change me",
    "example",
    "string",
    "test",
];

/// Rejects a value that would never match, such as one with a trailing line break or space. Also rejects a value from
/// an example.
fn check(new: &NewSecret) -> Result<(), Problem> {
    let Some(value) = &new.value else {
        if new.purpose == Purpose::Webhook {
            return Ok(());
        }
        let detail = "`value` is missing: only a webhook secret is generated.";
        return Err(Problem::fault("/value", "missing_field", detail));
    };
    let expected = match new.purpose {
        Purpose::TwilioAccountSid => is_account_sid(value)
            .then_some(())
            .ok_or("Twilio's identifier of an account: `AC` and letters and digits"),
        Purpose::TwilioMessagingServiceSid => is_messaging_service_sid(value)
            .then_some(())
            .ok_or("Twilio's identifier of a messaging service: `MG` and letters and digits"),
        Purpose::TwilioFrom => is_number(value)
            .then_some(())
            .ok_or("a number with its country code and nothing else, such as `+15145550100`"),
        Purpose::Webhook | Purpose::TwilioAuthToken | Purpose::VapiApiKey => Ok(()),
    };
    if let Err(expected) = expected {
        return Err(Problem::fault(
            "/value",
            "invalid_value",
            format!("`value` must be {expected}."),
        ));
    }
    let length = value.chars().count();
    let least = if new.purpose == Purpose::Webhook {
        secrets::WEBHOOK_LENGTH
    } else {
        1
    };
    if !(least..=500).contains(&length) || value.trim() != value || value.chars().any(char::is_control) {
        let detail =
            format!("`value` must have {least} to 500 characters, no spaces at its ends and no control characters.");
        return Err(Problem::fault("/value", "invalid_value", detail));
    }
    if is_public(value) {
        let detail = "`value` is used in examples, so everybody knows it: omit it to generate a webhook secret, or send your \
            own.";
        return Err(Problem::fault("/value", "invalid_value", detail));
    }
    Ok(())
}

/// Whether a value is a known placeholder, in any spelling, or one character repeated.
fn is_public(value: &str) -> bool {
    let plain: String = value
        .trim_matches(|c| "<>[]{}\"'".contains(c))
        .chars()
        .map(|c| {
            if c == '-' || c == '_' {
                ' '
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let mut letters = plain.chars();
    let first = letters.next();
    PUBLIC.iter().any(|known| known.replace('_', " ") == plain)
        || (plain.len() > 1 && letters.all(|letter| Some(letter) == first))
}

fn view(row: secrets::Model) -> StoredSecret {
    StoredSecret {
        id: row.id,
        purpose: row.purpose,
        created_at: row.created_at,
        retired_at: row.retired_at,
    }
}

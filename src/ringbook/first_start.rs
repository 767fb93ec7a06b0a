//! First start: creates the default rulebook with the sample's rows, the first admin key and the webhook secret. The
//! new key and the new secret are shown once. Secrets from the settings are neither stored in plain text nor shown.

use std::path::{Path, PathBuf};

use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
};
use serde_json::Value;
use uuid::Uuid;

use crate::settings::Settings;
use crate::start_messages::NewSecrets;
use admin::api_key_format::{NewKey, NoRandomness};
use base::clock::Clock;
use base::keys::{self, KeyError, SecretKey};
use base::secret::Secret;
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::auth::scheme::WebhookAuth;
use revisions::publish::{Author, PublishError, Publisher, RulebookToCreate};
use rules::sample;
use store::{api_keys, rulebooks, secrets};

/// The name of the key file. The file is used if `RINGBOOK_SECRET_KEY` is not set.
const KEY_FILE: &str = "ringbook.key";

/// The name under which the admin key from the settings is stored.
const SET_KEY: &str = "RINGBOOK_ADMIN_KEY";

/// Why a first start failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The admin key could not be created.
    #[error(transparent)]
    AdminKey(#[from] NoRandomness),
    /// The link to the console could not be created.
    #[error(transparent)]
    Link(#[from] console::LinkError),
    /// `RINGBOOK_ADMIN_KEY` is not a valid key.
    #[error("RINGBOOK_ADMIN_KEY must be 16 to 256 printable ASCII characters without spaces")]
    UnusableAdminKey,
    /// The sample could not be loaded.
    #[error("the sample rulebook could not be loaded")]
    Sample(#[from] PublishError),
    /// The database failed.
    #[error("the database could not be set up")]
    Database(#[from] DbErr),
}

/// Returns the key that encrypts secrets: the key in the settings, else the key in the key file.
pub fn secret_key(settings: &Settings) -> Result<SecretKey, KeyError> {
    match &settings.secret_key {
        Some(key) => Ok(SecretKey::new(key.expose())),
        None => SecretKey::from_file(&key_file(settings)),
    }
}

pub fn key_file(settings: &Settings) -> PathBuf {
    let folder = settings
        .database
        .file()
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new(""));
    folder.join(KEY_FILE)
}

/// Creates the default rulebook, the first admin key and the webhook secret if they are missing. Returns the new
/// secrets.
pub async fn first_start(
    settings: &Settings,
    db: &DatabaseConnection,
    publisher: &Publisher,
    key: &SecretKey,
    clock: &Clock,
) -> Result<NewSecrets, BootstrapError> {
    let rulebook_id = default_rulebook(settings, db, publisher).await?;
    let tx = store::begin(db).await?;
    // This lock serializes instances that start at the same time. If an instance is interrupted, its transaction is
    // rolled back.
    rulebooks::locked_head(&tx, rulebook_id).await?;
    // Record that an account exists, even if this instance does not send. From then on, an instance without an account
    // must not simulate SMS messages.
    if settings.twilio.is_some() && rulebooks::account_known(&*tx, rulebook_id).await? {
        tracing::info!("a Twilio account is configured: SMS messages are sent from now on");
    }
    let made = admin_key(settings, &tx, clock).await?;
    let login_link = match &made {
        Some((id, _)) => Some(Secret::new(console::new_link(&tx, *id, clock.now()).await?)),
        None => None,
    };
    let new = NewSecrets {
        admin_key: made.map(|(_, key)| key),
        login_link,
        vapi_secret: webhook_secret(settings, &tx, key, clock, rulebook_id).await?,
    };
    tx.commit().await?;
    Ok(new)
}

/// Returns the default webhook settings of a new rulebook.
#[must_use]
pub fn default_webhook_auth() -> Value {
    serde_json::to_value(WebhookAuth::default()).unwrap_or_default()
}

/// Whether a first start is complete.
pub async fn is_started(settings: &Settings, db: &DatabaseConnection) -> Result<bool, DbErr> {
    let Some(rulebook_id) = find(db).await? else {
        return Ok(false);
    };
    let secret =
        settings.vapi_secret.is_some() || !secrets::active(db, rulebook_id, &[secrets::WEBHOOK]).await?.is_empty();
    Ok(secret && (settings.admin_key.is_some() || api_keys::any(db).await?))
}

async fn default_rulebook(
    settings: &Settings,
    db: &DatabaseConnection,
    publisher: &Publisher,
) -> Result<Uuid, BootstrapError> {
    // Without a Twilio account, SMS messages are recorded but not sent, until an account is configured.
    let sms_delivery = if settings.twilio.is_some() {
        rulebooks::TWILIO
    } else {
        rulebooks::UNTIL_ACCOUNT
    };
    let author = Author {
        name: "first start".to_owned(),
        ..Author::default()
    };
    if let Some(found) = find(db).await? {
        return Ok(found);
    }
    let new = RulebookToCreate {
        code: DEFAULT_RULEBOOK,
        name: None,
        webhook_auth: default_webhook_auth(),
        sms_delivery,
    };
    match publisher.create(new, sample::rows(), &author).await {
        Ok((id, _)) => Ok(id),
        // Another instance created the rulebook first.
        Err(PublishError::RulebookExists) => Ok(find(db)
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("the default rulebook".to_owned()))?),
        Err(error) => Err(error.into()),
    }
}

async fn find(db: &DatabaseConnection) -> Result<Option<Uuid>, DbErr> {
    let found = rulebooks::Entity::find()
        .filter(rulebooks::Column::Code.eq(DEFAULT_RULEBOOK))
        .one(db)
        .await?;
    Ok(found.map(|rulebook| rulebook.id))
}

/// Stores the admin key from the settings. If the settings contain none, creates the first admin key. Returns the id
/// and text of a new key.
async fn admin_key(
    settings: &Settings,
    tx: &DatabaseTransaction,
    clock: &Clock,
) -> Result<Option<(Uuid, Secret)>, BootstrapError> {
    let (key, shown) = match &settings.admin_key {
        Some(given) => (
            NewKey::given(given.expose()).ok_or(BootstrapError::UnusableAdminKey)?,
            false,
        ),
        None if api_keys::any(tx).await? => return Ok(None),
        None => (NewKey::random()?, true),
    };
    let id = clock.new_id();
    let row = api_keys::ActiveModel {
        id: Set(id),
        name: Set(if shown { "first admin" } else { SET_KEY }.to_owned()),
        prefix: Set(key.prefix.clone()),
        hash: Set(key.hash.clone()),
        role: Set("admin".to_owned()),
        rulebook_id: Set(None),
        owner: Set(None),
        made_by: Set(None),
        created_at: Set(clock.now()),
        expires_at: Set(None),
        last_used_at: Set(None),
        revoked_at: Set(None),
    };
    let once = sea_orm::sea_query::OnConflict::column(api_keys::Column::Hash)
        .do_nothing()
        .to_owned();
    let inserted = api_keys::Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    if inserted == 1 && !shown {
        // A new value of the setting revokes the previous key. An unchanged value revokes nothing, so that an instance
        // with an old value cannot revoke the new key when it starts.
        api_keys::revoke_others(tx, SET_KEY, &key.hash, clock.now()).await?;
    }
    Ok(shown.then(|| (id, Secret::new(key.text))))
}

async fn webhook_secret(
    settings: &Settings,
    tx: &DatabaseTransaction,
    key: &SecretKey,
    clock: &Clock,
    rulebook_id: Uuid,
) -> Result<Option<Secret>, BootstrapError> {
    let stored = secrets::active(tx, rulebook_id, &[secrets::WEBHOOK]).await?;
    // If the secrets were encrypted with another key, fail at startup instead of at every message.
    for row in &stored {
        key.open(rulebook_id, row.id, &row.sealed)?;
    }
    if settings.vapi_secret.is_some() || !stored.is_empty() {
        return Ok(None);
    }
    let secret = hex::encode(keys::random::<32>()?);
    let id = clock.new_id();
    let new = secrets::Model {
        rulebook_id,
        id,
        purpose: secrets::WEBHOOK.to_owned(),
        sealed: key.seal(rulebook_id, id, secret.as_bytes())?,
        created_at: clock.now(),
        retired_at: None,
    };
    secrets::add(tx, new).await?;
    Ok(Some(Secret::new(secret)))
}

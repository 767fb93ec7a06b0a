//! Whose Twilio account sends a rulebook's texts: the default rulebook's from the settings, any other's from its own
//! sealed secrets.

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::keys::SecretKey;
use crate::outbox::{Accounts, OutboxError, Sender, TwilioAccount};
use crate::settings::{self, Settings};
use crate::store::{rulebooks, secrets};
use crate::webhook::access::DEFAULT_RULEBOOK;

const PURPOSES: [&str; 4] = [
    "twilio_account_sid",
    "twilio_auth_token",
    "twilio_from",
    "twilio_messaging_service_sid",
];

/// The accounts of all rulebooks.
#[must_use]
pub fn accounts(settings: &Settings, db: DatabaseConnection, key: SecretKey) -> Accounts {
    let of_default = settings.twilio.as_ref().map(from_settings);
    Accounts::new(move |rulebook_id| {
        let (db, key, of_default) = (db.clone(), key.clone(), of_default.clone());
        async move {
            match stored(&db, &key, rulebook_id).await? {
                Some(account) => Ok(Some(account)),
                None if of_default.is_some() && is_default(&db, rulebook_id).await? => Ok(of_default),
                None => Ok(None),
            }
        }
    })
}

async fn is_default(db: &DatabaseConnection, rulebook_id: Uuid) -> Result<bool, OutboxError> {
    let default = rulebooks::Entity::find()
        .filter(rulebooks::Column::Code.eq(DEFAULT_RULEBOOK))
        .one(db)
        .await?;
    Ok(default.is_some_and(|rulebook| rulebook.id == rulebook_id))
}

async fn stored(
    db: &DatabaseConnection,
    key: &SecretKey,
    rulebook_id: Uuid,
) -> Result<Option<TwilioAccount>, OutboxError> {
    let rows = secrets::active(db, rulebook_id, &PURPOSES).await?;
    let mut values: [Option<String>; 4] = Default::default();
    for row in rows {
        let opened = key
            .open(rulebook_id, row.id, &row.sealed)
            .map_err(|error| OutboxError::Account(error.to_string()))?;
        let text = String::from_utf8(opened).map_err(|_| OutboxError::Account("a secret is not text".to_owned()))?;
        if let Some(place) = PURPOSES.iter().position(|purpose| *purpose == row.purpose) {
            values[place] = Some(text);
        }
    }
    let [sid, token, from, service] = values;
    let sender = from.map(Sender::From).or(service.map(Sender::MessagingService));
    Ok(match (sid, token, sender) {
        (Some(sid), Some(token), Some(sender)) => Some(TwilioAccount { sid, token, sender }),
        _ => None,
    })
}

fn from_settings(account: &settings::TwilioAccount) -> TwilioAccount {
    TwilioAccount {
        sid: account.account_sid.clone(),
        token: account.auth_token.expose().clone(),
        sender: match &account.from {
            settings::TwilioFrom::Number(number) => Sender::From(number.clone()),
            settings::TwilioFrom::MessagingService(sid) => Sender::MessagingService(sid.clone()),
        },
    }
}

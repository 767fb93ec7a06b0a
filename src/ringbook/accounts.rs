//! Finds the Twilio account and the Vapi key of each rulebook in its encrypted secrets. If the default rulebook has no
//! such secrets, the settings apply to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder as _};
use uuid::Uuid;

use crate::settings::{self, Settings};
use base::keys::SecretKey;
use base::telemetry;
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::reconcile::{FindKeys, ReconcileError, RulebookWithKey};
use sms::{Accounts, OutboxError, RulebookAccounts, Sender, TwilioAccount};
use store::{rulebooks, secrets};

const PURPOSES: [&str; 4] = [
    "twilio_account_sid",
    "twilio_auth_token",
    "twilio_from",
    "twilio_messaging_service_sid",
];

/// Builds the lookup that finds the Twilio account of each rulebook.
#[must_use]
pub fn accounts(settings: &Settings, db: DatabaseConnection, key: SecretKey) -> Accounts {
    let of_default = settings.twilio.as_ref().map(from_settings);
    let of_all = (db.clone(), key.clone(), of_default.clone());
    let accounts = Accounts::new(move |rulebook_id| {
        let (db, key, of_default) = (db.clone(), key.clone(), of_default.clone());
        async move {
            match stored(&db, &key, rulebook_id).await? {
                Some(account) => Ok(Some(account)),
                None if of_default.is_some() && is_default(&db, rulebook_id).await? => Ok(of_default),
                None => Ok(None),
            }
        }
    });
    accounts.with_all(move || {
        let (db, key, of_default) = of_all.clone();
        async move { everywhere(&db, &key, of_default).await }
    })
}

/// Reads the accounts of all rulebooks with two queries in total.
async fn everywhere(
    db: &DatabaseConnection,
    key: &SecretKey,
    of_default: Option<TwilioAccount>,
) -> Result<RulebookAccounts, OutboxError> {
    let mut rows: BTreeMap<Uuid, Vec<secrets::Model>> = BTreeMap::new();
    for row in secrets::active_everywhere(db, &PURPOSES).await? {
        rows.entry(row.rulebook_id).or_default().push(row);
    }
    let mut owned = RulebookAccounts::new();
    for (rulebook_id, code) in rulebooks::all_codes(db).await? {
        telemetry::rulebooks::note(rulebook_id, &code);
        let stored = match account_of(key, rulebook_id, rows.remove(&rulebook_id).unwrap_or_default()) {
            Ok(stored) => stored,
            // An unreadable account must not prevent access to the other accounts.
            Err(error) => {
                tracing::debug!(rulebook = code, %error, "the account of a rulebook cannot be read");
                continue;
            }
        };
        let found = stored.or_else(|| of_default.clone().filter(|_| code == DEFAULT_RULEBOOK));
        owned.extend(found.map(|account| (rulebook_id, account)));
    }
    Ok(owned)
}

/// Builds the lookup that finds every rulebook with a Vapi key. The default rulebook is first.
#[must_use]
pub fn vapi_keys(settings: &Settings, db: DatabaseConnection, key: SecretKey) -> FindKeys {
    let of_default = settings.vapi_api_key.as_ref().map(|key| key.expose().clone());
    Arc::new(move || {
        let (db, key, of_default) = (db.clone(), key.clone(), of_default.clone());
        Box::pin(async move {
            // An archived rulebook accepts no reports.
            let all = rulebooks::Entity::find()
                .filter(rulebooks::Column::ArchivedAt.is_null())
                .order_by_asc(rulebooks::Column::Code);
            let mut keyed = Vec::new();
            for rulebook in all.all(&db).await? {
                let stored = secrets::active(&db, rulebook.id, &["vapi_api_key"]).await?;
                let found = match stored.last() {
                    Some(row) => Some(opened(&key, row)?),
                    None if rulebook.code == DEFAULT_RULEBOOK => of_default.clone(),
                    None => None,
                };
                keyed.extend(found.map(|key| RulebookWithKey {
                    rulebook_id: rulebook.id,
                    code: rulebook.code,
                    created_at: rulebook.created_at,
                    key,
                }));
            }
            keyed.sort_by_key(|one| one.code != DEFAULT_RULEBOOK);
            Ok(keyed)
        })
    })
}

fn opened(key: &SecretKey, row: &secrets::Model) -> Result<String, ReconcileError> {
    let opened = key.open(row.rulebook_id, row.id, &row.sealed);
    let opened = opened.map_err(|error| ReconcileError::Key(error.to_string()))?;
    String::from_utf8(opened).map_err(|_| ReconcileError::Key("it is not UTF-8".to_owned()))
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
    account_of(key, rulebook_id, secrets::active(db, rulebook_id, &PURPOSES).await?)
}

/// Builds a rulebook's account from its secrets. They are sorted oldest first, so the newest secret of each purpose
/// applies.
fn account_of(
    key: &SecretKey,
    rulebook_id: Uuid,
    rows: Vec<secrets::Model>,
) -> Result<Option<TwilioAccount>, OutboxError> {
    let mut values: [Option<String>; 4] = Default::default();
    for row in rows {
        let opened = key
            .open(rulebook_id, row.id, &row.sealed)
            .map_err(|error| OutboxError::Account(error.to_string()))?;
        let text = String::from_utf8(opened).map_err(|_| OutboxError::Account("a secret is not UTF-8".to_owned()))?;
        if let Some(place) = PURPOSES.iter().position(|purpose| *purpose == row.purpose) {
            values[place] = Some(text);
        }
    }
    let [sid, token, from, service] = values;
    // A secret that was stored before Ringbook validated secrets may be invalid, and must not become part of a URL.
    let sound = [
        (sid.as_deref().is_none_or(secrets::is_account_sid), "twilio_account_sid"),
        (from.as_deref().is_none_or(secrets::is_number), "twilio_from"),
        (
            service.as_deref().is_none_or(secrets::is_messaging_service_sid),
            "twilio_messaging_service_sid",
        ),
    ];
    if let Some((_, purpose)) = sound.into_iter().find(|(is_sound, _)| !is_sound) {
        return Err(OutboxError::Account(format!(
            "the secret `{purpose}` is not valid for Twilio: store another"
        )));
    }
    let sender = from.map(Sender::From).or(service.map(Sender::MessagingService));
    whole(sid, token, sender)
}

/// Builds the account from its parts. Returns `None` if all parts are missing. Returns an error if only some parts are
/// missing. A secret is missing for a moment while somebody replaces it. Due SMS messages must wait until the new
/// secret is stored.
fn whole(
    sid: Option<String>,
    token: Option<String>,
    sender: Option<Sender>,
) -> Result<Option<TwilioAccount>, OutboxError> {
    let parts = [
        (sid.is_some(), "`twilio_account_sid`"),
        (token.is_some(), "`twilio_auth_token`"),
        (sender.is_some(), "`twilio_from` or `twilio_messaging_service_sid`"),
    ];
    match (sid, token, sender) {
        (Some(sid), Some(token), Some(sender)) => Ok(Some(TwilioAccount { sid, token, sender })),
        (None, None, None) => Ok(None),
        _ => {
            let missing: Vec<&str> = parts
                .iter()
                .filter(|(is_there, _)| !is_there)
                .map(|(_, name)| *name)
                .collect();
            Err(OutboxError::Incomplete(missing.join(" and no ")))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_with_some_of_its_parts_is_neither_an_account_nor_none() {
        let text = |is_there: bool| is_there.then(|| "x".to_owned());
        for bits in 0..8 {
            let (sid, token, sender) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            let found = whole(text(sid), text(token), text(sender).map(Sender::From));
            match bits {
                0 => assert!(matches!(found, Ok(None))),
                7 => assert!(matches!(found, Ok(Some(_)))),
                _ => {
                    let told = found.unwrap_err().to_string();
                    assert_eq!(told.contains("twilio_account_sid"), !sid, "{told}");
                    assert_eq!(told.contains("twilio_auth_token"), !token, "{told}");
                    assert_eq!(told.contains("twilio_from"), !sender, "{told}");
                }
            }
        }
    }
}

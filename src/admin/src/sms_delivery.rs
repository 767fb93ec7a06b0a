//! Reads and changes whether a rulebook's SMS messages are sent through Twilio or only recorded.
//!
//! Delivery must never depend on an instance's settings: only this stored value allows a message to be `simulated`.

use poem_openapi::param::Header;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Deserialize;
use serde_json::json;

use super::audited_write;
use super::auth::{Admin, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, SettingsWrite};
use super::responses::{FoundRow, Json, etag};
use super::state::{AdminState, RulebookInPath};
use super::versions::{Precondition, expected, stale};
use store::rulebooks;

pub struct SmsDeliveryApi(pub AdminState);

/// Where a rulebook's SMS messages go.
#[derive(Debug, Clone, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct SmsDelivery {
    /// `twilio` sends the messages. Without an account the messages wait, and an urgent notice says so.
    delivery: Delivery,
    /// The version rises with every change. Send it with a change.
    version: Option<i64>,
}

/// Where SMS messages go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Delivery {
    /// SMS messages are sent through Twilio. Without an account they wait.
    #[default]
    Twilio,
    /// SMS messages are recorded as `simulated`, with or without an account.
    Simulated,
    /// Simulated until an account is known, then permanently `twilio`. The state after a first start without an
    /// account.
    SimulatedUntilAccount,
}

impl Delivery {
    /// The word in the database table.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Twilio => rulebooks::TWILIO,
            Self::Simulated => rulebooks::SIMULATED,
            Self::SimulatedUntilAccount => rulebooks::UNTIL_ACCOUNT,
        }
    }

    fn of(word: &str) -> Self {
        match word {
            rulebooks::SIMULATED => Self::Simulated,
            rulebooks::UNTIL_ACCOUNT => Self::SimulatedUntilAccount,
            _ => Self::Twilio,
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/sms-delivery")]
impl SmsDeliveryApi {
    /// Read whether a rulebook's SMS messages are sent or simulated
    #[oai(path = "/", method = "get")]
    async fn get_sms_delivery(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<SmsDelivery>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        Ok(answer(Delivery::of(&row.sms_delivery), row.sms_delivery_version))
    }

    /// Replace whether a rulebook's SMS messages are sent or simulated
    ///
    /// The setting also applies to waiting messages: with `simulated`, they are recorded and never sent. Send the
    /// `version` that you read.
    #[oai(path = "/", method = "put")]
    async fn put_sms_delivery(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The ETag that you read, if the version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<SmsDelivery>,
    ) -> Result<FoundRow<SmsDelivery>, Fails<SettingsWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        let said = Precondition {
            body: body.0.version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`sms-delivery` of rulebook `{}`", row.code);
        let version = row.sms_delivery_version;
        expected(&said, Some(version), &what)?;
        let delivery = body.0.delivery;
        let entry = audited_write::entry(
            &self.0,
            &key,
            Some(rulebook_id),
            ("update", "sms-delivery", &row.code),
            Some(json!({"delivery": row.sms_delivery})),
            Some(json!({"delivery": delivery.word()})),
        );
        let set = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { rulebooks::set_sms_delivery(tx, rulebook_id, version, delivery.word()).await })
        });
        if set.await? {
            return Ok(answer(delivery, version + 1));
        }
        let now = self.0.rulebook_row(rulebook_id).await?.sms_delivery_version;
        Err(stale(&what, version, Some(now)).into())
    }
}

fn answer(delivery: Delivery, version: i64) -> FoundRow<SmsDelivery> {
    let shown = SmsDelivery {
        delivery,
        version: Some(version),
    };
    FoundRow::Found(Json(shown), etag(version))
}

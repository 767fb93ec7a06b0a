//! Lists inbound SMS messages.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Dispatcher, Key};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{Page, ReadResponse};
use super::scope::{RULEBOOK, rulebooks};
use super::state::AdminState;
use store::inbound_sms_messages;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "from_number",
            kind: FilterType::Text,
            doc: "The sender's phone number.",
        },
        Filter {
            name: "meaning",
            kind: FilterType::Choice(&["stop", "start"]),
            doc: "Whether the message stops or starts messages to its sender.",
        },
    ],
};

/// The operation that lists inbound SMS messages.
pub struct InboundSmsMessagesApi(pub AdminState);

/// An inbound SMS message; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct InboundSmsMessage {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// Twilio's id of the message.
    provider_id: String,
    /// The sender's phone number.
    from_number: String,
    /// The phone number that received the message.
    to_number: String,
    /// The text.
    body: String,
    /// `stop` or `start`, if the message is only that word.
    meaning: Option<String>,
    /// When the message arrived.
    received_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/admin/v1/inbound-sms-messages")]
impl InboundSmsMessagesApi {
    /// List the inbound SMS messages
    ///
    /// Lists the replies to Ringbook's SMS messages, unchanged.
    #[oai(path = "/", method = "get")]
    async fn list_inbound_sms_messages(
        &self,
        key: Key<Dispatcher>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<InboundSmsMessage>>, Fails<NoExtraErrors>> {
        use inbound_sms_messages::Column;
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = inbound_sms_messages::Entity::find().filter(seen.filter(Column::RulebookId));
        for (name, column) in [("from_number", Column::FromNumber), ("meaning", Column::Meaning)] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        let rows = listing.rows_by_id(self.0.read(), select, Column::Id).await?;
        let view = |row: inbound_sms_messages::Model| InboundSmsMessage {
            id: row.id,
            rulebook: seen.code(row.rulebook_id),
            provider_id: row.provider_id,
            from_number: row.from_number,
            to_number: row.to_number,
            body: row.body,
            meaning: row.meaning,
            received_at: row.received_at,
        };
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            view,
        )))
    }
}

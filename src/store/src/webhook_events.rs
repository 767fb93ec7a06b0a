//! The inbox: every authentic message with its raw body, keys and response.

mod record;

use std::collections::HashSet;

use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;

use crate::compressed_body;

pub use self::record::{NewEvent, StoredEvent, become_event, insert, insert_each, stored};

/// Maximum number of call ids per statement.
const CHUNK: usize = 100;

/// A row of `webhook_events`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub business_key: String,
    #[sea_orm(column_type = "Text")]
    pub delivery_key: String,
    #[sea_orm(column_type = "Text", column_name = "type")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub message_at: Option<DateTimeUtc>,
    pub received_at: DateTimeUtc,
    /// The body, which may be compressed. [`Model::raw_body`] decodes it.
    pub body: Option<Vec<u8>>,
    pub body_hash: Vec<u8>,
    #[sea_orm(column_type = "JsonBinary")]
    pub answer: Json,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub amends: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub origin: String,
    #[sea_orm(column_type = "Text")]
    pub set_aside: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The body as received. `None` if the body was erased or purged.
    ///
    /// # Errors
    /// When the stored body is damaged.
    pub fn raw_body(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        self.body.take().map(compressed_body::unpack).transpose()
    }
}

/// Returns which of these calls have events in another rulebook.
pub async fn of_others<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    calls: &[String],
) -> Result<HashSet<String>, DbErr> {
    let mut others = HashSet::new();
    for chunk in calls.chunks(CHUNK) {
        let found = Entity::find()
            .select_only()
            .column(Column::CallId)
            .distinct()
            .filter(Column::CallId.is_in(chunk.iter().map(String::as_str)))
            .filter(Column::RulebookId.ne(rulebook_id))
            .into_tuple::<String>()
            .all(db)
            .await?;
        others.extend(found);
    }
    Ok(others)
}

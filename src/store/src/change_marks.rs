//! Change marks, by which a live view detects that its data has changed. The mark of a table changes when one of its
//! newest rows changes. The query reads a bounded number of rows, because clients poll the marks every few hundred
//! milliseconds.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::sql::statement;

/// The marks of a rulebook. They cover only the newest rows of each table. A change to an older row does not change a
/// mark.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromQueryResult)]
pub struct DayMarks {
    /// The mark of the leads, including their acknowledgements and notified contacts.
    pub leads: String,
    pub sms_messages: String,
    pub notices: String,
    pub rules: String,
}

/// Reads the newest 200 leads, escalations and SMS messages by primary key, and all open notices.
const SQL: &str = "
SELECT
  (SELECT concat_ws(' ', max(created_at), max(updated_at)) FROM
    (SELECT created_at, updated_at FROM leads WHERE rulebook_id = $1 ORDER BY id DESC LIMIT 200) AS newest)
  || ' ' ||
  (SELECT concat_ws(' ', count(*), sum(step), max(started_at), max(acknowledged_at)) FROM
    (SELECT step, started_at, acknowledged_at FROM escalations WHERE rulebook_id = $1 ORDER BY id DESC LIMIT 200) AS newest)
    AS leads,
  (SELECT concat_ws(' ', max(created_at), max(updated_at)) FROM
    (SELECT created_at, updated_at FROM sms_messages WHERE rulebook_id = $1 ORDER BY id DESC LIMIT 200) AS newest)
    AS sms_messages,
  (SELECT concat_ws(' ', count(*), sum(count), max(last_at)) FROM notices WHERE rulebook_id = $1 AND resolved_at IS NULL)
    AS notices,
  (SELECT CAST(head_revision AS text) FROM rulebooks WHERE id = $1) AS rules";

/// Reads the current marks of a rulebook.
pub async fn of(db: &impl ConnectionTrait, rulebook_id: Uuid) -> Result<DayMarks, DbErr> {
    let found = DayMarks::find_by_statement(statement(db, SQL, [rulebook_id.into()]))
        .one(db)
        .await?;
    Ok(found.unwrap_or_default())
}

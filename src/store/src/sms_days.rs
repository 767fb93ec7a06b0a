//! Counts the SMS messages that a rulebook with a daily cap queues per day.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement};
use uuid::Uuid;

/// Adds to the counter of a day, and returns the new count. Locks the counter until the transaction ends, so that the
/// cap is exact.
pub async fn add(tx: &DatabaseTransaction, rulebook_id: Uuid, day: &str, texts: i64) -> Result<i64, DbErr> {
    const SQL: &str = "INSERT INTO sms_days (rulebook_id, day, texts) VALUES ($1, $2, $3) \
        ON CONFLICT (rulebook_id, day) DO UPDATE SET texts = sms_days.texts + excluded.texts RETURNING texts";
    let values = [rulebook_id.into(), day.into(), texts.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, values);
    let row = tx.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the counter of the day".to_owned()))?
        .try_get("", "texts")
}

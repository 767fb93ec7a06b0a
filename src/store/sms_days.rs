//! How many texts a rulebook with a daily cap has asked for, day by day. In: texts. Out: how many it is now.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement};
use uuid::Uuid;

/// Adds to a day's texts, and holds the day's row until the transaction ends: so the cap is exact. Out: how many it is.
pub async fn add(tx: &DatabaseTransaction, rulebook_id: Uuid, day: &str, texts: i64) -> Result<i64, DbErr> {
    const SQL: &str = "INSERT INTO sms_days (rulebook_id, day, texts) VALUES ($1, $2, $3) \
        ON CONFLICT (rulebook_id, day) DO UPDATE SET texts = sms_days.texts + excluded.texts RETURNING texts";
    let values = [rulebook_id.into(), day.into(), texts.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, values);
    let row = tx.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the texts of the day".to_owned()))?
        .try_get("", "texts")
}

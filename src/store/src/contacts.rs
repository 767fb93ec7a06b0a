//! Looks up contacts of the head revision by phone number or code.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use uuid::Uuid;

/// A contact who can get SMS messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsContact {
    pub code: String,
    pub name: String,
    /// The language of the contact's SMS messages.
    pub language: String,
}

/// Returns the contacts with this phone number, ordered by their rank.
pub async fn with_phone(tx: &DatabaseTransaction, rulebook_id: Uuid, phone: &str) -> Result<Vec<SmsContact>, DbErr> {
    find(tx, rulebook_id, "phone", phone).await
}

/// The contact with this code.
pub async fn with_code(tx: &DatabaseTransaction, rulebook_id: Uuid, code: &str) -> Result<Option<SmsContact>, DbErr> {
    Ok(find(tx, rulebook_id, "code", code).await?.into_iter().next())
}

/// A contact with a phone number.
#[derive(Clone)]
pub struct Reachable {
    pub contact: SmsContact,
    pub phone: String,
    /// Whether the contact is on call.
    pub on_call: bool,
}

/// Returns all contacts with their phone numbers, ordered by their rank.
pub async fn all(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<Vec<Reachable>, DbErr> {
    const SQL: &str = "SELECT code, name, language, phone, on_call FROM contacts \
                       WHERE rulebook_id = $1 AND until_revision IS NULL ORDER BY rank, code";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, [rulebook_id.into()]);
    let rows = tx.query_all_raw(statement).await?;
    let rows = rows.iter().map(|row| {
        Ok(Reachable {
            contact: SmsContact {
                code: row.try_get("", "code")?,
                name: row.try_get("", "name")?,
                language: row.try_get("", "language")?,
            },
            phone: row.try_get("", "phone")?,
            on_call: row.try_get("", "on_call")?,
        })
    });
    rows.collect()
}

/// Current phone number of the contact with this code. `None` if that contact no longer exists.
pub async fn phone_of(tx: &DatabaseTransaction, rulebook_id: Uuid, code: &str) -> Result<Option<String>, DbErr> {
    const SQL: &str = "SELECT phone FROM contacts WHERE rulebook_id = $1 AND until_revision IS NULL AND code = $2";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, [rulebook_id.into(), code.into()]);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| row.try_get("", "phone")).transpose()
}

async fn find(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    column: &'static str,
    value: &str,
) -> Result<Vec<SmsContact>, DbErr> {
    let sql = format!(
        "SELECT code, name, language FROM contacts WHERE rulebook_id = $1 AND until_revision IS NULL AND {column} = $2 \
         ORDER BY rank, code"
    );
    let values = [rulebook_id.into(), value.into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    let rows = rows.iter().map(|row| {
        Ok(SmsContact {
            code: row.try_get("", "code")?,
            name: row.try_get("", "name")?,
            language: row.try_get("", "language")?,
        })
    });
    rows.collect()
}

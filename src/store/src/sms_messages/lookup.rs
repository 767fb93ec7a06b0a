//! Finds and counts messages about a call, to a contact or a number, or with a reference. This module never writes.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, PaginatorTrait, QueryOrder, QuerySelect, Statement};

use super::{Column, DEAD, Entity, Model};

/// Returns the contacts to whom a rule has sent an SMS message about the same call since `since`. If the caller is
/// known, messages about other calls of this caller count too. Dead messages and messages about simulated calls do not
/// count.
pub async fn notified_by_rule(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    rule: &str,
    since: DateTimeUtc,
    call_id: Option<&str>,
    caller: Option<&str>,
) -> Result<Vec<String>, DbErr> {
    const SQL: &str = "SELECT DISTINCT s.contact FROM sms_messages s \
        LEFT JOIN calls c ON c.rulebook_id = s.rulebook_id AND c.id = s.call_id \
        WHERE s.rulebook_id = $1 AND s.rule = $2 AND s.created_at > $3 AND s.state <> 'dead' \
        AND (s.call_id IS NULL OR s.call_id NOT LIKE 'simulated-%') \
        AND (s.call_id = $4 OR c.customer_number = $5)";
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned).into();
    let values = [
        rulebook_id.into(),
        rule.into(),
        since.into(),
        owned(call_id),
        owned(caller),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "contact")).collect()
}

/// Returns the newest message with this reference, among the messages that were created since `since`.
pub async fn with_reference(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reference: &str,
    since: DateTimeUtc,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CreatedAt.gte(since))
        .filter(Column::Reference.eq(reference))
        .order_by_desc(Column::CreatedAt)
        .one(tx)
        .await
}

/// Returns the reference of the newest message to a contact about a call.
pub async fn reference_to(
    tx: &DatabaseTransaction,
    (rulebook_id, call_id): (Uuid, &str),
    contact: &str,
) -> Result<Option<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Reference)
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::Contact.eq(contact))
        .order_by_desc(Column::Id)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await
}

/// Returns the call that the newest message with a reference is about.
pub async fn call_of_reference<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    reference: &str,
) -> Result<Option<String>, DbErr> {
    let found = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Reference.eq(reference))
        .order_by_desc(Column::CreatedAt)
        .limit(1)
        .one(db)
        .await?;
    Ok(found.and_then(|row| row.call_id))
}

/// Returns the rulebook of a message.
pub async fn rulebook_of<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .filter(Column::Id.eq(id))
        .into_tuple()
        .one(db)
        .await
}

/// Returns the number of dead messages to a contact.
pub async fn count_dead<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, contact: &str) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Contact.eq(contact))
        .filter(Column::State.eq(DEAD))
        .count(db)
        .await
}

/// Whether a P1 message to one of these contacts about the call was accepted or may still arrive.
pub async fn any_alive<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    call_id: &str,
    contacts: &[String],
) -> Result<bool, DbErr> {
    let alive = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::Priority.eq("P1"))
        .filter(Column::Contact.is_in(contacts.iter().map(String::as_str)))
        .filter(Column::State.ne(DEAD))
        .count(db)
        .await?;
    Ok(alive > 0)
}

/// Returns the newest message to a number. This message shows which contact has the number.
pub async fn newest_to<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, number: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::ToNumber.eq(number))
        .order_by_desc(Column::Id)
        .limit(1)
        .one(db)
        .await
}

//! Statements that several table modules use.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Iterable as _,
    PrimaryKeyToColumn as _, QueryFilter, Statement, Value as Bind,
};
use uuid::Uuid;

/// Builds a statement with its values, in the dialect of `db`.
pub(super) fn statement<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Bind; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// Converts an optional string to a bind value.
pub(super) fn owned(text: Option<&str>) -> Bind {
    text.map(ToOwned::to_owned).into()
}

/// Inserts a row, unless a row with the same values in the `like` columns exists. Returns whether the row was inserted.
pub(super) async fn insert_once<A>(tx: &DatabaseTransaction, row: A, mut like: OnConflict) -> Result<bool, DbErr>
where
    A: ActiveModelTrait,
{
    let once = like.do_nothing().to_owned();
    let inserted = A::Entity::insert(row.reset_all())
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    Ok(inserted > 0)
}

/// Removes the key columns from a row before an update. A key never changes, and Citus rejects updates of the
/// distribution column.
pub(super) fn without_keys<A: ActiveModelTrait>(mut row: A) -> A {
    for key in <A::Entity as EntityTrait>::PrimaryKey::iter() {
        row.not_set(key.into_column());
    }
    row
}

/// Writes a rulebook's row if the stored version is `before`. The table must have one row per rulebook. `before` is 0
/// if there is no row yet. Returns whether the row was written.
pub(super) async fn write_over<A>(
    tx: &DatabaseTransaction,
    row: A,
    (rulebook, rulebook_id): (<A::Entity as EntityTrait>::Column, Uuid),
    (version, before): (<A::Entity as EntityTrait>::Column, i64),
) -> Result<bool, DbErr>
where
    A: ActiveModelTrait,
{
    if before == 0 {
        return insert_once(tx, row, OnConflict::column(rulebook)).await;
    }
    let done = A::Entity::update_many()
        .set(without_keys(row.reset_all()))
        .filter(rulebook.eq(rulebook_id))
        .filter(version.eq(before))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

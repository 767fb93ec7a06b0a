//! Statements that several tables share.

use std::collections::HashSet;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IdenStatic as _,
    Iterable as _, PrimaryKeyToColumn as _, QueryFilter, QueryResult, QueryTrait as _, Statement, Value as Bind,
};
use uuid::Uuid;

/// Possible numbers of rows per statement. There are few sizes, because a connection prepares and caches a statement
/// for each size. The sizes are spaced so that most rows are inserted by large statements.
const SIZES: [usize; 10] = [32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// A statement with its values, in this database's dialect.
pub(super) fn statement<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Bind; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// A string or NULL, as a bind value.
pub(super) fn owned(text: Option<&str>) -> Bind {
    text.map(ToOwned::to_owned).into()
}

/// Inserts rows. `insert` is the SQL up to `VALUES`, and `then` is the SQL after the rows. Returns the rows that the
/// statement returns.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert_rows<const N: usize>(
    tx: &DatabaseTransaction,
    insert: &str,
    rows: Vec<[Bind; N]>,
    then: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut returned = Vec::new();
    let mut rows = rows.into_iter();
    while let Some(count) = portion(rows.len()) {
        let sql = format!("{insert} VALUES {} {then}", placeholders(count, N));
        let values = rows.by_ref().take(count).flatten();
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        returned.append(&mut tx.query_all_raw(statement).await?);
    }
    Ok(returned)
}

/// Number of rows in the next statement, if `left` rows remain.
pub(super) fn portion(left: usize) -> Option<usize> {
    SIZES.into_iter().find(|size| *size <= left)
}

/// The placeholders of rows: `($1, $2), ($3, $4)` for two rows of two columns.
fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let separator = if column == 1 { "" } else { ", " };
            text.push_str(&format!("{separator}${}", row * columns + column));
        }
        text.push(')');
    }
    text
}

/// Inserts a row, unless a row with the same values in the `like` columns exists. Returns whether it was inserted.
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

/// Inserts each row, unless a row with the same values in the `like` columns exists. Returns the `id` of each inserted
/// row.
pub(super) async fn insert_each<A>(
    tx: &DatabaseTransaction,
    rows: Vec<A>,
    mut like: OnConflict,
    id: <A::Entity as EntityTrait>::Column,
) -> Result<HashSet<Uuid>, DbErr>
where
    A: ActiveModelTrait,
{
    let once = like.do_nothing().to_owned();
    let mut inserted = HashSet::new();
    let mut rows = rows.into_iter();
    while let Some(count) = portion(rows.len()) {
        let some = rows.by_ref().take(count).map(ActiveModelTrait::reset_all);
        let mut insert = A::Entity::insert_many(some).on_conflict(once.clone()).into_query();
        insert.returning_col(id);
        for row in tx.query_all(&insert).await? {
            inserted.insert(row.try_get("", id.as_str())?);
        }
    }
    Ok(inserted)
}

/// Removes the key from a row for an update. A key never changes, and Citus refuses to set the distribution column.
pub(super) fn without_keys<A: ActiveModelTrait>(mut row: A) -> A {
    for key in <A::Entity as EntityTrait>::PrimaryKey::iter() {
        row.not_set(key.into_column());
    }
    row
}

/// Writes the row of a rulebook in a table with one row per rulebook, if the stored version is `before`. `before` is 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_inserted_in_portions_of_few_sizes() {
        let mut left = 87;
        let mut sizes = Vec::new();
        while let Some(count) = portion(left) {
            sizes.push(count);
            left -= count;
        }
        assert_eq!(sizes, [32, 32, 16, 6, 1]);
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}

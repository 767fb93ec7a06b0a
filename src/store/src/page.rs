//! Keyset pagination.
//!
//! A position in a list is given by values that never change (a time and an id), not by an offset. So concurrent
//! writes never cause a row to be skipped or repeated.

use sea_orm::sea_query::{Condition, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select, Value,
};

/// The sort order of a list: by a column whose values never change, then by id.
#[derive(Debug, Clone, Copy)]
pub struct Sorting<C> {
    pub by: C,
    /// Breaks ties.
    pub id: C,
    pub descending: bool,
}

/// Rows after `after`: up to `limit`, and one more if there is a next page.
///
/// # Errors
/// When the database fails.
pub async fn rows<E, D>(
    db: &D,
    query: Select<E>,
    sorting: Sorting<E::Column>,
    after: Option<(Value, Value)>,
    limit: u64,
) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    D: ConnectionTrait,
    E::Model: Send + Sync,
{
    let order = if sorting.descending { Order::Desc } else { Order::Asc };
    let beyond = |column: E::Column, value: Value| -> SimpleExpr {
        if sorting.descending {
            column.lt(value)
        } else {
            column.gt(value)
        }
    };
    let query = match after {
        None => query,
        Some((by, id)) => {
            // Redundant, but without it some databases read all rows before the position.
            let not_before = if sorting.descending {
                sorting.by.lte(by.clone())
            } else {
                sorting.by.gte(by.clone())
            };
            query.filter(not_before).filter(
                Condition::any()
                    .add(beyond(sorting.by, by.clone()))
                    .add(Condition::all().add(sorting.by.eq(by)).add(beyond(sorting.id, id))),
            )
        }
    };
    query
        .order_by(sorting.by, order.clone())
        .order_by(sorting.id, order)
        .limit(limit + 1)
        .all(db)
        .await
}

//! Keyset pagination.
//!
//! A position in a list is not an offset. A position consists of values that never change: a time and an id. So
//! concurrent writes never cause a row to be skipped or repeated.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, IdenStatic as _, Order, QueryFilter, QueryOrder, QuerySelect, Select, Value,
};

/// The sort order of a list: by a column whose values never change, then by id.
#[derive(Debug, Clone, Copy)]
pub struct Sorting<C> {
    pub by: C,
    /// Orders rows that have the same value of `by`.
    pub id: C,
    pub descending: bool,
}

/// Returns up to `limit` rows after the position `after`, and one more row if there is a next page.
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
    let is_by_id = sorting.by.as_str() == sorting.id.as_str();
    let columns = if is_by_id {
        vec![sorting.id]
    } else {
        vec![sorting.by, sorting.id]
    };
    let query = match after {
        None => query,
        // Compare rows as tuples, so that both databases start to read the index at this position.
        Some((by, id)) => {
            let values = if is_by_id { vec![id] } else { vec![by, id] };
            let place = Expr::tuple(values.into_iter().map(Expr::value));
            let row = Expr::tuple(columns.iter().map(|column| Expr::col((E::default(), *column))));
            query.filter(if sorting.descending {
                row.lt(place)
            } else {
                row.gt(place)
            })
        }
    };
    columns
        .iter()
        .fold(query, |query, column| query.order_by(*column, order.clone()))
        .limit(limit + 1)
        .all(db)
        .await
}

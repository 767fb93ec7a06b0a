//! Inserts rows into tables, many per statement.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use sea_orm::{
    ActiveModelTrait, ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr, EntityName as _, EntityTrait,
    IdenStatic as _, Iterable as _, QueryResult, Statement, Value as Bind,
};
use uuid::Uuid;

/// Largest number of rows per statement. A connection prepares and caches a statement for each number of rows, so the
/// limit also bounds the number of these statements.
pub(super) const MAX_ROWS: usize = 16;

/// Rows to insert into one table.
pub(super) struct Insertion {
    /// The SQL before the rows.
    insert: Cow<'static, str>,
    rows: NewRows,
    /// The SQL after the rows.
    then: Cow<'static, str>,
}

enum NewRows {
    Values {
        columns: usize,
        /// The indexes of the columns whose values are JSON texts.
        json: &'static [usize],
        /// The values of all rows.
        values: Vec<Bind>,
    },
    /// The columns and the source of a `SELECT`, and its two parameters: the rulebook and a JSON document.
    Select(&'static str, [Bind; 2]),
}

impl Insertion {
    /// Creates an insertion from the values of the rows. `insert` is the SQL up to `VALUES`, and `then` is the SQL
    /// after the rows.
    pub(super) fn of_values<const N: usize>(
        insert: &'static str,
        rows: impl Iterator<Item = [Bind; N]>,
        then: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            insert: insert.into(),
            rows: NewRows::Values {
                columns: N,
                json: &[],
                values: rows.flatten().collect(),
            },
            then: then.into(),
        }
    }

    /// Marks the columns whose values are JSON texts. `columns` contains the indexes of these columns.
    pub(super) fn with_json(mut self, columns: &'static [usize]) -> Self {
        if let NewRows::Values { json, .. } = &mut self.rows {
            *json = columns;
        }
        self
    }

    /// Creates an insertion of rows that the database reads from a JSON document. `select` is the rest of the `SELECT`
    /// after its first column, the rulebook. In `select`, `$document` means the text of the document.
    pub(super) fn of_document(
        insert: &'static str,
        select: &'static str,
        rulebook_and_document: [Bind; 2],
        then: &'static str,
    ) -> Self {
        Self {
            insert: insert.into(),
            rows: NewRows::Select(select, rulebook_and_document),
            then: then.into(),
        }
    }

    /// Returns the SQL of the statement, and appends the values of its parameters to `values`. The parameter numbers
    /// continue after the values that `values` already contains.
    fn sql(self, backend: DatabaseBackend, values: &mut Vec<Bind>) -> String {
        let Self { insert, rows, then } = self;
        format!("{insert} {} {then}", rows.source(backend, values))
    }

    /// Inserts the rows. Returns the result rows of the statement.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn run(self, tx: &DatabaseTransaction) -> Result<Vec<QueryResult>, DbErr> {
        let (mut values, backend) = (Vec::new(), tx.get_database_backend());
        let sql = self.sql(backend, &mut values);
        let statement = Statement::from_sql_and_values(backend, sql, values);
        tx.query_all_raw(statement).await
    }

    /// Inserts the rows of `first`, of `others` and of this insertion with one `PostgreSQL` statement. The rows of this
    /// insertion are inserted, and their result is returned, only if `first` returns `count` rows.
    ///
    /// Because of this condition, `PostgreSQL` writes and locks the rows of `first` first. Otherwise `PostgreSQL` would
    /// write these rows last, because nothing reads them.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn run_after<const N: usize>(
        self,
        tx: &DatabaseTransaction,
        (first, count): (Self, usize),
        others: [Self; N],
    ) -> Result<Vec<QueryResult>, DbErr> {
        let (mut values, backend) = (Vec::new(), tx.get_database_backend());
        let Self { insert, rows, then } = self;
        let mut sql = format!("WITH rows_first AS ({})", first.sql(backend, &mut values));
        for (place, other) in others.into_iter().enumerate() {
            let other = other.sql(backend, &mut values);
            let _ = write!(sql, ", rows_{place} AS ({other})");
        }
        let source = rows.source(backend, &mut values);
        let _ = write!(
            sql,
            " {insert} SELECT * FROM ({source}) AS rows_last WHERE (SELECT count(*) FROM rows_first) = {count} {then}"
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        tx.query_all_raw(statement).await
    }
}

impl NewRows {
    /// Returns the SQL of the rows, and appends the values of its parameters to `values`. The parameter numbers
    /// continue after the values that `values` already contains.
    fn source(self, backend: DatabaseBackend, values: &mut Vec<Bind>) -> String {
        let used = values.len();
        match self {
            Self::Values {
                columns,
                json,
                values: new,
            } => {
                let json = if backend == DatabaseBackend::Postgres {
                    json
                } else {
                    &[]
                };
                let rows = placeholders(used, new.len() / columns, columns, json);
                values.extend(new);
                format!("VALUES {rows}")
            }
            Self::Select(select, new) => {
                values.extend(new);
                let select = select.replace("$document", &format!("${}", used + 2));
                format!("SELECT ${}, {select}", used + 1)
            }
        }
    }
}

/// Inserts rows, at most [`MAX_ROWS`] per statement. `insert` is the SQL up to `VALUES`, and `then` is the SQL after
/// the rows. Returns the result rows of all statements.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert_rows<const N: usize>(
    tx: &DatabaseTransaction,
    insert: &'static str,
    rows: Vec<[Bind; N]>,
    then: &'static str,
) -> Result<Vec<QueryResult>, DbErr> {
    insert_in_portions(tx, insert.into(), N, rows, then.into()).await
}

/// Inserts each row, unless a row with the same values in the `like` columns exists. Returns the `id` of each inserted
/// row.
pub(super) async fn insert_each<A>(
    tx: &DatabaseTransaction,
    rows: Vec<A>,
    like: [<A::Entity as EntityTrait>::Column; 2],
    id: <A::Entity as EntityTrait>::Column,
) -> Result<HashSet<Uuid>, DbErr>
where
    A: ActiveModelTrait,
{
    let columns: Vec<_> = <A::Entity as EntityTrait>::Column::iter().collect();
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"", column.as_str()))
        .collect();
    let insert = format!(
        "INSERT INTO {} ({})",
        A::Entity::default().table_name(),
        names.join(", ")
    );
    let [one, other] = like.map(|column| column.as_str());
    let then = format!("ON CONFLICT ({one}, {other}) DO NOTHING RETURNING {}", id.as_str());
    let values = |mut row: A| -> Vec<Bind> {
        let value = |column: &<A::Entity as EntityTrait>::Column| row.take(*column).into_value();
        columns.iter().filter_map(value).collect()
    };
    let rows: Vec<Vec<Bind>> = rows.into_iter().map(values).collect();
    let inserted = insert_in_portions(tx, insert.into(), columns.len(), rows, then.into()).await?;
    inserted.iter().map(|row| row.try_get("", id.as_str())).collect()
}

async fn insert_in_portions(
    tx: &DatabaseTransaction,
    insert: Cow<'static, str>,
    columns: usize,
    rows: Vec<impl IntoIterator<Item = Bind>>,
    then: Cow<'static, str>,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut returned = Vec::new();
    let mut rows = rows.into_iter();
    while let Some(count) = portion(rows.len()) {
        let insertion = Insertion {
            insert: insert.clone(),
            rows: NewRows::Values {
                columns,
                json: &[],
                values: rows.by_ref().take(count).flatten().collect(),
            },
            then: then.clone(),
        };
        returned.append(&mut insertion.run(tx).await?);
    }
    Ok(returned)
}

/// Returns how many rows the next statement should insert, if `left` rows remain.
pub(super) fn portion(left: usize) -> Option<usize> {
    Some(left.min(MAX_ROWS)).filter(|count| *count > 0)
}

/// The placeholders of rows, for example `($1, $2), ($3, $4)` for two rows of two columns. The numbers continue after
/// `used` other placeholders. The columns in `json` are cast from text to `jsonb`.
fn placeholders(used: usize, rows: usize, columns: usize, json: &[usize]) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let separator = if column == 0 { "" } else { ", " };
            let cast = if json.contains(&column) { "::text::jsonb" } else { "" };
            let _ = write!(text, "{separator}${}{cast}", used + row * columns + column + 1);
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_inserted_in_portions() {
        let mut left = 39;
        let mut sizes = Vec::new();
        while let Some(count) = portion(left) {
            sizes.push(count);
            left -= count;
        }
        assert_eq!(sizes, [16, 16, 7]);
        assert_eq!(placeholders(0, 2, 3, &[]), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(placeholders(7, 1, 2, &[1]), "($8, $9::text::jsonb)");
    }
}

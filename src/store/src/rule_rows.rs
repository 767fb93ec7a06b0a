//! Rule rows. A row is valid from one revision until a later revision. The same column definitions are used to load a
//! revision and to write a revision.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, RuntimeErr, Value as Bind};
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

use rules::money::Money;
use rules::rows::{Resource, Row, RowSet, StoredRow, changed, with_row};

/// The column type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnType {
    Text,
    Integer,
    Boolean,
    /// An amount of money, stored in minor units.
    Money,
    Json,
    Time,
}

/// A row that a revision changed. `before` is `None` for a new row, and `after` is `None` for a deleted row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// The resource of the row.
    pub resource: Resource,
    pub code: String,
    /// The row before the change.
    pub before: Option<Value>,
    /// The row after the change.
    pub after: Option<Value>,
}

/// Rows per statement. The number is fixed, because a statement with another number of rows would have to be prepared
/// separately.
const CHUNK: usize = 50;

#[expect(clippy::too_many_lines, reason = "a table with a line per column")]
const fn columns(resource: Resource) -> &'static [(&'static str, ColumnType)] {
    use ColumnType::{Boolean, Integer, Json, Money, Text, Time};
    match resource {
        Resource::Settings => &[
            ("currency", Text),
            ("time_zone", Text),
            ("region", Text),
            ("languages", Json),
            ("rounding", Text),
            ("rounding_step", Money),
            ("default_priority", Text),
            ("default_sla_seconds", Integer),
            ("calendar", Text),
            ("unknown_service", Json),
            ("rotation_from", Text),
            ("quiet_from", Text),
            ("quiet_until", Text),
            ("daily_sms_cap", Integer),
            ("escalate_after_s", Integer),
            ("listens_to", Json),
        ],
        Resource::Concepts => &[("phrases", Json), ("except", Json)],
        Resource::Cues => &[
            ("effect", Text),
            ("before", Integer),
            ("after", Integer),
            ("otherwise", Text),
            ("phrases", Json),
        ],
        Resource::Classifiers => &[("learns", Text), ("bias", Integer), ("weights", Json)],
        Resource::FactMappings => &[
            ("pointers", Json),
            ("kind", Text),
            ("default_value", Text),
            ("values", Json),
        ],
        Resource::Services => &[
            ("names", Json),
            ("keywords", Json),
            ("weak_keywords", Json),
            ("rank", Integer),
            ("offer", Text),
            ("price_from", Money),
            ("price_to", Money),
            ("quantity_fact", Text),
            ("unit", Json),
            ("lead_days_min", Integer),
            ("lead_days_max", Integer),
            ("lead_working_days", Boolean),
            ("reason", Json),
            ("notify", Json),
        ],
        Resource::Areas => &[
            ("names", Json),
            ("rank", Integer),
            ("postal_prefixes", Json),
            ("cities", Json),
        ],
        Resource::Calendars => &[
            ("open", Json),
            ("evening_from", Text),
            ("evening_until", Text),
            ("weekend", Json),
            ("holidays", Json),
            ("holiday_rules", Json),
            ("special_days", Json),
        ],
        Resource::Adjustments => &[
            ("names", Json),
            ("rank", Integer),
            ("kind", Text),
            ("amount", Money),
            ("rate", Text),
            ("per", Text),
            ("condition", Text),
            ("services", Json),
            ("stacking_group", Text),
            ("valid_from", Time),
            ("valid_until", Time),
        ],
        Resource::Taxes => &[("names", Json), ("rank", Integer), ("rate", Text)],
        Resource::PriorityRules => &[
            ("names", Json),
            ("rank", Integer),
            ("condition", Text),
            ("priority", Text),
            ("safety", Boolean),
            ("say", Json),
            ("sla_seconds", Integer),
            ("notify", Json),
            ("template", Text),
            ("cool_down_s", Integer),
            ("escalate_after_s", Integer),
        ],
        Resource::Scripts => &[("hook", Text), ("rank", Integer), ("source", Text)],
        Resource::Contacts => &[
            ("name", Text),
            ("phone", Text),
            ("language", Text),
            ("rank", Integer),
            ("on_call", Boolean),
            ("on_call_calendar", Text),
            ("rotation_week", Integer),
            ("rotation_of", Integer),
        ],
        Resource::ShiftOverrides => &[
            ("contact", Text),
            ("instead_of", Text),
            ("from", Text),
            ("until", Text),
            ("comment", Text),
        ],
        Resource::Templates => &[("texts", Json)],
        Resource::Tools => &[("runs", Text), ("script", Text), ("template", Text)],
        Resource::AssistantRules => &[
            ("rank", Integer),
            ("condition", Text),
            ("answer", Text),
            ("assistant_id", Text),
            ("contact", Text),
            ("message", Json),
        ],
        Resource::Cases => &[
            ("comment", Text),
            ("at", Time),
            ("said", Text),
            ("facts", Json),
            ("expect", Json),
        ],
    }
}

/// All rows of a rulebook at a revision.
///
/// # Errors
/// When the database fails, or contains a malformed row.
pub async fn load(db: &impl ConnectionTrait, rulebook_id: Uuid, revision: i64) -> Result<RowSet, DbErr> {
    let mut set = RowSet::default();
    for &resource in Resource::ALL {
        with_row!(resource, R => load_table::<R>(db, rulebook_id, revision, &mut set).await?);
    }
    Ok(set)
}

/// Returns the row with this code that revision `version` wrote, or `None` if that revision did not write the row.
///
/// # Errors
/// When the database fails, or contains a malformed row.
pub async fn written(
    db: &impl ConnectionTrait,
    rulebook_id: Uuid,
    resource: Resource,
    code: &str,
    version: i64,
) -> Result<Option<Value>, DbErr> {
    let mut query = select(resource, rulebook_id);
    query
        .and_where(Expr::col(Alias::new("code")).eq(code))
        .and_where(Expr::col(Alias::new("since_revision")).eq(version));
    let Some(found) = db.query_one(&query).await? else {
        return Ok(None);
    };
    let row = with_row!(resource, R => serde_json::to_value(row::<R>(&found)?.row));
    row.map(Some).map_err(|error| DbErr::Json(error.to_string()))
}

async fn load_table<R: Row>(
    db: &impl ConnectionTrait,
    rulebook_id: Uuid,
    revision: i64,
    set: &mut RowSet,
) -> Result<(), DbErr> {
    let mut query = select(R::RESOURCE, rulebook_id);
    query
        .and_where(Expr::col(Alias::new("since_revision")).lte(revision))
        .and_where(
            Expr::col(Alias::new("until_revision"))
                .is_null()
                .or(Expr::col(Alias::new("until_revision")).gt(revision)),
        );
    for found in db.query_all(&query).await? {
        let stored = row::<R>(&found)?;
        R::table_mut(set).insert(stored.row.code().to_owned(), Arc::new(stored));
    }
    Ok(())
}

fn select(resource: Resource, rulebook_id: Uuid) -> SelectStatement {
    let mut select = Query::select();
    select
        .from(Alias::new(resource.table()))
        .column(Alias::new("code"))
        .column(Alias::new("since_revision"));
    for (name, _) in columns(resource) {
        select.column(Alias::new(*name));
    }
    select.and_where(Expr::col(Alias::new("rulebook_id")).eq(rulebook_id));
    select
}

fn row<R: Row>(found: &QueryResult) -> Result<StoredRow<R>, DbErr> {
    let code: String = found.try_get("", "code")?;
    let mut fields = Map::new();
    fields.insert("code".to_owned(), Value::String(code.clone()));
    for (name, kind) in columns(R::RESOURCE) {
        if let Some(value) = read(found, name, *kind)? {
            fields.insert((*name).to_owned(), value);
        }
    }
    let row: R = serde_json::from_value(Value::Object(fields))
        .map_err(|error| DbErr::Type(format!("{} {code}: {error}", R::RESOURCE.table())))?;
    Ok(StoredRow {
        version: found.try_get("", "since_revision")?,
        row,
    })
}

fn read(found: &QueryResult, name: &str, kind: ColumnType) -> Result<Option<Value>, DbErr> {
    Ok(match kind {
        ColumnType::Text => found.try_get::<Option<String>>("", name)?.map(Value::String),
        ColumnType::Integer => found.try_get::<Option<i64>>("", name)?.map(Value::from),
        ColumnType::Boolean => found.try_get::<Option<bool>>("", name)?.map(Value::Bool),
        ColumnType::Money => found
            .try_get::<Option<i64>>("", name)?
            .map(|minor| Value::String(Money::from_minor(minor).to_string())),
        ColumnType::Json => found
            .try_get::<Option<Value>>("", name)?
            .filter(|value| !value.is_null()),
        ColumnType::Time => found
            .try_get::<Option<chrono::DateTime<chrono::Utc>>>("", name)?
            .map(|at| Value::String(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))),
    })
}

/// The differences between two versions of a rulebook, ordered by resource, then by code.
#[must_use]
pub fn changes(before: &RowSet, after: &RowSet) -> Vec<RowChange> {
    let mut found = Vec::new();
    for &resource in Resource::ALL {
        with_row!(resource, R => table_changes::<R>(before, after, &mut found));
    }
    found
}

fn table_changes<R: Row>(before: &RowSet, after: &RowSet, found: &mut Vec<RowChange>) {
    let json = |row: &Arc<StoredRow<R>>| serde_json::to_value(&row.row).unwrap_or_default();
    for (code, was, is) in changed::<R>(before, after) {
        found.push(RowChange {
            resource: R::RESOURCE,
            code: code.clone(),
            before: was.map(json),
            after: is.map(json),
        });
    }
}

/// Size in bytes, as JSON, of the rows before and after the changes.
#[must_use]
pub fn bytes(changes: &[RowChange]) -> i64 {
    let rows = changes.iter().flat_map(|change| [&change.before, &change.after]);
    let bytes: usize = rows.flatten().map(|row| row.to_string().len()).sum();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Ends the previous rows and inserts the new rows, so that the changes apply from `revision` on.
///
/// # Errors
/// When the database fails.
pub async fn write(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    revision: i64,
    changes: &[RowChange],
) -> Result<(), DbErr> {
    for &resource in Resource::ALL {
        let ended: Vec<&str> = changes
            .iter()
            .filter(|c| c.resource == resource && c.before.is_some())
            .map(|c| c.code.as_str())
            .collect();
        for code in ended {
            let mut update = Query::update();
            update
                .table(Alias::new(resource.table()))
                .value(Alias::new("until_revision"), revision)
                .and_where(Expr::col(Alias::new("rulebook_id")).eq(rulebook_id))
                .and_where(Expr::col(Alias::new("code")).eq(code))
                .and_where(Expr::col(Alias::new("until_revision")).is_null());
            tx.execute(&update).await?;
        }
        let begun: Vec<&Value> = changes
            .iter()
            .filter(|c| c.resource == resource)
            .filter_map(|c| c.after.as_ref())
            .collect();
        for chunk in begun.chunks(CHUNK) {
            let mut insert = Query::insert();
            let names = columns(resource).iter().map(|(name, _)| *name);
            insert.into_table(Alias::new(resource.table())).columns(
                ["rulebook_id", "code", "since_revision"]
                    .into_iter()
                    .chain(names)
                    .map(Alias::new),
            );
            for row in chunk {
                insert
                    .values(binds(resource, rulebook_id, revision, row)?)
                    .map_err(|error| DbErr::Query(RuntimeErr::Internal(error.to_string())))?;
            }
            tx.execute(&insert).await?;
        }
    }
    Ok(())
}

fn binds(resource: Resource, rulebook_id: Uuid, revision: i64, row: &Value) -> Result<Vec<SimpleExpr>, DbErr> {
    let mut values: Vec<Bind> = vec![
        rulebook_id.into(),
        row["code"].as_str().unwrap_or_default().into(),
        revision.into(),
    ];
    for (name, kind) in columns(resource) {
        let value = &row[*name];
        let misfit = || DbErr::Type(format!("{}.{name}", resource.table()));
        values.push(match kind {
            ColumnType::Text => value.as_str().map(ToOwned::to_owned).into(),
            ColumnType::Integer => value.as_i64().into(),
            ColumnType::Boolean => value.as_bool().into(),
            ColumnType::Money => match value.as_str() {
                Some(text) => Some(text.parse::<Money>().map_err(|_| misfit())?.minor()).into(),
                None => None::<i64>.into(),
            },
            ColumnType::Json => (!value.is_null()).then(|| value.clone()).into(),
            ColumnType::Time => match value.as_str() {
                Some(text) => Some(text.parse::<chrono::DateTime<chrono::Utc>>().map_err(|_| misfit())?).into(),
                None => None::<chrono::DateTime<chrono::Utc>>.into(),
            },
        });
    }
    Ok(values.into_iter().map(SimpleExpr::Value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_row_has_a_column_of_the_schema() {
        let schema = include_str!("../../../migrations/src/sql/m02_rules_up.sql");
        for &resource in Resource::ALL {
            let start = schema
                .find(&format!("CREATE TABLE {} (", resource.table()))
                .expect("the table is in the schema");
            let table = &schema[start..start + schema[start..].find("\n);").unwrap()];
            for (name, kind) in columns(resource) {
                let sql = match kind {
                    ColumnType::Text => "text",
                    ColumnType::Integer | ColumnType::Money => "bigint",
                    ColumnType::Boolean => "boolean",
                    ColumnType::Json => "{json}",
                    ColumnType::Time => "{time}",
                };
                let plain = table.replace('"', "");
                assert!(
                    plain.contains(&format!("{name} {sql}")),
                    "{}.{name} {sql}",
                    resource.table()
                );
            }
        }
    }
}

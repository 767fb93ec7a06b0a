//! Has the parsed parameters of a list request, and builds the page of rows that they select.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, EntityTrait, Select};
use serde_json::Value;
use uuid::Uuid;

use super::FilterValue;
use super::cursor::{self, foreign_cursor, place};
use crate::responses::Page;
use store::page;
use web::problem::Problem;

/// The parsed query of a list request.
#[derive(Debug)]
pub struct Listing {
    /// Maximum number of rows.
    pub limit: u64,
    /// The column to sort by.
    pub sort: &'static str,
    /// Whether the order is descending.
    pub descending: bool,
    /// The sort column's value and the id of the last row of the previous page.
    pub after: Option<(Value, String)>,
    /// A hash of the list's path, order and filters. A cursor is valid only while this hash is the same.
    pub(super) mark: String,
    pub(super) filters: BTreeMap<&'static str, FilterValue>,
}

impl Listing {
    /// Moves the listing to the page after this cursor.
    ///
    /// # Errors
    /// 422 if the cursor is from another list, or from another sort order or other filters.
    pub fn go_on(&mut self, cursor: &str) -> Result<(), Problem> {
        self.after = Some(place(cursor, &self.mark)?);
        Ok(())
    }

    /// Returns the string value of a filter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.filters.get(name) {
            Some(FilterValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the id value of a filter.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<Uuid> {
        match self.filters.get(name) {
            Some(FilterValue::Id(id)) => Some(*id),
            _ => None,
        }
    }

    /// Returns the instant value of a filter.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        match self.filters.get(name) {
            Some(FilterValue::Time(at)) => Some(*at),
            _ => None,
        }
    }

    /// Returns the boolean value of a filter.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.filters.get(name) {
            Some(FilterValue::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number value of a filter.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.filters.get(name) {
            Some(FilterValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the object value of a filter.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Value> {
        match self.filters.get(name) {
            Some(FilterValue::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Returns the sort value and the id of the last row of the previous page, for a list sorted by time.
    pub fn after_time(&self) -> Result<Option<(DateTime<Utc>, String)>, Problem> {
        let read = |(by, id): &(Value, String)| {
            let at = by.as_str().and_then(|at| at.parse().ok()).ok_or_else(foreign_cursor)?;
            Ok((at, id.clone()))
        };
        self.after.as_ref().map(read).transpose()
    }

    /// Returns the id of the last row of the previous page, for a list sorted by id.
    pub fn after_id(&self) -> Result<Option<Uuid>, Problem> {
        let read = self
            .after
            .as_ref()
            .map(|(_, id)| id.parse().map_err(|_| foreign_cursor()));
        read.transpose()
    }

    /// Reads the rows of a list sorted by id: `limit` rows, and one more row if there is a next page.
    pub async fn rows_by_id<E>(
        &self,
        db: &DatabaseConnection,
        select: Select<E>,
        id: E::Column,
    ) -> Result<Vec<E::Model>, Problem>
    where
        E: EntityTrait,
        E::Model: Send + Sync,
    {
        let sorting = page::Sorting {
            by: id,
            id,
            descending: self.descending,
        };
        let after = self.after_id()?.map(|id| (id.into(), id.into()));
        Ok(page::rows(db, select, sorting, after, self.limit).await?)
    }

    /// Builds the page. `rows` has one row more than `limit` if there is a next page. `place` returns a row's sort
    /// value and id.
    pub fn page<M, T>(
        &self,
        mut rows: Vec<M>,
        place: impl Fn(&M) -> (Value, String),
        view: impl FnMut(M) -> T,
    ) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let (by, id) = place(row);
            cursor::encode(&self.mark, &by, &id)
        });
        Page {
            items: rows.into_iter().map(view).collect(),
            next_cursor,
        }
    }

    /// Builds the page from rows that are all in memory. Each tuple has a row's sort value, its code and its API view.
    pub fn page_of<T>(&self, mut rows: Vec<(Value, String, T)>) -> Page<T> {
        let order = |a: (&Value, &str), b: (&Value, &str)| {
            let order = compare(a.0, b.0).then_with(|| a.1.cmp(b.1));
            if self.descending { order.reverse() } else { order }
        };
        rows.sort_by(|a, b| order((&a.0, &a.1), (&b.0, &b.1)));
        if let Some((by, id)) = &self.after {
            rows.retain(|row| order((&row.0, &row.1), (by, id)).is_gt());
        }
        self.page(rows, |row| (row.0.clone(), row.1.clone()), |row| row.2)
    }

    /// Whether a row, as JSON, matches every filter. A field matches if it equals the filter's value. A list also
    /// matches if it contains the filter's value.
    #[must_use]
    pub fn keeps(&self, row: &Value) -> bool {
        let equals = |value: &Value, wanted: &FilterValue| match (value, wanted) {
            (Value::String(value), FilterValue::Text(wanted)) => value == wanted,
            (Value::Bool(value), FilterValue::Boolean(wanted)) => value == wanted,
            (Value::Number(value), FilterValue::Number(wanted)) => value.as_i64() == Some(*wanted),
            _ => false,
        };
        self.filters.iter().all(|(name, wanted)| match &row[*name] {
            Value::Array(values) => values.iter().any(|value| equals(value, wanted)),
            value => equals(value, wanted),
        })
    }
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    }
}

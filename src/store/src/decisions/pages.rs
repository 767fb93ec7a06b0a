//! Reads stored decisions in pages, newest first. This module does not decode the rows. The thread that processes the
//! rows decodes them.
//!
//! Ids are time-ordered, so a page needs no offset and no long transaction.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Value as Bind};
use uuid::Uuid;

use crate::sql::statement;

/// A selection of decisions.
#[derive(Debug, Clone)]
pub struct Span {
    pub rulebook_id: Uuid,
    pub from: DateTime<Utc>,
    /// The end of the time span. Decisions from this time on are not selected.
    pub until: DateTime<Utc>,
    /// Purposes to include. Empty means all.
    pub purposes: &'static [&'static str],
    /// Whether to include simulated calls.
    pub simulated: bool,
}

/// The columns to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Facts and outcome.
    Facts,
    /// Facts, outcome and the raw message.
    FactsAndBody,
    /// Facts and the whole decision.
    Whole,
}

/// The smallest id that can be created at this time.
#[must_use]
pub fn least_id(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Uuid::from_bytes(bytes)
}

/// The time of an id, in milliseconds since 1970.
#[must_use]
pub fn millis_of(id: Uuid) -> u64 {
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&id.as_bytes()[..6]);
    u64::from_be_bytes(bytes)
}

impl Span {
    /// The oldest decision in the span.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oldest(&self, db: &DatabaseConnection) -> Result<Option<Uuid>, DbErr> {
        const SQL: &str =
            "SELECT id FROM decisions WHERE rulebook_id = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT 1";
        let values = [
            self.rulebook_id.into(),
            least_id(self.from).into(),
            least_id(self.until).into(),
        ];
        let row = db.query_one_raw(statement(db, SQL, values)).await?;
        row.map(|row| row.try_get_by_index(0)).transpose()
    }

    /// Returns at most `limit` decisions whose id is less than `below`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(
        &self,
        db: &impl ConnectionTrait,
        columns: Columns,
        below: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let (more, join) = match columns {
            Columns::Facts => ("", ""),
            Columns::FactsAndBody => (
                ", e.body",
                " LEFT JOIN webhook_events e ON e.rulebook_id = d.rulebook_id AND e.id = d.event_id",
            ),
            Columns::Whole => (", CAST(d.result AS text) AS result, d.revision", ""),
        };
        // The purposes are constants of this program and never come from a client.
        let purposes = match self.purposes {
            [] => String::new(),
            list => format!(" AND d.purpose IN ('{}')", list.join("', '")),
        };
        let simulated = if self.simulated {
            ""
        } else {
            " AND (d.call_id IS NULL OR d.call_id NOT LIKE 'simulated-%')"
        };
        let sql = format!(
            "SELECT d.id, d.call_id, d.purpose, d.decided_for, CAST(d.extracted AS text) AS extracted, d.service, \
             d.priority, d.price_from, d.price_to{more} FROM decisions d{join} \
             WHERE d.rulebook_id = $1 AND d.id >= $2 AND d.id < $3{purposes}{simulated} ORDER BY d.id DESC LIMIT $4"
        );
        let below = below.unwrap_or_else(|| least_id(self.until));
        let values: [Bind; 4] = [
            self.rulebook_id.into(),
            least_id(self.from).into(),
            below.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        db.query_all_raw(statement(db, &sql, values)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_lies_between_the_ids_made_around_it() {
        let clock = base::clock::Clock::fixed("2026-11-24T15:00:00.5Z".parse().unwrap());
        let id = clock.new_id();
        assert!(least_id(clock.now()) <= id);
        assert!(id < least_id(clock.now() + chrono::TimeDelta::milliseconds(1)));
        assert_eq!(i64::try_from(millis_of(id)), Ok(clock.now().timestamp_millis()));
    }
}

//! Finds the stored data of a caller by phone number, and erases the data. Calls, leads and replies have an index of
//! the last digits of the number. Events without a call have no such index, so this module reads all these events.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, TryGetable, Value as Bind};
use uuid::Uuid;

use super::compressed_body;
use super::decisions::forgotten;
use super::search::{INDEXED_DIGITS, last_digits};
use super::sql::statement;

/// Rows per statement.
const CHUNK: i64 = 500;
/// Pattern of numbers that contain characters other than digits and the usual punctuation. SQLite cannot index the
/// digits of these numbers, so a separate index contains the numbers.
const ODD: &str = "*[^0-9 .()+/-]*";
/// Minimum number of digits in a search. Fewer digits do not identify a person.
pub const FEWEST_DIGITS: usize = 8;
/// Number of trailing digits to compare. These digits are the same with and without the country code.
const SIGNIFICANT_DIGITS: usize = 10;

/// The digits that identify a number. `None` if the string is not a phone number.
#[must_use]
pub fn significant_digits(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if !(FEWEST_DIGITS..=15).contains(&digits.len()) {
        return None;
    }
    Some(digits[digits.len().saturating_sub(SIGNIFICANT_DIGITS)..].to_owned())
}

/// Whether a string such as `(514) 555-0100` is the number with these digits.
fn is_of(text: &str, digits: &str) -> bool {
    significant_digits(text).is_some_and(|found| found == digits)
}

/// Whether a message contains the number in any notation. Only phone-number punctuation may be between the digits.
fn holds(body: &[u8], digits: &str) -> bool {
    let mut found = Vec::with_capacity(body.len() / 8);
    for &byte in body {
        match byte {
            b'0'..=b'9' => found.push(byte),
            b' ' | b'-' | b'.' | b'(' | b')' | b'+' => {}
            _ if found.last() != Some(&b'x') => found.push(b'x'),
            _ => {}
        }
    }
    found.windows(digits.len()).any(|window| window == digits.as_bytes())
}

/// Ids of a rulebook's calls that came from this number, or that have a lead with this number.
///
/// # Errors
/// When the database fails.
pub async fn calls_of(db: &impl ConnectionTrait, rulebook_id: Uuid, digits: &str) -> Result<Vec<String>, DbErr> {
    let [in_calls, in_leads] = [("id", "calls"), ("call_id", "leads")]
        .map(|(id, table)| of_number(db.get_database_backend(), id, "customer_number", table));
    let sql = format!("{in_calls} UNION {in_leads}");
    let mut found: Vec<String> = of_digits(db, &sql, rulebook_id, digits).await?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// Builds a query for the ids and numbers of the rows that may have the number. It selects the rows of the rulebook
/// whose number has the same last digits. On SQLite, it also selects the rows whose number matches [`ODD`].
fn of_number(backend: DbBackend, id: &str, number: &str, table: &str) -> String {
    let indexed = format!("{number} IS NOT NULL AND {} = $2", last_digits(backend, number));
    let select = format!("SELECT {id} AS id, {number} AS number FROM {table} WHERE rulebook_id = $1 AND");
    if backend == DbBackend::Postgres {
        return format!("{select} {indexed}");
    }
    format!("{select} {indexed} UNION {select} {number} GLOB '{ODD}'")
}

/// Runs a query of [`of_number`], and returns the ids of the rows that have the number.
async fn of_digits<T: TryGetable>(
    db: &impl ConnectionTrait,
    sql: &str,
    rulebook_id: Uuid,
    digits: &str,
) -> Result<Vec<T>, DbErr> {
    let last = digits
        .get(digits.len().saturating_sub(INDEXED_DIGITS)..)
        .unwrap_or(digits);
    let rows = db
        .query_all_raw(statement(db, sql, [rulebook_id.into(), last.into()]))
        .await?;
    let mut found = Vec::new();
    for row in rows {
        let number: String = row.try_get("", "number")?;
        if is_of(&number, digits) {
            found.push(row.try_get("", "id")?);
        }
    }
    Ok(found)
}

/// Returns the events of a rulebook that contain the number and belong to no stored call.
///
/// # Errors
/// When the database fails.
pub async fn loose_events_of(db: &impl ConnectionTrait, rulebook_id: Uuid, digits: &str) -> Result<Vec<Uuid>, DbErr> {
    const LOOSE: &str = "SELECT e.id, e.body FROM webhook_events e \
        LEFT JOIN calls c ON c.rulebook_id = e.rulebook_id AND c.id = e.call_id \
        WHERE e.rulebook_id = $1 AND e.id > $2 AND e.without_call AND e.body IS NOT NULL AND c.id IS NULL \
        ORDER BY e.id LIMIT $3";
    let (mut found, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let values: [Bind; 3] = [rulebook_id.into(), after.into(), CHUNK.into()];
        let rows = db.query_all_raw(statement(db, LOOSE, values)).await?;
        for row in &rows {
            after = row.try_get("", "id")?;
            let body = compressed_body::unpack(row.try_get("", "body")?)?;
            if holds(&body, digits) {
                found.push(after);
            }
        }
        if rows.is_empty() {
            return Ok(found);
        }
    }
}

/// Ids of the replies from this number to a rulebook.
///
/// # Errors
/// When the database fails.
pub async fn replies_of(db: &impl ConnectionTrait, rulebook_id: Uuid, digits: &str) -> Result<Vec<Uuid>, DbErr> {
    let sql = of_number(db.get_database_backend(), "id", "from_number", "inbound_sms_messages");
    of_digits(db, &sql, rulebook_id, digits).await
}

/// Erases a reply. A suppression of the number stays, because another table contains it.
///
/// # Errors
/// When the database fails.
pub async fn erase_reply(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<(), DbErr> {
    const ERASED: &str =
        "UPDATE inbound_sms_messages SET from_number = '', body = '' WHERE rulebook_id = $1 AND id = $2";
    tx.execute_raw(statement(tx, ERASED, [rulebook_id.into(), id.into()]))
        .await?;
    Ok(())
}

/// Erases the caller from the data of a call. The row of the call, its times and its decisions stay.
///
/// # Errors
/// When the database fails.
pub async fn erase_call(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    // Lock the row of the call first. Every other writer for the call locks the same row, so the erasure sees all their
    // writes.
    const DATED: [&str; 3] = [
        "INSERT INTO calls (rulebook_id, id, status, status_rank, first_seen_at, updated_at, erased_at) \
         VALUES ($1, $2, 'ended', 6, $3, $3, $3) \
         ON CONFLICT (rulebook_id, id) DO UPDATE SET summary = NULL, recording_url = NULL, customer_number = NULL, \
         customer_name = NULL, address = NULL, city = NULL, postal_code = NULL, analysis = NULL, updated_at = $3, \
         erased_at = $3",
        "UPDATE leads SET customer_name = NULL, customer_number = NULL, customer_email = NULL, address = NULL, \
         city = NULL, postal_code = NULL, problem = NULL, wanted_slot = NULL, erased_at = $3, updated_at = $3 \
         WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE sms_messages SET body = '', state = CASE WHEN state IN ('queued', 'ambiguous') THEN 'dead' ELSE state END, \
         error = CASE WHEN state IN ('queued', 'ambiguous') THEN 'the caller was erased' ELSE error END, updated_at = $3 \
         WHERE rulebook_id = $1 AND call_id = $2",
    ];
    let decisions = format!(
        "UPDATE decisions SET {} WHERE rulebook_id = $1 AND call_id = $2",
        forgotten(tx)
    );
    let plain: [&str; 6] = [
        "UPDATE webhook_events SET body = NULL, answer = '{}' WHERE rulebook_id = $1 AND call_id = $2",
        &decisions,
        "UPDATE tool_calls SET arguments = '{}', result = NULL, error = NULL WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE escalations SET next_at = NULL, comment = NULL WHERE rulebook_id = $1 AND call_id = $2",
        // Feedback is deleted, because its comment may be about the caller. Without the erased facts, it cannot become
        // a case anyway.
        "DELETE FROM decision_feedback WHERE rulebook_id = $1 AND call_id = $2",
        "DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2",
    ];
    for sql in DATED {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into(), now.into()]))
            .await?;
    }
    for sql in plain {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into()]))
            .await?;
    }
    Ok(())
}

/// Erases the caller from an event that has no call.
///
/// # Errors
/// When the database fails.
pub async fn erase_event(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<(), DbErr> {
    // The SMS messages that this event caused have no call id either.
    const TEXTS: &str = "UPDATE sms_messages SET body = '', \
        state = CASE WHEN state IN ('queued', 'ambiguous') THEN 'dead' ELSE state END, \
        error = CASE WHEN state IN ('queued', 'ambiguous') THEN 'the caller was erased' ELSE error END \
        WHERE rulebook_id = $1 AND decision_id IN (SELECT id FROM decisions WHERE rulebook_id = $1 AND event_id = $2)";
    let decisions = format!(
        "UPDATE decisions SET {} WHERE rulebook_id = $1 AND event_id = $2",
        forgotten(tx)
    );
    let plain: [&str; 3] = [
        "UPDATE webhook_events SET body = NULL, answer = '{}' WHERE rulebook_id = $1 AND id = $2",
        &decisions,
        "UPDATE tool_calls SET arguments = '{}', result = NULL, error = NULL WHERE rulebook_id = $1 AND event_id = $2",
    ];
    for sql in plain {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), id.into()]))
            .await?;
    }
    tx.execute_raw(statement(tx, TEXTS, [rulebook_id.into(), id.into()]))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let digits = significant_digits("+1 438 555 0177").unwrap();
        for text in ["+14385550177", "438-555-0177", "(438) 555.0177", "4385550177"] {
            assert!(is_of(text, &digits), "{text}");
            assert!(
                holds(format!("{{\"number\": \"{text}\"}}").as_bytes(), &digits),
                "{text}"
            );
        }
        for text in ["+14385550178", "4385550", "555-0177", "", "call me"] {
            assert!(!is_of(text, &digits), "{text}");
            assert!(
                !holds(format!("{{\"number\": \"{text}\"}}").as_bytes(), &digits),
                "{text}"
            );
        }
        assert!(!holds(b"{\"a\": 43855, \"b\": 50177}", &digits));
        assert_eq!(significant_digits("123"), None);
        assert_eq!(significant_digits("1234567890123456"), None);
    }
}

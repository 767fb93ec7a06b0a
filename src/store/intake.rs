//! The message path's SQL, in one place: what one message reads and writes, statement by statement, on both databases.
//!
//! The text is constant, so that a connection prepares each statement once. `ON CONFLICT` decides what a repeat does;
//! no error is caught to find one.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value as Bind};
use serde_json::Value;
use uuid::Uuid;

/// What the transaction begins from: the head, and what is known of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The revision that decides.
    pub revision: i64,
    /// The version of the webhook's settings and secrets.
    pub auth_version: i64,
    /// The call, if it is known.
    pub call: Option<KnownCall>,
}

/// What is known of a call before this message.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCall {
    /// Whether its report has been recorded.
    pub reported: bool,
    /// Whether the caller's data was erased.
    pub erased: bool,
    /// The last quote spoken in it.
    pub quote: Option<PinnedQuote>,
}

/// The last quote spoken in a call.
#[derive(Debug, Clone, PartialEq)]
pub struct PinnedQuote {
    /// The decision that made it.
    pub decision_id: Uuid,
    /// The revision that decided.
    pub revision: i64,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
}

/// Reads the head and what is known of the call, and holds the call's row until the transaction ends: what one message
/// adds and what a deletion takes away must not pass each other unseen.
///
/// # Errors
/// When the database does not answer, or the rulebook is gone.
pub async fn head(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    let found = read_head(tx, rulebook_id, call_id).await?;
    let quote = found.call.as_ref().and_then(|call| call.quote.as_ref());
    if quote.is_some_and(|quote| quote.revision == 0) {
        // The row was waited for and names a quote that was not there when the question was asked: now it is.
        return read_head(tx, rulebook_id, call_id).await;
    }
    Ok(found)
}

async fn read_head(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    const SQLITE: &str = "SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at, \
        c.quote_decision_id, q.revision AS quote_revision, q.price_from, q.price_to \
        FROM rulebooks r \
        LEFT JOIN calls c ON c.rulebook_id = r.id AND c.id = $2 \
        LEFT JOIN decisions q ON q.rulebook_id = r.id AND q.id = c.quote_decision_id \
        WHERE r.id = $1";
    // A lock waits for whoever holds the row and then reads it as it has become. SQLite has one writer at a time.
    const POSTGRES: &str = "WITH c AS (SELECT id, report_at, erased_at, quote_decision_id FROM calls \
        WHERE rulebook_id = $1 AND id = $2 FOR NO KEY UPDATE) \
        SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at, \
        c.quote_decision_id, q.revision AS quote_revision, q.price_from, q.price_to \
        FROM rulebooks r LEFT JOIN c ON true \
        LEFT JOIN decisions q ON q.rulebook_id = r.id AND q.id = c.quote_decision_id \
        WHERE r.id = $1";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let row = tx
        .query_one_raw(statement(
            tx,
            sql,
            [rulebook_id.into(), call_id.map(ToOwned::to_owned).into()],
        ))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the rulebook".to_owned()))?;
    let call = match row.try_get::<Option<String>>("", "call_id")? {
        None => None,
        Some(_) => {
            let quote = match row.try_get::<Option<Uuid>>("", "quote_decision_id")? {
                None => None,
                Some(decision_id) => Some(PinnedQuote {
                    decision_id,
                    revision: row.try_get::<Option<i64>>("", "quote_revision")?.unwrap_or_default(),
                    price_from: row.try_get("", "price_from")?,
                    price_to: row.try_get("", "price_to")?,
                }),
            };
            Some(KnownCall {
                reported: row.try_get::<Option<DateTime<Utc>>>("", "report_at")?.is_some(),
                erased: row.try_get::<Option<DateTime<Utc>>>("", "erased_at")?.is_some(),
                quote,
            })
        }
    };
    Ok(Head {
        revision: row.try_get("", "head_revision")?,
        auth_version: row.try_get("", "auth_version")?,
        call,
    })
}

/// A message for the inbox.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// What makes it the same thing again.
    pub business_key: &'a str,
    /// What makes it a plain repeat.
    pub delivery_key: &'a str,
    /// The type as written.
    pub kind: &'a str,
    /// The call.
    pub call_id: Option<&'a str>,
    /// When Vapi made it.
    pub message_at: Option<DateTime<Utc>>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// As it came; none once the caller is erased.
    pub body: Option<&'a [u8]>,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    /// What was answered.
    pub answer: &'a Value,
    /// `recorded`, `amendment` or `unreadable`.
    pub state: &'static str,
    /// The event that it amends.
    pub amends: Option<Uuid>,
}

/// Keeps a message under its business key; false when that key is there already.
///
/// # Errors
/// When the database does not take it.
pub async fn insert_event(tx: &DatabaseTransaction, event: &NewEvent<'_>) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO webhook_events (rulebook_id, id, business_key, delivery_key, type, call_id, \
        message_at, received_at, body, body_hash, answer, state, amends) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
        ON CONFLICT (rulebook_id, business_key) DO NOTHING";
    let values: [Bind; 13] = [
        event.rulebook_id.into(),
        event.id.into(),
        event.business_key.into(),
        event.delivery_key.into(),
        event.kind.into(),
        event.call_id.map(ToOwned::to_owned).into(),
        event.message_at.into(),
        event.received_at.into(),
        event.body.map(<[u8]>::to_vec).into(),
        event.body_hash.to_vec().into(),
        event.answer.clone().into(),
        event.state.into(),
        event.amends.into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// What is stored under a business key.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its body.
    pub body_hash: Vec<u8>,
    /// What was answered.
    pub answer: Value,
}

/// The event under a business key.
///
/// # Errors
/// When the database does not answer, or there is none.
pub async fn stored_event(tx: &DatabaseTransaction, rulebook_id: Uuid, key: &str) -> Result<StoredEvent, DbErr> {
    const SQL: &str = "SELECT id, body_hash, answer FROM webhook_events WHERE rulebook_id = $1 AND business_key = $2";
    let row = tx
        .query_one_raw(statement(tx, SQL, [rulebook_id.into(), key.into()]))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the stored event".to_owned()))?;
    Ok(StoredEvent {
        id: row.try_get("", "id")?,
        body_hash: row.try_get("", "body_hash")?,
        answer: row.try_get("", "answer")?,
    })
}

/// What any message says about its call.
#[derive(Debug, Clone, Default)]
pub struct CallTouch<'a> {
    /// Vapi's id.
    pub id: &'a str,
    /// Its state.
    pub status: &'a str,
    /// How far along that is.
    pub status_rank: i64,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, where the state is that it did.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub ended_reason: Option<&'a str>,
    /// The caller.
    pub customer_number: Option<&'a str>,
    /// The caller's name.
    pub customer_name: Option<&'a str>,
    /// The number that was called.
    pub phone_number: Option<&'a str>,
    /// The assistant.
    pub assistant_id: Option<&'a str>,
}

/// Makes the call known, or moves its state forward; never back. Holds its row until the transaction ends. False when
/// the caller was erased, be it just now by another.
///
/// # Errors
/// When the database does not take it.
pub async fn touch_call(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call: &CallTouch<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO calls (rulebook_id, id, status, status_rank, started_at, ended_at, ended_reason, \
        customer_number, customer_name, phone_number, assistant_id, first_seen_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
        ON CONFLICT (rulebook_id, id) DO UPDATE SET \
        status = CASE WHEN (excluded.status_rank, excluded.status) > (calls.status_rank, calls.status) \
            THEN excluded.status ELSE calls.status END, \
        status_rank = CASE WHEN excluded.status_rank > calls.status_rank THEN excluded.status_rank ELSE calls.status_rank END, \
        started_at = coalesce(calls.started_at, excluded.started_at), \
        ended_at = coalesce(calls.ended_at, excluded.ended_at), \
        ended_reason = coalesce(calls.ended_reason, excluded.ended_reason), \
        customer_number = coalesce(calls.customer_number, excluded.customer_number), \
        customer_name = coalesce(calls.customer_name, excluded.customer_name), \
        phone_number = coalesce(calls.phone_number, excluded.phone_number), \
        assistant_id = coalesce(calls.assistant_id, excluded.assistant_id), \
        updated_at = excluded.updated_at \
        WHERE calls.erased_at IS NULL";
    let values: [Bind; 12] = [
        rulebook_id.into(),
        call.id.into(),
        call.status.into(),
        call.status_rank.into(),
        call.started_at.into(),
        call.ended_at.into(),
        owned(call.ended_reason),
        owned(call.customer_number),
        owned(call.customer_name),
        owned(call.phone_number),
        owned(call.assistant_id),
        now.into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// What a report says of its call.
#[derive(Debug, Clone, Default)]
pub struct ReportedCall<'a> {
    /// What every message says.
    pub touch: CallTouch<'a>,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// Vapi's summary.
    pub summary: Option<&'a str>,
    /// Where the recording lies.
    pub recording_url: Option<&'a str>,
    /// What it cost, in millionths of a dollar.
    pub cost_micros: Option<i64>,
    /// Where the work is.
    pub address: Option<&'a str>,
    /// The city.
    pub city: Option<&'a str>,
    /// The postal code.
    pub postal_code: Option<&'a str>,
    /// The service decided on.
    pub service: Option<&'a str>,
    /// The caller's language.
    pub language: Option<&'a str>,
    /// Vapi's analysis.
    pub analysis: Option<&'a Value>,
    /// When the report was made; of several the last one stands.
    pub report_at: DateTime<Utc>,
    /// SHA-256 of its body, which breaks ties.
    pub report_hash: [u8; 32],
}

/// Fills the call from its report, unless a later report stands or the caller was erased; whether it did.
///
/// # Errors
/// When the database does not take it.
pub async fn record_report(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call: &ReportedCall<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO calls (rulebook_id, id, status, status_rank, started_at, ended_at, ended_reason, \
        customer_number, customer_name, phone_number, assistant_id, first_seen_at, updated_at, duration_ms, summary, \
        recording_url, cost_micros, address, city, postal_code, service, language, analysis, report_at, report_hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
        $22, $23, $24) \
        ON CONFLICT (rulebook_id, id) DO UPDATE SET status = excluded.status, status_rank = excluded.status_rank, \
        started_at = coalesce(excluded.started_at, calls.started_at), ended_at = coalesce(excluded.ended_at, calls.ended_at), \
        ended_reason = coalesce(excluded.ended_reason, calls.ended_reason), \
        customer_number = coalesce(excluded.customer_number, calls.customer_number), \
        customer_name = coalesce(excluded.customer_name, calls.customer_name), \
        phone_number = coalesce(excluded.phone_number, calls.phone_number), \
        assistant_id = coalesce(excluded.assistant_id, calls.assistant_id), updated_at = excluded.updated_at, \
        duration_ms = excluded.duration_ms, summary = excluded.summary, recording_url = excluded.recording_url, \
        cost_micros = excluded.cost_micros, address = excluded.address, city = excluded.city, \
        postal_code = excluded.postal_code, service = excluded.service, language = excluded.language, \
        analysis = excluded.analysis, report_at = excluded.report_at, report_hash = excluded.report_hash \
        WHERE calls.erased_at IS NULL AND (calls.report_at IS NULL \
        OR (excluded.report_at, excluded.report_hash) > (calls.report_at, calls.report_hash))";
    let touch = &call.touch;
    let values: [Bind; 24] = [
        rulebook_id.into(),
        touch.id.into(),
        touch.status.into(),
        touch.status_rank.into(),
        touch.started_at.into(),
        touch.ended_at.into(),
        owned(touch.ended_reason),
        owned(touch.customer_number),
        owned(touch.customer_name),
        owned(touch.phone_number),
        owned(touch.assistant_id),
        now.into(),
        call.duration_ms.into(),
        owned(call.summary),
        owned(call.recording_url),
        call.cost_micros.into(),
        owned(call.address),
        owned(call.city),
        owned(call.postal_code),
        owned(call.service),
        owned(call.language),
        call.analysis.cloned().into(),
        call.report_at.into(),
        call.report_hash.to_vec().into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// Puts the report's turns, a JSON array of `{seq, role, text, offset_ms}` numbered from 0, in the place of what stood
/// there. The caller holds the call's row. A turn that stands is overwritten, not taken away and put back, so that
/// PostgreSQL can do it in one statement.
///
/// # Errors
/// When the database does not take it.
pub async fn replace_turns(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    turns: Value,
) -> Result<(), DbErr> {
    const POSTGRES: &str = "WITH gone AS (DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2 \
        AND (origin = 'live' OR seq >= jsonb_array_length($3))) \
        INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, $2, 'report', t.seq, t.role, t.text, t.offset_ms \
        FROM jsonb_to_recordset($3) AS t (seq bigint, role text, text text, offset_ms bigint) \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO UPDATE SET role = excluded.role, text = excluded.text, \
        offset_ms = excluded.offset_ms";
    const DELETE: &str = "DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2";
    const SQLITE: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, $2, 'report', t.value ->> 'seq', t.value ->> 'role', t.value ->> 'text', t.value ->> 'offset_ms' \
        FROM json_each($3) AS t";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        tx.execute_raw(statement(tx, DELETE, [rulebook_id.into(), call_id.into()]))
            .await?;
        SQLITE
    };
    tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into(), turns.into()]))
        .await?;
    Ok(())
}

/// Keeps one turn heard live, once, unless the report's turns stand. The caller holds the call's row.
///
/// # Errors
/// When the database does not take it.
pub async fn add_live_turn(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    seq: i64,
    role: &str,
    text: &str,
    offset_ms: Option<i64>,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT c.rulebook_id, c.id, 'live', $3, $4, $5, $6 FROM calls c \
        WHERE c.rulebook_id = $1 AND c.id = $2 AND c.report_at IS NULL AND c.erased_at IS NULL \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO NOTHING";
    let values: [Bind; 6] = [
        rulebook_id.into(),
        call_id.into(),
        seq.into(),
        role.into(),
        text.into(),
        offset_ms.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}

/// A decision to keep.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// The call.
    pub call_id: Option<&'a str>,
    /// The message that asked for it.
    pub event_id: Uuid,
    /// `report`, or the kind of tool.
    pub purpose: &'a str,
    /// The revision that decided.
    pub revision: i64,
    /// The instant that it is about.
    pub decided_for: DateTime<Utc>,
    /// The facts that the message gave.
    pub extracted: Value,
    /// The decision with what was derived and the trace.
    pub result: Value,
    /// The service.
    pub service: Option<&'a str>,
    /// The priority.
    pub priority: &'a str,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
    /// Whether something was left out.
    pub degraded: bool,
    /// How long it took.
    pub duration_us: i64,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Keeps a decision.
///
/// # Errors
/// When the database does not take it.
pub async fn insert_decision(tx: &DatabaseTransaction, decision: NewDecision<'_>) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO decisions (rulebook_id, id, call_id, event_id, purpose, revision, decided_for, \
        extracted, result, service, priority, price_from, price_to, degraded, duration_us, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let values: [Bind; 16] = [
        decision.rulebook_id.into(),
        decision.id.into(),
        owned(decision.call_id),
        decision.event_id.into(),
        decision.purpose.into(),
        decision.revision.into(),
        decision.decided_for.into(),
        decision.extracted.into(),
        decision.result.into(),
        owned(decision.service),
        decision.priority.into(),
        decision.price_from.into(),
        decision.price_to.into(),
        decision.degraded.into(),
        decision.duration_us.into(),
        decision.created_at.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}

/// Makes a decision the last quote spoken in its call.
///
/// # Errors
/// When the database does not take it.
pub async fn pin_quote(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    decision_id: Uuid,
) -> Result<(), DbErr> {
    const SQL: &str =
        "UPDATE calls SET quote_decision_id = $3 WHERE rulebook_id = $1 AND id = $2 AND erased_at IS NULL";
    tx.execute_raw(statement(
        tx,
        SQL,
        [rulebook_id.into(), call_id.into(), decision_id.into()],
    ))
    .await?;
    Ok(())
}

/// What is known of a lead; what is none leaves what stands.
#[derive(Debug, Clone, Default)]
pub struct LeadPart<'a> {
    /// The caller's name.
    pub customer_name: Option<&'a str>,
    /// Where to call back.
    pub customer_number: Option<&'a str>,
    /// The caller's email.
    pub customer_email: Option<&'a str>,
    /// Where the work is.
    pub address: Option<&'a str>,
    /// The city.
    pub city: Option<&'a str>,
    /// The postal code.
    pub postal_code: Option<&'a str>,
    /// What is wrong.
    pub problem: Option<&'a str>,
    /// The service.
    pub service: Option<&'a str>,
    /// The service area.
    pub area: Option<&'a str>,
    /// The currency of the prices.
    pub currency: Option<&'a str>,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
    /// The revision that made the price.
    pub quote_revision: Option<i64>,
    /// The priority.
    pub priority: Option<&'a str>,
    /// Seconds within which somebody should call back.
    pub sla_seconds: Option<i64>,
    /// When that is over.
    pub due_at: Option<DateTime<Utc>>,
    /// When the caller would like us to come.
    pub wanted_slot: Option<&'a str>,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// The quote that the caller heard.
    pub quote_decision_id: Option<Uuid>,
}

/// Makes the call's lead, or adds to it.
///
/// # Errors
/// When the database does not take it.
pub async fn upsert_lead(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    call_id: &str,
    lead: &LeadPart<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO leads (rulebook_id, id, call_id, customer_name, customer_number, customer_email, \
        address, city, postal_code, problem, service, area, currency, price_from, price_to, quote_revision, priority, \
        sla_seconds, due_at, wanted_slot, decision_id, quote_decision_id, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
        $23, $23) \
        ON CONFLICT (rulebook_id, call_id) DO UPDATE SET \
        customer_name = coalesce(excluded.customer_name, leads.customer_name), \
        customer_number = coalesce(excluded.customer_number, leads.customer_number), \
        customer_email = coalesce(excluded.customer_email, leads.customer_email), \
        address = coalesce(excluded.address, leads.address), city = coalesce(excluded.city, leads.city), \
        postal_code = coalesce(excluded.postal_code, leads.postal_code), \
        problem = coalesce(excluded.problem, leads.problem), service = coalesce(excluded.service, leads.service), \
        area = coalesce(excluded.area, leads.area), currency = coalesce(excluded.currency, leads.currency), \
        price_from = coalesce(excluded.price_from, leads.price_from), \
        price_to = coalesce(excluded.price_to, leads.price_to), \
        quote_revision = coalesce(excluded.quote_revision, leads.quote_revision), \
        priority = coalesce(excluded.priority, leads.priority), \
        sla_seconds = coalesce(excluded.sla_seconds, leads.sla_seconds), \
        due_at = coalesce(excluded.due_at, leads.due_at), \
        wanted_slot = coalesce(excluded.wanted_slot, leads.wanted_slot), \
        decision_id = coalesce(excluded.decision_id, leads.decision_id), \
        quote_decision_id = coalesce(excluded.quote_decision_id, leads.quote_decision_id), \
        updated_at = excluded.updated_at \
        WHERE leads.erased_at IS NULL";
    let values: [Bind; 23] = [
        rulebook_id.into(),
        id.into(),
        call_id.into(),
        owned(lead.customer_name),
        owned(lead.customer_number),
        owned(lead.customer_email),
        owned(lead.address),
        owned(lead.city),
        owned(lead.postal_code),
        owned(lead.problem),
        owned(lead.service),
        owned(lead.area),
        owned(lead.currency),
        lead.price_from.into(),
        lead.price_to.into(),
        lead.quote_revision.into(),
        owned(lead.priority),
        lead.sla_seconds.into(),
        lead.due_at.into(),
        owned(lead.wanted_slot),
        lead.decision_id.into(),
        lead.quote_decision_id.into(),
        now.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}

/// Adds to the call's lead what it lacks of the caller; what stands stays.
///
/// # Errors
/// When the database does not take it.
pub async fn fill_lead(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    lead: &LeadPart<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE leads SET customer_name = coalesce(customer_name, $3), \
        customer_number = coalesce(customer_number, $4), customer_email = coalesce(customer_email, $5), \
        address = coalesce(address, $6), city = coalesce(city, $7), postal_code = coalesce(postal_code, $8), \
        problem = coalesce(problem, $9), updated_at = $10 \
        WHERE rulebook_id = $1 AND call_id = $2 AND erased_at IS NULL";
    let values: [Bind; 10] = [
        rulebook_id.into(),
        call_id.into(),
        owned(lead.customer_name),
        owned(lead.customer_number),
        owned(lead.customer_email),
        owned(lead.address),
        owned(lead.city),
        owned(lead.postal_code),
        owned(lead.problem),
        now.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}

/// What a tool call is recorded with.
#[derive(Debug, Clone)]
pub struct NewToolCall<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// Vapi's id of it.
    pub tool_call_id: &'a str,
    /// The call.
    pub call_id: Option<&'a str>,
    /// The message that asked for it.
    pub event_id: Uuid,
    /// The tool's name.
    pub name: &'a str,
    /// Its arguments.
    pub arguments: &'a Value,
    /// What came out.
    pub result: Result<&'a str, &'a str>,
    /// How long it took.
    pub duration_us: i64,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Keeps a tool call; false when it is there already.
///
/// # Errors
/// When the database does not take it.
pub async fn insert_tool_call(tx: &DatabaseTransaction, tool: &NewToolCall<'_>) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO tool_calls (rulebook_id, id, tool_call_id, call_id, event_id, name, arguments, result, \
        error, ok, duration_us, decision_id, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
        ON CONFLICT (rulebook_id, coalesce(call_id, ''), tool_call_id) DO NOTHING";
    let values: [Bind; 13] = [
        tool.rulebook_id.into(),
        tool.id.into(),
        tool.tool_call_id.into(),
        owned(tool.call_id),
        tool.event_id.into(),
        tool.name.into(),
        tool.arguments.clone().into(),
        owned(tool.result.ok()),
        owned(tool.result.err()),
        tool.result.is_ok().into(),
        tool.duration_us.into(),
        tool.decision_id.into(),
        tool.created_at.into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// What a tool call answered before, if it was made before.
///
/// # Errors
/// When the database does not answer.
pub async fn stored_tool_result(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: Option<&str>,
    tool_call_id: &str,
) -> Result<Option<Result<String, String>>, DbErr> {
    const SQL: &str = "SELECT result, error FROM tool_calls \
        WHERE rulebook_id = $1 AND coalesce(call_id, '') = $2 AND tool_call_id = $3";
    let values: [Bind; 3] = [
        rulebook_id.into(),
        call_id.unwrap_or_default().into(),
        tool_call_id.into(),
    ];
    let Some(row) = tx.query_one_raw(statement(tx, SQL, values)).await? else {
        return Ok(None);
    };
    let result: Option<String> = row.try_get("", "result")?;
    let error: Option<String> = row.try_get("", "error")?;
    Ok(Some(result.ok_or_else(|| error.unwrap_or_default())))
}

/// Takes out of the database what a call's data said of the caller; that there was a call, when, and what was decided
/// stays.
///
/// # Errors
/// When the database does not take it.
pub async fn erase_call(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    // The call's row first: whoever else writes about the call holds it, so the erasure sees all that they wrote.
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
    const PLAIN: [&str; 4] = [
        "UPDATE webhook_events SET body = NULL, answer = '{}' WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE decisions SET extracted = '{\"facts\":{},\"erased\":true}' WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE tool_calls SET arguments = '{}', result = NULL, error = NULL WHERE rulebook_id = $1 AND call_id = $2",
        "DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2",
    ];
    for sql in DATED {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into(), now.into()]))
            .await?;
    }
    for sql in PLAIN {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into()]))
            .await?;
    }
    Ok(())
}

fn statement<const N: usize>(tx: &DatabaseTransaction, sql: &str, values: [Bind; N]) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

fn owned(text: Option<&str>) -> Bind {
    text.map(ToOwned::to_owned).into()
}

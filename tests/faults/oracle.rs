//! Checks that every answered message and edit is stored exactly once. The oracle runs outside of the program and uses
//! plain SQL. It compares the database with the responses that callers and editors got, and with the log of the
//! stand-in for Twilio.
//!
//! Violations refer to the invariants by these names:
//!
//! - I1 every answered message is recorded with the response that it got, once the spool is drained;
//! - I2 each message has one effect: one recorded event, one decision for a report, one lead, one SMS message to each
//!   contact;
//! - I3 events, decisions, leads, SMS messages, revisions and audit entries agree with each other;
//! - I4 replaying a decision gives the same bytes (`ringbook replay`);
//! - I5 Twilio accepted an SMS message at most once, plus once for each attempt with an unknown outcome; no message is
//!   stuck; every sent message is in the outbox;
//! - I6 the audit log is intact (`ringbook audit verify`);
//! - I7 each answered edit is one revision, and there are no other revisions;
//! - I8 no log, metric or error contains a caller's data or a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::Value;

use crate::load::Memory;
use crate::support::messages::PERSONAL;
use crate::world::{SECRET_KEY, TWILIO_TOKEN, World};

/// What a campaign expects of its SMS messages and edits.
#[derive(Clone, Default)]
pub struct Expects {
    /// The references of the SMS messages that must have reached a final state. Later messages may still be queued,
    /// such as an escalation that became due during the shutdown.
    pub settled: BTreeSet<String>,
    /// Whether Twilio must accept each SMS message at most once, because its list of messages was always readable.
    pub once: bool,
    /// Whether the database may contain edits that are missing in the memory, because the memory was copied before
    /// these edits.
    pub later_edits: bool,
}

/// Returns the first violations of each kind. The result is empty if all invariants hold.
pub async fn violations(world: &World, binary: &Path, memory: &Memory, expects: &Expects) -> Vec<String> {
    let db = world.look().await;
    let mut found = Vec::new();
    answered(&db, memory, &mut found).await;
    once(&db, &mut found).await;
    agreement(&db, &mut found).await;
    texts(world, &db, expects, &mut found).await;
    edits(&db, memory, expects, &mut found).await;
    db.close().await.unwrap();
    again(world, binary, &mut found).await;
    secrets(world, memory, &mut found);
    // A systematic error violates an invariant everywhere, so report only the first violations of each kind.
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut told: Vec<String> = Vec::new();
    for violation in found {
        let kind = violation.chars().take(24).collect::<String>();
        let count = kinds.entry(kind).or_default();
        *count += 1;
        if *count <= 5 {
            told.push(violation);
        }
    }
    for (kind, count) in kinds {
        if count > 5 {
            told.push(format!("{kind}…: {count} in all"));
        }
    }
    told
}

/// Violations with the following first words can disappear later, when the message is recorded or the SMS message is
/// sent. The campaigns treat these violations separately.
const NOT_RECORDED: &str = "I1 answered but not recorded";
pub const NOT_SETTLED: &str = "I5 not in a final state at the end";
pub const NOBODY_TEXTED: &str = "I5 lost, no SMS message was sent";

/// Returns the number of answered messages that are not recorded so far.
pub async fn missing(db: &DatabaseConnection, memory: &Memory) -> usize {
    let mut found = Vec::new();
    answered(db, memory, &mut found).await;
    found
        .iter()
        .filter(|violation| violation.starts_with(NOT_RECORDED))
        .count()
}

async fn answered(db: &DatabaseConnection, memory: &Memory, found: &mut Vec<String>) {
    let events = select(
        db,
        "SELECT call_id, type, {hex:body_hash}, {text:answer} FROM webhook_events WHERE call_id IS NOT NULL",
    )
    .await;
    let mut stored: BTreeMap<(String, String), Vec<(String, Value)>> = BTreeMap::new();
    for row in events {
        let [call, kind, hash, answer] = row.try_into().unwrap();
        let answer = serde_json::from_str(&answer).unwrap();
        stored.entry((call, kind)).or_default().push((hash, answer));
    }
    for sent in memory.answered() {
        let rows = stored.get(&(sent.call.clone(), sent.kind.to_owned()));
        let same = rows.and_then(|rows| rows.iter().find(|(hash, _)| *hash == sent.hash));
        match same {
            None => found.push(format!("{NOT_RECORDED}: {} {}", sent.kind, sent.call)),
            Some((_, answer)) if Some(answer) != sent.answer.as_ref() => {
                found.push(format!(
                    "I1 the recorded response differs from the sent response: {} {}",
                    sent.kind, sent.call
                ));
            }
            Some(_) => {}
        }
    }
    for wrong in &memory.wrong {
        found.push(format!("I1 a response that is neither 2xx nor 503: {wrong}"));
    }
}

async fn once(db: &DatabaseConnection, found: &mut Vec<String>) {
    let twice = [
        (
            "events of one message",
            "SELECT call_id || ' ' || type FROM webhook_events WHERE state = 'recorded' AND call_id IS NOT NULL \
             AND type IN ('end-of-call-report', 'tool-calls') GROUP BY call_id, type HAVING count(*) > 1",
        ),
        (
            "decisions of one report",
            "SELECT e.call_id FROM decisions d JOIN webhook_events e ON e.rulebook_id = d.rulebook_id AND e.id = d.event_id \
             WHERE e.type = 'end-of-call-report' AND e.state = 'recorded' GROUP BY e.call_id HAVING count(*) > 1",
        ),
        (
            "leads of one call",
            "SELECT call_id FROM leads GROUP BY call_id HAVING count(*) > 1",
        ),
        (
            "SMS messages to one contact",
            "SELECT call_id || ' ' || contact FROM sms_messages WHERE call_id IS NOT NULL GROUP BY call_id, contact, template \
             HAVING count(*) > 1",
        ),
    ];
    for (what, sql) in twice {
        for row in select(db, sql).await {
            found.push(format!("I2 two {what}: {}", row[0]));
        }
    }
}

async fn agreement(db: &DatabaseConnection, found: &mut Vec<String>) {
    let missing = [
        (
            "an event without a decision",
            "SELECT call_id || ' ' || type FROM webhook_events WHERE type IN ('end-of-call-report', 'tool-calls') \
             AND state = 'recorded' AND id NOT IN (SELECT event_id FROM decisions)",
        ),
        (
            "a report without a lead",
            "SELECT call_id FROM webhook_events WHERE type = 'end-of-call-report' AND call_id NOT IN (SELECT call_id FROM leads)",
        ),
        (
            "a `tool-calls` event without its tool call",
            "SELECT call_id FROM webhook_events WHERE type = 'tool-calls' AND state = 'recorded' AND id NOT IN \
             (SELECT event_id FROM tool_calls)",
        ),
        (
            "an SMS message without its decision",
            "SELECT reference FROM sms_messages WHERE decision_id IS NOT NULL AND decision_id NOT IN (SELECT id FROM decisions)",
        ),
        (
            "a revision that is not in the audit log",
            "SELECT number || '' FROM revisions WHERE number NOT IN (SELECT revision FROM audit_log WHERE \
             resource = 'revisions' AND revision IS NOT NULL)",
        ),
        (
            "a changed row that is not in the audit log",
            "SELECT code || ' ' || since_revision FROM services WHERE code || ' ' || since_revision NOT IN (SELECT code || ' ' || \
             revision FROM audit_log WHERE resource = 'services' AND revision IS NOT NULL)",
        ),
        (
            "an audit entry of a revision that does not exist",
            "SELECT code || ' ' || revision FROM audit_log WHERE revision IS NOT NULL AND revision NOT IN \
             (SELECT number FROM revisions)",
        ),
        (
            "a head that is not the newest revision",
            "SELECT b.code FROM rulebooks b WHERE b.head_revision <> (SELECT max(r.number) FROM revisions r WHERE \
             r.rulebook_id = b.id) OR b.head_revision <> (SELECT count(*) FROM revisions r WHERE r.rulebook_id = b.id)",
        ),
    ];
    for (what, sql) in missing {
        for row in select(db, sql).await {
            found.push(format!("I3 {what}: {}", row[0]));
        }
    }
    // For every recipient of a decision, the outbox must have an SMS message.
    let texted = select(
        db,
        "SELECT {id:decision_id}, contact FROM sms_messages WHERE decision_id IS NOT NULL",
    )
    .await;
    let texted: BTreeSet<(String, String)> = texted.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let decisions = select(
        db,
        "SELECT {id:d.id}, {text:d.result}, e.call_id FROM decisions d JOIN webhook_events e ON e.rulebook_id = d.rulebook_id \
         AND e.id = d.event_id JOIN leads l ON l.rulebook_id = e.rulebook_id AND l.call_id = e.call_id \
         WHERE e.type = 'end-of-call-report' AND e.state = 'recorded' AND NOT l.late",
    )
    .await;
    for row in decisions {
        let result: Value = serde_json::from_str(&row[1]).unwrap();
        let notify = result["notify"].as_array().cloned().unwrap_or_default();
        if result["template"].is_null() {
            continue;
        }
        for contact in notify.iter().filter_map(Value::as_str) {
            if !texted.contains(&(row[0].clone(), contact.to_owned())) {
                found.push(format!(
                    "I3 a decision whose SMS message is not in the outbox: {}",
                    row[2]
                ));
            }
        }
    }
}

async fn texts(world: &World, db: &DatabaseConnection, expects: &Expects, found: &mut Vec<String>) {
    let attempts = select(
        db,
        "SELECT {id:sms_message_id}, coalesce(outcome, 'none') FROM sms_attempts",
    )
    .await;
    let mut unclear: BTreeMap<String, usize> = BTreeMap::new();
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    for row in attempts {
        *tried.entry(row[0].clone()).or_default() += 1;
        if ["ambiguous", "none"].contains(&row[1].as_str()) {
            *unclear.entry(row[0].clone()).or_default() += 1;
        }
    }
    let mut taken = world.twilio.by_reference();
    let (now, stuck) = if db.get_database_backend() == DatabaseBackend::Postgres {
        ("now()", "lease_until < now() - interval '60 seconds'")
    } else {
        (
            "datetime('now')",
            "datetime(lease_until) < datetime('now', '-60 seconds')",
        )
    };
    let sql = format!(
        "SELECT {{id:id}}, reference, state, attempts || '', coalesce(provider_id, ''), priority, \
         CASE WHEN state = 'sending' AND {stuck} THEN 'stuck' ELSE '' END, {now} || '' FROM sms_messages"
    );
    for row in select(db, &sql).await {
        let [id, reference, state, attempts, sid, priority, stuck, _] = row.try_into().unwrap();
        let sids = taken.remove(&reference).unwrap_or_default();
        let unclear = unclear.get(&id).copied().unwrap_or(0);
        let name = format!("{reference} ({priority}, {state})");
        if sids.len() > 1 + unclear {
            found.push(format!(
                "I5 accepted {} times with {unclear} attempts whose outcome is unknown: {name}",
                sids.len()
            ));
        }
        if expects.once && sids.len() > 1 {
            found.push(format!(
                "I5 accepted {} times although Twilio's list could be read: {name}",
                sids.len()
            ));
        }
        if state == "accepted" && !sids.contains(&sid) {
            found.push(format!("I5 recorded as accepted, but Twilio does not have it: {name}"));
        }
        if ["queued", "dead"].contains(&state.as_str()) && !sids.is_empty() && unclear == 0 {
            found.push(format!("I5 Twilio has it, but it is not recorded as accepted: {name}"));
        }
        if stuck == "stuck" {
            found.push(format!("I5 stuck in the state `sending`: {name}"));
        }
        let is_settled = expects.settled.contains(&reference);
        if is_settled && ["queued", "sending", "ambiguous"].contains(&state.as_str()) {
            found.push(format!("{NOT_SETTLED}: {name}"));
        }
        if is_settled && ["P1", "P2"].contains(&priority.as_str()) && sids.is_empty() {
            found.push(format!("{NOBODY_TEXTED}: {name}"));
        }
        if attempts != tried.get(&id).copied().unwrap_or(0).to_string() {
            found.push(format!(
                "I5 the number of attempts differs from the recorded attempts: {name}"
            ));
        }
    }
    for reference in taken.keys() {
        found.push(format!("I5 sent, but not in the outbox: {reference}"));
    }
}

async fn edits(db: &DatabaseConnection, memory: &Memory, expects: &Expects, found: &mut Vec<String>) {
    let rows = select(
        db,
        "SELECT since_revision || '', price_to || '' FROM services WHERE code = 'camera_inspection' AND since_revision > 1",
    )
    .await;
    let mut stored: BTreeMap<i64, i64> = BTreeMap::new();
    for row in rows {
        stored.insert(row[0].parse().unwrap(), row[1].parse().unwrap());
    }
    let tried: BTreeSet<i64> = memory.edits.iter().map(|edit| edit.cents).collect();
    let mut versions = BTreeSet::new();
    for edit in &memory.edits {
        let Some(version) = edit.version else { continue };
        if !versions.insert(version) {
            found.push(format!("I7 the responses to two edits have version {version}"));
        }
        if stored.get(&version) != Some(&edit.cents) {
            found.push(format!(
                "I7 an accepted edit is not stored: version {version}, {} cents",
                edit.cents
            ));
        }
    }
    for (version, cents) in stored {
        if !tried.contains(&cents) && !expects.later_edits {
            found.push(format!(
                "I7 a stored price that no editor sent: version {version}, {cents} cents"
            ));
        }
    }
}

/// Runs the program's own checks (`ringbook replay` and `audit verify`) in a separate process.
async fn again(world: &World, binary: &Path, found: &mut Vec<String>) {
    for (invariant, arguments) in [
        ("I4", &["replay", "--quiet", "--days", "1"][..]),
        ("I6", &["audit", "verify", "--quiet"][..]),
    ] {
        let output = world.run(binary, arguments).await;
        if !output.status.success() {
            let (said, why) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            found.push(format!("{invariant} {}: {} {}", arguments[0], why.trim(), said.trim()));
        }
    }
}

/// Returns secrets and personal data that must never appear in logs or errors.
pub fn planted() -> Vec<&'static str> {
    let mut all = PERSONAL.to_vec();
    all.extend([
        crate::support::app::ADMIN_KEY,
        crate::support::app::VAPI_SECRET,
        TWILIO_TOKEN,
        SECRET_KEY,
        "5145550101",
        "inondé",
    ]);
    all
}

fn secrets(world: &World, memory: &Memory, found: &mut Vec<String>) {
    let logs = world.logs();
    for secret in planted() {
        if let Some(line) = logs.lines().find(|line| line.contains(secret)) {
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            found.push(format!("I8 a log line shows `{secret}`: {}", message["message"]));
        }
        if memory.errors.iter().any(|error| error.contains(secret)) {
            found.push(format!("I8 an error shows `{secret}`"));
        }
    }
    for line in logs.lines() {
        // If the disk is full, a log line can be truncated, and the next entry follows on the same line.
        let ends_whole = |line: &str| {
            let mut beginnings = line.match_indices("{\"").map(|(at, _)| &line[at..]);
            beginnings.any(|end| serde_json::from_str::<Value>(end).is_ok_and(|line| !line["timestamp"].is_null()))
        };
        let is_whole = serde_json::from_str::<Value>(line).is_ok() || (world.logs_in.is_some() && ends_whole(line));
        // The last line of a killed program may be incomplete, so lines without a final brace are not checked.
        if line.ends_with('}') && !is_whole {
            found.push(format!("I8 a log line is not one JSON object: {line}"));
        }
    }
}

/// Returns the rows of a query as strings. In the query, `{id:x}`, `{hex:x}` and `{text:x}` are replaced with the
/// database's expression that shows column `x` as text.
pub async fn select(db: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    let mut text = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find('}').unwrap();
        let (kind, column) = rest[at + 1..end].split_once(':').unwrap();
        text.push_str(&match (kind, postgres) {
            ("id" | "text", true) => format!("{column}::text"),
            ("hex", true) => format!("encode({column}, 'hex')"),
            ("text", false) => column.to_owned(),
            (_, false) => format!("lower(hex({column}))"),
            (other, true) => panic!("{other}"),
        });
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    let statement = Statement::from_string(db.get_database_backend(), text);
    let rows = db.query_all_raw(statement).await.unwrap();
    let columns = |row: &sea_orm::QueryResult| {
        let count = row.column_names().len();
        (0..count)
            .map(|column| row.try_get_by_index::<String>(column).unwrap())
            .collect()
    };
    rows.iter().map(columns).collect()
}

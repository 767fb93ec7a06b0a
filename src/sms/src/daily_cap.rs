//! Applies the daily cap to SMS messages that were just queued. Messages above the cap become dead letters, and the
//! leads of their calls are marked as capped. One notice is raised shortly before the cap is reached, and another when
//! it is reached. A P1 is counted but always sent.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use base::clock::Clock;
use base::telemetry::metrics;
use store::notices::{self, Notice, Severity};
use store::sms_messages::DEAD;
use store::{leads, sms_days, sms_messages};

/// The cap for P2 to P4 if a rulebook sets no cap.
pub const DEFAULT_CAP: i64 = 1_000;

/// Code of the notice that the cap is nearly reached.
const NEAR: &str = "sms_cap_near";
/// Code of the notice that the cap is reached.
const REACHED: &str = "sms_cap_reached";
/// Subject of both notices.
const SUBJECT: &str = "daily_sms_cap";
/// The reason stored with an SMS message above the cap.
pub(super) const REASON: &str = "the daily cap of SMS messages is reached";

/// The daily cap of a rulebook.
pub struct Cap {
    /// Maximum number of SMS messages on the day.
    pub texts: i64,
    /// The day, in the rulebook's time zone.
    pub day: String,
}

/// The SMS messages that were queued in this transaction.
pub struct QueuedInTransaction<'a> {
    /// Their rulebook.
    pub rulebook_id: Uuid,
    /// The SMS messages, in their order.
    pub texts: &'a [QueuedSms<'a>],
}

/// One queued SMS message.
pub struct QueuedSms<'a> {
    pub id: Uuid,
    /// The call that the message is about.
    pub call_id: Option<&'a str>,
    /// Whether the message is about a P1, which the cap never stops.
    pub always_goes: bool,
}

/// Applies the cap to SMS messages that were just queued.
pub async fn hold(
    tx: &DatabaseTransaction,
    cap: &Cap,
    queued: &QueuedInTransaction<'_>,
    now: DateTime<Utc>,
    clock: &Clock,
) -> Result<(), DbErr> {
    let rulebook_id = queued.rulebook_id;
    let many = i64::try_from(queued.texts.len()).unwrap_or(i64::MAX);
    if many == 0 {
        return Ok(());
    }
    let after = sms_days::add(tx, rulebook_id, &cap.day, many).await?;
    let before = after - many;
    if before == 0 {
        // These are the first SMS messages of a new day, so the notices of earlier days are resolved.
        notices::resolve(tx, rulebook_id, NEAR, SUBJECT, now).await?;
        notices::resolve(tx, rulebook_id, REACHED, SUBJECT, now).await?;
    }
    let near = (cap.texts * 4 + 4) / 5;
    if before < near && near <= after {
        notices::raise(tx, near_notice(rulebook_id, cap), now, clock.new_id()).await?;
    }
    let room = usize::try_from((cap.texts - before).clamp(0, many)).unwrap_or_default();
    let beyond = queued.texts.get(room..).unwrap_or_default();
    let beyond: Vec<_> = beyond.iter().filter(|text| !text.always_goes).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = beyond.iter().map(|text| text.id).collect();
    sms_messages::withhold(tx, rulebook_id, &ids, REASON).await?;
    for _ in &ids {
        metrics::sms(DEAD);
    }
    let calls: BTreeSet<&str> = beyond.iter().filter_map(|text| text.call_id).collect();
    leads::mark_capped(tx, rulebook_id, &Vec::from_iter(calls)).await?;
    notices::raise(tx, reached_notice(rulebook_id, cap), now, clock.new_id()).await
}

fn near_notice(rulebook_id: Uuid, cap: &Cap) -> Notice {
    Notice {
        rulebook_id,
        code: NEAR,
        severity: Severity::Warning,
        subject: SUBJECT.to_owned(),
        text: format!(
            "Four fifths of the {} SMS messages allowed on {} are used up.",
            cap.texts, cap.day
        ),
        what_to_do:
            "Raise `daily_sms_cap` in the settings if these messages are intended; else find out what sends them."
                .to_owned(),
    }
}

fn reached_notice(rulebook_id: Uuid, cap: &Cap) -> Notice {
    Notice {
        rulebook_id,
        code: REACHED,
        severity: Severity::Urgent,
        subject: SUBJECT.to_owned(),
        text: format!(
            "The {} SMS messages allowed on {} are used up: only P1 calls still send SMS messages.",
            cap.texts, cap.day
        ),
        what_to_do:
            "Look at the leads with `capped=true` and call back; raise `daily_sms_cap`, and resend the dead letters \
                     that still matter."
                .to_owned(),
    }
}

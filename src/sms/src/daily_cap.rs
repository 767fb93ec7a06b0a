//! The daily cap. In: texts that were just queued. Out: those beyond the cap are dead letters with the reason, their lead
//! is marked, and a person hears of it, before the cap bites and when it does. A P1 is counted and always goes.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use base::clock::Clock;
use base::telemetry::metrics;
use store::notices::{self, Notice, Severity};
use store::sms_messages::DEAD;
use store::{leads, sms_days, sms_messages};

/// The cap of a rulebook that has none of its own; it holds for P2 to P4.
pub const DEFAULT_CAP: i64 = 1_000;

/// The cap is near.
const NEAR: &str = "sms_cap_near";
/// The cap is reached.
const REACHED: &str = "sms_cap_reached";
/// What both are about.
const SUBJECT: &str = "daily_sms_cap";
/// What is kept with a text that did not go.
pub(super) const REASON: &str = "the daily cap of texts is reached";

/// How many texts a rulebook may send in a day.
pub struct Cap {
    /// So many.
    pub texts: i64,
    /// The day, in the rulebook's time zone.
    pub day: String,
}

/// What was queued in this transaction.
pub struct Queued<'a> {
    /// Whose texts.
    pub rulebook_id: Uuid,
    /// About which call.
    pub call_id: Option<&'a str>,
    /// Whether they are about a P1.
    pub always_go: bool,
    /// Their ids.
    pub ids: &'a [Uuid],
}

/// Holds texts that were just queued to the cap. Out: how many of them go.
pub async fn hold(
    tx: &DatabaseTransaction,
    cap: &Cap,
    queued: &Queued<'_>,
    now: DateTime<Utc>,
    clock: &Clock,
) -> Result<usize, DbErr> {
    let rulebook_id = queued.rulebook_id;
    let many = i64::try_from(queued.ids.len()).unwrap_or(i64::MAX);
    if many == 0 {
        return Ok(0);
    }
    let after = sms_days::add(tx, rulebook_id, &cap.day, many).await?;
    let before = after - many;
    if before == 0 {
        // A new day.
        notices::resolve(tx, rulebook_id, NEAR, SUBJECT, now).await?;
        notices::resolve(tx, rulebook_id, REACHED, SUBJECT, now).await?;
    }
    let near = (cap.texts * 4 + 4) / 5;
    if before < near && near <= after {
        notices::raise(tx, near_notice(rulebook_id, cap), now, clock.new_id()).await?;
    }
    if queued.always_go {
        return Ok(queued.ids.len());
    }
    let room = usize::try_from((cap.texts - before).clamp(0, many)).unwrap_or_default();
    let beyond = queued.ids.get(room..).unwrap_or_default();
    for id in beyond {
        sms_messages::withhold(tx, (rulebook_id, *id), REASON).await?;
        metrics::sms(DEAD);
    }
    if !beyond.is_empty() {
        if let Some(call_id) = queued.call_id {
            leads::mark_capped(tx, rulebook_id, call_id).await?;
        }
        notices::raise(tx, reached_notice(rulebook_id, cap), now, clock.new_id()).await?;
    }
    Ok(room)
}

fn near_notice(rulebook_id: Uuid, cap: &Cap) -> Notice {
    Notice {
        rulebook_id,
        code: NEAR,
        severity: Severity::Warning,
        subject: SUBJECT.to_owned(),
        text: format!(
            "Four fifths of the {} texts that {} may have are used up.",
            cap.texts, cap.day
        ),
        what_to_do: "Raise `daily_sms_cap` in the settings if these texts are meant; else look at what sends them."
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
            "The {} texts of {} are used up: only P1 calls are still texted.",
            cap.texts, cap.day
        ),
        what_to_do:
            "Look at the leads with `capped=true` and call back; raise `daily_sms_cap`, and send the dead letters \
                     again that still matter."
                .to_owned(),
    }
}

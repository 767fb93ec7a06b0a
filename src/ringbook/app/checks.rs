//! The readiness checks of `/health/ready`. [`crate::health`] adds the checks of the database connection and the
//! migrations.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sea_orm::DatabaseConnection;

use crate::health::Checks;
use crate::settings::Settings;
use base::clock::Clock;
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::offline::snapshot::Snapshots;
use intake::offline::spool::Spool;
use revisions::cache::RulebookCache;
use sms::notice::HELD_BACK;
use store::replica::Replica;
use store::sms_messages;

/// If an SMS message has been due for longer than this, the check assumes that no worker sends SMS messages.
const OUTBOX_TOO_OLD: TimeDelta = TimeDelta::minutes(10);

/// Checks that the configured path still leads to the SQLite file that the server opened. If the file was moved or
/// replaced, all writes go to the old file, and no other check detects that.
pub(super) fn database_file_check(settings: &Settings) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let file = settings.database.file().map(Path::to_owned);
    let number = |file: &Path| std::fs::metadata(file).ok().map(|found| (found.dev(), found.ino()));
    let at_start = file.as_deref().and_then(number);
    move || {
        let now = file.as_deref().and_then(number);
        let outcome = if now == at_start {
            Ok(())
        } else {
            let shown = file
                .as_deref()
                .map(|file| file.display().to_string())
                .unwrap_or_default();
            Err(format!(
                "the database file {shown} was moved or replaced while the server has it open, so writes go to the old file: stop \
                 the server, put the old file back, and start the server again"
            ))
        };
        Box::pin(std::future::ready(outcome))
    }
}

/// Checks that the default rulebook's head revision can be loaded.
pub(super) fn rulebook_check(current: &RulebookCache) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let current = current.clone();
    move || {
        let current = current.clone();
        Box::pin(async move {
            let head = current
                .head(DEFAULT_RULEBOOK)
                .await
                .map_err(|error| error.to_string())?;
            head.map(drop).ok_or_else(|| "there is no default rulebook".to_owned())
        })
    }
}

/// Adds the check of the replica, if there is a replica.
pub(super) fn with_replica_check(checks: Checks, replica: &Replica) -> Checks {
    if replica.exists() {
        checks.with_lesser("replica", replica_check(replica))
    } else {
        checks
    }
}

/// Checks that the replica responds, if there is a replica.
fn replica_check(replica: &Replica) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let replica = replica.clone();
    move || {
        let outcome = if replica.is_away() {
            Err("the replica (DATABASE_READ_URL) does not respond; the admin API reads from the primary".to_owned())
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(outcome))
    }
}

/// Checks that no SMS message has waited too long.
pub(super) fn outbox_check(
    db: &DatabaseConnection,
    clock: &Clock,
) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let (db, clock) = (db.clone(), clock.clone());
    move || {
        let (db, clock) = (db.clone(), clock.clone());
        Box::pin(async move {
            let now = clock.now();
            // If the Twilio account of a rulebook is missing, stopped or refused, a notice already reports this. The
            // check skips this rulebook, so that the server stays ready for all other rulebooks.
            let oldest = sms_messages::oldest_neglected(&db, now, &HELD_BACK).await;
            let oldest = oldest.map_err(|_| "the outbox cannot be read".to_owned())?;
            match oldest.map(|due| now - due) {
                Some(age) if age > OUTBOX_TOO_OLD => Err(format!(
                    "an SMS message has been due for {} s and no worker picked it up: does an instance run the worker `outbox`?",
                    age.num_seconds()
                )),
                _ => Ok(()),
            }
        })
    }
}

/// Reports whether the server can answer and spool messages without the database, and describes the spool.
pub(super) fn fallback_report(
    spool: &Spool,
    snapshots: &Snapshots,
    clock: &Clock,
) -> impl Fn() -> (bool, Option<String>) + use<> {
    let (spool, snapshots, clock) = (spool.clone(), snapshots.clone(), clock.clone());
    move || {
        let state = spool.state();
        let can = spool.has_room() && snapshots.of(DEFAULT_RULEBOOK).is_some();
        let oldest = state.oldest.map_or(0, |at| (clock.now() - at).num_seconds());
        let mut text = Vec::new();
        if state.waiting > 0 {
            text.push(format!("{} messages wait, the oldest for {oldest} s", state.waiting));
        }
        if state.aside > 0 {
            text.push(format!("{} messages are dead letters", state.aside));
        }
        if !spool.has_room() {
            text.push("there is no spool, or the spool is full".to_owned());
        }
        (can, (!text.is_empty()).then(|| text.join("; ")))
    }
}

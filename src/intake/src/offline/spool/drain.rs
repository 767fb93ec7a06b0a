//! Records the entries of the spool after the database is back. Each entry is recorded with the response that Vapi got.
//!
//! The most urgent calls come first. The entries of a call are recorded in the order of their arrival. An entry is
//! removed after its transaction commits. Business keys make this idempotent: an entry that was recorded before has no
//! second effect. After repeated failures, an entry is dead-lettered and a notice is raised. A live message waits only
//! for entries of its own call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{Inner, MOST_FILES, Spool, record_entry};
use crate::auth::access::DEFAULT_RULEBOOK;
use crate::message::Intake;
use crate::offline::gate::DatabaseGate;
use base::clock::Clock;
use base::keys::SecretKey;
use base::telemetry::{self, metrics};
use store::notices::{self, Notice, Severity};
use store::rulebooks;
use store::spool::{SpoolFile, SpoolPosition};

/// Interval between polls of the spool if nothing wakes the drain earlier.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many calls are recorded at the same time. The number is small, so that most connections stay free for live
/// messages.
const AT_ONCE: usize = 4;
/// How many entries are read and sorted at a time.
const BATCH: u32 = 64;
/// How often an entry is tried before it is dead-lettered.
const MAX_ATTEMPTS: i64 = 8;
/// Timeout for recording one entry.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between searches for files of stopped instances.
const ORPHAN_SCAN_INTERVAL: Duration = Duration::from_secs(10);
/// Code of the notice that the spool is in use.
const IN_USE: &str = "spool_in_use";
/// Code of the notice that the spool could not store messages.
const REFUSED: &str = "spool_refused";
/// Code of the notice that an entry was dead-lettered.
const ASIDE: &str = "spool_message_set_aside";
const SUBJECT: &str = "spool";

/// Why an entry was not recorded.
enum DrainFailure {
    /// The database is unavailable, so recording other entries would fail too.
    Away,
    /// A transient reason, such as a full disk or a locked row. The entry is tried again and is not dead-lettered.
    Passing,
    /// A reason specific to this entry.
    Entry(String),
}

/// Drains the spool. Cloning is cheap.
#[derive(Clone)]
pub struct Drain(Arc<DrainState>);

struct DrainState {
    spool: Spool,
    intake: Intake,
    gate: DatabaseGate,
    tasks: TaskTracker,
    /// For each failed entry, the time of the next try and the number of failures.
    later: Mutex<HashMap<Uuid, (Instant, u32)>>,
}

/// The values in the current notices, so that the notices are updated only after a change.
#[derive(Default)]
struct RaisedNotices {
    in_use: bool,
    refused: u64,
}

impl Drain {
    /// Creates a drain of this spool. `gate` is the database gate that the messages also use.
    #[must_use]
    pub fn new(spool: Spool, intake: Intake, gate: DatabaseGate, tasks: TaskTracker) -> Self {
        Self(Arc::new(DrainState {
            spool,
            intake,
            gate,
            tasks,
            later: Mutex::default(),
        }))
    }

    /// Records entries until cancelled. This includes the entries in the files of stopped instances.
    pub async fn run(&self, folder: PathBuf, most_bytes: u64, key: SecretKey, stop: CancellationToken) {
        let Some(own) = &self.0.spool.0 else { return };
        let mut raised = RaisedNotices::default();
        let mut left_behind: Vec<Arc<Inner>> = Vec::new();
        let mut looked: Option<Instant> = None;
        loop {
            if !self.0.gate.is_away() {
                if looked.is_none_or(|at| at.elapsed() > ORPHAN_SCAN_INTERVAL) {
                    looked = Some(Instant::now());
                    self.find(&mut left_behind, &folder, most_bytes, &key).await;
                }
                self.update_notices(own, &mut raised).await;
                for inner in std::iter::once(own).chain(&left_behind) {
                    self.pass(inner, &stop).await;
                }
                self.update_notices(own, &mut raised).await;
                left_behind.retain(|inner| {
                    let state = inner.lock();
                    state.waiting + state.aside > 0
                });
            }
            if let Err(error) = own.recount().await {
                tracing::warn!(%error, "the entries of the spool could not be counted");
            }
            let state = self.0.spool.state();
            let oldest = state.oldest.map(|at| self.clock().now() - at);
            metrics::spool(state.waiting, state.aside, state.bytes, oldest.unwrap_or_default());
            let woken = async {
                tokio::select! {
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                    () = self.0.gate.came_back() => {}
                    // Wait first, because an operation that was too slow a moment ago will probably be too slow now.
                    () = own.news.notified() => tokio::time::sleep(POLL_INTERVAL / 4).await,
                }
            };
            if stop.run_until_cancelled(woken).await.is_none() {
                return;
            }
        }
    }

    /// Records the entries of a call, before a live message of the same call is recorded.
    pub async fn drain_call_first(&self, family: [u8; 32]) {
        let Some(own) = &self.0.spool.0 else { return };
        match own.file.order(Some(family), &[], BATCH).await {
            // A failed entry waits for its retry time. Otherwise each message of an active call would cause another
            // try.
            Ok(places) if places.first().is_some_and(|first| self.is_later(first)) => {}
            Ok(places) => {
                let _ = self.family(own, &places).await;
            }
            Err(error) => tracing::warn!(%error, "the spool could not be read"),
        }
    }

    fn clock(&self) -> &Clock {
        &self.0.intake.clock
    }

    /// Records the entries of one file until no further entry can be recorded now.
    async fn pass(&self, inner: &Arc<Inner>, stop: &CancellationToken) {
        while inner.lock().waiting > 0 && !self.0.gate.is_away() && !stop.is_cancelled() {
            let later: Vec<Uuid> = {
                let mut later = self.0.later.lock().unwrap_or_else(PoisonError::into_inner);
                // An entry whose retry time passed ten minutes ago was recorded or dead-lettered.
                later.retain(|_, (at, _)| at.elapsed() < Duration::from_mins(10));
                let waits = later.iter().filter(|(_, (at, _))| *at > Instant::now());
                waits.map(|(id, _)| *id).collect()
            };
            let places = match inner.file.order(None, &later, BATCH).await {
                Ok(places) => places,
                Err(error) => return tracing::error!(%error, "the spool could not be read"),
            };
            let calls = by_call(places);
            if calls.is_empty() {
                return;
            }
            let done = futures_util::stream::iter(calls)
                .map(|places| async move { self.family(inner, &places).await })
                .buffered(AT_ONCE)
                .take_until(stop.cancelled());
            let went: Vec<bool> = done.collect().await;
            if let Err(error) = inner.recount().await {
                tracing::warn!(%error, "the entries of the spool could not be counted");
            }
            // A failed entry waits for its retry time. If no entry was recorded, stop for now.
            if !went.contains(&true) {
                return;
            }
        }
    }

    /// Records entries in order until one entry fails. Returns whether an entry was recorded.
    async fn family(&self, inner: &Arc<Inner>, places: &[SpoolPosition]) -> bool {
        let mut went = false;
        for place in places {
            match self.entry(inner, place).await {
                Ok(()) => went = true,
                Err(DrainFailure::Away) => return went,
                Err(DrainFailure::Passing) => {
                    self.later(place, 4);
                    return went;
                }
                Err(DrainFailure::Entry(why)) => {
                    self.count_failure(inner, place, &why).await;
                    return went;
                }
            }
        }
        went
    }

    async fn entry(&self, inner: &Arc<Inner>, place: &SpoolPosition) -> Result<(), DrainFailure> {
        let failed = |error: &dyn std::fmt::Display| DrainFailure::Entry(error.to_string());
        let Some(sealed) = inner.file.get(place.id).await.map_err(|error| failed(&error))? else {
            return Ok(());
        };
        let entry = inner.open(&sealed).map_err(|error| failed(&error))?;
        // Record in a separate task, because a timeout of the waiter must not cancel a transaction halfway.
        let intake = Intake {
            db: self.0.gate.db(),
            ..self.0.intake.clone()
        };
        let work = self
            .0
            .tasks
            .spawn(async move { record_entry::record(&intake, entry).await });
        let outcome = match tokio::time::timeout(ENTRY_TIMEOUT, work).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| {
                telemetry::log_cause("spool_entry", &error);
                if error.passes() {
                    DrainFailure::Passing
                } else {
                    DrainFailure::Entry(error.to_string())
                }
            }),
            Ok(Err(stopped)) => Err(DrainFailure::Entry(stopped.to_string())),
            Err(_) => Err(DrainFailure::Passing),
        };
        if let Err(why) = outcome {
            return Err(if self.0.gate.is_alive().await {
                why
            } else {
                DrainFailure::Away
            });
        }
        // If the removal fails, the entry is recorded again later, but without a second effect.
        if inner.file.remove(place.id).await.map_err(|error| failed(&error))? {
            inner.left(place.family);
            metrics::drained();
        }
        Ok(())
    }

    fn is_later(&self, place: &SpoolPosition) -> bool {
        let later = self.0.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.get(&place.id).is_some_and(|(at, _)| *at > Instant::now())
    }

    /// Delays the next try of an entry. The delay is 250 ms at first, and doubles after each failure, but at most
    /// `most` times.
    fn later(&self, place: &SpoolPosition, most: u32) {
        let mut later = self.0.later.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, times) = later.entry(place.id).or_insert((Instant::now(), 0));
        *at = Instant::now() + Duration::from_millis(250 << (*times).min(most));
        *times += 1;
    }

    /// Counts a failure of an entry. After [`MAX_ATTEMPTS`] failures the entry is dead-lettered.
    async fn count_failure(&self, inner: &Arc<Inner>, place: &SpoolPosition, why: &str) {
        tracing::warn!(why, entry = %place.id, "a message in the spool could not be recorded");
        self.later(place, 7);
        match inner.file.failed(place.id, MAX_ATTEMPTS).await {
            Ok(true) => {
                inner.left(place.family);
                tracing::error!(
                    entry = %place.id,
                    "a message in the spool is dead-lettered; the last warning names the reason"
                );
                if let Err(error) = self.notify_dead_letter(place.id).await {
                    tracing::warn!(%error, "the notice about a dead-lettered message could not be raised");
                }
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the spool could not be written"),
        }
    }

    /// Raises or resolves the two notices about the spool. One notice reports that the spool is in use. The other
    /// notice reports how many messages the spool could not store.
    async fn update_notices(&self, own: &Arc<Inner>, raised: &mut RaisedNotices) {
        let state = self.0.spool.state();
        let in_use = own.lock().waiting > 0;
        if in_use == raised.in_use && state.refused == raised.refused {
            return;
        }
        let refused = if state.refused > raised.refused {
            state.refused
        } else {
            0
        };
        match self.try_update_notices(in_use, state.waiting, refused).await {
            Ok(()) => {
                raised.in_use = in_use;
                raised.refused = state.refused;
            }
            Err(error) => tracing::debug!(%error, "the notices about the spool are updated later"),
        }
    }

    async fn try_update_notices(&self, in_use: bool, waiting: u64, refused: u64) -> Result<(), DbErr> {
        let now = self.clock().now();
        let db = self.0.gate.db();
        let Some(rulebook_id) = default_rulebook(&db).await? else {
            return Ok(());
        };
        let tx = store::begin(&db).await?;
        if in_use {
            let notice = Notice {
                rulebook_id,
                code: IN_USE,
                severity: Severity::Warning,
                subject: SUBJECT.to_owned(),
                text: format!("{waiting} messages were answered without the database and are being recorded now."),
                what_to_do:
                    "Find out why the database was unavailable or slow. This notice is resolved automatically when \
                             all messages are recorded."
                        .to_owned(),
            };
            notices::raise(&tx, notice, now, self.clock().new_id()).await?;
        } else {
            notices::resolve(&tx, rulebook_id, IN_USE, SUBJECT, now).await?;
        }
        if refused > 0 {
            let notice = Notice {
                rulebook_id,
                code: REFUSED,
                severity: Severity::Urgent,
                subject: SUBJECT.to_owned(),
                text: format!(
                    "Since this server started, {refused} messages were not recorded, because neither the database nor the \
                     spool stored them. Messages whose caller waited were answered; the others were rejected, so that Vapi sends them \
                     again."
                ),
                what_to_do: "Make room on the disk of RINGBOOK_SPOOL_DIR or raise RINGBOOK_SPOOL_SIZE_MB, and see in \
                             Vapi's log which calls are missing."
                    .to_owned(),
            };
            notices::raise(&tx, notice, now, self.clock().new_id()).await?;
        }
        tx.commit().await
    }

    async fn notify_dead_letter(&self, id: Uuid) -> Result<(), DbErr> {
        let db = self.0.gate.db();
        let Some(rulebook_id) = default_rulebook(&db).await? else {
            return Ok(());
        };
        let notice = Notice {
            rulebook_id,
            code: ASIDE,
            severity: Severity::Urgent,
            subject: format!("spool entry {id}"),
            text: format!(
                "A message in the spool could not be recorded after {MAX_ATTEMPTS} tries and is dead-lettered."
            ),
            what_to_do:
                "The log names the reason. A dead-lettered message stays in the spool and is tried again when the \
                         server starts the next time."
                    .to_owned(),
        };
        let tx = store::begin(&db).await?;
        notices::raise(&tx, notice, self.clock().now(), self.clock().new_id()).await?;
        tx.commit().await
    }

    /// Opens the files of stopped instances.
    async fn find(&self, found: &mut Vec<Arc<Inner>>, folder: &std::path::Path, most_bytes: u64, key: &SecretKey) {
        for number in (1..=MOST_FILES).filter(|number| SpoolFile::exists(folder, *number)) {
            // Skip a file that another instance or this instance uses.
            let Ok(Some(file)) = SpoolFile::open(folder, number, most_bytes).await else {
                continue;
            };
            match Spool::over(file, most_bytes, key.clone()).await {
                Ok(inner) if inner.lock().waiting > 0 => found.push(inner),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, number, "the spool file of a stopped instance cannot be read"),
            }
        }
    }
}

/// Groups entries by call, in the order of each call's first entry.
fn by_call(places: Vec<SpoolPosition>) -> Vec<Vec<SpoolPosition>> {
    let mut calls: Vec<Vec<SpoolPosition>> = Vec::new();
    let mut at: HashMap<[u8; 32], usize> = HashMap::new();
    for place in places {
        let index = *at.entry(place.family).or_insert(calls.len());
        match calls.get_mut(index) {
            Some(call) => call.push(place),
            None => calls.push(vec![place]),
        }
    }
    calls
}

async fn default_rulebook(db: &DatabaseConnection) -> Result<Option<Uuid>, DbErr> {
    rulebooks::id_of(db, DEFAULT_RULEBOOK).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_call_stay_together() {
        let place = |id: u128, family: u8| SpoolPosition {
            id: Uuid::from_u128(id),
            family: [family; 32],
        };
        let places = vec![place(1, 1), place(2, 2), place(3, 1), place(4, 3), place(5, 2)];
        let ids = |calls: Vec<Vec<SpoolPosition>>| {
            let ids = |call: &Vec<SpoolPosition>| call.iter().map(|place| place.id.as_u128()).collect::<Vec<_>>();
            calls.iter().map(ids).collect::<Vec<_>>()
        };
        assert_eq!(ids(by_call(places)), [vec![1, 3], vec![2, 5], vec![4]]);
    }
}

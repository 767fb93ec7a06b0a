//! The background jobs. Each job runs in a task that ends when the server stops.

use std::time::Duration;

use super::App;
use super::without_database::spool_bytes;

use crate::audit;
use crate::settings::Worker;
use base::telemetry::metrics;
use intake::reconcile::{ReconcileError, ReconcileOptions, ReconcileTally};
use jobs::{erasure, periodic, purge};
use revisions::quarantine;
use store::audit_log::AuditKey;
use store::{last_runs, notices, purges};

/// Interval of the small background jobs.
const CHORE_INTERVAL: Duration = Duration::from_secs(5);

/// Starts the background work.
pub(super) fn start_workers(app: &App) {
    let (gate, stop) = (app.recorder.gate.clone(), app.stop.clone());
    app.spawn(async move { gate.watch(stop).await });
    app.spawn(app.replica.clone().watch(app.stop.clone()));
    let (recorder, db, stop) = (app.recorder.clone(), app.primary.clone(), app.stop.clone());
    app.spawn(async move { recorder.fallback.snapshots.watch(db, recorder.gate.clone(), stop).await });
    let (drain, key, stop) = (app.recorder.drain.clone(), app.key.of_spool(), app.stop.clone());
    let (folder, most) = (app.settings.spool_folder(), spool_bytes(&app.settings));
    app.spawn(async move { drain.run(folder, most, key, stop).await });
    if app.settings.workers.contains(&Worker::Outbox) {
        let (outbox, stop) = (app.outbox.clone(), app.stop.clone());
        app.spawn(async move { outbox.run(stop).await });
    }
    if app.settings.workers.contains(&Worker::Escalation) {
        let (escalator, stop) = (app.escalator.clone(), app.stop.clone());
        app.spawn(async move { escalator.run(stop).await });
    }
    app.spawn(watch_quarantines(app.clone()));
    let key = AuditKey::new(&app.key.of_audit_chain());
    app.spawn(audit::log_head_at_start_and_end(
        app.db.clone(),
        key.clone(),
        app.stop.clone(),
    ));
    let db = app.db.clone();
    spawn_periodic(app, "audit_head", audit::HEAD_LOG_INTERVAL, move |_| {
        let (db, key) = (db.clone(), key.clone());
        async move {
            audit::tell(&db, &key).await;
            Ok(())
        }
    });
    if app.settings.workers.contains(&Worker::Scheduler) {
        let (scheduler, stop) = (app.scheduler.clone(), app.stop.clone());
        app.spawn(async move { scheduler.run(stop).await });
    }
    let (db, clock) = (app.db.clone(), app.clock.clone());
    spawn_periodic(
        app,
        "idempotency_keys",
        admin::idempotency::CLEANUP_INTERVAL,
        move |_| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { Ok(admin::idempotency::tidy(&db, &clock).await?) }
        },
    );
    if app.settings.workers.contains(&Worker::Reconciler) {
        let reconciler = app.reconciler.clone();
        spawn_periodic(app, last_runs::RECONCILER, app.settings.reconcile_every, move |turn| {
            let reconciler = reconciler.clone();
            async move {
                let asked = reconciler
                    .run(&ReconcileOptions::default(), Some(&turn.lease), &turn.stop, |_| {})
                    .await;
                Ok(error_if_all_failed(&asked?)?)
            }
        });
    }
    let (hits, db, clock, stop) = (app.hits.clone(), app.db.clone(), app.clock.clone(), app.stop.clone());
    app.spawn(async move { hits.run(db, clock, stop).await });
    if app.settings.workers.contains(&Worker::Purge) {
        delete_periodically(app);
    }
    let backtests = app.backtests.clone();
    app.spawn(async move {
        if let Err(error) = backtests.mend().await {
            tracing::warn!(%error, "interrupted backtests could not be marked; they are still shown as running");
        }
    });
    let (stop, limiter, db, clock) = (
        app.stop.clone(),
        app.limiter.clone(),
        app.primary.clone(),
        app.clock.clone(),
    );
    app.spawn(async move {
        let mut chores = tokio::time::interval(CHORE_INTERVAL);
        while stop.run_until_cancelled(chores.tick()).await.is_some() {
            limiter.tidy();
            metrics::upkeep();
            match last_runs::all(&db).await {
                Ok(runs) => {
                    let age = |at: chrono::DateTime<chrono::Utc>| (clock.now() - at).to_std().unwrap_or_default();
                    metrics::last_successes(runs.into_iter().map(|(name, at)| (name, age(at))));
                }
                Err(error) => tracing::debug!(%error, "the times of the last successful periodic jobs cannot be read"),
            }
            match notices::count_open(&db).await {
                Ok(counts) => counts
                    .into_iter()
                    .for_each(|(severity, open)| metrics::notices_open(severity, open)),
                Err(error) => tracing::debug!(%error, "the open notices cannot be counted"),
            }
        }
    });
}

/// Starts the jobs that delete data: one purges expired data, the other continues interrupted erasures.
fn delete_periodically(app: &App) {
    let purge = app.purge.clone();
    spawn_periodic(app, purges::LEASE, purge::PURGE_INTERVAL, move |turn| {
        let purge = purge.clone();
        async move { purge.run(&turn.lease, &turn.stop).await.map(drop).map_err(Into::into) }
    });
    let erasures = app.erasures.clone();
    spawn_periodic(app, erasure::LEASE, erasure::RESUME_INTERVAL, move |turn| {
        let erasures = erasures.clone();
        async move { erasures.resume(&turn.stop).await.map_err(Into::into) }
    });
}

/// Runs a job periodically. A lease ensures that only one instance runs the job at a time.
fn spawn_periodic<W, F>(app: &App, name: &'static str, every: Duration, work: W)
where
    W: Fn(periodic::RunContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), periodic::JobError>> + Send + 'static,
{
    let (leases, stop) = (app.leases.clone(), app.stop.clone());
    app.spawn(periodic::run(leases, name, every, stop, work));
}

/// Returns an error if no rulebook could be reconciled. If only some rulebooks failed, their notices report the
/// failures.
fn error_if_all_failed(tallies: &[ReconcileTally]) -> Result<(), ReconcileError> {
    let last = tallies.iter().rev().find_map(|tally| tally.error.clone());
    match last {
        Some(error) if tallies.iter().all(|tally| tally.error.is_some()) => Err(ReconcileError::AllFailed(error)),
        _ => Ok(()),
    }
}

/// Loads the script quarantines of other instances, and removes quarantines that have ended.
async fn watch_quarantines(app: App) {
    let mut looks = tokio::time::interval(quarantine::POLL_INTERVAL);
    while app.stop.run_until_cancelled(looks.tick()).await.is_some() {
        let quarantines = app.current.quarantines();
        if let Err(error) = quarantines.poll(&app.db, &app.primary, &app.clock).await {
            tracing::warn!(%error, "the scripts in quarantine could not be read; they are read again soon");
        }
    }
}

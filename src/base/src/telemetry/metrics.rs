//! Defines all metrics in one table, with the functions that record them. The values of labels come only from closed
//! sets. The value of a label never comes from a path, a caller or an identifier.

mod process;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use self::process::{BUILD_INFO, CPU_SECONDS, LAST_SUCCESS_AGE, OPEN_FILES, RESIDENT_BYTES, UPTIME, WORKER_AGE};
pub use self::process::{last_successes, worker_ran};

const HTTP_SECONDS: &str = "ringbook_http_request_seconds";
const MESSAGES: &str = "ringbook_messages_total";
const MESSAGES_SHARED: &str = "ringbook_messages_shared_total";
const MESSAGE_SECONDS: &str = "ringbook_message_seconds";
const SIGNATURE_FAILURES: &str = "ringbook_signature_failures_total";
const RATE_LIMITED: &str = "ringbook_rate_limited_total";
const CONNECTIONS: &str = "ringbook_http_connections";
const CONNECTIONS_CLOSED: &str = "ringbook_http_connections_closed_total";
const DECISIONS: &str = "ringbook_decisions_total";
const DECIDE_SECONDS: &str = "ringbook_decide_seconds";
const SCRIPT_FAULTS: &str = "ringbook_script_faults_total";
const SCRIPTS_BUSY: &str = "ringbook_scripts_busy_total";
const SMS: &str = "ringbook_sms_messages_total";
const SMS_ATTEMPTS: &str = "ringbook_sms_attempts_total";
const SMS_BREAKERS: &str = "ringbook_sms_breakers_open";
const NOTICES: &str = "ringbook_notices_open";
const CACHE: &str = "ringbook_rulebook_cache_total";
const OUTBOX_AGE: &str = "ringbook_outbox_oldest_seconds";
const SPOOLED: &str = "ringbook_spooled_total";
const SPOOL_REFUSED: &str = "ringbook_spool_refused_total";
const DRAINED: &str = "ringbook_drained_total";
const SPOOL_WAITING: &str = "ringbook_spool_waiting";
const SPOOL_ASIDE: &str = "ringbook_spool_set_aside";
const SPOOL_BYTES: &str = "ringbook_spool_bytes";
const SPOOL_OLDEST: &str = "ringbook_spool_oldest_seconds";
const DATABASE_AWAY: &str = "ringbook_database_away";
const REPLICA_AWAY: &str = "ringbook_replica_away";
const ESCALATIONS: &str = "ringbook_escalations_running";
const ACKNOWLEDGED_SECONDS: &str = "ringbook_acknowledged_seconds";
const RECONCILED: &str = "ringbook_reconciled_calls_total";
const PURGED: &str = "ringbook_purged_rows_total";
const POOL_OPEN: &str = "ringbook_pool_connections";
const POOL_IDLE: &str = "ringbook_pool_idle_connections";

/// The type of a metric.
#[derive(Clone, Copy)]
enum MetricType {
    Counter,
    Gauge,
    /// A histogram of seconds.
    Seconds,
}

/// Name, type and help text of each metric.
#[rustfmt::skip] // keep the columns aligned
const TABLE: &[(&str, MetricType, &str)] = &[
    (HTTP_SECONDS,       MetricType::Seconds, "Time to respond to a request, by route, method and status"),
    (MESSAGES,           MetricType::Counter, "Vapi messages, by type and outcome"),
    (MESSAGES_SHARED,    MetricType::Counter, "Vapi messages that were recorded in one transaction with other messages"),
    (MESSAGE_SECONDS,    MetricType::Seconds, "Time from receiving a message to its response, by type"),
    (SIGNATURE_FAILURES, MetricType::Counter, "Webhook requests rejected because of their signature"),
    (RATE_LIMITED,       MetricType::Counter, "Requests rejected by a rate limit"),
    (CONNECTIONS,        MetricType::Gauge,   "Open connections of clients"),
    (CONNECTIONS_CLOSED, MetricType::Counter, "Connections that the server closed, by reason: slow_head, idle, stalled, made_way, refused"),
    (DECISIONS,          MetricType::Counter, "Decisions, by priority and by whether they are degraded"),
    (DECIDE_SECONDS,     MetricType::Seconds, "Time to decide a price and a priority"),
    (SCRIPT_FAULTS,      MetricType::Counter, "Failures of scripts; the decision or response was made without the script"),
    (SCRIPTS_BUSY,       MetricType::Counter, "Messages decided without scripts because the script threads were busy"),
    (SMS,                MetricType::Counter, "SMS messages, by the state they reached"),
    (SMS_ATTEMPTS,       MetricType::Counter, "Attempts to send an SMS message, by outcome"),
    (SMS_BREAKERS,       MetricType::Gauge,   "Provider accounts with an open circuit breaker"),
    (NOTICES,            MetricType::Gauge,   "Open notices, by severity"),
    (CACHE,              MetricType::Counter, "Lookups of compiled rulebooks, by result (hit or miss)"),
    (OUTBOX_AGE,         MetricType::Gauge,   "Age of the oldest SMS message that is due and not sent, in seconds"),
    (SPOOLED,            MetricType::Counter, "Messages stored in the spool because the database was unavailable or too slow"),
    (SPOOL_REFUSED,      MetricType::Counter, "Messages that the spool did not store because it was full, too slow or disabled"),
    (DRAINED,            MetricType::Counter, "Messages of the spool that were recorded"),
    (SPOOL_WAITING,      MetricType::Gauge,   "Messages that wait in the spool"),
    (SPOOL_ASIDE,        MetricType::Gauge,   "Messages of the spool that could not be recorded (dead letters)"),
    (SPOOL_BYTES,        MetricType::Gauge,   "Size of the spool, in bytes"),
    (SPOOL_OLDEST,       MetricType::Gauge,   "Age of the oldest message in the spool, in seconds"),
    (DATABASE_AWAY,      MetricType::Gauge,   "1 while the database is unavailable for messages"),
    (REPLICA_AWAY,       MetricType::Gauge,   "1 while the replica is unavailable and reads go to the primary"),
    (ESCALATIONS,        MetricType::Gauge,   "P1 calls that still escalate because nobody has acknowledged them"),
    (ACKNOWLEDGED_SECONDS, MetricType::Seconds, "Time until somebody acknowledged a P1"),
    (RECONCILED,         MetricType::Counter, "Ended calls without a report that were found in Vapi's list of calls, by outcome"),
    (PURGED,             MetricType::Counter, "Rows deleted because their retention ended, by content"),
    (POOL_OPEN,          MetricType::Gauge,   "Open database connections, by pool"),
    (POOL_IDLE,          MetricType::Gauge,   "Idle database connections, by pool"),
    (WORKER_AGE,         MetricType::Gauge,   "Seconds since a worker last succeeded on this instance, by worker"),
    (LAST_SUCCESS_AGE,   MetricType::Gauge,   "Seconds since a backup, a reconciliation or other periodic work last succeeded on any instance, by job; +Inf means never"),
    (BUILD_INFO,         MetricType::Gauge,   "Always 1; the label `version` is the version of the program"),
    (CPU_SECONDS,        MetricType::Counter, "Processor time used, in whole seconds"),
    (RESIDENT_BYTES,     MetricType::Gauge,   "Resident memory, in bytes"),
    (OPEN_FILES,         MetricType::Gauge,   "Open files, including connections"),
    (UPTIME,             MetricType::Gauge,   "Seconds since the program started"),
];

/// Counters that are created at startup, with all values of their label. A counter that is created only at its first
/// event is missing in `/metrics` until then, so an alert on its increase misses the first event.
#[rustfmt::skip] // keep the columns aligned
const FROM_THE_START: &[(&str, &str, &[&str])] = &[
    (MESSAGES_SHARED,    "", &[""]),
    (SIGNATURE_FAILURES, "", &[""]),
    (RATE_LIMITED,       "", &[""]),
    (SCRIPT_FAULTS,      "", &[""]),
    (SCRIPTS_BUSY,       "", &[""]),
    (SPOOLED,            "", &[""]),
    (SPOOL_REFUSED,      "", &[""]),
    (DRAINED,            "", &[""]),
    (SMS,                "state", &["queued", "accepted", "delivered", "ambiguous", "dead", "simulated"]),
    (CONNECTIONS_CLOSED, "why", &["slow_head", "idle", "stalled", "made_way", "refused"]),
    (RECONCILED,         "outcome", &["recorded"]),
    (PURGED,             "what", &["transcripts", "bodies", "events"]),
];

/// Upper bounds of the histogram buckets, in seconds. A decision takes microseconds, and an SMS request to a slow
/// provider takes many seconds.
const BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds, in seconds, for the time until somebody acknowledges a P1. An acknowledgement takes between a few
/// seconds and an hour.
const ANSWER_BUCKETS: &[f64] = &[10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0];

/// The recorder of the process. Several servers in one test process share this recorder.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder and describes every metric. Later calls change nothing.
pub fn install() {
    RECORDER.get_or_init(|| {
        let installed = PrometheusBuilder::new()
            .set_buckets(BUCKETS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Full(ACKNOWLEDGED_SECONDS.to_owned()), ANSWER_BUCKETS)
            })
            .and_then(PrometheusBuilder::install_recorder);
        let handle = installed
            .inspect_err(|error| tracing::warn!(%error, "metrics are off"))
            .ok()?;
        for &(name, kind, text) in TABLE {
            match kind {
                MetricType::Counter => describe_counter!(name, text),
                MetricType::Gauge => describe_gauge!(name, text),
                MetricType::Seconds => describe_histogram!(name, Unit::Seconds, text),
            }
        }
        for &(name, label, values) in FROM_THE_START {
            for &value in values {
                if label.is_empty() {
                    counter!(name).increment(0);
                } else {
                    counter!(name, label => value).increment(0);
                }
            }
        }
        for priority in ["P1", "P2", "P3", "P4"] {
            for degraded in ["false", "true"] {
                counter!(DECISIONS, "priority" => priority, "degraded" => degraded).increment(0);
            }
        }
        process::start();
        Some(handle)
    });
}

/// Returns all metrics in the text format of Prometheus. The text is empty if the recorder could not be installed.
#[must_use]
pub fn render() -> String {
    process::refresh();
    RECORDER
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Moves recorded values into the histograms. Call this function regularly. Without calls of this function, memory
/// grows while nobody reads `/metrics`.
pub fn upkeep() {
    if let Some(handle) = RECORDER.get().and_then(Option::as_ref) {
        handle.run_upkeep();
    }
}

/// Records a handled request. `route` is the pattern of the route, never the path.
pub fn http_request(route: &str, method: &str, status: u16, took: Duration) {
    histogram!(HTTP_SECONDS, "route" => route.to_owned(), "method" => method.to_owned(), "status" => status.to_string())
        .record(took);
}

/// Records a handled Vapi message. `kind` is a known message type or `unknown`. `outcome` is a word such as `recorded`,
/// `duplicate`, `amendment` or `refused`.
pub fn message(kind: &'static str, outcome: &'static str, since: Instant) {
    counter!(MESSAGES, "type" => kind, "outcome" => outcome).increment(1);
    histogram!(MESSAGE_SECONDS, "type" => kind).record(since.elapsed());
}

/// Counts a webhook request that was rejected because of its signature.
pub fn signature_failed() {
    counter!(SIGNATURE_FAILURES).increment(1);
}

/// Counts a request that was rejected by a rate limit.
pub fn rate_limited() {
    counter!(RATE_LIMITED).increment(1);
}

/// Sets the number of open client connections.
pub fn connections_open(count: usize) {
    gauge!(CONNECTIONS).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Counts a connection that the server closed or refused.
pub fn connection_closed(why: &'static str) {
    counter!(CONNECTIONS_CLOSED, "why" => why).increment(1);
}

/// Records a decision. `priority` is `P1` to `P4`.
pub fn decision(priority: &'static str, degraded: bool, took: Duration) {
    counter!(DECISIONS, "priority" => priority, "degraded" => if degraded { "true" } else { "false" }).increment(1);
    histogram!(DECIDE_SECONDS).record(took);
}

/// Counts `count` messages that were recorded in one transaction.
pub fn messages_shared(count: u64) {
    counter!(MESSAGES_SHARED).increment(count);
}

/// Counts a message that was decided without scripts because the script threads were busy.
pub fn scripts_busy() {
    counter!(SCRIPTS_BUSY).increment(1);
}

/// Counts a failure of a script. The decision or response was made without the script's result.
pub fn script_fault() {
    counter!(SCRIPT_FAULTS).increment(1);
}

/// Counts an SMS message that reached `state`.
pub fn sms(state: &str) {
    counter!(SMS, "state" => state.to_owned()).increment(1);
}

/// Counts an attempt to send an SMS message, by outcome.
pub fn sms_attempt(outcome: &'static str) {
    counter!(SMS_ATTEMPTS, "outcome" => outcome).increment(1);
}

/// Sets the number of open notices of a severity.
pub fn notices_open(severity: &'static str, count: u64) {
    gauge!(NOTICES, "severity" => severity).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Counts a lookup of a compiled rulebook.
pub fn cache(hit: bool) {
    counter!(CACHE, "result" => if hit { "hit" } else { "miss" }).increment(1);
}

/// Sets how long the oldest due SMS message has waited.
pub fn outbox(oldest: Duration) {
    gauge!(OUTBOX_AGE).set(oldest.as_secs_f64());
}

/// Sets the number of accounts with an open circuit breaker.
pub fn breakers_open(count: usize) {
    gauge!(SMS_BREAKERS).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Counts a message that the spool stored or, if `kept` is false, could not store.
pub fn spooled(kept: bool) {
    counter!(if kept { SPOOLED } else { SPOOL_REFUSED }).increment(1);
}

/// Counts a message of the spool that was recorded.
pub fn drained() {
    counter!(DRAINED).increment(1);
}

/// Sets the gauges of the spool: waiting messages, dead letters, size in bytes, and age of the oldest message.
pub fn spool(waiting: u64, aside: u64, bytes: u64, oldest: TimeDelta) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    for (name, value) in [(SPOOL_WAITING, waiting), (SPOOL_ASIDE, aside), (SPOOL_BYTES, bytes)] {
        gauge!(name).set(value as f64);
    }
    gauge!(SPOOL_OLDEST).set(oldest.as_seconds_f64());
}

/// Sets whether the database is unavailable for messages.
pub fn database_away(away: bool) {
    gauge!(DATABASE_AWAY).set(u32::from(away));
}

/// Sets whether the replica is unavailable.
pub fn replica_away(away: bool) {
    gauge!(REPLICA_AWAY).set(u32::from(away));
}

/// Sets the number of P1 calls that still escalate.
pub fn escalations(running: u64) {
    gauge!(ESCALATIONS).set(u32::try_from(running).unwrap_or(u32::MAX));
}

/// Records how long it took until somebody acknowledged a P1.
pub fn acknowledged(after: TimeDelta) {
    histogram!(ACKNOWLEDGED_SECONDS).record(after.to_std().unwrap_or_default());
}

/// Counts an ended call that was found in Vapi's list of calls and had no report. `became` is the outcome, for example
/// `recorded`.
pub fn reconciled(became: &'static str) {
    counter!(RECONCILED, "outcome" => became).increment(1);
}

/// Counts purged rows. `what` is `transcripts`, `bodies`, `events` or `interim_bodies`.
pub fn purged(what: &'static str, rows: u64) {
    counter!(PURGED, "what" => what).increment(rows);
}

/// Sets the numbers of open and idle connections of the pool `name`.
pub fn pool(name: &'static str, open: u32, idle: u32) {
    gauge!(POOL_OPEN, "pool" => name).set(open);
    gauge!(POOL_IDLE, "pool" => name).set(idle);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_in_the_text_with_its_description() {
        install();
        decision("P1", false, Duration::from_micros(30));
        pool("write", 3, 1);
        worker_ran("purge");
        let text = render();
        for line in [
            "ringbook_build_info{version=\"",
            "ringbook_worker_last_run_age_seconds{worker=\"purge\"} 0.",
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
            // None of the counted events has happened.
            "ringbook_spool_refused_total 0",
            "ringbook_connections_closed_total{why=\"slow_head\"} 0",
        ] {
            let line = line.replace("ringbook_connections", "ringbook_http_connections");
            assert!(text.contains(&line), "{line}: {text}");
        }
        assert!(text.contains("# HELP ringbook_decisions_total Decisions"), "{text}");
        assert!(
            text.contains("ringbook_decide_seconds_bucket{le=\"0.00005\"}"),
            "{text}"
        );
        assert!(text.contains("ringbook_pool_connections{pool=\"write\"} 3"), "{text}");
    }
}

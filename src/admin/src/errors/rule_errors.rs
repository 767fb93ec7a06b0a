//! The errors of operations that read or change rules: rule rows, change sets, publishes, rollbacks and backtests.

use super::Particular;
use web::problem::Code;

const TOO_MANY_REVISIONS: &str = "The rulebook has reached its 24-hour quota of revisions or revision bytes.";

/// Errors of an operation that reads rows as if a change set were published.
pub struct ReadsChangeSet;

impl Particular for ReadsChangeSet {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The change set was published or discarded.")];
}

/// Errors of an operation that opens a change set, with an `Idempotency-Key`.
pub struct OpensChangeSet;

impl Particular for OpensChangeSet {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::QuotaReached,
            "The rulebook's limit of open change sets, or of their bytes, is reached.",
        ),
        (
            Code::StaleVersion,
            "A row to change has changed since you read it; read the row again.",
        ),
        (Code::VersionRequired, "Bring the row's version in each change."),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that writes a versioned row.
pub struct WritesVersion;

impl Particular for WritesVersion {
    const CODES: &'static [(Code, &'static str)] = &[
        (Code::QuotaReached, TOO_MANY_REVISIONS),
        (
            Code::StaleVersion,
            "The row has changed since it was read; read it again.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with this change; `errors` says where.",
        ),
        (
            Code::VersionRequired,
            "A write to an existing row must bring the version that was read.",
        ),
    ];
}

/// Errors of an operation that changes the state of a change set.
pub struct ChangesChangeSet;

impl Particular for ChangesChangeSet {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The state of the change set does not allow the operation, or a quota is reached.",
        ),
        (
            Code::StaleVersion,
            "The change set, or a row of its changes, has changed since you read it; read it again.",
        ),
        (
            Code::VersionRequired,
            "Bring the version of the change set; in a change, also bring the row's version.",
        ),
    ];
}

/// Errors of an operation that checks a change set.
pub struct ChecksChangeSet;

impl Particular for ChecksChangeSet {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The change set was published or discarded.")];
}

/// Errors of an operation that evaluates a call, optionally with a change set.
pub struct EvaluatesCall;

impl Particular for EvaluatesCall {
    const CODES: &'static [(Code, &'static str)] = &[
        (Code::Conflict, "The change set was published or discarded."),
        (
            Code::StaleVersion,
            "Others have changed rows of the change set; `conflicts` has each row before and now.",
        ),
        (
            Code::RuleFault,
            "The rulebook does not work with the change set; `errors` says where.",
        ),
    ];
}

/// Errors of an operation that publishes a change set.
pub struct Publishing;

impl Particular for Publishing {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The state of the change set does not allow a publish, nothing would change, or a quota is reached.",
        ),
        (
            Code::StaleVersion,
            "The change set has changed since you read it, or others have changed its rows; `conflicts` has each row \
             before and now.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with the change set. `errors` says where, and `cases` has every \
             failed case with its trace.",
        ),
        (
            Code::VersionRequired,
            "Bring the version of the change set that was read.",
        ),
    ];
}

/// Errors of an operation that creates a rulebook.
pub struct RulebookWrite;

impl Particular for RulebookWrite {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The code is in use, the limit of rulebooks is reached, or somebody else wrote at the same time.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with these rows; `errors` says where.",
        ),
    ];
}

/// Errors of an operation that rolls back, with an `Idempotency-Key`.
pub struct RollingBack;

impl Particular for RollingBack {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "Somebody else wrote at the same time, or a quota is reached.",
        ),
        (
            Code::StaleVersion,
            "Somebody has published since you read the head; `detail` has the number of the current head.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with these rows; `errors` says where. Or: another request was sent \
             under this `Idempotency-Key`.",
        ),
        (
            Code::VersionRequired,
            "Send the head revision that you read, in the query or as `If-Match`.",
        ),
    ];
}

/// Errors of an operation that starts a backtest, optionally of changes that are not stored.
pub struct StartsBacktest;

impl Particular for StartsBacktest {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "Too many backtests are queued, or the change set is published or discarded.",
        ),
        (
            Code::StaleVersion,
            "A row to change has changed since you read it; read the row again.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with these rows; `errors` says where.",
        ),
        (Code::VersionRequired, "Bring the row's version in each change."),
    ];
}

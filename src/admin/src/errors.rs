//! Declares the errors of each operation, as the OpenAPI document lists them.
//!
//! A marker type lists the errors particular to an operation. [`Fails`] pairs a [`Problem`] with it.
//! `document::statuses` adds the errors that follow from the operation's shape (a key, a role, a body, a path, a list).

use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use sea_orm::DbErr;

use web::problem::{Code, Problem, ProblemJson};

/// The errors particular to an operation.
pub trait Particular: Send + Sync + 'static {
    /// Each error code, with the condition that causes it.
    const CODES: &'static [(Code, &'static str)];
}

const TOO_MANY_REVISIONS: &str = "The rulebook has reached its quota of revisions or revision bytes within 24 hours.";

/// The operation has no particular errors.
pub struct NoExtraErrors;

impl Particular for NoExtraErrors {
    const CODES: &'static [(Code, &'static str)] = &[];
}

/// Errors of an operation that reads rows as if a change set were published.
pub struct ReadsChangeSet;

impl Particular for ReadsChangeSet {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The change set was published or discarded.")];
}

/// Errors of an operation that stores a secret, with an `Idempotency-Key`.
pub struct StoresSecret;

impl Particular for StoresSecret {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "There are five secrets of this purpose that are not retired: retire one first.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that creates an API key, with an `Idempotency-Key`.
pub struct CreatesKey;

impl Particular for CreatesKey {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::QuotaReached,
            "The limit of valid keys is reached: revoke one first.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that creates a calendar feed, with an `Idempotency-Key`.
pub struct CreatesFeed;

impl Particular for CreatesFeed {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The rulebook's limit of calendar feeds is reached: revoke one first.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation with a body that names the rulebook.
pub struct NamesRulebook;

impl Particular for NamesRulebook {
    const CODES: &'static [(Code, &'static str)] =
        &[(Code::NotFound, "There is no such rulebook, or the key cannot see it.")];
}

/// Errors of an operation that resends SMS messages of the rulebook that the body names, with an `Idempotency-Key`.
pub struct ResendsMany;

impl Particular for ResendsMany {
    const CODES: &'static [(Code, &'static str)] = &[
        (Code::NotFound, "There is no such rulebook, or the key cannot see it."),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that resends an SMS message, with an `Idempotency-Key`.
pub struct ResendsOne;

impl Particular for ResendsOne {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The message is being sent, was sent, may have been sent (`force` resends it) or was erased, or its recipient \
             has opted out; `detail` says why it is not resent.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
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
            "A row of the changes has changed since you read it; read the row again.",
        ),
        (Code::VersionRequired, "Bring the row's version in each change."),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that writes a row that has a version.
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

/// Errors of an operation that writes the settings of webhook authentication.
pub struct AuthWrite;

impl Particular for AuthWrite {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::StaleVersion,
            "The settings or the webhook's secrets have changed since they were read; read them again.",
        ),
        (Code::VersionRequired, "Bring the version that was read."),
    ];
}

/// Errors of an operation that writes guard rails, retention or SMS delivery.
pub struct SettingsWrite;

impl Particular for SettingsWrite {
    const CODES: &'static [(Code, &'static str)] = &[
        (Code::StaleVersion, "The settings have changed since they were read."),
        (Code::VersionRequired, "Bring the version that was read."),
    ];
}

/// Errors of an operation that writes a rulebook's profile.
pub struct ProfileWrite;

impl Particular for ProfileWrite {
    const CODES: &'static [(Code, &'static str)] = &[
        (Code::Conflict, "Another rulebook has or had this code."),
        (Code::StaleVersion, "The profile has changed since it was read."),
        (Code::VersionRequired, "Bring the version that was read."),
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

/// Errors of an operation that revokes a key.
pub struct RevokesKey;

impl Particular for RevokesKey {
    const CODES: &'static [(Code, &'static str)] = &[(
        Code::Conflict,
        "A key cannot revoke itself: revoke it with another key.",
    )];
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
            "A row of the changes has changed since you read it; read the row again.",
        ),
        (
            Code::RuleFault,
            "The rulebook would not work with these rows; `errors` says where.",
        ),
        (Code::VersionRequired, "Bring the row's version in each change."),
    ];
}

/// Errors of an operation that reads the statement of a period.
pub struct ReadsStatement;

impl Particular for ReadsStatement {
    const CODES: &'static [(Code, &'static str)] = &[(
        Code::Unprocessable,
        "The period has more than 20,000 calls, leads or SMS messages: read each day instead.",
    )];
}

/// Errors of an operation that resolves a notice.
pub struct Resolving;

impl Particular for Resolving {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The notice is resolved already.")];
}

/// Errors of an operation that creates a case from a call.
pub struct CreatesCallCase;

impl Particular for CreatesCallCase {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The caller's facts were erased, the change set is published or discarded, or a quota is reached.",
        ),
        (
            Code::StaleVersion,
            "A case with this code exists, or the change set has changed since it was read.",
        ),
        (
            Code::VersionRequired,
            "Bring the version of the change set that was read.",
        ),
        (
            Code::RuleFault,
            "The head decides this call differently, or the case would not work; every error is listed.",
        ),
    ];
}

/// Errors of an operation that stores feedback about a decision.
pub struct StoresFeedback;

impl Particular for StoresFeedback {
    const CODES: &'static [(Code, &'static str)] = &[(
        Code::Conflict,
        "The caller's facts were erased; or the call has 20 open feedback entries.",
    )];
}

/// Errors of an operation that resolves feedback.
pub struct ResolvesFeedback;

impl Particular for ResolvesFeedback {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The feedback is resolved already.")];
}

/// Errors of an operation that creates a case from feedback.
pub struct CreatesFeedbackCase;

impl Particular for CreatesFeedbackCase {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "The feedback is resolved, the caller was erased, the change set is published or discarded, or a quota is reached.",
        ),
        (
            Code::StaleVersion,
            "A case with this code exists, or the change set has changed since it was read.",
        ),
        (
            Code::VersionRequired,
            "Bring the version of the change set that was read.",
        ),
        (
            Code::RuleFault,
            "The change set does not compile, or the case would not work; every error is listed.",
        ),
    ];
}

/// Errors of an operation that acknowledges a lead, with an `Idempotency-Key`.
pub struct AcknowledgesLead;

impl Particular for AcknowledgesLead {
    const CODES: &'static [(Code, &'static str)] = &[
        (
            Code::Conflict,
            "Somebody has acknowledged the lead already; `detail` says who and when.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
    ];
}

/// Errors of an operation that replays or explains a stored decision.
pub struct Again;

impl Particular for Again {
    const CODES: &'static [(Code, &'static str)] = &[(Code::Conflict, "The caller's facts were erased.")];
}

/// A problem of an operation that has the particular errors `P`.
#[derive(Debug)]
pub struct Fails<P>(Problem, PhantomData<fn() -> P>);

impl<P> From<Problem> for Fails<P> {
    fn from(problem: Problem) -> Self {
        Self(problem, PhantomData)
    }
}

impl<P> From<DbErr> for Fails<P> {
    fn from(error: DbErr) -> Self {
        Problem::from(error).into()
    }
}

impl<P> From<Fails<P>> for poem::Error {
    fn from(fails: Fails<P>) -> Self {
        fails.0.into()
    }
}

impl<P: Particular> ApiResponse for Fails<P> {
    fn meta() -> MetaResponses {
        let response = |(code, description): &(Code, &'static str)| MetaResponse {
            description,
            status: Some(code.status().as_u16()),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: <ProblemJson as Payload>::CONTENT_TYPE,
                schema: <ProblemJson as Payload>::schema_ref(),
            }],
            headers: vec![],
        };
        MetaResponses {
            responses: P::CODES.iter().map(response).collect(),
        }
    }

    fn register(registry: &mut Registry) {
        <ProblemJson as Payload>::register(registry);
    }
}

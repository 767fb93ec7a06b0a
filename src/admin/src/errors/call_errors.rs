//! The errors of operations on calls, and on the leads, SMS messages, notices, feedback and cases that come from calls.

use super::Particular;
use web::problem::Code;

/// Errors of an operation that resends several SMS messages, with an `Idempotency-Key`. The body names the rulebook.
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
             has opted out. `detail` says which.",
        ),
        (
            Code::IdempotencyKeyReused,
            "Another request was sent under this `Idempotency-Key`.",
        ),
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
        "The caller's facts were erased, or the call has 20 open feedback entries.",
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
            "The feedback is resolved, the facts were erased, the change set is published or discarded, or a quota is reached.",
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

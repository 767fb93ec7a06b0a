//! The errors of operations on a rulebook's settings, and on its secrets, API keys and calendar feeds.

use super::Particular;
use web::problem::Code;

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

/// Errors of an operation that revokes a key.
pub struct RevokesKey;

impl Particular for RevokesKey {
    const CODES: &'static [(Code, &'static str)] = &[(
        Code::Conflict,
        "A key cannot revoke itself: revoke it with another key.",
    )];
}

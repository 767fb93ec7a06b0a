//! Declares the errors of each operation, as the OpenAPI document lists them.
//!
//! A marker type lists the errors particular to an operation. [`Fails`] pairs a [`Problem`] with a marker type.
//! `document::statuses` adds the errors that follow from the operation's shape (a key, a role, a body, a path, a list).
//!
//! `rule_errors`, `settings_errors` and `call_errors` have the marker types.

mod call_errors;
mod rule_errors;
mod settings_errors;

use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use sea_orm::DbErr;

pub use self::call_errors::{
    AcknowledgesLead, Again, CreatesCallCase, CreatesFeedbackCase, ReadsStatement, ResendsMany, ResendsOne,
    ResolvesFeedback, Resolving, StoresFeedback,
};
pub use self::rule_errors::{
    ChangesChangeSet, ChecksChangeSet, EvaluatesCall, OpensChangeSet, Publishing, ReadsChangeSet, RollingBack,
    RulebookWrite, StartsBacktest, WritesVersion,
};
pub use self::settings_errors::{
    AuthWrite, CreatesFeed, CreatesKey, ProfileWrite, RevokesKey, SettingsWrite, StoresSecret,
};
use web::problem::{Code, Problem, ProblemJson};

/// The errors particular to an operation.
pub trait Particular: Send + Sync + 'static {
    /// Each error code, with the condition that causes it.
    const CODES: &'static [(Code, &'static str)];
}

/// The operation has no particular errors.
pub struct NoExtraErrors;

impl Particular for NoExtraErrors {
    const CODES: &'static [(Code, &'static str)] = &[];
}

/// Errors of an operation whose body names the rulebook.
pub struct NamesRulebook;

impl Particular for NamesRulebook {
    const CODES: &'static [(Code, &'static str)] =
        &[(Code::NotFound, "There is no such rulebook, or the key cannot see it.")];
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

//! Explains a decision row by row.

use poem_openapi::Object;
use serde_json::Value;

use super::auth::Caller;
use super::masking;
use rules::decision::{Decision, Step};
use web::problem::Problem;

/// Every row and its part in a decision.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Explanation {
    /// Every row that took part, in order, and its effect on the price.
    took_part: Vec<RowStep>,
    /// Every other row with the first term that failed.
    left_out: Vec<RowStep>,
    /// The sentence that the agent can say, in the caller's language.
    say: String,
    /// The caller's language.
    language: String,
    /// The revision that decided.
    revision: i64,
    /// The current head revision.
    head: i64,
    /// The URL of the rule changes since that revision; absent if there are none.
    changed_since: Option<String>,
}

/// A row's effect.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RowStep {
    /// Kind of row, such as `adjustments`.
    resource: String,
    /// The code.
    code: String,
    /// The row's effect, or why the row had no effect.
    did: String,
    /// The row's effect on the price: both ends of the range before and after.
    money: Option<Value>,
}

impl Explanation {
    /// Explains a decision, including the rows that took no part.
    ///
    /// # Errors
    /// 500 if an amount cannot be serialized.
    pub fn new(
        caller: &Caller,
        rulebook: &str,
        decision: Decision,
        left_out: Vec<Step>,
        head: i64,
    ) -> Result<Self, Problem> {
        let told = |steps: Vec<Step>| -> Result<Vec<RowStep>, Problem> {
            let told = steps.into_iter().map(|step| row_step(caller, step));
            told.collect::<Result<_, _>>()
                .map_err(|error| Problem::internal(&error))
        };
        let revision = decision.revision;
        Ok(Self {
            took_part: told(decision.trace)?,
            left_out: told(left_out)?,
            say: masking::text(caller, Some(decision.say)).unwrap_or_default(),
            language: decision.language,
            revision,
            head,
            changed_since: (revision < head)
                .then(|| format!("/admin/v1/rulebooks/{rulebook}/revisions/{revision}/diff?to=head")),
        })
    }
}

fn row_step(caller: &Caller, step: Step) -> Result<RowStep, serde_json::Error> {
    Ok(RowStep {
        resource: step.resource,
        code: step.code,
        did: masking::text(caller, Some(step.did)).unwrap_or_default(),
        money: step.money.map(serde_json::to_value).transpose()?,
    })
}

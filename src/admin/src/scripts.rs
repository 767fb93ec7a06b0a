//! Lists the versions of scripts, and runs scripts as a test.
//!
//! A test run has no effects and uses the same threads as the scripts of calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::{Editor, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors};
use super::evaluate::named_facts;
use super::list::{ListQuery, ListSpec};
use super::responses::{Page, ReadResponse};
use super::row_checks::check_code;
use super::state::{AdminState, RulebookInPath, busy, shortened};
use rules::Rulebook;
use rules::fault::Fault;
use rules::money::Money;
use rules::rows::{Hook, Priority, Script};
use rules::script::test_run::{Begin, Trial};
use store::{page, revisions, scripts};
use web::problem::Problem;

/// Sort orders and filters of the list of versions.
pub const VERSIONS: ListSpec = ListSpec {
    sorts: &["-since", "since"],
    filters: &[],
};

pub struct ScriptsApi(pub AdminState);

/// A version of a script.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ScriptVersion {
    /// The revision that wrote this version.
    since: i64,
    /// The revision that replaced or deleted this version; absent if the version is current.
    until: Option<i64>,
    /// The hook in which this version runs.
    hook: String,
    /// The order among scripts of one hook.
    rank: i64,
    /// The Rhai source.
    source: String,
    /// Who published the version.
    author: String,
    /// The comment.
    comment: String,
    /// When the version was published.
    created_at: DateTime<Utc>,
}

/// The input of a test run. Omitted fields get the values from the rows.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ScriptTest {
    /// The source to test; by default the published source.
    source: Option<String>,
    /// The hook; by default the hook of the published script. A library cannot be tested by itself.
    hook: Option<Hook>,
    /// Facts by name, as a message would provide them.
    #[serde(default)]
    #[oai(default)]
    facts: BTreeMap<String, Value>,
    /// What the caller said.
    #[serde(default)]
    #[oai(default)]
    said: String,
    /// The instant of the facts; by default now.
    at: Option<DateTime<Utc>>,
    /// The tool's arguments: an object.
    #[serde(default)]
    #[oai(default)]
    args: Value,
    /// The price before the script.
    price: Option<TestPrice>,
    /// The priority before the script.
    priority: Option<TestPriority>,
}

/// A price range.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct TestPrice {
    /// The lowest price.
    from: Money,
    /// The highest price.
    to: Money,
}

/// A priority.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct TestPriority {
    /// The priority.
    level: Priority,
    /// Seconds within which somebody should call back.
    sla_seconds: i64,
}

/// The result of a test run.
#[derive(Debug, Default, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ScriptTestResult {
    /// The revision of the rulebook in which the script ran.
    revision: i64,
    /// Why a call would be decided without the script; absent if the script succeeded.
    fault: Option<TriedFault>,
    /// The script's steps, each with the exact price before and after.
    steps: Vec<Value>,
    price_before: Option<ExactPrice>,
    price_after: Option<ExactPrice>,
    priority_before: Option<TestPriority>,
    priority_after: Option<TestPriority>,
    /// The sentences for the caller.
    said: Vec<String>,
    /// The result, if the script is for a tool.
    result: Option<Value>,
    /// What the script logged, even if it failed.
    log: Vec<String>,
    /// The CPU time, in microseconds.
    duration_us: i64,
    /// The number of operations, counted in multiples of sixteen.
    operations: i64,
}

/// An exact price range, without rounding.
#[derive(Debug, Object)]
pub struct ExactPrice {
    /// The lowest price.
    from: String,
    /// The highest price.
    to: String,
}

/// An error and its position in the source.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct TriedFault {
    /// `compile` if the script cannot be published, `run` if a call would be decided without the script.
    stage: String,
    /// The code of the script, or of a library that the script uses.
    script: String,
    /// A short fixed code.
    code: String,
    /// The line, from 1.
    line: Option<i64>,
    /// The column, from 1.
    column: Option<i64>,
    /// A sentence, with a similar name if there is one.
    detail: String,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/scripts")]
impl ScriptsApi {
    /// List the versions of a script
    ///
    /// The newest version comes first. A deleted script still has its versions.
    #[oai(path = "/:code/versions", method = "get")]
    async fn list_script_versions(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The script's code.
        code: Path<String>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<ScriptVersion>>, Fails<NoExtraErrors>> {
        let listing = query.read(&VERSIONS)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        check_code(&code.0)?;
        let select = scripts::Entity::find()
            .filter(scripts::Column::RulebookId.eq(rulebook_id))
            .filter(scripts::Column::Code.eq(&code.0));
        let sorting = page::Sorting {
            by: scripts::Column::SinceRevision,
            id: scripts::Column::SinceRevision,
            descending: listing.descending,
        };
        let after = listing.after.as_ref().and_then(|(by, _)| by.as_i64());
        let first = after.is_none();
        let after = after.map(|number| (number.into(), number.into()));
        let rows = page::rows(self.0.latest(), select, sorting, after, listing.limit).await?;
        if rows.is_empty() && first {
            return Err(Problem::not_found(format!("script `{}`", shortened(&code.0))).into());
        }
        let numbers = rows.iter().map(|row| row.since_revision);
        let published = revisions::Entity::find()
            .filter(revisions::Column::RulebookId.eq(rulebook_id))
            .filter(revisions::Column::Number.is_in(numbers))
            .all(self.0.latest())
            .await?;
        let mut published: BTreeMap<i64, revisions::Model> = published
            .into_iter()
            .map(|revision| (revision.number, revision))
            .collect();
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (row.since_revision.into(), String::new()),
            |row| {
                let revision = published.remove(&row.since_revision);
                let (author, comment, created_at) = revision
                    .map(|revision| (revision.author, revision.comment, revision.created_at))
                    .unwrap_or_default();
                ScriptVersion {
                    since: row.since_revision,
                    until: row.until_revision,
                    hook: row.hook,
                    rank: row.rank,
                    source: row.source,
                    author,
                    comment,
                    created_at,
                }
            },
        )))
    }

    /// Test a script
    ///
    /// Nothing is stored and nobody is notified. The response contains the script's effect with these facts, its
    /// `log(…)` output and its duration, or its error and the position. An unpublished source is tested with the
    /// published libraries.
    #[oai(path = "/:code/test", method = "post")]
    async fn test_script(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The code of a published or new script.
        code: Path<String>,
        body: Body<ScriptTest>,
    ) -> Result<ReadResponse<ScriptTestResult>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let book = loaded.rulebook;
        check_code(&code.0)?;
        let test = body.0;
        let extracted = named_facts(&book, &test.facts, test.said.clone())?;
        let script = wanted(&book, &code.0, &test)?;
        let at = test.at.unwrap_or_else(|| self.0.clock.now());
        let begin = begin(test)?;
        let (compiling, asked) = (Arc::clone(&book), script);
        let compile = move || compiling.compile_script_here(asked);
        let compiled = self.0.current.pools().compile(loaded.rulebook_id, compile).await;
        let revision = book.revision();
        let script = match compiled.map_err(busy)? {
            Ok(script) => script,
            Err(faults) => {
                return Ok(ReadResponse::new(ScriptTestResult {
                    revision,
                    fault: faults.into_iter().next().map(not_compiled),
                    ..ScriptTestResult::default()
                }));
            }
        };
        let run = move || book.try_script(&script, &extracted, at, begin);
        let trial = self.0.study(loaded.rulebook_id, run).await?;
        Ok(ReadResponse::new(result_of(revision, trial)?))
    }
}

/// Returns the script to test: the published script with the changes of the test.
fn wanted(book: &Rulebook, code: &str, test: &ScriptTest) -> Result<Script, Problem> {
    let published = book.rows().scripts.get(code).map(|stored| stored.row.clone());
    let missing = |pointer: &str| {
        let detail = format!(
            "There is no script `{}` yet: give `source` and `hook`.",
            shortened(code)
        );
        Problem::fault(pointer, "missing_field", detail)
    };
    let script = match (published, &test.source, test.hook) {
        (Some(mut script), source, hook) => {
            script.source = source.clone().unwrap_or(script.source);
            script.hook = hook.unwrap_or(script.hook);
            script
        }
        (None, Some(source), Some(hook)) => Script {
            code: code.to_owned(),
            hook,
            rank: 0,
            source: source.clone(),
        },
        (None, None, _) => return Err(missing("/source")),
        (None, _, None) => return Err(missing("/hook")),
    };
    if script.hook == Hook::Library {
        let detail = "A library does nothing by itself: try a script that imports it.";
        return Err(Problem::fault("/hook", "invalid_value", detail));
    }
    Ok(script)
}

fn begin(test: ScriptTest) -> Result<Begin, Problem> {
    if !(test.args.is_null() || test.args.is_object()) {
        let detail = "`args` is an object, as the assistant sends it.";
        return Err(Problem::fault("/args", "invalid_value", detail));
    }
    Ok(Begin {
        range: test.price.map(|price| (price.from.decimal(), price.to.decimal())),
        priority: test.priority.map(|priority| (priority.level, priority.sla_seconds)),
        args: test.args,
    })
}

fn place(at: Option<usize>) -> Option<i64> {
    at.and_then(|at| i64::try_from(at).ok())
}

fn not_compiled(fault: Fault) -> TriedFault {
    TriedFault {
        stage: "compile".to_owned(),
        script: fault.code,
        code: fault.problem.to_owned(),
        line: place(fault.line),
        column: place(fault.position),
        detail: fault.text,
    }
}

fn result_of(revision: i64, trial: Trial) -> Result<ScriptTestResult, Problem> {
    let price = |range: Option<(Decimal, Decimal)>| {
        range.map(|(from, to)| ExactPrice {
            from: from.to_string(),
            to: to.to_string(),
        })
    };
    let priority =
        |priority: Option<(Priority, i64)>| priority.map(|(level, sla_seconds)| TestPriority { level, sla_seconds });
    let steps: Result<Vec<Value>, _> = trial.steps.iter().map(serde_json::to_value).collect();
    Ok(ScriptTestResult {
        revision,
        fault: trial.fault.map(|fault| TriedFault {
            stage: "run".to_owned(),
            script: fault.code,
            code: "script_failed".to_owned(),
            line: place(fault.line),
            column: place(fault.position),
            detail: fault.text,
        }),
        steps: steps.map_err(|error| Problem::internal(&error))?,
        price_before: price(trial.range_before),
        price_after: price(trial.range_after),
        priority_before: priority(trial.priority_before),
        priority_after: priority(trial.priority_after),
        said: trial.said,
        result: trial.result,
        log: trial.log,
        duration_us: i64::try_from(trial.worked.as_micros()).unwrap_or(i64::MAX),
        operations: i64::try_from(trial.operations).unwrap_or(i64::MAX),
    })
}

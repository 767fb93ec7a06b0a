//! Reports how often each row took part in decisions for callers, and which calls matched nothing.

use chrono::{DateTime, Days, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{Page, ReadResponse};
use super::state::{AdminState, RulebookInPath};
use super::unmatched;
use authoring::lint::hits::{COUNTED, Usage};
use rules::rows::{Resource, Row, RowSet, with_row};
use store::revisions;
use store::rule_hits::{self, HitCounts, KEPT_DAYS};
use web::problem::Problem;

/// Default number of days to look back.
const DEFAULT_DAYS: u32 = 90;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["row", "-row", "-hits", "hits"],
    filters: &[
        Filter {
            name: "days",
            kind: FilterType::Number,
            doc: "Days to look back, 1 to 400; by default 90.",
        },
        Filter {
            name: "resource",
            kind: FilterType::Choice(&[
                "services",
                "areas",
                "adjustments",
                "taxes",
                "priority-rules",
                "scripts",
                "concepts",
            ]),
            doc: "Rows of this kind.",
        },
        Filter {
            name: "unused",
            kind: FilterType::Boolean,
            doc: "Whether the row was unchanged for `days` days and took part in no decision.",
        },
    ],
};

/// The operations on counts of rule hits.
pub struct RuleHitsApi(pub AdminState);

/// How often a row took part in a decision.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RuleHit {
    /// The kind of row, as in paths: `priority-rules`.
    resource: String,
    /// The code.
    code: String,
    /// The revision that last changed the row.
    version: i64,
    /// In how many decisions the row took part, in any version.
    hits: i64,
    /// When the row last took part, to the second.
    last_hit_at: Option<DateTime<Utc>>,
    /// Whether the row was unchanged for `days` days and took part in no decision. False until decisions have been
    /// counted for that many days.
    unused: bool,
}

/// Callers who matched nothing.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Unmatched {
    /// The first day counted, in UTC.
    since: String,
    /// The first day with counts; absent if nothing was ever counted.
    counted_since: Option<String>,
    /// How many decisions were made.
    decisions: i64,
    /// In how many decisions no service was found.
    without_service: i64,
    /// How many decisions have the default priority, because no priority rule matched.
    without_priority_rule: i64,
    /// The newest calls without a service, at most 100.
    calls: Vec<UnmatchedCall>,
    /// Groups of these calls that share words which are rare in calls with a service. Only with `said`.
    groups: Option<Vec<UnmatchedGroup>>,
}

/// Calls without a service that have words in common.
#[derive(Debug, Object)]
pub struct UnmatchedGroup {
    /// The words that the calls share, in lower case.
    pub(super) phrase: String,
    /// Vapi's ids of the calls, the newest first; each call is in one group at most.
    pub(super) call_ids: Vec<String>,
}

/// A call without a service.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct UnmatchedCall {
    /// The call id.
    pub(super) call_id: Option<String>,
    /// The decision id.
    pub(super) decision_id: Uuid,
    /// The decision's purpose, such as `report`.
    pub(super) purpose: String,
    pub(super) at: DateTime<Utc>,
    /// What the caller said, at most 600 characters; only with `said`.
    pub(super) said: Option<String>,
    /// The language of the call; only with `said`.
    pub(super) language: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook")]
impl RuleHitsApi {
    /// List how often each row took part
    ///
    /// Only decisions for callers count; decisions by `evaluate` do not. Counts are written every few seconds, so the
    /// newest counts may be missing.
    #[oai(path = "/rule-hits", method = "get")]
    async fn list_rule_hits(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<RuleHit>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let days = days_of(listing.number("days"))?;
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let since = first_day(self.0.clock.now(), days);
        let counted = rule_hits::since(self.0.read(), loaded.rulebook_id, &since).await?;
        let usage = usage_of(&self.0, loaded.rulebook_id, days, &counted, &since).await?;
        let wanted = |resource: &&Resource| listing.text("resource").is_none_or(|wanted| wanted == resource.path());
        let mut rows = Vec::new();
        let is_long = counted.first_concept_day.as_ref().is_some_and(|first| *first <= since);
        for resource in COUNTED.iter().filter(wanted) {
            let usage = usage.as_ref().filter(|_| *resource != Resource::Concepts || is_long);
            with_row!(*resource, R => rows.extend(hits::<R>(loaded.rulebook.rows(), &counted, usage)));
        }
        let unused = listing.boolean("unused");
        let rows = rows
            .into_iter()
            .filter(|row| unused.is_none_or(|unused| row.unused == unused));
        let rows = rows.map(|row| {
            let place = format!("{}/{}", row.resource, row.code);
            let by = match listing.sort {
                "hits" => row.hits.into(),
                _ => place.as_str().into(),
            };
            (by, place, row)
        });
        Ok(ReadResponse::new(listing.page_of(rows.collect())))
    }

    /// Read how many callers matched nothing
    ///
    /// `said` adds what callers said, grouped by words that several callers used.
    #[oai(path = "/unmatched-calls", method = "get")]
    async fn get_unmatched_calls(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// How many days to look back, 1 to 400.
        #[oai(default = "default_days")]
        days: Query<u32>,
        /// Adds what was said; omits calls without a report.
        #[oai(default)]
        said: Query<bool>,
    ) -> Result<ReadResponse<Unmatched>, Fails<NoExtraErrors>> {
        let days = checked_days(days.0)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let now = self.0.clock.now();
        let since = first_day(now, days);
        let counted = rule_hits::since(self.0.read(), rulebook_id, &since).await?;
        let none = |resource| counted.of(resource, "").map_or(0, |hits| hits.hits);
        let earliest = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
        let (calls, groups) = if said.0 {
            let (calls, groups) = unmatched::with_words(&self.0, &key, rulebook_id, earliest).await?;
            (calls, Some(groups))
        } else {
            (unmatched::calls(&self.0, rulebook_id, earliest).await?, None)
        };
        Ok(ReadResponse::new(Unmatched {
            decisions: counted.decisions(),
            without_service: none(Resource::Services),
            without_priority_rule: none(Resource::PriorityRules),
            calls,
            groups,
            counted_since: counted.first_day,
            since,
        }))
    }
}

fn hits<R: Row>(rows: &RowSet, counted: &HitCounts, usage: Option<&Usage>) -> Vec<RuleHit> {
    let rows = R::table(rows).values();
    let rows = rows.map(|stored| {
        let hits = counted.of(R::RESOURCE, stored.row.code());
        RuleHit {
            resource: R::RESOURCE.path().to_owned(),
            code: stored.row.code().to_owned(),
            version: stored.version,
            hits: hits.map_or(0, |hits| hits.hits),
            last_hit_at: hits.map(|hits| hits.last_at),
            unused: usage.is_some_and(|usage| usage.is_unused(stored.as_ref())),
        }
    });
    rows.collect()
}

/// Returns the rows that took part in the last `days` days. Returns `None` if counting has not run for that long, or if
/// there were no decisions.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn usage(state: &AdminState, rulebook_id: Uuid, days: u32) -> Result<Option<Usage>, Problem> {
    let since = first_day(state.clock.now(), days);
    let counted = rule_hits::since(state.read(), rulebook_id, &since).await?;
    usage_of(state, rulebook_id, days, &counted, &since).await
}

async fn usage_of(
    state: &AdminState,
    rulebook_id: Uuid,
    days: u32,
    counted: &HitCounts,
    since: &str,
) -> Result<Option<Usage>, Problem> {
    let long_enough = counted.first_day.as_deref().is_some_and(|first| first <= since);
    if !long_enough || counted.decisions() == 0 {
        return Ok(None);
    }
    let until = state
        .clock
        .now()
        .checked_sub_days(Days::new(days.into()))
        .unwrap_or_default();
    let settled = revisions::Entity::find()
        .select_only()
        .column(revisions::Column::Number)
        .filter(revisions::Column::RulebookId.eq(rulebook_id))
        .filter(revisions::Column::CreatedAt.lte(until))
        .order_by_desc(revisions::Column::Number)
        .limit(1)
        .into_tuple::<i64>()
        .one(state.read())
        .await?;
    let resource = |path: &str| Resource::ALL.iter().find(|resource| resource.path() == path).copied();
    let fired = counted.rows.keys();
    let fired = fired.filter_map(|(path, code)| Some((resource(path)?, code.clone())));
    Ok(settled.map(|settled| Usage {
        days,
        settled,
        fired: fired.collect(),
    }))
}

/// Returns the date `days` days ago, in UTC.
fn first_day(now: DateTime<Utc>, days: u32) -> String {
    let first = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
    first.format("%Y-%m-%d").to_string()
}

/// Default number of days to look back.
pub(super) const fn default_days() -> u32 {
    DEFAULT_DAYS
}

/// Validates a number of days to look back.
///
/// # Errors
/// 400 if the number is too small or too large.
pub(super) fn checked_days(days: u32) -> Result<u32, Problem> {
    days_of(Some(days.into()))
}

fn days_of(days: Option<i64>) -> Result<u32, Problem> {
    let days = days.map_or(Some(DEFAULT_DAYS), |days| u32::try_from(days).ok());
    days.filter(|days| (1..=KEPT_DAYS).contains(days)).ok_or_else(|| {
        let detail = format!("`days` must be a whole number from 1 to {KEPT_DAYS}.");
        Problem::invalid_parameter("days", detail)
    })
}

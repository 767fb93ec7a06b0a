//! Implements the filter `words` of calls and leads, which searches the transcript of a call and the texts of its
//! report.
//!
//! There is no full-text index, so a request searches the transcripts of a month at most.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};

use super::list::{Filter, FilterType, Listing};
use store::{call_transcripts, search};
use web::problem::Problem;

/// The filter `words`, which the lists of calls and leads offer.
pub const WORDS: Filter = Filter {
    name: "words",
    kind: FilterType::TextFrom(MIN_LETTERS),
    doc: "Part of what the caller or the agent said, or of the summary or problem, with three letters or more. Case and \
          accents do not matter. The search covers at most 31 days from `since` to `until` (by default now). \
          Without `since`, it covers the 31 days before `until`.",
};
/// Maximum period that one request may search: 31 days, and 26 hours of slack because the days of a time zone are not
/// equally long.
const MAX_SEARCHED: TimeDelta = TimeDelta::hours(31 * 24 + 26);
const DEFAULT_SEARCHED: TimeDelta = TimeDelta::days(31);
const MIN_LETTERS: usize = 3;
/// The roles whose words are searched. The assistant's instructions are excluded, because they would match everything.
const SPEAKERS: [&str; 3] = ["user", "assistant", "bot"];

/// The words to search for.
pub struct Words<'a> {
    words: &'a str,
    /// The beginning of the searched period.
    pub since: DateTime<Utc>,
}

impl<'a> Words<'a> {
    /// Returns the words of a request, if the request has the filter.
    ///
    /// # Errors
    /// 422 if the period is too long.
    pub fn of(listing: &'a Listing, now: DateTime<Utc>) -> Result<Option<Self>, Problem> {
        let Some(words) = listing.text("words").map(str::trim) else {
            return Ok(None);
        };
        let until = listing.time("until").unwrap_or(now);
        let since = match listing.time("since") {
            None => until - DEFAULT_SEARCHED,
            Some(since) if until - since > MAX_SEARCHED => {
                let detail = "`words` searches 31 days at most: bring `since` and `until` closer to each other.";
                return Err(Problem::fault("since", "contradiction", detail));
            }
            Some(since) => since,
        };
        Ok(Some(Self { words, since }))
    }

    /// Returns the condition that the words are in the column `about`, or in the transcript of the call that the column
    /// `call` names.
    pub fn said_in(&self, call: &str, about: &str) -> Condition {
        let table = call.split('.').next().unwrap_or_default();
        let said = Query::select()
            .expr(Expr::val(1))
            .from(call_transcripts::Entity)
            .and_where(Expr::cust(format!(
                "call_transcripts.rulebook_id = {table}.rulebook_id AND call_transcripts.call_id = {call}"
            )))
            .and_where(Expr::col((call_transcripts::Entity, call_transcripts::Column::Role)).is_in(SPEAKERS))
            .and_where(search::contains("call_transcripts.text", self.words))
            .to_owned();
        Condition::any()
            .add(search::contains(&format!("{table}.{about}"), self.words))
            .add(Expr::exists(said))
    }
}

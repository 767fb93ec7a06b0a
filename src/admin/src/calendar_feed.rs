//! Serves calendar feeds: the shifts as iCalendar, for anyone who knows the secret in the URL.
//!
//! A wrong URL counts as a failed guess, like a wrong API key. A feed shows names and hours, and never a phone number.

mod icalendar;

use chrono::{DateTime, TimeDelta, Utc};
use poem::endpoint::make;
use poem::http::header;
use poem::{Endpoint, Request, Response};

use self::icalendar::{Event, calendar};
use super::api_key_format;
use super::state::{AdminState, unloadable};
use base::keys::{KeyError, random};
use base::telemetry::scrub;
use rules::Rulebook;
use store::calendar_feeds;
use web::ClientAddress;
use web::conditional::{CachedTags, Keep, to_get};
use web::connections::Connection;
use web::problem::Problem;

/// The route in poem's syntax.
pub const ROUTE: &str = "/calendar/:file";
const FOLDER: &str = "/calendar/";
const ENDING: &str = ".ics";
/// Length in bytes of a token's prefix. The feed is looked up by the prefix, which is not secret.
const PREFIX_BYTES: usize = 6;
/// Length in bytes of a token's secret part.
const SECRET_BYTES: usize = 32;
/// How far back shifts are computed, so that a shift in progress shows its real beginning.
const LOOK_BACK: TimeDelta = TimeDelta::days(7);
/// How far ahead shifts are shown.
const AHEAD: TimeDelta = TimeDelta::days(60);

/// The secret in the URL of a feed. Only the response that creates the feed shows it.
pub(super) struct FeedToken {
    pub text: String,
    pub prefix: String,
    pub hash: Vec<u8>,
}

impl FeedToken {
    pub fn random() -> Result<Self, KeyError> {
        let prefix = hex::encode(random::<PREFIX_BYTES>()?);
        let text = format!("{prefix}{}", hex::encode(random::<SECRET_BYTES>()?));
        let hash = api_key_format::hash(&text);
        Ok(Self { text, prefix, hash })
    }
}

/// Returns the path of a token's URL.
pub(super) fn address_of(token: &str) -> String {
    format!("{FOLDER}{token}{ENDING}")
}

/// Returns the endpoint at [`ROUTE`].
pub fn endpoint(state: AdminState) -> impl Endpoint<Output = Response> {
    make(move |request: Request| {
        let state = state.clone();
        async move {
            let response = shown(&state, &request).await;
            Ok::<_, poem::Error>(response.unwrap_or_else(poem::IntoResponse::into_response))
        }
    })
}

async fn shown(state: &AdminState, request: &Request) -> Result<Response, Problem> {
    let (address, now) = (ClientAddress::of(request), state.clock.now());
    let missing = || Problem::not_found("calendar");
    let file = request.raw_path_param("file").unwrap_or_default();
    let token = file.strip_suffix(ENDING).unwrap_or_default();
    let prefix = token.get(..2 * PREFIX_BYTES).unwrap_or_default();
    let Some(feed) = find(state, token, prefix).await? else {
        state.guesses.wrong(address, prefix, now)?;
        return Err(missing());
    };
    Connection::prove(request);
    state.guesses.right(address, feed.id)?;
    let rulebook = state.rulebook_row(feed.rulebook_id).await?;
    if rulebook.archived_at.is_some() {
        return Err(missing());
    }
    let head = state.current.at(rulebook.id, rulebook.head_revision).await;
    let head = head.map_err(unloadable)?;
    let text = state.study(rulebook.id, move || written(&head, &feed, now)).await?;
    let response = Response::builder()
        .content_type("text/calendar; charset=utf-8")
        .header(header::CONTENT_DISPOSITION, "inline; filename=\"shifts.ics\"")
        .body(text);
    Ok(to_get(&CachedTags::of(request), Keep::Privately, response).await)
}

/// Finds the feed of a token by the prefix, and compares the hash in constant time. If no feed has the prefix, a dummy
/// comparison takes the same time.
async fn find(state: &AdminState, token: &str, prefix: &str) -> Result<Option<calendar_feeds::Model>, Problem> {
    let found = if token.len() == 2 * (PREFIX_BYTES + SECRET_BYTES) {
        calendar_feeds::by_prefix(state.latest(), prefix).await?
    } else {
        Vec::new()
    };
    if found.is_empty() {
        std::hint::black_box(api_key_format::matches(&[0; 32], token));
    }
    Ok(found
        .into_iter()
        .find(|feed| api_key_format::matches(&feed.hash, token)))
}

/// Writes the iCalendar text of a feed. During a day, the text changes only if the shifts change.
fn written(book: &Rulebook, feed: &calendar_feeds::Model, now: DateTime<Utc>) -> String {
    let today = now.with_timezone(&book.time_zone()).date_naive();
    let today = book.begin_of_day(today).unwrap_or(now);
    let roster = book.roster(today - LOOK_BACK, today + AHEAD);
    let is_own = |contact: &str| feed.contact.as_deref().is_none_or(|own| own == contact);
    let shifts = roster.shifts.into_iter();
    let shifts = shifts.filter(|shift| shift.ends_at > today && is_own(&shift.contact));
    let events = shifts.map(|shift| {
        let contact = book.rows().contacts.get(&shift.contact);
        let name = contact.map_or(shift.contact.as_str(), |stored| stored.row.name.as_str());
        Event {
            uid: format!("{}-{}-{}@ringbook", shift.contact, shift.starts_at.timestamp(), feed.id),
            starts_at: shift.starts_at,
            ends_at: shift.ends_at,
            summary: scrub(name),
        }
    });
    calendar(&scrub(&feed.name), today, &events.collect::<Vec<_>>())
}

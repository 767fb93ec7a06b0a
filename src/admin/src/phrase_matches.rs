//! Tries phrases on past calls, before the phrases are in a rulebook. The search stores nothing.

use chrono::{DateTime, Days, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::DbErr;
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors};
use super::masking;
use super::responses::ReadResponse;
use super::state::{AdminState, RulebookInPath};
use authoring::backtest::stored_facts;
use rules::phrase_probe::PhraseProbe;
use store::decisions::pages::{Columns, Span};
use web::problem::Problem;

/// Maximum number of calls searched.
const MAX_CALLS: u64 = 500;
/// Maximum number of example calls per phrase.
const MAX_EXAMPLES: usize = 5;
/// Default number of days to look back.
const DEFAULT_DAYS: u32 = 30;

pub struct PhraseMatchesApi(pub AdminState);

/// Phrases to try.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PhrasesToTry {
    /// The phrases, as in a concept.
    #[oai(validator(min_items = 1, max_items = 100))]
    phrases: Vec<String>,
    /// The language of the phrases' word forms, such as `en`; without a language, words match exactly.
    #[serde(default)]
    language: Option<String>,
    /// How many days to look back, 1 to 400; by default 30.
    #[serde(default)]
    days: Option<u32>,
}

/// The calls that phrases match.
#[derive(Debug, Object)]
pub struct PhraseMatches {
    /// How many calls were searched: the newest calls with a report, at most 500, without simulated calls.
    looked_at: u64,
    /// Each phrase, in the order of the request.
    phrases: Vec<PhraseMatch>,
}

/// The calls that one phrase matches.
#[derive(Debug, Object)]
pub struct PhraseMatch {
    /// The phrase.
    phrase: String,
    /// In how many calls the caller said the phrase.
    calls: u64,
    /// In how many of these calls the phrase counts: it is not negated, past or about somebody else.
    counting: u64,
    /// The newest calls in which the caller said the phrase, at most 5.
    examples: Vec<PhraseExample>,
}

/// A call in which a phrase was said.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PhraseExample {
    /// The call id.
    call_id: Option<String>,
    /// The service of the decision on the call.
    service: Option<String>,
    /// The sentence.
    sentence: String,
    /// The matching words.
    words: String,
    /// Whether the words would count.
    counts: bool,
}

/// The parts of a stored call that are searched.
struct PastCall {
    call_id: Option<String>,
    service: Option<String>,
    extracted: String,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/phrase-matches")]
impl PhraseMatchesApi {
    /// Try phrases on past calls
    ///
    /// Returns in how many of the newest calls the caller said each phrase, and in how many it counts by the current
    /// cues.
    #[oai(path = "/", method = "post")]
    async fn match_phrases(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        body: Body<PhrasesToTry>,
    ) -> Result<ReadResponse<PhraseMatches>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let PhrasesToTry {
            phrases,
            language,
            days,
        } = body.0;
        let now = self.0.clock.now();
        let days = Days::new(days.unwrap_or(DEFAULT_DAYS).into());
        let from = now.checked_sub_days(days).unwrap_or_default();
        let calls = self.past_calls(loaded.rulebook_id, from, now).await?;
        let caller = (*key).clone();
        let work = move || {
            let language = language.unwrap_or_default();
            let probe = PhraseProbe::new(loaded.rulebook.rows(), &phrases, &language).map_err(|bad| {
                Problem::fault(format!("/phrases/{}", bad.place), "bad_word", format!("{}.", bad.why))
            })?;
            matches(&caller, &probe, phrases, &calls)
        };
        let found = self.0.study(loaded.rulebook_id, work).await??;
        Ok(ReadResponse::new(found))
    }
}

impl PhraseMatchesApi {
    async fn past_calls(
        &self,
        rulebook_id: Uuid,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<PastCall>, DbErr> {
        let span = Span {
            rulebook_id,
            from,
            until,
            purposes: &["report"],
            simulated: false,
        };
        let rows = span.page(self.0.read(), Columns::Facts, None, MAX_CALLS).await?;
        let call = |row: &sea_orm::QueryResult| {
            Ok::<_, DbErr>(PastCall {
                call_id: row.try_get("", "call_id")?,
                service: row.try_get("", "service")?,
                extracted: row.try_get("", "extracted")?,
            })
        };
        rows.iter().map(call).collect()
    }
}

fn matches(
    caller: &Caller,
    probe: &PhraseProbe,
    phrases: Vec<String>,
    calls: &[PastCall],
) -> Result<PhraseMatches, Problem> {
    let none = |phrase| PhraseMatch {
        phrase,
        calls: 0,
        counting: 0,
        examples: Vec::new(),
    };
    let mut matches: Vec<PhraseMatch> = phrases.into_iter().map(none).collect();
    for call in calls {
        let facts = stored_facts(&call.extracted).map_err(|error| Problem::internal(&error))?;
        for found in facts.map(|facts| probe.find(&facts.said)).unwrap_or_default() {
            let Some(phrase) = matches.get_mut(found.phrase) else {
                continue;
            };
            phrase.calls += 1;
            phrase.counting += u64::from(found.counts);
            if phrase.examples.len() < MAX_EXAMPLES {
                let shown = |text| masking::text(caller, Some(text)).unwrap_or_default();
                phrase.examples.push(PhraseExample {
                    call_id: call.call_id.clone(),
                    service: call.service.clone(),
                    sentence: shown(found.sentence),
                    words: shown(found.words),
                    counts: found.counts,
                });
            }
        }
    }
    Ok(PhraseMatches {
        looked_at: calls.len().try_into().unwrap_or(u64::MAX),
        phrases: matches,
    })
}

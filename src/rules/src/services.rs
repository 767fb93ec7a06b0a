//! Finds the service of a call: from filled-in facts, else from the caller's request. The trace shows why the service
//! was chosen.
//!
//! The best evidence is the service's code or name in `service_text`. Next are keywords in `service_text`, and then
//! keywords in the caller's words and in the other facts to which the rules listen. Keywords in a request count first,
//! and a denied keyword never counts. Some evidence counts only if there is no other evidence: weak keywords, and
//! mentions that only describe a place, last year's job or the neighbor's job. A service that the caller replaced by
//! another service is excluded, even if the language model wrote it into a fact. An offered service takes precedence
//! over a refused service. If the evidence is equal, the service with the lowest rank wins.

use std::collections::HashMap;
use std::sync::Arc;

use super::facts::{Fact, Facts};
use super::hearing::{HearingResult, LexiconBuilder, Likelihood, Mention, MentionSense, Source, WordId};
use super::rows::{Offer, RowSet, Service, StoredRow};
use super::words::fold;

/// The name of the mapped fact that contains the wanted service.
pub const SERVICE_TEXT: &str = "service_text";
/// The label of a call that is about none of the services.
pub const NO_SERVICE: &str = "no_service";

/// With at least this likelihood, in percent, a call sounds like a service or like no service.
const SOUNDS_LIKE: i64 = 60;
/// Below this likelihood, in percent, a call does not sound like a service.
const SOUNDS_UNLIKE: i64 = 50;

/// Services by rank, with their names and keywords.
#[derive(Debug, Clone, Default)]
pub struct Services {
    ranked: Vec<Arc<StoredRow<Service>>>,
    by_name: HashMap<String, usize>,
    by_word: HashMap<WordId, usize>,
    by_weak_word: HashMap<WordId, usize>,
}

/// The strength of a mention as evidence, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// The fact `service_text` mentions the service.
    Named,
    /// Requested.
    Wanted,
    /// The mention only describes a place, a past event or somebody else's problem.
    Told,
    /// A weak keyword, used only if there is no other evidence: "the toilet".
    Weak,
}

/// Keywords within this many words of a refused service belong to the refused service: "my gutters are blocked" is
/// about gutters.
const NEAR: usize = 5;

impl Services {
    /// Builds the list from rows; keywords are added to `words`.
    pub fn new(rows: &RowSet, words: &mut LexiconBuilder) -> Self {
        let mut ranked: Vec<_> = rows.services.values().cloned().collect();
        ranked.sort_by(|a, b| (a.row.rank, &a.row.code).cmp(&(b.row.rank, &b.row.code)));
        let mut services = Self::default();
        for (place, stored) in ranked.iter().enumerate() {
            let service = &stored.row;
            for name in service.names.values().chain(std::iter::once(&service.code)) {
                services.by_name.entry(spaced(name)).or_insert(place);
            }
            // Invalid phrases are skipped here, because the check of rows reports them.
            for word in service.keywords.iter().filter_map(|word| words.id(word).ok()) {
                services.by_word.entry(word).or_insert(place);
            }
            for word in service.weak_keywords.iter().filter_map(|word| words.id(word).ok()) {
                services.by_weak_word.entry(word).or_insert(place);
            }
        }
        services.ranked = ranked;
        services
    }

    /// Returns the requested service, and how the service was found.
    pub fn find(&self, facts: &Facts, heard: &HearingResult, likelihoods: &[Likelihood]) -> Option<(&Service, String)> {
        let since = self.last_correction(heard);
        let retracted = self.retracted(heard, since);
        if let Some(Fact::Text(wanted)) = facts.get(SERVICE_TEXT)
            && let Some(place) = self.by_name.get(&spaced(wanted))
            && !retracted.contains(place)
        {
            let named = (&self.ranked[*place].row, format!("named by {SERVICE_TEXT}"));
            return self.as_it_sounds(Some(named), likelihoods, &retracted);
        }
        let mut evidence: Vec<(Weight, usize, &Mention)> = Vec::new();
        for mention in &heard.mentions {
            let Some(weight) = weight(mention, heard, since) else {
                continue;
            };
            if let Some(place) = find_in(&self.by_word, mention) {
                evidence.push((weight, place, mention));
            } else if let Some(place) = find_in(&self.by_weak_word, mention) {
                evidence.push((weight.max(Weight::Weak), place, mention));
            }
        }
        evidence.retain(|(_, place, _)| !retracted.contains(place));
        self.drop_unrequested(&mut evidence);
        let best = evidence
            .into_iter()
            .min_by_key(|(weight, place, mention)| (*weight, *place, mention.place));
        let found = best.map(|(_, place, mention)| (&self.ranked[place].row, why(mention, heard)));
        self.as_it_sounds(found, likelihoods, &retracted)
    }

    /// Returns the indexes of the services that the caller replaced by another service: "a camera inspection, no wait,
    /// the toilet is blocked". Neither a model's facts nor the classifiers can bring these services back.
    fn retracted(&self, heard: &HearingResult, since: usize) -> Vec<usize> {
        let (mut retracted, mut wanted, mut is_instead) = (Vec::new(), Vec::new(), false);
        let of_the_caller = |mention: &&Mention| !matches!(mention.source, Source::Fact(_));
        for mention in heard.mentions.iter().filter(of_the_caller) {
            let Some(place) = self.place(mention) else { continue };
            match weight(mention, heard, since) {
                Some(Weight::Wanted) => {
                    wanted.push(place);
                    is_instead |= find_in(&self.by_word, mention).is_some();
                }
                Some(_) if mention.place < since => retracted.push(place),
                None if mention.verdict != MentionSense::OtherSense => retracted.push(place),
                _ => {}
            }
        }
        retracted.retain(|place| is_instead && !wanted.contains(place));
        retracted
    }

    /// Returns the service that is most likely according to the classifiers; retracted services do not count. The
    /// classifiers decide only if keywords found no service or an unlikely service. Otherwise, the result is `found`.
    fn as_it_sounds<'a>(
        &'a self,
        found: Option<(&'a Service, String)>,
        likelihoods: &[Likelihood],
        retracted: &[usize],
    ) -> Option<(&'a Service, String)> {
        let likelihood = |label: &str| {
            likelihoods
                .iter()
                .find(|one| one.learns == label)
                .map(|one| one.percent)
        };
        if let Some((service, _)) = &found
            && likelihood(&service.code).is_none_or(|percent| percent >= SOUNDS_UNLIKE)
        {
            return found;
        }
        let sounding = likelihoods.iter().filter(|one| one.percent >= SOUNDS_LIKE);
        let services = sounding.filter_map(|one| {
            let place = self.ranked().position(|row| row.code == one.learns)?;
            (!retracted.contains(&place)).then(|| (one, &self.ranked[place].row))
        });
        let likeliest = services.max_by_key(|(one, _)| one.percent);
        let of_none = likelihood(NO_SERVICE).unwrap_or_default();
        match likeliest {
            Some((one, service)) if one.percent >= of_none => {
                Some((service, format!("sounds like it, {} of 100", one.percent)))
            }
            _ if of_none >= SOUNDS_LIKE => None,
            _ => found,
        }
    }

    fn is_refused(&self, place: usize) -> bool {
        self.ranked[place].row.offer == Offer::Refused
    }

    /// Removes refused services if the caller requests an offered service: "the pump is fine, the drain is plugged".
    /// Keywords close to a refused service belong to the refused service.
    fn drop_unrequested(&self, evidence: &mut Vec<(Weight, usize, &Mention)>) {
        let refused: Vec<&Mention> = evidence
            .iter()
            .filter(|(_, place, _)| self.is_refused(*place))
            .map(|(_, _, mention)| *mention)
            .collect();
        let is_beside = |mention: &Mention| {
            let near = |other: &&&Mention| other.turn == mention.turn && other.place.abs_diff(mention.place) <= NEAR;
            refused.iter().any(|other| near(&other))
        };
        let is_offered = |(weight, place, mention): &(Weight, usize, &Mention)| {
            *weight <= Weight::Wanted && !self.is_refused(*place) && !is_beside(mention)
        };
        if evidence.iter().any(is_offered) {
            evidence.retain(|(_, place, _)| !self.is_refused(*place));
        }
    }

    /// Returns why a service was not found, although one of its keywords was heard.
    #[must_use]
    pub fn why_not(&self, service: &Service, heard: &HearingResult) -> Option<String> {
        let own = |mention: &&Mention| {
            self.place(mention)
                .is_some_and(|place| self.ranked[place].row.code == service.code)
        };
        let mention = heard.mentions.iter().find(own)?;
        let word = &mention.words;
        Some(match mention.verdict {
            MentionSense::Denied | MentionSense::AnsweredNo => format!("heard \"{word}\", but it is denied"),
            MentionSense::OtherSense => format!("heard \"{word}\" in another sense"),
            MentionSense::Past | MentionSense::Over => format!("heard \"{word}\", but it is past"),
            MentionSense::SomeoneElse => format!("heard \"{word}\", but it is somebody else's"),
            MentionSense::Place => format!("heard \"{word}\", but it only says where something is"),
            MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Hypothetical | MentionSense::Asked => {
                format!("heard \"{word}\"")
            }
        })
    }

    /// Returns the index of the service that has the mention as a keyword.
    fn place(&self, mention: &Mention) -> Option<usize> {
        find_in(&self.by_word, mention).or_else(|| find_in(&self.by_weak_word, mention))
    }

    /// Returns the index of the last correction before the caller's last mention of a service. Words before this index
    /// do not count.
    fn last_correction(&self, heard: &HearingResult) -> usize {
        let named = heard.mentions.iter().filter(|mention| {
            mention.source == Source::Said
                && self.place(mention).is_some()
                && matches!(
                    mention.verdict,
                    MentionSense::Counts | MentionSense::Hypothetical | MentionSense::Asked
                )
        });
        let Some(last) = named.map(|mention| mention.place).max() else {
            return 0;
        };
        let before = heard.corrections.iter().copied().filter(|place| *place <= last);
        before.max().unwrap_or(0)
    }

    /// All services by rank.
    pub fn ranked(&self) -> impl Iterator<Item = &Service> {
        self.ranked.iter().map(|stored| &stored.row)
    }
}

/// Returns the first service whose keywords include the mention's phrase or one of the mention's concepts.
fn find_in(services: &HashMap<WordId, usize>, mention: &Mention) -> Option<usize> {
    let concepts = mention.concepts.iter().filter(|id| !mention.excepted.contains(id));
    let ids = std::iter::once(&mention.phrase).chain(concepts);
    ids.filter_map(|id| services.get(id)).min().copied()
}

/// The strength of a mention as evidence; `None` if the mention does not count.
fn weight(mention: &Mention, heard: &HearingResult, since: usize) -> Option<Weight> {
    if heard.denied.binary_search(&mention.phrase).is_ok() {
        return None;
    }
    let is_fact = matches!(mention.source, Source::Fact(_));
    let wanted = match &mention.source {
        Source::Fact(name) if name == SERVICE_TEXT => Weight::Named,
        _ => Weight::Wanted,
    };
    match mention.verdict {
        MentionSense::Denied | MentionSense::AnsweredNo | MentionSense::OtherSense => None,
        _ if !is_fact && mention.place < since => Some(Weight::Told),
        MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Hypothetical | MentionSense::Asked => {
            Some(wanted)
        }
        MentionSense::Past | MentionSense::Over | MentionSense::SomeoneElse | MentionSense::Place => Some(Weight::Told),
    }
}

fn why(mention: &Mention, heard: &HearingResult) -> String {
    let word = heard.lexicon().name(mention.phrase);
    match &mention.source {
        Source::Said => format!("heard \"{word}\""),
        Source::Answered => format!("the caller agreed to \"{word}\""),
        Source::Fact(name) => format!("heard \"{word}\" in {name}"),
    }
}

/// Folds a name and replaces underscores with spaces, because language models write `slow_drain`.
fn spaced(name: &str) -> String {
    fold(&name.replace('_', " "))
}

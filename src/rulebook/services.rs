//! Which service a call is about: by what was filled in, else by what the caller asks for; the trace says why.
//!
//! Evidence, the best first: the service's code or name as `service_text`; a keyword in `service_text`; keywords in what
//! the caller said and in the other facts that are listened to. Of these only what is asked for counts, and what is
//! denied never does: a pool that only says where the drain is, last year's job or the neighbour's are looked at when
//! there is nothing else. Among equals the lowest rank wins.

use std::collections::HashMap;
use std::sync::Arc;

use super::facts::{Fact, Facts};
use super::hearing::{Heard, LexiconBuilder, Mention, Source, Verdict, WordId};
use super::rows::{RowSet, Service, Stored};
use super::words::fold;

/// The mapped fact that names the wanted service.
pub const SERVICE_TEXT: &str = "service_text";

/// Services by rank, with the ways to name one.
#[derive(Debug, Clone, Default)]
pub struct Services {
    ranked: Vec<Arc<Stored<Service>>>,
    by_name: HashMap<String, usize>,
    by_word: HashMap<WordId, usize>,
}

/// How well a mention shows what is asked for, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// In the fact that names the service.
    Named,
    /// Asked for.
    Wanted,
    /// Only told of: where something is, what was once, somebody else's.
    Told,
}

impl Services {
    /// From the rows; their keywords join `words`.
    pub fn new(rows: &RowSet, words: &mut LexiconBuilder) -> Self {
        let mut ranked: Vec<_> = rows.services.values().cloned().collect();
        ranked.sort_by(|a, b| (a.row.rank, &a.row.code).cmp(&(b.row.rank, &b.row.code)));
        let mut services = Self::default();
        for (place, stored) in ranked.iter().enumerate() {
            let service = &stored.row;
            for name in service.names.values().chain(std::iter::once(&service.code)) {
                services.by_name.entry(spaced(name)).or_insert(place);
            }
            // What is no phrase is a fault of the row's check.
            for word in service.keywords.iter().filter_map(|word| words.id(word).ok()) {
                services.by_word.entry(word).or_insert(place);
            }
        }
        services.ranked = ranked;
        services
    }

    /// The service wanted, and how it was found.
    pub fn find(&self, facts: &Facts, heard: &Heard) -> Option<(&Service, String)> {
        if let Some(Fact::Text(wanted)) = facts.get(SERVICE_TEXT)
            && let Some(place) = self.by_name.get(&spaced(wanted))
        {
            return Some((&self.ranked[*place].row, format!("named by {SERVICE_TEXT}")));
        }
        let since = self.last_correction(heard);
        let evidence = heard.mentions.iter().filter_map(|mention| {
            let place = self.place(mention)?;
            let weight = weight(mention, heard, since)?;
            Some((weight, place, mention))
        });
        let (_, place, mention) = evidence.min_by_key(|(weight, place, mention)| (*weight, *place, mention.place))?;
        Some((&self.ranked[place].row, why(mention, heard)))
    }

    /// Why a service was not found, where one of its keywords was heard.
    #[must_use]
    pub fn why_not(&self, service: &Service, heard: &Heard) -> Option<String> {
        let own = |mention: &&Mention| self.place(mention).is_some_and(|place| self.ranked[place].row.code == service.code);
        let mention = heard.mentions.iter().find(own)?;
        let word = &mention.words;
        Some(match mention.verdict {
            Verdict::Denied | Verdict::AnsweredNo => format!("heard \"{word}\", but it is denied"),
            Verdict::OtherSense => format!("heard \"{word}\" in another sense"),
            Verdict::Past | Verdict::Over => format!("heard \"{word}\", but it is past"),
            Verdict::SomeoneElse => format!("heard \"{word}\", but it is somebody else's"),
            Verdict::Place => format!("heard \"{word}\", but it only says where something is"),
            Verdict::Counts | Verdict::AgreedTo | Verdict::Hypothetical | Verdict::Asked => format!("heard \"{word}\""),
        })
    }

    /// The service that a mention is a keyword of, by its place.
    fn place(&self, mention: &Mention) -> Option<usize> {
        let concepts = mention.concepts.iter().filter(|id| !mention.excepted.contains(id));
        let ids = std::iter::once(&mention.phrase).chain(concepts);
        ids.filter_map(|id| self.by_word.get(id)).min().copied()
    }

    /// Where the caller last took something back and then named a service: what was said before does not count.
    fn last_correction(&self, heard: &Heard) -> usize {
        let named = heard.mentions.iter().filter(|mention| {
            mention.source == Source::Said
                && self.place(mention).is_some()
                && matches!(mention.verdict, Verdict::Counts | Verdict::Hypothetical | Verdict::Asked)
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

/// How well a mention shows what is asked for; `None` when it does not.
fn weight(mention: &Mention, heard: &Heard, since: usize) -> Option<Weight> {
    if heard.denied.binary_search(&mention.phrase).is_ok() {
        return None;
    }
    let is_fact = matches!(mention.source, Source::Fact(_));
    let wanted = match &mention.source {
        Source::Fact(name) if name == SERVICE_TEXT => Weight::Named,
        _ => Weight::Wanted,
    };
    match mention.verdict {
        Verdict::Denied | Verdict::AnsweredNo | Verdict::OtherSense => None,
        _ if !is_fact && mention.place < since => Some(Weight::Told),
        Verdict::Counts | Verdict::AgreedTo | Verdict::Hypothetical | Verdict::Asked => Some(wanted),
        Verdict::Past | Verdict::Over | Verdict::SomeoneElse | Verdict::Place => Some(Weight::Told),
    }
}

fn why(mention: &Mention, heard: &Heard) -> String {
    let word = heard.lexicon().name(mention.phrase);
    match &mention.source {
        Source::Said => format!("heard \"{word}\""),
        Source::Answered => format!("the caller agreed to \"{word}\""),
        Source::Fact(name) => format!("heard \"{word}\" in {name}"),
    }
}

/// Folded, with underscores as spaces: models write `slow_drain`.
fn spaced(name: &str) -> String {
    fold(&name.replace('_', " "))
}

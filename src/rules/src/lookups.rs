//! What the message path asks of a compiled rulebook besides decisions: its size, a caller's language, opening hours,
//! whether a question is about a service.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::compile::Rulebook;
use super::derive;
use super::facts::Extracted;
use super::hearing::{Heard, Likelihood};
use super::rows::Service;
use super::words;
use super::{language, listening};

/// What was heard, and what the classifiers make of it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Listened {
    pub(super) heard: Arc<Heard>,
    pub(super) likelihoods: Vec<Likelihood>,
}

impl Rulebook {
    /// What the caller said and what a model made of it, heard as this rulebook hears.
    #[must_use]
    pub fn listen(&self, extracted: &Extracted) -> Heard {
        listening::listen(&self.ears, self.settings(), extracted)
    }

    /// The same, with what the classifiers make of it.
    #[must_use]
    pub fn listened(&self, extracted: &Extracted) -> Listened {
        let heard = self.listen(extracted);
        let likelihoods = self.classifiers.judge(&heard, &extracted.facts);
        Listened {
            heard: Arc::new(heard),
            likelihoods,
        }
    }

    /// Whether another rulebook is known to hear the same in every text: then what one heard holds for the other.
    #[must_use]
    pub fn hears_like(&self, other: &Self) -> bool {
        self.ears.are_same(&other.ears)
            && Arc::ptr_eq(&self.classifiers, &other.classifiers)
            && self.settings().listens_to == other.settings().listens_to
    }

    /// How many rows it was compiled from.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows().count()
    }

    /// The language in which to answer a caller.
    #[must_use]
    pub fn language(&self, extracted: &Extracted) -> String {
        language::language(
            &self.settings().languages,
            &extracted.facts,
            self.listen(extracted).text(),
        )
    }

    /// Today's opening hours and whether we are open now; none without a calendar.
    #[must_use]
    pub fn hours(&self, at: DateTime<Utc>) -> Option<(Vec<String>, bool)> {
        let calendar = self.calendar()?;
        let local = derive::local(at, self.time_zone());
        Some((calendar.hours_text(local.date()), calendar.open(local)))
    }

    /// Whether a text has one of the service's words in it.
    #[must_use]
    pub fn mentions(&self, service: &Service, text: &str) -> bool {
        let folded = words::fold(text);
        service.keywords.iter().any(|word| words::heard(&folded, word))
    }
}

//! More queries on a compiled rulebook: listening, size, a caller's language, opening hours, and whether a text is
//! about a service.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::compile::Rulebook;
use super::derive;
use super::facts::ExtractedFacts;
use super::hearing::{HearingResult, Likelihood};
use super::rows::Service;
use super::words;
use super::{language, listening};

/// The listening result with the likelihoods from the classifiers; cheap to clone.
#[derive(Debug, Clone)]
pub struct HeardCall {
    pub(super) heard: Arc<HearingResult>,
    pub(super) likelihoods: Vec<Likelihood>,
}

impl Rulebook {
    /// Listens to the caller's words and the language model's facts, with this rulebook's phrases and cues.
    #[must_use]
    pub fn listen(&self, extracted: &ExtractedFacts) -> HearingResult {
        listening::listen(&self.ears, self.settings(), extracted)
    }

    /// Returns the result of [`Self::listen`] with the likelihoods from the classifiers.
    #[must_use]
    pub fn listened(&self, extracted: &ExtractedFacts) -> HeardCall {
        let heard = self.listen(extracted);
        let likelihoods = self.classifiers.judge(&heard, &extracted.facts);
        HeardCall {
            heard: Arc::new(heard),
            likelihoods,
        }
    }

    /// Whether each listening result of this rulebook is certainly valid for `other` too.
    #[must_use]
    pub fn hears_like(&self, other: &Self) -> bool {
        self.ears.are_same(&other.ears)
            && Arc::ptr_eq(&self.classifiers, &other.classifiers)
            && self.settings().listens_to == other.settings().listens_to
    }

    /// The number of rows from which the rulebook was compiled.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows().count()
    }

    /// The language for replies to a caller.
    #[must_use]
    pub fn language(&self, extracted: &ExtractedFacts) -> String {
        language::language(
            &self.settings().languages,
            &extracted.facts,
            self.listen(extracted).text(),
        )
    }

    /// Today's opening hours, and whether the business is open now; `None` without a calendar.
    #[must_use]
    pub fn hours(&self, at: DateTime<Utc>) -> Option<(Vec<String>, bool)> {
        let calendar = self.calendar()?;
        let local = derive::local(at, self.time_zone());
        Some((calendar.hours_text(local.date()), calendar.open(local)))
    }

    /// Whether a string contains one of the service's keywords.
    #[must_use]
    pub fn mentions(&self, service: &Service, text: &str) -> bool {
        let folded = words::fold(text);
        service.keywords.iter().any(|word| words::heard(&folded, word))
    }
}

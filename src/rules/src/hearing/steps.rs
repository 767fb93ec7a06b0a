//! Adds the listening result to a decision's trace: one step for each mention of a concept. A step contains the
//! sentence and the reason why the mention counts or does not count.

use super::context::MentionSense;
use super::dialogue::{HearingResult, Mention, Source};
use crate::decision::Step;
use crate::rows::Resource;

/// Maximum number of listening steps in a trace. If there are more steps, only the last ones are kept, because the
/// caller's last statements decide.
const MAX_STEPS: usize = 24;
/// Maximum length of a quotation, in characters.
const MAX_QUOTE: usize = 160;

/// Whether a step of a trace says that a mention of a concept counts.
#[must_use]
pub fn is_counted(step: &Step) -> bool {
    // The verdict follows the quotation or the name of the fact.
    let counts = |end: &str| {
        step.did
            .rsplit_once(end)
            .is_some_and(|(_, how)| how.starts_with("counts"))
    };
    step.resource == Resource::Concepts.path() && (counts("\": ") || counts("): "))
}

impl HearingResult {
    /// Builds a step for each mention of a concept.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let about: Vec<(&Mention, u32)> = self
            .mentions
            .iter()
            .flat_map(|mention| mention.concepts.iter().map(move |concept| (mention, *concept)))
            .collect();
        let mut about = about;
        // Several phrases may match the same words.
        about.dedup_by(|one, other| {
            one.1 == other.1
                && one.0.turn == other.0.turn
                && one.0.verdict == other.0.verdict
                && one.0.sentence == other.0.sentence
        });
        let skipped = about.len().saturating_sub(MAX_STEPS);
        about
            .into_iter()
            .skip(skipped)
            .map(|(mention, concept)| {
                let code = self.lexicon().name(concept);
                Step::plain(
                    Resource::Concepts,
                    code.trim_start_matches('#'),
                    self.sentence(mention, concept),
                )
            })
            .collect()
    }

    fn sentence(&self, mention: &Mention, concept: u32) -> String {
        let words = &mention.words;
        let cue = mention.cue.as_deref().unwrap_or_default();
        let how = if mention.excepted.contains(&concept) {
            "does not count: the words mean something else".to_owned()
        } else {
            match mention.verdict {
                MentionSense::Counts | MentionSense::Place if self.is_overruled(mention, concept) => {
                    "does not count: the caller says otherwise".to_owned()
                }
                MentionSense::Counts | MentionSense::Place => "counts".to_owned(),
                MentionSense::AgreedTo if words.is_empty() => format!("counts: the caller answered \"{cue}\""),
                MentionSense::AgreedTo => format!("counts: the caller answered \"{cue}\" to the question"),
                MentionSense::Denied => format!("denied by \"{cue}\""),
                MentionSense::AnsweredNo => format!("denied: the caller answered \"{cue}\" to the question"),
                MentionSense::Past => format!("does not count: past, by \"{cue}\""),
                MentionSense::Over => format!("does not count: over, by \"{cue}\""),
                MentionSense::Hypothetical => format!("does not count: only supposed, by \"{cue}\""),
                MentionSense::Asked => format!("does not count: only asked about, by \"{cue}\""),
                MentionSense::SomeoneElse => format!("does not count: somebody else's, by \"{cue}\""),
                MentionSense::OtherSense => format!("does not count: \"{cue}\" means something else"),
            }
        };
        let place = match &mention.source {
            Source::Said | Source::Answered => String::new(),
            Source::Fact(name) => format!(" ({name})"),
        };
        format!("\"{words}\" in \"{}\"{place}: {how}", quoted(&mention.sentence))
    }

    /// Whether a later statement of the caller contradicts the mention.
    fn is_overruled(&self, mention: &Mention, concept: u32) -> bool {
        let ids = [mention.phrase, concept];
        !ids.iter().any(|id| self.said.binary_search(id).is_ok())
    }
}

/// Shortens a sentence that is too long to quote.
fn quoted(sentence: &str) -> String {
    match sentence.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{} …", sentence.get(..end).unwrap_or_default()),
        None => sentence.to_owned(),
    }
}

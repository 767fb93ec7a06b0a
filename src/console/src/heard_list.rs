//! The phrases that Ringbook heard in a call, as a list. Each phrase is listed once, with its concepts. If a phrase
//! does not count, the list also shows the reason.

use maud::{Markup, html};

use crate::highlight::{self, HeardWords};
use crate::words::Words;

/// The list with its heading; empty if nothing was heard.
pub fn heard_list(words: Words, heard: &[HeardWords]) -> Markup {
    if heard.is_empty() {
        return html! {};
    }
    let mut quotations: Vec<(&str, bool, &str, Vec<String>)> = Vec::new();
    for one in heard {
        let concept = one.concept.replace('_', " ");
        // The reason is only interesting for phrases that do not count.
        let why = if one.counts { "" } else { one.why.as_str() };
        match quotations
            .iter_mut()
            .find(|known| (known.0, known.2) == (&one.words, why))
        {
            Some((.., concepts)) if concepts.contains(&concept) => {}
            Some((.., concepts)) => concepts.push(concept),
            None => quotations.push((&one.words, one.counts, why, vec![concept])),
        }
    }
    html! {
        h3 { (words.say("heard")) }
        ul.parts { @for (quotation, counts, why, concepts) in quotations { li {
            mark.(highlight::class(counts)) { (quotation) } " "
            strong { (concepts.join(", ")) } " "
            span.quiet { @if counts { (words.say("heard-counts")) } @else { span lang="en" { (why) } } }
        } } }
    }
}

//! The form of Try.

use maud::{Markup, html};

use crate::business::Business;
use crate::open_sets::{OpenSet, name};
use crate::page;
use crate::tryout_fields::{Try, Wrong, beside};
use crate::visit::Visit;
use crate::words::{Language, Words};

/// The form with the input. The section of less common fields is open if one of these fields has a value.
pub fn form(visit: &Visit, business: &Business, what: &Try<'_>, sets: &[OpenSet], wrong: Option<&Wrong>) -> Markup {
    let words = visit.words;
    let is_wrong = |field: &str| wrong.is_some_and(|wrong| wrong.field == field).then_some("true");
    let described = |field: &str| is_wrong(field).map(|_| format!("fault-{field}"));
    let has = |name: &str| business.rows.fact_mappings.contains_key(name);
    let is_open = ["at", "language", "postal_code", "city", "revision"]
        .iter()
        .any(|name| !what.field(name).is_empty());
    html! { form.card.try method="post" action=(visit.link("/try", &[])) {
        (page::token(visit))
        div.field {
            label for="said" { (words.say("try-said")) }
            textarea #said name="said" rows="6" required placeholder=(words.say("try-placeholder"))
                aria-describedby={ "said-about " (described("said").unwrap_or_default()) } aria-invalid=[is_wrong("said")] {
                (what.field("said"))
            }
            span.quiet #said-about { (words.say("try-said-about")) }
            (beside(wrong, "said"))
        }
        div.row-fields {
            div.field {
                label for="set" { (words.say("try-rules")) }
                select #set name="set" aria-invalid=[is_wrong("set")] aria-describedby=[described("set")] {
                    option value="" { (words.say("try-rules-now")) }
                    @for set in sets {
                        option value=(set.id) selected[what.field("set") == set.id] {
                            (name(&words.say("unnamed-set"), set))
                        }
                    }
                }
                (beside(wrong, "set"))
            }
            button.main type="submit" { (words.say("try-do")) }
        }
        details open[is_open] {
            summary { (words.say("try-more")) }
            div.row-fields {
                div.field {
                    label for="revision" { (words.say("try-revision")) }
                    input #revision name="revision" inputmode="numeric" maxlength="9" autocomplete="off"
                        value=(what.field("revision")) aria-invalid=[is_wrong("revision")] aria-describedby=[described("revision")];
                    (beside(wrong, "revision"))
                }
                div.field {
                    label for="at" { (words.say("try-at")) }
                    input #at name="at" type="datetime-local" value=(what.field("at"))
                        aria-invalid=[is_wrong("at")] aria-describedby=[described("at")];
                    (beside(wrong, "at"))
                }
                @if has("language") { div.field {
                    label for="language" { (words.say("try-language")) }
                    select #language name="language" {
                        option value="" { (words.say("try-language-heard")) }
                        @for one in [Language::English, Language::French] {
                            option value=(one.code()) selected[what.field("language") == one.code()] {
                                (Words(one).say("language"))
                            }
                        }
                    }
                } }
                @if has("postal_code") { div.field {
                    label for="postal_code" { (words.say("try-postal-code")) }
                    input #postal_code name="postal_code" maxlength="12" autocomplete="off" value=(what.field("postal_code"))
                        aria-invalid=[is_wrong("postal_code")] aria-describedby=[described("postal_code")];
                    (beside(wrong, "postal_code"))
                } }
                @if has("city") { div.field {
                    label for="city" { (words.say("try-city")) }
                    input #city name="city" maxlength="100" autocomplete="off" value=(what.field("city"))
                        aria-invalid=[is_wrong("city")] aria-describedby=[described("city")];
                    (beside(wrong, "city"))
                } }
            }
        }
    } }
}

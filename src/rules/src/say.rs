//! One sentence that a voice agent can speak, in the caller's language.
//!
//! Comes in: a decision's parts. Goes out: text without symbols or line breaks. French has its own grammar; every
//! other language gets English unless its texts come from the rows.

use super::decision::Price;
use super::money::Money;
use super::rows::{Labels, Offer, Service, Settings};

/// A label in a language, else in the rulebook's first, else any.
#[must_use]
pub fn label<'a>(labels: &'a Labels, language: &str, settings: &Settings) -> Option<&'a str> {
    let wanted = labels.get(language);
    let first = || settings.languages.first().and_then(|first| labels.get(first));
    wanted
        .or_else(first)
        .or_else(|| labels.values().next())
        .map(String::as_str)
}

/// The sentence for a decision.
#[must_use]
pub fn sentence(settings: &Settings, service: Option<&Service>, price: Option<&Price>, language: &str) -> String {
    let french = language == "fr";
    let Some(service) = service else {
        let known = label(&settings.unknown_service, language, settings);
        return known.map_or_else(|| unknown(french).to_owned(), str::to_owned);
    };
    let reason = label(&service.reason, language, settings);
    match (service.offer, price) {
        (Offer::Refused, _) => reason.map_or_else(|| refused(french).to_owned(), str::to_owned),
        (_, None) => no_price(french).to_owned(),
        (offer, Some(price)) => {
            let mut sentence = priced(price, service, french);
            if offer == Offer::Assessment
                && let Some(reason) = reason
            {
                sentence.push(' ');
                sentence.push_str(reason);
            }
            sentence
        }
    }
}

const fn unknown(french: bool) -> &'static str {
    if french {
        "Je ne suis pas certain de ce qu'il vous faut; quelqu'un va vous rappeler."
    } else {
        "I am not sure what you need; someone will call you back."
    }
}

const fn refused(french: bool) -> &'static str {
    if french {
        "Désolé, nous n'offrons pas ce service."
    } else {
        "Sorry, we do not offer that service."
    }
}

const fn no_price(french: bool) -> &'static str {
    if french {
        "Quelqu'un va vous rappeler avec un prix."
    } else {
        "Someone will call you back with a price."
    }
}

fn priced(price: &Price, service: &Service, french: bool) -> String {
    let unit = unit(&price.currency, french);
    let mut text = match (price.from == price.to, french) {
        (true, _) => format!("{} {unit}", amount(price.from, french)),
        (false, true) => format!(
            "Entre {} et {} {unit}",
            amount(price.from, true),
            amount(price.to, true)
        ),
        (false, false) => format!(
            "Between {} and {} {unit}",
            amount(price.from, false),
            amount(price.to, false)
        ),
    };
    if let Some(per) = &price.per {
        text.push(' ');
        text.push_str(per);
    }
    if let Some(besides) = price.besides {
        let (sign, amount) = match besides.minor() {
            ..0 => (
                if french { ", moins" } else { ", less" },
                Money::from_minor(-besides.minor()),
            ),
            _ => (", plus", besides),
        };
        let once = if french { "pour les travaux" } else { "for the job" };
        text.push_str(&format!("{sign} {} {unit} {once}", self::amount(amount, french)));
    }
    if !price.taxes.is_empty() {
        text.push_str(if french { " avant taxes" } else { " before taxes" });
    }
    if let Some(lead) = lead(service, french) {
        text.push_str(", ");
        text.push_str(&lead);
    }
    text.push('.');
    text
}

/// `450`, or with cents `450.50` and in French `450,50`.
fn amount(money: Money, french: bool) -> String {
    let text = money.to_string();
    match text.strip_suffix(".00") {
        Some(whole) => whole.to_owned(),
        None if french => text.replace('.', ","),
        None => text,
    }
}

fn unit(currency: &str, french: bool) -> &str {
    match currency {
        "CAD" | "USD" | "AUD" | "NZD" | "SGD" | "HKD" => "dollars",
        "EUR" => "euros",
        "GBP" if french => "livres",
        "GBP" => "pounds",
        "CHF" => "francs",
        other => other,
    }
}

/// "3 to 5 working days", "1 to 2 weeks"; none when the service does not say.
fn lead(service: &Service, french: bool) -> Option<String> {
    let (least, most) = match (service.lead_days_min, service.lead_days_max) {
        (Some(least), Some(most)) => (least, most),
        (Some(days), None) | (None, Some(days)) => (days, days),
        (None, None) => return None,
    };
    let weeks = !service.lead_working_days && least >= 7 && least % 7 == 0 && most % 7 == 0;
    let (least, most) = if weeks { (least / 7, most / 7) } else { (least, most) };
    let many = most > 1;
    let unit = match (weeks, service.lead_working_days, french) {
        (true, _, true) => plural("semaine", "semaines", many),
        (true, _, false) => plural("week", "weeks", many),
        (false, true, true) => plural("jour ouvrable", "jours ouvrables", many),
        (false, true, false) => plural("working day", "working days", many),
        (false, false, true) => plural("jour", "jours", many),
        (false, false, false) => plural("day", "days", many),
    };
    Some(match (least == most, french) {
        (true, _) => format!("{most} {unit}"),
        (false, true) => format!("de {least} à {most} {unit}"),
        (false, false) => format!("{least} to {most} {unit}"),
    })
}

const fn plural<'a>(one: &'a str, several: &'a str, many: bool) -> &'a str {
    if many { several } else { one }
}

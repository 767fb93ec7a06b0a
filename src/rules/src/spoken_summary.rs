//! Writes one sentence for a voice agent, in the caller's language: text without symbols or line breaks.

use super::decision::Price;
use super::money::Money;
use super::rows::{Labels, Offer, Service, Settings};
use super::sentences::{SentenceValue, sentence as words};

/// Returns a label in a language; else in the rulebook's first language; else in any language.
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
    let or = |text: Option<&str>, key| text.map_or_else(|| words(language, key, &[]), str::to_owned);
    let Some(service) = service else {
        return or(label(&settings.unknown_service, language, settings), "unknown-service");
    };
    let reason = label(&service.reason, language, settings);
    match (service.offer, price) {
        (Offer::Refused, _) => or(reason, "refused-service"),
        (_, None) => words(language, "no-price", &[]),
        (offer, Some(price)) => {
            let mut sentence = priced(price, service, language);
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

fn priced(price: &Price, service: &Service, language: &str) -> String {
    let currency = currency(&price.currency, language);
    let currency = SentenceValue::Text(&currency);
    let (from, to) = (amount(price.from, language), amount(price.to, language));
    let mut text = if price.from == price.to {
        words(
            language,
            "price",
            &[("amount", SentenceValue::Text(&from)), ("currency", currency)],
        )
    } else {
        let parts = [
            ("from", SentenceValue::Text(&from)),
            ("to", SentenceValue::Text(&to)),
            ("currency", currency),
        ];
        words(language, "price-range", &parts)
    };
    if let Some(per) = &price.per {
        text.push(' ');
        text.push_str(per);
    }
    if let Some(besides) = price.besides {
        let key = if besides.minor() < 0 { "besides-less" } else { "besides" };
        let amount = amount(Money::from_minor(besides.minor().abs()), language);
        text.push_str(&words(
            language,
            key,
            &[("amount", SentenceValue::Text(&amount)), ("currency", currency)],
        ));
    }
    if !price.taxes.is_empty() {
        text.push(' ');
        text.push_str(&words(language, "before-taxes", &[]));
    }
    if let Some(lead) = lead(service, language) {
        text.push_str(", ");
        text.push_str(&lead);
    }
    text.push('.');
    text
}

/// Formats an amount: `450`, or with cents `450.50`, in French `450,50`.
fn amount(money: Money, language: &str) -> String {
    let text = money.to_string();
    match text.strip_suffix(".00") {
        Some(whole) => whole.to_owned(),
        None => text.replace('.', &words(language, "decimal-separator", &[])),
    }
}

/// Returns the spoken name of a currency, or the currency's code if it has no spoken name here.
fn currency(code: &str, language: &str) -> String {
    let key = match code {
        "CAD" | "USD" | "AUD" | "NZD" | "SGD" | "HKD" => "currency-dollars",
        "EUR" => "currency-euros",
        "GBP" => "currency-pounds",
        "CHF" => "currency-francs",
        other => return other.to_owned(),
    };
    words(language, key, &[])
}

/// The lead time in words, for example "3 to 5 working days" or "1 to 2 weeks"; `None` if the service has no lead time.
fn lead(service: &Service, language: &str) -> Option<String> {
    let (least, most) = match (service.lead_days_min, service.lead_days_max) {
        (Some(least), Some(most)) => (least, most),
        (Some(days), None) | (None, Some(days)) => (days, days),
        (None, None) => return None,
    };
    let weeks = !service.lead_working_days && least >= 7 && least % 7 == 0 && most % 7 == 0;
    let (least, most) = if weeks { (least / 7, most / 7) } else { (least, most) };
    let key = match (weeks, service.lead_working_days, least == most) {
        (true, _, true) => "lead-weeks",
        (true, _, false) => "lead-weeks-range",
        (false, true, true) => "lead-working-days",
        (false, true, false) => "lead-working-days-range",
        (false, false, true) => "lead-days",
        (false, false, false) => "lead-days-range",
    };
    let parts = [
        ("from", SentenceValue::Number(least)),
        ("days", SentenceValue::Number(most)),
    ];
    Some(words(language, key, &parts))
}

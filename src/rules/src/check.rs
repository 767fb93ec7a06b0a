//! Checks that every row is valid by itself, and that all rows to which it refers exist. The compilers of conditions,
//! scripts and hours check their own input.

pub use super::check_row_fields::PLACEHOLDERS;
use super::compile::SETTINGS;
use super::extract;
use super::fault::Fault;
use super::hearing::parse_phrase;
use super::kinds::{self, ValueReader};
use super::rows::{
    Adjustment, AdjustmentKind, Case, Classifier, FactMapping, Labels, Offer, Resource, Row, RowSet, Service, Settings,
    ShiftOverride, Table, Template, Tool, with_row,
};
use super::services::NO_SERVICE;
use super::suggestion::did_you_mean;
use super::vocabulary::{DERIVED, GIVEN, HINTS, MAX_HINTS};
use super::words;

/// Currencies whose minor unit is not one hundredth of the currency unit.
const OTHER_DECIMALS: &[&str] = &[
    "BHD", "BIF", "CLF", "CLP", "DJF", "GNF", "IQD", "ISK", "JOD", "JPY", "KMF", "KRW", "KWD", "LYD", "OMR", "PYG",
    "RWF", "TND", "UGX", "UYI", "UYW", "VND", "VUV", "XAF", "XAG", "XAU", "XOF", "XPD", "XPF", "XPT",
];

/// Labels that a classifier can learn, in addition to the codes of services.
pub const LABELS: [&str; 3] = ["P1", "P2", NO_SERVICE];

/// Checks all rows and returns every validation error.
#[must_use]
pub fn rows(rows: &RowSet) -> Vec<Fault> {
    let mut check = Check {
        rows,
        faults: Vec::new(),
        hints: MAX_HINTS,
        reader: ValueReader::new(rows),
        languages: rows
            .settings
            .get(SETTINGS)
            .map(|s| s.row.languages.clone())
            .unwrap_or_default(),
    };
    for resource in Resource::ALL {
        with_row!(*resource, R => check.codes::<R>());
    }
    check.all::<Settings>(Check::settings);
    check.all::<FactMapping>(Check::mapping);
    check.all::<Classifier>(Check::classifier);
    check.all::<Service>(Check::service);
    check.all::<Adjustment>(Check::adjustment);
    check.all::<ShiftOverride>(Check::shift_override);
    check.all::<Template>(Check::template);
    check.all::<Tool>(Check::tool);
    check.all::<Case>(Check::case);
    check.rules();
    check.people_and_places();
    check.faults
}

pub(super) struct Check<'a> {
    pub(super) rows: &'a RowSet,
    pub(super) faults: Vec<Fault>,
    /// The number of names that may still be suggested.
    hints: usize,
    languages: Vec<String>,
    reader: ValueReader,
}

/// Whether a code is valid for a row: a lower-case letter, then at most 63 letters, digits and underscores.
#[must_use]
pub fn is_code(code: &str, mixed_case: bool) -> bool {
    let sound =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || (mixed_case && c.is_ascii_uppercase());
    code.len() <= 64
        && code.starts_with(|c: char| c.is_ascii_lowercase() || (mixed_case && c.is_ascii_uppercase()))
        && code.chars().all(sound)
}

/// Whether a code is valid for a rulebook in a URL: 1 to 64 letters, digits, `_`, `-` or `.`, beginning with a letter
/// or digit.
#[must_use]
pub fn is_rulebook_code(code: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    code.len() <= 64 && code.starts_with(|c: char| c.is_ascii_alphanumeric()) && code.chars().all(fit)
}

impl<'a> Check<'a> {
    pub(super) fn add<R: Row>(&mut self, row: &R, column: &str, problem: &'static str, text: impl Into<String>) {
        self.faults.push(Fault {
            resource: R::RESOURCE,
            code: row.code().to_owned(),
            column: column.to_owned(),
            line: None,
            position: None,
            problem,
            text: text.into(),
        });
    }

    /// Suggests the name that was probably intended. Only the first few unknown names get a suggestion.
    pub(super) fn hint<'n>(&mut self, wrong: &str, names: impl Iterator<Item = &'n str>) -> String {
        if self.hints == 0 {
            return String::new();
        }
        self.hints -= 1;
        did_you_mean(wrong, names)
    }

    fn all<R: Row>(&mut self, check: fn(&mut Self, &'a R)) {
        for stored in R::table(self.rows).values() {
            check(self, &stored.row);
        }
    }

    fn codes<R: Row>(&mut self) {
        let mixed_case = R::RESOURCE == Resource::Tools;
        for (key, stored) in R::table(self.rows) {
            if key != stored.row.code() || !is_code(key, mixed_case) {
                let text =
                    "a code is a lower-case letter followed by at most 63 lower-case letters, digits and underscores";
                self.add(&stored.row, "code", "bad_code", text);
            }
        }
    }

    fn settings(&mut self, row: &'a Settings) {
        if row.code != SETTINGS {
            self.add(row, "code", "bad_code", "the one settings row has the code `settings`");
        }
        let iso = row.currency.len() == 3 && row.currency.chars().all(|c| c.is_ascii_uppercase());
        if !iso || OTHER_DECIMALS.contains(&row.currency.as_str()) {
            self.add(
                row,
                "currency",
                "bad_currency",
                "expected the ISO 4217 code of a currency with two decimals, such as CAD",
            );
        }
        if row.time_zone.parse::<chrono_tz::Tz>().is_err() {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let hint = self.hint(&row.time_zone, names);
            self.add(
                row,
                "time_zone",
                "bad_time_zone",
                format!("`{}` is not an IANA time zone{hint}", row.time_zone),
            );
        }
        let sound = |code: &String| (2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_lowercase());
        if let Some(region) = &row.region
            && kinds::phone::region(Some(region), "").is_none()
        {
            let text =
                format!("`{region}` is not a country with known phone numbers: expected an ISO 3166 code, such as CA");
            self.add(row, "region", "bad_region", text);
        }
        if row.languages.is_empty() || !row.languages.iter().all(sound) {
            self.add(
                row,
                "languages",
                "bad_language",
                "expected language codes like \"fr\", the default first",
            );
        }
        if row.rounding_step.minor() <= 0 {
            self.add(
                row,
                "rounding_step",
                "out_of_range",
                "the rounding step must be more than zero",
            );
        }
        self.seconds(row, "default_sla_seconds", row.default_sla_seconds);
        if let Some(code) = &row.calendar {
            self.exists(row, "calendar", code, &self.rows.calendars);
        }
        self.labels(row, "unknown_service", &row.unknown_service, false);
        self.texting(row);
    }

    pub(super) fn seconds<R: Row>(&mut self, row: &R, column: &str, seconds: i64) {
        if !(0..=31_536_000).contains(&seconds) {
            self.add(row, column, "out_of_range", "expected seconds from 0 to a year");
        }
    }

    pub(super) fn labels<R: Row>(&mut self, row: &R, column: &str, labels: &Labels, required: bool) {
        let languages = self.languages.clone();
        for language in labels.keys().filter(|code| !languages.contains(code)) {
            let hint = self.hint(language, languages.iter().map(String::as_str));
            let text = format!("`{language}` is not among the rulebook's languages{hint}");
            self.add(row, &format!("{column}/{language}"), "bad_language", text);
        }
        if required && labels.values().all(|text| text.trim().is_empty()) {
            self.add(row, column, "missing", "at least one language is needed");
        }
    }

    pub(super) fn exists<R: Row, T>(&mut self, row: &R, column: &str, code: &str, table: &Table<T>) {
        if !table.contains_key(code) {
            let hint = self.hint(code, table.keys().map(String::as_str));
            self.add(row, column, "unknown_reference", format!("there is no `{code}`{hint}"));
        }
    }

    fn mapping(&mut self, row: &'a FactMapping) {
        let taken = DERIVED.iter().any(|(name, _)| *name == row.code) && !HINTS.contains(&row.code.as_str());
        if taken {
            let text = format!(
                "`{}` is derived by Ringbook; give the message's value another name (`service_text` for the service)",
                row.code
            );
            self.add(row, "code", "reserved", text);
        }
        let clash = DERIVED
            .iter()
            .chain(GIVEN)
            .find(|(name, kind)| *name == row.code && *kind != row.kind.base());
        if !taken && clash.is_some() {
            self.add(
                row,
                "kind",
                "wrong_type",
                format!("the fact `{}` has another type", row.code),
            );
        }
        for pointer in &row.pointers {
            if !is_pointer(pointer) {
                self.add(
                    row,
                    "pointers",
                    "bad_pointer",
                    format!("\"{pointer}\" is not a JSON pointer: expected \"/a/b\""),
                );
            }
        }
        if row.pointers.iter().any(|pointer| pointer == extract::SAID) && !kinds::can_be_said(row.kind) {
            let text = format!(
                "the caller's words are searched only for a length, a city or a postal code, not for a {}",
                row.kind.name()
            );
            self.add(row, "pointers", "bad_pointer", text);
        }
        if !extract::has_sound_default(row, &self.reader) {
            self.add(
                row,
                "default_value",
                "wrong_type",
                "the default has another type than the fact, or is not one of the fact's values",
            );
        }
        if !row.values.is_empty() && row.kind != super::rows::FactKind::Text {
            self.add(row, "values", "wrong_type", "only text facts have values");
        }
        for word in row.values.values().flatten() {
            self.word(row, "values", word);
        }
    }

    fn classifier(&mut self, row: &'a Classifier) {
        let is_taken = DERIVED.iter().chain(GIVEN).any(|(name, _)| *name == row.code)
            || self.rows.fact_mappings.contains_key(&row.code);
        if is_taken {
            let text = format!(
                "`{}` is the name of another fact: give the classifier another code",
                row.code
            );
            self.add(row, "code", "reserved", text);
        }
        let is_known = LABELS.contains(&row.learns.as_str()) || self.rows.services.contains_key(&row.learns);
        if !is_known {
            let labels = LABELS
                .iter()
                .copied()
                .chain(self.rows.services.keys().map(String::as_str));
            let hint = self.hint(&row.learns, labels);
            let text = format!("expected P1, P2, no_service or the code of a service{hint}");
            self.add(row, "learns", "unknown_reference", text);
        }
        if row.bias.abs() > 20_000 {
            self.add(row, "bias", "out_of_range", "a bias lies between -20000 and 20000");
        }
    }

    fn word<R: Row>(&mut self, row: &R, column: &str, word: &str) {
        if !words::is_sound(word) {
            let text =
                format!("\"{word}\" is not a word: it must begin with a letter or digit, and `*` may only end it");
            self.add(row, column, "bad_word", text);
        }
    }

    /// Checks a phrase, or a reference to a concept.
    fn phrase<R: Row>(&mut self, row: &R, column: &str, phrase: &str) {
        let wrong = match phrase.trim().strip_prefix('#') {
            Some(code) if self.rows.concepts.contains_key(code) => return,
            Some(code) => {
                let hint = did_you_mean(code, self.rows.concepts.keys().map(String::as_str));
                format!("there is no concept `{code}`{hint}")
            }
            None => match parse_phrase(phrase, None) {
                Ok(_) => return,
                Err(why) => format!("\"{phrase}\": {why}"),
            },
        };
        self.add(row, column, "bad_word", wrong);
    }

    fn service(&mut self, row: &'a Service) {
        self.labels(row, "names", &row.names, true);
        self.labels(row, "unit", &row.unit, row.quantity_fact.is_some());
        self.labels(row, "reason", &row.reason, row.offer != Offer::Offered);
        for word in &row.keywords {
            self.phrase(row, "keywords", word);
        }
        for word in &row.weak_keywords {
            self.phrase(row, "weak_keywords", word);
        }
        match (row.offer, row.price_from, row.price_to) {
            (Offer::Refused, None, None) => {}
            (Offer::Refused, ..) => self.add(row, "price_from", "not_for_its_kind", "a refused service has no price"),
            (_, Some(from), Some(to)) if from > to => {
                self.add(
                    row,
                    "price_from",
                    "out_of_range",
                    "the lowest price is above the highest",
                );
            }
            (_, Some(from), Some(_)) if from.minor() < 0 => {
                self.add(row, "price_from", "out_of_range", "a price must not be negative");
            }
            (_, Some(_), Some(_)) => {}
            (_, from, _) => {
                let column = if from.is_none() { "price_from" } else { "price_to" };
                self.add(
                    row,
                    column,
                    "missing",
                    "an offered service needs price_from and price_to",
                );
            }
        }
        if let Some(name) = &row.quantity_fact {
            let mapping = self.rows.fact_mappings.get(name).map(|stored| stored.row.kind.base());
            match mapping {
                None => self.exists(row, "quantity_fact", name, &self.rows.fact_mappings),
                Some(super::rows::FactKind::Number) => {}
                Some(_) => self.add(
                    row,
                    "quantity_fact",
                    "wrong_type",
                    format!("the fact `{name}` is not a number"),
                ),
            }
        }
        let days = [row.lead_days_min, row.lead_days_max];
        if days.iter().flatten().any(|days| !(0..=730).contains(days))
            || days[0].zip(days[1]).is_some_and(|(a, b)| a > b)
        {
            self.add(
                row,
                "lead_days_min",
                "out_of_range",
                "expected days from 0 to 730, the earliest first",
            );
        }
        for code in &row.notify {
            self.exists(row, "notify", code, &self.rows.contacts);
        }
    }

    fn adjustment(&mut self, row: &'a Adjustment) {
        self.labels(row, "names", &row.names, true);
        let by_rate = matches!(row.kind, AdjustmentKind::Multiply | AdjustmentKind::Percent);
        let (wanted, other, has_wanted, has_other) = if by_rate {
            ("rate", "amount", row.rate.is_some(), row.amount.is_some())
        } else {
            ("amount", "rate", row.amount.is_some(), row.rate.is_some())
        };
        if !has_wanted {
            self.add(
                row,
                wanted,
                "missing",
                format!("this kind of adjustment needs `{wanted}`"),
            );
        }
        if has_other {
            self.add(
                row,
                other,
                "not_for_its_kind",
                format!("this kind of adjustment has no `{other}`"),
            );
        }
        if row.kind == AdjustmentKind::Multiply && row.rate.is_some_and(|rate| rate.decimal().is_sign_negative()) {
            self.add(row, "rate", "out_of_range", "a factor must not be negative");
        }
        if by_rate && !row.per.is_job() {
            let text = "a percentage or a factor is the same for each unit as for the job: leave `per` out";
            self.add(row, "per", "not_for_its_kind", text);
        }
        for code in &row.services {
            self.exists(row, "services", code, &self.rows.services);
        }
        if row
            .valid_from
            .zip(row.valid_until)
            .is_some_and(|(from, until)| from >= until)
        {
            self.add(row, "valid_until", "out_of_range", "it must end after it begins");
        }
    }
}

pub(super) fn is_pointer(pointer: &str) -> bool {
    let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    pointer.len() > 1 && pointer.starts_with('/') && escapes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sample;

    #[test]
    fn only_for_the_first_unknown_names_the_nearest_is_looked_for() {
        let mut set = sample::rows();
        let known = set.contacts.keys().next().unwrap().clone();
        let service = set.services.values_mut().next().unwrap();
        let unknown = (0..=MAX_HINTS).map(|number| format!("{known}{number}"));
        Arc::make_mut(service).row.notify = unknown.collect();
        let found = rows(&set);
        assert_eq!(found.len(), MAX_HINTS + 1);
        for fault in &found[..MAX_HINTS] {
            assert!(fault.text.contains("did you mean `"), "{}", fault.text);
        }
        let last = &found[MAX_HINTS].text;
        assert!(
            last.contains("there is no `") && !last.contains("did you mean"),
            "{last}"
        );
    }
}

//! Finds unused rows, rules that notify nobody, templates with placeholders that are never filled, shared phone
//! numbers, and missing languages.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::{
    Adjustment, Area, AssistantRule, Hook, Labels, PriorityRule, Resource, Row, Service, Tax, Template, ToolKind,
};

/// The facts that each placeholder reads. Placeholders that read no facts are not listed.
const READS: &[(&str, &[&str])] = &[
    ("customer", &["customer_name"]),
    ("problem", &["problem"]),
    ("address", &["address"]),
    ("city", &["city"]),
    ("slot", &["wanted_slot"]),
];

pub(super) fn lint(rulebook: &Rulebook, found: &mut Findings) {
    unused(rulebook, found);
    notifies_nobody(rulebook, found);
    shared_numbers(rulebook, found);
    placeholders(rulebook, found);
    translations(rulebook, found);
}

/// Reports contacts that share a number. Only the first of these contacts gets SMS messages, and a reply counts as the
/// first contact's reply.
fn shared_numbers(rulebook: &Rulebook, found: &mut Findings) {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for row in rulebook.rows().contacts.values().map(|stored| &stored.row) {
        match known.get(row.phone.as_str()) {
            Some(first) => {
                let text = format!("`{first}` has the same number, so Ringbook cannot know which contact sent a reply");
                found.warn(row, "phone", "shared_number", text);
            }
            None => {
                known.insert(&row.phone, &row.code);
            }
        }
    }
}

/// Reports rows that no other row names. Tools are not reported, because the assistant at Vapi names the tools.
/// Ringbook cannot check the assistant.
fn unused(rulebook: &Rulebook, found: &mut Findings) {
    let rows = rulebook.rows();
    let mut used: BTreeSet<(Resource, &str)> = BTreeSet::new();
    used.extend(
        rulebook
            .settings()
            .calendar
            .iter()
            .map(|code| (Resource::Calendars, code.as_str())),
    );
    for row in rows.contacts.values().map(|stored| &stored.row) {
        used.extend(
            row.on_call_calendar
                .iter()
                .map(|code| (Resource::Calendars, code.as_str())),
        );
    }
    for row in rows.services.values().map(|stored| &stored.row) {
        used.extend(row.notify.iter().map(|code| (Resource::Contacts, code.as_str())));
    }
    for row in rows.priority_rules.values().map(|stored| &stored.row) {
        used.extend(row.notify.iter().map(|code| (Resource::Contacts, code.as_str())));
        used.extend(row.template.iter().map(|code| (Resource::Templates, code.as_str())));
    }
    for row in rows.shift_overrides.values().map(|stored| &stored.row) {
        used.insert((Resource::Contacts, row.contact.as_str()));
    }
    for row in rows.assistant_rules.values().map(|stored| &stored.row) {
        used.extend(row.contact.iter().map(|code| (Resource::Contacts, code.as_str())));
    }
    for row in rows.tools.values().map(|stored| &stored.row) {
        used.extend(row.script.iter().map(|code| (Resource::Scripts, code.as_str())));
        used.extend(row.template.iter().map(|code| (Resource::Templates, code.as_str())));
    }
    let idle = |resource, code: &str| !used.contains(&(resource, code));
    for row in rows.calendars.values().map(|stored| &stored.row) {
        if idle(Resource::Calendars, &row.code) {
            found.warn(
                row,
                "",
                "unused",
                "nobody uses this calendar: neither the settings nor a contact names the calendar",
            );
        }
    }
    for row in rows.scripts.values().map(|stored| &stored.row) {
        if row.hook == Hook::Tool && idle(Resource::Scripts, &row.code) {
            found.warn(row, "", "unused", "nobody uses this script: no tool runs the script");
        }
    }
    for row in rows.contacts.values().map(|stored| &stored.row) {
        if !row.on_call && idle(Resource::Contacts, &row.code) {
            let text = "nobody uses this contact: the contact is not on call, and no service or rule names the contact";
            found.warn(row, "", "unused", text);
        }
    }
    for row in rows.templates.values().map(|stored| &stored.row) {
        if idle(Resource::Templates, &row.code) {
            found.warn(
                row,
                "",
                "unused",
                "nobody uses this template: no priority rule and no tool names the template",
            );
        }
    }
}

/// Reports a rule that names contacts but sends no SMS message, or that sends SMS messages but has no recipient.
fn notifies_nobody(rulebook: &Rulebook, found: &mut Findings) {
    let rows = rulebook.rows();
    let somebody = !rulebook.on_call().is_empty();
    let alerts = rows.tools.values().any(|stored| stored.row.runs == ToolKind::SmsAlert);
    for row in rulebook.priorities.rows() {
        if row.template.is_some() && row.notify.is_empty() && !somebody {
            let text = "this rule notifies nobody: it names no contact, and nobody is on call";
            found.warn(row, "notify", "tells_nobody", text);
        }
        if row.template.is_none() && !row.notify.is_empty() && !alerts {
            let text = "this rule notifies nobody: it names contacts but no template, and no tool sends alerts";
            found.warn(row, "template", "tells_nobody", text);
        }
    }
    for row in rows.tools.values().map(|stored| &stored.row) {
        if row.runs == ToolKind::SmsAlert && !somebody && rows.contacts.is_empty() {
            found.warn(
                row,
                "template",
                "tells_nobody",
                "this tool notifies nobody: there are no contacts",
            );
        }
    }
}

/// Reports a placeholder that is never filled, because no message provides its fact.
fn placeholders(rulebook: &Rulebook, found: &mut Findings) {
    let mappings = &rulebook.rows().fact_mappings;
    for row in rulebook.rows().templates.values().map(|stored| &stored.row) {
        for (language, text) in &row.texts {
            for (placeholder, facts) in READS {
                let named = text.contains(&format!("{{{placeholder}}}"));
                if named && !facts.iter().any(|fact| mappings.contains_key(*fact)) {
                    let text = format!(
                        "{{{placeholder}}} is never known: no fact mapping reads `{}`",
                        facts.join("` or `")
                    );
                    found.warn(row, &format!("texts/{language}"), "empty_placeholder", text);
                }
            }
            if text.contains("{area}") && rulebook.rows().areas.is_empty() {
                let text = "{area} is never known: there are no areas";
                found.warn(row, &format!("texts/{language}"), "empty_placeholder", text);
            }
        }
    }
}

/// Reports labels that are missing in some of the rulebook's languages. If a language lacks the label, the label in the
/// first language is used.
fn translations(rulebook: &Rulebook, found: &mut Findings) {
    let settings = rulebook.settings();
    labels(
        settings,
        &settings.languages,
        &[("unknown_service", &settings.unknown_service)],
        found,
    );
    each(rulebook, found, |row: &Service| {
        vec![("names", &row.names), ("unit", &row.unit), ("reason", &row.reason)]
    });
    each(rulebook, found, |row: &Area| vec![("names", &row.names)]);
    each(rulebook, found, |row: &Adjustment| vec![("names", &row.names)]);
    each(rulebook, found, |row: &Tax| vec![("names", &row.names)]);
    each(rulebook, found, |row: &PriorityRule| vec![("names", &row.names)]);
    each(rulebook, found, |row: &Template| vec![("texts", &row.texts)]);
    each(rulebook, found, |row: &AssistantRule| vec![("message", &row.message)]);
}

fn each<R: Row>(rulebook: &Rulebook, found: &mut Findings, texts: fn(&R) -> Vec<(&'static str, &Labels)>) {
    for stored in R::table(rulebook.rows()).values() {
        labels(&stored.row, &rulebook.settings().languages, &texts(&stored.row), found);
    }
}

fn labels<R: Row>(row: &R, languages: &[String], texts: &[(&'static str, &Labels)], found: &mut Findings) {
    for (column, labels) in texts.iter().filter(|(_, labels)| !labels.is_empty()) {
        let said = |language: &&String| labels.get(*language).is_some_and(|text| !text.trim().is_empty());
        let missing: Vec<&str> = languages
            .iter()
            .filter(|language| !said(language))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let text = format!("`{}` is missing, so another language is used", missing.join("`, `"));
            found.warn(row, column, "missing_translation", text);
        }
    }
}

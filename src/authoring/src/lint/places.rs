//! Finds keywords, postal codes and cities that never match, because an earlier service or area matches them first.

use std::collections::{BTreeMap, HashMap};

use super::world::World;
use super::{Findings, Severity};
use rules::compile::Rulebook;
use rules::derive::postal;
use rules::hearing::WordId;
use rules::kinds::place::key;
use rules::rows::{Area, Resource, Service};

pub(super) fn lint(world: &World<'_>, found: &mut Findings) {
    services(world, found);
    areas(world.rulebook(), found);
}

/// Reports keywords of a service that an earlier service matches first, and services that no call matches.
fn services(world: &World<'_>, found: &mut Findings) {
    let rulebook = world.rulebook();
    let mut taken: HashMap<WordId, &Service> = HashMap::new();
    for service in rulebook.services() {
        let words = service
            .keywords
            .iter()
            .filter_map(|word| Some((word, rulebook.ears.lexicon().id(word)?)));
        let words: Vec<(&String, WordId)> = words.collect();
        for (word, id) in &words {
            // A caller who says this word also says all words that the word implies, and the first service wins.
            let other = world.implied(*id).into_iter().find_map(|implied| taken.get(&implied));
            if let Some(other) = other {
                let text = format!(
                    "\"{word}\" never matches this service: the service `{}` comes first and listens for it too",
                    other.code
                );
                let related = vec![(Resource::Services, other.code.clone())];
                found.add(Severity::Warning, service, "keywords", "keyword_taken", text, related);
            }
        }
        for (_, id) in words {
            taken.entry(id).or_insert(service);
        }
    }
    let has_text = rulebook.rows().fact_mappings.contains_key(rules::derive::SERVICE_TEXT);
    for service in rulebook
        .services()
        .filter(|service| service.keywords.is_empty() && !has_text)
    {
        let text = "no call matches this service: it has no keywords, and no fact mapping reads `service_text`";
        found.warn(service, "keywords", "matches_nothing", text);
    }
}

/// Reports postal prefixes and cities of an area that an earlier area matches first, and areas that no call matches.
fn areas(rulebook: &Rulebook, found: &mut Findings) {
    let mut prefixes: BTreeMap<String, &Area> = BTreeMap::new();
    let mut cities: HashMap<String, &Area> = HashMap::new();
    for area in rulebook.areas.ranked() {
        let mut left = area.postal_prefixes.len() + area.cities.len();
        let none = left == 0;
        let mut own = Vec::new();
        for prefix in &area.postal_prefixes {
            let code = postal(prefix);
            let longer = (1..=code.len()).filter_map(|end| prefixes.get_key_value(code.get(..end)?));
            if let Some((by, other)) = longer.into_iter().next() {
                left -= 1;
                let text = if *by == code {
                    format!(
                        "`{prefix}` never matches this area: the area `{}` comes first and has it too",
                        other.code
                    )
                } else {
                    format!(
                        "`{prefix}` never matches this area: the area `{}` comes first and has the prefix `{by}`",
                        other.code
                    )
                };
                let related = vec![(Resource::Areas, other.code.clone())];
                found.add(
                    Severity::Warning,
                    area,
                    "postal_prefixes",
                    "prefix_taken",
                    text,
                    related,
                );
            }
            own.push(code);
        }
        for city in &area.cities {
            match cities.get(&key(city)) {
                Some(other) if other.code != area.code => {
                    left -= 1;
                    let text = format!(
                        "{city} never matches this area: the area `{}` comes first and has it too",
                        other.code
                    );
                    let related = vec![(Resource::Areas, other.code.clone())];
                    found.add(Severity::Warning, area, "cities", "city_taken", text, related);
                }
                _ => {
                    cities.insert(key(city), area);
                }
            }
        }
        for code in own {
            prefixes.entry(code).or_insert(area);
        }
        if left == 0 {
            let text = if none {
                "no call matches this area: it has neither postal codes nor cities"
            } else {
                "no call matches this area: areas that come first have all its postal codes and cities"
            };
            found.warn(area, "", "matches_nothing", text);
        }
    }
}

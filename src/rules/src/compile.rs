//! Compiles the rows of one revision into a [`Rulebook`], or returns every validation error with its position. A
//! rulebook never changes and is cheap to share in an `Arc`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calendar::Calendar;
use super::check;
use super::condition::Test;
use super::derive::{self, Areas};
use super::extract::Mappings;
use super::facts::{ExtractedFacts, Fact, Lookup};
use super::fair_pool::is_abandoned;
use super::fault::Fault;
use super::hearing::{Classifiers, Ears, LexiconBuilder, are_same_classifiers};
use super::index::Index;
use super::listening;
use super::on_call::Plans;
use super::parse::Conditions;
use super::rows::{
    Adjustment, AssistantRule, Contact, Hook, PriorityRule, Resource, Row, RowSet, Service, Settings, StoredRow, Tax,
    Tool,
};
use super::script::compile_threads;
use super::script::{CompiledScript, library};
use super::services::Services;
use super::shift_overrides::Overrides;
use super::size;
use super::vocabulary::{self, Env, Slot, Vocabulary};

/// The code of the only settings row.
pub const SETTINGS: &str = "settings";

/// One compiled revision of a rulebook.
#[derive(Debug, Clone)]
pub struct Rulebook {
    revision: i64,
    rows: RowSet,
    settings: Settings,
    pub zone: Tz,
    pub calendar: Option<Calendar>,
    pub vocabulary: Vocabulary,
    pub ears: Ears,
    pub classifiers: Arc<Classifiers>,
    pub services: Services,
    pub areas: Areas,
    pub adjustments: Rules<Adjustment>,
    pub priorities: Rules<PriorityRule>,
    pub assistants: Rules<AssistantRule>,
    pub taxes: Vec<Tax>,
    pub on_call: Vec<String>,
    pub plans: Plans,
    pub(super) overrides: Overrides,
    pub mappings: Mappings,
    scripts: Vec<Arc<CompiledScript>>,
    row_bytes: usize,
}

/// All rules of one kind in rank order, with their conditions and an index of the conditions.
#[derive(Debug, Clone)]
pub struct Rules<R> {
    rows: Vec<Arc<StoredRow<R>>>,
    tests: Vec<Test>,
    index: Index,
}

impl<R> Rules<R> {
    fn new(rules: Vec<(Arc<StoredRow<R>>, Test)>) -> Self {
        let (rows, tests): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        let index = Index::new(&tests.iter().collect::<Vec<_>>());
        Self { rows, tests, index }
    }

    /// The rules with a true condition, in rank order.
    pub fn matching<'a>(&'a self, env: &Env<'_>) -> impl Iterator<Item = &'a R> {
        let candidates = self.index.candidates(env).into_iter().map(|place| place as usize);
        candidates
            .filter(|place| self.tests[*place].holds(env))
            .map(|place| &self.rows[place].row)
    }

    /// All rules in rank order, with their conditions.
    pub fn with_tests(&self) -> impl Iterator<Item = (&R, &Test)> {
        self.rows().zip(&self.tests)
    }

    /// All rules in rank order.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.iter().map(|stored| &stored.row)
    }
}

/// Compiles a rulebook on a separate thread. The new rulebook shares unchanged scripts with the rulebook `reuse`.
///
/// # Errors
/// Every validation error of every row.
pub fn compile(revision: i64, rows: &RowSet, reuse: Option<&Rulebook>) -> Result<Rulebook, Vec<Fault>> {
    compile_threads::isolated(|| compile_here(revision, rows, reuse)).unwrap_or_else(|text| Err(vec![internal(text)]))
}

pub(super) fn internal(text: &str) -> Fault {
    Fault {
        resource: Resource::Settings,
        code: SETTINGS.to_owned(),
        column: String::new(),
        line: None,
        position: None,
        problem: "internal",
        text: text.to_owned(),
    }
}

pub fn compile_here(revision: i64, rows: &RowSet, reuse: Option<&Rulebook>) -> Result<Rulebook, Vec<Fault>> {
    let mut faults = check::rows(rows);
    let mut words = LexiconBuilder::default();
    let cues = listening::add(rows, &mut words, &mut faults);
    let classifiers = classifiers(rows, reuse, &mut faults);
    let mut vocabulary = Vocabulary::new(rows);
    let services = Services::new(rows, &mut words);
    let areas = Areas::new(rows);

    let closed = |slot: Slot| closed_values(rows, vocabulary.name(slot));
    let conditions = Conditions::new(&vocabulary, &closed);
    let prices: Vec<Slot> = ["price_from", "price_to"]
        .into_iter()
        .filter_map(vocabulary::derived_slot)
        .collect();
    let mut compiler = RuleCompiler {
        rows,
        conditions: &conditions,
        words: &mut words,
        faults: &mut faults,
    };
    let adjustments = compiler.rules(|row: &Adjustment| (row.rank, &row.condition, &row.services), &prices);
    let priorities = compiler.rules(|row: &PriorityRule| (place_of(row), &row.condition, &[]), &[]);
    let assistants = compiler.rules(|row: &AssistantRule| (row.rank, &row.condition, &[]), &prices);
    let mut compared = BTreeSet::new();
    let tests = adjustments.iter().map(|(_, test)| test);
    let tests = tests.chain(priorities.iter().map(|(_, test)| test));
    for test in tests.chain(assistants.iter().map(|(_, test)| test)) {
        test.slots(&mut compared);
    }
    let known = reuse.map(Rulebook::compiled_scripts).unwrap_or_default();
    let scripts = library::compile(rows, known, compiler.faults);

    let mut calendars: BTreeMap<&str, Calendar> = BTreeMap::new();
    for (code, stored) in &rows.calendars {
        calendars.insert(code, Calendar::new(&stored.row, &mut faults));
    }
    let settings = rows.settings.get(SETTINGS).map(|stored| stored.row.clone());
    let zone = settings
        .as_ref()
        .and_then(|settings| settings.time_zone.parse::<Tz>().ok());
    let built = words
        .build(reuse.map(|book| book.ears.lexicon()))
        .map_err(|text| internal(&format!("the phrases cannot be compiled: {text}")));

    faults.sort_by(|a, b| (a.resource, &a.code, &a.column).cmp(&(b.resource, &b.code, &b.column)));
    let (built, built_fault) = match built {
        Ok(lexicon) => (Ok(lexicon), Ok(())),
        Err(fault) => (Err(()), Err(fault)),
    };
    let (Some(settings), Some(zone), Ok(lexicon), true) = (settings, zone, built, faults.is_empty()) else {
        if let Err(fault) = built_fault {
            faults.push(fault);
        } else if faults.is_empty() {
            faults.push(internal("the settings cannot be used"));
        }
        return Err(faults);
    };
    vocabulary.fold_only(&compared);
    Ok(Rulebook {
        revision,
        zone,
        plans: Plans::new(rows, &settings, &calendars),
        overrides: Overrides::new(rows),
        calendar: settings.calendar.as_deref().and_then(|code| calendars.remove(code)),
        settings,
        vocabulary,
        ears: Ears::new(lexicon, cues, reuse.map(|book| &book.ears)),
        classifiers,
        services,
        areas,
        adjustments: Rules::new(adjustments),
        priorities: Rules::new(priorities),
        assistants: Rules::new(assistants),
        taxes: by_rank(rows, |tax: &Tax| tax.rank),
        on_call: by_rank(rows, |contact: &Contact| contact.rank)
            .into_iter()
            .filter(|contact| contact.on_call)
            .map(|contact| contact.code)
            .collect(),
        mappings: Mappings::new(rows),
        scripts,
        row_bytes: size::row_bytes(rows),
        rows: rows.clone(),
    })
}

/// Compiles the classifiers. Unchanged classifiers are shared with the previous revision, because they are large and
/// rarely change.
fn classifiers(rows: &RowSet, reuse: Option<&Rulebook>, faults: &mut Vec<Fault>) -> Arc<Classifiers> {
    if let Some(book) = reuse.filter(|book| are_same_classifiers(book.rows(), rows)) {
        return Arc::clone(&book.classifiers);
    }
    Arc::new(Classifiers::new(rows, |code, (column, problem, text)| {
        faults.push(listening::fault(Resource::Classifiers, code, column, problem, text));
    }))
}

/// All possible values of a derived text fact. With this list, the compiler refuses a condition that can never be true.
fn closed_values(rows: &RowSet, fact: &str) -> Option<Vec<String>> {
    let texts = |values: &[&str]| Some(values.iter().map(|&value| value.to_owned()).collect());
    match fact {
        "service" => Some(rows.services.keys().cloned().collect()),
        "area" => Some(rows.areas.keys().cloned().collect()),
        "offer" => texts(&["offered", "refused", "assessment"]),
        "weekday" => texts(&super::calendar::DAYS),
        "language" => rows.settings.get(SETTINGS).map(|stored| stored.row.languages.clone()),
        mapped => {
            let mapping = &rows.fact_mappings.get(mapped)?.row;
            (!mapping.values.is_empty()).then(|| mapping.values.keys().cloned().collect())
        }
    }
}

fn by_rank<R: Row>(rows: &RowSet, rank: impl Fn(&R) -> i64) -> Vec<R> {
    let mut sorted: Vec<R> = R::table(rows).values().map(|stored| stored.row.clone()).collect();
    // The table is ordered by code, and the stable sort keeps this order of rows with equal ranks.
    sorted.sort_by_key(rank);
    sorted
}

struct RuleCompiler<'a, 'w> {
    rows: &'a RowSet,
    conditions: &'a Conditions<'a>,
    words: &'w mut LexiconBuilder,
    faults: &'w mut Vec<Fault>,
}

impl RuleCompiler<'_, '_> {
    /// Compiles the conditions of one kind of rule; `parts` returns rank, condition and services of a row.
    fn rules<R: Row>(
        &mut self,
        parts: impl Fn(&R) -> (i64, &String, &[String]),
        hidden: &[Slot],
    ) -> Vec<(Arc<StoredRow<R>>, Test)> {
        let mut rules = Vec::new();
        for stored in R::table(self.rows).values() {
            if is_abandoned() {
                self.faults
                    .push(internal("compiling was stopped: its client disconnected"));
                break;
            }
            let (rank, condition, services) = parts(&stored.row);
            match self.conditions.compile(condition, hidden, self.words) {
                Ok(test) => rules.push((rank, stored, for_services(test, services))),
                Err(fault) => self.faults.push(fault.at(R::RESOURCE, stored.row.code(), "condition")),
            }
        }
        rules.sort_by_key(|(rank, ..)| *rank);
        rules
            .into_iter()
            .map(|(_, stored, test)| (Arc::clone(stored), test))
            .collect()
    }
}

/// The sort key of a priority rule: safety rules come before all other rules. Safety rules are sorted by rank, and so
/// are all other rules.
const fn place_of(rule: &PriorityRule) -> i64 {
    if rule.safety {
        rule.rank.saturating_sub(i64::MAX / 2)
    } else {
        rule.rank
    }
}

fn for_services(test: Test, services: &[String]) -> Test {
    match vocabulary::derived_slot("service") {
        Some(slot) if !services.is_empty() => {
            let codes = services.iter().map(|code| Fact::Text(code.clone())).collect();
            Test::All(vec![Test::In(slot, codes), test])
        }
        _ => test,
    }
}

impl Rulebook {
    /// The revision number.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// The rows from which the rulebook was compiled.
    #[must_use]
    pub const fn rows(&self) -> &RowSet {
        &self.rows
    }

    /// The size of the rulebook's rows as JSON, in bytes.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The approximate size in memory, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        size::in_memory(&self.rows, self.row_bytes)
    }

    /// The settings row.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rulebook's time zone.
    #[must_use]
    pub const fn time_zone(&self) -> Tz {
        self.zone
    }

    /// The calendar named in the settings.
    #[must_use]
    pub const fn calendar(&self) -> Option<&Calendar> {
        self.calendar.as_ref()
    }

    /// Converts a caller's number to E.164. A number that cannot be parsed is returned unchanged.
    #[must_use]
    pub fn caller_number(&self, number: String) -> String {
        self.mappings.caller_number(number)
    }

    /// Extracts the facts of a message.
    #[must_use]
    pub fn extract(&self, lookup: &dyn Lookup, said: String) -> ExtractedFacts {
        self.mappings.extract(lookup, said)
    }

    /// Reads facts that are given by name, for example in a case or in an evaluation that a person entered.
    ///
    /// # Errors
    /// The errors contain the name of each fact that is unknown or has the wrong type, with a sentence about the error.
    pub fn extract_named(
        &self,
        facts: &BTreeMap<String, serde_json::Value>,
        said: String,
    ) -> Result<ExtractedFacts, Vec<(String, String)>> {
        self.mappings.named(facts, vocabulary::GIVEN, said)
    }

    /// The tool that the assistant calls by this name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.rows.tools.get(name).map(|stored| &stored.row)
    }

    /// A service by code.
    #[must_use]
    pub fn service(&self, code: &str) -> Option<&Service> {
        self.rows.services.get(code).map(|stored| &stored.row)
    }

    /// All services by rank.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.ranked()
    }

    /// All possible values of a text fact; `None` if the fact has no closed set of values.
    #[must_use]
    pub fn closed_values(&self, fact: &str) -> Option<Vec<String>> {
        closed_values(&self.rows, fact)
    }

    /// A contact by code.
    #[must_use]
    pub fn contact(&self, code: &str) -> Option<&Contact> {
        self.rows.contacts.get(code).map(|stored| &stored.row)
    }

    /// A priority rule by code.
    #[must_use]
    pub fn priority_rule(&self, code: &str) -> Option<&PriorityRule> {
        self.rows.priority_rules.get(code).map(|stored| &stored.row)
    }

    /// Returns the contacts with `on_call`, in the order in which they are tried. Contacts that are off shift are
    /// included.
    #[must_use]
    pub fn on_call(&self) -> Vec<&Contact> {
        self.on_call.iter().filter_map(|code| self.contact(code)).collect()
    }

    /// All contacts, in the order in which they are tried.
    #[must_use]
    pub fn contacts(&self) -> Vec<&Contact> {
        let mut contacts: Vec<&Contact> = self.rows.contacts.values().map(|stored| &stored.row).collect();
        contacts.sort_by_key(|contact| contact.rank);
        contacts
    }

    /// The text of a template in a language, else in the rulebook's first language.
    #[must_use]
    pub fn template_text(&self, code: &str, language: &str) -> Option<&str> {
        let template = &self.rows.templates.get(code)?.row;
        super::spoken_summary::label(&template.texts, language, &self.settings)
    }

    /// The name of a service or an area in a language, else its code.
    #[must_use]
    pub fn name_of<'a>(&'a self, code: &'a str, language: &str) -> &'a str {
        let service = self.rows.services.get(code).map(|stored| &stored.row.names);
        let names = service.or_else(|| self.rows.areas.get(code).map(|stored| &stored.row.names));
        names
            .and_then(|names| super::spoken_summary::label(names, language, &self.settings))
            .unwrap_or(code)
    }

    /// Returns the first and the last possible day for a service; `None` if the service has no lead time.
    #[must_use]
    pub fn lead_window(&self, service: &Service, at: DateTime<Utc>) -> Option<(NaiveDate, NaiveDate)> {
        let today = derive::local(at, self.zone).date();
        let least = service.lead_days_min.or(service.lead_days_max)?;
        let most = service.lead_days_max.unwrap_or(least);
        let day = |days: i64| {
            let days = u64::try_from(days).unwrap_or_default();
            match &self.calendar {
                Some(calendar) => calendar.days_later(today, days, service.lead_working_days),
                None => today.checked_add_days(chrono::Days::new(days)).unwrap_or(today),
            }
        };
        Some((day(least), day(most)))
    }

    /// Returns the adjustments, each with the facts that its condition names.
    pub fn adjustment_facts(&self) -> impl Iterator<Item = (&Adjustment, BTreeSet<&str>)> {
        let names = |test: &Test| {
            let mut slots = BTreeSet::new();
            test.slots(&mut slots);
            slots.into_iter().map(|slot| self.vocabulary.name(slot)).collect()
        };
        self.adjustments.with_tests().map(move |(row, test)| (row, names(test)))
    }

    /// Whether there are price scripts.
    #[must_use]
    pub fn has_price_scripts(&self) -> bool {
        self.scripts(Hook::Price).next().is_some()
    }

    pub(super) fn scripts(&self, hook: Hook) -> impl Iterator<Item = &CompiledScript> {
        self.scripts
            .iter()
            .map(Arc::as_ref)
            .filter(move |script| script.row().hook == hook)
    }

    pub(super) fn compiled_scripts(&self) -> &[Arc<CompiledScript>] {
        &self.scripts
    }

    /// A script by code.
    #[must_use]
    pub fn script(&self, code: &str) -> Option<&CompiledScript> {
        self.scripts
            .iter()
            .map(Arc::as_ref)
            .find(|script| script.row().code == code)
    }

    /// Whether a decision may run a script.
    #[must_use]
    pub fn has_scripts(&self) -> bool {
        self.scripts.iter().any(|script| script.row().hook != Hook::Library)
    }
}

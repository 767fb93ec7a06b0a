//! The kinds of rule rows in the API: path, sort orders and filters, and description of each.

use std::collections::HashMap;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, Registry};

use super::list::{Filter, Kind, ListSpec};
use super::row_kind::{AdminRow, AnyRow, RowKind};
use super::rule_rows::RowsApi;
use super::sheets::SheetsApi;
use super::state::AdminState;
use rules::rows::{
    Adjustment, Area, AssistantRule, Calendar, Case, Classifier, Concept, Contact, Cue, FactMapping, PriorityRule,
    Script, Service, ShiftOverride, Tax, Template, Tool,
};

/// The description of a kind of row in the document.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// The last part of its path.
    pub path: &'static str,
    /// The singular, as in `get_service`.
    pub one: &'static str,
    /// The plural, as in `list_services`.
    pub many: &'static str,
    /// Its schema.
    pub schema: &'static str,
    /// Its purpose.
    pub about: &'static str,
    /// Sort orders and filters of its list.
    pub list: ListSpec,
}

const fn text(name: &'static str, doc: &'static str) -> Filter {
    Filter {
        name,
        kind: Kind::Text,
        doc,
    }
}

const fn choice(name: &'static str, choices: &'static [&'static str], doc: &'static str) -> Filter {
    Filter {
        name,
        kind: Kind::Choice(choices),
        doc,
    }
}

const BY_CODE: &[&str] = &["code", "-code"];
const BY_RANK: &[&str] = &["code", "-code", "rank", "-rank"];

/// Nests types of APIs in pairs, because poem-openapi accepts tuples of at most 16.
macro_rules! nested {
    ($last:ty) => { $last };
    ($first:ty, $($rest:ty),+) => { ($first, nested!($($rest),+)) };
}

macro_rules! resources {
    ($($row:ident $path:literal $one:literal $many:literal $sorts:expr, [$($filter:expr),*], $about:literal;)*) => {
        $(impl AdminRow for $row {
            const PATH: &'static str = concat!("/admin/v1/rulebooks/:rulebook/", $path);
            const SHEET: &'static str = concat!("/admin/v1/rulebooks/:rulebook/", $path, ".csv");
        })*

        /// The descriptions of all kinds, in the order of the document's groups.
        pub const TOLD: &[Told] = &[$(Told {
            path: $path, one: $one, many: $many, schema: stringify!($row), about: $about,
            list: ListSpec { sorts: $sorts, filters: &[$($filter),*] },
        }),*];

        /// The path of the list and of the sheet of each kind, in the order of [`TOLD`].
        const ROUTES: &[(&str, &str)] = &[$((<$row as AdminRow>::PATH, <$row as AdminRow>::SHEET)),*];

        static KINDS: &[RowKind] = &[$(RowKind::of::<$row>(ListSpec { sorts: $sorts, filters: &[$($filter),*] })),*];

        /// The operations as the document describes them.
        type Documented = (nested!($(RowsApi<$row>),*), nested!($(SheetsApi<$row>),*));
    };
}

resources! {
    Service "services" "service" "services" BY_RANK,
        [choice("offer", &["offered", "refused", "assessment"], "Whether it is done."), text("notify", "Services that tell this contact.")],
        "What the business does, for how much, or refuses and with which words.";
    Area "areas" "area" "areas" BY_RANK,
        [text("cities", "Areas with this city."), text("postal_prefixes", "Areas with this beginning of a postal code.")],
        "Parts of the map, by postal code or city.";
    Adjustment "adjustments" "adjustment" "adjustments" BY_RANK,
        [choice("kind", &["add", "percent", "multiply", "floor", "cap", "set"], "What it does."),
         text("stacking_group", "Adjustments of this group."), text("services", "Adjustments that name this service.")],
        "What changes a price when its condition holds, in the order of rank.";
    Tax "taxes" "tax" "taxes" BY_RANK, [], "Lines added to the price.";
    PriorityRule "priority-rules" "priority_rule" "priority_rules" BY_RANK,
        [choice("priority", &["P1", "P2", "P3", "P4"], "The priority it gives."), text("notify", "Rules that tell this contact.")],
        "How urgent a call is and whom to text; the first rule whose condition holds.";
    Script "scripts" "script" "scripts" BY_RANK,
        [choice("hook", &["price", "priority", "tool", "library"], "Where it runs.")],
        "What rows cannot say, in Rhai; a `library` holds functions for the others.";
    Template "templates" "template" "templates" BY_CODE, [], "What a text message says, by language.";
    Contact "contacts" "contact" "contacts" BY_RANK,
        [Filter { name: "on_call", kind: Kind::Boolean, doc: "Whether they are told when no rule names anyone." },
         text("language", "Contacts who read this language.")],
        "People to text and to transfer to.";
    ShiftOverride "shift-overrides" "shift_override" "shift_overrides" BY_CODE,
        [text("contact", "Overrides that put this contact on shift.")],
        "Who is on shift for a while, whatever the plans say: somebody stands in for somebody else, or joins. A swap is two of them.";
    Calendar "calendars" "calendar" "calendars" BY_CODE, [], "Opening hours, evenings, weekends and holidays.";
    FactMapping "fact-mappings" "fact_mapping" "fact_mappings" BY_CODE,
        [choice("kind", &["text", "number", "boolean", "time"], "The type of the fact.")],
        "Where in a message each fact is found.";
    Concept "concepts" "concept" "concepts" BY_CODE, [],
        "What callers say in many ways: the phrases of each language, and those that mean something else.";
    Cue "cues" "cue" "cues" BY_CODE,
        [choice("effect", &["denied", "nothing", "clause_end", "subject", "past", "now", "recurs", "present", "hypothetical", "asked", "someone_else", "own", "place",
            "other_sense", "over", "correction", "yes", "no", "filler", "besides"], "What it says of the mentions around it.")],
        "Words that say how others are meant: denied, past, somebody else's, asked about.";
    Classifier "classifiers" "classifier" "classifiers" BY_CODE,
        [text("learns", "Classifiers that have learnt this label.")],
        "How likely a call is about something, by all its words: weights learnt from labelled calls.";
    Tool "tools" "tool" "tools" BY_CODE,
        [choice("runs", &["quote", "priority", "service_check", "scheduling", "sms_alert", "booking", "script"], "What runs."),
         text("script", "Tools that run this script.")],
        "What runs when the assistant calls a tool by its name.";
    AssistantRule "assistant-rules" "assistant_rule" "assistant_rules" BY_RANK,
        [choice("answer", &["assistant", "transfer", "refuse"], "What the caller gets.")],
        "What an assistant request is answered with; the first rule whose condition holds.";
    Case "cases" "case" "cases" BY_CODE, [], "Facts and the decision expected of them; publishing runs every case.";
}

type Routes = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The operations on all kinds of rows.
pub struct ResourcesApi(pub AdminState);

impl OpenApi for ResourcesApi {
    fn meta() -> Vec<MetaApi> {
        Documented::meta()
    }

    fn register(registry: &mut Registry) {
        Documented::register(registry);
    }

    fn add_routes(self, routes: &mut Routes) {
        for (kind, (path, sheet)) in KINDS.iter().zip(ROUTES) {
            let mut rows = Routes::new();
            RowsApi::<AnyRow>::new(self.0.clone(), kind).add_routes(&mut rows);
            move_below(path, AnyRow::PATH, rows, routes);
            let mut sheets = Routes::new();
            SheetsApi::<AnyRow>::new(self.0.clone(), kind).add_routes(&mut sheets);
            move_below(sheet, AnyRow::SHEET, sheets, routes);
        }
    }
}

/// Adds routes under another prefix.
fn move_below(path: &str, prefix: &str, routes: Routes, all: &mut Routes) {
    for (route, methods) in routes {
        let rest = route.strip_prefix(prefix).unwrap_or_default();
        all.entry(format!("{path}{rest}")).or_default().extend(methods);
    }
}

//! Declares the kinds of rule rows in the API, each with its path, sort orders, filters and description.

use std::collections::HashMap;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, Registry};

use super::list::{Filter, FilterType, ListSpec};
use super::row_kind::RowKind;
use super::rule_rows::{ANY_ROWS, RowsApi};
use super::sheets::{ANY_SHEET, SheetsApi};
use super::state::AdminState;
use rules::rows::{
    Adjustment, Area, AssistantRule, Calendar, Case, Classifier, Concept, Contact, Cue, FactMapping, PriorityRule,
    Script, Service, ShiftOverride, Tax, Template, Tool,
};

/// The description of a kind of row in the OpenAPI document.
#[derive(Debug, Clone, Copy)]
pub struct ResourceDescription {
    /// The last segment of the kind's path.
    pub path: &'static str,
    /// The singular, as in `get_service`.
    pub one: &'static str,
    /// The plural, as in `list_services`.
    pub many: &'static str,
    /// The name of the kind's schema.
    pub schema: &'static str,
    /// The purpose of the kind.
    pub about: &'static str,
    /// Sort orders and filters of the kind's list.
    pub list: ListSpec,
}

impl ResourceDescription {
    /// Converts a path that [`RowsApi`] or [`SheetsApi`] has for every kind to the path for this kind. For example,
    /// `/rows/:code` becomes `/admin/v1/rulebooks/:rulebook/services/:code`. Returns `None` for any other path.
    pub(super) fn path_of(&self, any: &str) -> Option<String> {
        let list = format!("/admin/v1/rulebooks/:rulebook/{}", self.path);
        let row = any.strip_prefix(ANY_ROWS).map(|rest| format!("{list}{rest}"));
        row.or_else(|| any.strip_prefix(ANY_SHEET).map(|rest| format!("{list}.csv{rest}")))
    }
}

const fn text(name: &'static str, doc: &'static str) -> Filter {
    Filter {
        name,
        kind: FilterType::Text,
        doc,
    }
}

const fn choice(name: &'static str, choices: &'static [&'static str], doc: &'static str) -> Filter {
    Filter {
        name,
        kind: FilterType::Choice(choices),
        doc,
    }
}

const BY_CODE: &[&str] = &["code", "-code"];
const BY_RANK: &[&str] = &["code", "-code", "rank", "-rank"];

macro_rules! resources {
    ($($row:ident $path:literal $one:literal $many:literal $sorts:expr, [$($filter:expr),*], $about:literal;)*) => {
        /// The descriptions of all kinds, in the order of the OpenAPI document's groups.
        pub const RESOURCES: &[ResourceDescription] = &[$(ResourceDescription {
            path: $path, one: $one, many: $many, schema: stringify!($row), about: $about,
            list: ListSpec { sorts: $sorts, filters: &[$($filter),*] },
        }),*];

        /// The functions of each kind, in the order of [`RESOURCES`].
        pub(super) static KINDS: &[RowKind] = &[
            $(RowKind::of::<$row>(ListSpec { sorts: $sorts, filters: &[$($filter),*] })),*
        ];
    };
}

resources! {
    Service "services" "service" "services" BY_RANK,
        [choice("offer", &["offered", "refused", "assessment"], "Whether the service is offered."), text("notify", "Services that notify this contact.")],
        "Services that the business offers with their prices, or refuses with a reason.";
    Area "areas" "area" "areas" BY_RANK,
        [text("cities", "Areas with this city."), text("postal_prefixes", "Areas with this beginning of a postal code.")],
        "Service areas, by postal code or city.";
    Adjustment "adjustments" "adjustment" "adjustments" BY_RANK,
        [choice("kind", &["add", "percent", "multiply", "floor", "cap", "set"], "The adjustment's effect."),
         text("stacking_group", "Adjustments of this group."), text("services", "Adjustments that name this service.")],
        "Rules that change a price if they match, in order of rank.";
    Tax "taxes" "tax" "taxes" BY_RANK, [], "Lines added to the price.";
    PriorityRule "priority-rules" "priority_rule" "priority_rules" BY_RANK,
        [choice("priority", &["P1", "P2", "P3", "P4"], "The priority that the rule gives."), text("notify", "Rules that notify this contact.")],
        "Rules for urgency and recipients; the first that matches applies.";
    Script "scripts" "script" "scripts" BY_RANK,
        [choice("hook", &["price", "priority", "tool", "library"], "Where the script runs.")],
        "Logic that rows cannot express, in Rhai; a `library` has functions for other scripts.";
    Template "templates" "template" "templates" BY_CODE, [], "The wording of SMS messages, by language.";
    Contact "contacts" "contact" "contacts" BY_RANK,
        [Filter { name: "on_call", kind: FilterType::Boolean, doc: "Whether the contact is notified if no rule names anyone." },
         text("language", "Contacts who read this language.")],
        "People to send SMS messages or transfer calls to.";
    ShiftOverride "shift-overrides" "shift_override" "shift_overrides" BY_CODE,
        [text("contact", "Overrides that put this contact on shift.")],
        "Temporary changes of who is on shift: a contact replaces another, or joins. A swap is two overrides.";
    Calendar "calendars" "calendar" "calendars" BY_CODE, [], "Opening hours, evenings, weekends and holidays.";
    FactMapping "fact-mappings" "fact_mapping" "fact_mappings" BY_CODE,
        [choice("kind", &["text", "number", "boolean", "time"], "The type of the fact.")],
        "Rules for reading facts from messages.";
    Concept "concepts" "concept" "concepts" BY_CODE, [],
        "Topics that callers express in many ways: phrases by language, and exceptions.";
    Cue "cues" "cue" "cues" BY_CODE,
        [choice("effect", &["denied", "nothing", "clause_end", "subject", "past", "now", "recurs", "present", "hypothetical", "asked", "someone_else", "own", "place",
            "other_sense", "over", "correction", "yes", "no", "filler", "besides"], "The cue's effect on the mentions around it.")],
        "Words that change what the phrases around them mean: denied, past, somebody else's, asked about.";
    Classifier "classifiers" "classifier" "classifiers" BY_CODE,
        [text("learns", "Classifiers that have learned this label.")],
        "Likelihoods that a call is about something, with weights learned from labeled calls.";
    Tool "tools" "tool" "tools" BY_CODE,
        [choice("runs", &["quote", "priority", "service_check", "scheduling", "sms_alert", "booking", "script"], "What the tool runs."),
         text("script", "Tools that run this script.")],
        "Functions that the assistant calls by name.";
    AssistantRule "assistant-rules" "assistant_rule" "assistant_rules" BY_RANK,
        [choice("answer", &["assistant", "transfer", "refuse"], "What the caller gets.")],
        "Responses to assistant requests; the first rule that matches applies.";
    Case "cases" "case" "cases" BY_CODE, [], "Facts with the expected decision; publishing runs every case.";
}

type Routes = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The operations on all kinds of rows. The OpenAPI document describes these operations once for each kind
/// (`document::rows`).
pub struct ResourcesApi(pub AdminState);

impl OpenApi for ResourcesApi {
    fn meta() -> Vec<MetaApi> {
        <(RowsApi, SheetsApi)>::meta()
    }

    fn register(registry: &mut Registry) {
        <(RowsApi, SheetsApi)>::register(registry);
    }

    fn add_routes(self, routes: &mut Routes) {
        for (kind, resource) in KINDS.iter().zip(RESOURCES) {
            let state = self.0.clone();
            let mut any = Routes::new();
            let rows = RowsApi {
                state: state.clone(),
                kind,
            };
            (rows, SheetsApi { state, kind }).add_routes(&mut any);
            for (path, methods) in any {
                if let Some(path) = resource.path_of(&path) {
                    routes.entry(path).or_default().extend(methods);
                }
            }
        }
    }
}

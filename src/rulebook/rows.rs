//! The rows a rulebook is made of, one struct per resource: the same shape in TOML files, in the API and,
//! column by column, in the database. A [`RowSet`] is all rows of one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::money::{Money, Rate};

/// Texts by language code (`fr`, `en`): what is said to a caller or written to a technician.
pub type Labels = BTreeMap<String, String>;

/// A row and the revision since which it stands, which is its `version`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<R> {
    /// The revision that wrote the row as it is; only rises.
    pub version: i64,
    /// The row.
    pub row: R,
}

/// All rows of one resource by code.
pub type Table<R> = BTreeMap<String, Arc<Stored<R>>>;

/// What every kind of row has.
pub trait Row: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    /// Which resource this is.
    const RESOURCE: Resource;
    /// The code that names the row within its rulebook.
    fn code(&self) -> &str;
    /// This resource's rows in a set.
    fn table(set: &RowSet) -> &Table<Self>;
    /// This resource's rows in a set, to change.
    fn table_mut(set: &mut RowSet) -> &mut Table<Self>;
}

macro_rules! resources {
    ($($(#[$doc:meta])* $variant:ident $field:ident $row:ident $path:literal $table:literal;)*) => {
        /// The kinds of row, in the order in which a decision meets them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Resource { $($(#[$doc])* $variant),* }

        impl Resource {
            /// All of them.
            pub const ALL: &'static [Resource] = &[$(Resource::$variant),*];

            /// The name in the API's paths and in file names.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Resource::$variant => $path),* }
            }

            /// The table that holds it.
            #[must_use]
            pub const fn table(self) -> &'static str {
                match self { $(Resource::$variant => $table),* }
            }
        }

        /// Every row of one revision of a rulebook.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct RowSet { $($(#[$doc])* pub $field: Table<$row>),* }

        $(impl Row for $row {
            const RESOURCE: Resource = Resource::$variant;
            fn code(&self) -> &str { &self.code }
            fn table(set: &RowSet) -> &Table<Self> { &set.$field }
            fn table_mut(set: &mut RowSet) -> &mut Table<Self> { &mut set.$field }
        })*

        /// Calls a generic function of one row type for the resource that is only known at run time:
        /// `with_row!(resource, R => do_it::<R>(…))`.
        macro_rules! with_row {
            ($resource:expr, $R:ident => $body:expr) => {
                match $resource {
                    $($crate::rulebook::rows::Resource::$variant => { type $R = $crate::rulebook::rows::$row; $body })*
                }
            };
        }
    };
}

resources! {
    /// Currency, time zone, rounding and defaults: one row, code `settings`.
    Settings settings Settings "settings" "rulebook_settings";
    /// How a fact is read from a message.
    FactMappings fact_mappings FactMapping "fact-mappings" "fact_mappings";
    /// What we do and refuse to do.
    Services services Service "services" "services";
    /// Where we go.
    Areas areas Area "areas" "service_areas";
    /// When we are open.
    Calendars calendars Calendar "calendars" "calendars";
    /// What changes a price.
    Adjustments adjustments Adjustment "adjustments" "price_adjustments";
    /// Lines added to the price.
    Taxes taxes Tax "taxes" "taxes";
    /// How urgent it is.
    PriorityRules priority_rules PriorityRule "priority-rules" "priority_rules";
    /// What rows cannot say, in Rhai.
    Scripts scripts Script "scripts" "scripts";
    /// Whom we text and to whom we transfer.
    Contacts contacts Contact "contacts" "contacts";
    /// What a text says.
    Templates templates Template "templates" "message_templates";
    /// What runs when the assistant calls a tool.
    Tools tools Tool "tools" "tools";
    /// What an assistant request is answered with.
    AssistantRules assistant_rules AssistantRule "assistant-rules" "assistant_rules";
    /// Facts and the decision expected of them.
    Cases cases Case "cases" "cases";
}

pub(crate) use with_row;

/// What holds for the whole rulebook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Always `settings`.
    pub code: String,
    /// ISO 4217 code of a currency with two decimals.
    pub currency: String,
    /// IANA time zone, as `America/Toronto`.
    pub time_zone: String,
    /// Languages spoken, the default first.
    pub languages: Vec<String>,
    /// How a price is rounded after the adjustments.
    pub rounding: Rounding,
    /// To a multiple of this.
    pub rounding_step: Money,
    /// The priority when no rule matches.
    pub default_priority: Priority,
    /// Seconds within which somebody should call back when no rule matches.
    pub default_sla_seconds: i64,
    /// Code of the calendar that `after_hours`, `evening` and the like read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Said when a caller asks for something that matches no service.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unknown_service: Labels,
}

/// How a price becomes a multiple of the rounding step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Rounding {
    /// A half goes up, away from zero.
    HalfUp,
    /// A half goes to the even neighbour.
    HalfEven,
    /// Always up.
    Up,
    /// Always down.
    Down,
}

/// How urgent a call is, P1 the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Enum)]
pub enum Priority {
    /// Now.
    P1,
    /// Within minutes.
    P2,
    /// Worth a quick call.
    P3,
    /// In turn.
    P4,
}

/// Reads one fact from a message or from a tool's arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct FactMapping {
    /// The fact's name in conditions and scripts.
    pub code: String,
    /// JSON pointers into the message, tried in order; `/arguments/…` looks into a tool's arguments.
    pub pointers: Vec<String>,
    /// What the value is read as.
    pub kind: FactKind,
    /// The value, as text, when no pointer finds one; without it the fact is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Words by which a text is brought to one of a few values: `{"complex": ["complexe", "difficult"]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[oai(default)]
    pub values: BTreeMap<String, Vec<String>>,
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum FactKind {
    /// Text.
    Text,
    /// An exact decimal number.
    Number,
    /// True or false.
    Boolean,
    /// An instant, RFC 3339.
    Time,
}

/// What we do, for how much, or refuse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Names the service.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// Words callers use for it, whole words unless they end in `*`; accents and case do not matter.
    pub keywords: Vec<String>,
    /// Which service wins when several match: the lowest.
    pub rank: i64,
    /// Whether we do it.
    pub offer: Offer,
    /// Lowest base price; none for what is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_from: Option<Money>,
    /// Highest base price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_to: Option<Money>,
    /// The fact that says how many, as `metres`; when it is missing, the price is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_fact: Option<String>,
    /// What one is called in each language, as "per metre".
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unit: Labels,
    /// Days until the work, at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_min: Option<i64>,
    /// Days until the work, at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_max: Option<i64>,
    /// Whether those are days on which the calendar is open.
    #[serde(default)]
    #[oai(default)]
    pub lead_working_days: bool,
    /// Said when we refuse it, or when an assessment is needed, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub reason: Labels,
    /// Codes of the contacts to tell instead of those on call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
}

/// Whether we do a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Offer {
    /// We do.
    Offered,
    /// We do not, and say why.
    Refused,
    /// We do, at a price that needs somebody to look first.
    Assessment,
}

/// A part of the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Names the area.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// Which area wins when several match: the lowest.
    pub rank: i64,
    /// Beginnings of postal codes, as `J4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub postal_prefixes: Vec<String>,
    /// Cities; accents, case and hyphens do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub cities: Vec<String>,
}

/// Opening hours and the days that are not ordinary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Names the calendar.
    pub code: String,
    /// Opening hours by day (`monday` to `sunday`), as `["08:00-12:00", "13:00-17:00"]`; a missing day is closed.
    pub open: BTreeMap<String, Vec<String>>,
    /// When the evening begins, as `18:00`.
    pub evening_from: String,
    /// When it ends.
    pub evening_until: String,
    /// The days of the weekend.
    pub weekend: Vec<String>,
    /// Days on which we are closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub holidays: Vec<Holiday>,
}

/// A day on which we are closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The day in the rulebook's time zone.
    pub date: NaiveDate,
    /// Its name.
    pub name: String,
}

/// Changes a price when its condition holds; applied in the order of rank, to both ends of the range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// Names the adjustment.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order in which adjustments apply, lowest first; codes break ties.
    pub rank: i64,
    /// What it does.
    pub kind: AdjustmentKind,
    /// The money, for `add`, `floor`, `cap` and `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The factor for `multiply` or the percentage for `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// Codes of the services it applies to; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub services: Vec<String>,
    /// Of the adjustments of one group only the first that matches applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking_group: Option<String>,
    /// Applies from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Applies before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// What an adjustment does to a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AdjustmentKind {
    /// Adds the amount.
    Add,
    /// Adds the rate in percent of the price so far.
    Percent,
    /// Multiplies by the rate.
    Multiply,
    /// At least the amount.
    Floor,
    /// At most the amount.
    Cap,
    /// The amount, whatever it was.
    Set,
}

/// A tax on the price before tax, as a line of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Names the tax.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order of the lines.
    pub rank: i64,
    /// In percent, as `9.975`.
    pub rate: Rate,
}

/// Gives a call its priority; the first by rank whose condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Names the rule.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order in which rules are tried, lowest first; codes break ties.
    pub rank: i64,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// The priority given.
    pub priority: Priority,
    /// Seconds within which somebody should call back.
    pub sla_seconds: i64,
    /// Codes of the contacts to text; empty is those on call. A service's own contacts go first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
    /// Code of the text's template; without it nobody is texted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A Rhai script and where it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Names the script.
    pub code: String,
    /// Where it runs.
    pub hook: Hook,
    /// The order among scripts of one hook.
    pub rank: i64,
    /// Rhai.
    pub source: String,
}

/// Where a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Hook {
    /// After the adjustments, before rounding.
    Price,
    /// After the priority rules.
    Priority,
    /// As a tool that the assistant calls.
    Tool,
}

/// Somebody to text or to transfer to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Names the contact.
    pub code: String,
    /// What people call them.
    pub name: String,
    /// E.164, as `+15145550101`.
    pub phone: String,
    /// The language of their texts.
    pub language: String,
    /// The order in which contacts are tried.
    pub rank: i64,
    /// Whether they are told when no rule names anyone.
    pub on_call: bool,
}

/// The text of an SMS message, by language, with `{placeholders}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Names the template.
    pub code: String,
    /// The text in each language.
    pub texts: Labels,
}

/// A tool that the assistant calls by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name under which the assistant calls it.
    pub code: String,
    /// What runs.
    pub runs: ToolKind,
    /// Code of the script, when a script runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Code of the text's template, for `sms_alert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum ToolKind {
    /// A price, spoken.
    Quote,
    /// A priority.
    Priority,
    /// Whether we do it, and where.
    ServiceCheck,
    /// When we could come.
    Scheduling,
    /// A text to those concerned.
    SmsAlert,
    /// A wanted slot, kept as a lead.
    Booking,
    /// A Rhai script.
    Script,
}

/// Answers an assistant request; the first by rank whose condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct AssistantRule {
    /// Names the rule.
    pub code: String,
    /// The order in which rules are tried, lowest first; codes break ties.
    pub rank: i64,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// What the caller gets.
    pub answer: AssistantAnswer,
    /// Id of the saved assistant at Vapi, for `assistant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<String>,
    /// Code of the contact to transfer to, for `transfer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Said to the caller before a transfer or as the refusal, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub message: Labels,
}

/// What an assistant request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AssistantAnswer {
    /// The saved assistant, with the current prices and hours as variables.
    Assistant,
    /// A transfer to a contact.
    Transfer,
    /// A spoken refusal.
    Refuse,
}

/// Facts and what must be decided from them; publishing runs every case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Names the case.
    pub code: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub comment: String,
    /// The instant the facts are about.
    pub at: DateTime<Utc>,
    /// What the caller said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub said: String,
    /// Facts as a message would give them, by name.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Parts of the decision, by their place in it, as `{"/price/from": "450.00", "/priority": "P3"}`.
    pub expect: BTreeMap<String, serde_json::Value>,
}

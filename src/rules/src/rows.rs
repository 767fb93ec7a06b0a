//! The rows a rulebook is made of, one struct per resource: the same shape in TOML files, in the API and,
//! column by column, in the database. A [`RowSet`] is all rows of one revision.

mod assistant;
mod facts;
mod hearing;
mod pricing;
mod urgency;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::assistant::*;
pub use self::facts::*;
pub use self::hearing::*;
pub use self::pricing::*;
pub use self::urgency::*;

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

/// Whether a row reads alike, whichever revision wrote it.
#[must_use]
pub fn same<R: Row>(one: &Arc<Stored<R>>, other: &Arc<Stored<R>>) -> bool {
    Arc::ptr_eq(one, other) || one.row == other.row
}

/// A row's code, and the row as it was and as it is; none where it was not there yet, or is gone.
pub type Changed<'a, R> = (&'a String, Option<&'a Arc<Stored<R>>>, Option<&'a Arc<Stored<R>>>);

/// The rows of one kind that do not read alike in two states, by code.
#[must_use]
pub fn changed<'a, R: Row>(before: &'a RowSet, after: &'a RowSet) -> Vec<Changed<'a, R>> {
    let (old, new) = (R::table(before), R::table(after));
    let codes: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let pairs = codes.into_iter().map(|code| (code, old.get(code), new.get(code)));
    let differ = |(_, was, is): &Changed<'a, R>| !was.zip(*is).is_some_and(|(was, is)| same(was, is));
    pairs.filter(differ).collect()
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

        impl RowSet {
            /// How many rows there are.
            #[must_use]
            pub fn count(&self) -> usize {
                [$(self.$field.len()),*].iter().sum()
            }
        }

        $(impl Row for $row {
            const RESOURCE: Resource = Resource::$variant;
            fn code(&self) -> &str { &self.code }
            fn table(set: &RowSet) -> &Table<Self> { &set.$field }
            fn table_mut(set: &mut RowSet) -> &mut Table<Self> { &mut set.$field }
        })*

        /// Calls a generic function of one row type for the resource that is only known at run time:
        /// `with_row!(resource, R => do_it::<R>(…))`.
        #[macro_export]
        macro_rules! with_row {
            ($resource:expr, $R:ident => $body:expr) => {
                match $resource {
                    $($crate::rows::Resource::$variant => { type $R = $crate::rows::$row; $body })*
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
    /// What callers say in many ways.
    Concepts concepts Concept "concepts" "concepts";
    /// Words that say how others are meant.
    Cues cues Cue "cues" "cues";
    /// How likely a call is about something, by its words.
    Classifiers classifiers Classifier "classifiers" "classifiers";
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
    /// Who is on shift for a while, whatever the plans say.
    ShiftOverrides shift_overrides ShiftOverride "shift-overrides" "shift_overrides";
    /// What a text says.
    Templates templates Template "templates" "message_templates";
    /// What runs when the assistant calls a tool.
    Tools tools Tool "tools" "tools";
    /// What an assistant request is answered with.
    AssistantRules assistant_rules AssistantRule "assistant-rules" "assistant_rules";
    /// Facts and the decision expected of them.
    Cases cases Case "cases" "cases";
}

pub use with_row;

impl Resource {
    /// The resource of this name in paths.
    #[must_use]
    pub fn named(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.path() == path)
    }
}

/// By its name in paths.
impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.path())
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::named(&name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|resource| resource.path()).collect();
            D::Error::custom(format!("`{name}` is no resource; these are: {}", known.join(", ")))
        })
    }
}

//! The rows of a rulebook, one struct per resource. A row has the same fields in TOML files, in the API and as columns
//! in the database. A [`RowSet`] contains all rows of one revision.

mod assistant;
mod facts;
mod hearing;
mod pricing;
mod priorities;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::assistant::*;
pub use self::facts::*;
pub use self::hearing::*;
pub use self::pricing::*;
pub use self::priorities::*;

/// Text by language code (`fr`, `en`), spoken to a caller or sent to a technician.
pub type Labels = BTreeMap<String, String>;

/// A row and its `version`: the revision that last changed it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow<R> {
    /// The revision that last wrote the row; never decreases.
    pub version: i64,
    pub row: R,
}

/// All rows of one resource by code.
pub type Table<R> = BTreeMap<String, Arc<StoredRow<R>>>;

/// The interface of all types of rows.
pub trait Row: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    const RESOURCE: Resource;
    /// The code that names the row within its rulebook.
    fn code(&self) -> &str;
    /// The rows of this resource in a set.
    fn table(set: &RowSet) -> &Table<Self>;
    /// The rows of this resource in a set, mutable.
    fn table_mut(set: &mut RowSet) -> &mut Table<Self>;
}

/// Whether two rows have the same content, regardless of the revision that wrote them.
#[must_use]
pub fn same<R: Row>(one: &Arc<StoredRow<R>>, other: &Arc<StoredRow<R>>) -> bool {
    Arc::ptr_eq(one, other) || one.row == other.row
}

/// The code of a row, the row before the change and the row after it. `None` means that the row did not exist at that
/// time.
pub type RowChange<'a, R> = (&'a String, Option<&'a Arc<StoredRow<R>>>, Option<&'a Arc<StoredRow<R>>>);

/// Returns the rows of one resource whose content differs between two row sets, sorted by code.
#[must_use]
pub fn changed<'a, R: Row>(before: &'a RowSet, after: &'a RowSet) -> Vec<RowChange<'a, R>> {
    let (old, new) = (R::table(before), R::table(after));
    let codes: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let pairs = codes.into_iter().map(|code| (code, old.get(code), new.get(code)));
    let differ = |(_, was, is): &RowChange<'a, R>| !was.zip(*is).is_some_and(|(was, is)| same(was, is));
    pairs.filter(differ).collect()
}

macro_rules! resources {
    ($($(#[$doc:meta])* $variant:ident $field:ident $row:ident $path:literal $table:literal;)*) => {
        /// The resources, in the order in which a decision uses them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Resource { $($(#[$doc])* $variant),* }

        impl Resource {
            /// All resources.
            pub const ALL: &'static [Resource] = &[$(Resource::$variant),*];

            /// The name in the API's paths and in file names.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Resource::$variant => $path),* }
            }

            /// The database table.
            #[must_use]
            pub const fn table(self) -> &'static str {
                match self { $(Resource::$variant => $table),* }
            }
        }

        /// Every row of one revision of a rulebook.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct RowSet { $($(#[$doc])* pub $field: Table<$row>),* }

        impl RowSet {
            /// The number of rows.
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

        /// Calls a generic function for the row type of a resource that is only known at run time:
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
    /// Rules for reading facts from messages.
    FactMappings fact_mappings FactMapping "fact-mappings" "fact_mappings";
    /// Topics that callers express in many ways.
    Concepts concepts Concept "concepts" "concepts";
    /// Words that change the sense of the words around them.
    Cues cues Cue "cues" "cues";
    /// Trained models that estimate from a call's words how likely the call has a label.
    Classifiers classifiers Classifier "classifiers" "classifiers";
    /// Services that the business offers or refuses.
    Services services Service "services" "services";
    /// Regions that the business serves.
    Areas areas Area "areas" "service_areas";
    /// Opening hours and holidays.
    Calendars calendars Calendar "calendars" "calendars";
    /// Rules that change a price.
    Adjustments adjustments Adjustment "adjustments" "price_adjustments";
    /// Lines added to the price.
    Taxes taxes Tax "taxes" "taxes";
    /// Rules that set the priority of a call.
    PriorityRules priority_rules PriorityRule "priority-rules" "priority_rules";
    /// Logic that rows cannot express, in Rhai.
    Scripts scripts Script "scripts" "scripts";
    /// People to send SMS messages or transfer calls to.
    Contacts contacts Contact "contacts" "contacts";
    /// Temporary changes of who is on shift, regardless of schedules.
    ShiftOverrides shift_overrides ShiftOverride "shift-overrides" "shift_overrides";
    /// Wording of SMS messages.
    Templates templates Template "templates" "message_templates";
    /// Functions that the assistant can call.
    Tools tools Tool "tools" "tools";
    /// Responses to assistant requests.
    AssistantRules assistant_rules AssistantRule "assistant-rules" "assistant_rules";
    /// Facts with the expected decision.
    Cases cases Case "cases" "cases";
}

pub use with_row;

impl Resource {
    /// Returns the resource whose path name is `path`.
    #[must_use]
    pub fn named(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.path() == path)
    }
}

/// Serialized as the name in paths.
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
            D::Error::custom(format!(
                "`{name}` is not a resource; the resources are: {}",
                known.join(", ")
            ))
        })
    }
}

//! Finds the rulebooks that the API caller may see, by id and by code, for lists across rulebooks.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::auth::Caller;
use super::list::{Filter, FilterType, Listing};
use super::state::AdminState;
use store::rulebooks;
use web::problem::Problem;

/// The filter that every list across rulebooks has.
pub const RULEBOOK: Filter = Filter {
    name: "rulebook",
    kind: FilterType::Text,
    doc: "The rulebook's code.",
};

/// The rulebooks that an API caller may see.
pub struct Rulebooks {
    codes: HashMap<Uuid, String>,
    wanted: Option<Uuid>,
}

/// Returns the rulebooks that the API caller may see. The list's filter `rulebook` selects one of them.
pub async fn rulebooks(state: &AdminState, caller: &Caller, listing: Option<&Listing>) -> Result<Rulebooks, Problem> {
    let mut query = rulebooks::Entity::find();
    if let Some(own) = caller.rulebook_id {
        query = query.filter(rulebooks::Column::Id.eq(own));
    }
    let codes: HashMap<_, _> = query
        .all(state.latest())
        .await?
        .into_iter()
        .map(|row| (row.id, row.code))
        .collect();
    let wanted = match listing.and_then(|listing| listing.text("rulebook")) {
        None => caller.rulebook_id,
        Some(code) => {
            let found = codes.iter().find(|(_, own)| *own == code).map(|(id, _)| *id);
            Some(found.ok_or_else(|| Problem::not_found(format!("rulebook `{}`", super::state::shortened(code))))?)
        }
    };
    Ok(Rulebooks { codes, wanted })
}

impl Rulebooks {
    /// Returns the query condition that selects these rulebooks.
    pub fn filter<C: ColumnTrait>(&self, column: C) -> Condition {
        self.wanted
            .map_or_else(Condition::all, |id| Condition::all().add(column.eq(id)))
    }

    /// Returns the id of the rulebook with this code.
    #[must_use]
    pub fn id(&self, code: &str) -> Option<Uuid> {
        self.codes.iter().find(|(_, own)| *own == code).map(|(id, _)| *id)
    }

    /// Returns the code of the rulebook with this id.
    #[must_use]
    pub fn code(&self, id: Uuid) -> String {
        self.codes.get(&id).cloned().unwrap_or_default()
    }
}

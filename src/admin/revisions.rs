//! Revisions: the states a rulebook has had, and the way back to one of them.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::answer::{Found, Page};
use super::auth::{Editor, Key, Viewer};
use super::fails::{Fails, RulebookWrite, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::publishing;
use super::rule_rows::checked_comment;
use super::state::{AdminState, InRulebook};
use crate::problem::Problem;
use crate::store::{page, revisions};

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-number", "number"],
    filters: &[Filter {
        name: "kind",
        kind: Kind::Choice(&["publish", "roll_back", "import"]),
        doc: "How it came about.",
    }],
};

/// The operations.
pub struct RevisionsApi(pub AdminState);

/// A state of the rulebook.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Revision {
    /// Its number; numbers only rise.
    number: i64,
    /// `publish`, `roll_back` or `import`.
    kind: String,
    /// The older revision that a roll back brought back.
    equals: Option<i64>,
    /// Who published it.
    author: String,
    /// Why.
    comment: String,
    /// When.
    created_at: DateTime<Utc>,
}

/// What came of a roll back.
#[derive(Debug, Object)]
pub struct RolledBack {
    /// The new head revision.
    revision: i64,
    /// The older revision that it equals.
    equals: i64,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/revisions")]
impl RevisionsApi {
    /// List the revisions
    #[oai(path = "/", method = "get")]
    async fn list_revisions(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        query: ListQuery,
    ) -> Result<Found<Page<Revision>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = revisions::Entity::find().filter(revisions::Column::RulebookId.eq(rulebook_id));
        if let Some(kind) = listing.text("kind") {
            select = select.filter(revisions::Column::Kind.eq(kind));
        }
        let (by, id) = (revisions::Column::Number, revisions::Column::Number);
        let sorting = page::Sorting {
            by,
            id,
            descending: listing.descending,
        };
        let after = listing
            .after
            .as_ref()
            .and_then(|(by, _)| by.as_i64())
            .map(|number| (number.into(), number.into()));
        let rows = page::rows(self.0.latest(), select, sorting, after, listing.limit).await?;
        Ok(Found::new(listing.page(
            rows,
            |row| (row.number.into(), String::new()),
            |row| Revision {
                number: row.number,
                kind: row.kind,
                equals: row.equals,
                author: row.author,
                comment: row.comment,
                created_at: row.created_at,
            },
        )))
    }

    /// Roll back to a revision
    ///
    /// Publishes a new revision equal to the old one: history is never lost, and a roll back can be rolled back.
    #[oai(path = "/:number/roll-back", method = "post")]
    async fn roll_back(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The revision to go back to.
        number: Path<i64>,
        /// Why, for the list of revisions.
        comment: Query<Option<String>>,
    ) -> Result<Found<RolledBack>, Fails<RulebookWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        if number.0 < 1 {
            return Err(Problem::not_found(format!("revision {}", number.0)).into());
        }
        let comment = checked_comment(comment.0)?;
        let published = publishing::roll_back(&self.0, rulebook_id, number.0, comment, key.author()).await?;
        Ok(Found::new(RolledBack {
            revision: published.revision,
            equals: number.0,
        }))
    }
}

//! A change set becomes a revision: apply, compile, check, run the cases, all outside any transaction; then one short
//! transaction compares the head and writes rows, revision, audit entries and the new head.

use std::sync::Arc;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

use super::cases::CaseResult;
use super::change_set::{ChangeSet, apply, brought_back};
use super::compile::{self, Rulebook};
use super::current::{Current, LoadError};
use super::fault::Fault;
use super::rows::{Resource, RowSet};
use crate::clock::Clock;
use crate::store::{self, audit_log, audit_log::AuditKey, revisions, rulebooks, rules};

/// How often a publish starts anew because somebody else published meanwhile.
const MOST_TRIES: u32 = 20;

/// Who publishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Author {
    /// The name of the key, or of the command.
    pub name: String,
    /// The API key.
    pub key_id: Option<Uuid>,
    /// The client's address.
    pub address: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

/// A new revision, or the present one when nothing changed.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its number.
    pub revision: i64,
    /// Compiled.
    pub rulebook: Arc<Rulebook>,
}

/// Why nothing was published; the rulebook stands as it stood.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such rulebook.
    #[error("no such rulebook")]
    UnknownRulebook,
    /// There is no such revision to go back to.
    #[error("revision {0} does not exist")]
    UnknownRevision(i64),
    /// A rulebook of this code exists.
    #[error("a rulebook of this code exists")]
    RulebookExists,
    /// Somebody changed the row since it was read.
    #[error("{} {code} is at version {current:?}", resource.path())]
    Stale {
        /// The kind of row.
        resource: Resource,
        /// Its code.
        code: String,
        /// The version that stands; none when the row is gone.
        current: Option<i64>,
    },
    /// The row to change is not there.
    #[error("no {} {code}", resource.path())]
    Missing {
        /// The kind of row.
        resource: Resource,
        /// Its code.
        code: String,
    },
    /// A row of this code is there already.
    #[error("{} {code} exists", resource.path())]
    Exists {
        /// The kind of row.
        resource: Resource,
        /// Its code.
        code: String,
        /// The version that stands.
        version: i64,
    },
    /// The rows do not compile.
    #[error("{} faults", .0.len())]
    Faults(Vec<Fault>),
    /// Cases expect something else.
    #[error("{} cases fail", .0.len())]
    CasesFailed(Vec<CaseResult>),
    /// Too many others publish at once.
    #[error("too many publish at once")]
    Contended,
    /// The state to start from cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database did not take it.
    #[error("the database did not take the change")]
    Database(#[from] DbErr),
}

/// Makes revisions.
#[derive(Clone)]
pub struct Publisher {
    db: DatabaseConnection,
    current: Current,
    clock: Clock,
    audit: AuditKey,
}

impl Publisher {
    /// Over the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, current: Current, clock: Clock, audit: AuditKey) -> Self {
        Self {
            db,
            current,
            clock,
            audit,
        }
    }

    /// Publishes edits; a plain write is a change set of one.
    ///
    /// # Errors
    /// When an edit is stale, the result does not compile, a case fails, or the database does not take it.
    pub async fn publish(
        &self,
        rulebook_id: Uuid,
        change: ChangeSet,
        author: &Author,
    ) -> Result<Published, PublishError> {
        let plan = |head: &Rulebook| apply(head.rows(), head.revision() + 1, &change.edits);
        self.advance(rulebook_id, "publish", None, &change.comment, author, plan)
            .await
    }

    /// Publishes a new revision equal to an older one.
    ///
    /// # Errors
    /// When there is no such revision, or as for [`Publisher::publish`].
    pub async fn roll_back(
        &self,
        rulebook_id: Uuid,
        to: i64,
        comment: &str,
        author: &Author,
    ) -> Result<Published, PublishError> {
        let old = match self.current.at(rulebook_id, to).await {
            Err(LoadError::Unknown(_)) => return Err(PublishError::UnknownRevision(to)),
            other => other?,
        };
        let plan = |head: &Rulebook| Ok(brought_back(head.rows(), old.rows(), head.revision() + 1));
        self.advance(rulebook_id, "roll_back", Some(to), comment, author, plan)
            .await
    }

    /// Makes the rulebook be exactly these rows.
    ///
    /// # Errors
    /// As for [`Publisher::publish`].
    pub async fn import(
        &self,
        rulebook_id: Uuid,
        rows: RowSet,
        comment: &str,
        author: &Author,
    ) -> Result<Published, PublishError> {
        let plan = |head: &Rulebook| Ok(brought_back(head.rows(), &rows, head.revision() + 1));
        self.advance(rulebook_id, "import", None, comment, author, plan).await
    }

    /// A new rulebook with these rows as its first revision.
    ///
    /// # Errors
    /// When one of this code exists, or as for [`Publisher::publish`].
    pub async fn create(
        &self,
        code: &str,
        rows: RowSet,
        webhook_auth: Value,
        author: &Author,
    ) -> Result<(Uuid, Published), PublishError> {
        let next = brought_back(&RowSet::default(), &rows, 1);
        let rulebook = checked(next, 1, None).await?;
        let id = self.clock.new_id();
        let now = self.clock.now();
        let tx = store::begin(&self.db).await?;
        let row = rulebooks::ActiveModel {
            id: Set(id),
            code: Set(code.to_owned()),
            head_revision: Set(0),
            webhook_auth: Set(webhook_auth),
            auth_version: Set(1),
            created_at: Set(now),
        };
        let inserted = rulebooks::Entity::insert(row)
            .on_conflict(
                sea_orm::sea_query::OnConflict::column(rulebooks::Column::Code)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&tx)
            .await?;
        if inserted == 0 {
            return Err(PublishError::RulebookExists);
        }
        let changes = rules::changes(&RowSet::default(), rulebook.rows());
        self.write(&tx, id, "import", None, "first revision", author, &changes, 1)
            .await?;
        tx.commit().await?;
        self.current.keep(id, Arc::clone(&rulebook)).await;
        Ok((id, Published { revision: 1, rulebook }))
    }

    /// From the head to the next revision, again when somebody else was first.
    async fn advance(
        &self,
        rulebook_id: Uuid,
        kind: &str,
        equals: Option<i64>,
        comment: &str,
        author: &Author,
        plan: impl Fn(&Rulebook) -> Result<RowSet, PublishError>,
    ) -> Result<Published, PublishError> {
        for _ in 0..MOST_TRIES {
            let head = head(&self.db, rulebook_id)
                .await?
                .ok_or(PublishError::UnknownRulebook)?;
            let base = self.current.at(rulebook_id, head).await?;
            let rows = plan(&base)?;
            let changes = rules::changes(base.rows(), &rows);
            if changes.is_empty() {
                return Ok(Published {
                    revision: head,
                    rulebook: base,
                });
            }
            let rulebook = checked(rows, head + 1, Some(Arc::clone(&base))).await?;
            let tx = store::begin(&self.db).await?;
            if rulebooks::locked_head(&tx, rulebook_id).await? != Some(head) {
                tx.rollback().await?;
                continue;
            }
            self.write(&tx, rulebook_id, kind, equals, comment, author, &changes, head + 1)
                .await?;
            tx.commit().await?;
            self.current.keep(rulebook_id, Arc::clone(&rulebook)).await;
            return Ok(Published {
                revision: head + 1,
                rulebook,
            });
        }
        Err(PublishError::Contended)
    }

    /// The writes of one revision; the caller holds the head.
    #[expect(clippy::too_many_arguments, reason = "the columns of a revision, each named once")]
    async fn write(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        kind: &str,
        equals: Option<i64>,
        comment: &str,
        author: &Author,
        changes: &[rules::RowChange],
        number: i64,
    ) -> Result<(), DbErr> {
        let now = self.clock.now();
        let revision = revisions::ActiveModel {
            rulebook_id: Set(rulebook_id),
            number: Set(number),
            kind: Set(kind.to_owned()),
            equals: Set(equals),
            author: Set(author.name.clone()),
            comment: Set(comment.to_owned()),
            created_at: Set(now),
        };
        revisions::Entity::insert(revision).exec_without_returning(tx).await?;
        rules::write(tx, rulebook_id, number, changes).await?;
        rulebooks::Entity::update_many()
            .col_expr(rulebooks::Column::HeadRevision, number.into())
            .filter(rulebooks::Column::Id.eq(rulebook_id))
            .exec(tx)
            .await?;
        let entries = changes.iter().map(|change| {
            let action = match (&change.before, &change.after) {
                (None, _) => "create",
                (_, None) => "delete",
                _ => "update",
            };
            audit_log::NewEntry {
                id: self.clock.new_id(),
                at: now,
                actor: author.name.clone(),
                actor_key_id: author.key_id,
                address: author.address.clone(),
                request_id: author.request_id.clone(),
                rulebook_id: Some(rulebook_id),
                action: action.to_owned(),
                resource: change.resource.path().to_owned(),
                code: change.code.clone(),
                revision: Some(number),
                before: change.before.clone(),
                after: change.after.clone(),
            }
        });
        audit_log::append_all(tx, &self.audit, entries.collect()).await
    }
}

async fn head(db: &DatabaseConnection, rulebook_id: Uuid) -> Result<Option<i64>, DbErr> {
    rulebooks::Entity::find_by_id(rulebook_id)
        .select_only()
        .column(rulebooks::Column::HeadRevision)
        .into_tuple::<i64>()
        .one(db)
        .await
}

/// Compiled, and every case green.
async fn checked(rows: RowSet, revision: i64, base: Option<Arc<Rulebook>>) -> Result<Arc<Rulebook>, PublishError> {
    tokio::task::spawn_blocking(move || {
        let rulebook = compile::compile(revision, &rows, base.as_deref()).map_err(PublishError::Faults)?;
        let failed: Vec<CaseResult> = rulebook.run_cases().into_iter().filter(|case| !case.passed).collect();
        if failed.is_empty() {
            Ok(Arc::new(rulebook))
        } else {
            Err(PublishError::CasesFailed(failed))
        }
    })
    .await
    .map_err(|error| DbErr::Custom(error.to_string()))?
}

//! Publishes a change set as a revision. Edits are applied, compiled and checked outside any transaction. A short
//! transaction then compares the head, and writes rows, revision, audit entries and the new head. A publish request
//! replaces only the head that its plan is based on.
//!
//! [`plan`] does everything before the transaction, and `write_revision` writes inside the transaction. [`change_sets`]
//! and [`schedule`] handle stored change sets. [`approvals`] handles changes beyond the guard rails, [`refusal`]
//! describes why something was not published, and [`idempotency`] makes a publish request idempotent.

pub mod approvals;
pub mod change_sets;
pub mod idempotency;
pub mod plan;
pub mod refusal;
pub mod schedule;
mod stored_change_set;
mod write_revision;

use std::sync::Arc;

use sea_orm::{ActiveValue::Set, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinError;
use uuid::Uuid;

use self::change_sets::{Claim, SetError, StoredChangeSet};
use self::idempotency::{Effect, Receipt, ReceiptError};
pub use self::plan::{Draft, PublishPlan};
use self::plan::{apply, beyond, checked, lint_passed};
use super::cache::{LoadError, RulebookCache};
use authoring::change_set::{ChangeSet, Conflict, rolled_back};
use authoring::edits;
use base::clock::Clock;
use rules::cases::CaseResult;
use rules::compile::Rulebook;
use rules::fair_pool::Busy;
use rules::fault::Fault;
use rules::guard_rails::GuardRails;
use rules::one_at_a_time::TurnQueue;
use rules::rows::RowSet;
use store::audit_log::AuditKey;
use store::dry_run;
use store::fault_points::{self, Step as FaultStep};
use store::quotas::{self, Quota};
use store::{Transaction, guard_rails, rule_rows, rulebooks};

/// Number of attempts without a lock. If the head moves during each attempt, the publish request then locks the head
/// while it plans. Otherwise an instance that is slower than the other instances would never succeed.
const TRIES: u32 = 4;
/// Maximum number of publish requests of one rulebook that wait in this process. The requests run one after another. If
/// these requests ran in parallel, only the first request would succeed, and the other requests would compile in vain.
/// Requests of other processes are not in this queue, so the transaction also compares the head.
const MAX_WAITING: usize = 64;

/// The person or command that publishes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Author {
    /// The name of the key, or of the command.
    pub name: String,
    /// The API key.
    pub key_id: Option<Uuid>,
    /// The client's address.
    pub address: Option<String>,
    /// The id of the HTTP request.
    pub request_id: Option<String>,
}

/// A new revision, or the current revision if nothing changed.
#[derive(Debug, Clone)]
pub struct PublishedRevision {
    /// The number of the revision.
    pub revision: i64,
    /// The compiled revision.
    pub rulebook: Arc<Rulebook>,
    /// The stored change set that was published, in its current version.
    pub set: Option<StoredChangeSet>,
}

/// A rulebook to be created, without its rows.
#[derive(Debug, Clone)]
pub struct RulebookToCreate<'a> {
    pub code: &'a str,
    /// The display name.
    pub name: Option<String>,
    /// How the rulebook's webhook verifies messages.
    pub webhook_auth: Value,
    /// How SMS messages are delivered: one of the constants in [`rulebooks`].
    pub sms_delivery: &'a str,
}

/// A requested rollback to an older revision.
#[derive(Debug, Clone)]
pub struct RollBackRequest {
    pub to: i64,
    /// The expected head. The rollback fails if the head is another revision.
    pub seen: i64,
    pub comment: String,
}

/// Why nothing was published. The rulebook is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such rulebook.
    #[error("there is no such rulebook")]
    UnknownRulebook,
    /// The revision to roll back to does not exist.
    #[error("revision {0} does not exist")]
    UnknownRevision(i64),
    /// The head is not the expected revision.
    #[error("the head is revision {current}, not {seen}")]
    HeadMoved {
        /// The expected head.
        seen: i64,
        /// The current head.
        current: i64,
    },
    /// The request was processed before, and its result is stored.
    #[error("the request was processed before")]
    DoneBefore,
    /// A rulebook with this code exists, ignoring case.
    #[error("a rulebook with this code exists")]
    RulebookExists,
    /// Rows were changed, created or deleted since they were read.
    #[error("{} rows have changed since the edits were made", .0.len())]
    Conflicts(Vec<Conflict>),
    /// The rows do not compile.
    #[error("{} validation errors", .0.len())]
    Faults(Vec<Fault>),
    /// Some cases fail, because they expect another result.
    #[error("{} cases fail", .0.len())]
    CasesFailed(Vec<CaseResult>),
    /// The change exceeds the guard rails, and waits for a second person.
    #[error("the change goes beyond the guard rails and waits for a second person, as change set {}", .0.set.id)]
    Waits(Box<StoredChangeSet>),
    /// The stored change set does not allow the operation.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The base revision cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The rulebook has reached a quota.
    #[error(transparent)]
    Quota(#[from] Quota),
    /// The threads that compile and compare are busy, or too many publish requests of the rulebook are waiting.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The change was not made, because its result could not be stored for repeats of the request.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The database failed.
    #[error("the database did not store the change")]
    Database(#[from] DbErr),
}

/// A planned move of the head, with the data that is known before the new revision exists.
#[derive(Clone, Copy)]
struct HeadMove<'a> {
    kind: &'static str,
    equals: Option<i64>,
    comment: &'a str,
    /// Who publishes the revision.
    author: &'a Author,
    /// The author of the change, even if somebody else approved it.
    made_by: &'a str,
    /// Whether to skip the guard rails, because somebody else approved the change or because an administrator rolls
    /// back.
    free: bool,
    /// The id and the version of the stored change set to publish.
    set: Option<Claim>,
    /// The expected head. `None` accepts any head.
    seen: Option<i64>,
    /// Stores the result, if the request must be idempotent.
    receipt: Option<&'a dyn Receipt>,
}

impl<'a> HeadMove<'a> {
    /// Plans a move of the head for the author's own change. The guard rails apply to the change, and there is no
    /// stored change set.
    const fn new(kind: &'static str, comment: &'a str, author: &'a Author) -> Self {
        Self {
            kind,
            equals: None,
            comment,
            author,
            made_by: author.name.as_str(),
            free: false,
            set: None,
            seen: None,
            receipt: None,
        }
    }

    /// Checks that `head` is the expected head.
    fn replaces(self, head: i64) -> Result<(), PublishError> {
        match self.seen {
            Some(seen) if seen != head => Err(PublishError::HeadMoved { seen, current: head }),
            _ => Ok(()),
        }
    }

    /// Stores the result, if the request is idempotent.
    async fn settle(self, tx: &DatabaseTransaction, effect: Effect<'_>) -> Result<(), ReceiptError> {
        match self.receipt {
            Some(receipt) => receipt.settle(tx, effect).await,
            None => Ok(()),
        }
    }
}

/// Publishes revisions.
#[derive(Clone)]
pub struct Publisher {
    db: DatabaseConnection,
    current: RulebookCache,
    clock: Clock,
    audit_key: AuditKey,
    turns: TurnQueue,
}

impl Publisher {
    /// `db` must be the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, current: RulebookCache, clock: Clock, audit_key: AuditKey) -> Self {
        Self {
            db,
            current,
            clock,
            audit_key,
            turns: TurnQueue::new(MAX_WAITING),
        }
    }

    /// Publishes edits, in a separate task, so that a client that disconnects cannot interrupt it. A plain write is a
    /// change set with one edit.
    ///
    /// # Errors
    /// When an edit is stale, the result does not compile or has a new lint error, a case fails, or the database
    /// fails.
    pub fn publish(
        &self,
        rulebook_id: Uuid,
        change: ChangeSet,
        author: Author,
    ) -> impl Future<Output = Result<Result<PublishedRevision, PublishError>, JoinError>> + Send + use<> {
        let publisher = self.clone();
        dry_run::spawn(async move {
            let step = HeadMove::new("publish", &change.comment, &author);
            let plan = |base: &RowSet, next| apply(base, next, &change.edits);
            publisher.advance(rulebook_id, step, plan).await
        })
    }

    /// Publishes a new revision that equals an older revision. The head must be the expected head. The guard rails do
    /// not apply to an administrator's rollback.
    ///
    /// # Errors
    /// When there is no such revision, the head has moved, or the request was processed before. The errors of
    /// [`Publisher::publish`] are also possible.
    pub async fn roll_back(
        &self,
        rulebook_id: Uuid,
        way: &RollBackRequest,
        author: &Author,
        is_admin: bool,
        receipt: &dyn Receipt,
    ) -> Result<PublishedRevision, PublishError> {
        let to = way.to;
        let old = match self.current.base(rulebook_id, to).await {
            Err(LoadError::Unknown(_)) => return Err(PublishError::UnknownRevision(to)),
            other => other?,
        };
        let step = HeadMove {
            equals: Some(to),
            free: is_admin,
            seen: Some(way.seen),
            receipt: Some(receipt),
            ..HeadMove::new("roll_back", &way.comment, author)
        };
        let plan = |base: &RowSet, next| Ok(rolled_back(base, old.rows(), next));
        self.advance(rulebook_id, step, plan).await
    }

    /// Replaces all rows of the rulebook with these rows.
    ///
    /// # Errors
    /// The same errors as [`Publisher::publish`].
    pub async fn import(
        &self,
        rulebook_id: Uuid,
        rows: RowSet,
        comment: &str,
        author: &Author,
    ) -> Result<PublishedRevision, PublishError> {
        let step = HeadMove::new("import", comment, author);
        let plan = |base: &RowSet, next| Ok(rolled_back(base, &rows, next));
        self.advance(rulebook_id, step, plan).await
    }

    /// Creates a rulebook with these rows as its first revision.
    ///
    /// # Errors
    /// When a rulebook with this code exists. The errors of [`Publisher::publish`] are also possible.
    pub async fn create(
        &self,
        new: RulebookToCreate<'_>,
        rows: RowSet,
        author: &Author,
    ) -> Result<(Uuid, PublishedRevision), PublishError> {
        let RulebookToCreate {
            code,
            name,
            webhook_auth,
            sms_delivery,
        } = new;
        let next = rolled_back(&RowSet::default(), &rows, 1);
        // All new rulebooks wait in one queue. If the queue depended on the rulebook's id, each new rulebook would get
        // a separate queue.
        let (pools, queue) = (self.current.pools(), Uuid::nil());
        let rulebook = checked(pools, queue, next, 1, None).await?;
        lint_passed(pools, queue, None, &rulebook).await?;
        let id = self.clock.new_id();
        let tx = store::begin(&self.db).await?;
        let row = rulebooks::ActiveModel {
            id: Set(id),
            code: Set(code.to_owned()),
            head_revision: Set(0),
            webhook_auth: Set(webhook_auth),
            auth_version: Set(1),
            created_at: Set(self.clock.now()),
            sms_delivery: Set(sms_delivery.to_owned()),
            sms_delivery_version: Set(1),
            name: Set(name),
            ..Default::default()
        };
        if let Some(quota) = quotas::rulebook(&tx).await? {
            return Err(quota.into());
        }
        if rulebooks::is_taken(&*tx, code, None).await? {
            return Err(PublishError::RulebookExists);
        }
        let inserted = rulebooks::Entity::insert(row)
            .on_conflict(
                sea_orm::sea_query::OnConflict::column(rulebooks::Column::Code)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&*tx)
            .await?;
        if inserted == 0 {
            return Err(PublishError::RulebookExists);
        }
        let step = HeadMove::new("import", "first revision", author);
        let changes = rule_rows::changes(&RowSet::default(), rulebook.rows());
        let mut entries = vec![self.entry(author, write_revision::Entry::rulebook_made(id, code))];
        entries.extend(self.write_revision(&tx, id, step, &changes, 1).await?);
        self.audit_all(&tx, entries).await?;
        tx.commit().await?;
        let published = PublishedRevision {
            revision: 1,
            rulebook,
            set: None,
        };
        Ok((id, self.made(id, published).await))
    }

    /// Moves the head to the next revision, and retries if another publish request was first. Fails if the step expects
    /// a certain head and the head is another revision.
    async fn advance(
        &self,
        rulebook_id: Uuid,
        step: HeadMove<'_>,
        plan: impl Fn(&RowSet, i64) -> Result<RowSet, PublishError>,
    ) -> Result<PublishedRevision, PublishError> {
        let turn = self.turns.take(rulebook_id).await;
        let _turn = turn.ok_or(PublishError::Busy(Busy::Queue("publishing")))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let held = if tries > TRIES {
                Some(self.begun(step).await?)
            } else {
                None
            };
            let head = match &held {
                Some(tx) => rulebooks::locked_head(tx, rulebook_id).await?,
                None => rulebooks::head(&self.db, rulebook_id).await?,
            };
            let head = head.ok_or(PublishError::UnknownRulebook)?;
            step.replaces(head)?;
            let base = self.current.base(rulebook_id, head).await?;
            let rows = plan(base.rows(), head + 1)?;
            let changes = rule_rows::changes(base.rows(), &rows);
            if changes.is_empty() {
                if step.set.is_some() {
                    return Err(SetError::NoEffect.into());
                }
                if let Some(head_rows) = base.compiled() {
                    self.left_alone(held, step, head).await?;
                    return Ok(PublishedRevision {
                        revision: head,
                        rulebook: Arc::clone(head_rows),
                        set: None,
                    });
                }
            }
            let (pools, over) = (self.current.pools(), base.compiled().cloned());
            let rulebook = checked(pools, rulebook_id, rows, head + 1, over).await?;
            // Rollbacks skip lint. Changes to a base that does not compile skip lint too.
            if let Some(base) = base.compiled().filter(|_| step.kind != "roll_back") {
                lint_passed(pools, rulebook_id, Some(Arc::clone(base)), &rulebook).await?;
            }
            let guards = match &held {
                _ if step.free => GuardRails::default(),
                Some(tx) => guard_rails::guards(&**tx, rulebook_id).await?,
                None => guard_rails::guards(&self.db, rulebook_id).await?,
            };
            let (states, now) = ((&base, &rulebook), self.clock.now());
            let breaches = match &held {
                Some(tx) => beyond(&**tx, pools, rulebook_id, guards, states, now).await?,
                None => beyond(&self.db, pools, rulebook_id, guards, states, now).await?,
            };
            fault_points::reach(FaultStep::PublishPlanned)?;
            let tx = match held {
                Some(tx) => tx,
                None => self.begun(step).await?,
            };
            if rulebooks::locked_head(&tx, rulebook_id).await? != Some(head) {
                tx.rollback().await?;
                continue;
            }
            // Setting guard rails locks the head as well, so nothing is published under outdated guard rails.
            if !step.free && guard_rails::guards(&*tx, rulebook_id).await? != guards {
                tx.rollback().await?;
                continue;
            }
            if !breaches.is_empty() {
                let edits = || edits::between(base.rows(), rulebook.rows());
                let waiting = self.hold(&tx, rulebook_id, step, head, edits, &breaches).await?;
                step.settle(&tx, Effect::Waits(&waiting)).await?;
                tx.commit().await?;
                return Err(PublishError::Waits(Box::new(waiting)));
            }
            let (bytes, is_roll_back) = (rule_rows::bytes(&changes), step.kind == "roll_back");
            let quota = quotas::revision(&tx, (rulebook_id, head), bytes, is_roll_back, self.clock.now()).await?;
            if let Some(quota) = quota {
                return Err(quota.into());
            }
            let mut entries = self.write_revision(&tx, rulebook_id, step, &changes, head + 1).await?;
            fault_points::reach(FaultStep::PublishRowsWritten)?;
            let mut set = None;
            if let Some(claim) = step.set {
                let (stored, entry) = self.set_published(&tx, rulebook_id, claim, step, head + 1).await?;
                entries.push(self.entry(step.author, entry));
                set = Some(stored);
            }
            step.settle(&tx, Effect::Published(head + 1)).await?;
            // Write the audit log last, as everywhere: another order could cause a deadlock.
            self.audit_all(&tx, entries).await?;
            fault_points::reach(FaultStep::PublishBeforeCommit)?;
            tx.commit().await?;
            fault_points::reach(FaultStep::PublishAfterCommit)?;
            let published = PublishedRevision {
                revision: head + 1,
                rulebook,
                set,
            };
            return Ok(self.made(rulebook_id, published).await);
        }
    }

    /// Begins a transaction. If the request must be idempotent, the transaction first claims the request.
    async fn begun(&self, step: HeadMove<'_>) -> Result<Transaction, PublishError> {
        let tx = store::begin(&self.db).await?;
        if let Some(receipt) = step.receipt
            && !receipt.take(&tx).await?
        {
            tx.rollback().await?;
            return Err(PublishError::DoneBefore);
        }
        Ok(tx)
    }

    /// Stores the result of a request that changed nothing. Without the stored result, a repeat of the request could
    /// fail because the head has moved.
    async fn left_alone(&self, held: Option<Transaction>, step: HeadMove<'_>, head: i64) -> Result<(), PublishError> {
        if step.receipt.is_none() {
            return Ok(());
        }
        let tx = match held {
            Some(tx) => tx,
            None => self.begun(step).await?,
        };
        step.settle(&tx, Effect::Published(head)).await?;
        Ok(tx.commit().await?)
    }

    /// Caches the revision after the commit. A dry run caches nothing, because another revision may get the same
    /// number.
    async fn made(&self, rulebook_id: Uuid, published: PublishedRevision) -> PublishedRevision {
        if !dry_run::is_on() {
            self.current.set_head(rulebook_id, &published.rulebook).await;
        }
        published
    }
}

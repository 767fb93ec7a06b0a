//! A change set becomes a revision: apply, compile, check, run the cases, all outside any transaction; then one short
//! transaction compares the head and writes rows, revision, audit entries and the new head. Only a publish that came second
//! again and again holds the head while it plans.
//!
//! [`plan`] is everything before the transaction, `write` what the transaction writes, [`sets`] and [`schedule`] the
//! life of a stored change set, [`waiting`] what goes beyond the guard rails, [`refusal`] why something was not published,
//! [`receipt`] what is kept of a publish that is done once.

pub mod plan;
pub mod receipt;
pub mod refusal;
pub mod schedule;
pub mod sets;
mod stored;
pub mod waiting;
mod write;

use std::sync::Arc;

use sea_orm::{ActiveValue::Set, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use self::plan::{Draft, Planned};
use self::plan::{apply, beyond, checked, head, meant};
use self::receipt::{Effect, Receipt, ReceiptError};
use self::sets::{Claim, SetError, StoredSet};
use super::current::{Current, LoadError};
use authoring::change_set::{ChangeSet, Conflict, brought_back};
use authoring::edits;
use base::clock::Clock;
use rules::cases::CaseResult;
use rules::compile::Rulebook;
use rules::fair_pool::Busy;
use rules::fault::Fault;
use rules::guard_rails::GuardRails;
use rules::own_turn::OwnTurns;
use rules::rows::RowSet;
use store::fault_points::{self, Step as FaultStep};
use store::quotas::{self, Quota};
use store::{Transaction, audit_log::AuditKey, guard_rails, rule_rows, rulebooks, trial};

/// How often a publish starts anew because somebody else published meanwhile, before it keeps the others from the head for as
/// long as it plans: an instance that is slower than the others would never be first.
const TRIES: u32 = 4;
/// How many publishes of one rulebook wait in this process. Its edits take turns: side by side, all but the first would have
/// compiled for nothing. Among processes the head decides.
const MAX_WAITING: usize = 64;

/// Who publishes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The stored change set that it was made of, as it stands now.
    pub set: Option<StoredSet>,
}

/// A rulebook to be created, besides its rows.
#[derive(Debug, Clone)]
pub struct NewBook<'a> {
    /// Its code.
    pub code: &'a str,
    /// What people call it.
    pub name: Option<String>,
    /// How its webhook verifies messages.
    pub webhook_auth: Value,
    /// A word of [`rulebooks`].
    pub sms_delivery: &'a str,
}

/// The way back to an older revision, as it is asked for.
#[derive(Debug, Clone)]
pub struct WayBack {
    /// The revision that is brought back.
    pub to: i64,
    /// The head that was seen: no other one is replaced.
    pub seen: i64,
    /// Why.
    pub comment: String,
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
    /// The head is another than was seen.
    #[error("the head is not revision {seen}: it is revision {current}")]
    HeadMoved {
        /// The revision that was seen.
        seen: i64,
        /// The revision that stands.
        current: i64,
    },
    /// It was done before, and what came of it is kept.
    #[error("it was done before")]
    DoneBefore,
    /// A rulebook of this code exists, perhaps in capitals or small letters.
    #[error("a rulebook of this code exists")]
    RulebookExists,
    /// Somebody changed rows since they were read, made them or deleted them.
    #[error("{} rows are not as the edits expect", .0.len())]
    Conflicts(Vec<Conflict>),
    /// The rows do not compile.
    #[error("{} faults", .0.len())]
    Faults(Vec<Fault>),
    /// Cases expect something else.
    #[error("{} cases fail", .0.len())]
    CasesFailed(Vec<CaseResult>),
    /// It goes beyond the guard rails: it waits for a second person.
    #[error("it goes beyond the guard rails and waits for a second person, as change set {}", .0.set.id)]
    Waits(Box<StoredSet>),
    /// A stored change set cannot take this.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The state to start from cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The rulebook may not store more.
    #[error(transparent)]
    Quota(#[from] Quota),
    /// The threads that compile and compare have too much to do, or too many publishes of the rulebook wait already.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// What came of it could not be kept for who asks again, so it was not done.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The database did not take it.
    #[error("the database did not take the change")]
    Database(#[from] DbErr),
}

/// What becomes of the head: the columns of a revision that are known before it is made.
#[derive(Clone, Copy)]
struct Step<'a> {
    kind: &'static str,
    equals: Option<i64>,
    comment: &'a str,
    /// Who does it.
    author: &'a Author,
    /// Whose change it is: of one that somebody else approved, its author's.
    made_by: &'a str,
    /// Whether the guard rails do not hold it: somebody else approved it, or an administrator takes something back.
    free: bool,
    /// The stored change set that is published by it, as it was read.
    set: Option<Claim>,
    /// The only head that it may replace; none is whichever stands.
    seen: Option<i64>,
    /// Who keeps what comes of it, where it is done once.
    receipt: Option<&'a dyn Receipt>,
}

impl<'a> Step<'a> {
    /// What somebody does themselves, held by the guard rails, and not out of a stored change set.
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

    /// Whether it may replace this head.
    fn replaces(self, head: i64) -> Result<(), PublishError> {
        match self.seen {
            Some(seen) if seen != head => Err(PublishError::HeadMoved { seen, current: head }),
            _ => Ok(()),
        }
    }

    /// Keeps what came of it.
    async fn settle(self, tx: &DatabaseTransaction, effect: Effect<'_>) -> Result<(), ReceiptError> {
        match self.receipt {
            Some(receipt) => receipt.settle(tx, effect).await,
            None => Ok(()),
        }
    }
}

/// Makes revisions.
#[derive(Clone)]
pub struct Publisher {
    db: DatabaseConnection,
    current: Current,
    clock: Clock,
    audit_key: AuditKey,
    turns: OwnTurns,
}

impl Publisher {
    /// Over the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, current: Current, clock: Clock, audit_key: AuditKey) -> Self {
        Self {
            db,
            current,
            clock,
            audit_key,
            turns: OwnTurns::new(MAX_WAITING),
        }
    }

    /// Publishes edits; a plain write is a change set of one.
    ///
    /// # Errors
    /// When an edit is stale, the result does not compile or has an error of lint that was not there, a case fails, or the
    /// database does not take it.
    pub async fn publish(
        &self,
        rulebook_id: Uuid,
        change: ChangeSet,
        author: &Author,
    ) -> Result<Published, PublishError> {
        let step = Step::new("publish", &change.comment, author);
        let plan = |base: &RowSet, next| apply(base, next, &change.edits);
        self.advance(rulebook_id, step, plan).await
    }

    /// Publishes a new revision equal to an older one, in place of the head that was seen; an administrator's is not held by
    /// the guard rails.
    ///
    /// # Errors
    /// When there is no such revision, the head is another by now, it was done before by this receipt, or as for
    /// [`Publisher::publish`].
    pub async fn roll_back(
        &self,
        rulebook_id: Uuid,
        way: &WayBack,
        author: &Author,
        is_admin: bool,
        receipt: &dyn Receipt,
    ) -> Result<Published, PublishError> {
        let to = way.to;
        let old = match self.current.base(rulebook_id, to).await {
            Err(LoadError::Unknown(_)) => return Err(PublishError::UnknownRevision(to)),
            other => other?,
        };
        let step = Step {
            equals: Some(to),
            free: is_admin,
            seen: Some(way.seen),
            receipt: Some(receipt),
            ..Step::new("roll_back", &way.comment, author)
        };
        let plan = |base: &RowSet, next| Ok(brought_back(base, old.rows(), next));
        self.advance(rulebook_id, step, plan).await
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
        let step = Step::new("import", comment, author);
        let plan = |base: &RowSet, next| Ok(brought_back(base, &rows, next));
        self.advance(rulebook_id, step, plan).await
    }

    /// A new rulebook with these rows as its first revision.
    ///
    /// # Errors
    /// When one of this code exists, or as for [`Publisher::publish`].
    pub async fn create(
        &self,
        new: NewBook<'_>,
        rows: RowSet,
        author: &Author,
    ) -> Result<(Uuid, Published), PublishError> {
        let NewBook {
            code,
            name,
            webhook_auth,
            sms_delivery,
        } = new;
        let next = brought_back(&RowSet::default(), &rows, 1);
        // All that is new waits in one queue: an id of its own would be one more each time.
        let (pools, queue) = (self.current.pools(), Uuid::nil());
        let rulebook = checked(pools, queue, next, 1, None).await?;
        meant(pools, queue, None, &rulebook).await?;
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
        let step = Step::new("import", "first revision", author);
        let changes = rule_rows::changes(&RowSet::default(), rulebook.rows());
        let mut entries = vec![self.entry(author, write::Entry::rulebook_made(id, code))];
        entries.extend(self.write(&tx, id, step, &changes, 1).await?);
        self.audit_all(&tx, entries).await?;
        tx.commit().await?;
        let published = Published {
            revision: 1,
            rulebook,
            set: None,
        };
        Ok((id, self.made(id, published).await))
    }

    /// From the head to the next revision, again when somebody else was first: unless it may replace no other head than the
    /// one that was seen.
    async fn advance(
        &self,
        rulebook_id: Uuid,
        step: Step<'_>,
        plan: impl Fn(&RowSet, i64) -> Result<RowSet, PublishError>,
    ) -> Result<Published, PublishError> {
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
                None => head(&self.db, rulebook_id).await?,
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
                if let Some(standing) = base.compiled() {
                    self.left_alone(held, step, head).await?;
                    return Ok(Published {
                        revision: head,
                        rulebook: Arc::clone(standing),
                        set: None,
                    });
                }
            }
            let (pools, over) = (self.current.pools(), base.compiled().cloned());
            let rulebook = checked(pools, rulebook_id, rows, head + 1, over).await?;
            // The way back is never barred, nor the way out of a state that does not compile.
            if let Some(base) = base.compiled().filter(|_| step.kind != "roll_back") {
                meant(pools, rulebook_id, Some(Arc::clone(base)), &rulebook).await?;
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
            // Whoever sets guard rails holds the head as well: nothing is published by those of before.
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
            let mut entries = self.write(&tx, rulebook_id, step, &changes, head + 1).await?;
            fault_points::reach(FaultStep::PublishRowsWritten)?;
            let mut set = None;
            if let Some(claim) = step.set {
                let (stored, entry) = self.set_published(&tx, rulebook_id, claim, step, head + 1).await?;
                entries.push(self.entry(step.author, entry));
                set = Some(stored);
            }
            step.settle(&tx, Effect::Published(head + 1)).await?;
            // The audit log last, as everywhere: another order could stop two for ever.
            self.audit_all(&tx, entries).await?;
            fault_points::reach(FaultStep::PublishBeforeCommit)?;
            tx.commit().await?;
            fault_points::reach(FaultStep::PublishAfterCommit)?;
            let published = Published {
                revision: head + 1,
                rulebook,
                set,
            };
            return Ok(self.made(rulebook_id, published).await);
        }
    }

    /// A transaction in which leave is taken first of all, where the step is done once.
    async fn begun(&self, step: Step<'_>) -> Result<Transaction, PublishError> {
        let tx = store::begin(&self.db).await?;
        if let Some(receipt) = step.receipt
            && !receipt.take(&tx).await?
        {
            tx.rollback().await?;
            return Err(PublishError::DoneBefore);
        }
        Ok(tx)
    }

    /// Nothing is to be changed: that too is kept for who asks again, or they would be told that the head moved.
    async fn left_alone(&self, held: Option<Transaction>, step: Step<'_>, head: i64) -> Result<(), PublishError> {
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

    /// After the commit: whoever needs the revision next finds it. Another one may get the number of a trial's.
    async fn made(&self, rulebook_id: Uuid, published: Published) -> Published {
        if !trial::is_on() {
            self.current.saw(rulebook_id, &published.rulebook).await;
        }
        published
    }
}

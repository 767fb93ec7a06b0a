//! Writes the rows of a publish transaction: ended and new rule rows, the revision, the audit entries and the new head.
//! The transaction must have locked the head.

use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Author, HeadMove, Publisher};
use store::{audit_log, revisions, rule_rows, rulebooks};

/// An action to record in the audit log.
pub(super) struct Entry<'a> {
    pub rulebook_id: Uuid,
    pub action: &'a str,
    pub resource: &'a str,
    pub code: String,
    pub revision: Option<i64>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Entry<'_> {
    /// The entry for a new rulebook.
    pub(super) fn rulebook_made(rulebook_id: Uuid, code: &str) -> Self {
        Self {
            rulebook_id,
            action: "create",
            resource: "rulebooks",
            code: code.to_owned(),
            revision: None,
            before: None,
            after: None,
        }
    }
}

impl Publisher {
    /// Writes one revision. `tx` must have locked the head. Returns the audit entries, which must be written last.
    pub(super) async fn write_revision(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        step: HeadMove<'_>,
        changes: &[rule_rows::RowChange],
        number: i64,
    ) -> Result<Vec<audit_log::NewEntry>, DbErr> {
        let revision = revisions::ActiveModel {
            rulebook_id: Set(rulebook_id),
            number: Set(number),
            kind: Set(step.kind.to_owned()),
            equals: Set(step.equals),
            author: Set(step.made_by.to_owned()),
            comment: Set(step.comment.to_owned()),
            created_at: Set(self.clock.now()),
            bytes: Set(rule_rows::bytes(changes)),
        };
        revisions::Entity::insert(revision).exec_without_returning(tx).await?;
        rule_rows::write(tx, rulebook_id, number, changes).await?;
        rulebooks::Entity::update_many()
            .col_expr(rulebooks::Column::HeadRevision, number.into())
            .filter(rulebooks::Column::Id.eq(rulebook_id))
            .exec(tx)
            .await?;
        let mut entries = Vec::with_capacity(changes.len() + 1);
        for change in changes {
            let action = match (&change.before, &change.after) {
                (None, _) => "create",
                (_, None) => "delete",
                _ => "update",
            };
            let entry = Entry {
                rulebook_id,
                action,
                resource: change.resource.path(),
                code: change.code.clone(),
                revision: Some(number),
                before: change.before.clone(),
                after: change.after.clone(),
            };
            entries.push(self.entry(step.author, entry));
        }
        let whole = Entry {
            rulebook_id,
            action: step.kind,
            resource: "revisions",
            code: number.to_string(),
            revision: Some(number),
            before: None,
            after: Some(json!({
                "comment": step.comment,
                "equals": step.equals,
                "change_set": step.set.map(|set| set.id),
                "changed_rows": changes.len(),
            })),
        };
        entries.push(self.entry(step.author, whole));
        Ok(entries)
    }

    /// Appends an entry to the audit log.
    pub(super) async fn audit(&self, tx: &DatabaseTransaction, author: &Author, entry: Entry<'_>) -> Result<(), DbErr> {
        audit_log::append(tx, &self.audit_key, self.entry(author, entry)).await
    }

    /// Appends several entries to the audit log.
    pub(super) async fn audit_all(
        &self,
        tx: &DatabaseTransaction,
        entries: Vec<audit_log::NewEntry>,
    ) -> Result<(), DbErr> {
        audit_log::append_all(tx, &self.audit_key, entries).await
    }

    pub(super) fn entry(&self, author: &Author, entry: Entry<'_>) -> audit_log::NewEntry {
        audit_log::NewEntry {
            id: self.clock.new_id(),
            at: self.clock.now(),
            actor: author.name.clone(),
            actor_key_id: author.key_id,
            address: author.address.clone(),
            request_id: author.request_id.clone(),
            rulebook_id: Some(entry.rulebook_id),
            action: entry.action.to_owned(),
            resource: entry.resource.to_owned(),
            code: entry.code,
            revision: entry.revision,
            before: entry.before,
            after: entry.after,
        }
    }
}

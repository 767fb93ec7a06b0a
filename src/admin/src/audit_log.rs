//! The audit log: who changed what, when, from what to what; and whether somebody has been at it.

use chrono::{DateTime, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::across::{RULEBOOK, rulebooks};
use super::answer::{Found, Page};
use super::auth::{Admin, Key, Viewer};
use super::fails::{Fails, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::masking;
use super::state::AdminState;
use store::audit_verify::{NotedHead, Tampering, Verdict, verify};
use store::{audit_log, page};
use web::problem::{Code, Problem};

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-at", "at"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "resource",
            kind: Kind::Text,
            doc: "What kind of thing was changed, as `services`.",
        },
        Filter {
            name: "code",
            kind: Kind::Text,
            doc: "Which one.",
        },
        Filter {
            name: "action",
            kind: Kind::Text,
            doc: "What was done, as `update`.",
        },
        Filter {
            name: "actor",
            kind: Kind::Text,
            doc: "The name of the key that did it.",
        },
        Filter {
            name: "since",
            kind: Kind::Time,
            doc: "At this instant or later.",
        },
        Filter {
            name: "until",
            kind: Kind::Time,
            doc: "Before this instant.",
        },
    ],
};

/// The operation.
pub struct AuditLogApi(pub AdminState);

/// A change somebody made.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditEntry {
    /// Its id.
    id: Uuid,
    /// Its number in the chain: 1, 2, 3 and so on, for the whole installation.
    seq: i64,
    /// When.
    at: DateTime<Utc>,
    /// Who: the name of the key, or of the command.
    actor: String,
    /// With which key.
    actor_key_id: Option<Uuid>,
    /// From which address.
    address: Option<String>,
    /// In which request.
    request_id: Option<String>,
    /// The rulebook's code.
    rulebook: Option<String>,
    /// What was done.
    action: String,
    /// To what kind of thing.
    resource: String,
    /// To which one.
    code: String,
    /// The revision that came of it.
    revision: Option<i64>,
    /// What it was; numbers are masked for viewers. Of a case, which may hold what a caller said, only a digest.
    before: Option<Value>,
    /// What it became; numbers are masked for viewers.
    after: Option<Value>,
}

/// What the verification of the audit log found.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditVerification {
    /// Whether every entry is as it was written.
    intact: bool,
    /// Where the chain ends, as `SEQ:MAC`; bring it to a later verification as `head`.
    head: Option<String>,
    /// How many entries there are, when they are intact.
    entries: Option<i64>,
    /// The first place where the log is not as it was written.
    first_bad: Option<FirstBadEntry>,
}

/// The first entry that is not as it was written.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct FirstBadEntry {
    /// Its number.
    seq: i64,
    /// Its id, where there is one to be read.
    id: Option<Uuid>,
    /// What was done.
    problem: AuditProblem,
    /// The same in a sentence.
    text: String,
}

/// What can be done to an audit log.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum AuditProblem {
    /// The entry is not the one that was written under this number: it was altered, moved or put in.
    Altered,
    /// There is no entry of this number.
    Missing,
    /// An entry was put in beside or beyond what was written.
    Added,
    /// The end of the chain was altered or taken away.
    Head,
    /// The head that was brought is not in the chain: a tail was cut off.
    NotedHead,
}

impl From<Tampering> for AuditProblem {
    fn from(problem: Tampering) -> Self {
        match problem {
            Tampering::Altered => Self::Altered,
            Tampering::Missing => Self::Missing,
            Tampering::Added => Self::Added,
            Tampering::Head => Self::Head,
            Tampering::NotedHead => Self::NotedHead,
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1/audit-log")]
impl AuditLogApi {
    /// List the audit log
    #[oai(path = "/", method = "get")]
    async fn list_audit_log(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<Found<Page<AuditEntry>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = audit_log::Entity::find().filter(seen.filter(audit_log::Column::RulebookId));
        for (name, column) in [
            ("resource", audit_log::Column::Resource),
            ("code", audit_log::Column::Code),
            ("action", audit_log::Column::Action),
            ("actor", audit_log::Column::Actor),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(audit_log::Column::At.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(audit_log::Column::At.lt(until));
        }
        let (by, id) = (audit_log::Column::At, audit_log::Column::Id);
        let sorting = page::Sorting {
            by,
            id,
            descending: listing.descending,
        };
        let after = match (listing.after_time()?, listing.after_id()) {
            (Some((at, _)), Ok(Some(id))) => Some((at.into(), id.into())),
            (_, Err(problem)) => return Err(problem.into()),
            _ => None,
        };
        let rows = page::rows(self.0.read(), select, sorting, after, listing.limit).await?;
        let view = |row: audit_log::Model| AuditEntry {
            id: row.id,
            seq: row.seq,
            at: row.at,
            actor: row.actor,
            actor_key_id: row.actor_key_id,
            address: row.address,
            request_id: row.request_id,
            rulebook: row.rulebook_id.map(|id| seen.code(id)),
            action: row.action,
            resource: row.resource,
            code: row.code,
            revision: row.revision,
            before: row.before.map(|value| masking::json(&key, value)),
            after: row.after.map(|value| masking::json(&key, value)),
        };
        Ok(Found::new(listing.page(
            rows,
            |row| (row.at.to_rfc3339().into(), row.id.to_string()),
            view,
        )))
    }

    /// Verify the audit log
    ///
    /// Every entry is chained to the one before it under a key that is not in the database: an entry that was altered,
    /// removed, added or moved is found, and the first such place is named. A tail that was cut off together with the
    /// head is found by a `head` that was noted before: the server writes it to its log at start, every hour and at its
    /// end.
    #[oai(path = "/verification", method = "get")]
    async fn verify_audit_log(
        &self,
        key: Key<Admin>,
        /// A head that was noted before, as `SEQ:MAC`: whether it is still in the chain.
        head: Query<Option<String>>,
    ) -> Result<Found<AuditVerification>, Fails<Usual>> {
        if key.rulebook_id.is_some() {
            let detail = "This key is for one rulebook only; the audit log is one chain for all of them.";
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        let noted = head
            .0
            .as_deref()
            .map(str::parse::<NotedHead>)
            .transpose()
            .map_err(|error| Problem::invalid_parameter("head", format!("{error}.")))?;
        let verdict = verify(self.0.read(), &self.0.audit, noted.as_ref(), |_, _| ()).await?;
        Ok(Found::new(match verdict {
            Verdict::Intact { head } => AuditVerification {
                intact: true,
                entries: Some(head.seq),
                head: Some(head.to_string()),
                first_bad: None,
            },
            Verdict::Broken(bad) => AuditVerification {
                intact: false,
                head: None,
                entries: None,
                first_bad: Some(FirstBadEntry {
                    seq: bad.seq,
                    id: bad.id,
                    problem: bad.problem.into(),
                    text: format!("{bad}."),
                }),
            },
        }))
    }
}

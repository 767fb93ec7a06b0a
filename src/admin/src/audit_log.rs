//! Lists the audit log and checks it for tampering. An entry says who changed what and when, with the values before and
//! after.

use chrono::{DateTime, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Admin, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::scope::{RULEBOOK, rulebooks};
use super::state::AdminState;
use store::audit_verify::{AuditVerdict, NotedHead, Tampering, verify};
use store::{audit_log, page};
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-at", "at"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "resource",
            kind: FilterType::Text,
            doc: "Resource kind, such as `services`.",
        },
        Filter {
            name: "code",
            kind: FilterType::Text,
            doc: "The resource's code.",
        },
        Filter {
            name: "action",
            kind: FilterType::Text,
            doc: "The action, such as `update`.",
        },
        Filter {
            name: "actor",
            kind: FilterType::Text,
            doc: "The name of the key that made the change.",
        },
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "Entries at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Entries before this instant.",
        },
    ],
};

/// The operations on the audit log.
pub struct AuditLogApi(pub AdminState);

/// An audit entry.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditEntry {
    id: Uuid,
    /// The entry's number in the chain of the whole installation, from 1.
    seq: i64,
    at: DateTime<Utc>,
    /// The name of the key or command that made the change.
    actor: String,
    /// The key's id.
    actor_key_id: Option<Uuid>,
    /// The IP address of the client.
    address: Option<String>,
    /// The id of the request.
    request_id: Option<String>,
    /// The rulebook's code.
    rulebook: Option<String>,
    /// The action, such as `update`.
    action: String,
    /// The kind of resource.
    resource: String,
    /// The resource's code.
    code: String,
    /// The resulting revision.
    revision: Option<i64>,
    /// The value before the change; phone numbers are masked for viewers. For a case, only a digest, because a case can
    /// quote a caller.
    before: Option<Value>,
    /// The value after the change; phone numbers are masked for viewers.
    after: Option<Value>,
}

/// The result of verifying the audit log.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditVerification {
    /// Whether every entry is unchanged.
    intact: bool,
    /// The end of the chain, as `SEQ:MAC`; pass it to a later verification as `head`.
    head: Option<String>,
    /// The number of entries, if all entries are intact.
    entries: Option<i64>,
    /// The first entry that was altered.
    first_bad: Option<FirstBadEntry>,
}

/// The first entry that was altered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct FirstBadEntry {
    /// The entry's number.
    seq: i64,
    /// The entry's id, if it is readable.
    id: Option<Uuid>,
    /// The kind of tampering.
    problem: AuditProblem,
    /// A sentence that describes the tampering.
    text: String,
}

/// A kind of tampering.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum AuditProblem {
    /// The entry with this number is not the original: it was altered, moved or inserted.
    Altered,
    /// There is no entry with this number.
    Missing,
    /// An entry was added beside or after the originals.
    Added,
    /// The end of the chain was altered or removed.
    Head,
    /// The `head` of the request is not in the chain: the end of the chain was cut off.
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
    ) -> Result<ReadResponse<Page<AuditEntry>>, Fails<NoExtraErrors>> {
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
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (row.at.to_rfc3339().into(), row.id.to_string()),
            view,
        )))
    }

    /// Verify the audit log
    ///
    /// Each entry has a MAC that covers the previous entry. The MAC key is not in the database, so the check finds
    /// entries that were altered, removed, added or moved, and names the first. If somebody removed the newest entries
    /// and the head, the check finds this only with an earlier `head`. The server logs the head at start, hourly and at
    /// exit.
    #[oai(path = "/verification", method = "get")]
    async fn verify_audit_log(
        &self,
        key: Key<Admin>,
        /// An earlier head, as `SEQ:MAC`, which must still be in the chain.
        head: Query<Option<String>>,
    ) -> Result<ReadResponse<AuditVerification>, Fails<NoExtraErrors>> {
        if key.rulebook_id.is_some() {
            let detail = "This key is for one rulebook only; the audit log is one chain for all rulebooks.";
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        let noted = head
            .0
            .as_deref()
            .map(str::parse::<NotedHead>)
            .transpose()
            .map_err(|error| Problem::invalid_parameter("head", format!("{error}.")))?;
        let verdict = verify(self.0.read(), &self.0.audit, noted.as_ref(), |_, _| ()).await?;
        Ok(ReadResponse::new(match verdict {
            AuditVerdict::Intact { head } => AuditVerification {
                intact: true,
                entries: Some(head.seq),
                head: Some(head.to_string()),
                first_bad: None,
            },
            AuditVerdict::Broken(bad) => AuditVerification {
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

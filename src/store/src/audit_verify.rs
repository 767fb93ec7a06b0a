//! Verifies the audit log and names the first entry that was altered, removed, added or moved.
//!
//! The verification reads one page at a time, so its memory use does not depend on the length of the log.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QueryResult, QuerySelect as _, QueryTrait as _, Statement,
};
use uuid::Uuid;

use super::audit_chain::{AuditKey, Columns, GENESIS, same};
use super::audit_head;
use super::audit_log::{Column, Entity};

/// Entries per page.
const PAGE: u64 = 500;

/// A head in the form in which the server logs it: `SEQ:MAC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedHead {
    pub seq: i64,
    pub mac: Vec<u8>,
}

impl std::fmt::Display for NotedHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, hex::encode(&self.mac))
    }
}

/// Error: the string is not a head in the form `SEQ:MAC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a head as the log shows it: its number, a colon and 64 hexadecimal digits")]
pub struct NotAHead;

impl std::str::FromStr for NotedHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, mac) = text.split_once(':').ok_or(NotAHead)?;
        let seq = seq.parse().ok().filter(|seq| *seq >= 0).ok_or(NotAHead)?;
        let mac = hex::decode(mac).ok().filter(|mac| mac.len() == 32).ok_or(NotAHead)?;
        Ok(Self { seq, mac })
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    Intact {
        /// The head of the intact chain.
        head: NotedHead,
    },
    /// Somebody tampered with the log.
    Broken(FirstBad),
}

/// The first bad entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBad {
    pub seq: i64,
    /// The id of the entry, if it can be read.
    pub id: Option<Uuid>,
    pub problem: Tampering,
}

/// A type of tampering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// The entry differs from the entry that the program wrote with this number.
    Altered,
    Missing,
    Added,
    /// The head was altered or removed. All entries are intact.
    Head,
    /// The chain does not contain the head that somebody noted earlier.
    NotedHead,
}

impl std::fmt::Display for FirstBad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seq = self.seq;
        let id = self.id.map(|id| format!(" (id {id})")).unwrap_or_default();
        match self.problem {
            Tampering::Altered => write!(
                f,
                "entry {seq}{id} is not the one that was written under this number: it was altered, moved or added, or it \
                 was written under another RINGBOOK_SECRET_KEY"
            ),
            Tampering::Missing => write!(f, "entry {seq} is missing"),
            Tampering::Added => write!(f, "entry {seq}{id} was added: the program did not write it"),
            Tampering::Head if seq == 0 => {
                f.write_str("there is no head: the chain has not begun, or somebody removed the whole chain")
            }
            Tampering::Head => write!(
                f,
                "the head of the chain was altered or removed before entry {seq} was written or read"
            ),
            Tampering::NotedHead => write!(f, "the given head is not in the chain: entry {seq} is missing"),
        }
    }
}

/// Verifies the whole log. Calls `progress` with the number of entries read and the total.
///
/// # Errors
/// When the database fails. Tampering is reported as an [`AuditVerdict`], not as an error.
pub async fn verify<C: ConnectionTrait>(
    db: &C,
    key: &AuditKey,
    noted: Option<&NotedHead>,
    mut progress: impl FnMut(i64, i64),
) -> Result<AuditVerdict, DbErr> {
    let broken = |seq, id, problem| Ok(AuditVerdict::Broken(FirstBad { seq, id, problem }));
    let mut seen_end = None;
    let mut walk = Walk {
        seq: 0,
        mac: GENESIS.to_vec(),
        noted_is_there: noted.is_none_or(|noted| noted.seq == 0 && same(&noted.mac, &GENESIS)),
    };
    let mut last: Option<(i64, Uuid)> = None;
    let end = loop {
        let page = page(db, last).await?;
        for row in &page {
            match walk.step(key, row, noted) {
                Ok(at) => last = Some(at),
                Err(bad) => return Ok(AuditVerdict::Broken(bad)),
            }
        }
        // One statement reads the last entry and the head, so that both are from the same instant.
        let end = End::read(db).await?;
        progress(walk.seq, std::cmp::max(end.last_seq, walk.seq));
        // The loop also reads entries that are appended while it runs, and stops when no new entries appear.
        if page.is_empty() && (end.last_seq <= walk.seq || seen_end == Some(end.last_seq)) {
            break end;
        }
        seen_end = page.is_empty().then_some(end.last_seq);
    };
    let Some(head) = &end.head else {
        return broken(walk.seq, None, Tampering::Head);
    };
    if walk.seq < head.seq {
        return broken(walk.seq + 1, None, Tampering::Missing);
    }
    if walk.seq > head.seq {
        return broken(head.seq + 1, None, Tampering::Added);
    }
    if end.count > walk.seq {
        return broken(walk.seq, None, Tampering::Added);
    }
    if !head.fits(key) || !same(&head.mac, &walk.mac) {
        return broken(walk.seq, None, Tampering::Head);
    }
    if let Some(since) = head.broken_since {
        return broken(since, None, Tampering::Head);
    }
    if let (Some(noted), false) = (noted, walk.noted_is_there) {
        return broken(noted.seq, None, Tampering::NotedHead);
    }
    Ok(AuditVerdict::Intact {
        head: NotedHead {
            seq: walk.seq,
            mac: walk.mac,
        },
    })
}

/// The current position in the chain.
struct Walk {
    seq: i64,
    mac: Vec<u8>,
    noted_is_there: bool,
}

impl Walk {
    /// Checks the next entry against the expected number and MAC.
    fn step(&mut self, key: &AuditKey, row: &QueryResult, noted: Option<&NotedHead>) -> Result<(i64, Uuid), FirstBad> {
        let (expected, id) = (self.seq + 1, row.try_get::<Uuid>("", "id").ok());
        let bad = |seq, problem| FirstBad { seq, id, problem };
        // If a row cannot be parsed, the program did not write it.
        let entry = columns(row).map_err(|_| bad(expected, Tampering::Altered))?;
        if entry.seq > expected {
            return Err(FirstBad {
                id: None,
                ..bad(expected, Tampering::Missing)
            });
        }
        if entry.seq < expected {
            return Err(bad(entry.seq, Tampering::Added));
        }
        let mac = key.of_entry(&self.mac, &entry);
        let stored = row.try_get::<Option<Vec<u8>>>("", "mac").ok().flatten();
        match (mac, stored) {
            (Some(mac), Some(stored)) if same(&mac, &stored) => self.mac = stored,
            _ => return Err(bad(expected, Tampering::Altered)),
        }
        self.seq = expected;
        if noted.is_some_and(|noted| noted.seq == expected && same(&noted.mac, &self.mac)) {
            self.noted_is_there = true;
        }
        Ok((entry.seq, entry.id))
    }
}

/// The head, the last number and the number of entries of the log, all read by one statement.
struct End {
    head: Option<audit_head::Model>,
    last_seq: i64,
    count: i64,
}

impl End {
    async fn read<C: ConnectionTrait>(db: &C) -> Result<Self, DbErr> {
        let sql = "SELECT (SELECT count(*) FROM audit_log) AS entries, (SELECT max(seq) FROM audit_log) AS last_seq, \
                   head.one, head.seq, head.mac, head.broken_since, head.head_mac \
                   FROM (SELECT 1 AS here) AS one_row LEFT JOIN audit_head AS head ON head.one = 1";
        let row = db
            .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
            .await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the row with the end of the audit log".to_owned()))?;
        let is_there = row.try_get::<Option<i64>>("", "one")?.is_some();
        // If a column of the head cannot be parsed, it gets a default value, so that the MAC does not verify.
        let head = is_there.then(|| audit_head::Model {
            one: 1,
            seq: row.try_get("", "seq").unwrap_or_default(),
            mac: row.try_get("", "mac").unwrap_or_default(),
            broken_since: row.try_get("", "broken_since").unwrap_or_default(),
            head_mac: row.try_get("", "head_mac").unwrap_or_default(),
        });
        let last_seq = row.try_get::<Option<i64>>("", "last_seq").ok().flatten();
        Ok(Self {
            head,
            last_seq: last_seq.unwrap_or_default(),
            count: row.try_get("", "entries")?,
        })
    }
}

/// Returns the entries after the given position, ordered by number and then by id. In an intact log, all numbers are
/// different.
async fn page<C: ConnectionTrait>(db: &C, after: Option<(i64, Uuid)>) -> Result<Vec<QueryResult>, DbErr> {
    let text = |column: Column| Expr::col(column).cast_as(Alias::new("text"));
    let mut select = Entity::find().select_only().columns([
        Column::Seq,
        Column::Id,
        Column::At,
        Column::Actor,
        Column::ActorKeyId,
        Column::Address,
        Column::RequestId,
        Column::RulebookId,
        Column::Action,
        Column::Resource,
        Column::Code,
        Column::Revision,
        Column::Mac,
    ]);
    // Read JSON as text, because a conversion to a float could change a number.
    select = select
        .expr_as(text(Column::Before), "before")
        .expr_as(text(Column::After), "after");
    if let Some((seq, id)) = after {
        let twin = Condition::all().add(Column::Seq.eq(seq)).add(Column::Id.gt(id));
        select = select.filter(Condition::any().add(Column::Seq.gt(seq)).add(twin));
    }
    let select = select.order_by_asc(Column::Seq).order_by_asc(Column::Id).limit(PAGE);
    db.query_all(&select.into_query()).await
}

fn columns(row: &QueryResult) -> Result<Columns, DbErr> {
    Ok(Columns {
        seq: row.try_get("", "seq")?,
        id: row.try_get("", "id")?,
        at: row.try_get("", "at")?,
        actor: row.try_get("", "actor")?,
        actor_key_id: row.try_get("", "actor_key_id")?,
        address: row.try_get("", "address")?,
        request_id: row.try_get("", "request_id")?,
        rulebook_id: row.try_get("", "rulebook_id")?,
        action: row.try_get("", "action")?,
        resource: row.try_get("", "resource")?,
        code: row.try_get("", "code")?,
        revision: row.try_get("", "revision")?,
        before: row.try_get("", "before")?,
        after: row.try_get("", "after")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_written_and_read_the_same_way() {
        let head = NotedHead {
            seq: 12,
            mac: vec![0xab; 32],
        };
        assert_eq!(head.to_string().parse(), Ok(head));
        for text in [
            "",
            "12",
            "12:",
            "12:ab",
            "-1:00",
            "x:00",
            &format!("1:{}", "zz".repeat(32)),
        ] {
            assert_eq!(text.parse::<NotedHead>(), Err(NotAHead), "{text}");
        }
    }
}

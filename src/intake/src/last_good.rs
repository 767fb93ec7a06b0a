//! What is known of each rulebook when the database cannot be asked: who may speak for it, and its last good rules.
//!
//! In: the database, looked at every two seconds. Out: the same from memory, and beside the spool, sealed, for a start
//! without the database. A head that does not compile leaves the one before it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use sea_orm::{ColumnTrait as _, DatabaseConnection, DbErr, EntityTrait, QueryFilter as _, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::access::{Access, AccessError, Accesses};
use super::lane::Lane;
use super::scheme::WebhookAuth;
use super::secret::Secret;
use super::spool::{Spool, SpoolError};
use revisions::current::{Current, LoadError};
use rules::compile::Rulebook;
use rules::keep_rows;
use store::rulebooks;

/// How often the database is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How many rulebooks are read side by side.
const AT_ONCE: usize = 8;
/// How many rulebooks are known at most.
const MOST: u64 = 2_000;

/// What is known of one rulebook.
#[derive(Debug, Clone)]
pub struct Good {
    /// Who may speak for it.
    pub access: Arc<Access>,
    /// Its rules.
    pub rulebook: Arc<Rulebook>,
    /// The code that it had before: messages to it are taken too.
    former_code: Option<String>,
    /// Whether it is beside the spool.
    kept: bool,
}

/// What is known of all rulebooks. Cloning is cheap.
#[derive(Clone)]
pub struct LastGood {
    known: Arc<RwLock<HashMap<String, Good>>>,
    current: Current,
    accesses: Accesses,
    spool: Spool,
}

/// A rulebook as it is kept beside the spool.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    code: String,
    rulebook_id: Uuid,
    #[serde(default)]
    former_code: Option<String>,
    auth_version: i64,
    auth: WebhookAuth,
    /// By id; hexadecimal.
    secrets: Vec<(String, String)>,
    revision: i64,
    rows: Value,
}

/// Why a rulebook cannot be known or kept.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Its webhook settings cannot be had.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Its rules cannot be had.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// It cannot be written or read.
    #[error("the snapshot is not understood")]
    Json(#[from] serde_json::Error),
    /// The secrets in it are none.
    #[error("the snapshot is not understood")]
    Hex(#[from] hex::FromHexError),
    /// The spool did not take it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Its rules do not compile any more: another program wrote them.
    #[error("the rules beside the spool do not compile")]
    DoesNotCompile,
}

impl LastGood {
    /// Of nothing yet.
    #[must_use]
    pub fn new(current: Current, accesses: Accesses, spool: Spool) -> Self {
        Self {
            known: Arc::default(),
            current,
            accesses,
            spool,
        }
    }

    /// What is known of the rulebook that has this code, or had it before.
    #[must_use]
    pub fn of(&self, code: &str) -> Option<Good> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let had = || known.values().find(|good| good.former_code.as_deref() == Some(code));
        known.get(code).or_else(had).cloned()
    }

    /// The rules to decide with: those that a message last saw, or newer ones that were looked at since.
    pub fn rulebook(&self, access: &Access) -> Option<Arc<Rulebook>> {
        let looked_at = self
            .of(&access.code)
            .filter(|good| good.access.rulebook_id == access.rulebook_id);
        let looked_at = looked_at.map(|good| good.rulebook);
        let seen = self.current.last_seen(access.rulebook_id);
        match (seen, looked_at) {
            (Some(seen), Some(looked_at)) if looked_at.revision() > seen.revision() => Some(looked_at),
            (seen, looked_at) => seen.or(looked_at),
        }
    }

    /// Reads what an earlier run kept beside the spool; how many rulebooks are known from it.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub async fn load(&self) -> Result<usize, SpoolError> {
        let snapshots = stream::iter(self.spool.snapshots().await?);
        snapshots
            .for_each_concurrent(AT_ONCE, async |text| match self.revived(&text).await {
                Ok(good) => self.learn(good, false),
                Err(error) => tracing::warn!(%error, "a rulebook beside the spool cannot be used"),
            })
            .await;
        Ok(self.known.read().unwrap_or_else(PoisonError::into_inner).len())
    }

    /// Looks at the database every two seconds until told to stop.
    pub async fn watch(&self, db: DatabaseConnection, lane: Lane, stop: CancellationToken) {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).is_empty()
            && let Err(error) = self.load().await
        {
            tracing::warn!(%error, "what is beside the spool cannot be read");
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if lane.is_away() {
                continue;
            }
            match stop.run_until_cancelled(self.look(&db)).await {
                Some(Err(error)) => tracing::debug!(%error, "the rulebooks could not be looked at"),
                Some(Ok(())) => {}
                None => return,
            }
        }
    }

    /// Learns of every rulebook that changed since it was last looked at.
    async fn look(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let rows = rulebooks::Entity::find()
            .filter(rulebooks::Column::ArchivedAt.is_null())
            .order_by_asc(rulebooks::Column::CreatedAt)
            .limit(MOST)
            .all(db)
            .await?;
        self.forget_all_but(&rows).await;
        let is_news = |row: &rulebooks::Model| {
            let same = |good: &Good| {
                good.kept
                    && good.access.rulebook_id == row.id
                    && good.access.auth_version == row.auth_version
                    && good.rulebook.revision() == row.head_revision
            };
            !self.of(&row.code).is_some_and(|good| same(&good))
        };
        // Side by side: one that takes long to compile, or never will, does not keep this instance from knowing the others.
        stream::iter(rows.into_iter().filter(is_news))
            .for_each_concurrent(AT_ONCE, async |row| {
                if let Err(error) = self.keep(&row).await {
                    tracing::warn!(rulebook = row.code, %error, "what is known of a rulebook stays as it was");
                }
            })
            .await;
        Ok(())
    }

    /// Forgets rulebooks that were archived, and codes that none has any more: during an outage they would take messages.
    async fn forget_all_but(&self, rows: &[rulebooks::Model]) {
        let codes: HashSet<&str> = rows.iter().map(|row| row.code.as_str()).collect();
        let former: HashSet<&str> = rows.iter().filter_map(|row| row.former_code.as_deref()).collect();
        let gone: Vec<Good> = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let mut gone: Vec<Good> = Vec::new();
            known.retain(|code, good| {
                let is_there = codes.contains(code.as_str());
                if !is_there {
                    gone.push(good.clone());
                }
                is_there
            });
            gone
        };
        for good in gone {
            for code in [Some(&good.access.code), good.former_code.as_ref()]
                .into_iter()
                .flatten()
            {
                if !former.contains(code.as_str()) {
                    self.accesses.forget(code).await;
                }
            }
            // A renamed one has replaced what is beside the spool.
            if !rows.iter().any(|row| row.id == good.access.rulebook_id)
                && let Err(error) = self.spool.drop_snapshot(good.access.rulebook_id).await
            {
                tracing::warn!(rulebook = good.access.code, %error, "an archived rulebook is still beside the spool");
            }
        }
    }

    async fn keep(&self, row: &rulebooks::Model) -> Result<(), SnapshotError> {
        let (code, rulebook_id, head) = (row.code.as_str(), row.id, row.head_revision);
        let Some(access) = self.accesses.read(code).await? else {
            return Ok(());
        };
        let dropped = self.of(code).and_then(|good| good.former_code);
        if let Some(dropped) = dropped.filter(|former| Some(former) != row.former_code.as_ref()) {
            self.accesses.forget(&dropped).await;
        }
        let rulebook = self.current.at(rulebook_id, head).await?;
        let snapshot = Snapshot {
            code: code.to_owned(),
            rulebook_id,
            former_code: row.former_code.clone(),
            auth_version: access.auth_version,
            auth: access.auth.clone(),
            secrets: access
                .secrets
                .iter()
                .map(|secret| (secret.id().to_owned(), hex::encode(secret.bytes())))
                .collect(),
            revision: head,
            rows: keep_rows::to_json(rulebook.rows())?,
        };
        // In memory first: a disk that is full must not keep the newest rules from those who are answered.
        let mut good = Good {
            access,
            rulebook,
            former_code: row.former_code.clone(),
            kept: false,
        };
        self.learn(good.clone(), true);
        let text = serde_json::to_vec(&snapshot)?;
        self.spool.keep_snapshot(rulebook_id, code, &text).await?;
        good.kept = true;
        self.learn(good, true);
        Ok(())
    }

    async fn revived(&self, text: &[u8]) -> Result<Good, SnapshotError> {
        let snapshot: Snapshot = serde_json::from_slice(text)?;
        let rows = keep_rows::from_json(snapshot.rows)?;
        let revision = snapshot.revision;
        let pools = self.current.pools();
        let compiled = pools.load_rows(snapshot.rulebook_id, revision, rows).await;
        let rulebook = compiled
            .ok()
            .and_then(Result::ok)
            .ok_or(SnapshotError::DoesNotCompile)?;
        let mut secrets = Vec::new();
        for (id, bytes) in snapshot.secrets {
            secrets.push(Secret::new(id, hex::decode(bytes)?));
        }
        let access = Access {
            secrets: self.accesses.with_set(&snapshot.code, secrets),
            code: snapshot.code,
            rulebook_id: snapshot.rulebook_id,
            auth_version: snapshot.auth_version,
            auth: snapshot.auth,
            read_at: Instant::now(),
        };
        Ok(Good {
            access: Arc::new(access),
            rulebook,
            former_code: snapshot.former_code,
            kept: true,
        })
    }

    fn learn(&self, good: Good, replaces: bool) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if replaces || !known.contains_key(&good.access.code) {
            known.insert(good.access.code.clone(), good);
        }
    }
}

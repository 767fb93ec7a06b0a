//! Snapshots of each rulebook for use without the database. A snapshot contains the webhook settings, and the last
//! rules that compiled.
//!
//! [`Snapshots::watch`] polls the database every two seconds. Snapshots are in memory. The spool's file contains an
//! encrypted copy for a start without the database. If the head revision does not compile, the previous snapshot stays.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use sea_orm::{ColumnTrait as _, DatabaseConnection, DbErr, EntityTrait, QueryFilter as _, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::gate::DatabaseGate;
use super::spool::{Spool, SpoolError};
use crate::auth::access::{Access, AccessError, Accesses};
use crate::auth::scheme::WebhookAuth;
use crate::auth::secret::Secret;
use revisions::cache::{LoadError, RulebookCache};
use rules::compile::Rulebook;
use rules::rows_json;
use store::rulebooks;

/// Interval between two polls of the database.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How many rulebooks are read at the same time.
const CONCURRENCY: usize = 8;
/// Maximum number of rulebooks with a snapshot.
const MAX_RULEBOOKS: u64 = 2_000;

/// The snapshot of one rulebook.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The rulebook's webhook settings.
    pub access: Arc<Access>,
    /// The rulebook's compiled rules.
    pub rulebook: Arc<Rulebook>,
    /// The rulebook's former code: messages under that code are accepted too.
    former_code: Option<String>,
    /// Whether the snapshot is stored in the spool's file.
    kept: bool,
}

/// The snapshots of all rulebooks. Cloning is cheap.
#[derive(Clone)]
pub struct Snapshots {
    known: Arc<RwLock<HashMap<String, Snapshot>>>,
    current: RulebookCache,
    accesses: Accesses,
    spool: Spool,
}

/// A snapshot as stored in the spool's file.
#[derive(Serialize, Deserialize)]
struct StoredSnapshot {
    code: String,
    rulebook_id: Uuid,
    #[serde(default)]
    former_code: Option<String>,
    auth_version: i64,
    auth: WebhookAuth,
    /// Each secret as its id and its bytes in hexadecimal.
    secrets: Vec<(String, String)>,
    revision: i64,
    rows: Value,
}

/// Why a snapshot cannot be created, stored or loaded.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The webhook settings are not available.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The rules are not available.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// The snapshot cannot be written or parsed.
    #[error("the snapshot cannot be parsed")]
    Json(#[from] serde_json::Error),
    /// A secret in the snapshot is not hexadecimal.
    #[error("the snapshot cannot be parsed")]
    Hex(#[from] hex::FromHexError),
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The rules do not compile: another version of the program wrote them.
    #[error("the rules in the spool's file do not compile")]
    DoesNotCompile,
}

impl Snapshots {
    /// Creates a collection without snapshots.
    #[must_use]
    pub fn new(current: RulebookCache, accesses: Accesses, spool: Spool) -> Self {
        Self {
            known: Arc::default(),
            current,
            accesses,
            spool,
        }
    }

    /// The snapshot of the rulebook with this current or former code.
    #[must_use]
    pub fn of(&self, code: &str) -> Option<Snapshot> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let had = || known.values().find(|good| good.former_code.as_deref() == Some(code));
        known.get(code).or_else(had).cloned()
    }

    /// Returns the rules for a decision: the rules that the last message used, or newer rules from a later poll.
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

    /// Loads the snapshots that an earlier run stored in the spool's file. Returns how many rulebooks have a snapshot
    /// now.
    ///
    /// # Errors
    /// If the spool cannot be read.
    pub async fn load(&self) -> Result<usize, SpoolError> {
        let snapshots = stream::iter(self.spool.snapshots().await?);
        snapshots
            .for_each_concurrent(CONCURRENCY, async |text| match self.revived(&text).await {
                Ok(good) => self.learn(good, false),
                Err(error) => tracing::warn!(%error, "a snapshot in the spool's file cannot be used"),
            })
            .await;
        Ok(self.known.read().unwrap_or_else(PoisonError::into_inner).len())
    }

    /// Polls the database every two seconds until cancelled.
    pub async fn watch(&self, db: DatabaseConnection, gate: DatabaseGate, stop: CancellationToken) {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).is_empty()
            && let Err(error) = self.load().await
        {
            tracing::warn!(%error, "the snapshots in the spool's file cannot be read");
        }
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if gate.is_away() {
                continue;
            }
            match stop.run_until_cancelled(self.poll(&db)).await {
                Some(Err(error)) => tracing::debug!(%error, "the rulebooks could not be polled"),
                Some(Ok(())) => {}
                None => return,
            }
        }
    }

    /// Updates the snapshot of every rulebook that changed since the last poll.
    async fn poll(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let rows = rulebooks::Entity::find()
            .filter(rulebooks::Column::ArchivedAt.is_null())
            .order_by_asc(rulebooks::Column::CreatedAt)
            .limit(MAX_RULEBOOKS)
            .all(db)
            .await?;
        self.forget_all_but(&rows).await;
        let is_news = |row: &rulebooks::Model| {
            let same = |good: &Snapshot| {
                good.kept
                    && good.access.rulebook_id == row.id
                    && good.access.auth_version == row.auth_version
                    && good.rulebook.revision() == row.head_revision
            };
            !self.of(&row.code).is_some_and(|good| same(&good))
        };
        // Update the snapshots concurrently: a rulebook that compiles slowly or never must not delay the other
        // rulebooks.
        stream::iter(rows.into_iter().filter(is_news))
            .for_each_concurrent(CONCURRENCY, async |row| {
                if let Err(error) = self.keep(&row).await {
                    tracing::warn!(
                        rulebook = row.code,
                        %error,
                        "the snapshot of a rulebook could not be updated; the previous snapshot stays in use"
                    );
                }
            })
            .await;
        Ok(())
    }

    /// Drops archived rulebooks and codes that are no longer in use. Otherwise messages under those codes would be
    /// accepted during an outage.
    async fn forget_all_but(&self, rows: &[rulebooks::Model]) {
        let codes: HashSet<&str> = rows.iter().map(|row| row.code.as_str()).collect();
        let former: HashSet<&str> = rows.iter().filter_map(|row| row.former_code.as_deref()).collect();
        let gone: Vec<Snapshot> = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let mut gone: Vec<Snapshot> = Vec::new();
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
            // The snapshot of a renamed rulebook has already been replaced.
            if !rows.iter().any(|row| row.id == good.access.rulebook_id)
                && let Err(error) = self.spool.drop_snapshot(good.access.rulebook_id).await
            {
                tracing::warn!(
                    rulebook = good.access.code,
                    %error,
                    "the snapshot of an archived rulebook could not be deleted"
                );
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
        let snapshot = StoredSnapshot {
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
            rows: rows_json::to_json(rulebook.rows())?,
        };
        // Update the memory first: a full disk must not prevent the use of the newest rules.
        let mut good = Snapshot {
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

    async fn revived(&self, text: &[u8]) -> Result<Snapshot, SnapshotError> {
        let snapshot: StoredSnapshot = serde_json::from_slice(text)?;
        let rows = rows_json::from_json(snapshot.rows)?;
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
        Ok(Snapshot {
            access: Arc::new(access),
            rulebook,
            former_code: snapshot.former_code,
            kept: true,
        })
    }

    fn learn(&self, good: Snapshot, replaces: bool) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if replaces || !known.contains_key(&good.access.code) {
            known.insert(good.access.code.clone(), good);
        }
    }
}

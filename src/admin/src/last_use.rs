//! Stores the time when a key was last used, at most once a minute. No client waits for this write.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use store::api_keys;

/// The stored time is updated only if it is older than this.
const COARSENESS: TimeDelta = TimeDelta::seconds(60);

/// The keys whose last use is being written now.
#[derive(Debug, Clone, Default)]
pub struct LastUse(Arc<Mutex<HashSet<Uuid>>>);

impl LastUse {
    /// Stores in the background that `key` was used at `now`.
    pub fn note(&self, db: &DatabaseConnection, key: &api_keys::Model, now: DateTime<Utc>) {
        let fresh = key.last_used_at.is_some_and(|at| now - at < COARSENESS);
        if fresh || !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id) {
            return;
        }
        let (this, db, id) = (self.clone(), db.clone(), key.id);
        tokio::spawn(async move {
            if let Err(error) = write(&db, id, now).await {
                tracing::warn!(key_id = %id, %error, "the time of an admin key's last use was not written");
            }
            this.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }
}

async fn write(db: &DatabaseConnection, id: Uuid, at: DateTime<Utc>) -> Result<(), sea_orm::DbErr> {
    let tx = store::begin(db).await?;
    api_keys::touch(&tx, id, at).await?;
    tx.commit().await
}

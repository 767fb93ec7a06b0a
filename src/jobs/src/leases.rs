//! Leases with fencing tokens, so that only one instance at a time runs a background job.
//!
//! When an instance dies, its lease expires, and another instance acquires the lease with a greater token. An instance
//! that was only paused may still believe that it holds the lease. The writes of this instance are rejected, because
//! each transaction checks the token.

use chrono::TimeDelta;
use sea_orm::{DatabaseConnection, DbErr};
use uuid::Uuid;

use base::clock::Clock;
use store::last_runs;
use store::leases::{self, Lease};

/// Acquires leases for this process. Cloning is cheap, and all clones have the same holder id.
#[derive(Clone)]
pub struct Leases {
    db: DatabaseConnection,
    clock: Clock,
    holder: Uuid,
}

/// A lease that this process holds.
pub struct Held {
    leases: Leases,
    lease: Lease,
}

impl Leases {
    /// `db` must be the primary database. The process gets a new holder id.
    #[must_use]
    pub fn new(db: DatabaseConnection, clock: Clock) -> Self {
        let holder = clock.new_id();
        Self { db, clock, holder }
    }

    /// Acquires the lease `name` for the duration `time`. Returns `None` if another instance holds the lease.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_hold(&self, name: &'static str, time: TimeDelta) -> Result<Option<Held>, DbErr> {
        let now = self.clock.now();
        if !leases::is_free(&self.db, name, now).await? {
            return Ok(None);
        }
        let tx = store::begin(&self.db).await?;
        let fence = leases::take(&tx, name, self.holder, now, now + time).await?;
        tx.commit().await?;
        Ok(fence.map(|fence| Held {
            leases: self.clone(),
            lease: Lease { name, fence },
        }))
    }
}

impl Held {
    /// Returns the lease, for transactions that write only while the lease is valid.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    #[must_use]
    pub fn fence(&self) -> i64 {
        self.lease.fence
    }

    /// Extends the lease to `time` from now. Returns false if another instance has acquired the lease.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew(&self, time: TimeDelta) -> Result<bool, DbErr> {
        let until = self.leases.clock.now() + time;
        let tx = store::begin(&self.leases.db).await?;
        let stands = leases::hold_until(&tx, &self.lease, until).await?;
        tx.commit().await?;
        Ok(stands)
    }

    /// Records that the job succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_success(&self) -> Result<(), DbErr> {
        last_runs::note(&self.leases.db, self.lease.name, self.leases.clock.now()).await
    }

    /// Releases the lease, so that no instance must wait until the lease expires.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self) -> Result<(), DbErr> {
        self.renew(TimeDelta::zero()).await.map(drop)
    }
}

//! Leases: of all instances, one does a piece of background work. In: a name and how long. Out: a [`Held`] lease with a
//! fencing number that only rises, or none while another holds it.
//!
//! A holder that dies loses its lease when its time is over; whoever looks next takes it, under a greater number. A holder
//! that was only paused may still believe that it holds it: what it then writes is refused, because each write asks, in
//! its own transaction, whether the number still stands.

use chrono::TimeDelta;
use sea_orm::{DatabaseConnection, DbErr};
use uuid::Uuid;

use crate::clock::Clock;
use crate::store;
use crate::store::leases::{self, Lease};

/// Takes leases for this process. Cloning is cheap, and clones are the same holder.
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
    /// Over the primary database, under a name of its own for this process.
    #[must_use]
    pub fn new(db: DatabaseConnection, clock: Clock) -> Self {
        let holder = clock.new_id();
        Self { db, clock, holder }
    }

    /// Takes the lease `name` for a time, unless somebody holds it.
    ///
    /// # Errors
    /// When the database does not answer.
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
    /// The lease, for those who write under it.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Its fencing number.
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.lease.fence
    }

    /// Holds it for a time from now. Out: false when somebody has taken it since: then the work is theirs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew(&self, time: TimeDelta) -> Result<bool, DbErr> {
        let until = self.leases.clock.now() + time;
        let tx = store::begin(&self.leases.db).await?;
        let stands = leases::hold_until(&tx, &self.lease, until).await?;
        tx.commit().await?;
        Ok(stands)
    }

    /// Gives it back, so that nobody need wait for its end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self) -> Result<(), DbErr> {
        self.renew(TimeDelta::zero()).await.map(drop)
    }
}

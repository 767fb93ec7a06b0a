//! A start while the database is away. In: how the schema could be brought up to date. Out: the pools all the same, the spool,
//! and what is to be done when the database comes back.

use std::sync::Arc;

use sea_orm::DatabaseConnection;

use super::AppError;
use crate::audit;
use crate::bootstrap;
use crate::first_start::NewSecrets;
use crate::settings::Settings;
use base::clock::Clock;
use base::keys::SecretKey;
use base::telemetry;
use intake::lane::{Lane, Prepare};
use intake::last_good::LastGood;
use intake::spool::Spool;
use revisions::publish::Publisher;
use store::audit_log::AuditKey;
use store::connect::{self, ConnectError, Connections};
use store::migrate::{self, MigrateError};
use store::restored;

/// Whether the database was there at the start.
pub(super) enum Reached {
    Yes,
    No(MigrateError),
}

impl Reached {
    /// By whether its schema could be brought up to date; an error when that is none that passes by itself.
    pub(super) fn by(migrated: Result<Vec<String>, MigrateError>) -> Result<Self, MigrateError> {
        match migrated {
            Ok(_) => Ok(Self::Yes),
            Err(error @ (MigrateError::Connect(ConnectError::Open { .. }) | MigrateError::Database(_))) => {
                Ok(Self::No(error))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn connect(&self, settings: &Settings) -> Result<Connections, ConnectError> {
        let replica = settings.read_database.as_ref();
        match self {
            Self::Yes => connect::open_with(&settings.database, replica, settings.database_connections).await,
            Self::No(_) => connect::open_later(&settings.database, replica, settings.database_connections).await,
        }
    }
}

/// What a start does with a database that it has reached.
#[derive(Clone)]
pub(super) struct MakeReady {
    pub settings: Arc<Settings>,
    pub db: DatabaseConnection,
    pub publisher: Publisher,
    pub key: SecretKey,
    pub clock: Clock,
    pub audit: AuditKey,
}

impl MakeReady {
    /// Now. Out: the secrets that were made.
    pub async fn now(&self) -> Result<NewSecrets, AppError> {
        restored::look_at_start(&self.db, self.clock.now(), || self.clock.new_id()).await?;
        audit::begin(&self.db, &self.audit).await?;
        Ok(bootstrap::first_start(&self.settings, &self.db, &self.publisher, &self.key, &self.clock).await?)
    }

    /// The messages' own way to the database, and the secrets that were made: a database that is away is made ready when it
    /// comes back, which only helps where messages can be answered without it.
    pub async fn lane(
        self,
        reached: Reached,
        pools: &Connections,
        last_good: &LastGood,
    ) -> Result<(Lane, NewSecrets), AppError> {
        let database = self.settings.database.clone();
        match reached {
            Reached::Yes => Ok((Lane::new(database, pools), self.now().await?)),
            Reached::No(error) => {
                if !last_good.load().await.is_ok_and(|known| known > 0) {
                    return Err(error.into());
                }
                telemetry::log_cause("start_without_database", &error);
                tracing::error!("starting without the database: messages are answered from what is beside the spool");
                Ok((Lane::away(database, pools, self.later()), NewSecrets::default()))
            }
        }
    }

    /// When it comes back, its schema included.
    pub fn later(self) -> Prepare {
        Arc::new(move || {
            let start = self.clone();
            Box::pin(async move {
                let work = async {
                    migrate::up(&start.settings.database).await?;
                    start.now().await
                };
                work.await.map(drop).map_err(|error| {
                    telemetry::log_cause("start_without_database", &error);
                    error.to_string()
                })
            })
        })
    }
}

pub(super) fn spool_bytes(settings: &Settings) -> u64 {
    u64::from(settings.spool_size_mb) << 20
}

/// The spool, or none where it is switched off or cannot be had: the server is of use without it too.
pub(super) async fn open_spool(settings: &Settings, key: &SecretKey) -> Spool {
    if settings.spool_size_mb == 0 {
        return Spool::off();
    }
    match Spool::open(&settings.spool_folder(), spool_bytes(settings), key.of_spool()).await {
        Ok(spool) => spool,
        Err(error) => {
            telemetry::log_cause("spool", &error);
            tracing::error!("there is no spool: while the database is away, messages are refused");
            Spool::off()
        }
    }
}

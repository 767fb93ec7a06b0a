//! Starts while the database is unavailable: opens pools and the spool, and runs migrations and setup once the database
//! is back.

use std::sync::Arc;

use sea_orm::DatabaseConnection;

use super::AppError;
use crate::audit;
use crate::first_start;
use crate::settings::Settings;
use crate::start_messages::NewSecrets;
use base::clock::Clock;
use base::keys::SecretKey;
use base::telemetry;
use intake::offline::gate::{DatabaseGate, Prepare};
use intake::offline::snapshot::Snapshots;
use intake::offline::spool::Spool;
use revisions::publish::Publisher;
use store::audit_log::AuditKey;
use store::connect::{self, ConnectError, Connections};
use store::migrate::{self, MigrateError};
use store::restore_guard;

/// Whether the database was available at startup.
pub(super) enum DatabaseAtStart {
    Yes,
    No(MigrateError),
}

impl DatabaseAtStart {
    /// Derives the availability from the result of the migration. Returns any error that a later attempt would not
    /// resolve.
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

/// Sets up the database at startup.
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
    /// Runs the setup now and returns the new secrets.
    pub async fn now(&self) -> Result<NewSecrets, AppError> {
        restore_guard::check_at_start(&self.db, self.clock.now(), || self.clock.new_id()).await?;
        audit::begin(&self.db, &self.audit).await?;
        Ok(first_start::first_start(&self.settings, &self.db, &self.publisher, &self.key, &self.clock).await?)
    }

    /// Returns the database gate for messages, and the new secrets. If the database is unavailable, the setup runs when
    /// the database is back. Until then, messages are answered from snapshots. Without a snapshot, the start fails.
    pub async fn gate(
        self,
        reached: DatabaseAtStart,
        pools: &Connections,
        snapshots: &Snapshots,
    ) -> Result<(DatabaseGate, NewSecrets), AppError> {
        let database = self.settings.database.clone();
        match reached {
            DatabaseAtStart::Yes => Ok((DatabaseGate::new(database, pools), self.now().await?)),
            DatabaseAtStart::No(error) => {
                if !snapshots.load().await.is_ok_and(|known| known > 0) {
                    return Err(error.into());
                }
                telemetry::log_cause("start_without_database", &error);
                tracing::error!(
                    "starting without the database: messages are answered from the snapshots beside the spool"
                );
                Ok((DatabaseGate::away(database, pools, self.later()), NewSecrets::default()))
            }
        }
    }

    /// Returns a function that migrates and sets up the database. The function runs when the database is back.
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

/// Opens the spool. If the settings disable the spool or it cannot be opened, the server works without a spool.
pub(super) async fn open_spool(settings: &Settings, key: &SecretKey) -> Spool {
    if settings.spool_size_mb == 0 {
        return Spool::off();
    }
    match Spool::open(&settings.spool_folder(), spool_bytes(settings), key.of_spool()).await {
        Ok(spool) => spool,
        Err(error) => {
            telemetry::log_cause("spool", &error);
            tracing::error!("there is no spool: while the database is unavailable, messages are rejected");
            Spool::off()
        }
    }
}

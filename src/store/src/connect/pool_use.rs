//! The settings of each pool: its timeouts, its PostgreSQL session settings and its size.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbBackend};

use crate::postgres_limits::{APPLICATION, PoolPlan};

/// Timeout for getting a connection from a pool.
pub(super) const ACQUIRE: Duration = Duration::from_secs(2);
/// Timeout for getting a connection from the pool for messages. This timeout is shorter than the total time that a
/// message may wait for the database.
const ACQUIRE_FOR_A_MESSAGE: Duration = Duration::from_millis(1_500);

/// The purpose of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Messages,
    Write,
    Read,
    Migrate,
}

impl Use {
    pub(super) fn acquire_timeout(self) -> Duration {
        if self == Self::Messages {
            ACQUIRE_FOR_A_MESSAGE
        } else {
            ACQUIRE
        }
    }

    /// Statement timeout in milliseconds; 0 means none.
    pub(crate) const fn statement_timeout_ms(self) -> i64 {
        match self {
            Self::Messages => 1_800,
            Self::Write => 5_000,
            Self::Read => 10_000,
            Self::Migrate => 0,
        }
    }

    /// Returns the session settings for this use, with their names in PostgreSQL.
    pub(crate) fn session_settings(self) -> Vec<(&'static str, String)> {
        let lock_ms = match self {
            Self::Messages => 1_500,
            Self::Write | Self::Read => 2_000,
            Self::Migrate => 60_000,
        };
        let idle_ms = if self == Self::Messages { 5_000 } else { 10_000 };
        let mut settings = vec![
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", self.statement_timeout_ms().to_string()),
            ("lock_timeout", i32::to_string(&lock_ms)),
            ("idle_in_transaction_session_timeout", i32::to_string(&idle_ms)),
            // Processing a message reads and writes rows by key. A cached plan made for an empty table would scan the
            // whole table.
            ("enable_seqscan", on(self != Self::Messages).to_owned()),
            // With JIT, our longest queries take longer to compile than to run.
            ("jit", "off".to_owned()),
        ];
        if self == Self::Read {
            settings.extend([
                // A filter's value may occur in almost all rows or in almost no rows. A generic plan would scan the
                // whole table for a rare value.
                ("plan_cache_mode", "force_custom_plan".to_owned()),
                // This is the usual value for an SSD. With this value, the planner reads a list through the index on
                // its filters instead of scanning the table.
                ("random_page_cost", "1.1".to_owned()),
            ]);
        }
        settings
    }

    pub(super) fn connections(self, plan: PoolPlan) -> u32 {
        match self {
            Self::Messages => plan.sizes.messages,
            Self::Write => plan.sizes.writers,
            Self::Read => plan.sizes.readers,
            Self::Migrate => 1,
        }
    }
}

const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Returns the statements that set the isolation level and the timeouts of a transaction, as one string. These
/// statements are needed if the session could not be configured at startup. Returns `None` if nothing needs to be set.
pub(crate) fn limits_of_transactions(db: &DatabaseConnection) -> Option<String> {
    if db.get_database_backend() != DbBackend::Postgres {
        return None;
    }
    let pool = db.get_postgres_connection_pool();
    let options = pool.connect_options();
    let told = options
        .get_options()
        .is_some_and(|options| options.contains("statement_timeout"));
    if told || options.get_application_name() != Some(APPLICATION) {
        return None;
    }
    // A pool does not store its purpose, so derive the purpose from its acquire timeout.
    let messages = pool.options().get_acquire_timeout() == Use::Messages.acquire_timeout();
    let usage = if messages { Use::Messages } else { Use::Write };
    let settings = usage.session_settings();
    // The first setting is the isolation level, which a different statement sets.
    let limits = settings.iter().skip(1);
    let limits: Vec<String> = limits
        .map(|(name, value)| format!("SET LOCAL {name} = {value}"))
        .collect();
    Some(format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {}",
        limits.join("; ")
    ))
}

//! Finds out what a PostgreSQL server or its connection pooler allows: the number of connections, and where statement
//! timeouts can be set.
//!
//! This module uses single connections and never a pool. A pool retries a refused connection until its timeout, and
//! then the reason is lost.

use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr};
use tokio::task::JoinSet;

use super::connect::Use;
use super::{Database, reports};

/// Minimum number of connections of an instance: three for messages, two for writes, one for reads.
pub const MIN_CONNECTIONS: u32 = 6;
/// Number of connections that an instance leaves free for commands. A command that migrates needs two.
const LEFT_FOR_COMMANDS: u32 = 2;
/// Default maximum number of connections of an instance.
pub const DEFAULT_CONNECTIONS: u32 = 30;
/// Timeout for opening a connection, and for one query.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Timeout for a second session while testing whether a pooler keeps prepared statements.
const POOLER_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum number of connections of each pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// Reserved for messages.
    pub messages: u32,
    /// For edits and background work.
    pub writers: u32,
    pub readers: u32,
}

impl PoolSizes {
    /// Divides `total` connections among the pools, but at least [`MIN_CONNECTIONS`].
    #[must_use]
    pub fn of(total: u32) -> Self {
        let total = total.max(MIN_CONNECTIONS);
        let writers = (total / 5).max(2);
        let readers = (total * 4 / 15).max(1);
        Self {
            messages: total - writers - readers,
            writers,
            readers,
        }
    }

    #[must_use]
    pub fn total(self) -> u32 {
        self.messages + self.writers + self.readers
    }
}

/// Where statement timeouts are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimits {
    /// In the startup parameter `options`, for the whole session.
    AtStartup,
    /// In each transaction, because a pooler rejects or ignores the startup parameter `options`. A statement outside a
    /// transaction then has no timeout.
    PerTransaction,
}

/// How the pools are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    pub sizes: PoolSizes,
    pub limits: TimeLimits,
}

impl PoolPlan {
    /// The plan for a server that was not surveyed.
    #[must_use]
    pub fn unsurveyed(connections: u32) -> Self {
        Self {
            sizes: PoolSizes::of(connections),
            limits: TimeLimits::AtStartup,
        }
    }
}

/// Why the server or its pooler cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server does not accept a connection, or does not respond.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A pooler gives each transaction another session, and loses prepared statements.
    #[error(
        "the connection pooler gives each transaction another session and loses prepared statements: use \
         `pool_mode = session`, or PgBouncer 1.21 or newer with `max_prepared_statements` above 0"
    )]
    LosesPreparedStatements,
}

/// What the server allows, as [`survey`] found.
#[derive(Clone, Copy, Debug)]
pub struct Survey {
    limits: TimeLimits,
    facts: Option<Facts>,
}

/// Facts about the server, read through one connection.
#[derive(Clone, Copy, Debug)]
struct Facts {
    /// The effective `statement_timeout`, in milliseconds.
    statement_timeout: i64,
    /// Maximum number of connections that the server, the database and the role allow.
    allowed: i64,
    /// Number of allowed connections that are free now.
    free: i64,
    /// Whether the database uses Citus.
    has_citus: bool,
}

/// Finds out how many connections the server allows, and whether timeouts take effect.
pub async fn survey(database: &Database) -> Result<Survey, ServerError> {
    let options = parse(database)?;
    let (mut connection, mut limits) = match connect_patiently(&with_limits(options.clone(), Use::Write)).await {
        Ok(connection) => (connection, TimeLimits::AtStartup),
        Err(error) if refuses_a_startup_parameter(&error) => {
            let connection = connect_patiently(&plain(options.clone())).await.map_err(acquire)?;
            (connection, TimeLimits::PerTransaction)
        }
        Err(error) => return Err(acquire(error).into()),
    };
    let facts = facts(&mut connection).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "the server did not report how many connections it allows");
        None
    });
    if facts.is_some_and(|facts| facts.statement_timeout != Use::Write.statement_timeout_ms()) {
        limits = TimeLimits::PerTransaction;
    }
    if facts.is_some_and(|facts| facts.has_citus) {
        reports::write_separately();
    }
    let keeps = limits == TimeLimits::AtStartup || keeps_prepared_statements(&mut connection, &plain(options)).await;
    close(connection).await;
    if keeps {
        Ok(Survey { limits, facts })
    } else {
        Err(ServerError::LosesPreparedStatements)
    }
}

impl Survey {
    /// The pool plan of an instance that wants this many connections. Logs what an operator should change.
    pub async fn plan(self, database: &Database, wanted: u32) -> Result<PoolPlan, ServerError> {
        let mut facts = self.facts;
        if self.limits == TimeLimits::PerTransaction {
            tracing::warn!(
                "a connection pooler does not pass the startup parameter `options` to PostgreSQL: Ringbook sets its \
                 timeouts in each transaction instead; for statements outside of transactions, run ALTER ROLE … SET \
                 statement_timeout = '10s'"
            );
        }
        if self.limits == TimeLimits::PerTransaction {
            // No catalog shows the pooler's own limit.
            let at_once = transactions_at_once(&plain(parse(database)?), wanted).await;
            if let Some(facts) = &mut facts
                && at_once < wanted
            {
                facts.allowed = facts.allowed.min(at_once.into());
                facts.free = facts.free.min(at_once.into());
            }
        }
        let sizes = facts.map_or_else(|| PoolSizes::of(wanted), |facts| fit(wanted, &facts));
        Ok(PoolPlan {
            sizes,
            limits: self.limits,
        })
    }

    /// The plan for a single connection.
    pub(super) fn single(self) -> PoolPlan {
        PoolPlan {
            limits: self.limits,
            ..PoolPlan::unsurveyed(MIN_CONNECTIONS)
        }
    }
}

/// Divides connections among the pools: the wanted number, or the allowed number if it is smaller.
fn fit(wanted: u32, facts: &Facts) -> PoolSizes {
    let allowed = u32::try_from(facts.allowed).unwrap_or_default();
    let sizes = PoolSizes::of(wanted.min(allowed.saturating_sub(LEFT_FOR_COMMANDS)));
    let total = sizes.total();
    if total < wanted {
        tracing::warn!(
            allowed,
            wanted,
            used = total,
            "the database allows {allowed} connections: this instance opens at most {total} instead of {wanted} \
             (RINGBOOK_DATABASE_CONNECTIONS)"
        );
    }
    if allowed < MIN_CONNECTIONS {
        tracing::error!(
            allowed,
            "the database allows {allowed} connections, but an instance needs {MIN_CONNECTIONS}: messages will \
             wait in the spool; raise max_connections or the CONNECTION LIMIT of the role or the database"
        );
    } else if facts.free < i64::from(total) {
        let free = facts.free;
        tracing::warn!(
            free,
            needed = total,
            "other clients use so many connections that the database has {free} left, and this instance opens up to {total}: \
             raise the limit, or lower RINGBOOK_DATABASE_CONNECTIONS of every instance"
        );
    }
    sizes
}

async fn facts(connection: &mut PgConnection) -> Result<Option<Facts>, sqlx::Error> {
    // The limits of role and database do not apply to superusers.
    const SQL: &str = "SELECT \
        (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout, \
        r.rolsuper::text AS super, r.rolconnlimit::text AS role_limit, d.datconnlimit::text AS database_limit, \
        (current_setting('max_connections')::bigint - CASE WHEN r.rolsuper THEN 0 ELSE \
            current_setting('superuser_reserved_connections')::bigint \
            + coalesce(current_setting('reserved_connections', true), '0')::bigint END)::text AS server_limit, \
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())::text AS on_server, \
        (SELECT count(*) FROM pg_stat_activity WHERE usename = session_user AND pid <> pg_backend_pid())::text AS of_role, \
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())::text AS on_database, \
        (SELECT count(*) FROM pg_extension WHERE extname = 'citus')::text AS citus \
        FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()";
    let asked = sqlx::raw_sql(SQL).fetch_optional(connection);
    let Some(row) = tokio::time::timeout(ANSWER_TIMEOUT, asked)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??
    else {
        return Ok(None);
    };
    let number = |name: &str| number(&row, name);
    let is_super = row.try_get::<String, _>("super")? == "true";
    let mut bounds = vec![(number("server_limit")?, number("on_server")?)];
    for (limit, used) in [("role_limit", "of_role"), ("database_limit", "on_database")] {
        let limit = number(limit)?;
        if limit >= 0 && !is_super {
            bounds.push((limit, number(used)?));
        }
    }
    Ok(Some(Facts {
        statement_timeout: number("statement_timeout")?,
        allowed: bounds.iter().map(|(limit, _)| *limit).min().unwrap_or_default(),
        free: bounds
            .iter()
            .map(|(limit, used)| limit - used)
            .min()
            .unwrap_or_default(),
        has_citus: number("citus")? > 0,
    }))
}

fn number(row: &PgRow, name: &str) -> Result<i64, sqlx::Error> {
    let text: String = row.try_get(name)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Whether a prepared statement still works in the next transaction while another client uses the session that prepared
/// it. Returns true if this cannot be tested.
async fn keeps_prepared_statements(first: &mut PgConnection, options: &PgConnectOptions) -> bool {
    const SQL: &str = "SELECT 1 + $1";
    let tried = async {
        let mut second = connect(options).await?;
        sqlx::query(SQL).bind(1).execute(&mut *first).await?;
        sqlx::raw_sql("BEGIN").execute(&mut second).await?;
        let again = sqlx::query(SQL).bind(2).execute(&mut *first).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut second).await?;
        close(second).await;
        again.map(drop)
    };
    match tokio::time::timeout(POOLER_TIMEOUT, tried).await {
        // The session has no such prepared statement, or has another client's statement with the same name.
        Ok(Err(sqlx::Error::Database(error))) => !matches!(error.code().as_deref(), Some("26000" | "42P05" | "08P01")),
        _ => true,
    }
}

/// Number of clients, up to `wanted`, that can be in a transaction at the same time.
async fn transactions_at_once(options: &PgConnectOptions, wanted: u32) -> u32 {
    let enough = Instant::now() + ANSWER_TIMEOUT;
    let mut clients = JoinSet::new();
    for _ in 0..wanted {
        let options = options.clone();
        clients.spawn(async move {
            let mut connection = connect(&options).await.ok()?;
            let begun = tokio::time::timeout_at(enough.into(), sqlx::raw_sql("BEGIN").execute(&mut connection)).await;
            matches!(begun, Ok(Ok(_))).then_some(connection)
        });
    }
    // Keep every connection open until the last one has responded or timed out. Otherwise the transactions would not be
    // concurrent.
    let inside: Vec<PgConnection> = clients.join_all().await.into_iter().flatten().collect();
    let count = u32::try_from(inside.len()).unwrap_or(u32::MAX);
    futures_util::future::join_all(inside.into_iter().map(close)).await;
    count
}

/// Opens a connection with the settings for messages, and checks that the connection can write. Otherwise returns the
/// reason.
pub async fn is_reachable(database: &Database, plan: PoolPlan) -> Result<(), Unreachable> {
    let options = parse(database).map_err(|error| Unreachable::Away(error.to_string()))?;
    let options = match plan.limits {
        TimeLimits::AtStartup => with_limits(options, Use::Messages),
        TimeLimits::PerTransaction => plain(options),
    };
    let mut connection = connect(&options).await.map_err(|error| Unreachable::of(&error))?;
    let writable = tokio::time::timeout(ANSWER_TIMEOUT, is_writable(&mut connection)).await;
    close(connection).await;
    match writable {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(Unreachable::Away("it is read-only".to_owned())),
        Ok(Err(error)) => Err(Unreachable::of(&error)),
        Err(_) => Err(Unreachable::Silent),
    }
}

/// Why a new connection cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The server, the database, the role or the pooler allows no more connections.
    TooMany(String),
    /// The server accepts connections but does not respond. For example the network loses packets, or a pooler waits
    /// for a free session.
    Silent,
    Away(String),
}

impl Unreachable {
    fn of(error: &sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(database) if database.code().as_deref() == Some("53300") => Self::TooMany(text),
            // The error about PgBouncer's own limit has no error code.
            sqlx::Error::Database(database) if database.message().contains("no more connections allowed") => {
                Self::TooMany(text)
            }
            sqlx::Error::PoolTimedOut => Self::Silent,
            _ => Self::Away(text),
        }
    }
}

/// Closes the idle connections of a pool, so that another pool can use their slots.
pub fn give_back(db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = db.get_postgres_connection_pool();
    for _ in 0..pool.num_idle() {
        let Some(connection) = pool.try_acquire() else { break };
        tokio::spawn(close(connection.detach()));
    }
}

/// Closes the idle connections of a pool that do not respond or are read-only, so that the pool replaces them. Other
/// connections stay open, because the database may not allow new connections.
pub async fn close_dead(db: &DatabaseConnection, patience: Duration) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = db.get_postgres_connection_pool();
    let mut asked = JoinSet::new();
    for _ in 0..pool.num_idle() {
        let Some(mut connection) = pool.try_acquire() else {
            break;
        };
        asked.spawn(async move {
            let answer = tokio::time::timeout(patience, is_writable(&mut connection)).await;
            if !matches!(answer, Ok(Ok(true))) {
                // If this connection were returned to the pool, the pool would wait for it again.
                drop(connection.detach());
            }
        });
    }
    asked.join_all().await;
}

async fn is_writable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SHOW transaction_read_only")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<String, _>(0)? == "off")
}

/// The options without `extra_float_digits`, which PgBouncer rejects. No floating-point number is stored.
pub(super) fn plain(options: PgConnectOptions) -> PgConnectOptions {
    options
        .extra_float_digits(None)
        .application_name(APPLICATION)
        .disable_statement_logging()
}

/// Number of prepared statements that a connection caches. Each combination of a statement and a number of rows needs
/// one prepared statement. Loads of 1 to 64 connections used 158 prepared statements in total. If the cache were too
/// small, a connection would leave prepared statements on the server until the connection ends.
pub const PREPARED_STATEMENTS: usize = 250;

/// Our `application_name` in PostgreSQL.
pub(super) const APPLICATION: &str = "ringbook";

/// Adds the timeouts of a use to the startup parameter `options`.
pub(super) fn with_limits(options: PgConnectOptions, usage: Use) -> PgConnectOptions {
    plain(options).options(usage.session_settings())
}

fn parse(database: &Database) -> Result<PgConnectOptions, DbErr> {
    let parsed = database.url().parse::<PgConnectOptions>();
    parsed.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = PgConnection::connect_with(options);
    tokio::time::timeout(ANSWER_TIMEOUT, connecting)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}

/// Connects. Retries until the timeout while the server starts or allows no more connections.
async fn connect_patiently(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let began = Instant::now();
    loop {
        let passes = match connect(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let is_passing = match &passes {
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
            _ => false,
        };
        if !is_passing || began.elapsed() > ANSWER_TIMEOUT {
            return Err(passes);
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// Closes a connection, or drops it if closing fails.
async fn close(connection: PgConnection) {
    let closed = tokio::time::timeout(ANSWER_TIMEOUT, connection.close()).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::debug!("a connection did not close");
    }
}

/// Whether a pooler rejected a startup parameter.
pub(super) fn refuses_a_startup_parameter(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.message().contains("startup parameter"))
}

fn acquire(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_into_the_whole_and_none_is_empty() {
        assert_eq!(
            PoolSizes::of(DEFAULT_CONNECTIONS),
            PoolSizes {
                messages: 16,
                writers: 6,
                readers: 8
            }
        );
        for total in 0..200 {
            let sizes = PoolSizes::of(total);
            assert_eq!(sizes.total(), total.max(MIN_CONNECTIONS), "{sizes:?}");
            assert!(
                sizes.messages >= 3 && sizes.writers >= 2 && sizes.readers >= 1,
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn an_instance_keeps_to_what_the_server_allows_and_leaves_some_for_commands() {
        let facts = |allowed, free| Facts {
            statement_timeout: 5_000,
            allowed,
            free,
            has_citus: false,
        };
        for (allowed, total) in [
            (3, MIN_CONNECTIONS),
            (10, 8),
            (17, 15),
            (24, 22),
            (30, 28),
            (32, 30),
            (500, 30),
        ] {
            assert_eq!(
                fit(30, &facts(allowed, allowed)).total(),
                total,
                "{allowed} are allowed"
            );
        }
        // Connections of other clients may become free, so they do not reduce the total.
        assert_eq!(fit(30, &facts(100, 2)).total(), 30);
    }
}

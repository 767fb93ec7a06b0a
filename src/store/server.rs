//! What a PostgreSQL server, or a connection pooler in front of it, allows this instance.
//!
//! In: the database's address. Out: how many connections each pool may open, and how the time limits of statements are set.
//! It asks over single connections, never over a pool: a pool repeats a refused connection until its time is up, and the
//! reason is lost.

use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr};
use tokio::task::JoinSet;

use super::connect::Use;
use crate::settings::Database;

/// The fewest connections an instance works with: three for messages, two for writes, one for reads.
pub const MIN_CONNECTIONS: u32 = 6;
/// What it leaves of a limit: a command that migrates takes two.
const LEFT_FOR_COMMANDS: u32 = 2;
/// What an instance opens where nothing else is set and the server allows it.
pub const DEFAULT_CONNECTIONS: u32 = 30;
/// How long the server may take to accept one connection and answer one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// How long another session may take to answer while it is tried whether a pooler keeps prepared statements.
const POOLER_TIMEOUT: Duration = Duration::from_millis(500);

/// How many connections each pool may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// For messages: nothing else can take these.
    pub messages: u32,
    /// For edits and background work.
    pub writers: u32,
    /// For reads.
    pub readers: u32,
}

impl PoolSizes {
    /// The shares of `total` connections; never fewer than [`MIN_CONNECTIONS`] in all.
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

    /// All of them.
    #[must_use]
    pub fn total(self) -> u32 {
        self.messages + self.writers + self.readers
    }
}

/// Where the time limits of statements are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimits {
    /// In the startup parameter `options`: they hold for the whole session.
    AtStartup,
    /// In each transaction, because a pooler refuses or ignores that parameter. A statement outside a transaction has none.
    PerTransaction,
}

/// How the pools are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    /// How many connections each may open.
    pub sizes: PoolSizes,
    /// Where time limits are set.
    pub limits: TimeLimits,
}

impl PoolPlan {
    /// For a server that was not asked.
    #[must_use]
    pub fn unasked(connections: u32) -> Self {
        Self {
            sizes: PoolSizes::of(connections),
            limits: TimeLimits::AtStartup,
        }
    }
}

/// The server or its pooler cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It does not accept a connection, or does not answer on it.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A pooler gives each transaction another session, and does not carry prepared statements along.
    #[error(
        "the connection pooler gives each transaction another session and loses prepared statements: use \
         `pool_mode = session`, or PgBouncer 1.21 or newer with `max_prepared_statements` above 0"
    )]
    LosesPreparedStatements,
}

/// What the server said when it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Survey {
    limits: TimeLimits,
    facts: Option<Facts>,
}

/// What one connection said about the server.
#[derive(Clone, Copy, Debug)]
struct Facts {
    /// The `statement_timeout` that holds, in milliseconds.
    statement_timeout: i64,
    /// The most connections that the server, the database and the role allow.
    allowed: i64,
    /// How many more they allow at this moment.
    free: i64,
}

/// Asks the server how many connections it allows and whether time limits arrive.
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
        tracing::debug!(%error, "the server does not say how many connections it allows");
        None
    });
    if facts.is_some_and(|facts| facts.statement_timeout != Use::Write.statement_timeout_ms()) {
        limits = TimeLimits::PerTransaction;
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
    /// How to open the pools of an instance that wants so many connections. Logs what an operator should change.
    pub async fn plan(self, database: &Database, wanted: u32) -> Result<PoolPlan, ServerError> {
        let mut facts = self.facts;
        if self.limits == TimeLimits::PerTransaction {
            tracing::warn!(
                "a connection pooler keeps the startup parameter `options` from PostgreSQL: Ringbook sets its time limits in                  each transaction instead; for statements outside of transactions, ALTER ROLE … SET statement_timeout = '10s'"
            );
        }
        if self.limits == TimeLimits::PerTransaction {
            // The pooler's own limit stands in no catalog.
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

    /// The same for a single connection.
    pub(super) fn single(self) -> PoolPlan {
        PoolPlan {
            limits: self.limits,
            ..PoolPlan::unasked(MIN_CONNECTIONS)
        }
    }
}

/// The shares of what is wanted, or of what the server allows where that is less.
fn fit(wanted: u32, facts: &Facts) -> PoolSizes {
    let allowed = u32::try_from(facts.allowed).unwrap_or_default();
    let sizes = PoolSizes::of(wanted.min(allowed.saturating_sub(LEFT_FOR_COMMANDS)));
    let total = sizes.total();
    if total < wanted {
        tracing::warn!(
            allowed,
            wanted,
            used = total,
            "the database allows {allowed} connections: this instance opens {total} at most instead of {wanted} \
             (RINGBOOK_DATABASE_CONNECTIONS)"
        );
    }
    if allowed < MIN_CONNECTIONS {
        tracing::error!(
            allowed,
            "the database allows {allowed} connections, an instance needs {MIN_CONNECTIONS}: messages will \
             wait in the spool; raise max_connections or the CONNECTION LIMIT of the role or the database"
        );
    } else if facts.free < i64::from(total) {
        let free = facts.free;
        tracing::warn!(
            free,
            needed = total,
            "other clients hold so many connections that the database has {free} left, and this instance opens up to {total}: \
             raise the limit, or lower RINGBOOK_DATABASE_CONNECTIONS of every instance"
        );
    }
    sizes
}

async fn facts(connection: &mut PgConnection) -> Result<Option<Facts>, sqlx::Error> {
    // Superusers are not held to the limits of their role and database.
    const SQL: &str = "SELECT \
        (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout, \
        r.rolsuper::text AS super, r.rolconnlimit::text AS role_limit, d.datconnlimit::text AS database_limit, \
        (current_setting('max_connections')::bigint - CASE WHEN r.rolsuper THEN 0 ELSE \
            current_setting('superuser_reserved_connections')::bigint \
            + coalesce(current_setting('reserved_connections', true), '0')::bigint END)::text AS server_limit, \
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())::text AS on_server, \
        (SELECT count(*) FROM pg_stat_activity WHERE usename = session_user AND pid <> pg_backend_pid())::text AS of_role, \
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())::text AS on_database \
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
    }))
}

fn number(row: &PgRow, name: &str) -> Result<i64, sqlx::Error> {
    let text: String = row.try_get(name)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Whether a statement that one transaction prepared can be executed in the next, while another client holds the session that
/// it was prepared in. Where that cannot be tried, the answer is yes.
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
        // No such prepared statement, or one of another client under the same name.
        Ok(Err(sqlx::Error::Database(error))) => !matches!(error.code().as_deref(), Some("26000" | "42P05" | "08P01")),
        _ => true,
    }
}

/// How many of so many clients can be in a transaction at the same time.
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
    // Held until the last has answered or was waited for long enough: only then they were in transactions at once.
    let inside: Vec<PgConnection> = clients.join_all().await.into_iter().flatten().collect();
    let count = u32::try_from(inside.len()).unwrap_or(u32::MAX);
    futures_util::future::join_all(inside.into_iter().map(close)).await;
    count
}

/// Opens one connection as those for messages are, and asks whether it can write; the reason in words where it cannot.
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

/// Why no new connection can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The server, the database, the role or the pooler allows no more.
    TooMany(String),
    /// It accepts connections and does not answer: the network swallows what is sent, or a pooler waits for a free session.
    Silent,
    /// Everything else.
    Away(String),
}

impl Unreachable {
    fn of(error: &sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(database) if database.code().as_deref() == Some("53300") => Self::TooMany(text),
            // PgBouncer's own limit has no code of its own.
            sqlx::Error::Database(database) if database.message().contains("no more connections allowed") => {
                Self::TooMany(text)
            }
            sqlx::Error::PoolTimedOut => Self::Silent,
            _ => Self::Away(text),
        }
    }
}

/// Closes the idle connections of a pool, so that another one can have their places.
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

/// Closes the idle connections of a pool that do not answer or can only read, so that the pool opens others in their place. What
/// answers stays: where the database allows no more connections, these are all there are.
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
                // Given back, the pool would wait for it once more.
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

/// Without `extra_float_digits`, which PgBouncer refuses: no floating-point number is stored.
pub(super) fn plain(options: PgConnectOptions) -> PgConnectOptions {
    options
        .extra_float_digits(None)
        .application_name(APPLICATION)
        .disable_statement_logging()
}

/// What PostgreSQL shows of our connections.
pub(super) const APPLICATION: &str = "ringbook";

/// The same with the time limits of a use in the startup parameter `options`.
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

/// The same, again and again for as long as one attempt may take, while the server starts or allows no more connections.
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

/// Says goodbye; a connection that cannot is dropped all the same.
async fn close(connection: PgConnection) {
    let closed = tokio::time::timeout(ANSWER_TIMEOUT, connection.close()).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::debug!("a connection did not close");
    }
}

/// Whether a pooler refused a parameter of the startup message.
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
        // What others hold now, they may give back.
        assert_eq!(fit(30, &facts(100, 2)).total(), 30);
    }
}

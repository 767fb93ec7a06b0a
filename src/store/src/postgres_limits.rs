//! Finds out what a PostgreSQL server or its connection pooler allows: the number of connections, and where statement
//! timeouts can be set. `pool_plan` says how the pools are opened, and `reachable` tests whether the database responds.
//!
//! This module uses single connections and never a pool. A pool retries a refused connection until its timeout, and
//! then the reason is lost.

mod pool_plan;
mod reachable;
mod single_connection;

use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::{self, Row as _};
use sea_orm::{DbErr, RuntimeErr};
use tokio::task::JoinSet;

pub use self::pool_plan::{DEFAULT_CONNECTIONS, MIN_CONNECTIONS, PoolPlan, PoolSizes, TimeLimits};
pub use self::reachable::{Unreachable, close_dead, give_back, is_reachable};
pub use self::single_connection::PREPARED_STATEMENTS;
use self::single_connection::{ANSWER_TIMEOUT, close, connect, connect_patiently, parse, refuses_a_startup_parameter};
pub(super) use self::single_connection::{APPLICATION, plain, with_limits};
use super::connect::pool_use::Use;
use super::{Database, reports};

/// Number of connections that an instance leaves free for commands. A command that migrates needs two connections.
const LEFT_FOR_COMMANDS: u32 = 2;
/// Timeout for a second session while testing whether a pooler keeps prepared statements.
const POOLER_TIMEOUT: Duration = Duration::from_millis(500);

/// Why the server or its pooler cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server does not accept a connection, or does not respond.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// A pooler gives each transaction a different session, and loses prepared statements.
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
    /// Returns the pool plan of an instance that wants this many connections. Logs what an operator should change.
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

    /// Returns the plan for a single connection.
    pub(super) fn single(self) -> PoolPlan {
        PoolPlan {
            limits: self.limits,
            ..PoolPlan::unsurveyed(MIN_CONNECTIONS)
        }
    }
}

/// Divides the wanted connections among the pools, or fewer connections if the database does not allow so many.
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

/// Returns the number of clients, up to `wanted`, that can be in a transaction at the same time.
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

fn acquire(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

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

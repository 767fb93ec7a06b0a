//! Ringbook's schema, for SQLite and PostgreSQL: SQL files in which `{uuid}`, `{time}`, `{json}` and `{bytes}` stand for
//! the type that each database has for it. A line that begins with `{postgres}` or `{sqlite}` is for that one alone.

mod statements;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseBackend, Statement};

/// The files of a migration; `postgres` and `sqlite` where it has some for one database only.
macro_rules! file {
    ($name:literal) => {
        file!(@ $name, "", "")
    };
    ($name:literal, postgres) => {
        file!(@ $name, include_str!(concat!("sql/", $name, "_postgres.sql")), "")
    };
    ($name:literal, postgres, sqlite) => {
        file!(@ $name, include_str!(concat!("sql/", $name, "_postgres.sql")), include_str!(concat!("sql/", $name, "_sqlite.sql")))
    };
    (@ $name:literal, $postgres:expr, $sqlite:expr) => {
        FileMigration {
            name: $name,
            up: include_str!(concat!("sql/", $name, "_up.sql")),
            up_postgres: $postgres,
            up_sqlite: $sqlite,
            down: include_str!(concat!("sql/", $name, "_down.sql")),
        }
    };
}

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let files = [
            file!("m0001_begin", postgres),
            file!("m0002_change_sets"),
            file!("m0003_trust", postgres, sqlite),
            file!("m0003_waiting"),
            file!("m0004_backtests"),
            file!("m0006_hits_and_calendars"),
            file!("m0007_scripts", postgres, sqlite),
            file!("m0009_delivery"),
            file!("m0010_on_call"),
            file!("m0011_running"),
            file!("m0012_backup"),
            file!("m0013_hearing"),
            file!("m0013_fact_kinds", postgres, sqlite),
            file!("m0013_sms_delivery"),
            file!("m0013_script_runs"),
            file!("m0013_key_owners"),
            file!("m0014_classifiers"),
            file!("m0014_quotas"),
            file!("m0014_tool_call_keys"),
            file!("m0014_adjustments_per"),
            file!("m0015_rulebook_profiles"),
            file!("m0015_last_runs"),
            file!("m0016_growth"),
            file!("m0017_console"),
            file!("m0018_console_roles"),
            file!("m0019_shift_overrides"),
            file!("m0020_calendar_feeds"),
            file!("m0021_decision_feedback"),
        ];
        files.map(|file| Box::new(file) as Box<dyn MigrationTrait>).into()
    }
}

/// A migration written as SQL files: for both databases, then what only one of them needs.
#[derive(Clone, Copy)]
struct FileMigration {
    name: &'static str,
    up: &'static str,
    up_postgres: &'static str,
    up_sqlite: &'static str,
    down: &'static str,
}

impl MigrationName for FileMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FileMigration {
    /// SQLite's migrations are not in a transaction unless asked.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let own = match backend {
            DatabaseBackend::Postgres => self.up_postgres,
            _ => self.up_sqlite,
        };
        execute(manager, self.up).await?;
        execute(manager, own).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, self.down).await
    }
}

/// Executes a file, one statement a call: Citus refuses several that change tables in one.
async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    for statement in statements::split(&in_dialect(sql, backend)) {
        // Prepared: PostgreSQL prepares no more than one statement at once.
        let statement = Statement::from_string(backend, statement);
        manager.get_connection().execute_raw(statement).await?;
    }
    Ok(())
}

fn in_dialect(sql: &str, backend: DatabaseBackend) -> String {
    let types: &[(&str, &str)] = match backend {
        DatabaseBackend::Postgres => &[
            ("{uuid}", "uuid"),
            ("{time}", "timestamptz"),
            ("{json}", "jsonb"),
            ("{bytes}", "bytea"),
            ("{false}", "false"),
        ],
        _ => &[
            ("{uuid}", "blob"),
            ("{time}", "text"),
            ("{json}", "text"),
            ("{bytes}", "blob"),
            ("{false}", "0"),
        ],
    };
    let (own, foreign) = match backend {
        DatabaseBackend::Postgres => ("{postgres}", "{sqlite}"),
        _ => ("{sqlite}", "{postgres}"),
    };
    let lines = sql.lines().filter(|line| !line.starts_with(foreign));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(own).unwrap_or(line)).collect();
    types
        .iter()
        .fold(lines.join("\n"), |sql, (from, to)| sql.replace(from, to))
}

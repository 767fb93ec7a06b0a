//! Ringbook's schema for SQLite and PostgreSQL, as SQL files. In them `{uuid}`, `{time}`, `{json}` and `{bytes}` stand
//! for each database's type. A line that begins with `{postgres}` or `{sqlite}` is for that database only.

mod statements;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseBackend, Statement};

macro_rules! file {
    ($name:literal) => {
        FileMigration {
            name: $name,
            up: include_str!(concat!("sql/", $name, "_up.sql")),
            down: include_str!(concat!("sql/", $name, "_down.sql")),
        }
    };
}

/// The first migration of the schema from before the first release. No later migration has this name.
pub const BEFORE_FIRST_RELEASE: &str = "m0001_begin";

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let files = [
            file!("m01_rulebooks"),
            file!("m02_rules"),
            file!("m03_change_sets"),
            file!("m04_rules_in_use"),
            file!("m05_calls"),
            file!("m06_decisions_and_leads"),
            file!("m07_sms"),
            file!("m08_on_call"),
            file!("m09_access"),
            file!("m10_audit"),
            file!("m11_operation"),
        ];
        files.map(|file| Box::new(file) as Box<dyn MigrationTrait>).into()
    }
}

/// A migration written as SQL files.
#[derive(Clone, Copy)]
struct FileMigration {
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

impl MigrationName for FileMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FileMigration {
    /// SQLite's migrations do not run in a transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, self.down).await
    }
}

/// Executes a file with one statement per call, because Citus rejects several schema changes in one call.
async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    for statement in statements::split(&in_dialect(sql, backend)) {
        // As a prepared statement, because PostgreSQL prepares only one statement at a time.
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

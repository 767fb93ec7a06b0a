//! Ringbook's schema, for SQLite and PostgreSQL: SQL files in which `{uuid}`, `{time}`, `{json}` and `{bytes}` stand for
//! the type that each database has for it. A line that begins with `{postgres}` or `{sqlite}` is for that one alone.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let files: &[FileMigration] = &[
            FileMigration {
                name: "m0001_begin",
                up: include_str!("sql/m0001_begin_up.sql"),
                up_postgres: include_str!("sql/m0001_begin_postgres.sql"),
                up_sqlite: "",
                down: include_str!("sql/m0001_begin_down.sql"),
            },
            FileMigration {
                name: "m0002_change_sets",
                up: include_str!("sql/m0002_change_sets_up.sql"),
                up_postgres: "",
                up_sqlite: "",
                down: include_str!("sql/m0002_change_sets_down.sql"),
            },
            FileMigration {
                name: "m0003_trust",
                up: include_str!("sql/m0003_trust_up.sql"),
                up_postgres: include_str!("sql/m0003_trust_postgres.sql"),
                up_sqlite: include_str!("sql/m0003_trust_sqlite.sql"),
                down: include_str!("sql/m0003_trust_down.sql"),
            },
            FileMigration {
                name: "m0003_waiting",
                up: include_str!("sql/m0003_waiting_up.sql"),
                up_postgres: "",
                up_sqlite: "",
                down: include_str!("sql/m0003_waiting_down.sql"),
            },
            FileMigration {
                name: "m0004_backtests",
                up: include_str!("sql/m0004_backtests_up.sql"),
                up_postgres: "",
                up_sqlite: "",
                down: include_str!("sql/m0004_backtests_down.sql"),
            },
            FileMigration {
                name: "m0006_hits_and_calendars",
                up: include_str!("sql/m0006_hits_and_calendars_up.sql"),
                up_postgres: "",
                up_sqlite: "",
                down: include_str!("sql/m0006_hits_and_calendars_down.sql"),
            },
        ];
        files
            .iter()
            .map(|file| Box::new(*file) as Box<dyn MigrationTrait>)
            .collect()
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
        for sql in [self.up, own].into_iter().filter(|sql| !sql.is_empty()) {
            let sql = in_dialect(sql, backend);
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = in_dialect(self.down, manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }
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

//! Ringbook's schema for SQLite and PostgreSQL, as SQL files. The placeholders `{uuid}`, `{time}`, `{json}` and
//! `{bytes}` become the column types of the database. A line that begins with `{postgres}` is only for PostgreSQL, and
//! a line that begins with `{sqlite}` is only for SQLite.

mod statements;

/// The SQL dialect of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// A migration written as SQL files.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub name: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        Migration {
            name: $name,
            up: include_str!(concat!("sql/", $name, "_up.sql")),
            down: include_str!(concat!("sql/", $name, "_down.sql")),
        }
    };
}

/// Name of a migration that exists only in databases from before the first release.
pub const BEFORE_FIRST_RELEASE: &str = "m0001_begin";

/// All migrations, oldest first.
pub const ALL: [Migration; 12] = [
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
    file!("m12_erasures"),
];

impl Migration {
    /// Returns the statements that apply the migration. Execute each statement in a separate call, because Citus
    /// rejects several schema changes in one call.
    pub fn up(&self, dialect: Dialect) -> Vec<String> {
        statements_of(self.up, dialect)
    }

    /// Returns the statements that revert the migration. Execute each statement in a separate call.
    pub fn down(&self, dialect: Dialect) -> Vec<String> {
        statements_of(self.down, dialect)
    }
}

fn statements_of(sql: &str, dialect: Dialect) -> Vec<String> {
    let sql = in_dialect(sql, dialect);
    statements::split(&sql).into_iter().map(str::to_owned).collect()
}

fn in_dialect(sql: &str, dialect: Dialect) -> String {
    let types: &[(&str, &str)] = match dialect {
        Dialect::Postgres => &[
            ("{uuid}", "uuid"),
            ("{time}", "timestamptz"),
            ("{json}", "jsonb"),
            ("{bytes}", "bytea"),
            ("{false}", "false"),
        ],
        Dialect::Sqlite => &[
            ("{uuid}", "blob"),
            ("{time}", "text"),
            ("{json}", "text"),
            ("{bytes}", "blob"),
            ("{false}", "0"),
        ],
    };
    let (own, foreign) = match dialect {
        Dialect::Postgres => ("{postgres}", "{sqlite}"),
        Dialect::Sqlite => ("{sqlite}", "{postgres}"),
    };
    let lines = sql.lines().filter(|line| !line.starts_with(foreign));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(own).unwrap_or(line)).collect();
    types
        .iter()
        .fold(lines.join("\n"), |sql, (from, to)| sql.replace(from, to))
}

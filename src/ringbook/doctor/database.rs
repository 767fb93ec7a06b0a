//! Checks the database and its contents, and returns the connection for later checks.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr, EntityTrait as _, QueryOrder as _, Statement};

use super::assistant::RecommendedAssistant;
use super::{Findings, Running};
use crate::settings::Settings;
use base::keys::SecretKey;
use intake::auth::access::DEFAULT_RULEBOOK;
use revisions::cache::{LoadError, RulebookCache};
use store::Database;
use store::migrate::Unknown;
use store::replica::Replica;
use store::{connect, migrate, rulebooks, secrets};

/// The oldest tested version of PostgreSQL.
const OLDEST: i64 = 150_000;

/// Checks the database.
pub async fn examine(settings: &Settings, key: Option<&SecretKey>, found: &mut Findings) -> Option<DatabaseConnection> {
    const CHECK: &str = "database";
    if settings.database.file().is_some_and(|file| !file.exists()) {
        return None;
    }
    let wanted = settings.database_connections;
    let opened = match connect::open_with(&settings.database, settings.read_database.as_ref(), wanted).await {
        Ok(opened) => opened,
        Err(error) => {
            let error = base::telemetry::chain(&error);
            found.wrong(
                CHECK,
                error,
                "Start the database, or correct DATABASE_URL (or DATABASE_READ_URL).",
            );
            return None;
        }
    };
    if opened.for_people().close().await.is_err() {
        tracing::debug!("the read pool did not close");
    }
    let used = opened.plan.sizes.total();
    let db = opened.write;
    let current = RulebookCache::new(Replica::default(), db.clone());
    look(settings, &db, key, (used, &current), found).await.then_some(db)
}

/// Checks the database of a running server, with the server's connections.
pub async fn examine_running(own: &Running, found: &mut Findings) {
    let how = (own.connections, &own.current);
    look(&own.settings, &own.db, Some(&own.key), how, found).await;
}

/// Checks an open database. Returns whether its tables can be used.
async fn look(
    settings: &Settings,
    db: &DatabaseConnection,
    key: Option<&SecretKey>,
    (used, current): (u32, &RulebookCache),
    found: &mut Findings,
) -> bool {
    const CHECK: &str = "database";
    let looked = match settings.database {
        Database::Sqlite(_) => sqlite(db, found).await,
        Database::Postgres(_) => postgres(db, (used, settings.database_connections), found).await,
    };
    if let Err(error) = looked {
        found.wrong(
            CHECK,
            format!("the settings of the database cannot be read: {error}"),
            "Look at the database's log.",
        );
    }
    if !migrations(db, found).await {
        return false;
    }
    if let Err(error) = contents(settings, (db, current), key, found).await {
        found.wrong(
            CHECK,
            format!("the database cannot be read: {error}"),
            "Look at the database's log.",
        );
    }
    true
}

async fn sqlite(db: &DatabaseConnection, found: &mut Findings) -> Result<(), DbErr> {
    let durable = one(db, "SELECT CAST(synchronous AS text) FROM pragma_synchronous").await? == "2";
    let wal = one(db, "SELECT journal_mode FROM pragma_journal_mode").await? == "wal";
    if durable && wal {
        found.ok(
            "database",
            "SQLite; every answered message is on the disk. One writer: use PostgreSQL for several instances",
        );
    } else {
        found.wrong(
            "database",
            "SQLite does not write as it should (WAL with synchronous FULL)",
            "Is the file on a network drive, or read-only? Put it on a local disk.",
        );
    }
    Ok(())
}

async fn postgres(db: &DatabaseConnection, (used, wanted): (u32, u32), found: &mut Findings) -> Result<(), DbErr> {
    const CHECK: &str = "database";
    let setting = async |name: &str| one(db, &format!("SELECT current_setting('{name}')")).await;
    let version: i64 = setting("server_version_num").await?.parse().unwrap_or_default();
    let shown = setting("server_version").await?;
    if version < OLDEST {
        found.warning(
            CHECK,
            format!("PostgreSQL {shown} is older than the oldest tested version"),
            "Use PostgreSQL 15 or newer.",
        );
    } else {
        found.ok(CHECK, format!("PostgreSQL {shown}"));
    }
    for (name, why) in [
        ("fsync", "a crash of the machine can lose or break everything"),
        ("full_page_writes", "a crash of the machine can break pages"),
        (
            "synchronous_commit",
            "messages that were answered can be lost when the server crashes",
        ),
    ] {
        if setting(name).await? == "off" {
            found.wrong(
                CHECK,
                format!("`{name}` is off: {why}"),
                format!("Set `{name} = on` in postgresql.conf."),
            );
        }
    }
    if setting("statement_timeout").await? == "0" {
        found.warning(
            CHECK,
            "a connection pooler drops the timeouts of sessions: only statements in transactions have a timeout",
            "Run ALTER ROLE … SET statement_timeout = '10s'; see docs/postgresql.md.",
        );
    }
    if used < wanted {
        found.warning(
            CHECK,
            format!("an instance opens {used} connections at most instead of {wanted}: the server, a pooler, the database or the role allows no more"),
            "Raise `max_connections`, the pool's size or the CONNECTION LIMIT; or lower RINGBOOK_DATABASE_CONNECTIONS.",
        );
    }
    if one(db, "SELECT has_schema_privilege(current_schema(), 'CREATE')::text").await? != "true" {
        found.wrong(
            CHECK,
            "the role may not create tables, so migrations fail",
            "Make the role the owner of the database: ALTER DATABASE … OWNER TO …",
        );
    }
    if one(db, "SELECT pg_is_in_recovery()::text").await? == "true" {
        found.wrong(
            CHECK,
            "DATABASE_URL is a replica",
            "Use the primary; set a replica in DATABASE_READ_URL.",
        );
    }
    Ok(())
}

async fn migrations(db: &DatabaseConnection, found: &mut Findings) -> bool {
    const CHECK: &str = "migrations";
    match migrate::unknown(db).await {
        Ok(Some(Unknown::Newer(names))) => {
            found.wrong(
                CHECK,
                format!(
                    "the database was migrated by a newer ringbook ({}): this ringbook refuses to start on it",
                    names.join(", ")
                ),
                "Run the newer ringbook, or revert its migrations with its `ringbook migrate down`.",
            );
            return false;
        }
        Ok(Some(Unknown::BeforeFirstRelease)) => {
            found.wrong(
                CHECK,
                "the schema is from before the first release: this ringbook refuses to start on it",
                "Use a new database, or load a data-only dump of this database into a database that `ringbook migrate up` created.",
            );
            return false;
        }
        // An error is ignored here, because the query below reports it.
        Ok(None) | Err(_) => {}
    }
    match migrate::missing(db).await {
        Ok(0) => {
            found.ok(CHECK, "all applied");
            true
        }
        Ok(count) => {
            found.wrong(
                CHECK,
                format!("{count} are missing"),
                "ringbook migrate up, or start the server.",
            );
            false
        }
        Err(error) => {
            found.wrong(
                CHECK,
                format!("the applied migrations cannot be read: {error}"),
                "Look at the database's log.",
            );
            false
        }
    }
}

async fn contents(
    settings: &Settings,
    (db, current): (&DatabaseConnection, &RulebookCache),
    key: Option<&SecretKey>,
    found: &mut Findings,
) -> Result<(), DbErr> {
    let all = rulebooks::Entity::find()
        .order_by_asc(rulebooks::Column::Code)
        .all(db)
        .await?;
    if all.iter().all(|rulebook| rulebook.code != DEFAULT_RULEBOOK) {
        found.wrong(
            "rulebook",
            "there is no rulebook `default`",
            "Start the server once: it loads the sample.",
        );
    }
    for rulebook in &all {
        let code = &rulebook.code;
        match current.head(code).await {
            Ok(Some(head)) => {
                found.ok("rulebook", format!("`{code}` compiles, revision {}", head.rulebook.revision()));
                found.assistants.push(RecommendedAssistant::from_rows(code, head.rulebook.rows()));
            }
            Ok(None) => {}
            Err(LoadError::Faults { revision, faults }) => found.wrong(
                "rulebook",
                format!("`{code}` does not compile at revision {revision}: {} errors", faults.len()),
                format!("ringbook rules export FOLDER --rulebook {code}, and rules check FOLDER; or roll back to an older revision."),
            ),
            Err(error) => found.wrong("rulebook", format!("`{code}` cannot be loaded: {error}"), "Look at the log."),
        }
        let stored = secrets::active(db, rulebook.id, &[secrets::WEBHOOK]).await?;
        let set = code == DEFAULT_RULEBOOK && settings.vapi_secret.is_some();
        if stored.is_empty() && !set {
            found.wrong(
                "webhook secret",
                format!("`{code}` has none: every message to it is refused"),
                format!("POST /admin/v1/rulebooks/{code}/secrets with the purpose `webhook`."),
            );
        } else {
            found.ok(
                "webhook secret",
                format!("`{code}` has {}", stored.len() + usize::from(set)),
            );
        }
        let opens = |row: &secrets::Model| key.is_none_or(|key| key.open(rulebook.id, row.id, &row.sealed).is_ok());
        if !stored.iter().all(opens) {
            found.wrong(
                "secret key",
                format!("a stored secret of `{code}` cannot be decrypted with this key"),
                "Restore the key that encrypted it (RINGBOOK_SECRET_KEY, or the key file).",
            );
        }
    }
    Ok(())
}

/// Runs a query that returns a single string.
async fn one(db: &DatabaseConnection, sql: &str) -> Result<String, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("a setting of the database".to_owned()))?;
    row.try_get_by_index(0)
}

//! A database for each test, empty and migrated: a SQLite file in its own folder, or a PostgreSQL database on the
//! server of TEST_POSTGRES_URL. A PostgreSQL database is a copy of a template that is migrated once per process.

use std::{
    io::Write as _,
    sync::{Arc, LazyLock, Once},
};

use base::clock::Clock;
use ringbook::settings;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection};
use store::migrate;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A database that is deleted after the test.
pub struct TestDatabase {
    pub url: String,
    /// The name of the PostgreSQL database, which is dropped at the end.
    name: Option<String>,
    _folder: Option<TempDir>,
    /// The spool folder of all instances on this database.
    pub spool: Arc<TempDir>,
}

/// The template's name once it exists. Copies are made one at a time, because PostgreSQL does not copy a template that
/// is in use.
static TEMPLATE: LazyLock<Mutex<Option<String>>> = LazyLock::new(Mutex::default);

impl TestDatabase {
    pub async fn create(kind: Database) -> Self {
        match kind {
            Database::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/ringbook.db", folder.path().display());
                Self {
                    url,
                    name: None,
                    _folder: Some(folder),
                    spool: Arc::new(tempfile::tempdir().unwrap()),
                }
            }
            Database::Postgres => {
                let mut template = TEMPLATE.lock().await;
                let server = connect_to_server().await;
                if template.is_none() {
                    let name = unique("template");
                    execute(&server, &format!("CREATE DATABASE {name}")).await;
                    let database = store::Database::parse(&url_of(&name)).unwrap();
                    migrate::up(&database).await.unwrap();
                    guard_keys(&url_of(&name)).await;
                    *template = Some(name);
                }
                let (name, template) = (unique("test"), template.as_deref().unwrap());
                execute(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
                server.close().await.unwrap();
                Self {
                    url: url_of(&name),
                    name: Some(name),
                    _folder: None,
                    spool: Arc::new(tempfile::tempdir().unwrap()),
                }
            }
        }
    }

    /// Creates an empty PostgreSQL database whose owner may have `limit` connections. Also returns the URL that
    /// connects as this owner.
    pub async fn with_few_connections(limit: u32) -> (Self, String) {
        let name = unique("few");
        let server = connect_to_server().await;
        execute(&server, &format!("CREATE ROLE {name} LOGIN CONNECTION LIMIT {limit}")).await;
        execute(&server, &format!("CREATE DATABASE {name} OWNER {name}")).await;
        server.close().await.unwrap();
        let url = url_of(&name);
        let (_, place) = url.split_once('@').unwrap();
        let as_owner = format!("postgres://{name}@{place}");
        let database = Self {
            url,
            name: Some(name),
            _folder: None,
            spool: Arc::new(tempfile::tempdir().unwrap()),
        };
        (database, as_owner)
    }

    /// Returns the same database, for another instance. Removing the returned value does not drop the database.
    pub fn shared(&self) -> Self {
        Self {
            url: self.url.clone(),
            name: None,
            _folder: None,
            spool: self.spool.clone(),
        }
    }

    /// Drops the database on the server.
    pub async fn remove(self) {
        if let Some(name) = &self.name {
            let server = connect_to_server().await;
            execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            if name.contains("_few_") {
                execute(&server, &format!("DROP ROLE {name}")).await;
            }
            server.close().await.unwrap();
        }
    }
}

/// Makes every UPDATE that sets `rulebook_id` fail, even to the same value. A database that distributes its rows by
/// that column, like Citus, rejects such statements. So each test on PostgreSQL proves that Ringbook sends no such
/// statement.
async fn guard_keys(url: &str) {
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    execute(
        &db,
        "CREATE FUNCTION rulebook_id_is_set() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'an UPDATE of % sets rulebook_id', TG_TABLE_NAME; END $$",
    )
    .await;
    // The audit tests edit the audit log on purpose, so the log is exempt.
    execute(
        &db,
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT table_name FROM information_schema.columns WHERE \
         table_schema = 'public' AND column_name = 'rulebook_id' AND table_name <> 'audit_log' LOOP \
         EXECUTE format('CREATE TRIGGER rulebook_id_is_never_set BEFORE UPDATE OF rulebook_id ON %I FOR EACH ROW \
         EXECUTE FUNCTION rulebook_id_is_set()', t.table_name); END LOOP; END $$",
    )
    .await;
    db.close().await.unwrap();
}

/// Returns whether there is a PostgreSQL server for the tests. If there is none and RINGBOOK_TEST_SQLITE_ONLY=1 is not
/// set, the test fails.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
pub fn postgres_is_tested() -> bool {
    static SAID: Once = Once::new();
    if std::env::var("TEST_POSTGRES_URL").is_ok() {
        return true;
    }
    assert_eq!(
        std::env::var("RINGBOOK_TEST_SQLITE_ONLY").as_deref(),
        Ok("1"),
        "TEST_POSTGRES_URL is not set: run `make test`, or `scripts/with-postgres.sh cargo test`, or set \
         RINGBOOK_TEST_SQLITE_ONLY=1 to leave PostgreSQL out"
    );
    // Writes directly to standard error, because the test harness would swallow a print.
    SAID.call_once(|| {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "NOT RUN on PostgreSQL: RINGBOOK_TEST_SQLITE_ONLY=1");
    });
    false
}

/// Returns a name that no other test process on the same server uses.
fn unique(kind: &str) -> String {
    format!("ringbook_{kind}_{}", Clock::system().new_id().simple())
}

#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn server_url() -> String {
    std::env::var("TEST_POSTGRES_URL").unwrap()
}

/// Returns the URL of a database on the PostgreSQL server of the tests.
fn url_of(name: &str) -> String {
    let server = server_url();
    let (address, options) = server
        .split_once('?')
        .map_or((server.as_str(), ""), |(address, options)| (address, options));
    let (host, _) = address.rsplit_once('/').unwrap();
    let question = if options.is_empty() { "" } else { "?" };
    format!("{host}/{name}{question}{options}")
}

async fn connect_to_server() -> DatabaseConnection {
    let mut options = ConnectOptions::new(server_url());
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

async fn execute(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap();
}

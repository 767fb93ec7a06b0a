//! Starts the real server in the test process, on its own port, with a known admin key and webhook secret.
//! [`TestApp::stop`] checks that the server shuts down cleanly without unfinished work.

use std::{net::SocketAddr, path::Path, time::Duration};

use base::clock::Clock;
use chrono::{DateTime, Utc};
use ringbook::{
    app::{App, AppError},
    settings::{Flags, Settings},
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::client::Client;
use super::database::{Database, TestDatabase};

pub const ADMIN_KEY: &str = "test-admin-key-0123456789";
pub const VAPI_SECRET: &str = "test-vapi-secret-0123456789";

/// A server under test.
pub struct TestApp {
    pub address: SocketAddr,
    /// The server's shared state, such as its clock and its pools.
    pub app: App,
    pub client: Client,
    database: TestDatabase,
    env: Vec<(String, String)>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AppError>>,
}

/// Starts a server.
pub struct Builder {
    kind: Database,
    clock: Clock,
    env: Vec<(String, String)>,
}

impl Builder {
    /// Adds a setting. `name` is the name of its environment variable.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a clock that stays at `at` until `app.clock.step` moves it.
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.clock = Clock::fixed(at);
        self
    }

    pub async fn start(self) -> TestApp {
        let database = TestDatabase::create(self.kind).await;
        TestApp::start_on(database, self.clock, self.env).await
    }
}

impl TestApp {
    /// Starts a server with the usual settings and the real clock.
    pub async fn start(kind: Database) -> Self {
        Self::builder(kind).start().await
    }

    /// Starts a server whose clock stays at `at`, without background work.
    pub async fn at_rest(kind: Database, at: DateTime<Utc>) -> Self {
        Self::builder(kind).set("RINGBOOK_WORKERS", "none").at(at).start().await
    }

    pub fn builder(kind: Database) -> Builder {
        Builder {
            kind,
            clock: Clock::system(),
            env: Vec::new(),
        }
    }

    /// Starts a server on a database that a test has prepared.
    pub async fn start_on(database: TestDatabase, clock: Clock, env: Vec<(String, String)>) -> Self {
        let spool = database.spool.path().to_str().unwrap().to_owned();
        let usual = [
            ("DATABASE_URL", database.url.as_str()),
            ("RINGBOOK_SPOOL_DIR", spool.as_str()),
            ("RINGBOOK_LISTEN", "127.0.0.1:0"),
            ("RINGBOOK_ADMIN_KEY", ADMIN_KEY),
            ("RINGBOOK_VAPI_SECRET", VAPI_SECRET),
            (
                "RINGBOOK_SECRET_KEY",
                "0101010101010101010101010101010101010101010101010101010101010101",
            ),
        ];
        let lookup = |name: &str| {
            let given = env
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone());
            given.or_else(|| {
                usual
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let settings = Settings::load_from(&Flags::default(), lookup, Path::new("no such file")).unwrap();
        let app = Box::pin(App::start(settings, clock)).await.unwrap();
        let listener = app.listen().await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(Box::pin(app.clone().serve(listener, async move {
            let _ = stopped.await;
        })));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        let client = Client(client);
        Self {
            address,
            app,
            client,
            database,
            env,
            stop,
            served,
        }
    }

    /// Returns the URL of the server's database.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Returns the URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Starts another instance on the same database, with the same clock and settings. Stop the other instance before
    /// this instance.
    pub async fn another(&self) -> Self {
        Self::start_on(self.database.shared(), self.app.clock.clone(), self.env.clone()).await
    }

    /// Does the same as [`Self::another`], with other settings.
    pub async fn another_with(&self, env: Vec<(String, String)>) -> Self {
        Self::start_on(self.database.shared(), self.app.clock.clone(), env).await
    }

    /// Stops the server cleanly, runs `meanwhile` while it is down, then starts another server on the same database.
    pub async fn restart_after(self, meanwhile: impl FnOnce(&Clock)) -> Self {
        drop(self.stop);
        self.served.await.unwrap().unwrap();
        meanwhile(&self.app.clock);
        Self::start_on(self.database, self.app.clock.clone(), self.env).await
    }

    /// Stops the server cleanly and starts another server on the same database, with the same clock and settings.
    pub async fn restart(self) -> Self {
        drop(self.stop);
        self.served.await.unwrap().unwrap();
        Self::start_on(self.database, self.app.clock.clone(), self.env).await
    }

    /// Stops the server cleanly and returns its database for the next server.
    pub async fn leave(self) -> TestDatabase {
        drop(self.stop);
        self.served.await.unwrap().unwrap();
        self.database
    }

    /// Stops the server and checks that it shut down cleanly: no error and no remaining task.
    pub async fn stop(self) {
        drop(self.stop);
        self.served.await.unwrap().unwrap();
        assert_eq!(self.app.tasks.len(), 0, "tasks still run after the shutdown");
        self.database.remove().await;
    }
}

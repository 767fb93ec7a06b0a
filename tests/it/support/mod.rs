//! Support for the tests.
//!
//! - [`app`] starts the server in the test process, and [`program`] starts the real program.
//! - [`database`] creates a database for each test, and [`tables`] reads its tables.
//! - [`messages`] builds Vapi's messages, and [`requests`] sends requests as Vapi and as an admin.
//! - [`stand_in`] and [`vapi`] replace external servers.
//! - [`proxy`] injects network faults, and [`pooler`] starts a connection pooler.
//! - [`client`] and [`contract`] check every response of an admin operation against the OpenAPI document.
//! - [`recorded`] records such responses as examples for the OpenAPI document.
//! - [`pages`] lists every GET of the OpenAPI document.
//! - [`browser`] visits the console.

pub mod app;
pub mod browser;
pub mod client;
pub mod contract;
pub mod database;
pub mod forms;
pub mod hostile;
pub mod messages;
pub mod pages;
pub mod pooler;
pub mod program;
pub mod proxy;
pub mod recorded;
pub mod requests;
pub mod seen_statuses;
pub mod stand_in;
pub mod tables;
pub mod vapi;

pub use self::{
    app::TestApp,
    database::{Database, postgres_is_tested},
    stand_in::{Answer, StandIn},
    vapi::Vapi,
};

/// Creates two tests from each `async fn name(database: Database)`: one on SQLite, one on PostgreSQL.
#[macro_export]
macro_rules! both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$name($crate::support::Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if $crate::support::postgres_is_tested() {
                    super::$name($crate::support::Database::Postgres).await;
                }
            }
        }
    )+ };
}

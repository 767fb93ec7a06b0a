//! Test support: a running server ([`app`]) or the real program ([`program`]), databases ([`database`]), requests as
//! Vapi and an admin send them ([`requests`]), Vapi's messages ([`messages`]), the contents of tables ([`tables`]),
//! stand-ins for external servers ([`stand_in`], [`vapi`]), a fault-injecting proxy ([`proxy`]) and a connection pooler
//! ([`pooler`]). Every response of an admin operation is checked against the OpenAPI document ([`client`],
//! [`contract`]) and may become one of its examples ([`recorded`]). [`pages`] lists every GET of the OpenAPI document.
//! [`browser`] visits the console.

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

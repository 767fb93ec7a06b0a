//! What tests stand on: a running server ([`app`]) or the real program ([`program`]), its databases ([`database`]), requests as Vapi and an admin send
//! them ([`requests`]), the messages themselves ([`messages`]), what stands in the tables ([`tables`]), a stand-in for
//! other people's servers ([`stand_in`], [`vapi`]) a proxy that breaks the way to them ([`proxy`]) and a connection pooler ([`pooler`]). Every answer of an
//! admin operation is held against the document ([`client`], [`contract`]) and may become one of its examples ([`answered`]);
//! [`walk`] is every GET of it. [`browser`] visits the console.

pub mod answered;
pub mod app;
pub mod browser;
pub mod client;
pub mod contract;
pub mod database;
pub mod forms;
pub mod hostile;
pub mod messages;
pub mod pooler;
pub mod program;
pub mod proxy;
pub mod requests;
pub mod seen_statuses;
pub mod stand_in;
pub mod tables;
pub mod vapi;
pub mod walk;

pub use self::{
    app::TestApp,
    database::{Database, postgres_is_tested},
    stand_in::{Answer, StandIn},
    vapi::Vapi,
};

/// Makes two tests of each `async fn name(database: Database)`: one on SQLite, one on PostgreSQL.
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

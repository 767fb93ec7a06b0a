//! People change the rules: the admin API, its document and Swagger UI.
//!
//! In: a request with an admin key. Out: JSON, or problem+json. [`auth`] says who may; [`body`], [`versions`] and
//! [`list`] read requests; [`rule_rows`] is the one set of operations that all kinds of rule rows share, and
//! [`resources`] names them; the other files are one resource each; [`document`] turns what poem-openapi knows into
//! the published document.
//!
//! Every write goes through [`crate::rulebook::publish`], in a task of its own: a client that hangs up must not
//! cancel a transaction halfway.

pub mod answer;
pub mod auth;
pub mod body;
pub mod document;
pub mod evaluate;
pub mod fails;
pub mod keys;
mod last_use;
pub mod list;
pub mod publishing;
pub mod resources;
pub mod revisions;
pub mod rule_rows;
pub mod rulebooks;
mod service;
mod state;
pub mod versions;

pub use document::{document, document_text};
pub use service::service;
pub use state::{AdminState, ReadMessage};

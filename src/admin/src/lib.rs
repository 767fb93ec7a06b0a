//! People change the rules: the admin API, its document and Swagger UI.
//!
//! In: a request with an admin key. Out: JSON, or problem+json. [`auth`] says who may; [`body`], [`versions`] and
//! [`list`] read requests, and [`parameters`] tells which parameters could not be read; [`idempotency`] does once what is sent
//! twice; [`declared`] is what every operation does besides its own work: trials ([`dry_run`]), tags, `Accept`; [`rule_rows`] is
//! the one set of operations that all kinds of rule rows share, and
//! [`resources`] names them; the other files are one resource each; [`document`] turns what poem-openapi knows into
//! the published document.
//!
//! Every write goes through [`revisions::publish`], in a task of its own: a client that hangs up must not
//! cancel a transaction halfway.

mod across;
pub mod answer;
mod api_keys;
mod apis;
mod at_once;
mod audit_log;
mod audited;
pub mod auth;
mod backtests;
pub mod body;
mod calendar_days;
pub mod calendar_feed;
mod calendar_feeds;
mod call_cases;
mod calls;
mod change_sets;
mod checked;
mod console_sessions;
mod days;
mod decisions;
mod declared;
mod described;
mod docs_page;
mod docs_scripting;
pub mod document;
mod dry_run;
mod erasures;
mod evaluate;
mod event_replays;
mod events;
mod explanation;
mod export;
pub mod fails;
mod feedback;
mod feedback_cases;
mod guard_rails;
pub mod idempotency;
mod inbound_sms_messages;
pub mod keys;
mod last_use;
mod leads;
mod lint;
pub mod list;
mod list_csv;
mod masking;
mod notices;
mod parameters;
mod phrase_matches;
mod profile;
pub mod publishing;
mod reread;
pub mod resources;
mod retention;
mod revisions;
mod row_faults;
mod rule_hits;
pub mod rule_rows;
mod rulebook_health;
mod rulebooks;
mod script_quarantines;
mod scripts;
mod secrets;
mod seen;
mod service;
mod setup;
mod setup_checks;
mod sheets;
mod shifts;
mod sms_delivery;
mod sms_messages;
mod sms_resend;
mod sms_suppressions;
mod state;
mod statements;
mod stats;
mod unmatched;
pub mod versions;
mod vocabulary;
mod watched;
mod webhook_auth;
mod webhook_events;
mod words;
mod written;

pub use document::{document, document_text};
pub use service::service;
pub use setup_checks::{CheckSetup, SetupChecks, SetupFinding, SetupLevel, SetupOfVapi};
pub use state::{AdminState, FromWebhook, ReadAuth, ReadMessage, TakeAgain, WordSms};

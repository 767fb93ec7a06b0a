//! The admin API, its OpenAPI document and Swagger UI.
//!
//! [`auth`] authenticates and authorizes. [`body`], [`versions`] and [`list`] parse requests; [`parameters`] reports
//! parameters that cannot be parsed. [`idempotency`] executes a repeated request only once. [`middleware`] is the
//! middleware of every operation: it handles dry runs ([`dry_run`]), ETags and `Accept`. [`rule_rows`] has the
//! operations that all kinds of rule rows share, and [`resources`] names the kinds. [`document`] turns poem-openapi's
//! output into the published OpenAPI document. Every other file implements one resource.
//!
//! Every change of the rules goes through `revisions::publish`, in its own task. So a client that disconnects cannot
//! cancel a transaction halfway.

mod api_document;
pub mod api_key_format;
mod api_keys;
mod apis;
mod audit_log;
mod audited_write;
pub mod auth;
mod backtests;
pub mod body;
mod calendar_days;
pub mod calendar_feed;
mod calendar_feeds;
mod call_cases;
mod calls;
mod change_sets;
mod change_stream;
mod concurrency_limit;
mod console_sessions;
mod days;
mod decisions;
mod docs_page;
mod docs_scripting;
pub mod document;
mod dry_run;
mod erasures;
pub mod errors;
mod evaluate;
mod event_replays;
mod explanation;
mod export;
mod feedback;
mod feedback_cases;
mod guard_rails;
pub mod idempotency;
mod inbound_sms_messages;
mod last_use;
mod leads;
mod lint;
pub mod list;
mod list_csv;
mod masking;
mod middleware;
mod notices;
mod parameters;
mod phrase_matches;
mod primary_fallback;
mod profile;
pub mod publishing;
pub mod resources;
pub mod responses;
mod retention;
mod revisions;
mod routes;
mod row_checks;
mod row_faults;
mod row_kind;
mod rule_hits;
pub mod rule_rows;
mod rulebook_health;
mod rulebooks;
mod scope;
mod script_quarantines;
mod scripts;
mod secrets;
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
mod transcript_filter;
mod unmatched;
pub mod versions;
mod view_at;
mod vocabulary;
mod watched_rulebooks;
mod webhook_auth;
mod webhook_events;
mod write_responses;

pub use api_document::document as program_document;
pub use document::{document, document_text};
pub use routes::service;
pub use setup_checks::{CheckSetup, SetupChecks, SetupFinding, SetupLevel, SetupOfVapi};
pub use state::{AdminState, FromWebhook, ReadAuth, ReadMessage, ReplayMessage, WriteSmsBody};

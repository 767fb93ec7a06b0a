//! What the operator sees: logs and metrics.
//!
//! In: the settings. Out: one JSON object a line, or readable lines on a terminal, on standard error; metrics
//! (see [`metrics`]). Personal data stays out: phone numbers go through [`mask_phone`], causes of errors through
//! [`scrub`], and statements are never logged with their values.

mod json_line;
pub mod mask;
pub mod metrics;
pub mod rulebooks;
pub mod sampled;

use std::{
    backtrace::Backtrace,
    error::Error as StdError,
    fmt::Write as _,
    io::{IsTerminal as _, stderr},
    panic,
    sync::atomic::{AtomicBool, Ordering},
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use self::mask::{mask_phone, scrub};

/// Whether errors are logged with a stack trace (INCLUDE_STACK_TRACE).
static STACK_TRACES: AtomicBool = AtomicBool::new(false);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One object a line.
    Json,
    /// For people.
    Pretty,
}

/// How to log.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// A filter, as `RUST_LOG` takes it.
    pub level: &'a str,
    /// None: for people on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// Whether errors and panics are logged with a stack trace.
    pub stack_traces: bool,
}

/// Starts logging and metrics; a second call in one process (tests) changes nothing.
pub fn start(settings: LogSettings<'_>) {
    STACK_TRACES.store(settings.stack_traces, Ordering::Relaxed);
    metrics::install();
    let mut filter = EnvFilter::try_new(settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Two lines a migration, on the first start before anything that a person looks for. `LOG_LEVEL` can ask for them.
    if !settings.level.contains("sea_orm_migration")
        && let Ok(quiet) = "sea_orm_migration=warn".parse()
    {
        filter = filter.add_directive(quiet);
    }
    let format = settings.format.unwrap_or(if stderr().is_terminal() {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    });
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .fmt_fields(fmt::format::JsonFields::new())
                    .event_format(json_line::JsonLine)
                    .with_writer(stderr),
            )
            .try_init(),
        LogFormat::Pretty => registry
            .with(fmt::layer().with_ansi(stderr().is_terminal()).with_writer(stderr))
            .try_init(),
    };
    if started.is_ok() {
        log_panics();
    }
}

/// Logs where a panic happened. Its message may hold a piece of a caller's words, so it is left out unless
/// stack traces were asked for.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if STACK_TRACES.load(Ordering::Relaxed) {
            let message = info.payload_as_str().map(scrub).unwrap_or_default();
            tracing::error!(place, message, stack = %Backtrace::force_capture(), "a task panicked");
        } else {
            tracing::error!(place, "a task panicked; INCLUDE_STACK_TRACE=true shows more");
        }
    }));
}

/// An error and its sources on one line; a source that the error's own text repeats is left out.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Logs an error and its sources under the current span, once, where it becomes an answer.
pub fn log_cause(code: &'static str, cause: &dyn StdError) {
    log_text(code, &chain(cause));
}

/// Puts the call that this request is about on each of its log lines that follow. Call it in the request's own span (a
/// spawned task: `.in_current_span()`), not in one inside it.
pub fn about_call(call_id: Option<&str>, rulebook: &str) {
    let span = tracing::Span::current();
    span.record("rulebook", rulebook);
    if let Some(call_id) = call_id {
        span.record("call_id", call_id);
    }
}

/// Puts on the request's log line what the message was and what became of it.
pub fn about_message(kind: &str, outcome: &str) {
    let span = tracing::Span::current();
    span.record("kind", kind);
    span.record("taken", outcome);
}

/// Puts the revision that decides on each log line that follows.
pub fn at_revision(revision: i64) {
    tracing::Span::current().record("revision", revision);
}

/// Logs an error of which only the text is known.
pub fn log_text(code: &'static str, cause: &str) {
    let cause = scrub(cause);
    if STACK_TRACES.load(Ordering::Relaxed) {
        tracing::error!(code, cause, stack = %Backtrace::force_capture(), "{code}: {cause}");
    } else {
        tracing::error!(code, cause, "{code}: {cause}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer fails")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_each_cause_once() {
        assert_eq!(
            chain(&Outer(std::io::Error::other("the inner"))),
            "the outer fails: the inner"
        );
        assert_eq!(chain(&Outer(std::io::Error::other("outer"))), "the outer fails");
    }
}

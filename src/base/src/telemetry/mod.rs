//! Logs and [`metrics`] for the operator. Log lines go to standard error, as JSON objects or, on a terminal, in
//! readable form.
//!
//! Personal data stays out of the log: [`mask_phone`] masks phone numbers, and [`scrub`] masks the causes of errors.
//! SQL statements are never logged with their values.

mod json_line;
pub mod mask;
pub mod metrics;
pub mod rulebooks;
pub mod sampling;

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

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Readable lines, for people.
    Pretty,
}

/// Settings of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// A filter in the syntax of `RUST_LOG`.
    pub level: &'a str,
    /// `None` means readable on a terminal, JSON otherwise.
    pub format: Option<LogFormat>,
    /// Whether errors and panics are logged with a stack trace.
    pub stack_traces: bool,
}

/// Starts logging and metrics. A second call in the same process, as in tests, changes only whether stack traces are
/// logged.
pub fn start(settings: LogSettings<'_>) {
    STACK_TRACES.store(settings.stack_traces, Ordering::Relaxed);
    metrics::install();
    let filter = EnvFilter::try_new(settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
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

/// Logs the location of every panic. The panic message may contain a caller's words, so it is logged only if stack
/// traces are enabled.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if STACK_TRACES.load(Ordering::Relaxed) {
            let message = info.payload_as_str().map(scrub).unwrap_or_default();
            tracing::error!(place, message, stack = %Backtrace::force_capture(), "a task panicked");
        } else {
            tracing::error!(
                place,
                "a task panicked; set INCLUDE_STACK_TRACE=true to log the message and the stack"
            );
        }
    }));
}

/// Formats an error and its sources as one line. A source whose text the line already contains is omitted.
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

/// Logs an error and its sources under the current span. Call this function once per error, when the error becomes a
/// response.
pub fn log_cause(code: &'static str, cause: &dyn StdError) {
    log_text(code, &chain(cause));
}

/// Adds the call and the rulebook to all later log lines of this request. Call this function in the span of the
/// request, not in a nested span. A spawned task must use `.in_current_span()`.
pub fn about_call(call_id: Option<&str>, rulebook: &str) {
    let span = tracing::Span::current();
    span.record("rulebook", rulebook);
    if let Some(call_id) = call_id {
        span.record("call_id", call_id);
    }
}

/// Adds the type and the outcome of the message to all later log lines of the request.
pub fn about_message(kind: &str, outcome: &str) {
    let span = tracing::Span::current();
    span.record("kind", kind);
    span.record("taken", outcome);
}

/// Adds the revision of the decision to all later log lines of the request.
pub fn at_revision(revision: i64) {
    tracing::Span::current().record("revision", revision);
}

/// Logs an error that is only known as text.
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

//! Fault injection: the steps at which a test can interrupt the processing of a message, an SMS message or a publish
//! request.
//!
//! `RINGBOOK_FAULT_AT=STEP:abort` makes the process abort at that step, and `STEP:error` makes the step fail. With `:N`
//! at the end, the process aborts or fails when it reaches the step for the Nth time. The variable works only in debug
//! builds with the cargo feature `faults`. Without the feature, [`reach`] does nothing, and the code that injects
//! faults is not compiled. `tests/faults` fails if a step has no test case.

use sea_orm::DbErr;

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` injects faults: it is for tests, in a debug build only");

/// The version that `--version` prints. A build with fault injection prints a different version, so that nobody
/// mistakes it for a normal build.
#[cfg(not(feature = "faults"))]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version that `--version` prints. A build with fault injection prints a different version, so that nobody
/// mistakes it for a normal build.
#[cfg(feature = "faults")]
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " - BUILT TO BREAK, FOR TESTS ONLY (feature `faults`)"
);

/// Defines an enum, a name for each member, and the list of all members.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $member:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$what])* $member,)+ }

        impl $name {
            /// All members.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// The external name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }
        }
    };
}

named! {
    /// A step at which the program can be interrupted. `before` and `after` refer to a commit.
    Step {
        /// A message is accepted, but nothing is written.
        MessageLetIn = "message.let_in",
        /// The event of the message is inserted but not committed. The message's other rows are not written.
        MessageEventInserted = "message.event_inserted",
        /// All rows of the message are written, including its SMS messages, but not committed.
        MessageBeforeCommit = "message.before_commit",
        /// The message is committed, but no response was sent.
        MessageAfterCommit = "message.after_commit",
        /// One of the messages that share a transaction is written but not committed.
        BatchMessageWritten = "batch.message_written",
        /// The rows of all messages that share the transaction are written but not committed, also the rows of the SMS
        /// messages.
        BatchBeforeCommit = "batch.before_commit",
        /// The transaction is committed, but no response was sent.
        BatchAfterCommit = "batch.after_commit",
        /// Due SMS messages are locked. Their state `sending` is written but not committed.
        ClaimBeforeCommit = "claim.before_commit",
        /// The state `sending` is committed, but nothing was sent to the provider.
        ClaimAfterCommit = "claim.after_commit",
        /// The provider has responded, but nothing is written.
        PostAnswered = "post.answered",
        /// The result of an attempt is written but not committed.
        SettleBeforeCommit = "settle.before_commit",
        /// The result of an attempt is committed.
        SettleAfterCommit = "settle.after_commit",
        /// The cleanup of expired leases and of messages that are too old to send is written but not committed.
        TidyBeforeCommit = "tidy.before_commit",
        /// The cleanup of expired leases and of messages that are too old to send is committed.
        TidyAfterCommit = "tidy.after_commit",
        /// The provider's list was read, but nothing is written.
        LookAnswered = "look.answered",
        /// The state from the provider's list is written but not committed.
        LookBeforeCommit = "look.before_commit",
        /// The state from the provider's list is committed.
        LookAfterCommit = "look.after_commit",
        /// The next step of an escalation, with its SMS messages, is written but not committed.
        EscalateBeforeCommit = "escalate.before_commit",
        /// The step of the escalation, with its SMS messages, is committed.
        EscalateAfterCommit = "escalate.after_commit",
        /// A change is compiled and checked, but no transaction is open.
        PublishPlanned = "publish.planned",
        /// Rows, revision and head are written but not committed. Audit entries are not written.
        PublishRowsWritten = "publish.rows_written",
        /// All rows of the publish request are written but not committed.
        PublishBeforeCommit = "publish.before_commit",
        /// The publish request is committed, but no response was sent.
        PublishAfterCommit = "publish.after_commit",
    }
}

/// Fails or aborts at this step if a test requested this.
///
/// # Errors
/// When a test requested an error at this step. A normal build never fails here.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must cost nothing in a normal build")]
pub const fn reach(_step: Step) -> Result<(), DbErr> {
    Ok(())
}

/// Returns the duration unchanged. In a build with `faults`, tests can shorten the duration, so that they need not
/// wait.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[must_use]
#[expect(clippy::inline_always, reason = "it must cost nothing in a normal build")]
pub const fn or_shorter(usual: chrono::TimeDelta) -> chrono::TimeDelta {
    usual
}

#[cfg(feature = "faults")]
pub use with_faults::{or_shorter, reach};

#[cfg(feature = "faults")]
mod with_faults {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{DbErr, Step};

    /// The fault that a test requested. At the `nth` pass through the step `at`, the process aborts or the step fails.
    struct RequestedFault {
        at: String,
        abort: bool,
        nth: u64,
    }

    static ASKED: LazyLock<Option<RequestedFault>> = LazyLock::new(|| {
        let text = variable("RINGBOOK_FAULT_AT")?;
        let mut parts = text.split(':');
        Some(RequestedFault {
            at: parts.next()?.to_owned(),
            abort: parts.next()? == "abort",
            nth: parts.next().and_then(|nth| nth.parse().ok()).unwrap_or(1),
        })
    });
    static SHORTER: LazyLock<Option<i32>> = LazyLock::new(|| variable("RINGBOOK_FAULTS_DIVIDE_WAITS")?.parse().ok());
    static REACHED: AtomicU64 = AtomicU64::new(0);

    #[expect(
        clippy::disallowed_methods,
        reason = "not a setting: it exists only in a build for tests"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    pub fn reach(step: Step) -> Result<(), DbErr> {
        let Some(asked) = ASKED.as_ref().filter(|asked| asked.at == step.name()) else {
            return Ok(());
        };
        let nth = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if nth < asked.nth {
            return Ok(());
        }
        if asked.abort {
            std::process::abort();
        }
        // Fail only once, because the steps after the failure must work.
        if nth > asked.nth {
            return Ok(());
        }
        let told = format!("a test asked for a failure at {}", step.name());
        tracing::error!("{told}");
        Err(DbErr::Custom(told))
    }

    #[must_use]
    pub fn or_shorter(usual: chrono::TimeDelta) -> chrono::TimeDelta {
        SHORTER.map_or(usual, |by| usual / by)
    }
}

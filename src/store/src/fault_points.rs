//! Fault injection: every step at which processing of a message, an SMS or a publish request can be interrupted.
//!
//! `RINGBOOK_FAULT_AT=STEP:abort` makes the process abort at that step, and `STEP:error` makes the step fail. With `:N`
//! at the end, the process aborts or fails when it reaches the step for the Nth time. The variable works only with the
//! cargo feature `faults`, in debug builds. Without the feature, [`reach`] does nothing, and the code that injects
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

/// Defines an enum whose members have names, with the list of all members.
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
        /// A message is accepted; nothing is written.
        MessageLetIn = "message.let_in",
        /// The event of the message is inserted but not committed; its other rows are not written.
        MessageEventInserted = "message.event_inserted",
        /// All rows of the message are written, including its SMS messages, but not committed.
        MessageBeforeCommit = "message.before_commit",
        /// The message is committed; no response was sent.
        MessageAfterCommit = "message.after_commit",
        /// One of the messages that share a transaction is written but not committed.
        BatchMessageWritten = "batch.message_written",
        /// All messages of the transaction are written, including their SMS messages, but not committed.
        BatchBeforeCommit = "batch.before_commit",
        /// The transaction is committed; no response was sent.
        BatchAfterCommit = "batch.after_commit",
        /// Due SMS messages are locked; their state `sending` is written but not committed.
        ClaimBeforeCommit = "claim.before_commit",
        /// State `sending` is committed; nothing was sent to the provider.
        ClaimAfterCommit = "claim.after_commit",
        /// The provider has responded; nothing is written.
        PostAnswered = "post.answered",
        /// The result of an attempt is written but not committed.
        SettleBeforeCommit = "settle.before_commit",
        /// The result of an attempt is committed.
        SettleAfterCommit = "settle.after_commit",
        /// The new state of messages with an expired lease, and of messages too old to send, is written but not
        /// committed.
        TidyBeforeCommit = "tidy.before_commit",
        /// The new state of messages with an expired lease, and of messages too old to send, is committed.
        TidyAfterCommit = "tidy.after_commit",
        /// The provider's list was read; nothing is written.
        LookAnswered = "look.answered",
        /// The state from the provider's list is written but not committed.
        LookBeforeCommit = "look.before_commit",
        /// The state from the provider's list is committed.
        LookAfterCommit = "look.after_commit",
        /// The next step of an unacknowledged P1's escalation and its SMS messages are written but not committed.
        EscalateBeforeCommit = "escalate.before_commit",
        /// The step of the escalation and its SMS messages are committed.
        EscalateAfterCommit = "escalate.after_commit",
        /// A change is compiled and checked; no transaction is open.
        PublishPlanned = "publish.planned",
        /// Rows, revision and head are written but not committed; audit entries are not written.
        PublishRowsWritten = "publish.rows_written",
        /// Everything of the publish request is written but not committed.
        PublishBeforeCommit = "publish.before_commit",
        /// The publish request is committed; no response was sent.
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

    /// A requested fault: the step, whether to abort or to fail, and at which pass through the step.
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

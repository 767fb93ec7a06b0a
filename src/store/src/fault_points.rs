//! Where the program can be broken on purpose: every step at which a message, a text or a publish may be cut in two.
//!
//! In: `RINGBOOK_FAULT_AT=STEP:abort` (or `STEP:error`, either with `:N` for the Nth time).
//! Out: the process aborts there, or the step fails. All of it exists only with the cargo feature `faults`, and that only in a
//! debug build: without it [`reach`] is a constant, and nothing of this is compiled in. `tests/faults` has a case for every
//! step; one without a case fails there.

use sea_orm::DbErr;

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` breaks things on purpose: it is for tests, in a debug build only");

/// The version as `--version` tells it: nobody takes a build that breaks on purpose for another.
#[cfg(not(feature = "faults"))]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version as `--version` tells it: nobody takes a build that breaks on purpose for another.
#[cfg(feature = "faults")]
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " - BUILT TO BREAK, FOR TESTS ONLY (feature `faults`)"
);

/// Names for the members of an enum, and the list of all of them.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $member:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$what])* $member,)+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// Its name outside of the program.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }
        }
    };
}

named! {
    /// A step at which the program can be cut in two. `before` and `after` are those of a commit.
    Step {
        /// A message is let in and nothing of it is written.
        MessageLetIn = "message.let_in",
        /// Its event is inserted, nothing else.
        MessageEventInserted = "message.event_inserted",
        /// All of it is written, texts too.
        MessageBeforeCommit = "message.before_commit",
        /// It is committed and nobody was answered.
        MessageAfterCommit = "message.after_commit",
        /// One of the messages that share a transaction is written.
        BatchMessageWritten = "batch.message_written",
        /// All of them are, texts too.
        BatchBeforeCommit = "batch.before_commit",
        /// They are committed and nobody was answered.
        BatchAfterCommit = "batch.after_commit",
        /// Due texts are locked and marked.
        ClaimBeforeCommit = "claim.before_commit",
        /// `sending` is committed and nothing was posted.
        ClaimAfterCommit = "claim.after_commit",
        /// The provider has answered and nothing is written.
        PostAnswered = "post.answered",
        /// What became of a text is written.
        SettleBeforeCommit = "settle.before_commit",
        /// It is committed.
        SettleAfterCommit = "settle.after_commit",
        /// What others left behind is marked.
        TidyBeforeCommit = "tidy.before_commit",
        /// That is committed.
        TidyAfterCommit = "tidy.after_commit",
        /// The provider's list was read and nothing is written.
        LookAnswered = "look.answered",
        /// What it said is written.
        LookBeforeCommit = "look.before_commit",
        /// That is committed.
        LookAfterCommit = "look.after_commit",
        /// A P1 that nobody took is handed on, its texts are queued.
        EscalateBeforeCommit = "escalate.before_commit",
        /// That is committed.
        EscalateAfterCommit = "escalate.after_commit",
        /// A change is compiled and checked, and no transaction is open.
        PublishPlanned = "publish.planned",
        /// Rows, revision and head are written, the audit log is not told.
        PublishRowsWritten = "publish.rows_written",
        /// All of it is written.
        PublishBeforeCommit = "publish.before_commit",
        /// It is committed and nobody was answered.
        PublishAfterCommit = "publish.after_commit",
    }
}

/// Breaks off here when a test asked for it.
///
/// # Errors
/// When a test asked for an error at this step; never in a normal build.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is nothing, and shall stay nothing")]
pub const fn reach(_step: Step) -> Result<(), DbErr> {
    Ok(())
}

/// A duration of a normal build, or one that a test chose so that it need not wait.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[must_use]
#[expect(clippy::inline_always, reason = "it is its argument, and shall stay it")]
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

    /// What is to happen, where, and how often it may be reached before.
    struct Asked {
        at: String,
        abort: bool,
        nth: u64,
    }

    static ASKED: LazyLock<Option<Asked>> = LazyLock::new(|| {
        let text = variable("RINGBOOK_FAULT_AT")?;
        let mut parts = text.split(':');
        Some(Asked {
            at: parts.next()?.to_owned(),
            abort: parts.next()? == "abort",
            nth: parts.next().and_then(|nth| nth.parse().ok()).unwrap_or(1),
        })
    });
    static SHORTER: LazyLock<Option<i32>> = LazyLock::new(|| variable("RINGBOOK_FAULTS_DIVIDE_WAITS")?.parse().ok());
    static REACHED: AtomicU64 = AtomicU64::new(0);

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: it exists in a build for tests only"
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
        // Once: what comes after a failed step is to work.
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

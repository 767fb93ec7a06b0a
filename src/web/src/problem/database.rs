//! Classifies database errors as transient or internal. A transient error (connection lost, pool empty, lock or
//! statement timed out, serialization failure, disk full) becomes 503 with Retry-After. Any other error becomes 500.
//! The database's error text is only logged.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::Problem;

/// Seconds after which a client should retry if the database is unavailable.
const RETRY_AFTER_S: u32 = 5;

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_transient(&error) {
            Self::unavailable(&error, RETRY_AFTER_S)
        } else {
            Self::internal(&error)
        }
    }
}

/// Whether the same statement may succeed later without a repair.
#[must_use]
pub fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            is_transient_sqlx(error)
        }
        _ => false,
    }
}

fn is_transient_sqlx(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
        _ => false,
    }
}

/// A code of five characters is a SQLSTATE of PostgreSQL. A shorter code is a primary or extended result code of
/// SQLite.
fn is_transient_code(code: &str) -> bool {
    if code.len() == 5 {
        // connection exception, transaction rollback, insufficient resources, operator intervention
        matches!(code.get(..2), Some("08" | "40" | "53" | "57"))
            // lock not available, a standby that has not been promoted yet, transaction timed out
            || matches!(code, "55P03" | "25006" | "25P03" | "25P04")
    } else {
        // The low byte is the primary code: busy, locked, I/O error, full, cannot open.
        code.parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_worth_another_try() {
        for code in [
            "40001", "40P01", "57014", "57P01", "53100", "53300", "08006", "55P03", "5", "6", "13", "517", "261",
        ] {
            assert!(is_transient_code(code), "{code}");
        }
    }

    #[test]
    fn a_mistake_of_ours_is_not() {
        for code in ["23505", "42P01", "22P02", "42601", "1", "19", "2067", "787", "é1234"] {
            assert!(!is_transient_code(code), "{code}");
        }
        assert!(!is_transient(&DbErr::Custom("x".into())));
    }
}

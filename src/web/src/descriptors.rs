//! How many files and sockets this process may have open.
//!
//! It raises the limit at the start and says how many connections of clients fit below it. It never gives clients all of them:
//! the outbox, the database and the spool need descriptors too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than this is never asked for: a limit without an end makes tables of descriptors large elsewhere.
const MAX_DESCRIPTORS: u64 = 65_536;
/// Kept for everything that is neither a client nor a connection to the database: SQLite's files, the spool, requests to Twilio
/// and Vapi, a backup's programs, and connections that are being closed.
const RESERVED: u64 = 226;

/// Raises the limit of open files as far as the system lets us. Out: what it is then.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(MAX_DESCRIPTORS);
    let wanted = limit.maximum.unwrap_or(MAX_DESCRIPTORS).min(MAX_DESCRIPTORS);
    if wanted <= current {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, current, "the limit of open files cannot be raised");
            current
        }
    }
}

/// How many connections of clients may be open under a limit of descriptors, beside so many connections to the database.
#[must_use]
pub fn room_for_clients(limit: u64, database_connections: u32) -> usize {
    let kept = RESERVED.saturating_add(database_connections.into());
    let room = limit.saturating_sub(kept.min(limit / 2));
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_never_get_all_descriptors() {
        assert_eq!(room_for_clients(65_536, 30), 65_280);
        assert_eq!(room_for_clients(1_024, 30), 768);
        assert_eq!(room_for_clients(256, 30), 128);
        assert_eq!(room_for_clients(0, 30), 0);
    }

    #[test]
    fn the_limit_is_raised_once() {
        let raised = raise_limit();
        assert_eq!(raise_limit(), raised);
    }
}

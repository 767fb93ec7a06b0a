//! The limit on the number of files and sockets that this process may open.
//!
//! The server raises the limit at startup, and computes how many client connections fit below it. Clients never get all
//! descriptors, because the outbox, the database and the spool need some too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The largest limit to request from the system. With a larger limit, other software may allocate a huge table with an
/// entry per descriptor.
const MAX_DESCRIPTORS: u64 = 65_536;
/// Number of descriptors that are not available to client and database connections. They are reserved for SQLite's
/// files, the spool, requests to Twilio and Vapi, the programs of a backup, and closing connections.
const RESERVED: u64 = 226;

/// Raises the limit of open files to `MAX_DESCRIPTORS`, or to the highest limit that the system allows. Returns the new
/// limit.
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

/// Returns how many client connections the process may have. It may open `limit` descriptors, of which it needs some
/// for `database_connections`.
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

//! Tracks open connections, and what each connection waits for.
//!
//! This module limits the connections in total and per address, and closes connections whose client is too slow. If a
//! limit is reached, the module closes a connection that waits for its client, to make room for a new connection. So a
//! client that sends a whole request is served, even if many other clients send only half a request. A connection whose
//! request is being processed is never closed to make room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use poem::Request;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::rate_limit::bucket_of;
use base::telemetry::metrics;

/// Maximum time for receiving a request head. The time starts with the first byte of the head. On a new connection it
/// starts with the first read of the socket.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Maximum time for receiving a request head while the server stops.
const HEAD_DEADLINE_WHEN_STOPPING: Duration = Duration::from_secs(1);
/// Maximum idle time between two requests. Proxies keep idle connections for a minute, so this time is longer.
const IDLE_DEADLINE: Duration = Duration::from_secs(75);
/// Maximum time during which a client may read nothing of its response.
const STALL_DEADLINE: Duration = Duration::from_secs(30);
/// A connection that has waited for its body for less than this time is never closed to make room.
const BODY_GRACE: Duration = Duration::from_millis(200);
/// An honest client sends its whole request head within this time. To make room, connections whose head has been
/// incomplete for longer are closed first. Connections whose head has been incomplete for a shorter time are closed
/// only after connections with an incomplete body. Within each group, the oldest connection is closed first.
const HEAD_GRACE: Duration = Duration::from_millis(50);
/// A connection over which a client has authenticated is closed to make room only after it has waited this long. So the
/// connections of a proxy stay open, even if unauthenticated clients connect from the same address.
const PROVEN_GRACE: Duration = Duration::from_secs(10);
/// Maximum number of connections that are closing at the same time. If this number is reached and no slot is free, a
/// new connection must wait.
const MAX_CLOSING: usize = 64;

/// Number of bits that store a [`Phase`].
const PHASE_BITS: u32 = 3;
const PHASE_MASK: u64 = 7;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first read of the connection's socket by the server.
    New,
    /// The rest of a request head.
    Head,
    /// The next request.
    Idle,
    /// The rest of a body.
    Body,
    /// The server, which is processing the request.
    Busy,
}

impl Phase {
    const ALL: [Self; 5] = [Self::New, Self::Head, Self::Idle, Self::Body, Self::Busy];

    fn of_bits(bits: u64) -> Self {
        let place = usize::try_from(bits & PHASE_MASK).unwrap_or_default();
        Self::ALL.get(place).copied().unwrap_or(Self::New)
    }
}

/// A connection, shared by the socket, the service and the reader of bodies.
#[derive(Debug)]
pub struct Connection {
    epoch: Instant,
    /// The start of the phase in milliseconds since the epoch, and the phase in the lowest three bits.
    phase: AtomicU64,
    /// The time at which the client stopped reading, in milliseconds since the epoch, plus 1. The value is 0 while the
    /// client reads.
    stalled: AtomicU64,
    /// Whether a client has shown a valid signature or key.
    proven: AtomicBool,
    /// Cancelled when the connection must end.
    pub stop: CancellationToken,
}

impl Connection {
    fn new(epoch: Instant) -> Self {
        let connection = Self {
            epoch,
            phase: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            proven: AtomicBool::new(false),
            stop: CancellationToken::new(),
        };
        connection.enter(Phase::New);
        connection
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX >> PHASE_BITS)
    }

    fn enter(&self, phase: Phase) {
        self.phase
            .store(self.millis() << PHASE_BITS | phase as u64, Ordering::Relaxed);
    }

    fn state(&self) -> (Phase, Duration) {
        let bits = self.phase.load(Ordering::Relaxed);
        let age = self.millis().saturating_sub(bits >> PHASE_BITS);
        (Phase::of_bits(bits), Duration::from_millis(age))
    }

    /// Reports a read of the socket. `some` is true if bytes arrived.
    pub fn was_read(&self, some: bool) {
        match self.state().0 {
            Phase::New => self.enter(Phase::Head),
            Phase::Idle if some => self.enter(Phase::Head),
            _ => {}
        }
    }

    /// Reports that a request head is complete.
    pub fn requested(&self) {
        self.enter(Phase::Busy);
    }

    /// Reports that a body is being read.
    pub fn awaits_body(&self) {
        self.enter(Phase::Body);
    }

    /// Reports that the body is complete or no longer awaited.
    pub fn has_body(&self) {
        self.enter(Phase::Busy);
    }

    /// Reports that the response was handed to hyper.
    pub fn answered(&self) {
        self.enter(Phase::Idle);
    }

    /// Marks the connection of this request as authenticated.
    pub fn prove(request: &Request) {
        if let Some(connection) = request.data::<Arc<Self>>() {
            connection.proven.store(true, Ordering::Relaxed);
        }
    }

    /// Reports whether the client accepted the written bytes.
    pub fn wrote(&self, taken: bool) {
        if taken {
            self.stalled.store(0, Ordering::Relaxed);
        } else {
            let now = self.millis().saturating_add(1);
            let _ = self
                .stalled
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn is_stalled(&self) -> bool {
        let since = self.stalled.load(Ordering::Relaxed);
        since > 0 && Duration::from_millis(self.millis().saturating_sub(since)) > STALL_DEADLINE
    }

    /// Returns the rank that decides which connection is closed to make room. The connection with the lowest rank is
    /// closed first. `None` if this connection must not be closed.
    fn makes_way(&self) -> Option<(u8, std::cmp::Reverse<Duration>)> {
        let (phase, age) = self.state();
        let rank = match phase {
            Phase::New | Phase::Busy => return None,
            _ if self.proven.load(Ordering::Relaxed) && age >= PROVEN_GRACE => 4,
            _ if self.proven.load(Ordering::Relaxed) => return None,
            Phase::Head if age >= HEAD_GRACE => 0,
            Phase::Body if age >= BODY_GRACE => 1,
            Phase::Head => 2,
            Phase::Idle => 3,
            Phase::Body => return None,
        };
        Some((rank, std::cmp::Reverse(age)))
    }

    /// Returns why the connection must end. `None` if the connection may continue.
    fn overdue(&self, head_deadline: Duration) -> Option<&'static str> {
        let (phase, age) = self.state();
        match phase {
            Phase::Head if age > head_deadline => Some("slow_head"),
            Phase::Idle if age > IDLE_DEADLINE => Some("idle"),
            _ if self.is_stalled() => Some("stalled"),
            _ => None,
        }
    }
}

/// Limits on open connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Maximum number of open connections.
    pub total: usize,
    /// Maximum number of open connections per client address. Trusted proxies are exempt, because their connections
    /// belong to many clients.
    pub per_address: usize,
}

impl ConnectionLimits {
    /// Creates limits with this total. The limit per address is half the total.
    #[must_use]
    pub fn of_total(total: usize) -> Self {
        Self {
            total: total.max(2),
            per_address: total.div_ceil(2).max(1),
        }
    }
}

/// All open connections.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    trusted_proxies: Vec<IpNet>,
    epoch: Instant,
    open: Mutex<OpenConnections>,
    /// Notified when a closing connection has closed.
    ended: Notify,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    all: HashMap<u64, Entry>,
    by_address: HashMap<IpAddr, usize>,
    /// Number of connections that are closing and still use a file descriptor.
    closing: usize,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    connection: Arc<Connection>,
}

/// Why a new connection is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Other connections are closing or were not read yet, so a slot will be free in a moment.
    Yet,
    /// All other connections are being served.
    All,
}

/// The slot of an open connection. Dropping the slot releases it.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    id: u64,
    pub connection: Arc<Connection>,
}

impl Connections {
    /// Creates an empty registry. Connections of trusted proxies count only toward the total.
    #[must_use]
    pub fn new(limits: ConnectionLimits, trusted_proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            trusted_proxies,
            epoch: Instant::now(),
            open: Mutex::default(),
            ended: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a new connection.
    ///
    /// # Errors
    /// When the limit is reached and no other connection can be closed.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionSlot, NoRoom> {
        let is_proxy = self
            .trusted_proxies
            .iter()
            .any(|network| network.contains(&address.to_canonical()));
        let address = bucket_of(address);
        let mut open = self.lock();
        let of_address = open.by_address.get(&address).copied().unwrap_or_default();
        let full_for_address = !is_proxy && of_address >= self.limits.per_address;
        if full_for_address || open.all.len() >= self.limits.total {
            let within = full_for_address.then_some(address);
            if open.closing >= MAX_CLOSING {
                return Err(NoRoom::Yet);
            }
            if !open.end_one(within) {
                let is_soon = open
                    .of(within)
                    .any(|(_, entry)| entry.connection.state().0 == Phase::New);
                return Err(if is_soon { NoRoom::Yet } else { NoRoom::All });
            }
        }
        let id = open.next;
        open.next += 1;
        let connection = Arc::new(Connection::new(self.epoch));
        *open.by_address.entry(address).or_default() += 1;
        open.all.insert(
            id,
            Entry {
                address,
                connection: Arc::clone(&connection),
            },
        );
        metrics::connections_open(open.all.len());
        Ok(ConnectionSlot {
            connections: Arc::clone(self),
            id,
            connection,
        })
    }

    /// Waits until a closing connection has closed.
    pub async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// Closes the connection with the lowest rank, to free a file descriptor. Returns false if no connection may be
    /// closed.
    pub fn make_room(&self) -> bool {
        let mut open = self.lock();
        open.closing < MAX_CLOSING && open.end_one(None)
    }

    /// Closes every connection whose client is overdue. Call this function about once per second.
    pub fn sweep(&self, stopping: bool) {
        let head_deadline = if stopping {
            HEAD_DEADLINE_WHEN_STOPPING
        } else {
            HEAD_DEADLINE
        };
        let mut open = self.lock();
        let overdue = open
            .all
            .iter()
            .filter_map(|(id, entry)| Some((*id, entry.connection.overdue(head_deadline)?)));
        for (id, why) in overdue.collect::<Vec<_>>() {
            metrics::connection_closed(why);
            open.end(id);
        }
        metrics::connections_open(open.all.len());
    }

    /// Number of open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().all.len()
    }
}

impl OpenConnections {
    /// Returns the connections of the address `within`, or all connections if it is `None`.
    fn of(&self, within: Option<IpAddr>) -> impl Iterator<Item = (&u64, &Entry)> {
        self.all
            .iter()
            .filter(move |(_, entry)| within.is_none_or(|address| entry.address == address))
    }

    /// Closes the connection with the lowest rank. If `within` is given, only connections from this address are
    /// candidates. Returns false if no connection may be closed.
    fn end_one(&mut self, within: Option<IpAddr>) -> bool {
        let ranked = self
            .of(within)
            .filter_map(|(id, entry)| Some((entry.connection.makes_way()?, *id)));
        let Some((_, id)) = ranked.min() else { return false };
        metrics::connection_closed("made_way");
        self.end(id);
        true
    }

    fn end(&mut self, id: u64) {
        if let Some(entry) = self.remove(id) {
            entry.connection.stop.cancel();
            self.closing += 1;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.all.remove(&id)?;
        if let Some(count) = self.by_address.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&entry.address);
            }
        }
        Some(entry)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        if open.remove(self.id).is_none() {
            open.closing = open.closing.saturating_sub(1);
            self.connections.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    fn connections(total: usize, per_address: usize) -> Arc<Connections> {
        Connections::new(
            ConnectionLimits { total, per_address },
            vec!["10.0.0.0/8".parse().unwrap()],
        )
    }

    /// Admits a connection and reads its socket once.
    fn admitted(all: &Arc<Connections>, address: IpAddr) -> Result<ConnectionSlot, NoRoom> {
        let place = all.admit(address)?;
        place.connection.was_read(false);
        Ok(place)
    }

    /// Moves the start of the connection's phase back by this duration.
    fn age(connection: &Connection, by: Duration) {
        let bits = connection.phase.load(Ordering::Relaxed);
        let since = (bits >> PHASE_BITS).saturating_sub(u64::try_from(by.as_millis()).unwrap());
        connection
            .phase
            .store(since << PHASE_BITS | bits & PHASE_MASK, Ordering::Relaxed);
    }

    /// Creates a registry whose start time is ten minutes ago.
    fn old(total: usize, per_address: usize) -> Arc<Connections> {
        let connections = connections(total, per_address);
        let mut connections = Arc::into_inner(connections).unwrap();
        connections.epoch -= Duration::from_mins(10);
        Arc::new(connections)
    }

    #[test]
    fn whoever_waits_longest_for_its_client_makes_way_and_whoever_is_served_does_not() {
        let all = old(10, 3);
        let [busy, half, idle] = [0; 3].map(|_| admitted(&all, address(1)).unwrap());
        busy.connection.requested();
        idle.connection.answered();
        age(&idle.connection, Duration::from_mins(1));
        assert!(admitted(&all, address(2)).is_ok(), "another address has room");
        age(&half.connection, Duration::from_secs(1));
        let new = admitted(&all, address(1)).unwrap();
        assert!(half.connection.stop.is_cancelled() && !idle.connection.stop.is_cancelled());
        new.connection.requested();
        let newer = admitted(&all, address(1)).unwrap();
        assert!(idle.connection.stop.is_cancelled());
        newer.connection.requested();
        assert!(
            admitted(&all, address(1)).unwrap_err() == NoRoom::All,
            "all three are served"
        );
        drop(busy);
        assert!(admitted(&all, address(1)).is_ok());
    }

    #[test]
    fn the_oldest_half_makes_way_and_a_body_has_a_moment() {
        let all = old(2, 2);
        let [older, younger] = [0; 2].map(|_| admitted(&all, address(1)).unwrap());
        age(&older.connection, Duration::from_millis(5));
        let new = admitted(&all, address(1)).unwrap();
        assert!(older.connection.stop.is_cancelled() && !younger.connection.stop.is_cancelled());
        younger.connection.awaits_body();
        new.connection.requested();
        assert!(admitted(&all, address(1)).is_err());
        age(&younger.connection, Duration::from_secs(2));
        assert!(admitted(&all, address(1)).is_ok() && younger.connection.stop.is_cancelled());
    }

    #[test]
    fn a_half_body_makes_way_before_a_head_that_has_just_begun() {
        let all = old(2, 2);
        let [body, head] = [0; 2].map(|_| admitted(&all, address(1)).unwrap());
        body.connection.awaits_body();
        age(&body.connection, Duration::from_secs(1));
        let new = admitted(&all, address(1)).unwrap();
        assert!(body.connection.stop.is_cancelled() && !head.connection.stop.is_cancelled());
        new.connection.awaits_body();
        age(&new.connection, Duration::from_secs(1));
        age(&head.connection, 2 * HEAD_GRACE);
        assert!(admitted(&all, address(1)).is_ok());
        assert!(head.connection.stop.is_cancelled() && !new.connection.stop.is_cancelled());
    }

    #[test]
    fn whoever_proved_who_they_are_makes_way_last() {
        let all = old(10, 3);
        let [proven, stranger, busy] = [0; 3].map(|_| admitted(&all, address(1)).unwrap());
        busy.connection.requested();
        for place in [&proven, &stranger] {
            place.connection.answered();
            age(&place.connection, Duration::from_secs(5));
        }
        proven.connection.proven.store(true, Ordering::Relaxed);
        age(&proven.connection, Duration::from_secs(1));
        let new = admitted(&all, address(1)).unwrap();
        assert!(stranger.connection.stop.is_cancelled());
        new.connection.requested();
        assert!(
            admitted(&all, address(1)).is_err(),
            "the authenticated connection stays"
        );
        age(&proven.connection, Duration::from_secs(5));
        assert!(admitted(&all, address(1)).is_ok() && proven.connection.stop.is_cancelled());
    }

    #[test]
    fn a_trusted_proxy_has_no_limit_of_its_own() {
        let all = old(5, 1);
        let places: Vec<_> = (0..5)
            .map_while(|_| admitted(&all, "10.0.0.1".parse().unwrap()).ok())
            .collect();
        assert_eq!(places.len(), 5);
        drop(places);
        assert_eq!(all.count(), 0);
        assert!(all.lock().by_address.is_empty());
    }

    #[test]
    fn what_is_overdue_ends_and_a_served_one_does_not() {
        let all = old(10, 10);
        let [busy, half, idle, stalled] = [0; 4].map(|_| admitted(&all, address(1)).unwrap());
        busy.connection.requested();
        idle.connection.answered();
        stalled.connection.requested();
        stalled.connection.wrote(false);
        for place in [&busy, &half, &idle] {
            age(&place.connection, Duration::from_secs(11));
        }
        all.sweep(false);
        let ended = |place: &ConnectionSlot| place.connection.stop.is_cancelled();
        assert!(ended(&half) && !ended(&busy) && !ended(&idle) && !ended(&stalled));
        age(&idle.connection, Duration::from_secs(70));
        let since = stalled.connection.stalled.load(Ordering::Relaxed);
        stalled.connection.stalled.store(since - 31_000, Ordering::Relaxed);
        all.sweep(false);
        assert!(ended(&idle) && ended(&stalled) && !ended(&busy));
        assert_eq!((all.count(), all.lock().closing), (1, 3));
        drop([half, idle, stalled]);
        assert_eq!(all.lock().closing, 0);
    }

    #[test]
    fn connections_on_their_way_out_are_bounded() {
        let all = old(4, 4);
        let mut places = Vec::new();
        for _ in 0..200 {
            places.extend(admitted(&all, address(1)));
            for place in &places {
                age(&place.connection, Duration::from_secs(1));
            }
        }
        assert_eq!(places.len(), 4 + MAX_CLOSING);
        assert_eq!(all.admit(address(1)).unwrap_err(), NoRoom::Yet);
    }

    #[test]
    fn whoever_waits_for_us_does_not_make_way() {
        let all = old(2, 2);
        let unread = [0; 2].map(|_| all.admit(address(1)).unwrap());
        age(&unread[0].connection, Duration::from_secs(5));
        assert_eq!(all.admit(address(1)).unwrap_err(), NoRoom::Yet);
        unread[1].connection.was_read(false);
        assert!(all.admit(address(1)).is_ok() && unread[1].connection.stop.is_cancelled());
    }
}

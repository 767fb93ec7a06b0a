//! Bounds the memory for all request bodies while they are received and processed.
//!
//! A body of more than [`FREE`] bytes must reserve memory for its whole length before the rest is read. Smaller bodies
//! get memory first, so that a report never waits behind large files. While memory is short, bodies whose clients have
//! stalled or will miss the deadline are aborted. So a client that stopped sending does not keep memory that another
//! client needs.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::ClientAddress;
use super::rate_limit::bucket_of;

/// Size in bytes that every body may have without a reservation. The limit on connections bounds the total.
pub const FREE: usize = 64 * 1024;
/// Maximum time for receiving a body.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Total memory in bytes for larger bodies.
const TOTAL: usize = 64 * 1024 * 1024;
/// Memory in bytes for the larger bodies of one client address.
const PER_ADDRESS: usize = 16 * 1024 * 1024;
/// A body may be aborted if its client has sent nothing for this long.
const STALL: Duration = Duration::from_millis(200);
/// Interval at which waiting bodies check whether another body has stalled.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The memory for request bodies, and the reservations of this memory.
#[derive(Debug)]
pub struct Bodies {
    total: usize,
    per_address: usize,
    state: Mutex<BodyMemory>,
}

#[derive(Debug, Default)]
struct BodyMemory {
    next: u64,
    used: usize,
    by_address: HashMap<IpAddr, usize>,
    holders: HashMap<u64, Holder>,
    /// When the waiting bodies were last considered for a reservation.
    considered: Option<Instant>,
    /// Waiting bodies, smallest first, then in order of arrival.
    waiting: BTreeMap<(usize, u64), (IpAddr, oneshot::Sender<Room>)>,
}

#[derive(Debug)]
struct Holder {
    address: IpAddr,
    size: usize,
    received: usize,
    since: Instant,
    last: Instant,
    /// Whether the body is complete and no longer waits for its client.
    complete: bool,
    make_way: CancellationToken,
}

impl Holder {
    /// Whether the client is too slow: it stopped sending, or will miss the deadline at its current rate.
    fn lags(&self, now: Instant) -> bool {
        let elapsed = now - self.since;
        let due = self.size as u128 * elapsed.as_millis() / DEADLINE.as_millis();
        let is_slow = elapsed > 2 * STALL && (self.received as u128) < due;
        !self.complete && !self.make_way.is_cancelled() && (now - self.last > STALL || is_slow)
    }
}

/// A reservation for one body. Dropping the reservation releases the memory.
#[derive(Debug)]
pub struct Room {
    bodies: Arc<Bodies>,
    id: u64,
    make_way: CancellationToken,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new(TOTAL, PER_ADDRESS)
    }
}

impl Bodies {
    fn new(total: usize, per_address: usize) -> Self {
        Self {
            total,
            per_address,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BodyMemory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves memory for a body of `size` bytes, and waits until the memory is available. `received` is the number of
    /// bytes that have arrived.
    pub async fn room(self: &Arc<Self>, address: ClientAddress, size: usize, received: usize) -> Room {
        // Without this cap, a body larger than the limit of its address would wait forever.
        let size = size.min(self.per_address);
        let address = bucket_of(address.0);
        let (sender, mut granted) = oneshot::channel();
        let place = {
            let mut state = self.lock();
            let place = (size, state.next);
            state.next += 1;
            state.waiting.insert(place, (address, sender));
            place
        };
        let _forget = ForgetOnDrop { bodies: self, place };
        self.grant();
        loop {
            // The waiting list keeps the sender until `grant` uses it, so the channel never closes early.
            if let Ok(Ok(room)) = tokio::time::timeout(RETRY_INTERVAL, &mut granted).await {
                room.received(received);
                return room;
            }
            // In each interval, only one waiting body checks all waiting bodies. If every waiting body did so, the work
            // would grow with the square of their number.
            if self.lock().is_due() {
                self.grant();
            }
        }
    }

    /// Grants reservations to waiting bodies that fit. Aborts slow bodies if a waiting body does not fit.
    fn grant(self: &Arc<Self>) {
        let mut unwanted = Vec::new();
        let mut state = self.lock();
        state.considered = Some(Instant::now());
        let mut after = None;
        loop {
            let next = match after {
                None => state.waiting.keys().next().copied(),
                Some(place) => {
                    let rest = (std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded);
                    state.waiting.range(rest).next().map(|(place, _)| *place)
                }
            };
            let Some(place) = next else { break };
            after = Some(place);
            let (size, _) = place;
            let Some((address, _)) = state.waiting.get(&place) else {
                continue;
            };
            let address = *address;
            let of_address = state.by_address.get(&address).copied().unwrap_or_default();
            let too_much_of_address = of_address + size > self.per_address;
            if too_much_of_address || state.used + size > self.total {
                state.end_a_laggard(too_much_of_address.then_some(address), size);
                continue;
            }
            let Some((_, sender)) = state.waiting.remove(&place) else {
                continue;
            };
            if let Err(room) = sender.send(self.reserve(&mut state, address, size)) {
                // Dropping the room takes the lock, so drop it after the lock is released.
                unwanted.push(room);
            }
        }
        drop(state);
        drop(unwanted);
    }

    fn reserve(self: &Arc<Self>, state: &mut BodyMemory, address: IpAddr, size: usize) -> Room {
        let (id, now, make_way) = (state.next, Instant::now(), CancellationToken::new());
        state.next += 1;
        state.used += size;
        *state.by_address.entry(address).or_default() += size;
        let holder = Holder {
            address,
            size,
            received: 0,
            since: now,
            last: now,
            complete: false,
            make_way: make_way.clone(),
        };
        state.holders.insert(id, holder);
        Room {
            bodies: Arc::clone(self),
            id,
            make_way,
        }
    }

    /// Number of reserved bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        self.lock().used
    }
}

impl BodyMemory {
    /// Whether the waiting bodies must be checked, because the last check is at least one retry interval ago.
    fn is_due(&self) -> bool {
        self.considered.is_none_or(|last| last.elapsed() >= RETRY_INTERVAL)
    }

    /// Aborts the slow body that has received nothing for the longest time. If `within` is given, only bodies from this
    /// address are candidates. Does nothing if the bodies that were already aborted will free at least `size` bytes.
    fn end_a_laggard(&mut self, within: Option<IpAddr>, size: usize) {
        let now = Instant::now();
        let of_interest = |holder: &&Holder| within.is_none_or(|address| holder.address == address);
        let on_its_way: usize = self
            .holders
            .values()
            .filter(of_interest)
            .filter(|holder| holder.make_way.is_cancelled())
            .map(|holder| holder.size)
            .sum();
        if on_its_way >= size {
            return;
        }
        let laggards = self
            .holders
            .values()
            .filter(of_interest)
            .filter(|holder| holder.lags(now));
        if let Some(last) = laggards.min_by_key(|holder| holder.last) {
            last.make_way.cancel();
        }
    }
}

/// Removes a body from the waiting list on drop.
struct ForgetOnDrop<'a> {
    bodies: &'a Bodies,
    place: (usize, u64),
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        self.bodies.lock().waiting.remove(&self.place);
    }
}

impl Room {
    /// Reports that more bytes have arrived.
    pub fn received(&self, bytes: usize) {
        if let Some(holder) = self.bodies.lock().holders.get_mut(&self.id) {
            holder.received = holder.received.saturating_add(bytes);
            holder.last = Instant::now();
        }
    }

    /// Reports that the body is complete.
    pub fn complete(&self) {
        if let Some(holder) = self.bodies.lock().holders.get_mut(&self.id) {
            holder.complete = true;
        }
    }

    /// Waits until this body must be aborted to free memory for another body.
    pub async fn must_go(&self) {
        self.make_way.cancelled().await;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        {
            let mut state = self.bodies.lock();
            if let Some(holder) = state.holders.remove(&self.id) {
                state.used -= holder.size;
                if let Some(used) = state.by_address.get_mut(&holder.address) {
                    *used -= holder.size;
                    if *used == 0 {
                        state.by_address.remove(&holder.address);
                    }
                }
            }
        }
        let bodies = Arc::clone(&self.bodies);
        bodies.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        ClientAddress(text.parse().unwrap())
    }

    async fn at_once<F: Future>(work: F) -> Option<F::Output> {
        tokio::time::timeout(Duration::from_millis(10), work).await.ok()
    }

    #[tokio::test]
    async fn room_is_bounded_in_all_and_per_address_and_comes_back() {
        let bodies = Arc::new(Bodies::new(300, 200));
        let one = bodies.room(address("203.0.113.1"), 150, 0).await;
        assert!(at_once(bodies.room(address("203.0.113.1"), 60, 0)).await.is_none());
        let two = bodies.room(address("203.0.113.2"), 150, 0).await;
        assert!(at_once(bodies.room(address("203.0.113.3"), 1, 0)).await.is_none());
        one.complete();
        two.complete();
        tokio::time::sleep(2 * STALL).await;
        assert!(
            at_once(bodies.room(address("203.0.113.3"), 1, 0)).await.is_none(),
            "a complete body stays"
        );
        drop(one);
        assert!(at_once(bodies.room(address("203.0.113.3"), 1, 0)).await.is_some());
        drop(two);
        assert_eq!(bodies.used(), 0);
        assert!(bodies.lock().waiting.is_empty() && bodies.lock().by_address.is_empty());
    }

    #[tokio::test]
    async fn whoever_stalled_makes_way_and_whoever_sends_does_not() {
        let bodies = Arc::new(Bodies::new(300, 300));
        let stalled = bodies.room(address("203.0.113.1"), 150, 149).await;
        let sends = bodies.room(address("203.0.113.1"), 150, 0).await;
        let waits = tokio::spawn({
            let bodies = Arc::clone(&bodies);
            async move { bodies.room(address("203.0.113.2"), 100, 0).await }
        });
        for _ in 0..6 {
            tokio::time::sleep(STALL / 4).await;
            sends.received(20);
        }
        tokio::time::timeout(Duration::from_secs(1), stalled.must_go())
            .await
            .unwrap();
        assert!(!sends.make_way.is_cancelled());
        drop(stalled);
        drop(waits.await.unwrap());
    }

    #[tokio::test]
    async fn whoever_trickles_makes_way_for_whoever_waits() {
        let bodies = Arc::new(Bodies::new(10_000_000, 10_000_000));
        let trickles = bodies.room(address("203.0.113.1"), 10_000_000, 1).await;
        let waits = tokio::spawn({
            let bodies = Arc::clone(&bodies);
            async move { bodies.room(address("203.0.113.2"), 100, 0).await }
        });
        for _ in 0..40 {
            tokio::time::sleep(STALL / 10).await;
            trickles.received(1);
        }
        assert!(trickles.make_way.is_cancelled());
        drop(trickles);
        drop(waits.await.unwrap());
    }

    #[tokio::test]
    async fn the_smallest_goes_first() {
        let bodies = Arc::new(Bodies::new(100, 100));
        let all = bodies.room(address("203.0.113.1"), 100, 0).await;
        all.complete();
        let wait = |size: usize| {
            let bodies = Arc::clone(&bodies);
            tokio::spawn(async move { bodies.room(address("203.0.113.1"), size, 0).await })
        };
        let (large, small) = (wait(90), wait(50));
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(all);
        let first = small.await.unwrap();
        assert!(!large.is_finished());
        first.complete();
        drop(first);
        drop(large.await.unwrap());
    }
}

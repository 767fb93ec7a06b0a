//! How much memory all bodies together may take while they arrive and are worked on.
//!
//! A body of more than [`FREE`] bytes needs room for its whole length before the rest of it is read: small ones first, so that a
//! report never waits behind large files. Where there is none, the one that has stalled longest, or will not be here by its
//! deadline, makes way. It never holds room for a client that stopped sending while another waits for it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::ClientAddress;
use super::rate_limit::bucket_of;

/// What every body may take without asking: the limit of connections bounds it.
pub const FREE: usize = 64 * 1024;
/// How long a body may take to arrive.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Room for larger bodies, in all.
const TOTAL: usize = 64 * 1024 * 1024;
/// The same of one address.
const PER_ADDRESS: usize = 16 * 1024 * 1024;
/// A body of which nothing came for so long makes way.
const STALL: Duration = Duration::from_millis(200);
/// How often a body that waits looks for one that has stalled meanwhile.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The room and who has it.
#[derive(Debug)]
pub struct Bodies {
    total: usize,
    per_address: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    used: usize,
    by_address: HashMap<IpAddr, usize>,
    holders: HashMap<u64, Holder>,
    /// The smallest first; of two alike the one that came first.
    waiting: BTreeMap<(usize, u64), (IpAddr, oneshot::Sender<Room>)>,
}

#[derive(Debug)]
struct Holder {
    address: IpAddr,
    size: usize,
    received: usize,
    since: Instant,
    last: Instant,
    /// It is complete: nobody waits for its client.
    complete: bool,
    make_way: CancellationToken,
}

impl Holder {
    /// Whether its client lets us wait: it stopped, or will not be done by the deadline at its pace.
    fn lags(&self, now: Instant) -> bool {
        let elapsed = now - self.since;
        let due = self.size as u128 * elapsed.as_millis() / DEADLINE.as_millis();
        let is_slow = elapsed > 2 * STALL && (self.received as u128) < due;
        !self.complete && !self.make_way.is_cancelled() && (now - self.last > STALL || is_slow)
    }
}

/// Room for one body, given back when it is dropped.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a body of `size` bytes, of which `received` are here. It waits until there is some.
    pub async fn room(self: &Arc<Self>, address: ClientAddress, size: usize, received: usize) -> Room {
        // A body that is larger than all the room of an address would wait for ever.
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
        let _forget = Forget { bodies: self, place };
        loop {
            self.grant();
            // The sender stays among those who wait until it is used.
            if let Ok(Ok(room)) = tokio::time::timeout(RETRY_INTERVAL, &mut granted).await {
                room.received(received);
                return room;
            }
        }
    }

    /// Gives room to whoever waits and fits, and tells whoever lags to make way for the others.
    fn grant(self: &Arc<Self>) {
        let mut unwanted = Vec::new();
        let mut state = self.lock();
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
                // Its drop takes the lock.
                unwanted.push(room);
            }
        }
        drop(state);
        drop(unwanted);
    }

    fn reserve(self: &Arc<Self>, state: &mut State, address: IpAddr, size: usize) -> Room {
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

    /// How many bytes are reserved.
    #[must_use]
    pub fn used(&self) -> usize {
        self.lock().used
    }
}

impl State {
    /// Tells those who lag most, of an address or of all, to make way until so much will be free.
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

/// Takes a body that no longer waits from among those who do.
struct Forget<'a> {
    bodies: &'a Bodies,
    place: (usize, u64),
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.bodies.lock().waiting.remove(&self.place);
    }
}

impl Room {
    /// So many more bytes are here.
    pub fn received(&self, bytes: usize) {
        if let Some(holder) = self.bodies.lock().holders.get_mut(&self.id) {
            holder.received = holder.received.saturating_add(bytes);
            holder.last = Instant::now();
        }
    }

    /// The body is here.
    pub fn complete(&self) {
        if let Some(holder) = self.bodies.lock().holders.get_mut(&self.id) {
            holder.complete = true;
        }
    }

    /// Resolves when another needs the room more.
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

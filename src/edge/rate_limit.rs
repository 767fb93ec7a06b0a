//! How much one address may send.
//!
//! In: the client's address. Out: yes, or the seconds to wait. A bucket of 1,000 refills at 500 a second; a failed
//! signature costs 50, so that a guesser runs dry where honest traffic does not notice. IPv6 counts by /64,
//! because a household owns one. Addresses that have been quiet are forgotten, so that memory stays bounded.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};

use super::ClientAddress;
use crate::{problem::Problem, telemetry::metrics};

/// What one address may send.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
    /// How many addresses are remembered before the quiet ones are forgotten.
    pub addresses: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(500).expect("500 is not zero");
        const BURST: NonZeroU32 = NonZeroU32::new(1_000).expect("1,000 is not zero");
        Self {
            per_second: PER_SECOND,
            burst: BURST,
            addresses: 20_000,
        }
    }
}

/// What a failed signature costs, in requests.
pub const FAILED_SIGNATURE: NonZeroU32 = NonZeroU32::new(50).expect("50 is not zero");

/// How often (in checks) the number of remembered addresses is looked at.
const TIDY_EVERY: u32 = 4_096;

/// Counts what each address sends.
pub struct RateLimiter {
    buckets: Option<DefaultKeyedRateLimiter<IpAddr>>,
    allowance: Allowance,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl RateLimiter {
    /// A limiter; one that is not `enabled` lets everything pass.
    #[must_use]
    pub fn new(enabled: bool, allowance: Allowance) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        Self {
            buckets: enabled.then(|| DefaultKeyedRateLimiter::dashmap(quota)),
            allowance,
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    /// Takes one request from the address' bucket, or says how long to wait until there is one.
    ///
    /// # Errors
    /// The time to wait.
    pub fn check(&self, address: ClientAddress) -> Result<(), Duration> {
        let Some(buckets) = &self.buckets else {
            return Ok(());
        };
        if self.checks.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.tidy();
        }
        buckets
            .check_key(&bucket_of(address.0))
            .map_err(|full| full.wait_time_from(self.clock.now()))
    }

    /// The same as a problem with Retry-After, counted in the metrics.
    ///
    /// # Errors
    /// 429 when the address sends too many.
    pub fn admit(&self, address: ClientAddress) -> Result<(), Problem> {
        self.check(address).map_err(|wait| {
            metrics::rate_limited();
            Problem::rate_limited(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
        })
    }

    /// Takes `cost` more requests from the bucket, or all that is left of it.
    pub fn penalize(&self, address: ClientAddress, cost: NonZeroU32) {
        let Some(buckets) = &self.buckets else { return };
        let key = bucket_of(address.0);
        // What is asked for at once is taken whole or not at all: take what is left in halves.
        let (mut left, mut step) = (cost.get(), cost.min(self.allowance.burst));
        while left > 0 {
            match buckets.check_key_n(&key, step) {
                Ok(Ok(())) => left = left.saturating_sub(step.get()),
                _ => match NonZeroU32::new(step.get() / 2) {
                    Some(half) => step = half,
                    None => break,
                },
            }
            let Some(rest) = NonZeroU32::new(left) else {
                break;
            };
            step = step.min(rest);
        }
    }

    /// Forgets the addresses whose bucket is full again, when there are many.
    pub fn tidy(&self) {
        if let Some(buckets) = &self.buckets
            && buckets.len() > self.allowance.addresses / 2
        {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }

    /// How many addresses are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.buckets.as_ref().map_or(0, DefaultKeyedRateLimiter::len)
    }
}

/// Whose bucket an address drinks from.
#[must_use]
pub fn bucket_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        ClientAddress(text.parse().unwrap())
    }

    /// One request an hour would be too slow to refill during a test; one a second is slow enough.
    fn small() -> RateLimiter {
        let allowance = Allowance {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::new(100).unwrap(),
            addresses: 10,
        };
        RateLimiter::new(true, allowance)
    }

    #[test]
    fn a_burst_passes_and_then_the_address_waits() {
        let limiter = small();
        for _ in 0..100 {
            limiter.check(address("203.0.113.1")).unwrap();
        }
        let wait = limiter.check(address("203.0.113.1")).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        limiter.check(address("203.0.113.2")).unwrap();
        assert_eq!(
            limiter.admit(address("203.0.113.1")).unwrap_err().code(),
            crate::problem::Code::RateLimited
        );
    }

    #[test]
    fn failed_signatures_run_dry_soon() {
        let limiter = small();
        for _ in 0..2 {
            limiter.check(address("203.0.113.1")).unwrap();
            limiter.penalize(address("203.0.113.1"), FAILED_SIGNATURE);
        }
        limiter.check(address("203.0.113.1")).unwrap_err();
    }

    #[test]
    fn one_household_of_ipv6_shares_a_bucket() {
        let limiter = small();
        for host in 0..100 {
            limiter.check(address(&format!("2001:db8:1:2::{host}"))).unwrap();
        }
        limiter.check(address("2001:db8:1:2:ffff::1")).unwrap_err();
        limiter.check(address("2001:db8:1:3::1")).unwrap();
    }

    #[test]
    fn switched_off_it_lets_everything_pass() {
        let limiter = RateLimiter::new(false, Allowance::default());
        for _ in 0..5_000 {
            limiter.check(address("203.0.113.1")).unwrap();
        }
        assert_eq!(limiter.remembered(), 0);
    }
}

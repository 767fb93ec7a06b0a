//! Rate limits per client address.
//!
//! An authenticated client has a bucket of 1,000 requests that refills at 500 per second. Each combination of address
//! and identity has a separate bucket. Requests for public pages share one bucket per address. Requests with a wrong
//! signature or an incomplete body have another bucket per address. This bucket allows a burst of 20 requests, and then
//! 10 requests per second. Beyond this limit the response is 429 and says nothing about the signature. A valid message
//! is never rejected because of invalid messages from the same address. IPv6 addresses are counted by /64 network,
//! because a household usually has a whole /64 network. Addresses without recent requests are removed, so that memory
//! stays bounded.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use poem::{Endpoint, Middleware, Request};
use uuid::Uuid;

use super::{ClientAddress, leaky_bucket::LeakyBuckets};
use crate::problem::Problem;
use base::{clock::Clock, telemetry::metrics};

/// The rate limit of one address.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Requests per second, on average.
    pub per_second: NonZeroU32,
    /// Requests in a burst.
    pub burst: NonZeroU32,
    /// If more than half this number of addresses is stored, addresses without recent requests are removed.
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

/// Burst of failed requests from one address.
const FAILURES_AT_ONCE: i32 = 20;
/// Interval after which one more request may fail.
const FAILURE_INTERVAL: TimeDelta = TimeDelta::milliseconds(100);

/// Number of requests after which the number of stored addresses is checked again.
const TIDY_EVERY: u32 = 4_096;

/// The key of a bucket: the address and the identity of a client. The identity is nil for unauthenticated clients.
type Bucket = (IpAddr, Uuid);

/// Counts the requests of each address.
pub struct RateLimiter {
    buckets: Option<DefaultKeyedRateLimiter<Bucket>>,
    failures: Option<Mutex<LeakyBuckets<IpAddr>>>,
    allowance: Allowance,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl RateLimiter {
    /// Creates a limiter. If `enabled` is false, the limiter limits nothing.
    #[must_use]
    pub fn new(enabled: bool, allowance: Allowance) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        let failures = || Mutex::new(LeakyBuckets::new(FAILURES_AT_ONCE, FAILURE_INTERVAL));
        Self {
            buckets: enabled.then(|| DefaultKeyedRateLimiter::dashmap(quota)),
            failures: enabled.then(failures),
            allowance,
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    /// Whether the limiter is enabled.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.buckets.is_some()
    }

    /// Counts one request from this address with the identity `speaker`. `speaker` is nil for unauthenticated clients.
    ///
    /// # Errors
    /// 429 with Retry-After when the bucket is empty.
    pub fn admit(&self, address: ClientAddress, speaker: Uuid) -> Result<(), Problem> {
        let Some(buckets) = &self.buckets else {
            return Ok(());
        };
        if self.checks.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.tidy();
        }
        let taken = buckets.check_key(&(bucket_of(address.0), speaker));
        taken.map_err(|full| limited(full.wait_time_from(self.clock.now())))
    }

    /// Returns the response to a request that failed to authenticate. It is `answer`, or 429 after too many failures.
    pub fn failed(&self, address: ClientAddress, answer: Problem) -> Problem {
        let Some(failures) = &self.failures else {
            return answer;
        };
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        let (address, now) = (bucket_of(address.0), Clock::system().now());
        match failures.wait(&address, now) {
            Some(wait) => limited(wait.to_std().unwrap_or_default()),
            None => {
                failures.add(address, now);
                answer
            }
        }
    }

    /// If many addresses are stored, removes the addresses without recent requests.
    pub fn tidy(&self) {
        if let Some(buckets) = &self.buckets
            && buckets.len() > self.allowance.addresses / 2
        {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }

    /// Number of stored buckets.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.buckets.as_ref().map_or(0, DefaultKeyedRateLimiter::len)
    }
}

fn limited(wait: Duration) -> Problem {
    metrics::rate_limited();
    Problem::rate_limited(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
}

/// Limits the requests of unauthenticated clients. Webhooks and the admin API count requests after authentication.
/// Health checks are not limited. Otherwise a client behind the same proxy could make an instance look unhealthy.
pub struct LimitStrangers(pub Arc<RateLimiter>);

impl<E: Endpoint> Middleware<E> for LimitStrangers {
    type Output = LimitStrangersEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        LimitStrangersEndpoint {
            inner,
            limiter: Arc::clone(&self.0),
        }
    }
}

/// The endpoint created by [`LimitStrangers`].
pub struct LimitStrangersEndpoint<E> {
    inner: E,
    limiter: Arc<RateLimiter>,
}

impl<E: Endpoint> Endpoint for LimitStrangersEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, request: Request) -> poem::Result<Self::Output> {
        let path = request.uri().path();
        if !["/webhooks/", "/admin/", "/health/"]
            .iter()
            .any(|place| path.starts_with(place))
        {
            self.limiter.admit(ClientAddress::of(&request), Uuid::nil())?;
        }
        self.inner.call(request).await
    }
}

/// Returns the address under which the requests of `address` are counted. An IPv6 address counts under its /64 network.
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
    use crate::problem::Code;

    fn address(text: &str) -> ClientAddress {
        ClientAddress(text.parse().unwrap())
    }

    /// Creates a limiter whose buckets refill by only one request per second, so that no bucket refills during a test.
    fn small() -> RateLimiter {
        let allowance = Allowance {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::new(100).unwrap(),
            addresses: 10,
        };
        RateLimiter::new(true, allowance)
    }

    fn admit(limiter: &RateLimiter, from: &str) -> Result<(), Problem> {
        limiter.admit(address(from), Uuid::nil())
    }

    #[test]
    fn a_burst_passes_and_then_the_address_waits() {
        let limiter = small();
        for _ in 0..100 {
            admit(&limiter, "203.0.113.1").unwrap();
        }
        let problem = admit(&limiter, "203.0.113.1").unwrap_err();
        assert_eq!(problem.code(), Code::RateLimited);
        admit(&limiter, "203.0.113.2").unwrap();
        // Another client at the same address has its own bucket.
        limiter.admit(address("203.0.113.1"), Uuid::max()).unwrap();
    }

    #[test]
    fn failures_run_dry_soon_and_take_nothing_from_what_is_good() {
        let limiter = small();
        let failed = |from: &str| limiter.failed(address(from), Problem::unauthorized()).code();
        for _ in 0..20 {
            assert_eq!(failed("203.0.113.1"), Code::Unauthorized);
        }
        assert_eq!(failed("203.0.113.1"), Code::RateLimited);
        assert_eq!(failed("203.0.113.2"), Code::Unauthorized);
        for _ in 0..100 {
            admit(&limiter, "203.0.113.1").unwrap();
        }
        std::thread::sleep(Duration::from_millis(250));
        let after: Vec<_> = (0..10).map(|_| failed("203.0.113.1")).collect();
        let told = after.iter().filter(|code| **code == Code::Unauthorized).count();
        assert!((2..=4).contains(&told), "{after:?}");
    }

    #[tokio::test]
    async fn what_everybody_may_read_is_limited_and_health_is_not() {
        use poem::EndpointExt as _;
        let app = poem::endpoint::make_sync(|_| "page").with(LimitStrangers(Arc::new(small())));
        let ask = async |path: &str| app.call(Request::builder().uri_str(path).finish()).await.is_ok();
        for _ in 0..100 {
            assert!(ask("/docs").await);
        }
        assert!(!ask("/openapi.json").await && !ask("/nowhere").await);
        for path in ["/health/ready", "/webhooks/vapi", "/admin/v1/rulebooks"] {
            assert!(ask(path).await, "{path}");
        }
    }

    #[test]
    fn one_household_of_ipv6_shares_a_bucket() {
        let limiter = small();
        for host in 0..100 {
            admit(&limiter, &format!("2001:db8:1:2::{host}")).unwrap();
        }
        admit(&limiter, "2001:db8:1:2:ffff::1").unwrap_err();
        admit(&limiter, "2001:db8:1:3::1").unwrap();
    }

    #[test]
    fn switched_off_it_lets_everything_pass() {
        let limiter = RateLimiter::new(false, Allowance::default());
        for _ in 0..5_000 {
            admit(&limiter, "203.0.113.1").unwrap();
            let answer = limiter.failed(address("203.0.113.1"), Problem::unauthorized());
            assert_eq!(answer.code(), Code::Unauthorized);
        }
        assert_eq!(limiter.remembered(), 0);
    }
}

//! How the pools are opened: the number of connections of each pool, and where statement timeouts are set.

/// Minimum number of connections of an instance: three for messages, two for writes, one for reads.
pub const MIN_CONNECTIONS: u32 = 6;
/// Default maximum number of connections of an instance.
pub const DEFAULT_CONNECTIONS: u32 = 30;

/// Maximum number of connections of each pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// Reserved for messages.
    pub messages: u32,
    /// For edits and background work.
    pub writers: u32,
    pub readers: u32,
}

impl PoolSizes {
    /// Divides `total` connections among the pools, or [`MIN_CONNECTIONS`] if `total` is smaller.
    #[must_use]
    pub fn of(total: u32) -> Self {
        let total = total.max(MIN_CONNECTIONS);
        let writers = (total / 5).max(2);
        let readers = (total * 4 / 15).max(1);
        Self {
            messages: total - writers - readers,
            writers,
            readers,
        }
    }

    #[must_use]
    pub fn total(self) -> u32 {
        self.messages + self.writers + self.readers
    }
}

/// Where statement timeouts are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimits {
    /// In the startup parameter `options`, for the whole session.
    AtStartup,
    /// In each transaction, because a pooler rejects or ignores the startup parameter `options`. A statement outside a
    /// transaction then has no timeout.
    PerTransaction,
}

/// How the pools are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    pub sizes: PoolSizes,
    pub limits: TimeLimits,
}

impl PoolPlan {
    /// Returns the plan for a server that was not surveyed.
    #[must_use]
    pub fn unsurveyed(connections: u32) -> Self {
        Self {
            sizes: PoolSizes::of(connections),
            limits: TimeLimits::AtStartup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_into_the_whole_and_none_is_empty() {
        assert_eq!(
            PoolSizes::of(DEFAULT_CONNECTIONS),
            PoolSizes {
                messages: 16,
                writers: 6,
                readers: 8
            }
        );
        for total in 0..200 {
            let sizes = PoolSizes::of(total);
            assert_eq!(sizes.total(), total.max(MIN_CONNECTIONS), "{sizes:?}");
            assert!(
                sizes.messages >= 3 && sizes.writers >= 2 && sizes.readers >= 1,
                "{sizes:?}"
            );
        }
    }
}

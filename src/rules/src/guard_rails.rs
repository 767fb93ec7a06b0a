//! Limits for price changes by one person; `authoring::guard` checks them.

use super::money::{Money, Rate};

/// The limits of a rulebook; `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuardRails {
    /// Minimum price.
    pub lowest_price: Option<Money>,
    /// Maximum price.
    pub highest_price: Option<Money>,
    /// Maximum change of a price in one publish operation, in percent.
    pub largest_change_percent: Option<Rate>,
}

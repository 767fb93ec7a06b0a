//! How far one person may move prices alone; [`guard`](authoring::guard) judges by it.

use super::money::{Money, Rate};

/// A rulebook's limits; what is none has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuardRails {
    /// No price below this.
    pub lowest_price: Option<Money>,
    /// No price above this.
    pub highest_price: Option<Money>,
    /// No price changes by more than this, in percent, in one publish.
    pub largest_change_percent: Option<Rate>,
}

//! A seeded random generator: the same seed gives the same draws everywhere.

use uuid::Uuid;

/// The splitmix64 generator. It is fast and good enough to vary a conversation. Never use it for keys.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The generator of call number `index` under `seed`; the draws of different calls do not depend on each other.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let mut dice = Self(seed);
        let base = dice.next();
        Self(base ^ index.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u64::from(high.saturating_sub(low)) + 1;
        low.saturating_add(u32::try_from(self.next() % width).unwrap_or(0))
    }

    /// True in `percent` of a hundred draws.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of `choices`; the type's default if `choices` is empty.
    pub fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let last = u32::try_from(choices.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let index = usize::try_from(self.between(0, last)).unwrap_or(0);
        choices.get(index).copied().unwrap_or_default()
    }

    /// An id in the format of Vapi's ids.
    pub fn id(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        uuid::Builder::from_u128(Uuid::from_u64_pair(high, low).as_u128())
            .with_version(uuid::Version::Random)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
            .to_string()
    }
}

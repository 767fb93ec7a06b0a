//! Linear classifiers over the words of a whole call, in addition to phrases.
//!
//! Each classifier sums the weights of the features that occur in a call; its likelihood is the logistic function of
//! that sum. Weights are whole numbers (thousandths of log-odds), so that a replay gives the same result on every
//! machine. A likelihood has two uses: conditions compare it like any number, and it can decide the service of a call.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::dialogue::HearingResult;
use super::features::{Feature, each_feature, parse};
use crate::facts::Facts;
use crate::rows::{RowSet, same};

/// Maximum number of weights in all classifiers of a rulebook.
pub const MAX_WEIGHTS: usize = 100_000;
/// Maximum absolute value of a weight, in thousandths of log-odds.
const MAX_WEIGHT: i64 = 20_000;
/// Minimum number of words from the caller; concepts judge shorter calls better. "l'eau" counts as two words.
const MIN_WORDS: usize = 8;
/// If the caller said fewer words than this, a classifier never reports a likelihood below `UNSURE`.
const FEW_WORDS: usize = 12;
/// The minimum likelihood of a call with fewer than `FEW_WORDS` words.
const UNSURE: i64 = 40;
/// From this likelihood on, the trace shows that a call sounds like a service. For priorities the trace always shows
/// the likelihood.
const NOTABLE: i64 = 50;
/// The trace names at most this many features that support a label, and at most this many features against it.
const MAX_REASONS: usize = 4;

/// The first index and the last index (exclusive) of a feature's weights in the table.
type Span = (u32, u32);

/// All classifiers of a rulebook, compiled into one table.
#[derive(Debug, Clone, Default)]
pub struct Classifiers {
    rows: Vec<CompiledClassifier>,
    /// For each feature hash, the range of its weights.
    by_feature: HashMap<u64, Span, BuildHasherDefault<AsItIs>>,
    /// Rules out most features without a weight, so that these features need no lookup in the larger map.
    filter: FeatureFilter,
    /// Each weight, with the index of its classifier.
    weights: Vec<(u16, i32)>,
    /// Facts with a closed set of values; each value is one feature.
    choices: Vec<String>,
}

#[derive(Debug, Clone)]
struct CompiledClassifier {
    code: String,
    learns: String,
    is_about_priority: bool,
    bias: i64,
}

/// A hasher for features, which are already hashes.
#[derive(Debug, Clone, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // This method is never used, because only `u64` numbers are hashed.
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A Bloom filter with one hash function. It is small enough for the processor's cache.
#[derive(Debug, Clone, Default)]
struct FeatureFilter {
    bits: Vec<u64>,
}

impl FeatureFilter {
    /// Minimum number of bits per feature. The false-positive rate is at most about one in eight.
    const BITS: usize = 8;

    fn new(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let words = (hashes.len() * Self::BITS / 64 + 1).next_power_of_two();
        let mut filter = Self { bits: vec![0; words] };
        for hash in hashes {
            let (word, bit) = filter.place(hash);
            filter.bits[word] |= bit;
        }
        filter
    }

    /// The index of a 64-bit word in the filter, and the feature's bit in this word.
    fn place(&self, hash: u64) -> (usize, u64) {
        // The length is a power of two.
        let word = usize::try_from(hash >> 38).unwrap_or_default() & self.bits.len().saturating_sub(1);
        (word, 1 << ((hash >> 32) & 63))
    }

    /// Whether a feature may have a weight.
    fn may_have(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// The likelihood that one classifier calculated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likelihood {
    /// The classifier's code.
    pub code: String,
    /// The label for which the classifier was trained.
    pub learns: String,
    pub percent: i64,
    /// The features with the largest weights, as the trace names them. `None` if the call does not sound like the
    /// service.
    pub reasons: Option<String>,
}

/// A validation error in a row: the column, a code and a sentence.
pub type RowFault = (String, &'static str, String);

impl Classifiers {
    /// Compiles the rows, and calls `fault` for each validation error.
    pub fn new(rows: &RowSet, mut fault: impl FnMut(&str, RowFault)) -> Self {
        let mut by_feature: BTreeMap<u64, Vec<(u16, i32)>> = BTreeMap::new();
        let mut compiled = Vec::new();
        let mut count = 0;
        for (place, stored) in rows.classifiers.values().enumerate() {
            let row = &stored.row;
            for (at, line) in row.weights.iter().enumerate() {
                match weight(line) {
                    Ok((hash, weight)) => by_feature
                        .entry(hash)
                        .or_default()
                        .push((u16::try_from(place).unwrap_or(u16::MAX), weight)),
                    Err(text) => fault(&row.code, (format!("weights/{at}"), "bad_weight", text)),
                }
            }
            count += row.weights.len();
            if count > MAX_WEIGHTS {
                let text = format!("a rulebook's classifiers have at most {MAX_WEIGHTS} weights together");
                fault(&row.code, ("weights".to_owned(), "too_many", text));
                break;
            }
            compiled.push(CompiledClassifier {
                code: row.code.clone(),
                learns: row.learns.clone(),
                is_about_priority: row.is_about_priority(),
                bias: row.bias,
            });
        }
        let mut classifiers = Self {
            rows: compiled,
            by_feature: HashMap::with_capacity_and_hasher(by_feature.len(), BuildHasherDefault::default()),
            filter: FeatureFilter::new(by_feature.keys().copied()),
            weights: Vec::with_capacity(count),
            choices: choices(rows),
        };
        for (hash, weights) in by_feature {
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let begin = classifiers.weights.len();
            classifiers.weights.extend(weights);
            let end = classifiers.weights.len();
            classifiers.by_feature.insert(hash, (place(begin), place(end)));
        }
        classifiers
    }

    /// Calculates the likelihood from each classifier. The result is empty if the caller said too little.
    #[must_use]
    pub fn judge(&self, heard: &HearingResult, facts: &Facts) -> Vec<Likelihood> {
        let words = heard.callers_word_count();
        if self.rows.is_empty() || words < MIN_WORDS {
            return Vec::new();
        }
        let least = if words < FEW_WORDS { UNSURE } else { 0 };
        // A feature counts once, however often it occurs.
        let mut found: Vec<(Span, Feature<'_>)> = Vec::with_capacity(heard.text().len());
        // There is one bit for each index at which a range of weights may begin.
        let mut known = vec![0_u64; self.weights.len() / 64 + 1];
        each_feature(heard, facts, &self.choices, |feature| {
            if self.filter.may_have(feature.hash())
                && let Some(span) = self.by_feature.get(&feature.hash())
                && let Some(bits) = known.get_mut(span.0 as usize / 64)
                && *bits & (1 << (span.0 % 64)) == 0
            {
                *bits |= 1 << (span.0 % 64);
                found.push((*span, feature));
            }
        });
        let mut sums: Vec<i64> = self.rows.iter().map(|row| row.bias).collect();
        for (classifier, weight) in found.iter().flat_map(|(span, _)| self.weights_at(*span)) {
            sums[usize::from(*classifier)] += i64::from(*weight);
        }
        let rows = self.rows.iter().zip(sums).enumerate();
        rows.map(|(place, (row, sum))| {
            let percent = percent(sum).max(least);
            let is_told = row.is_about_priority || percent >= NOTABLE;
            Likelihood {
                code: row.code.clone(),
                learns: row.learns.clone(),
                percent,
                reasons: is_told.then(|| self.reasons(place, &found)),
            }
        })
        .collect()
    }

    fn weights_at(&self, (begin, end): Span) -> &[(u16, i32)] {
        self.weights.get(begin as usize..end as usize).unwrap_or_default()
    }

    /// Lists the features with the largest weights for a classifier's label and against it, largest first.
    fn reasons(&self, classifier: usize, found: &[(Span, Feature<'_>)]) -> String {
        let (mut for_it, mut against) = (Heaviest::default(), Heaviest::default());
        for (span, feature) in found {
            for (other, weight) in self.weights_at(*span) {
                if usize::from(*other) == classifier {
                    let side = if *weight > 0 { &mut for_it } else { &mut against };
                    side.add(*weight, *span, feature);
                }
            }
        }
        let (for_it, against) = (for_it.named(), against.named());
        match (for_it.is_empty(), against.is_empty()) {
            (false, false) => format!("for it {for_it}; against it {against}"),
            (false, true) => format!("for it {for_it}"),
            (true, false) => format!("against it {against}"),
            (true, true) => "no word that it knows".to_owned(),
        }
    }
}

/// The few features that have the largest weights with the same sign, largest first.
#[derive(Debug, Default)]
struct Heaviest<'a>(Vec<(Reverse<u32>, Span, &'a Feature<'a>)>);

impl<'a> Heaviest<'a> {
    fn add(&mut self, weight: i32, span: Span, feature: &'a Feature<'a>) {
        let key = (Reverse(weight.unsigned_abs()), span);
        let is_full = self.0.len() == MAX_REASONS;
        if weight == 0 || (is_full && self.0.last().is_some_and(|last| (last.0, last.1) < key)) {
            return;
        }
        let place = self.0.partition_point(|other| (other.0, other.1) < key);
        self.0.insert(place, (key.0, key.1, feature));
        self.0.truncate(MAX_REASONS);
    }

    fn named(&self) -> String {
        let named = self.0.iter().map(|(.., feature)| format!("\"{feature}\""));
        named.collect::<Vec<_>>().join(", ")
    }
}

/// Returns the codes of the fact mappings that have a closed set of values.
#[must_use]
pub fn choices(rows: &RowSet) -> Vec<String> {
    let chosen = rows
        .fact_mappings
        .values()
        .filter(|stored| !stored.row.values.is_empty());
    chosen.map(|stored| stored.row.code.clone()).collect()
}

/// Parses one line of a row's weights.
fn weight(line: &str) -> Result<(u64, i32), String> {
    let expected = "expected a feature, an equals sign and a whole number, such as \"coming up = 812\"";
    let (feature, number) = line.rsplit_once(" = ").ok_or(expected)?;
    let weight = number.trim().parse::<i64>().map_err(|_| expected)?;
    if weight.abs() > MAX_WEIGHT {
        return Err(format!("a weight lies between -{MAX_WEIGHT} and {MAX_WEIGHT}"));
    }
    let hash =
        parse(feature).ok_or("a feature is one or two words, optionally after `> `, `yes: `, `no: ` or `FACT: `")?;
    Ok((hash, i32::try_from(weight).unwrap_or_default()))
}

/// Applies the logistic function to a sum in thousandths of log-odds. Returns percent.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a sum of bounded weights, and a number from 0 to 100"
)]
fn percent(sum: i64) -> i64 {
    let odds = (sum.clamp(-40_000, 40_000) as f64 / 1000.0).exp();
    (100.0 * odds / (1.0 + odds)).round() as i64
}

/// Formats a feature and its weight as one line of a row's weights. The weight is limited to the allowed range.
#[must_use]
pub fn line(feature: &str, weight: i64) -> String {
    format!("{feature} = {}", weight.clamp(-MAX_WEIGHT, MAX_WEIGHT))
}

/// Whether two sets of rows have the same classifiers, so that the compiled classifiers can be shared.
#[must_use]
pub fn are_same(one: &RowSet, other: &RowSet) -> bool {
    let (rows, others) = (&one.classifiers, &other.classifiers);
    let pairs = || rows.values().zip(others.values());
    rows.len() == others.len() && pairs().all(|(one, other)| same(one, other)) && choices(one) == choices(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_passes_each_feature_with_a_weight_and_few_others() {
        let hash = |n: usize| parse(&format!("word{n}")).unwrap();
        let filter = FeatureFilter::new((0..5_000).map(hash));
        assert!((0..5_000).all(|n| filter.may_have(hash(n))));
        let others = (5_000..15_000).filter(|n| filter.may_have(hash(*n))).count();
        assert!(others < 2_000, "{others} of 10,000");
        assert!(!FeatureFilter::default().may_have(hash(1)));
    }

    #[test]
    fn a_likelihood_is_a_percentage_of_the_log_odds() {
        assert_eq!([percent(0), percent(2_197), percent(-2_197)], [50, 90, 10]);
        assert_eq!([percent(i64::MAX), percent(i64::MIN)], [100, 0]);
    }

    #[test]
    fn a_weight_is_a_feature_and_a_whole_number() {
        assert!(weight("coming up = 812").is_ok());
        assert!(weight("> still coming = -3").is_ok());
        assert!(weight("yes: flooding = 400").is_ok());
        for wrong in [
            "coming up",
            "coming up = 0.8",
            "= 3",
            " = 3",
            "one two three = 3",
            "x = 20001",
        ] {
            assert!(weight(wrong).is_err(), "{wrong}");
        }
    }
}

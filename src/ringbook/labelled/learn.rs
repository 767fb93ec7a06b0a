//! Learns the weights of a rulebook's classifiers from labelled calls: logistic regression with an L2 penalty. Each
//! feature is first scaled by how much more often it occurs in one class than in the other (NB-SVM, Wang and Manning
//! 2012). The learned weight includes this scale.
//!
//! The same calls in the same order always give the same weights. Learning runs only on request, never while a call is
//! decided.

use std::collections::{BTreeMap, HashMap};

use super::LabelledCall;
use intake::parse::facts::read_message;
use rules::compile::Rulebook;
use rules::hearing::{choices, each_feature, weight_line};
use rules::rows::Classifier;
use rules::services::NO_SERVICE;

/// Minimum number of calls that contain a feature, because learning rarer features would be overfitting.
const MIN_CALLS: usize = 3;
/// Minimum absolute weight, in thousandths of log-odds. Measurements show that twice as many weights do not improve the
/// accuracy.
const MIN_WEIGHT: i64 = 60;
/// Minimum absolute weight for services. This minimum is higher, because fewer words distinguish services.
const MIN_SERVICE_WEIGHT: i64 = 120;
/// The strength of the penalty on large weights is the inverse of this number.
const LOOSENESS: f64 = 0.1;
/// This number is added to every count of a feature, so that no ratio is infinite.
const SMOOTHING: f64 = 0.1;
/// Number of passes over all calls. Early stopping is a second guard against overfitting.
const ROUNDS: usize = 100;
/// The step size, before AdaGrad scales it.
const STEP: f64 = 0.2;

/// The features of labelled calls.
#[derive(Debug)]
pub struct Examples<'a> {
    calls: &'a [LabelledCall],
    /// For each call, the indices of its features in `names`.
    features: Vec<Vec<u32>>,
    names: Vec<String>,
}

impl<'a> Examples<'a> {
    /// Extracts the features of each call like the rulebook does.
    ///
    /// # Errors
    /// If a call cannot be converted to a message; the error names the call.
    pub fn new(rulebook: &Rulebook, calls: &'a [LabelledCall]) -> Result<Self, String> {
        let choices = choices(rulebook.rows());
        let mut written: Vec<Vec<String>> = Vec::with_capacity(calls.len());
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for call in calls {
            let (extracted, _) = read_message(rulebook, &call.message())
                .ok_or_else(|| format!("{} cannot be read as a call", call.id))?;
            let heard = rulebook.listen(&extracted);
            let mut features = Vec::new();
            each_feature(&heard, &extracted.facts, &choices, |feature| {
                features.push(feature.to_string());
            });
            features.sort_unstable();
            features.dedup();
            for feature in &features {
                *counts.entry(feature.clone()).or_default() += 1;
            }
            written.push(features);
        }
        let names: Vec<String> = counts
            .into_iter()
            // Features with digits are excluded, because numbers are addresses and prices.
            .filter(|(name, count)| *count >= MIN_CALLS && !name.contains(|c: char| c.is_ascii_digit()))
            .map(|(name, _)| name)
            .collect();
        let places: HashMap<&str, u32> = (0..).zip(&names).map(|(place, name)| (name.as_str(), place)).collect();
        let features = written
            .iter()
            .map(|call| {
                call.iter()
                    .filter_map(|name| places.get(name.as_str()).copied())
                    .collect()
            })
            .collect();
        Ok(Self { calls, features, names })
    }

    /// Returns a classifier's row with the trained weights.
    #[must_use]
    pub fn learn(&self, row: &Classifier) -> Classifier {
        let labelled: Vec<(&[u32], bool)> = self
            .calls
            .iter()
            .zip(&self.features)
            .filter_map(|(call, features)| Some((features.as_slice(), is_labelled(call, &row.learns)?)))
            .collect();
        let (bias, weights) = fit(&labelled, self.names.len());
        let least = if row.is_about_priority() {
            MIN_WEIGHT
        } else {
            MIN_SERVICE_WEIGHT
        };
        let lines = self
            .names
            .iter()
            .zip(weights)
            .map(|(name, weight)| (name, thousandths(weight)));
        Classifier {
            code: row.code.clone(),
            learns: row.learns.clone(),
            bias: thousandths(bias),
            weights: lines
                .filter(|(_, weight)| weight.abs() >= least)
                .map(|(name, weight)| weight_line(name, weight))
                .collect(),
        }
    }
}

/// Whether a label applies to a call. Returns `None` if the label is about services and the call has no expected
/// service.
fn is_labelled(call: &LabelledCall, label: &str) -> Option<bool> {
    match label {
        "P1" => Some(call.expect.p1),
        "P2" => Some(call.expect.p2),
        NO_SERVICE => call.expect.service.as_ref().map(Option::is_none),
        code => call
            .expect
            .service
            .as_ref()
            .map(|service| service.as_deref() == Some(code)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "log-odds are far below 10^15")]
fn thousandths(weight: f64) -> i64 {
    (weight * 1000.0).round() as i64
}

/// Trains the bias and the weights with full-batch AdaGrad. Both classes have the same total weight, even if one class
/// is rare.
#[expect(clippy::cast_precision_loss, reason = "numbers of calls")]
fn fit(examples: &[(&[u32], bool)], count: usize) -> (f64, Vec<f64>) {
    let (mut bias, mut weights) = (0.0_f64, vec![0.0_f64; count]);
    let (mut bias_moved, mut moved) = (1e-8_f64, vec![1e-8_f64; count]);
    let positive = examples.iter().filter(|(_, is)| *is).count();
    if positive == 0 || positive == examples.len() {
        return (bias, weights);
    }
    let scales = log_ratios(examples, count);
    let share = |of: usize| examples.len() as f64 / (2.0 * of as f64);
    let (for_it, against) = (share(positive), share(examples.len() - positive));
    for _ in 0..ROUNDS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| weight / LOOSENESS).collect();
        let mut bias_gradient = 0.0;
        for (features, is) in examples {
            let sum: f64 = bias
                + features
                    .iter()
                    .map(|place| scales[*place as usize] * weights[*place as usize])
                    .sum::<f64>();
            let (sign, importance) = if *is { (1.0, for_it) } else { (-1.0, against) };
            let pull = -importance * sign / (1.0 + (sign * sum).exp());
            bias_gradient += pull;
            for place in *features {
                gradient[*place as usize] += pull * scales[*place as usize];
            }
        }
        for ((weight, gradient), moved) in weights.iter_mut().zip(&gradient).zip(&mut moved) {
            *moved += gradient * gradient;
            *weight -= STEP * gradient / moved.sqrt();
        }
        bias_moved += bias_gradient * bias_gradient;
        bias -= STEP * bias_gradient / bias_moved.sqrt();
    }
    for (weight, scale) in weights.iter_mut().zip(scales) {
        *weight *= scale;
    }
    (bias, weights)
}

/// Returns for each feature the logarithm of a ratio: its share of all features in calls with the label, divided by its
/// share in other calls.
fn log_ratios(examples: &[(&[u32], bool)], count: usize) -> Vec<f64> {
    let (mut with, mut without) = (vec![SMOOTHING; count], vec![SMOOTHING; count]);
    for (features, is) in examples {
        let counts = if *is { &mut with } else { &mut without };
        for place in *features {
            counts[*place as usize] += 1.0;
        }
    }
    let (all_with, all_without) = (with.iter().sum::<f64>(), without.iter().sum::<f64>());
    let ratio = |(with, without): (f64, f64)| (with / all_with).ln() - (without / all_without).ln();
    with.into_iter().zip(without).map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_both_sides_apart_gets_the_weight() {
        // Feature 0 is in calls of both classes.
        let examples: [(&[u32], bool); 4] = [(&[0, 1], true), (&[0, 2], false), (&[1], true), (&[2], false)];
        let (bias, weights) = fit(&examples, 3);
        assert!(weights[1] > 0.1 && weights[2] < -0.1, "{weights:?}");
        assert!(weights[0].abs() < 0.01 && bias.abs() < 0.01, "{bias} {weights:?}");
    }

    #[test]
    fn a_feature_of_one_side_has_a_greater_scale_than_one_of_both() {
        let examples: [(&[u32], bool); 4] = [(&[0, 1], true), (&[0, 1], true), (&[0, 2], false), (&[0, 2], false)];
        let scales = log_ratios(&examples, 3);
        assert!(scales[0].abs() < 0.01, "{scales:?}");
        assert!(scales[1] > 1.0 && scales[2] < -1.0, "{scales:?}");
    }

    #[test]
    fn one_sided_examples_teach_nothing() {
        assert_eq!(fit(&[(&[0], true)], 1), (0.0, vec![0.0]));
    }
}

//! Counts how many decisions used each row of a rulebook, and writes the counts in batches.
//!
//! Every few seconds, a separate transaction adds the new counts to the table `rule_hits`. Counting happens after the
//! commit and locks a map in memory only briefly, so no message waits for it. A killed process loses the counts of the
//! last seconds. If the database rejects counts, they stay in memory and are written later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Days, SubsecRound as _, Utc};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use base::clock::Clock;
use base::telemetry::{chain, scrub};
use rules::decision::Decision;
use rules::hearing::is_counted;
use rules::rows::Resource;
use store::rule_hits::{self, DECISIONS, HitKey, Hits, KEPT_DAYS};

/// Interval between two writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of counted rows between two writes. Further rows are not counted.
const MAX_ENTRIES: usize = 100_000;

/// Why the counts were not written.
#[derive(Debug, thiserror::Error)]
pub enum HitsError {
    #[error("the database did not store the counts")]
    Database(#[from] DbErr),
    /// The task that wrote the counts panicked, and its counts are lost.
    #[error("the task that wrote the counts panicked")]
    Died(#[from] JoinError),
}

/// The counts of this process. Clones share the counts.
#[derive(Clone, Default)]
pub struct RuleHits(Arc<Mutex<PendingCounts>>);

#[derive(Default)]
struct PendingCounts {
    counts: HashMap<HitKey, Hits>,
    /// The day of the last deletion of old counts.
    tidied: Option<String>,
}

/// The rows that one decision used, as `(resource, code)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleUsage {
    revision: i64,
    rows: Vec<(&'static str, String)>,
}

impl RuleUsage {
    /// Returns the rows that a decision used. If the decision has no service or no priority rule, an entry with an
    /// empty code counts that.
    #[must_use]
    pub fn part_in(decision: &Decision) -> Self {
        let mut rows: Vec<(&'static str, String)> = vec![
            (DECISIONS, String::new()),
            (Resource::Services.path(), decision.service.clone().unwrap_or_default()),
            (
                Resource::PriorityRules.path(),
                decision.priority_rule.clone().unwrap_or_default(),
            ),
        ];
        rows.extend(decision.area.clone().map(|area| (Resource::Areas.path(), area)));
        let taxes = decision.price.iter().flat_map(|price| &price.taxes);
        rows.extend(taxes.map(|tax| (Resource::Taxes.path(), tax.code.clone())));
        for step in &decision.trace {
            // Skip a script that the decision dropped. Also skip an adjustment whose step has no amount, because its
            // stacking group excluded it.
            let resource = if step.resource == Resource::Adjustments.path() && step.money.is_some() {
                Resource::Adjustments.path()
            } else if step.resource == Resource::Scripts.path() && !decision.dropped_scripts.contains(&step.code) {
                Resource::Scripts.path()
            } else if is_counted(step) {
                Resource::Concepts.path()
            } else {
                continue;
            };
            if !rows
                .iter()
                .any(|(known, code)| *known == resource && *code == step.code)
            {
                rows.push((resource, step.code.clone()));
            }
        }
        Self {
            revision: decision.revision,
            rows,
        }
    }
}

impl RuleHits {
    /// Counts the rows that committed decisions used. `at` is the time of the message, and determines the day of the
    /// counts.
    pub fn count(&self, rulebook_id: Uuid, at: DateTime<Utc>, rule_usage: Vec<RuleUsage>) {
        if rule_usage.is_empty() {
            return;
        }
        let day = at.format("%Y-%m-%d").to_string();
        let last_at = at.trunc_subsecs(0);
        let mut kept = self.lock();
        for usage in rule_usage {
            let revision = usage.revision;
            for (resource, code) in usage.rows {
                let key = HitKey {
                    rulebook_id,
                    day: day.clone(),
                    revision,
                    resource,
                    code,
                };
                kept.add(key, Hits { hits: 1, last_at });
            }
        }
    }

    /// Writes all counts so far.
    ///
    /// # Errors
    /// If the database fails, the counts stay in memory. If the writing task panics, its counts are lost.
    pub async fn flush(&self, db: &DatabaseConnection, now: DateTime<Utc>) -> Result<(), HitsError> {
        let (mut counted, forget) = {
            let mut kept = self.lock();
            let today = now.format("%Y-%m-%d").to_string();
            let counted: Vec<(HitKey, Hits)> = kept.counts.drain().collect();
            let forget = kept.tidied.as_ref() != Some(&today);
            if forget {
                kept.tidied = Some(today);
            }
            (counted, forget)
        };
        if counted.is_empty() {
            return Ok(());
        }
        // Every instance uses the same order, so that two instances cannot deadlock.
        counted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let oldest = now.checked_sub_days(Days::new(KEPT_DAYS.into())).filter(|_| forget);
        let db = db.clone();
        let work = tokio::spawn(async move {
            let written = write(&db, &counted, oldest).await;
            (counted, written)
        });
        match work.await? {
            (_, Ok(())) => Ok(()),
            (counted, Err(error)) => {
                let mut kept = self.lock();
                kept.tidied = None;
                for (key, hits) in counted {
                    kept.add(key, hits);
                }
                Err(error.into())
            }
        }
    }

    /// Writes the counts periodically until cancelled. Call [`Self::flush`] again after the last message.
    pub async fn run(&self, db: DatabaseConnection, clock: Clock, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(WRITE_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.flush(&db, clock.now()).await {
                let cause = scrub(&chain(&error));
                tracing::warn!(cause, "rule hits could not be written; they are kept and written later");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PendingCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingCounts {
    fn add(&mut self, key: HitKey, new: Hits) {
        if let Some(known) = self.counts.get_mut(&key) {
            known.hits += new.hits;
            known.last_at = known.last_at.max(new.last_at);
        } else if self.counts.len() < MAX_ENTRIES {
            self.counts.insert(key, new);
        }
    }
}

async fn write(
    db: &DatabaseConnection,
    counted: &[(HitKey, Hits)],
    forget_before: Option<DateTime<Utc>>,
) -> Result<(), DbErr> {
    let tx = store::begin(db).await?;
    rule_hits::add(&tx, counted).await?;
    if let Some(day) = forget_before {
        rule_hits::forget(&tx, &day.format("%Y-%m-%d").to_string()).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::facts::ExtractedFacts;
    use rules::{compile, sample};

    fn rule_usage(said: &str, at: &str) -> Vec<String> {
        let book = compile(7, &sample::rows(), None).unwrap();
        let extracted = ExtractedFacts {
            said: said.to_owned(),
            ..ExtractedFacts::default()
        };
        let decision = book.decide(&extracted, at.parse().unwrap());
        let rule_usage = RuleUsage::part_in(&decision);
        assert_eq!(rule_usage.revision, 7);
        rule_usage
            .rows
            .iter()
            .map(|(resource, code)| format!("{resource}/{code}"))
            .collect()
    }

    #[test]
    fn the_rows_that_took_part_are_counted_and_that_none_did() {
        let (concepts, rows): (Vec<String>, Vec<String>) =
            rule_usage("J'ai des racines, c'est une urgence.", "2026-11-24T23:30:00Z")
                .into_iter()
                .partition(|row| row.starts_with("concepts/"));
        assert!(concepts.contains(&"concepts/emergency".to_owned()), "{concepts:?}");
        assert_eq!(
            rows,
            [
                "decisions/",
                "services/root_removal",
                "priority-rules/emergency",
                "taxes/tps",
                "taxes/tvq",
                "adjustments/evening",
                "adjustments/minimum",
            ]
        );
        // A concept that the caller denies is not counted.
        let denied = rule_usage("Il n'y a pas d'urgence.", "2026-11-24T15:00:00Z");
        assert!(denied.iter().all(|row| !row.starts_with("concepts/")), "{denied:?}");
        assert_eq!(
            rule_usage("Bonjour.", "2026-11-24T15:00:00Z"),
            ["decisions/", "services/", "priority-rules/"]
        );
    }

    #[test]
    fn what_is_kept_between_two_writes_is_bounded() {
        let hits = RuleHits::default();
        let rulebook = Uuid::from_u128(1);
        let at: DateTime<Utc> = "2026-11-24T15:00:00.7Z".parse().unwrap();
        let of = |revision, code: String| RuleUsage {
            revision,
            rows: vec![("services", code)],
        };
        let last = i64::try_from(MAX_ENTRIES).unwrap() + 10;
        for revision in 0..last {
            hits.count(rulebook, at, vec![of(revision, "a".to_owned())]);
        }
        hits.count(rulebook, at, vec![of(0, "a".to_owned()), of(0, "a".to_owned())]);
        let kept = hits.lock();
        assert_eq!(kept.counts.len(), MAX_ENTRIES);
        let key = HitKey {
            rulebook_id: rulebook,
            day: "2026-11-24".to_owned(),
            revision: 0,
            resource: "services",
            code: "a".to_owned(),
        };
        assert_eq!(kept.counts[&key].hits, 3);
        assert_eq!(
            kept.counts[&key].last_at,
            "2026-11-24T15:00:00Z".parse::<DateTime<Utc>>().unwrap()
        );
    }
}

//! Quarantine: scripts that fail repeatedly are skipped for a while, and a notice is raised.
//!
//! A script is quarantined if too many of its runs fail because of the script. A single failure affects only the call
//! in which it happens. A run that fails because the machine is busy does not count.
//!
//! Failures are counted in the database, inside the message's transaction. So all instances share the count, and a
//! restart loses nothing. Runs are counted in memory. At every [`POLL_INTERVAL`], an instance adds these runs to the
//! database, but only for scripts that failed recently. It also reads and caches the quarantined scripts, so that no
//! message needs a query. The instance that saw the last failure skips the script from its next message on. Other
//! instances skip the script after their next poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use uuid::Uuid;

use base::clock::Clock;
use rules::compile::Rulebook;
use rules::script::{ScriptVersion, Skips};

use store::notices::{self, Notice, Severity};
use store::script_quarantines::{self, Model, QuarantineLimits};

/// Limits for scripts. A script is skipped for the time `for_` if, within the time `within`, it fails at least `faults`
/// times and in at least one of `one_in` runs.
pub const LIMITS: QuarantineLimits = QuarantineLimits {
    faults: 5,
    one_in: 10,
    within: TimeDelta::minutes(10),
    for_: TimeDelta::minutes(10),
};
/// How often an instance reads the quarantines that other instances started or ended.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Code of the notice about a quarantined script.
const NOTICE: &str = "script_quarantined";

/// The quarantined scripts, as this instance last read or added them. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Quarantines {
    active: Arc<RwLock<HashMap<Uuid, Vec<Active>>>>,
    /// Runs that are not yet added to the database.
    runs: Arc<Mutex<Runs>>,
}

/// Number of runs for each rulebook and script version.
type Runs = HashMap<(Uuid, ScriptVersion), i64>;

#[derive(Debug, Clone)]
struct Active {
    code: String,
    version: i64,
    until: DateTime<Utc>,
}

impl From<&Model> for Active {
    fn from(row: &Model) -> Self {
        Self {
            code: row.code.clone(),
            version: row.version,
            until: row.until.unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl Quarantines {
    /// The scripts that a decision of this rulebook must skip at `now`. If a script was published again, the new
    /// version is not in quarantine.
    #[must_use]
    pub fn skips(&self, rulebook_id: Uuid, rulebook: &Rulebook, now: DateTime<Utc>) -> Skips {
        let mut skips = Skips::none();
        let all = self.active.read().unwrap_or_else(PoisonError::into_inner);
        for active in all.get(&rulebook_id).into_iter().flatten() {
            let same = rulebook
                .script(&active.code)
                .is_some_and(|script| script.version() == active.version);
            if same && now < active.until {
                skips.add(&active.code, "left out: in quarantine because it failed repeatedly");
            }
        }
        skips
    }

    /// Adds a script that was just quarantined, without waiting for the next poll.
    pub fn add(&self, row: &Model) {
        let mut all = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(row.rulebook_id).or_default();
        own.retain(|active| active.code != row.code);
        own.push(row.into());
    }

    /// Removes a script that was released.
    pub fn remove(&self, rulebook_id: Uuid, code: &str) {
        let mut all = self.active.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&rulebook_id) {
            own.retain(|active| active.code != code);
        }
    }

    /// Counts a run of a script.
    pub fn ran(&self, rulebook_id: Uuid, script: &ScriptVersion) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        *runs.entry((rulebook_id, script.clone())).or_default() += 1;
    }

    /// Removes and returns the number of runs of a script that are not yet in the database.
    fn untold(&self, rulebook_id: Uuid, script: &ScriptVersion) -> i64 {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&(rulebook_id, script.clone())).unwrap_or_default()
    }

    /// Counts a failure of a script. If this failure starts a quarantine, raises a notice and returns the row of the
    /// quarantine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        script: &ScriptVersion,
        now: DateTime<Utc>,
        clock: &Clock,
    ) -> Result<Option<Model>, DbErr> {
        let runs = self.untold(rulebook_id, script);
        let version = (script.code.as_str(), script.version);
        let row = script_quarantines::fault(tx, rulebook_id, version, runs, now, LIMITS).await?;
        if let Some(row) = &row {
            notices::raise(tx, quarantined(rulebook_id, row), now, clock.new_id()).await?;
        }
        Ok(row)
    }

    /// Adds the runs of scripts that failed recently to the database, reads the quarantined scripts, and ends expired
    /// quarantines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn poll(&self, db: &DatabaseConnection, read: &DatabaseConnection, clock: &Clock) -> Result<(), DbErr> {
        let now = clock.now();
        let rows = script_quarantines::all(read).await?;
        let told = self.to_tell(&rows, now);
        let (over, head_rows): (Vec<Model>, Vec<Model>) = rows
            .into_iter()
            .filter(|row| row.until.is_some())
            .partition(|row| row.until.is_some_and(|until| until <= now));
        let mut all: HashMap<Uuid, Vec<Active>> = HashMap::new();
        for row in &head_rows {
            all.entry(row.rulebook_id).or_default().push(row.into());
        }
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = all;
        if over.is_empty() && told.is_empty() {
            return Ok(());
        }
        let tx = store::begin(db).await?;
        for (rulebook_id, script, runs) in &told {
            script_quarantines::ran(&tx, *rulebook_id, (&script.code, script.version), *runs).await?;
        }
        for row in &over {
            if script_quarantines::end(&tx, row).await? {
                notices::resolve(&tx, row.rulebook_id, NOTICE, &subject(&row.code), now).await?;
            }
        }
        tx.commit().await
    }

    /// Removes all runs that are not yet in the database. Returns the runs of scripts that failed recently, and
    /// discards the runs of other scripts.
    fn to_tell(&self, rows: &[Model], now: DateTime<Utc>) -> Vec<(Uuid, ScriptVersion, i64)> {
        let runs = std::mem::take(&mut *self.runs.lock().unwrap_or_else(PoisonError::into_inner));
        let counted = |rulebook_id: Uuid, script: &ScriptVersion| {
            rows.iter().any(|row| {
                let same = row.rulebook_id == rulebook_id && row.code == script.code && row.version == script.version;
                same && row.until.is_none() && now - row.first_fault_at <= LIMITS.within
            })
        };
        let runs = runs.into_iter();
        runs.filter(|((rulebook_id, script), _)| counted(*rulebook_id, script))
            .map(|((rulebook_id, script), runs)| (rulebook_id, script, runs))
            .collect()
    }
}

/// The notice about a quarantined script.
fn quarantined(rulebook_id: Uuid, row: &Model) -> Notice {
    let (code, minutes) = (&row.code, LIMITS.for_.num_minutes());
    Notice {
        rulebook_id,
        code: NOTICE,
        severity: Severity::Urgent,
        subject: subject(code),
        text: format!(
            "The script `{code}` failed in {} of {} runs and is skipped for {minutes} minutes. Decisions are made without it.",
            row.faults, row.runs
        ),
        what_to_do:
            "Test the script with `test_script` on the facts of a degraded decision, and publish a corrected script, which \
            runs immediately. Or release the script with `release_script`."
                .to_owned(),
    }
}

/// Releases a script from quarantine. Returns false if the script was not in quarantine.
///
/// # Errors
/// When the database fails.
pub async fn release(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    code: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let released = script_quarantines::release(tx, rulebook_id, code).await?;
    notices::resolve(tx, rulebook_id, NOTICE, &subject(code), now).await?;
    Ok(released)
}

fn subject(code: &str) -> String {
    format!("script {code}")
}

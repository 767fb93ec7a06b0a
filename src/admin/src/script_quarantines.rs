//! Lists quarantined scripts, and releases them.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde_json::json;

use super::audited_write;
use super::auth::{Editor, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::responses::{DeleteResponse, ReadResponse};
use super::state::{AdminState, RulebookInPath, shortened};
use revisions::quarantine;
use store::dry_run;
use store::script_quarantines;
use web::problem::Problem;

pub struct ScriptQuarantinesApi(pub AdminState);

/// The quarantined scripts.
#[derive(Debug, Object)]
pub struct ScriptQuarantines {
    /// One entry per script, by code.
    items: Vec<ScriptQuarantine>,
}

/// A script that decisions omit for a while.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ScriptQuarantine {
    /// The script's code.
    script: String,
    /// The last revision that changed the script or a library that the script uses. Newer versions may run.
    version: i64,
    /// How often the script failed.
    faults: i64,
    /// The number of reported runs.
    runs: i64,
    /// When the script failed first.
    first_fault_at: DateTime<Utc>,
    /// When the script failed last.
    last_fault_at: DateTime<Utc>,
    /// When the quarantine began.
    since: Option<DateTime<Utc>>,
    /// When the quarantine ends.
    until: Option<DateTime<Utc>>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/script-quarantines")]
impl ScriptQuarantinesApi {
    /// List the quarantined scripts
    ///
    /// A script that fails five times in ten minutes, and in at least 10% of its runs, is quarantined for ten minutes.
    /// During quarantine, decisions omit the script and are degraded. If the machine is too busy to run a script, that
    /// does not count as a failure. A new version is not in quarantine.
    #[oai(path = "/", method = "get")]
    async fn list_script_quarantines(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<ReadResponse<ScriptQuarantines>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let now = self.0.clock.now();
        let rows = script_quarantines::of_rulebook(self.0.latest(), loaded.rulebook_id, now).await?;
        // A script that was changed after the quarantine began is no longer in quarantine.
        let stands = |row: &script_quarantines::Model| {
            let script = loaded.rulebook.script(&row.code);
            script.is_some_and(|script| script.version() == row.version)
        };
        let items = rows.into_iter().filter(stands).map(|row| ScriptQuarantine {
            script: row.code,
            version: row.version,
            faults: row.faults,
            runs: row.runs,
            first_fault_at: row.first_fault_at,
            last_fault_at: row.last_fault_at,
            since: row.since,
            until: row.until,
        });
        Ok(ReadResponse::new(ScriptQuarantines { items: items.collect() }))
    }

    /// Release a script from quarantine
    ///
    /// The script runs again from the next call on, and on other instances within two seconds. Its failure counts are
    /// deleted.
    #[oai(path = "/:script", method = "delete")]
    async fn release_script(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The script's code.
        script: Path<String>,
    ) -> Result<DeleteResponse, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let code = script.0;
        let missing = || Problem::not_found(format!("script `{}` in quarantine", shortened(&code)));
        // PostgreSQL rejects NUL characters in text, and no code contains one.
        if code.contains('\0') {
            return Err(missing().into());
        }
        let before = Some(json!({"quarantined": true}));
        let after = Some(json!({"quarantined": false}));
        let what = ("release", "script-quarantines", code.as_str());
        let entry = audited_write::entry(&self.0, &key, Some(rulebook_id), what, before, after);
        let (now, released) = (self.0.clock.now(), code.clone());
        let release = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { quarantine::release(tx, rulebook_id, &released, now).await })
        });
        if !release.await? {
            return Err(missing().into());
        }
        if !dry_run::is_on() {
            self.0.current.quarantines().remove(rulebook_id, &code);
        }
        Ok(DeleteResponse::Gone)
    }
}

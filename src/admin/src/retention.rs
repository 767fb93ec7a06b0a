//! Reads and changes how long a rulebook stores data.
//!
//! Retention settings are not rule rows: they decide nothing about a call, and they apply to the data of every revision.

use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use serde_json::{Value, json};

use super::audited_write;
use super::auth::{Admin, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, SettingsWrite};
use super::responses::{FoundRow, Json, etag};
use super::state::{AdminState, RulebookInPath};
use super::versions::{Precondition, expected, stale};
use store::{leases, purges, retentions};
use web::problem::{FieldFault, Problem};

/// Maximum retention: a hundred years.
const MOST_DAYS: i64 = 36_500;

/// The operations on retention settings.
pub struct RetentionApi(pub AdminState);

/// How long data is stored, in days. An omitted field means its default, or forever if it has no default. Prices,
/// priorities, leads and the audit log stay.
#[derive(Debug, Clone, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct Retention {
    /// Transcripts, summaries, analyses and extracted facts. Replaying a decision then reports that its facts were erased.
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    transcripts_days: Option<i64>,
    /// Raw messages.
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    bodies_days: Option<i64>,
    /// Events with their bodies and transcripts. If a decision or a tool call depends on an event, only the event's
    /// content is erased and its key stays. So decisions stay, and a repeated message has no effect. All other events
    /// are deleted.
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    events_days: Option<i64>,
    /// Raw `speech-update` and `conversation-update` messages. Such messages have no effect. The default is 30 days;
    /// the maximum is a hundred years.
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    interim_bodies_days: Option<i64>,
    /// The version rises with every change; 0 before the first change. Send it with a change.
    version: Option<i64>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/retention")]
impl RetentionApi {
    /// Read how long a rulebook's data is stored
    #[oai(path = "/", method = "get")]
    async fn get_retention(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<Retention>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = retentions::read(self.0.latest(), rulebook_id).await?;
        Ok(answer(&row.unwrap_or_else(|| {
            retentions::Model::unset(rulebook_id, self.0.clock.now())
        })))
    }

    /// Replace how long a rulebook's data is stored
    ///
    /// Data that is older than the new limits is deleted in small batches. An instance that runs the purge worker
    /// starts the purge within ten seconds. Send the `version` that you read.
    #[oai(path = "/", method = "put")]
    async fn put_retention(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The ETag that you read, if the version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<Retention>,
    ) -> Result<FoundRow<Retention>, Fails<SettingsWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        checked(&body.0)?;
        let stored = retentions::read(self.0.latest(), rulebook_id).await?;
        let said = Precondition {
            body: body.0.version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`retention` of rulebook `{}`", rulebook.0);
        let current = stored.as_ref().map(|row| row.version);
        expected(&said, current, &what)?;
        let version = current.unwrap_or_default() + 1;
        let row = retentions::Model {
            rulebook_id,
            transcripts_days: body.0.transcripts_days,
            bodies_days: body.0.bodies_days,
            events_days: body.0.events_days,
            interim_bodies_days: body
                .0
                .interim_bodies_days
                .unwrap_or(retentions::DEFAULT_INTERIM_BODIES_DAYS),
            version,
            updated_at: self.0.clock.now(),
        };
        let entry = audited_write::entry(
            &self.0,
            &key,
            Some(rulebook_id),
            ("update", "retention", &rulebook.0),
            stored.as_ref().map(as_json),
            Some(as_json(&row)),
        );
        let (written, now) = (row.clone(), row.updated_at);
        let write = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                let is_written = retentions::write(tx, written).await?;
                // Starts the purge now instead of at its next hourly run.
                leases::end_rest(tx, purges::LEASE, now).await?;
                Ok(is_written)
            })
        });
        if write.await? {
            return Ok(answer(&row));
        }
        let now = retentions::read(self.0.latest(), rulebook_id).await?;
        Err(stale(&what, version - 1, now.map(|row| row.version)).into())
    }
}

fn checked(body: &Retention) -> Result<(), Problem> {
    let days = [
        ("/transcripts_days", body.transcripts_days),
        ("/bodies_days", body.bodies_days),
        ("/events_days", body.events_days),
        ("/interim_bodies_days", body.interim_bodies_days),
    ];
    let wrong = days
        .into_iter()
        .filter(|(_, days)| days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)));
    let faults: Vec<FieldFault> = wrong
        .map(|(place, _)| {
            let detail = format!("The number of days must be 1 to {MOST_DAYS}. Omit the field for its default.");
            FieldFault::new(place, "invalid_value", detail)
        })
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Problem::unprocessable(faults))
}

fn as_json(row: &retentions::Model) -> Value {
    json!({
        "transcripts_days": row.transcripts_days,
        "bodies_days": row.bodies_days,
        "events_days": row.events_days,
        "interim_bodies_days": row.interim_bodies_days,
    })
}

fn answer(row: &retentions::Model) -> FoundRow<Retention> {
    let shown = Retention {
        transcripts_days: row.transcripts_days,
        bodies_days: row.bodies_days,
        events_days: row.events_days,
        interim_bodies_days: Some(row.interim_bodies_days),
        version: Some(row.version),
    };
    FoundRow::Found(Json(shown), etag(row.version))
}

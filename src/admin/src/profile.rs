//! Reads and changes a rulebook's code and name, and whether the rulebook is archived.
//!
//! A renamed rulebook still accepts messages to its former code, so that no call is lost before Vapi knows the new URL.
//! An archived rulebook accepts no messages, but it can still be read and changed.

use chrono::{DateTime, Utc};
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use serde_json::{Value, json};

use super::audited_write;
use super::auth::{Admin, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, ProfileWrite};
use super::responses::{FoundRow, Json, etag};
use super::row_checks::check_code;
use super::state::{AdminState, RulebookInPath};
use super::versions::{Precondition, expected, stale};
use store::rulebooks::{self, DEFAULT, Profile, ProfileUpdate};
use web::problem::{Code, Problem};

const MOST_LETTERS: usize = 100;

pub struct ProfileApi(pub AdminState);

/// A rulebook's code and name, and whether it is archived.
#[derive(Debug, Clone, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct RulebookProfile {
    /// The rulebook's code in paths and in `/webhooks/vapi/{rulebook}`. A new code renames the rulebook.
    code: String,
    /// The rulebook's display name, such as the name of the business.
    name: Option<String>,
    /// The code before the last rename. Messages to this code are still accepted; omit the field to reject them.
    former_code: Option<String>,
    /// `true`: the rulebook accepts no messages from Vapi, as if it did not exist. It can still be read and changed,
    /// and its queued SMS messages are still sent. `false` restores the rulebook.
    archived: bool,
    /// Since when the rulebook is archived. Read-only.
    archived_at: Option<DateTime<Utc>>,
    /// The version rises with every change. Send it with a change.
    version: Option<i64>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/profile")]
impl ProfileApi {
    /// Read a rulebook's name, and whether it is archived
    #[oai(path = "/", method = "get")]
    async fn get_rulebook_profile(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<RulebookProfile>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        let version = row.profile_version;
        Ok(answer(profile(&row), version))
    }

    /// Rename, archive or restore a rulebook
    ///
    /// Send the `version` that you read. A new `code` renames the rulebook: messages to the former code are still accepted,
    /// so you can change the server URL at Vapi later. An archived rulebook accepts no more messages. The rulebook
    /// `default` can get a name, but cannot be renamed or archived.
    #[oai(path = "/", method = "put")]
    async fn put_rulebook_profile(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The ETag that you read, if the version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<RulebookProfile>,
    ) -> Result<FoundRow<RulebookProfile>, Fails<ProfileWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        let said = Precondition {
            body: body.0.version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`profile` of rulebook `{}`", row.code);
        let version = row.profile_version;
        expected(&said, Some(version), &what)?;
        let before = profile(&row);
        let after = checked(body.0, &before, self.0.clock.now())?;
        if after.code != before.code && key.rulebook_id.is_some() {
            let detail = "This key is for one rulebook only and cannot rename it.";
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        let entry = audited_write::entry(
            &self.0,
            &key,
            Some(rulebook_id),
            ("update", "profile", &before.code),
            Some(audit_json(&before)),
            Some(audit_json(&after)),
        );
        let wanted = after.clone();
        let set = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                let set = rulebooks::set_profile(tx, rulebook_id, version, &wanted).await?;
                Ok(set == ProfileUpdate::Done)
            })
        });
        if set.await? {
            return Ok(answer(after, version + 1));
        }
        let now = self.0.rulebook_row(rulebook_id).await?.profile_version;
        if now == version {
            let detail = format!("Another rulebook has, or had before, the code `{}`.", after.code);
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        Err(stale(&what, version, Some(now)).into())
    }
}

fn profile(row: &rulebooks::Model) -> Profile {
    Profile {
        code: row.code.clone(),
        name: row.name.clone(),
        former_code: row.former_code.clone(),
        archived_at: row.archived_at,
    }
}

/// Converts the profile for the audit log.
fn audit_json(profile: &Profile) -> Value {
    json!({
        "code": profile.code,
        "name": profile.name,
        "former_code": profile.former_code,
        "archived": profile.archived_at.is_some(),
    })
}

/// Validates a display name, and returns it without surrounding spaces.
///
/// # Errors
/// 422 if the name is not valid.
pub fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let is_plain = !name.is_empty() && !name.chars().any(char::is_control);
    if is_plain && name.chars().count() <= MOST_LETTERS {
        return Ok(name.to_owned());
    }
    let detail = format!("`name` must have 1 to {MOST_LETTERS} letters on one line.");
    Err(Problem::fault("/name", "invalid_value", detail))
}

/// Validates the profile that replaces `before`.
fn checked(asked: RulebookProfile, before: &Profile, now: DateTime<Utc>) -> Result<Profile, Problem> {
    check_code(&asked.code).map_err(|problem| Problem::fault("/code", "invalid_value", problem.detail()))?;
    let is_renamed = asked.code != before.code;
    if before.code == DEFAULT && (is_renamed || asked.archived) {
        let (place, what) = if is_renamed {
            ("/code", "renamed")
        } else {
            ("/archived", "archived")
        };
        let detail = format!("The rulebook `{DEFAULT}` cannot be {what}: the path `/webhooks/vapi` belongs to it.");
        return Err(Problem::fault(place, "invalid_value", detail));
    }
    let former_code = match asked.former_code {
        _ if is_renamed => Some(before.code.clone()),
        None => None,
        same if same == before.former_code => same,
        Some(_) => {
            let detail = "Send `former_code` as you read it, or omit it.";
            return Err(Problem::fault("/former_code", "invalid_value", detail));
        }
    };
    Ok(Profile {
        code: asked.code,
        name: asked.name.map(|name| checked_name(&name)).transpose()?,
        former_code,
        archived_at: asked.archived.then(|| before.archived_at.unwrap_or(now)),
    })
}

fn answer(profile: Profile, version: i64) -> FoundRow<RulebookProfile> {
    let shown = RulebookProfile {
        archived: profile.archived_at.is_some(),
        code: profile.code,
        name: profile.name,
        former_code: profile.former_code,
        archived_at: profile.archived_at,
        version: Some(version),
    };
    FoundRow::Found(Json(shown), etag(version))
}

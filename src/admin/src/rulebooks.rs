//! Lists and creates rulebooks, and reads and changes their settings.

use std::sync::Arc;

use poem_openapi::param::{Header, Query};
use poem_openapi::types::Type as _;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Admin, Editor, Key, Viewer};
use super::body::{Body, RowBody, RowPatch};
use super::errors::{Fails, NoExtraErrors, RulebookWrite, WritesVersion};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::profile::checked_name;
use super::publishing;
use super::responses::{FoundRow, Json, Page, ReadResponse, RowWithVersion, etag};
use super::row_checks::{canonical, check_code, checked_comment, with_code};
use super::row_faults::EditedRow;
use super::rule_rows::write;
use super::sms_delivery::Delivery;
use super::state::{AdminState, RulebookInPath, shortened};
use super::versions::Precondition;
use revisions::cache::HeadRows;
use revisions::publish::RulebookToCreate;
use rules::rows::{Row, RowSet, Settings, StoredRow};
use store::dry_run;
use store::{page, rulebooks};
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["code", "-code"],
    filters: &[Filter {
        name: "archived",
        kind: FilterType::Boolean,
        doc: "Whether the rulebook is archived.",
    }],
};

pub struct RulebooksApi(pub AdminState);

/// A rulebook.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RulebookSummary {
    /// The rulebook's code in paths, also in `/webhooks/vapi/{rulebook}`.
    code: String,
    /// The rulebook's display name; see `put_rulebook_profile`.
    name: Option<String>,
    /// The head revision, which the next call uses.
    revision: i64,
    created_at: chrono::DateTime<chrono::Utc>,
    /// Since when the rulebook is archived and accepts no messages.
    archived_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// A rulebook to create.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewRulebook {
    /// The rulebook's code: 1 to 64 letters, digits, `_`, `-` or `.`.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: String,
    /// The rulebook's display name, such as the name of the business.
    name: Option<String>,
    /// `sample` (the default) begins with the rows of the sample rulebook, `empty` with the settings only.
    rows: Option<Beginning>,
    /// Begins with the rows at the head of the rulebook with this code: prices, contacts, scripts and all other rules.
    /// Secrets, calls, webhook settings and guard rails are not copied. Omit `rows` if you send `copy_of`.
    copy_of: Option<String>,
    /// `twilio` sends SMS messages, which wait until there is an account; `simulated` only records them.
    #[serde(default)]
    #[oai(default)]
    sms_delivery: Delivery,
    /// The settings; by default the settings of the sample, or of the copied rulebook.
    #[serde(default, deserialize_with = "without_version")]
    settings: Option<Settings>,
}

/// Reads settings and ignores `version` and `revision`, which are present if the client read the settings from another
/// rulebook.
fn without_version<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Settings>, D::Error> {
    let Some(mut settings) = Option::<serde_json::Map<String, Value>>::deserialize(from)? else {
        return Ok(None);
    };
    for read_only in ["version", "revision"] {
        settings.remove(read_only);
    }
    Settings::deserialize(Value::Object(settings))
        .map(Some)
        .map_err(D::Error::custom)
}

/// The first rows of a new rulebook.
#[derive(Debug, Clone, Copy, Default, Deserialize, poem_openapi::Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Beginning {
    /// The rows of the sample business.
    #[default]
    Sample,
    /// Only the settings of the sample business.
    Empty,
}

/// The response after a rulebook was created.
#[derive(ApiResponse)]
pub enum CreateRulebookResponse {
    /// The rulebook, at revision 1.
    #[oai(status = 201)]
    Created(Json<RulebookSummary>),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks")]
impl RulebooksApi {
    /// List the rulebooks
    #[oai(path = "/", method = "get")]
    async fn list_rulebooks(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<RulebookSummary>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let mut select = rulebooks::Entity::find();
        if let Some(own) = key.rulebook_id {
            select = select.filter(rulebooks::Column::Id.eq(own));
        }
        if let Some(archived) = listing.boolean("archived") {
            let at = rulebooks::Column::ArchivedAt;
            select = select.filter(if archived { at.is_not_null() } else { at.is_null() });
        }
        let sorting = page::Sorting {
            by: rulebooks::Column::Code,
            id: rulebooks::Column::Code,
            descending: listing.descending,
        };
        let after = listing
            .after
            .as_ref()
            .map(|(_, code)| (code.clone().into(), code.clone().into()));
        let rows = page::rows(self.0.latest(), select, sorting, after, listing.limit).await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.code.clone()),
            |row| RulebookSummary {
                code: row.code,
                name: row.name,
                revision: row.head_revision,
                created_at: row.created_at,
                archived_at: row.archived_at,
            },
        )))
    }

    /// Create a rulebook
    #[oai(path = "/", method = "post")]
    async fn create_rulebook(
        &self,
        key: Key<Admin>,
        body: Body<NewRulebook>,
    ) -> Result<CreateRulebookResponse, Fails<RulebookWrite>> {
        let new = body.0;
        if key.rulebook_id.is_some() {
            return Err(Problem::new(
                Code::Forbidden,
                "This key is for one rulebook only; it cannot create others.",
            )
            .into());
        }
        check_code(&new.code).map_err(|problem| Problem::fault("/code", "invalid_value", problem.detail()))?;
        let name = new.name.map(|name| checked_name(&name)).transpose()?;
        let mut rows = match (&new.copy_of, new.rows) {
            (Some(_), Some(_)) => {
                let detail = "A copy has the rows of `copy_of`: omit `rows`.";
                return Err(Problem::fault("/rows", "contradiction", detail).into());
            }
            (Some(from), None) => self.rows_of(&key, from).await?,
            (None, None | Some(Beginning::Sample)) => RowSet::clone(&self.0.sample),
            (None, Some(Beginning::Empty)) => RowSet {
                settings: without_calendar(&self.0.sample),
                ..RowSet::default()
            },
        };
        if let Some(row) = new.settings {
            rows.settings
                .insert(row.code.clone(), Arc::new(StoredRow { version: 1, row }));
        }
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let (code, delivery) = (new.code.clone(), new.sms_delivery.word());
        let called = name.clone();
        let task = dry_run::spawn(async move {
            let new = RulebookToCreate {
                code: &code,
                name: called,
                webhook_auth: serde_json::json!({}),
                sms_delivery: delivery,
            };
            publisher.create(new, rows, &author).await
        });
        let outcome = task.await.map(|made| made.map(|(_, published)| published));
        let published = publishing::finished(&self.0, Uuid::nil(), outcome, &EditedRow::default()).await?;
        Ok(CreateRulebookResponse::Created(Json(RulebookSummary {
            code: new.code,
            name,
            revision: published.revision,
            created_at: self.0.clock.now(),
            archived_at: None,
        })))
    }

    /// Read a rulebook's settings and head revision
    #[oai(path = "/:rulebook", method = "get")]
    async fn get_rulebook(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<RowWithVersion<Settings>>, Fails<NoExtraErrors>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let stored = settings(&head_rows)?;
        Ok(answer(stored, head_rows.revision))
    }

    /// Replace a rulebook's settings
    #[oai(path = "/:rulebook", method = "put")]
    async fn put_rulebook(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The ETag of the settings that you read, if their version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
        body: RowBody<Settings>,
    ) -> Result<FoundRow<RowWithVersion<Settings>>, Fails<WritesVersion>> {
        let (mut row, version) = body.read(&Settings::name())?;
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        if let Value::Object(row) = &mut row {
            row.remove("revision");
        }
        self.write(&key, &head_rows, row, version, if_match.0, comment.0).await
    }

    /// Change fields of a rulebook's settings
    #[oai(path = "/:rulebook", method = "patch")]
    async fn patch_rulebook(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The ETag of the settings that you read, if their version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
        body: RowPatch<Settings>,
    ) -> Result<FoundRow<RowWithVersion<Settings>>, Fails<WritesVersion>> {
        let (mut patch, version) = body.read(&Settings::name())?;
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let mut row = serde_json::to_value(&settings(&head_rows)?.row).map_err(|error| Problem::internal(&error))?;
        patch.remove("revision");
        json_patch::merge(&mut row, &Value::Object(patch));
        self.write(&key, &head_rows, row, version, if_match.0, comment.0).await
    }
}

impl RulebooksApi {
    /// Returns the rows at the head of another rulebook, for a copy.
    async fn rows_of(&self, caller: &super::auth::Caller, code: &str) -> Result<RowSet, Problem> {
        let found = self.0.current.find_latest(code).await?;
        let Some((rulebook_id, head)) = found.filter(|(id, _)| caller.sees(*id)) else {
            let detail = format!("There is no rulebook `{}` to copy.", shortened(code));
            return Err(Problem::fault("/copy_of", "unknown_code", detail));
        };
        let rows = self.0.rows(rulebook_id, head).await?;
        Ok(RowSet::clone(&rows))
    }

    async fn write(
        &self,
        caller: &super::auth::Caller,
        head_rows: &HeadRows,
        row: Value,
        version: Option<i64>,
        if_match: Option<String>,
        comment: Option<String>,
    ) -> Result<FoundRow<RowWithVersion<Settings>>, Fails<WritesVersion>> {
        let stands = settings(head_rows)?;
        let row = canonical::<Settings>(with_code(row, stands.row.code())?)?;
        let said = Precondition {
            body: version,
            if_match,
            if_none_match: None,
        };
        let comment = checked_comment(comment)?;
        let code = stands.row.code();
        let (stored, revision) = write::<Settings>(
            &self.0,
            caller,
            head_rows.rulebook_id,
            code,
            row,
            &said,
            Some(stands.version),
            comment,
        )
        .await?;
        Ok(answer(&stored, revision))
    }
}

fn answer(stored: &StoredRow<Settings>, revision: i64) -> FoundRow<RowWithVersion<Settings>> {
    FoundRow::Found(
        Json(RowWithVersion::of(stored).with("revision", revision.into())),
        etag(stored.version),
    )
}

fn settings(head_rows: &HeadRows) -> Result<&StoredRow<Settings>, Problem> {
    let row = head_rows.rows().settings.values().next();
    row.map(Arc::as_ref).ok_or_else(|| Problem::not_found("settings row"))
}

/// Returns the settings without the name of a calendar, because an empty rulebook has no calendar.
fn without_calendar(rows: &RowSet) -> rules::rows::Table<Settings> {
    let bare = |stored: &Arc<StoredRow<Settings>>| StoredRow {
        version: stored.version,
        row: Settings {
            calendar: None,
            ..stored.row.clone()
        },
    };
    rows.settings
        .iter()
        .map(|(code, stored)| (code.clone(), Arc::new(bare(stored))))
        .collect()
}

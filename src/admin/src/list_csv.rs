//! Serves lists as spreadsheets: for `Accept: text/csv`, one response contains all rows that match the filters.
//!
//! No cell is a formula ([`sheet::plain_cell`]). This module masks values that viewers may not see; it finds these
//! values by the schema of the rows. [`super::masking::answer`] skips these responses, because a cell alone does not
//! show what its digits mean.

use poem::http::header;
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, ResponseContent};
use serde_json::Value;

use super::auth::Caller;
use super::list::{Listing, MAX_LIMIT};
use super::masking::{self, AlreadyMasked};
use super::responses::{Json, Page};
use super::sheets::Csv;
use authoring::sheet;
use web::accept;
use web::problem::Problem;

/// Maximum number of rows in one response; clients that need more can read month by month.
const MAX_ROWS: usize = 20_000;

/// Whether the client wants CSV rather than JSON.
pub struct WantsCsv(bool);

impl WantsCsv {
    /// Whether the client wants CSV.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0
    }
}

impl<'a> FromRequest<'a> for WantsCsv {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let wanted = accept::wanted(request, &["application/json", "text/csv"]);
        Ok(Self(wanted == Some("text/csv")))
    }
}

/// A spreadsheet with phone numbers already masked, and its file name.
pub struct ListSheet {
    text: String,
    file: String,
}

impl Payload for ListSheet {
    const CONTENT_TYPE: &'static str = <Csv<String> as Payload>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for ListSheet {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .content_type(Self::CONTENT_TYPE)
            .header(
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{}.csv\"", self.file),
            )
            .body(self.text);
        response.set_data(AlreadyMasked);
        response
    }
}

/// A page of a list, or the whole list as a spreadsheet.
#[derive(ResponseContent)]
pub enum ListContent<T: ToJSON> {
    /// A page.
    Json(Json<Page<T>>),
    /// All rows that match the filters.
    Csv(ListSheet),
}

/// A list that was read.
#[derive(ApiResponse)]
pub enum ListResponse<T: ToJSON> {
    /// The page. As CSV, all rows that match the filters, at most 20,000; `limit` has no effect.
    #[oai(status = 200)]
    Found(ListContent<T>),
}

/// Collects pages into one response.
pub struct Gathering<'a> {
    caller: &'a Caller,
    columns: &'static [&'static str],
    file: &'static str,
    /// The lines so far; `None` if the client wants JSON.
    lines: Option<Vec<Vec<String>>>,
}

impl<'a> Gathering<'a> {
    /// Creates a collector for a list. `columns` are JSON pointers without the first slash.
    pub fn of(
        caller: &'a Caller,
        wants: &WantsCsv,
        listing: &mut Listing,
        file: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        if wants.0 {
            listing.limit = MAX_LIMIT;
        }
        Self {
            caller,
            columns,
            file,
            lines: wants.0.then(Vec::new),
        }
    }

    /// Adds a page. Returns the response if it is complete. Otherwise returns `None`, and `listing` selects the next
    /// page.
    ///
    /// # Errors
    /// 422 if there are too many rows.
    pub fn add<T: ToJSON + Type>(
        &mut self,
        listing: &mut Listing,
        page: Page<T>,
    ) -> Result<Option<ListResponse<T>>, Problem> {
        let Some(lines) = &mut self.lines else {
            return Ok(Some(ListResponse::Found(ListContent::Json(Json(page)))));
        };
        lines.extend(lines_of(self.caller, self.columns, &page.items));
        if lines.len() > MAX_ROWS {
            let detail =
                format!("A spreadsheet has room for {MAX_ROWS} rows: request fewer, for example with `since`.");
            return Err(Problem::fault("since", "too_large", detail));
        }
        if let Some(cursor) = page.next_cursor {
            listing.go_on(&cursor)?;
            return Ok(None);
        }
        let sheet = ListSheet::of(self.columns, std::mem::take(lines), self.file.to_owned())?;
        Ok(Some(ListResponse::Found(ListContent::Csv(sheet))))
    }
}

impl ListSheet {
    /// Builds a spreadsheet from items in memory. `columns` are JSON pointers without the first slash.
    ///
    /// # Errors
    /// 500 if the spreadsheet cannot be written.
    pub fn of_items<T: ToJSON + Type>(
        caller: &Caller,
        columns: &[&str],
        items: &[T],
        file: String,
    ) -> Result<Self, Problem> {
        Self::of(columns, lines_of(caller, columns, items), file)
    }

    fn of(columns: &[&str], lines: Vec<Vec<String>>, file: String) -> Result<Self, Problem> {
        let heads = columns.iter().map(|column| column.replace('/', "."));
        let heads = std::iter::once(heads.collect());
        let text =
            sheet::csv_text(heads.chain(lines)).map_err(|error| Problem::internal(&std::io::Error::other(error)))?;
        Ok(Self { text, file })
    }
}

/// Returns a line for each item. Values are masked for the API caller by the schema of the item's type.
fn lines_of<T: ToJSON + Type>(caller: &Caller, columns: &[&str], items: &[T]) -> Vec<Vec<String>> {
    let items = items.iter().filter_map(ToJSON::to_json);
    items
        .map(|item| line(columns, &masking::typed(caller, &T::name(), item)))
        .collect()
}

fn line(columns: &[&str], item: &Value) -> Vec<String> {
    let cell = |column: &&str| item.pointer(&format!("/{column}")).map(sheet::plain_cell);
    columns.iter().map(|column| cell(column).unwrap_or_default()).collect()
}

//! Declares the parameters of a list: a [`ListSpec`] has the list's sort orders and filters. The OpenAPI document
//! describes the parameters from the same spec.
//!
//! `query` parses the parameters of a request as the spec declares them, and rejects unknown parameters. [`Listing`]
//! has the parsed parameters, and builds the page of rows.

mod cursor;
mod filter_value;
mod listing;
mod query;

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, Condition};

pub use self::filter_value::FilterValue;
pub use self::listing::Listing;
pub use self::query::ListQuery;
use web::problem::Problem;

/// The default number of rows per page.
pub const DEFAULT_LIMIT: u64 = 50;
/// Maximum number of rows per page.
pub const MAX_LIMIT: u64 = 200;

/// Viewers may not use these filters, because the filtered values are masked for viewers. A viewer who could filter by
/// a number could guess it digit by digit. A test in `document::lists` names all other filters.
const MASKED_FILTERS: [&str; 4] = ["analysis", "customer_number", "from_number", "words"];

/// Whether a filter reveals values that are masked for viewers.
#[must_use]
pub fn is_masked(filter: &str) -> bool {
    MASKED_FILTERS.contains(&filter)
}

/// The sort orders and filters of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListSpec {
    /// The sort orders; the first is the default. A leading `-` means descending.
    pub sorts: &'static [&'static str],
    /// The filters.
    pub filters: &'static [Filter],
}

/// One filter of a list.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// The parameter's name.
    pub name: &'static str,
    /// The type of the parameter's value.
    pub kind: FilterType,
    /// The description of the filter in the OpenAPI document: which rows it selects.
    pub doc: &'static str,
}

/// The type of a filter's value.
#[derive(Debug, Clone, Copy)]
pub enum FilterType {
    /// Any text.
    Text,
    /// A text with at least this number of characters (two or more). Spaces at its ends do not count.
    TextFrom(usize),
    /// A phone number in any notation.
    PhoneNumber,
    /// One of these values.
    Choice(&'static [&'static str]),
    /// A UUID.
    Id,
    /// An instant (RFC 3339), or a day in the rulebook's time zone: `2026-11-28`, `today` or `yesterday`. A day means
    /// its beginning, or its end for a filter named `until`.
    Time,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// A JSON object.
    Object,
}

/// Builds a condition for a boolean column. The condition has no SQL parameter, because the query planner uses a
/// partial index only for a constant condition.
#[must_use]
pub fn flag(column: &str, is_set: bool) -> SimpleExpr {
    Expr::cust(if is_set {
        column.to_owned()
    } else {
        format!("NOT {column}")
    })
}

/// Builds a condition for a column in which almost all rows have the value `usual`. For any other value, the result
/// also contains the constant condition `column <> usual`. Without this constant, the query planner would not use the
/// partial index.
#[must_use]
pub fn is_value<C: ColumnTrait>(column: C, usual: &str, value: &str) -> Condition {
    let other = (value != usual).then(|| Expr::cust(format!("{} <> '{usual}'", column.as_str())));
    Condition::all().add(column.eq(value)).add_option(other)
}

/// Returns the 422 problem for a filter that has too many parts.
#[must_use]
pub fn too_large(name: &str) -> Problem {
    Problem::fault(name, "too_large", format!("`{name}` has too many parts."))
}

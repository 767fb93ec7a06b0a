//! Defines the responses to writes of rows. A write is live immediately, or it exceeds the guard rails and waits for
//! approval.

use poem_openapi::ApiResponse;
use poem_openapi::types::ToJSON;

use super::change_sets::dto::ChangeSetState;
use super::responses::Json;

/// The response to a `PUT` of a row.
#[derive(ApiResponse)]
#[expect(
    clippy::large_enum_variant,
    reason = "created once per response, and poem-openapi does not accept a `Box`"
)]
pub enum PutRow<T: ToJSON> {
    /// The row was replaced; the next call uses it.
    #[oai(status = 200)]
    Replaced(Json<T>, #[oai(header = "ETag")] String),
    /// The row is new; the next call uses it.
    #[oai(status = 201)]
    Created(Json<T>, #[oai(header = "ETag")] String),
    /// The change exceeds the guard rails and is not live. It waits as this change set until somebody else approves
    /// it.
    #[oai(status = 202)]
    Waits(
        Json<ChangeSetState>,
        #[oai(header = "Location")] String,
        #[oai(header = "ETag")] String,
    ),
}

/// The response after a row was created.
#[derive(ApiResponse)]
pub enum NewRow<T: ToJSON> {
    /// The row is new; the next call uses it.
    #[oai(status = 201)]
    Created(Json<T>, #[oai(header = "ETag")] String),
}

/// The response to a `PATCH` of a row.
#[derive(ApiResponse)]
#[expect(
    clippy::large_enum_variant,
    reason = "created once per response, and poem-openapi does not accept a `Box`"
)]
pub enum PatchedRow<T: ToJSON> {
    /// The row was changed; the next call uses it.
    #[oai(status = 200)]
    Changed(Json<T>, #[oai(header = "ETag")] String),
    /// The change exceeds the guard rails and is not live. It waits as this change set until somebody else approves
    /// it.
    #[oai(status = 202)]
    Waits(
        Json<ChangeSetState>,
        #[oai(header = "Location")] String,
        #[oai(header = "ETag")] String,
    ),
}

/// The response to a `DELETE` of a row.
#[derive(ApiResponse)]
#[expect(
    clippy::large_enum_variant,
    reason = "created once per response, and poem-openapi does not accept a `Box`"
)]
pub enum DeletedRow {
    /// The row is deleted.
    #[oai(status = 204)]
    Gone,
    /// The change exceeds the guard rails and is not live. It waits as this change set until somebody else approves
    /// it.
    #[oai(status = 202)]
    Waits(
        Json<ChangeSetState>,
        #[oai(header = "Location")] String,
        #[oai(header = "ETag")] String,
    ),
}

//! Defines the responses that are not JSON: text, and a revision's files as a tar archive.
//!
//! A tar archive needs no temporary file (`curl … | tar x`), and rules are too small to be worth compressing.

use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

use base::telemetry::scrub;
use rules::files;
use rules::rows::RowSet;
use web::accept;

/// A text response.
pub struct Text(pub String);

impl Payload for Text {
    const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

/// An archive of files.
pub struct Tar(pub Vec<u8>);

impl Payload for Tar {
    const CONTENT_TYPE: &'static str = "application/x-tar";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
    }
}

impl IntoResponse for Tar {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

/// Whether the client prefers text to JSON.
pub struct WantsText(pub bool);

impl<'a> FromRequest<'a> for WantsText {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let wanted = accept::wanted(request, &["application/json", "text/plain"]);
        Ok(Self(wanted == Some("text/plain")))
    }
}

/// Writes the files of the rows to an archive, in a folder with this name. `hide` masks phone numbers. The same rows
/// give the same bytes, because the archive has no time and no owner.
///
/// # Errors
/// Returns an error if a name does not fit into an archive.
pub fn archive(rows: &RowSet, folder: &str, hide: bool) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files::write(rows) {
        let text = if hide { scrub(&text) } else { text };
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        archive.append_data(&mut header, format!("{folder}/{name}"), text.as_bytes())?;
    }
    archive.into_inner()
}

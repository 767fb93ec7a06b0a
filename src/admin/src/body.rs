//! Reads request bodies. This module limits the size of bodies, parses them strictly, and reports each validation error
//! with its JSON pointer.
//!
//! [`strict`] parses the JSON, [`validate`] validates it against the operation's schema in the OpenAPI document, and
//! [`messages`] writes the message of each error. Unknown fields are rejected, so that a typo is never ignored. A
//! rejected body gets the status 400, 408, 413 or 415.

mod amounts;
mod messages;
mod strict;
pub(super) mod validate;

use poem::{Request, RequestBody, Result};
use poem_openapi::impl_apirequest_for_payload;
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use rules::fault::escaped;
use web::body::read_body;
use web::problem::{FieldFault, Problem};

/// Maximum size of a body in bytes.
pub const LIMIT: usize = 1024 * 1024;

/// A JSON body of the type `T`.
pub struct Body<T>(pub T);

/// The bytes of a rule row. `R` only selects the row's schema in the OpenAPI document; one handler serves all kinds of
/// rows.
pub struct RowBody<R> {
    bytes: Vec<u8>,
    kind: std::marker::PhantomData<fn() -> R>,
}

impl<R> RowBody<R> {
    /// Returns the row as the client sent it, and the version in the body, if there is one. The caller of this function
    /// must compare the row's code with the path.
    ///
    /// # Errors 400 with every violation of the schema that `schema` names.
    pub fn read(&self, schema: &str) -> Result<(Value, Option<i64>), Problem> {
        let (row, version) = versioned(&self.bytes, schema)?;
        Ok((Value::Object(row), version))
    }
}

/// The bytes of a JSON merge patch (RFC 7396) of a rule row.
pub struct RowPatch<R> {
    bytes: Vec<u8>,
    kind: std::marker::PhantomData<fn() -> R>,
}

impl<R> RowPatch<R> {
    /// Returns the fields to change, and the version in the body, if there is one. A field whose value is null is
    /// removed from the row.
    ///
    /// # Errors
    /// 400 with every violation of the patch schema. `schema` is the name of the row's schema.
    pub fn read(&self, schema: &str) -> Result<(Object, Option<i64>), Problem> {
        versioned(&self.bytes, &patch_of(schema))
    }
}

type Object = serde_json::Map<String, Value>;

fn versioned(bytes: &[u8], schema: &str) -> Result<(Object, Option<i64>), Problem> {
    let mut object = object(value(bytes, schema)?)?;
    let version = take_version(&mut object)?;
    Ok((object, version))
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.eq_ignore_ascii_case("application/merge-patch+json")
}

/// Reads the bytes of a body, at most [`LIMIT`].
pub(super) async fn bytes(request: &Request, body: &mut RequestBody) -> Result<Vec<u8>> {
    let read = read_body(request, body.take()?, LIMIT).await?;
    Ok(read.bytes)
}

/// Parses the body and validates it against this schema.
fn value(bytes: &[u8], schema: &str) -> Result<Value, Problem> {
    if bytes.is_empty() {
        return Err(fault(
            "",
            "missing_body",
            "This operation needs a JSON body.".to_owned(),
        ));
    }
    let (mut value, mut faults) = strict::read(bytes).map_err(|fault| Problem::invalid_body(vec![fault]))?;
    amounts::as_text(schema, &mut value, bytes);
    faults.extend(validate::faults(schema, &value)?);
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(Problem::invalid_body(faults))
    }
}

/// Returns the name of the patch schema of a row's schema.
fn patch_of(schema: &str) -> String {
    format!("{schema}Patch")
}

fn fault(pointer: &str, code: &str, detail: String) -> Problem {
    Problem::invalid_body(vec![FieldFault::new(pointer, code, detail)])
}

/// Deserializes a value.
///
/// # Errors A validation error with its JSON pointer, if the value does not fit the type.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
                Segment::Enum { variant } => pointer.push_str(&format!("/{}", escaped(variant))),
                Segment::Unknown => {}
            }
        }
        let text = error.inner().to_string();
        // serde's messages about unknown and missing fields have the field's name in backticks.
        let named = text.split('`').nth(1).map(escaped);
        let (code, pointer) = match named {
            Some(field) if text.starts_with("unknown field") => {
                // Sometimes the path already ends in the field's name.
                (
                    "unknown_field",
                    if pointer.ends_with(&format!("/{field}")) {
                        pointer
                    } else {
                        format!("{pointer}/{field}")
                    },
                )
            }
            Some(field) if text.starts_with("missing field") => ("missing_field", format!("{pointer}/{field}")),
            _ => ("invalid_value", pointer),
        };
        Problem::fault(pointer, code, format!("{}.", shortened(&text)))
    })
}

/// Returns only the beginning of serde's message, because the message may repeat what the client sent.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn object(value: Value) -> Result<serde_json::Map<String, Value>, Problem> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(fault("", "invalid_value", "The body must be a JSON object.".to_owned())),
    }
}

pub(super) fn take_version(object: &mut serde_json::Map<String, Value>) -> Result<Option<i64>, Problem> {
    match object.remove("version") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.as_i64().is_some_and(|version| version >= 0) => Ok(number.as_i64()),
        Some(_) => {
            let detail = "`version` must be the number that you read with the row.".to_owned();
            Err(Problem::fault("/version", "invalid_value", detail))
        }
    }
}

impl<T: Type> Payload for Body<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: DeserializeOwned + Type> ParsePayload for Body<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = bytes(request, body).await?;
        Ok(Self(read(value(&bytes, &T::name())?)?))
    }
}

impl_apirequest_for_payload!(Body<T>, T: DeserializeOwned + Type);

impl<R: Type> Payload for RowBody<R> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        R::schema_ref()
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }
}

impl<R: Type> ParsePayload for RowBody<R> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        Ok(Self {
            bytes: bytes(request, body).await?,
            kind: std::marker::PhantomData,
        })
    }
}

impl_apirequest_for_payload!(RowBody<R>, R: Type);

impl<R: Type> Payload for RowPatch<R> {
    const CONTENT_TYPE: &'static str = "application/merge-patch+json";

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(patch_of(&R::name()))
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
        // This is a placeholder: the OpenAPI document derives the patch schema from the row's schema.
        registry.create_schema::<Self, _>(patch_of(&R::name()), |_| MetaSchema::new("object"));
    }
}

impl<R: Type> ParsePayload for RowPatch<R> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        Ok(Self {
            bytes: bytes(request, body).await?,
            kind: std::marker::PhantomData,
        })
    }
}

impl_apirequest_for_payload!(RowPatch<R>, R: Type);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use rules::rows::{Calendar, Service};

    fn first(problem: &Problem) -> (String, String) {
        (problem.errors()[0].pointer.clone(), problem.errors()[0].code.clone())
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let service = |extra: Value| {
            let mut row = json!({"code": "a", "names": {}, "keywords": [], "rank": 1, "offer": "offered"});
            json_patch::merge(&mut row, &extra);
            read::<Service>(row).map(|_| ()).unwrap_err()
        };
        assert_eq!(
            first(&service(json!({"prize_from": "1"}))),
            ("/prize_from".into(), "unknown_field".into())
        );
        assert_eq!(
            first(&service(json!({"price_from": 1.5}))),
            ("/price_from".into(), "invalid_value".into())
        );
        assert_eq!(
            first(&service(json!({"keywords": ["a", 2]}))),
            ("/keywords/1".into(), "invalid_value".into())
        );
        assert_eq!(
            first(&service(json!({"names": {"f/r": 2}}))),
            ("/names/f~1r".into(), "invalid_value".into())
        );
        assert_eq!(
            first(&service(json!({"rank": null}))),
            ("/rank".into(), "missing_field".into())
        );
        let calendar = json!({"code": "c", "open": {}, "evening_from": "18:00", "evening_until": "22:00", "weekend": [],
            "holidays": [{"date": "2026-01-01", "name": "x", "nom": "y"}]});
        assert_eq!(
            first(&read::<Calendar>(calendar).unwrap_err()),
            ("/holidays/0/nom".into(), "unknown_field".into())
        );
    }
}

//! Defines response types: JSON with a media type that generated clients understand, rows with their version, and
//! pages.

use std::borrow::Cow;

use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use serde_json::Value;

use rules::rows::{Row, StoredRow};

/// A JSON response.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ToJSON> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("application/json")
            .body(self.0.to_json_string())
    }
}

/// A resource that was read.
#[derive(ApiResponse)]
pub enum ReadResponse<T: ToJSON> {
    /// OK.
    #[oai(status = 200)]
    Found(Json<T>),
}

impl<T: ToJSON> ReadResponse<T> {
    pub const fn new(thing: T) -> Self {
        Self::Found(Json(thing))
    }
}

/// A stored row with its version in the body and as its ETag.
#[derive(ApiResponse)]
pub enum FoundRow<T: ToJSON> {
    /// The row and its version.
    #[oai(status = 200)]
    Found(Json<T>, #[oai(header = "ETag")] String),
}

/// The response to a `DELETE`.
#[derive(ApiResponse)]
pub enum DeleteResponse {
    /// The request succeeded.
    #[oai(status = 204)]
    Gone,
}

/// Returns the ETag of a version.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// A row and its version, as one JSON object. The value is untyped JSON; `R` only selects the schema in the OpenAPI
/// document.
#[derive(Debug)]
pub struct RowWithVersion<R>(Value, std::marker::PhantomData<fn() -> R>);

impl<R: Row> RowWithVersion<R> {
    #[must_use]
    pub fn of(stored: &StoredRow<R>) -> Self {
        // A row is an object of strings, numbers and lists, which always serializes.
        Self::new(serde_json::to_value(&stored.row).unwrap_or_default(), stored.version)
    }
}

impl<R> RowWithVersion<R> {
    #[must_use]
    pub fn new(row: Value, version: i64) -> Self {
        Self(row, std::marker::PhantomData).with("version", version.into())
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        if let Value::Object(object) = &mut self.0 {
            object.insert(name.to_owned(), value);
        }
        self
    }

    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

impl<R: Type> Type for RowWithVersion<R> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        R::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        R::schema_ref()
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<R: Type> ToJSON for RowWithVersion<R> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T: Type> Type for Page<T> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(Self::name().into_owned())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        registry.create_schema::<Self, _>(Self::name().into_owned(), |_| MetaSchema {
            description: Some("A page of a list."),
            required: vec!["items"],
            properties: vec![
                (
                    "items",
                    MetaSchemaRef::Inline(Box::new(MetaSchema {
                        items: Some(Box::new(T::schema_ref())),
                        ..MetaSchema::new("array")
                    })),
                ),
                (
                    "next_cursor",
                    MetaSchemaRef::Inline(Box::new(MetaSchema {
                        description: Some("Send it as `cursor` for the next page; absent on the last page."),
                        ..MetaSchema::new("string")
                    })),
                ),
            ],
            ..MetaSchema::new("object")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<T: ToJSON> ToJSON for Page<T> {
    fn to_json(&self) -> Option<Value> {
        let mut page = serde_json::Map::new();
        page.insert(
            "items".to_owned(),
            self.items.iter().filter_map(ToJSON::to_json).collect(),
        );
        if let Some(cursor) = &self.next_cursor {
            page.insert("next_cursor".to_owned(), cursor.clone().into());
        }
        Some(Value::Object(page))
    }
}

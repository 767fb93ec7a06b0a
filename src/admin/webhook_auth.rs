//! How a rulebook's webhook verifies who is calling: the schemes that are accepted and how old a message may be.
//!
//! In: requests of administrators. Out: the settings, each default spelt out, with their version. What they mean is the
//! webhook's to say: it reads them for us, because `admin` and `webhook` do not know each other.

use std::borrow::Cow;

use poem_openapi::param::Header;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::EntityTrait;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{FoundRow, Json, etag};
use super::audited;
use super::auth::{Admin, Key};
use super::body::Body;
use super::fails::{AuthWrite, Fails, Usual};
use super::state::{AdminState, InRulebook};
use super::versions::{Precondition, expected, stale};
use crate::problem::Problem;
use crate::store::rulebooks;

/// The operations.
pub struct WebhookAuthApi(pub AdminState);

/// How webhooks are verified.
#[derive(Debug, Object)]
#[oai(rename = "WebhookAuth")]
pub struct Shape {
    /// Any one of these lets a message in.
    #[oai(validator(min_items = 1, max_items = 10))]
    schemes: Vec<WebhookScheme>,
    /// How far a signed timestamp may lie from now, in the past or in the future.
    #[oai(
        default = "usual_window_s",
        validator(minimum(value = "1"), maximum(value = "86400"))
    )]
    replay_window_s: u32,
    /// Rises with every change of these settings or of a webhook secret. Bring it when you change them.
    version: Option<i64>,
}

/// Vapi's own.
const fn usual_window_s() -> u32 {
    300
}

/// One way in. Which fields it takes depends on its `type`; each that is left out has Vapi's default.
#[derive(Debug, Object)]
pub struct WebhookScheme {
    /// How the message is proven.
    #[oai(rename = "type")]
    kind: SchemeKind,
    /// `hmac`: the hash.
    algorithm: Option<Algorithm>,
    /// `hmac`: the header with the signature.
    signature_header: Option<String>,
    /// `hmac`: the header with the timestamp.
    timestamp_header: Option<String>,
    /// `hmac`: whether a timestamp is sent and signed; without one a message can be sent again by whoever saw it.
    include_timestamp: Option<bool>,
    /// `hmac`: what is signed; `{body}` must be in it.
    payload_format: Option<String>,
    /// `hmac`: the header that fills `{svix-id}`.
    message_id_header: Option<String>,
    /// `hmac`: what stands before the signature.
    signature_prefix: Option<String>,
    /// `hmac`: how the signature is written.
    signature_encoding: Option<Encoding>,
    /// `hmac`: whether the secret is base64 for the key's bytes.
    secret_is_base64: Option<bool>,
    /// `bearer`: the header with the secret.
    header: Option<String>,
    /// `bearer`: whether the word `Bearer` stands before it.
    prefix: Option<bool>,
}

/// How a message is proven.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum SchemeKind {
    /// A keyed hash over body and timestamp.
    Hmac,
    /// The secret as a bearer token.
    Bearer,
    /// The secret in `X-Vapi-Secret`.
    XVapiSecret,
    /// A keyed hash of the body in `x-vapi-signature`.
    XVapiSignature,
}

/// The hash under a signature.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase", rename = "WebhookAlgorithm")]
pub enum Algorithm {
    /// The usual one.
    Sha256,
    /// The longer one.
    Sha512,
    /// The old one.
    Sha1,
}

/// How a signature is written.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase", rename = "WebhookEncoding")]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Standard base64.
    Base64,
}

/// The settings as JSON, told as [`Shape`] in the document.
#[derive(Debug)]
pub struct WebhookAuth(Value);

impl<'de> Deserialize<'de> for WebhookAuth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl Type for WebhookAuth {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Shape::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        Shape::schema_ref()
    }

    fn register(registry: &mut Registry) {
        Shape::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for WebhookAuth {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/webhook-auth")]
impl WebhookAuthApi {
    /// Read how a rulebook's webhook verifies
    #[oai(path = "/", method = "get")]
    async fn get_webhook_auth(
        &self,
        key: Key<Admin>,
        rulebook: InRulebook,
    ) -> Result<FoundRow<WebhookAuth>, Fails<Usual>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.row(rulebook_id).await?;
        Ok(answer(
            (self.0.from_webhook.read_auth)(row.webhook_auth)?,
            row.auth_version,
        ))
    }

    /// Replace how a rulebook's webhook verifies
    ///
    /// Bring the `version` that was read. The very next message is verified like this: leave a scheme in until Vapi no
    /// longer uses it.
    #[oai(path = "/", method = "put")]
    async fn put_webhook_auth(
        &self,
        key: Key<Admin>,
        rulebook: InRulebook,
        /// The ETag of the settings that were read, when their version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<WebhookAuth>,
    ) -> Result<FoundRow<WebhookAuth>, Fails<AuthWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (auth, version) = taken_apart(body.0.0)?;
        let auth = (self.0.from_webhook.read_auth)(auth)?;
        let row = self.row(rulebook_id).await?;
        let said = Precondition {
            body: version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`webhook-auth` of rulebook `{}`", row.code);
        expected(&said, Some(row.auth_version), &what)?;
        let entry = audited::entry(
            &self.0,
            &key,
            Some(row.id),
            ("update", "webhook-auth", &row.code),
            Some(row.webhook_auth),
            Some(auth.clone()),
        );
        let (new, version) = (auth.clone(), row.auth_version);
        let set = audited::write(&self.0, entry, move |tx| {
            Box::pin(async move { rulebooks::set_webhook_auth(tx, row.id, version, new).await })
        });
        if set.await? {
            return Ok(answer(auth, version + 1));
        }
        let now = self.row(rulebook_id).await?.auth_version;
        Err(stale(&what, version, Some(now)).into())
    }
}

impl WebhookAuthApi {
    async fn row(&self, rulebook_id: Uuid) -> Result<rulebooks::Model, Problem> {
        let found = rulebooks::Entity::find_by_id(rulebook_id).one(self.0.latest()).await?;
        found.ok_or_else(|| Problem::not_found("such rulebook"))
    }
}

/// The settings and the version that came with them.
fn taken_apart(body: Value) -> Result<(Value, Option<i64>), Problem> {
    let Value::Object(mut body) = body else {
        return Err(Problem::fault("", "invalid_value", "The body must be a JSON object."));
    };
    let version = super::body::take_version(&mut body)?;
    // The webhook has a default for it; whoever replaces the settings says what is accepted.
    if !body.contains_key("schemes") {
        return Err(Problem::fault("/schemes", "missing_field", "missing field `schemes`."));
    }
    Ok((Value::Object(body), version))
}

fn answer(mut auth: Value, version: i64) -> FoundRow<WebhookAuth> {
    if let Value::Object(auth) = &mut auth {
        auth.insert("version".to_owned(), version.into());
    }
    FoundRow::Found(Json(WebhookAuth(auth)), etag(version))
}

//! Reads and changes how a rulebook's webhook authenticates Vapi: accepted schemes and replay window.
//!
//! The crate `intake` passes in the function that validates the settings, because `admin` must not depend on that
//! crate.

use std::borrow::Cow;

use poem_openapi::param::Header;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{Enum, Object, OpenApi};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::audited_write;
use super::auth::{Admin, Key};
use super::body::Body;
use super::errors::{AuthWrite, Fails, NoExtraErrors};
use super::responses::{FoundRow, Json, etag};
use super::state::{AdminState, RulebookInPath};
use super::versions::{Precondition, expected, stale};
use store::rulebooks;
use web::problem::Problem;

pub struct WebhookAuthApi(pub AdminState);

/// How webhooks are verified.
#[derive(Debug, Object)]
#[oai(rename = "WebhookAuth")]
pub struct WebhookVerification {
    /// The accepted schemes; a message must satisfy one of them.
    #[oai(validator(min_items = 1, max_items = 10))]
    schemes: Vec<WebhookScheme>,
    /// How many seconds a signed timestamp may differ from now, in either direction.
    #[oai(
        default = "usual_window_s",
        validator(minimum(value = "1"), maximum(value = "86400"))
    )]
    replay_window_s: u32,
    /// The version rises with every change of these settings or of a webhook secret. Send it with a change.
    version: Option<i64>,
}

/// Vapi's default replay window, in seconds.
const fn usual_window_s() -> u32 {
    300
}

/// An authentication scheme. Fields depend on the `type`; omitted fields have Vapi's defaults.
#[derive(Debug, Object)]
pub struct WebhookScheme {
    /// The kind of scheme.
    #[oai(rename = "type")]
    kind: SchemeKind,
    /// `hmac`: the hash.
    algorithm: Option<Algorithm>,
    /// `hmac`: the header with the signature.
    signature_header: Option<String>,
    /// `hmac`: the header with the timestamp.
    timestamp_header: Option<String>,
    /// `hmac`: whether a timestamp is sent and signed; without one, an attacker can replay a recorded message.
    include_timestamp: Option<bool>,
    /// `hmac`: what is signed. It must contain `{body}`, and between two tokens a character other than a letter or
    /// digit.
    payload_format: Option<String>,
    /// `hmac`: the header that fills `{svix-id}`.
    message_id_header: Option<String>,
    /// `hmac`: the prefix of the signature.
    signature_prefix: Option<String>,
    /// `hmac`: the encoding of the signature.
    signature_encoding: Option<Encoding>,
    /// `hmac`: whether the secret is the base64 form of the key's bytes.
    secret_is_base64: Option<bool>,
    /// `bearer`: the header with the secret.
    header: Option<String>,
    /// `bearer`: whether the value begins with `Bearer`.
    prefix: Option<bool>,
}

/// The kind of an authentication scheme.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum SchemeKind {
    /// An HMAC over timestamp and body.
    Hmac,
    /// The secret as a bearer token.
    Bearer,
    /// The secret in `X-Vapi-Secret`.
    XVapiSecret,
    /// An HMAC over the body, in `x-vapi-signature`.
    XVapiSignature,
}

/// The HMAC's hash function.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase", rename = "WebhookAlgorithm")]
pub enum Algorithm {
    /// SHA-256, the default.
    Sha256,
    /// SHA-512, which is longer.
    Sha512,
    /// SHA-1, for compatibility.
    Sha1,
}

/// The encoding of a signature.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase", rename = "WebhookEncoding")]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Standard base64.
    Base64,
}

/// The settings as JSON, documented as [`WebhookVerification`].
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
        WebhookVerification::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        WebhookVerification::schema_ref()
    }

    fn register(registry: &mut Registry) {
        WebhookVerification::register(registry);
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
    /// Read how a rulebook's webhook authenticates Vapi
    #[oai(path = "/", method = "get")]
    async fn get_webhook_auth(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<WebhookAuth>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        Ok(answer(
            (self.0.from_webhook.read_auth)(row.webhook_auth)?,
            row.auth_version,
        ))
    }

    /// Replace how a rulebook's webhook authenticates Vapi
    ///
    /// Send the `version` that you read. The new settings apply from the next message on: remove a scheme only after
    /// Vapi has stopped using it.
    #[oai(path = "/", method = "put")]
    async fn put_webhook_auth(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The ETag of the settings that you read, if their version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<WebhookAuth>,
    ) -> Result<FoundRow<WebhookAuth>, Fails<AuthWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (auth, version) = taken_apart(body.0.0)?;
        let auth = (self.0.from_webhook.read_auth)(auth)?;
        let row = self.0.rulebook_row(rulebook_id).await?;
        let said = Precondition {
            body: version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`webhook-auth` of rulebook `{}`", row.code);
        expected(&said, Some(row.auth_version), &what)?;
        let entry = audited_write::entry(
            &self.0,
            &key,
            Some(row.id),
            ("update", "webhook-auth", &row.code),
            Some(row.webhook_auth),
            Some(auth.clone()),
        );
        let (new, version) = (auth.clone(), row.auth_version);
        let set = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { rulebooks::set_webhook_auth(tx, row.id, version, new).await })
        });
        if set.await? {
            return Ok(answer(auth, version + 1));
        }
        let now = self.0.rulebook_row(rulebook_id).await?.auth_version;
        Err(stale(&what, version, Some(now)).into())
    }
}

/// Splits a body into the settings and their version.
fn taken_apart(body: Value) -> Result<(Value, Option<i64>), Problem> {
    let Value::Object(mut body) = body else {
        return Err(Problem::fault("", "invalid_value", "The body must be a JSON object."));
    };
    let version = super::body::take_version(&mut body)?;
    // A missing `schemes` would mean the default, so a client that replaces the settings must send `schemes`.
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

//! Vapi's authentication schemes, in the format of a rulebook's `webhook_auth` settings.
//!
//! Names and defaults equal those of Vapi's own server credentials, in `snake_case`.

use serde::{Deserialize, Serialize};

/// Vapi's default payload for signatures.
pub const DEFAULT_PAYLOAD_FORMAT: &str = "{timestamp}.{body}";

/// The header of [`Scheme::XVapiSignature`].
pub const X_VAPI_SIGNATURE: &str = "x-vapi-signature";

/// Which schemes a rulebook accepts and how old a signed message may be.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookAuth {
    /// The accepted schemes. A message must pass at least one scheme.
    pub schemes: Vec<Scheme>,
    /// Maximum difference between a signed timestamp and the current time, in seconds. The timestamp may be in the past
    /// or in the future.
    pub replay_window_s: u32,
}

/// One authentication scheme.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// HMAC over a configurable payload.
    Hmac(HmacSettings),
    /// The secret itself in a header. Vapi sends an `OAuth2` token in the same way.
    Bearer(BearerSettings),
    /// The secret without a prefix in the legacy header `X-Vapi-Secret`.
    XVapiSecret {},
    /// The header `x-vapi-signature`: hex HMAC-SHA256 of the body, with or without `sha256=`.
    XVapiSignature {},
}

/// Vapi's HMAC settings, each with Vapi's own default.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct HmacSettings {
    /// The hash function of the HMAC.
    pub algorithm: Algorithm,
    /// The name of the header with the signature.
    pub signature_header: String,
    /// The name of the header with the timestamp.
    pub timestamp_header: String,
    /// Whether a timestamp is sent and signed. Without a timestamp, there is no replay protection.
    pub include_timestamp: bool,
    /// The signed text, with the tokens `{body}`, `{timestamp}`, `{method}`, `{url}` and `{svix-id}`; any other text is
    /// literal.
    pub payload_format: String,
    /// The name of the header whose value replaces `{svix-id}`. `None` means the header `svix-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id_header: Option<String>,
    /// The prefix of the signature in its header, such as `sha256=`.
    pub signature_prefix: String,
    /// The encoding of the signature.
    pub signature_encoding: Encoding,
    /// Whether the secret is a base64-encoded key.
    pub secret_is_base64: bool,
}

/// Vapi's bearer settings.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct BearerSettings {
    /// The name of the header with the secret.
    pub header: String,
    /// Whether the header has the prefix `Bearer`.
    pub prefix: bool,
}

/// The hash function of an HMAC.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Vapi's default.
    #[default]
    Sha256,
    Sha512,
    /// For receivers that do not support SHA-2.
    Sha1,
}

/// The encoding of a signature in its header.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits, in upper or lower case.
    #[default]
    Hex,
    /// Standard base64, with or without padding.
    Base64,
}

impl Algorithm {
    /// Length of a signature, in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Sha1 => 20,
        }
    }
}

impl Scheme {
    /// The scheme's name in settings, logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "hmac",
            Self::Bearer(_) => "bearer",
            Self::XVapiSecret {} => "x_vapi_secret",
            Self::XVapiSignature {} => "x_vapi_signature",
        }
    }
}

impl HmacSettings {
    /// The format that is used. Without a timestamp, Vapi's default format stands for the body alone.
    #[must_use]
    pub fn effective_format(&self) -> &str {
        if !self.include_timestamp && self.payload_format == DEFAULT_PAYLOAD_FORMAT {
            "{body}"
        } else {
            &self.payload_format
        }
    }

    /// Whether a message must have a timestamp: `include_timestamp` is true, or the format contains `{timestamp}`.
    #[must_use]
    pub fn needs_timestamp(&self) -> bool {
        self.include_timestamp || self.effective_format().contains("{timestamp}")
    }

    /// The name of the header whose value replaces `{svix-id}`.
    #[must_use]
    pub fn id_header(&self) -> &str {
        self.message_id_header.as_deref().unwrap_or("svix-id")
    }
}

impl Default for WebhookAuth {
    fn default() -> Self {
        Self {
            schemes: vec![
                Scheme::Hmac(HmacSettings::default()),
                Scheme::Bearer(BearerSettings::default()),
                Scheme::XVapiSecret {},
                Scheme::XVapiSignature {},
            ],
            replay_window_s: 300,
        }
    }
}

impl Default for HmacSettings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            signature_header: "x-signature".to_owned(),
            timestamp_header: "x-timestamp".to_owned(),
            include_timestamp: true,
            payload_format: DEFAULT_PAYLOAD_FORMAT.to_owned(),
            message_id_header: None,
            signature_prefix: String::new(),
            signature_encoding: Encoding::Hex,
            secret_is_base64: false,
        }
    }
}

impl Default for BearerSettings {
    fn default() -> Self {
        Self {
            header: "authorization".to_owned(),
            prefix: true,
        }
    }
}

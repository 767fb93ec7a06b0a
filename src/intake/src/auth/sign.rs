//! Computes the signature of a message under HMAC settings and a secret.
//!
//! Only this module builds the signed payload. `verify` uses this module to check signatures. Tests and `simulate` use
//! it to sign messages.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::scheme::{Algorithm, Encoding, HmacSettings, Scheme};
use super::secret::Secret;

/// Base64 with or without padding, because senders differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parts of a request that a payload format may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payload<'a> {
    /// The HTTP method, for example `POST`.
    pub method: &'a str,
    pub url: &'a str,
    /// The value of the timestamp header.
    pub timestamp: &'a str,
    /// The value of the message-id header.
    pub message_id: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// The message cannot be signed: the secret is not a valid key under these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty, or is not base64 although `secret_is_base64` is true")]
pub struct UnusableSecret;

/// Returns the headers that authenticate a message under `scheme`, as Vapi would send them at the time `at`.
///
/// # Errors
/// If the secret is not a valid key under the scheme's settings.
pub fn sign(
    scheme: &Scheme,
    secret: &Secret,
    payload: Payload<'_>,
    at: DateTime<Utc>,
) -> Result<Vec<(String, String)>, UnusableSecret> {
    let plain = || String::from_utf8(secret.bytes().to_vec()).map_err(|_| UnusableSecret);
    match scheme {
        Scheme::Bearer(settings) => {
            let prefix = if settings.prefix { "Bearer " } else { "" };
            Ok(vec![(settings.header.clone(), format!("{prefix}{}", plain()?))])
        }
        Scheme::XVapiSecret {} => Ok(vec![("x-vapi-secret".to_owned(), plain()?)]),
        Scheme::XVapiSignature {} => {
            let mac = hmac(Signing::X_VAPI_SIGNATURE, secret, payload).ok_or(UnusableSecret)?;
            Ok(vec![("x-vapi-signature".to_owned(), hex::encode(mac))])
        }
        Scheme::Hmac(settings) => sign_hmac(settings, secret, payload, at),
    }
}

fn sign_hmac(
    settings: &HmacSettings,
    secret: &Secret,
    payload: Payload<'_>,
    at: DateTime<Utc>,
) -> Result<Vec<(String, String)>, UnusableSecret> {
    let timestamp = if payload.timestamp.is_empty() {
        at.timestamp().to_string()
    } else {
        payload.timestamp.to_owned()
    };
    let payload = Payload {
        timestamp: &timestamp,
        ..payload
    };
    let mac = hmac(Signing::of(settings), secret, payload).ok_or(UnusableSecret)?;
    let text = match settings.signature_encoding {
        Encoding::Hex => hex::encode(mac),
        Encoding::Base64 => BASE64.encode(mac),
    };
    let mut headers = vec![(
        settings.signature_header.clone(),
        format!("{}{text}", settings.signature_prefix),
    )];
    if settings.needs_timestamp() {
        headers.push((settings.timestamp_header.clone(), timestamp.clone()));
    }
    if !payload.message_id.is_empty() {
        headers.push((settings.id_header().to_owned(), payload.message_id.to_owned()));
    }
    Ok(headers)
}

/// The parameters of a signature. Schemes with equal parameters give the same signature for the same message and
/// secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signing<'a> {
    pub algorithm: Algorithm,
    format: &'a str,
    secret_is_base64: bool,
}

impl<'a> Signing<'a> {
    /// `x-vapi-signature` signs the body alone.
    pub const X_VAPI_SIGNATURE: Signing<'static> = Signing {
        algorithm: Algorithm::Sha256,
        format: "{body}",
        secret_is_base64: false,
    };

    /// Takes the signing parameters from the settings.
    pub fn of(settings: &'a HmacSettings) -> Self {
        Self {
            algorithm: settings.algorithm,
            format: settings.effective_format(),
            secret_is_base64: settings.secret_is_base64,
        }
    }
}

/// Computes the HMAC of the configured payload. Returns `None` if the secret is not a valid key under these settings.
pub(crate) fn hmac(signing: Signing<'_>, secret: &Secret, payload: Payload<'_>) -> Option<Vec<u8>> {
    let parts = parts(signing.format, payload);
    if signing.secret_is_base64 {
        let key = BASE64.decode(secret.bytes()).ok()?;
        mac(signing.algorithm, &key, &parts)
    } else {
        mac(signing.algorithm, secret.bytes(), &parts)
    }
}

/// Decodes a signature from its header.
pub(crate) fn decode_signature(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64.decode(text).ok(),
    }
}

/// Computes the HMAC of the concatenated `parts`. Returns `None` for an empty key, because anyone could guess it.
fn mac(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    if key.is_empty() {
        return None;
    }
    match algorithm {
        Algorithm::Sha256 => run::<Hmac<Sha256>>(key, parts),
        Algorithm::Sha512 => run::<Hmac<Sha512>>(key, parts),
        Algorithm::Sha1 => run::<Hmac<Sha1>>(key, parts),
    }
}

fn run<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().to_vec())
}

const TOKENS: [&str; 5] = ["{body}", "{timestamp}", "{method}", "{url}", "{svix-id}"];

/// Whether two tokens of a format are adjacent, or only letters and digits separate them. Such a format makes the
/// signed payload ambiguous.
pub(crate) fn tokens_touch(format: &str) -> bool {
    let found = TOKENS.iter().flat_map(|token| format.match_indices(token));
    let mut spans: Vec<_> = found.map(|(at, token)| (at, at + token.len())).collect();
    spans.sort_unstable();
    spans.windows(2).any(|pair| {
        let between = format.get(pair[0].1..pair[1].0).unwrap_or("");
        between.chars().all(char::is_alphanumeric)
    })
}

/// Splits the format at its tokens, so that a body of any size is hashed without a copy.
fn parts<'a>(format: &'a str, payload: Payload<'a>) -> Vec<&'a [u8]> {
    let values: [&'a [u8]; 5] = [
        payload.body,
        payload.timestamp.as_bytes(),
        payload.method.as_bytes(),
        payload.url.as_bytes(),
        payload.message_id.as_bytes(),
    ];
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(open) = rest.find('{') {
        let (literal, from) = rest.split_at(open);
        parts.push(literal.as_bytes());
        if let Some((token, value)) = TOKENS.iter().zip(values).find(|(token, _)| from.starts_with(**token)) {
            parts.push(value);
            rest = from.get(token.len()..).unwrap_or("");
        } else {
            parts.push(b"{".as_slice());
            rest = from.get(1..).unwrap_or("");
        }
    }
    parts.push(rest.as_bytes());
    parts
}

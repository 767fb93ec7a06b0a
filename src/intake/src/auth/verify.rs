//! Authenticates a request by its rulebook's schemes and active secrets: returns the secret and scheme that matched, or
//! the reason for the refusal.
//!
//! Pure: no clock, no network, no database. Several secrets are active during a rotation. Comparisons take constant
//! time. A [`Refusal`] is only for the log: the client never learns the reason.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::scheme::X_VAPI_SIGNATURE;
pub use super::scheme::{Algorithm, BearerSettings, Encoding, HmacSettings, Scheme, WebhookAuth};
pub use super::secret::Secret;
pub use super::sign::{Payload, UnusableSecret, sign};
use super::sign::{Signing, decode_signature, hmac};

/// A request as received, before anything is parsed.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The HTTP method, for example `POST`.
    pub method: &'a str,
    /// The full URL that the sender used: the public URL with path and query.
    pub url: &'a str,
    pub headers: &'a HeaderMap,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Which secret and which scheme authenticated a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The id of the secret that matched.
    pub secret_id: String,
    /// The name of the scheme that matched.
    pub scheme: &'static str,
}

/// Why a message is refused, for the log and the metrics. The reason contains no secret and no message content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no rulebook has this name")]
    NoRulebook,
    /// The rulebook has no usable secret.
    #[error("no webhook secret is configured")]
    NoSecretConfigured,
    /// The rulebook accepts no scheme at all.
    #[error("no webhook scheme is configured")]
    NoSchemeConfigured,
    /// No header of an accepted scheme is present.
    #[error("the message has no signature and no secret")]
    NoCredentials,
    /// The timestamp of a signature is missing.
    #[error("header {header} with the timestamp is missing")]
    NoTimestamp {
        /// Name of the configured header.
        header: String,
    },
    /// A header contains bytes outside ASCII.
    #[error("header {header} is not ASCII")]
    NotAscii {
        /// Name of the configured header.
        header: String,
    },
    /// A header is duplicated, so its value is ambiguous.
    #[error("header {header} occurs more than once")]
    Repeated {
        /// Name of the configured header.
        header: String,
    },
    /// A timestamp or a signature cannot be parsed.
    #[error("header {header} cannot be parsed")]
    Malformed {
        /// Name of the configured header.
        header: String,
    },
    /// The timestamp is older than the replay window allows.
    #[error("the timestamp is {by_s} s in the past")]
    Stale {
        /// The age of the timestamp, in seconds.
        by_s: i64,
    },
    /// The timestamp is further in the future than the replay window allows.
    #[error("the timestamp is {by_s} s in the future")]
    Future {
        /// How far the timestamp is in the future, in seconds.
        by_s: i64,
    },
    /// No active secret matches.
    #[error("no active secret matches under scheme {scheme}")]
    Mismatch {
        /// The first scheme whose header was present.
        scheme: &'static str,
    },
}

impl Refusal {
    /// A short fixed word for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRulebook => "no_rulebook",
            Self::NoSecretConfigured => "no_secret_configured",
            Self::NoSchemeConfigured => "no_scheme_configured",
            Self::NoCredentials => "no_credentials",
            Self::NoTimestamp { .. } => "no_timestamp",
            Self::NotAscii { .. } => "not_ascii",
            Self::Repeated { .. } => "repeated_header",
            Self::Malformed { .. } => "malformed_header",
            Self::Stale { .. } => "stale",
            Self::Future { .. } => "future",
            Self::Mismatch { .. } => "mismatch",
        }
    }
}

/// Accepts a message if an active secret matches under an accepted scheme.
///
/// # Errors
/// The reason of the first scheme whose header was present, or [`Refusal::NoCredentials`] if no header was present.
pub fn verify(
    incoming: &Incoming<'_>,
    auth: &WebhookAuth,
    secrets: &[Secret],
    now: DateTime<Utc>,
) -> Result<Authentication, Refusal> {
    let mut macs = Macs {
        incoming,
        secrets,
        made: Vec::new(),
    };
    let matched = try_schemes(auth, secrets, |scheme| {
        match try_headers(scheme, incoming.headers, auth.replay_window_s, secrets, now)? {
            FromHeaders::Matched(secret_id) => Ok(secret_id),
            FromHeaders::Signed(signed) => macs.find(&signed).ok_or(Refusal::Mismatch { scheme: scheme.name() }),
        }
    });
    matched.map(|(secret_id, scheme)| Authentication { secret_id, scheme })
}

/// Checks only the headers: a secret in a header must match, a signature must be well-formed, and its timestamp must be
/// fresh. So a body is read only from a sender with a secret or a signature.
///
/// # Errors
/// The same errors as for [`verify`].
pub fn verify_headers(
    headers: &HeaderMap,
    auth: &WebhookAuth,
    secrets: &[Secret],
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let possible = try_schemes(auth, secrets, |scheme| {
        try_headers(scheme, headers, auth.replay_window_s, secrets, now)
    });
    possible.map(drop)
}

/// Calls `attempt` for each scheme in order. Returns the first success with the name of its scheme.
fn try_schemes<'a, T>(
    auth: &'a WebhookAuth,
    secrets: &[Secret],
    mut attempt: impl FnMut(&'a Scheme) -> Result<T, Refusal>,
) -> Result<(T, &'static str), Refusal> {
    if secrets.iter().all(|secret| secret.bytes().is_empty()) {
        return Err(Refusal::NoSecretConfigured);
    }
    let mut refusal = if auth.schemes.is_empty() {
        Refusal::NoSchemeConfigured
    } else {
        Refusal::NoCredentials
    };
    for scheme in &auth.schemes {
        match attempt(scheme) {
            Ok(signature) => return Ok((signature, scheme.name())),
            // Keep the refusal of the first scheme whose header is present, because this refusal is more specific than
            // `NoCredentials`.
            Err(tried) if refusal == Refusal::NoCredentials => refusal = tried,
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// The credentials in the headers.
enum FromHeaders<'a> {
    /// The id of the matching secret.
    Matched(String),
    /// A signature, to be checked against the body.
    Signed(SignedParts<'a>),
}

/// A signature, and the signed data without the body.
struct SignedParts<'a> {
    signature: Vec<u8>,
    covers: Covers<'a>,
}

/// The input of the HMAC, without the body and the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Covers<'a> {
    signing: Signing<'a>,
    header: &'a str,
    timestamp: &'a str,
    message_id: &'a str,
}

/// The HMACs of a message, each computed once. Hashing a large body is slow, so each algorithm is used for one
/// signature header only. If several signature headers of a message use one algorithm, only the header of the first
/// such scheme is checked.
struct Macs<'a> {
    incoming: &'a Incoming<'a>,
    secrets: &'a [Secret],
    made: Vec<(Covers<'a>, Vec<Option<Vec<u8>>>)>,
}

impl<'a> Macs<'a> {
    /// Returns the id of the secret with which the signature was made.
    fn find(&mut self, signed: &SignedParts<'a>) -> Option<String> {
        let macs = self.of(signed.covers)?;
        let signature = &signed.signature;
        let matches = |mac: &Option<Vec<u8>>| mac.as_ref().map_or(Choice::from(0), |mac| mac.ct_eq(signature));
        let matched: Vec<Choice> = macs.iter().map(matches).collect();
        find(self.secrets, matched)
    }

    /// Returns one HMAC for each secret, or `None` if the algorithm was already used for another header.
    fn of(&mut self, covers: Covers<'a>) -> Option<&[Option<Vec<u8>>]> {
        let place = self.made.iter().position(|(made, _)| *made == covers);
        let place = if let Some(place) = place {
            place
        } else {
            let is_spent = |(made, _): &(Covers<'_>, _)| {
                made.signing.algorithm == covers.signing.algorithm && !made.header.eq_ignore_ascii_case(covers.header)
            };
            if self.made.iter().any(is_spent) {
                return None;
            }
            let payload = Payload {
                method: self.incoming.method,
                url: self.incoming.url,
                timestamp: covers.timestamp,
                message_id: covers.message_id,
                body: self.incoming.body,
            };
            let macs = self
                .secrets
                .iter()
                .map(|secret| hmac(covers.signing, secret, payload))
                .collect();
            self.made.push((covers, macs));
            self.made.len() - 1
        };
        self.made.get(place).map(|(_, macs)| macs.as_slice())
    }
}

fn try_headers<'a>(
    scheme: &'a Scheme,
    headers: &'a HeaderMap,
    window_s: u32,
    secrets: &[Secret],
    now: DateTime<Utc>,
) -> Result<FromHeaders<'a>, Refusal> {
    let mismatch = Refusal::Mismatch { scheme: scheme.name() };
    let matched = match scheme {
        Scheme::Hmac(settings) => {
            let text = header(headers, &settings.signature_header)?.ok_or(Refusal::NoCredentials)?;
            let timestamp = timestamp(settings, headers, window_s, now)?;
            let message_id = header(headers, settings.id_header())?.unwrap_or("");
            let signature = text
                .strip_prefix(&settings.signature_prefix)
                .and_then(|text| decode_signature(settings.signature_encoding, text))
                .ok_or_else(|| malformed(&settings.signature_header))?;
            if signature.len() != settings.algorithm.bytes() {
                return Err(mismatch);
            }
            let covers = Covers {
                signing: Signing::of(settings),
                header: &settings.signature_header,
                timestamp,
                message_id,
            };
            return Ok(FromHeaders::Signed(SignedParts { signature, covers }));
        }
        Scheme::XVapiSignature {} => {
            let text = header(headers, X_VAPI_SIGNATURE)?.ok_or(Refusal::NoCredentials)?;
            let text = text.strip_prefix("sha256=").unwrap_or(text);
            let signature = decode_signature(Encoding::Hex, text).ok_or_else(|| malformed(X_VAPI_SIGNATURE))?;
            if signature.len() != Algorithm::Sha256.bytes() {
                return Err(mismatch);
            }
            let covers = Covers {
                signing: Signing::X_VAPI_SIGNATURE,
                header: X_VAPI_SIGNATURE,
                timestamp: "",
                message_id: "",
            };
            return Ok(FromHeaders::Signed(SignedParts { signature, covers }));
        }
        Scheme::Bearer(settings) => {
            let text = header(headers, &settings.header)?.ok_or(Refusal::NoCredentials)?;
            let token = if settings.prefix {
                after_bearer(text).ok_or(Refusal::NoCredentials)?
            } else {
                text
            };
            find_plain(secrets, token)
        }
        Scheme::XVapiSecret {} => {
            let token = header(headers, "x-vapi-secret")?.ok_or(Refusal::NoCredentials)?;
            find_plain(secrets, token)
        }
    };
    matched.map(FromHeaders::Matched).ok_or(mismatch)
}

/// Returns the value of the timestamp header if the timestamp is fresh. Returns an empty string if the settings need no
/// timestamp.
fn timestamp<'a>(
    settings: &HmacSettings,
    headers: &'a HeaderMap,
    window_s: u32,
    now: DateTime<Utc>,
) -> Result<&'a str, Refusal> {
    if !settings.needs_timestamp() {
        return Ok("");
    }
    let name = &settings.timestamp_header;
    let text = header(headers, name)?.ok_or_else(|| Refusal::NoTimestamp { header: name.clone() })?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed(name));
    }
    let number: i64 = text.parse().map_err(|_| malformed(name))?;
    // Vapi does not document the unit of the timestamp. A number from 10^11 on counts as milliseconds, because as
    // seconds it would be after the year 5138.
    let sent_ms = if number >= 100_000_000_000 {
        number
    } else {
        number.saturating_mul(1000)
    };
    let age_ms = now.timestamp_millis().saturating_sub(sent_ms);
    let reach_ms = i64::from(window_s).saturating_mul(1000);
    if age_ms > reach_ms {
        return Err(Refusal::Stale { by_s: age_ms / 1000 });
    }
    if age_ms < reach_ms.saturating_neg() {
        return Err(Refusal::Future {
            by_s: age_ms.saturating_neg() / 1000,
        });
    }
    Ok(text)
}

/// Returns the id of the first secret that matched. Checks every secret, so that the duration does not reveal which
/// secret matched.
fn find(secrets: &[Secret], matched: impl IntoIterator<Item = Choice>) -> Option<String> {
    let mut found = Choice::from(0);
    let mut index = 0_u64;
    for (position, matches) in (0_u64..).zip(matched) {
        let here = matches & !found;
        index.conditional_assign(&position, here);
        found |= here;
    }
    let index = usize::try_from(index).ok()?;
    bool::from(found)
        .then(|| secrets.get(index).map(|secret| secret.id().to_owned()))
        .flatten()
}

/// Compares digests, so that the duration does not reveal the length of the secret.
fn find_plain(secrets: &[Secret], token: &str) -> Option<String> {
    let signature = Sha256::digest(token.as_bytes());
    let matches = |secret: &Secret| {
        let usable = Choice::from(u8::from(!secret.bytes().is_empty()));
        usable & Sha256::digest(secret.bytes()).as_slice().ct_eq(signature.as_slice())
    };
    find(secrets, secrets.iter().map(matches))
}

/// The value after the word `Bearer`, which may be in upper or lower case.
fn after_bearer(text: &str) -> Option<&str> {
    let (word, token) = text.split_once(' ')?;
    word.eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::Repeated {
            header: name.to_owned(),
        });
    }
    value
        .to_str()
        .map(|text| Some(text.trim()))
        .map_err(|_| Refusal::NotAscii {
            header: name.to_owned(),
        })
}

fn malformed(header: &str) -> Refusal {
    Refusal::Malformed {
        header: header.to_owned(),
    }
}

//! Validates the webhook settings that an administrator stores, and reports every validation error with its JSON
//! pointer.
//!
//! Rejects settings that the types in [`super::scheme`] accept but that must not be used: no scheme at all, an invalid
//! header name, or a signature that does not cover the body.

use poem::http::HeaderName;

use super::scheme::{Scheme, WebhookAuth, X_VAPI_SIGNATURE};
use super::sign::{Signing, tokens_touch};

/// Maximum number of schemes of one rulebook.
const MAX_SCHEMES: usize = 10;
/// Maximum number of schemes that sign the body: the body is hashed for each such scheme, with every secret.
const MAX_SIGNING: usize = 4;
/// Maximum replay window: one day.
const LONGEST_WINDOW_S: u32 = 86_400;

/// The JSON pointer of a field, and the validation error of that field.
pub type Fault = (String, &'static str);

/// Returns the validation errors of the settings. The list is empty if the settings can be used.
#[must_use]
pub fn faults(auth: &WebhookAuth) -> Vec<Fault> {
    let mut faults = Vec::new();
    if auth.schemes.is_empty() || auth.schemes.len() > MAX_SCHEMES {
        faults.push((
            "/schemes".to_owned(),
            "`schemes` must name 1 to 10 schemes: without a scheme, no message is accepted.",
        ));
    }
    if !(1..=LONGEST_WINDOW_S).contains(&auth.replay_window_s) {
        faults.push((
            "/replay_window_s".to_owned(),
            "`replay_window_s` must be 1 to 86400 seconds; Vapi's own default is 300.",
        ));
    }
    for (index, scheme) in auth.schemes.iter().enumerate() {
        let mut fault = |field: &str, text| faults.push((format!("/schemes/{index}/{field}"), text));
        let mut header = |field: &str, name: &str| {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                fault(field, "This is not the name of an HTTP header.");
            }
        };
        match scheme {
            Scheme::Hmac(hmac) => {
                header("signature_header", &hmac.signature_header);
                header("timestamp_header", &hmac.timestamp_header);
                if let Some(name) = &hmac.message_id_header {
                    header("message_id_header", name);
                }
                if !hmac.effective_format().contains("{body}") {
                    fault(
                        "payload_format",
                        "`payload_format` must contain {body}: a signature must cover the body to protect it.",
                    );
                }
                if hmac.effective_format().matches("{body}").count() > 1 {
                    fault(
                        "payload_format",
                        "`payload_format` must contain {body} only once: a second {body} only makes hashing slower.",
                    );
                }
                if tokens_touch(hmac.effective_format()) {
                    fault(
                        "payload_format",
                        "`payload_format` must have a character other than a letter or digit, such as `.`, between two tokens: \
                         otherwise two different messages can have the same signed text.",
                    );
                }
                if hmac.include_timestamp && !hmac.effective_format().contains("{timestamp}") {
                    fault(
                        "payload_format",
                        "`payload_format` must contain {timestamp} when `include_timestamp` is true: a timestamp that is \
                         not signed proves nothing.",
                    );
                }
            }
            Scheme::Bearer(bearer) => header("header", &bearer.header),
            Scheme::XVapiSecret {} | Scheme::XVapiSignature {} => {}
        }
    }
    faults.extend(hashed_twice(auth));
    let signs = |scheme: &&Scheme| matches!(scheme, Scheme::Hmac(_) | Scheme::XVapiSignature {});
    if auth.schemes.iter().filter(signs).count() > MAX_SIGNING {
        faults.push((
            "/schemes".to_owned(),
            "`schemes` must name at most 4 schemes that sign the body (`hmac`, `x_vapi_signature`): Ringbook hashes \
             every message for each of them.",
        ));
    }
    faults
}

/// Reports each scheme with the same signature header and algorithm as an earlier scheme, but with another payload.
/// With such schemes, a message with that header could make the server hash the body once for each scheme.
fn hashed_twice(auth: &WebhookAuth) -> Vec<Fault> {
    let mut earlier: Vec<(&str, Signing<'_>)> = Vec::new();
    let mut faults = Vec::new();
    for (index, scheme) in auth.schemes.iter().enumerate() {
        let (header, signing) = match scheme {
            Scheme::Hmac(hmac) => (hmac.signature_header.as_str(), Signing::of(hmac)),
            Scheme::XVapiSignature {} => (X_VAPI_SIGNATURE, Signing::X_VAPI_SIGNATURE),
            Scheme::Bearer(_) | Scheme::XVapiSecret {} => continue,
        };
        let is_hashed_again = |(other, made): &(&str, Signing<'_>)| {
            header.eq_ignore_ascii_case(other) && signing.algorithm == made.algorithm && signing != *made
        };
        if earlier.iter().any(is_hashed_again) {
            faults.push((
                format!("/schemes/{index}"),
                "Another scheme reads the same signature header with the same algorithm and signs another payload: a \
                 message is hashed once for each algorithm. Give one of the schemes another `signature_header` or `algorithm`.",
            ));
        }
        earlier.push((header, signing));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(auth: serde_json::Value) -> Vec<String> {
        let auth: WebhookAuth = serde_json::from_value(auth).unwrap();
        faults(&auth).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn what_vapi_does_by_default_can_be_used() {
        assert!(faults(&WebhookAuth::default()).is_empty());
        assert!(places(json!({"schemes": [{"type": "hmac", "include_timestamp": false}]})).is_empty());
    }

    #[test]
    fn what_costs_much_to_verify_is_refused() {
        let hmac =
            |format: &str, header: &str| json!({"type": "hmac", "payload_format": format, "signature_header": header});
        let often = format!("{{timestamp}}{}", ".{body}".repeat(83));
        assert_eq!(
            places(json!({"schemes": [hmac(&often, "a")]})),
            ["/schemes/0/payload_format"]
        );
        let schemes = |count: usize| {
            let each = (0..count).map(|n| hmac("{timestamp}.{body}", &format!("x-{n}")));
            each.collect::<Vec<_>>()
        };
        assert!(places(json!({"schemes": schemes(4)})).is_empty());
        assert_eq!(places(json!({"schemes": schemes(5)})), ["/schemes"]);
    }

    #[test]
    fn one_header_is_hashed_once_for_an_algorithm() {
        let hmac = |format: &str, algorithm: &str, prefix: &str| json!({"type": "hmac", "payload_format": format, "algorithm": algorithm, "signature_prefix": prefix});
        let with_time = hmac("{timestamp}.{body}", "sha256", "");
        // Schemes may share a header if the prefix or the algorithm differs.
        let good = [
            &with_time,
            &hmac("{timestamp}.{body}", "sha256", "v1="),
            &hmac("{timestamp}:{body}", "sha512", ""),
        ];
        assert!(places(json!({"schemes": good})).is_empty());
        let twice = [&with_time, &hmac("{timestamp}:{body}", "sha256", "")];
        assert_eq!(places(json!({"schemes": twice})), ["/schemes/1"]);
        let mut as_vapi = hmac("{timestamp}.{body}", "sha256", "");
        as_vapi["signature_header"] = json!("X-Vapi-Signature");
        let both = json!({"schemes": [{"type": "x_vapi_signature"}, as_vapi]});
        assert_eq!(places(both), ["/schemes/1"]);
    }

    #[test]
    fn what_lets_nobody_or_anybody_in_is_told_with_its_place() {
        assert_eq!(
            places(json!({"schemes": [], "replay_window_s": 0})),
            ["/schemes", "/replay_window_s"]
        );
        let schemes = json!([
            {"type": "bearer", "header": "no header"},
            {"type": "hmac", "payload_format": "{timestamp}", "signature_header": ""},
            {"type": "hmac", "payload_format": "{body}"},
        ]);
        assert_eq!(
            places(json!({"schemes": schemes})),
            [
                "/schemes/0/header",
                "/schemes/1/signature_header",
                "/schemes/1/payload_format",
                "/schemes/2/payload_format"
            ]
        );
        let ambiguous = |format: &str| {
            let scheme = json!({"type": "hmac", "payload_format": format});
            places(json!({"schemes": [scheme]})) == ["/schemes/0/payload_format"]
        };
        for format in [
            "{timestamp}{body}",
            "{body}{timestamp}",
            "{timestamp}.{svix-id}v1{body}",
        ] {
            assert!(ambiguous(format), "{format}");
        }
        for format in [
            "{timestamp}.{body}",
            "v1{timestamp}\n{body}",
            "{timestamp}.{other}{svix-id}/{body}",
        ] {
            assert!(!ambiguous(format), "{format}");
        }
    }
}

//! Every scheme, with valid and invalid messages.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::verify::*;

pub(crate) const BODY: &[u8] = br#"{"message":{"type":"status-update","status":"ended"}}"#;
pub(crate) const URL: &str = "https://ringbook.example/webhooks/vapi?x=1";

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a fixed instant")
}

pub(crate) fn secret() -> Secret {
    Secret::new("current", "correct horse battery staple")
}

pub(crate) fn only(scheme: Scheme) -> WebhookAuth {
    WebhookAuth {
        schemes: vec![scheme],
        ..WebhookAuth::default()
    }
}

pub(crate) fn payload(body: &[u8]) -> Payload<'_> {
    Payload {
        method: "POST",
        url: URL,
        timestamp: "",
        message_id: "msg_1",
        body,
    }
}

pub(crate) fn headers(pairs: &[(String, String)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
                HeaderValue::from_str(value).expect("a header value"),
            )
        })
        .collect()
}

pub(crate) fn signed(scheme: &Scheme, secret: &Secret) -> HeaderMap {
    headers(&sign(scheme, secret, payload(BODY), now()).expect("a usable secret"))
}

pub(crate) fn check(
    headers: &HeaderMap,
    body: &[u8],
    auth: &WebhookAuth,
    secrets: &[Secret],
    at: DateTime<Utc>,
) -> Result<Authentication, Refusal> {
    let incoming = Incoming {
        method: "POST",
        url: URL,
        headers,
        body,
    };
    verify(&incoming, auth, secrets, at)
}

/// Each scheme, with the settings that Vapi allows.
pub(crate) fn every_scheme() -> Vec<Scheme> {
    let base = HmacSettings::default;
    let mut schemes = vec![
        Scheme::Bearer(BearerSettings::default()),
        Scheme::Bearer(BearerSettings {
            header: "X-Api-Key".to_owned(),
            prefix: false,
        }),
        Scheme::XVapiSecret {},
        Scheme::XVapiSignature {},
        Scheme::Hmac(HmacSettings {
            include_timestamp: false,
            ..base()
        }),
        Scheme::Hmac(HmacSettings {
            signature_prefix: "sha256=".to_owned(),
            signature_header: "X-Hub-Signature".to_owned(),
            timestamp_header: "X-When".to_owned(),
            ..base()
        }),
        Scheme::Hmac(HmacSettings {
            payload_format: "{svix-id}.{timestamp}.{body}".to_owned(),
            signature_encoding: Encoding::Base64,
            signature_prefix: "v1,".to_owned(),
            ..base()
        }),
        Scheme::Hmac(HmacSettings {
            payload_format: "{method}|{url}|{svix-id}|{timestamp}|{other}|{body}|{".to_owned(),
            message_id_header: Some("x-message-id".to_owned()),
            ..base()
        }),
        Scheme::Hmac(HmacSettings {
            payload_format: "{body}".to_owned(),
            ..base()
        }),
    ];
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1] {
        for signature_encoding in [Encoding::Hex, Encoding::Base64] {
            schemes.push(Scheme::Hmac(HmacSettings {
                algorithm,
                signature_encoding,
                ..base()
            }));
        }
    }
    schemes
}

/// An HMAC scheme with the default settings, changed by `change`.
pub(crate) fn hmac_of(change: impl FnOnce(&mut HmacSettings)) -> Scheme {
    let mut settings = HmacSettings::default();
    change(&mut settings);
    Scheme::Hmac(settings)
}

#[test]
fn every_scheme_lets_its_own_signature_in_and_no_other() {
    for scheme in every_scheme() {
        let auth = only(scheme.clone());
        let good = signed(&scheme, &secret());
        let verified = check(&good, BODY, &auth, &[secret()], now()).expect("good");
        assert_eq!(verified.secret_id, "current");
        assert_eq!(verified.scheme, scheme.name());
        // A wrong key.
        let wrong = Secret::new("current", "another secret");
        assert_eq!(
            check(&good, BODY, &auth, &[wrong], now()),
            Err(Refusal::Mismatch { scheme: scheme.name() }),
            "{scheme:?}"
        );
        // A message without any header is refused.
        assert_eq!(
            check(&HeaderMap::new(), BODY, &auth, &[secret()], now()),
            Err(Refusal::NoCredentials)
        );
        // Without a usable secret, every message is refused.
        for none in [vec![], vec![Secret::new("empty", "")]] {
            assert_eq!(
                check(&good, BODY, &auth, &none, now()),
                Err(Refusal::NoSecretConfigured)
            );
        }
        // Another body is refused if the scheme signs the body.
        let other = check(&good, b"{}", &auth, &[secret()], now());
        let covers_body = matches!(scheme, Scheme::Hmac(_) | Scheme::XVapiSignature {});
        assert_eq!(other.is_err(), covers_body, "{scheme:?}");
    }
}

#[test]
fn the_default_settings_take_each_scheme_and_name_the_one_that_matched() {
    let auth = WebhookAuth::default();
    for scheme in &auth.schemes {
        let verified = check(&signed(scheme, &secret()), BODY, &auth, &[secret()], now());
        assert_eq!(verified.expect("good").scheme, scheme.name());
    }
    let closed = WebhookAuth {
        schemes: vec![],
        ..WebhookAuth::default()
    };
    assert_eq!(
        check(&HeaderMap::new(), BODY, &closed, &[secret()], now()),
        Err(Refusal::NoSchemeConfigured)
    );
}

#[test]
fn known_answers_hold_against_an_independent_computation() {
    // The textbook value of HMAC-SHA256.
    let key = Secret::new("k", "key");
    let auth = only(Scheme::XVapiSignature {});
    let known = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    for text in [known.to_owned(), format!("sha256={known}"), known.to_uppercase()] {
        let headers = headers(&[("x-vapi-signature".to_owned(), text)]);
        let body = b"The quick brown fox jumps over the lazy dog";
        assert!(check(&headers, body, &auth, std::slice::from_ref(&key), now()).is_ok());
    }
}

#[test]
fn a_secret_may_be_base64_for_its_bytes() {
    let encoded = |change: fn(&mut HmacSettings)| hmac_of(change);
    let as_base64 = encoded(|settings| settings.secret_is_base64 = true);
    let as_text = encoded(|_| {});
    // "AAEC/w==" encodes 00 01 02 ff.
    for text in ["AAEC/w==", "AAEC/w"] {
        let secret = Secret::new("b", text);
        let raw = Secret::new("r", vec![0_u8, 1, 2, 255]);
        let headers = signed(&as_base64, &secret);
        assert!(check(&headers, BODY, &only(as_base64.clone()), &[secret], now()).is_ok());
        assert!(check(&headers, BODY, &only(as_text.clone()), &[raw], now()).is_ok());
    }
    // Both a malformed base64 string and an empty key are invalid.
    for broken in ["not base64!", "===="] {
        let secret = Secret::new("broken", broken);
        assert!(sign(&as_base64, &secret, payload(BODY), now()).is_err());
        let headers = signed(&as_text, &secret);
        assert!(check(&headers, BODY, &only(as_base64.clone()), &[secret], now()).is_err());
    }
}

#[test]
fn the_old_and_the_new_secret_both_count_while_both_are_active() {
    let old = Secret::new("old", "the old secret");
    let new = Secret::new("new", "the new secret");
    for scheme in every_scheme() {
        let auth = only(scheme.clone());
        for (used, id) in [(&old, "old"), (&new, "new")] {
            let headers = signed(&scheme, used);
            let both = [old.clone(), new.clone()];
            let verified = check(&headers, BODY, &auth, &both, now()).expect("both are active");
            assert_eq!(verified.secret_id, id);
        }
        let retired = check(&signed(&scheme, &old), BODY, &auth, std::slice::from_ref(&new), now());
        assert!(retired.is_err(), "{scheme:?}");
    }
}

#[test]
fn another_method_or_address_is_refused_where_it_is_signed() {
    let scheme = hmac_of(|settings| {
        settings.payload_format = "{method} {url} {timestamp} {body}".to_owned();
    });
    let good = signed(&scheme, &secret());
    let auth = only(scheme);
    for (method, url, ok) in [
        ("POST", URL, true),
        ("PUT", URL, false),
        ("POST", "https://elsewhere.example/", false),
    ] {
        let incoming = Incoming {
            method,
            url,
            headers: &good,
            body: BODY,
        };
        assert_eq!(verify(&incoming, &auth, &[secret()], now()).is_ok(), ok);
    }
}

#[test]
fn a_bearer_word_may_have_either_case_and_must_be_there() {
    let auth = only(Scheme::Bearer(BearerSettings::default()));
    for (text, ok) in [
        ("Bearer correct horse battery staple", true),
        ("bearer correct horse battery staple", true),
        ("correct horse battery staple", false),
        ("Basic correct horse battery staple", false),
        ("Bearer", false),
        ("Bearer ", false),
    ] {
        let headers = headers(&[("authorization".to_owned(), text.to_owned())]);
        assert_eq!(check(&headers, BODY, &auth, &[secret()], now()).is_ok(), ok, "{text}");
    }
}

#[test]
fn settings_are_read_with_vapis_defaults_and_unknown_fields_are_refused() {
    let read = |text: &str| serde_json::from_str::<WebhookAuth>(text);
    assert_eq!(read("{}").expect("defaults"), WebhookAuth::default());
    let auth = read(
        r#"{"schemes":[{"type":"hmac","algorithm":"sha512"},{"type":"bearer"},{"type":"x_vapi_secret"},
            {"type":"x_vapi_signature"}],"replay_window_s":60}"#,
    )
    .expect("all schemes");
    assert_eq!(auth.schemes.len(), 4);
    let text = serde_json::to_string(&auth).expect("JSON");
    assert_eq!(read(&text).expect("what was written"), auth);
    for wrong in [
        r#"{"schemes":[{"type":"hmac","algorithms":"sha512"}]}"#,
        r#"{"schemes":[{"type":"bearer","colour":"red"}]}"#,
        r#"{"schemes":[{"type":"x_vapi_secret","header":"x"}]}"#,
        r#"{"schemes":[{"type":"none"}]}"#,
        r#"{"window":60}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_secret_never_prints_itself_nor_does_a_refusal() {
    assert_eq!(format!("{:?}", secret()), r#"Secret { id: "current", .. }"#);
    let headers = headers(&[("x-vapi-secret".to_owned(), "guessed-secret".to_owned())]);
    let refused = check(&headers, BODY, &WebhookAuth::default(), &[secret()], now());
    let said = format!("{0} {0:?}", refused.expect_err("wrong"));
    assert!(!said.contains("guessed") && !said.contains("staple"), "{said}");
}

#[test]
fn a_message_is_hashed_once_for_a_secret_and_an_algorithm() {
    let scheme = |header: &str, algorithm| {
        hmac_of(|settings| {
            settings.signature_header = header.to_owned();
            settings.algorithm = algorithm;
        })
    };
    let (first, second) = (
        scheme("x-first", Algorithm::Sha256),
        scheme("x-second", Algorithm::Sha256),
    );
    let other = scheme("x-other", Algorithm::Sha512);
    let auth = WebhookAuth {
        schemes: vec![first.clone(), second.clone(), other.clone()],
        ..WebhookAuth::default()
    };
    let wrong = Secret::new("wrong", "quite another secret");
    let check = |headers: &HeaderMap| check(headers, BODY, &auth, &[wrong.clone(), secret()], now());
    // Each header alone is enough.
    for scheme in [&first, &second, &other] {
        assert!(check(&signed(scheme, &secret())).is_ok());
    }
    // If two headers have the same algorithm, only the first is checked. A header with another algorithm is checked
    // too.
    let mut both = signed(&first, &Secret::new("stranger", "of a stranger"));
    both.extend(signed(&second, &secret()));
    assert_eq!(check(&both).map_err(|refusal| refusal.code()), Err("mismatch"));
    both.extend(signed(&other, &secret()));
    assert!(check(&both).is_ok());
}

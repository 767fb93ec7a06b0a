//! Messages that must be refused because they are stale, future, truncated, changed or malformed.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::verify::*;
use super::verify_tests::{BODY, check, every_scheme, headers, hmac_of, now, only, payload, secret, signed};

#[test]
fn a_timestamp_is_fresh_for_300_seconds_both_ways_in_seconds_or_milliseconds() {
    let scheme = hmac_of(|_| {});
    let auth = only(scheme.clone());
    let at = |text: &str| {
        let mut payload = payload(BODY);
        payload.timestamp = text;
        let headers = headers(&sign(&scheme, &secret(), payload, now()).expect("signed"));
        check(&headers, BODY, &auth, &[secret()], now())
    };
    for good in [
        "1790000000",
        "1789999700",
        "1790000300",
        "1790000000000",
        "1789999700000",
        "1790000300000",
    ] {
        assert!(at(good).is_ok(), "{good}");
    }
    assert_eq!(at("1789999699"), Err(Refusal::Stale { by_s: 301 }));
    assert_eq!(at("1789999699999"), Err(Refusal::Stale { by_s: 300 }));
    assert_eq!(at("1790000301"), Err(Refusal::Future { by_s: 301 }));
    assert_eq!(at("1790000300001"), Err(Refusal::Future { by_s: 300 }));
    for unreadable in [
        "yesterday",
        "-1790000000",
        "1790000000.5",
        "+1790000000",
        "99999999999999999999999",
    ] {
        let refused = at(unreadable).expect_err(unreadable);
        assert_eq!(refused.code(), "malformed_header", "{unreadable}");
    }
    assert!(matches!(at("9223372036854775807"), Err(Refusal::Future { .. })));
}

#[test]
fn a_missing_timestamp_is_refused_when_one_is_signed() {
    let scheme = hmac_of(|_| {});
    let mut headers = signed(&scheme, &secret());
    headers.remove("x-timestamp");
    assert_eq!(
        check(&headers, BODY, &only(scheme), &[secret()], now()),
        Err(Refusal::NoTimestamp {
            header: "x-timestamp".to_owned()
        })
    );
}

#[test]
fn a_changed_timestamp_is_refused_even_when_it_is_fresh() {
    let scheme = hmac_of(|_| {});
    let mut headers = signed(&scheme, &secret());
    headers.insert("x-timestamp", HeaderValue::from_static("1790000001"));
    assert!(check(&headers, BODY, &only(scheme), &[secret()], now()).is_err());
}

#[test]
fn a_truncated_or_lengthened_signature_is_refused() {
    for scheme in every_scheme() {
        let good = signed(&scheme, &secret());
        for (name, value) in &good {
            if name.as_str().contains("when") || name.as_str().contains("timestamp") {
                continue;
            }
            let text = value.to_str().expect("ASCII");
            // Remove four characters, which is more than the padding of base64.
            let shorter = text
                .get(..text.len().saturating_sub(4))
                .expect("long enough")
                .to_owned();
            for changed in [shorter, format!("{text}00"), String::new()] {
                let mut headers = good.clone();
                headers.insert(name, HeaderValue::from_str(&changed).expect("a value"));
                let refused = check(&headers, BODY, &only(scheme.clone()), &[secret()], now());
                // A changed message id is refused only if the payload format contains the message id.
                let counts = match &scheme {
                    Scheme::Hmac(settings) if name.as_str() == settings.id_header() => {
                        settings.payload_format.contains("{svix-id}")
                    }
                    _ => true,
                };
                assert_eq!(refused.is_err(), counts, "{scheme:?} {name} {changed}");
            }
        }
    }
}

#[test]
fn headers_that_are_not_ascii_or_there_twice_are_refused() {
    for scheme in every_scheme() {
        let good = signed(&scheme, &secret());
        for name in good.keys() {
            let mut strange = good.clone();
            strange.insert(name, HeaderValue::from_bytes(b"sign\xe9").expect("a value"));
            let mut twice = good.clone();
            twice.append(name, HeaderValue::from_static("00"));
            for (headers, code) in [(strange, "not_ascii"), (twice, "repeated_header")] {
                let refused = check(&headers, BODY, &only(scheme.clone()), &[secret()], now());
                assert_eq!(refused.expect_err("refused").code(), code, "{scheme:?} {name}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_in_a_signed_body_is_refused(
        body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<usize>(), bit in 0_u8..8,
    ) {
        let mut changed = body.clone();
        let at = at % body.len();
        changed[at] ^= 1 << bit;
        for scheme in every_scheme() {
            if !matches!(scheme, Scheme::Hmac(_) | Scheme::XVapiSignature {}) {
                continue;
            }
            let headers = headers(&sign(&scheme, &secret(), payload(&body), now()).expect("signed"));
            let auth = only(scheme);
            prop_assert!(check(&headers, &body, &auth, &[secret()], now()).is_ok());
            prop_assert!(check(&headers, &changed, &auth, &[secret()], now()).is_err());
        }
    }

    #[test]
    fn no_header_makes_it_panic_or_lets_it_in(
        value in proptest::collection::vec(any::<u8>(), 0..80), stamp in "[ -~]{0,24}",
    ) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        for name in ["x-signature", "authorization", "x-vapi-secret", "x-vapi-signature"] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.clone());
            if let Ok(stamp) = HeaderValue::from_str(&stamp) {
                headers.insert("x-timestamp", stamp);
            }
            prop_assert!(check(&headers, BODY, &WebhookAuth::default(), &[secret()], now()).is_err());
        }
    }
}

//! Verifies X-Twilio-Signature, in constant time (pure).
//!
//! The signature is an HMAC-SHA1 in base64, with the auth token as the key. It covers the URL, and then each field's
//! name and value, sorted by name. Each name occurs only once in a form. Twilio writes the URL with or without its
//! port, so both are valid.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::form::Form;

/// Whether `given` is the signature of a form posted to `url`.
#[must_use]
pub fn verify(token: &str, url: &str, form: &Form, given: &str) -> bool {
    let Ok(given) = BASE64.decode(given.trim()) else {
        return false;
    };
    if token.is_empty() {
        return false;
    }
    // Try both forms of the URL, even after a match, so that the duration reveals nothing.
    let matches = spellings(url).into_iter().map(|url| {
        let expected = sign(token, &url, form);
        expected.is_some_and(|expected| bool::from(expected.as_slice().ct_eq(given.as_slice())))
    });
    matches.fold(false, |any, matches| any | matches)
}

fn sign(token: &str, url: &str, form: &Form) -> Option<Vec<u8>> {
    let fields: BTreeMap<&str, &str> = form
        .fields()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).ok()?;
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Some(mac.finalize().into_bytes().to_vec())
}

/// Returns the URL with its port and without it.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return all;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.rfind(':').filter(|colon| *colon >= host_end) {
        Some(colon) => all.push(format!("{scheme}://{}{path}", &authority[..colon])),
        None => {
            let port = if scheme == "http" { 80 } else { 443 };
            all.push(format!("{scheme}://{authority}:{port}{path}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345";
    const FIRST: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FIRST_FORM: &str =
        "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

    fn form(text: &str) -> Form {
        Form::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_twilios_own_library_signs_is_verified() {
        assert!(verify(TOKEN, FIRST, &form(FIRST_FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        let url = "https://hooks.example.invalid/twilio/status?x=%C3%A9";
        let second = form("MessageStatus=sent&MessageSid=SM1&Body=All%C3%B4+%C3%A9+%F0%9F%98%80&NumMedia=0&Empty=");
        assert!(verify(TOKEN, url, &second, "bDRbSQPl5r2LyM+oM1zE3HB1p/w="));
    }

    #[test]
    fn anything_else_is_not() {
        let given = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let whole = form(FIRST_FORM);
        assert!(!verify("12346", FIRST, &whole, given));
        assert!(!verify("", FIRST, &whole, given));
        assert!(!verify(
            TOKEN,
            "https://mycompany.com/myapp.php?foo=1&bar=3",
            &whole,
            given
        ));
        assert!(!verify(
            TOKEN,
            FIRST,
            &form(&FIRST_FORM.replace("1234&", "1235&")),
            given
        ));
        assert!(!verify(TOKEN, FIRST, &form(&format!("{FIRST_FORM}&More=1")), given));
        for bad in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "RSOYDt4T1cUTdK1PDd93", "%%%", "AAAA"] {
            assert!(!verify(TOKEN, FIRST, &whole, bad), "{bad}");
        }
    }

    #[test]
    fn the_address_counts_with_its_port_and_without() {
        let whole = form(FIRST_FORM);
        let given = BASE64.encode(sign(TOKEN, "https://mycompany.com:443/a?b=1", &whole).unwrap());
        assert!(verify(TOKEN, "https://mycompany.com/a?b=1", &whole, &given));
        let given = BASE64.encode(sign(TOKEN, "https://mycompany.com/a", &whole).unwrap());
        assert!(verify(TOKEN, "https://mycompany.com:8443/a", &whole, &given));
        let given = BASE64.encode(sign(TOKEN, "http://[::1]:80/a", &whole).unwrap());
        assert!(verify(TOKEN, "http://[::1]/a", &whole, &given));
        assert!(!verify(TOKEN, "https://[::1]/a", &whole, &given));
    }
}

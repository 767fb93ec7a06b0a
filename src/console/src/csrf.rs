//! The CSRF token. Every form of a session contains the CSRF token, and other sites cannot know the token.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The MAC covers this purpose, so that it differs from every other MAC whose key is the session token.
const PURPOSE: &[u8] = b"ringbook console form";

/// The name of the form field with the CSRF token.
pub const FIELD: &str = "csrf";

/// Returns the CSRF token that belongs to a session token.
#[must_use]
pub fn token(session: &str) -> String {
    // `new_from_slice` never fails, because HMAC accepts a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(session.as_bytes()) else {
        return String::new();
    };
    mac.update(PURPOSE);
    hex::encode(mac.finalize().into_bytes())
}

/// Whether a form's token belongs to the session. The comparison takes constant time.
#[must_use]
pub fn matches(session: &str, sent: &str) -> bool {
    let own = token(session);
    !own.is_empty() && own.as_bytes().ct_eq(sent.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_accepts_its_own_token_only() {
        let own = token("one");
        assert!(matches("one", &own));
        assert!(!matches("two", &own) && !matches("one", "") && !matches("one", &own[1..]));
    }
}

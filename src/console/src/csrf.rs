//! The CSRF token: every form of a session carries it, and other sites cannot know it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The purpose of the token, so that no other MAC with the session's token has the same bytes.
const PURPOSE: &[u8] = b"ringbook console form";

/// The name of the field.
pub const FIELD: &str = "csrf";

/// The CSRF token of the session with this session token.
#[must_use]
pub fn token(session: &str) -> String {
    // Cannot fail: HMAC accepts a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(session.as_bytes()) else {
        return String::new();
    };
    mac.update(PURPOSE);
    hex::encode(mac.finalize().into_bytes())
}

/// Whether a form's token belongs to the session, compared in constant time.
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

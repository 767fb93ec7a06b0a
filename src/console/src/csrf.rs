//! The token that every form of a session carries: another site cannot know it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// What the token is for, so that no other use of a session's token gives the same bytes.
const PURPOSE: &[u8] = b"ringbook console form";

/// The name of the field.
pub const FIELD: &str = "csrf";

/// The token of the session with this token.
#[must_use]
pub fn token(session: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(session.as_bytes()) else {
        return String::new();
    };
    mac.update(PURPOSE);
    hex::encode(mac.finalize().into_bytes())
}

/// Whether a form's token is that of the session, in constant time.
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

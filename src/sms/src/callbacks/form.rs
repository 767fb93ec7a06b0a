//! A strict parser of `application/x-www-form-urlencoded` (pure). A lenient parser could read fields that Twilio did
//! not sign. Duplicate names are rejected. The signature does not distinguish two fields with the same name from one
//! field whose value contains the second field.

/// Maximum number of fields in a callback.
const MOST_FIELDS: usize = 200;

/// The fields of a form, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl std::fmt::Debug for Form {
    /// Hides the values, which contain phone numbers and text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let mut fields = Vec::new();
        for pair in pairs {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next()?)?;
            let value = decoded(halves.next().unwrap_or_default())?;
            if fields.len() == MOST_FIELDS || fields.iter().any(|(known, _)| *known == name) {
                return None;
            }
            fields.push((name, value));
        }
        (!fields.is_empty()).then_some(Self(fields))
    }

    /// The value of the field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Decodes UTF-8 text, with `+` for a space and `%` before two hex digits. Other characters must be printable ASCII.
fn decoded(bytes: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte if byte.is_ascii_graphic() => *byte,
            _ => return None,
        });
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_what_is_none_is_refused() {
        let form = Form::read(b"Body=All%C3%B4+%F0%9F%98%80&Empty=&To=%2B15145550101&Odd").unwrap();
        assert_eq!(form.get("Body"), Some("Allô 😀"));
        assert_eq!(
            (form.get("Empty"), form.get("Odd"), form.get("None")),
            (Some(""), Some(""), None)
        );
        assert_eq!(form.get("To"), Some("+15145550101"));
        for bad in [
            "",
            "&&",
            "A=%",
            "A=%4",
            "A=%zz",
            "A=%FF",
            "A=%+1",
            "A=é",
            "A=a b",
            "{\"A\":\"é\"}",
            "A=1&B=2&A=1",
        ] {
            assert_eq!(Form::read(bad.as_bytes()), None, "{bad}");
        }
        let fields = |count: usize| (0..count).map(|n| format!("A{n}=1&")).collect::<String>();
        assert!(Form::read(fields(200).as_bytes()).is_some());
        assert_eq!(Form::read(fields(201).as_bytes()), None);
        assert!(!format!("{form:?}").contains("5550101"), "{form:?}");
    }
}

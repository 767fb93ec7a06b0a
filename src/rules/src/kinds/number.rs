//! Reads written and spoken numbers, in English and French: `12,5`, `1 200`, `3/4`, `forty-two`, `quatre-vingt-dix`,
//! `dix et demi`. The module never guesses: a word that is not a known number stays a word.

use rust_decimal::Decimal;

use super::tokens::{Plain, Token};

/// Reads the only number in a text. A text without a number, or with several different numbers, is an error.
///
/// # Errors
/// The reason why there is no number, in a few words.
pub fn number(text: &str) -> Result<Decimal, &'static str> {
    let plain = Plain::new(text);
    let tokens = plain.tokens();
    let mut found: Option<Decimal> = None;
    for (at, token) in tokens.iter().enumerate() {
        let Token::Number(number) = token else { continue };
        let minus = at > 0 && tokens[at - 1] == Token::Mark('-');
        // Between two words or numbers, the minus sign is a hyphen or marks a range.
        let sign = minus && (at == 1 || !matches!(tokens[at - 2], Token::Number(_) | Token::Word(_)));
        let number = if sign { -*number } else { *number };
        match found {
            Some(known) if known != number => return Err("there are several numbers in it"),
            _ => found = Some(number),
        }
    }
    found.ok_or("there is no number in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        number(text).ok().map(|number| number.normalize().to_string())
    }

    #[test]
    fn numbers_are_read_in_digits() {
        for (text, wanted) in [
            ("12", "12"),
            ("12,5", "12.5"),
            ("12.50 m", "12.5"),
            ("environ 1 200 pieds", "1200"),
            ("1\u{202f}200", "1200"),
            ("1,200", "1200"),
            ("1,200.50", "1200.5"),
            ("1.200,50", "1200.5"),
            ("1.200", "1.2"),
            ("12 345 678", "12345678"),
            ("0,125", "0.125"),
            ("-3", "-3"),
            ("\u{2212}3", "-3"),
            ("12.", "12"),
            ("3/4", "0.75"),
            ("10 1/2", "10.5"),
            ("10½", "10.5"),
            ("12 (twelve)", "12"),
            ("2 thousand", "2000"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_in_words_of_both_languages() {
        for (text, wanted) in [
            ("forty", "40"),
            ("forty-two", "42"),
            ("forty two feet", "42"),
            ("a hundred and five", "105"),
            ("one hundred and twenty-five", "125"),
            ("twelve hundred", "1200"),
            ("two thousand three hundred", "2300"),
            ("twelve and a half", "12.5"),
            ("12 and a half", "12.5"),
            ("three quarters", "0.75"),
            ("half a dozen", "6"),
            ("a dozen", "12"),
            ("twelve point five", "12.5"),
            ("quarante", "40"),
            ("quarante-deux", "42"),
            ("vingt et un", "21"),
            ("soixante-dix", "70"),
            ("soixante et onze", "71"),
            ("soixante-dix-sept", "77"),
            ("quatre-vingts", "80"),
            ("quatre-vingt-un", "81"),
            ("quatre-vingt-dix-neuf", "99"),
            ("dix-sept", "17"),
            ("cent", "100"),
            ("deux cent cinquante", "250"),
            ("deux cents", "200"),
            ("cent quatre-vingt", "180"),
            ("mille deux cents", "1200"),
            ("douze virgule cinq", "12.5"),
            ("douze et demi", "12.5"),
            ("trois quarts", "0.75"),
            ("une vingtaine", "20"),
            ("une centaine", "100"),
            ("septante-cinq", "75"),
            ("une douzaine de", "12"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_single_number_is_none() {
        for text in [
            "",
            "a few",
            "plusieurs",
            "2 or 3",
            "entre dix et douze",
            "ten to twelve",
            "a",
            "10-12",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("999999999999999999999999999999"), None);
    }
}

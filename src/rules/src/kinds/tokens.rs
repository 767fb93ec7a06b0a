//! Splits a text into tokens: words, numbers in digits or in words, and other characters.

use rust_decimal::Decimal;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::number_digits::{digits, fraction};
use super::number_words::said_numbers;

/// A text in lower case without accents, with uniform quotes, dashes, spaces and fractions. Tokens borrow from this
/// text.
#[derive(Debug, Default)]
pub struct Plain(String);

/// A token of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// A number in any notation.
    Number(Decimal),
    /// A word in lower case, without accents.
    Word(&'a str),
    /// Any other character that is not white space.
    Mark(char),
}

impl<'a> Token<'a> {
    /// Returns the word, if the token is a word.
    #[must_use]
    pub const fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether the token is one of these words.
    #[must_use]
    pub fn is_one_of(&self, words: &[&str]) -> bool {
        self.word().is_some_and(|word| words.contains(&word))
    }
}

impl Plain {
    /// Normalizes a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut plain = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' => plain.push('\n'),
                '\t' | '\u{b}' | '\u{c}' | '\r' => plain.push(' '),
                c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
                // Each part can be handled alone: only the order of accents depends on the context, and accents are
                // dropped.
                c => decompose_canonical(c, |part| push_plain(&mut plain, part)),
            }
        }
        Self(plain)
    }

    /// Returns the tokens of the text. A line break is the mark `\n`.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token<'_>> {
        said_numbers(&self.words())
    }

    /// Returns the tokens as [`Plain::tokens`] does, but leaves number words as words. Names such as "Deux-Montagnes"
    /// contain number words.
    #[must_use]
    pub fn words(&self) -> Vec<Token<'_>> {
        written_numbers(&self.0)
    }
}

/// Adds a character that is not ASCII, without its accents.
fn push_plain(plain: &mut String, c: char) {
    match c {
        c if is_combining_mark(c) => {}
        '\u{2019}' | '\u{2018}' | '\u{2032}' | '\u{02BC}' | '\u{FF07}' => plain.push('\''),
        '\u{201C}' | '\u{201D}' | '\u{2033}' => plain.push('"'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
        '½' => plain.push_str(" 1/2"),
        '¼' => plain.push_str(" 1/4"),
        '¾' => plain.push_str(" 3/4"),
        '⅓' => plain.push_str(" 1/3"),
        '⅔' => plain.push_str(" 2/3"),
        '⅛' => plain.push_str(" 1/8"),
        '⅜' => plain.push_str(" 3/8"),
        '⅝' => plain.push_str(" 5/8"),
        '⅞' => plain.push_str(" 7/8"),
        '\u{2044}' => plain.push('/'),
        'œ' | 'Œ' => plain.push_str("oe"),
        c if c.is_whitespace() => plain.push(' '),
        c => plain.extend(c.to_lowercase()),
    }
}

/// Turns digits into numbers and separates words and punctuation.
fn written_numbers(text: &str) -> Vec<Token<'_>> {
    // A word has about four letters and a space.
    let mut tokens: Vec<Token<'_>> = Vec::with_capacity(text.len() / 4);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_ascii_digit() {
            let (number, length) = digits(rest);
            let before = tokens.last().and_then(|token| match token {
                Token::Number(whole) => Some(*whole),
                _ => None,
            });
            match (fraction(rest), number, before) {
                // "10 1/2" is one number; so is "3/4" alone.
                (Some((part, length)), _, Some(whole)) if part < Decimal::ONE && whole.fract().is_zero() => {
                    tokens.pop();
                    tokens.push(Token::Number(whole.saturating_add(part)));
                    length
                }
                (Some((part, length)), ..) => {
                    tokens.push(Token::Number(part));
                    length
                }
                (None, Some(number), _) => {
                    tokens.push(Token::Number(number));
                    length
                }
                (None, None, _) => {
                    tokens.push(Token::Word(&rest[..length]));
                    length
                }
            }
        } else if c.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            end
        } else {
            if c != ' ' {
                tokens.push(Token::Mark(c));
            }
            c.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}
